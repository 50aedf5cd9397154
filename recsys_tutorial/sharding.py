"""An embedding table cut by rows over several processes, and the bytes that it sends.

Every process is called a rank, from 0 to ``W - 1``; each holds some of the rows. A
lookup asks their owners for the vectors and, on the way back, sends them the gradients:
three exchanges in which every rank sends to every other. The gradients of a whole table
that each rank holds are averaged instead, in an all-reduce.
"""

import os
import socket
import stat
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, positive

LAYOUTS = ("block", "modulo")
ID, FLOAT = 8, 4  # bytes of an int64 id, and of a float32
BYTES_SENT = 200  # where the kernel's struct tcp_info has tcpi_bytes_sent, a u64


def owners(ids: Tensor, n_rows: int, world: int, layout: str = "modulo") -> Tensor:
    """Which rank holds the row of an id.

    Parameters
    ----------
    ids : LongTensor
        Any shape, from 0 to ``n_rows - 1``.
    n_rows, world : int
        Rows of the table, and number of ranks ``W``.
    layout : {"modulo", "block"}
        ``"block"`` gives each rank one run of neighbouring ids, ``"modulo"`` deals the
        ids out one by one, like cards.

    Returns
    -------
    LongTensor
        Ranks, in the shape of `ids`.

    Raises
    ------
    ValueError
        If `layout` is another, or `n_rows` or `world` is below 1.
    """
    positive("n_rows", n_rows), positive("world", world)
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}; expected one of {', '.join(LAYOUTS)}")
    return ids // _rows_each(n_rows, world) if layout == "block" else ids % world


def _rows_each(n_rows: int, world: int) -> int:
    return -(-n_rows // world)


class RowSharded(nn.Module):
    """What `nn.Embedding` is, with ``padding_idx=0``, cut by rows over all ranks.

    Every rank looks up ids of its own batch, and all have to call it together, forward
    and backward. Id 0 is a vector of zeros, and is never sent.

    Parameters
    ----------
    table : Tensor
        ``(V, D)``, the whole table to begin with, the same on every rank; of a table
        that fits in no memory, each rank would draw its own rows alone.
    layout : {"modulo", "block"}
        As `owners` takes it.
    distinct : bool
        Send each id once a step, however often the batch holds it.
    divide : bool
        Divide the gradients by ``W``, as an average over the ranks does; without, they
        are their sum.

    Attributes
    ----------
    weight : nn.Parameter
        ``(ceil(V / W), D)``, the rows that this rank holds, and spare ones of zeros.
    traffic : Counter
        Bytes that this rank has sent to others: ``ids``, ``vectors`` and
        ``gradients``; ``counts`` for how many of them there will be.
    served : int
        Vectors that this rank has looked up, its own requests included.

    Raises
    ------
    RuntimeError
        If there is no process group: see `torch.distributed.init_process_group`.
    """

    def __init__(
        self,
        table: Tensor,
        layout: str = "modulo",
        distinct: bool = False,
        divide: bool = True,
    ):
        super().__init__()
        if not dist.is_initialized():
            raise RuntimeError(
                "there is no process group; start the processes with torchrun and call "
                "torch.distributed.init_process_group in each"
            )
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.n_rows, self.layout = len(table), layout
        self.distinct, self.divide = distinct, divide
        mine = torch.arange(1, self.n_rows)
        mine = mine[owners(mine, self.n_rows, self.world, layout) == self.rank]
        rows = table.new_zeros(_rows_each(*self._cut), table.shape[1])
        rows[self._place(mine)] = table[mine]
        self.weight = nn.Parameter(rows)
        self.traffic, self.served = Counter(), 0

    @property
    def _cut(self) -> tuple[int, int]:
        return self.n_rows, self.world

    def _place(self, ids: Tensor) -> Tensor:
        """In which of its rank's rows an id stands."""
        block = self.layout == "block"
        return ids % _rows_each(*self._cut) if block else ids // self.world

    def forward(self, ids: Tensor) -> Tensor:
        """Vectors of ids: ``(...)`` -> ``(..., D)``."""
        check_ids("ids", ids.flatten(), 1, self.n_rows)
        wanted = ids[ids > 0]  # (n,)
        if self.distinct:
            wanted, which = wanted.unique(return_inverse=True)
        owner = owners(wanted, self.n_rows, self.world, self.layout)
        order = owner.argsort(stable=True)
        asked = owner.bincount(minlength=self.world)
        one = [1] * self.world
        told = self._exchange("counts", asked, one, one)
        sent, received = asked.tolist(), told.tolist()
        theirs = self._exchange("ids", wanted[order], sent, received)
        self.served += len(theirs)
        found = self.weight[self._place(theirs)]  # (m, D), what others have asked for
        vectors = _Vectors.apply(found, self, received, sent)[order.argsort()]
        if self.distinct:
            vectors = vectors[which]
        none = vectors.new_zeros(*ids.shape, vectors.shape[-1])
        return none.masked_scatter((ids > 0).unsqueeze(-1), vectors)

    def _exchange(
        self, what: str, rows: Tensor, sent: list[int], received: list[int]
    ) -> Tensor:
        """Send the first `sent[0]` rows to rank 0, the next `sent[1]` to rank 1 ..."""
        got = rows.new_empty(sum(received), *rows.shape[1:])
        dist.all_to_all_single(got, rows.contiguous(), received, sent)
        one = rows.element_size() * rows.shape[1:].numel()
        self.traffic[what] += one * (len(rows) - sent[self.rank])
        return got


class _Vectors(torch.autograd.Function):
    """Vectors go out; on the way back, their gradients come in from where they went."""

    @staticmethod
    def forward(ctx, rows, table, sent, received):
        ctx.table, ctx.back = table, (received, sent)
        return table._exchange("vectors", rows, sent, received)

    @staticmethod
    def backward(ctx, gradients):
        table = ctx.table
        got = table._exchange("gradients", gradients, *ctx.back)
        return got / table.world if table.divide else got, None, None, None


def counted_all_reduce(traffic: Counter) -> Callable:
    """A hook for `DistributedDataParallel` that averages, and counts the bytes.

    Register it with ``register_comm_hook(None, counted_all_reduce(traffic))``; the
    bytes that this rank sends go to ``traffic["all-reduce"]``, by `all_reduce_bytes`.
    """
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

    def hook(_, bucket):
        sent = all_reduce_bytes(bucket.buffer().numel(), dist.get_world_size())
        traffic["all-reduce"] += sent
        return allreduce_hook(None, bucket)

    return hook


def all_reduce_bytes(n_numbers: int, world: int) -> int:
    """Bytes that each rank sends to average float32 numbers around a ring.

    Of `world` pieces of ``n / W`` numbers each, ``W - 1`` are passed on while they are
    summed, and as many while the sums are spread.
    """
    return round(2 * (world - 1) / positive("world", world) * n_numbers * FLOAT)


def exchange_bytes(n_ids: float, dim: int) -> float:
    """Bytes that `n_ids` requests to other ranks cost, over all ranks together.

    The id goes out, the vector comes back, and so does, later, the gradient.
    """
    return n_ids * (ID + 2 * dim * FLOAT)


def socket_bytes() -> int | None:
    """Bytes that the kernel has sent on this process's TCP connections; else None.

    Linux alone tells it. It is a check of the other counts from outside: gloo talks
    over TCP, and adds headers of its own to what it is given.
    """
    folder = Path("/proc/self/fd")
    if not folder.is_dir() or not hasattr(socket, "TCP_INFO"):
        return None
    total = 0
    for number in os.listdir(folder):
        try:
            if not stat.S_ISSOCK(os.fstat(int(number)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(number))) as one:
                if one.type != socket.SOCK_STREAM or one.family == socket.AF_UNIX:
                    continue
                told = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed in the meantime
            continue
        if len(told) < BYTES_SENT + 8:
            return None
        total += struct.unpack_from("Q", told, BYTES_SENT)[0]
    return total
