"""Train one small model in several processes: copied, sharded by hand, by TorchRec.

`launch` starts the processes with torchrun, hands them the data and a list of jobs, and
reads what they found. A notebook cannot be a worker itself: a worker is a program that
is started several times over, here ``python -m recsys_tutorial.distributed FOLDER``.
"""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.nn.parallel import DistributedDataParallel

from recsys_tutorial.checkpoints import load_checkpoint, save_checkpoint
from recsys_tutorial.layers import positive
from recsys_tutorial.sharding import RowSharded, counted_all_reduce, socket_bytes

KINDS = ("single", "ddp", "rows", "torchrec rows", "torchrec tables")
LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # what 127.0.0.1 is called
PATIENCE = timedelta(seconds=60)  # with a rank that sends nothing
EPSILON = 1e-8  # Adagrad's in FBGEMM; PyTorch's own is 1e-10, and the losses differ
FEATURES = ("user", "history", "candidate")


@dataclass(frozen=True)
class Job:
    """One training run, the same in every process that takes part.

    Attributes
    ----------
    kind : str
        ``"single"``, which rank 0 does alone; ``"ddp"``, whole tables on every rank;
        ``"rows"``, `RowSharded`; ``"torchrec rows"`` and ``"torchrec tables"``.
    users, items : int
        Rows of the two tables, id 0 included.
    steps, batch : int
        Steps, and rows of a global batch: those of all ranks together.
    dim, lr, seed : int, float, int
        Width of a vector; learning rate of Adagrad; seed of the weights and the order.
    layout, distinct, divide : str, bool, bool
        As `RowSharded` takes them.
    own_order : bool
        Every rank shuffles for itself: a mistake.
    scored : bool
        Whether it scores, at the end, the rows that `launch` was given to score.
    folder, every : str, int
        Where to keep a checkpoint, and after how many steps; a run begins where the
        folder's checkpoint ends.
    die_at : int, optional
        Before this step (from 0) the last rank ends itself, as if it had been killed.
    """

    kind: str
    users: int
    items: int
    steps: int = 60
    batch: int = 256
    dim: int = 16
    lr: float = 0.05
    seed: int = 0
    layout: str = "modulo"
    distinct: bool = False
    divide: bool = True
    own_order: bool = False
    scored: bool = True
    folder: str = ""
    every: int = 10
    die_at: int | None = None


class Head(nn.Module):
    """Log-odds of a click, from three vectors."""

    def __init__(self, dim: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(5 * dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, 1)
        )

    def forward(self, user: Tensor, history: Tensor, candidate: Tensor) -> Tensor:
        """``(B, D)`` three times -> ``(B,)``."""
        x = [user, history, candidate, user * candidate, history * candidate]
        return self.layers(torch.cat(x, 1)).squeeze(1)


class Clicks(nn.Module):
    """Will this user, after this history, take the candidate?

    Parameters
    ----------
    tables : dict of nn.Module
        ``user`` and ``item``: ids ``(...)`` -> vectors ``(..., D)``, as `nn.Embedding`
        or `RowSharded`.
    head : nn.Module
        A `Head`.
    """

    def __init__(self, tables: dict[str, nn.Module], head: nn.Module):
        super().__init__()
        self.tables, self.head = nn.ModuleDict(tables), head

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """``user`` (B,), ``history`` (B, L), ``candidate`` (B,) -> log-odds (B,)."""
        ids = torch.cat([batch["history"], batch["candidate"].unsqueeze(1)], 1)
        items = self.tables["item"](ids)  # one request for both: (B, L + 1, D)
        user, history = self.tables["user"](batch["user"]), items[:, :-1].sum(1)
        return self.head(user, history, items[:, -1])


def has_torchrec() -> bool:
    """Whether TorchRec and FBGEMM, which it calls, are installed."""
    return all(importlib.util.find_spec(name) for name in ("torchrec", "fbgemm_gpu"))


def launch(
    jobs: list[Job],
    data: dict[str, Tensor],
    score: dict[str, Tensor] | None = None,
    *,
    processes: int = 2,
    timeout: float = 120,
) -> list[list[dict]]:
    """Do jobs one after the other in several processes on this machine.

    Parameters
    ----------
    jobs : list of Job
    data : dict of tensors
        ``user`` (N,), ``history`` (N, L), ``candidate`` (N,), ``label`` (N,): training
        rows, of which each rank takes its part of each batch.
    score : dict of tensors, optional
        Rows to score after each job, without ``label``.
    processes : int
        Number of ranks.
    timeout : float
        Seconds after which all of them are ended.

    Returns
    -------
    list of list of dict
        By job and rank: ``losses`` (of the global batch, per step) from step ``start``
        on, ``sent`` (bytes to other ranks by what they are, over all steps), ``socket``
        (the same as the kernel counts it, or None), ``served`` (vectors of items that
        the rank has looked up, or None), ``parameters`` (numbers that it holds),
        ``seconds`` (of all steps), ``scores``. Rank 0 alone has losses and scores.

    Raises
    ------
    ValueError
        If a job is not as told, or the data are too few for a batch.
    ModuleNotFoundError
        If a job needs TorchRec, and it is not installed.
    RuntimeError
        If a process ended with an error, or was killed; it says which rank.
    TimeoutError
        If they take longer than `timeout`.
    """
    for job in jobs:
        _check(job, data)
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "jobs.json").write_text(json.dumps([asdict(job) for job in jobs]))
        for part, rows in (("data", data), ("score", score)):
            if rows is not None:
                whole = {k: v.contiguous() for k, v in rows.items()}
                save_file(whole, folder / f"{part}.safetensors")
        _torchrun(positive("processes", processes), folder, timeout)
        found = [
            json.loads((folder / f"rank-{rank}.json").read_text())
            for rank in range(processes)
        ]
    return [list(of_ranks) for of_ranks in zip(*found, strict=True)]


def _check(job: Job, data: dict[str, Tensor]) -> None:
    if job.kind not in KINDS:
        raise ValueError(f"kind is {job.kind!r}; expected one of {', '.join(KINDS)}")
    if job.kind.startswith("torchrec") and not has_torchrec():
        raise ModuleNotFoundError(
            "TorchRec is not installed; the chapter 'When one machine is not enough' "
            "tells how"
        )
    if len(data["label"]) < job.batch:
        raise ValueError(f"data has {len(data['label'])} rows; a batch has {job.batch}")
    if job.folder and job.kind not in ("ddp", "rows"):
        raise ValueError(f"kind is {job.kind!r}; checkpoints are kept of ddp and rows")


def _torchrun(processes: int, folder: Path, timeout: float) -> None:
    """Run the workers; RuntimeError if one ends badly, and none is left behind."""
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(paths),
        "OMP_NUM_THREADS": "1",  # the ranks share the cores
    }
    if sys.platform in LOOPBACK:
        environment["GLOO_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)),
        *("-m", "recsys_tutorial.distributed", str(folder)),
    ]
    log = folder / "log"
    with log.open("w") as out:
        run = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            status = run.wait(timeout)
        except subprocess.TimeoutExpired:
            told = f"{processes} processes took longer than {timeout} s: ended"
            raise TimeoutError(told) from None
        finally:
            _end(run)
    if status:
        raise RuntimeError(_reason(log.read_text(errors="replace")))


def _end(run: subprocess.Popen) -> None:
    run.terminate()  # torchrun ends its workers first
    try:
        run.wait(20)
    except subprocess.TimeoutExpired:
        run.kill()


def _reason(log: str) -> str:
    """What torchrun tells at its end: which rank, and how it ended; else the log."""
    told = log.partition("Root Cause")[2]
    rank = re.search(r"rank\s*: (\d+)", told)
    code = re.search(r"exitcode\s*: (-?\d+)", told)
    if not rank or not code:
        return f"the processes ended with an error: {log[-2000:]}"
    if int(code[1]) < 0:
        return f"rank {rank[1]} was ended by {signal.Signals(-int(code[1])).name}"
    errors = re.findall(r"^(?:\[rank\d+\]: *)?(\w*(?:Error|Exception): .*)", log, re.M)
    return f"rank {rank[1]} failed: {errors[0] if errors else log[-2000:]}"


def work(folder: Path) -> None:
    """Do all jobs of a folder, as one rank of those that torchrun has started."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", timeout=PATIENCE)
    data = load_file(folder / "data.safetensors")
    listed = folder / "score.safetensors"
    score = load_file(listed) if listed.exists() else None
    jobs = [Job(**job) for job in json.loads((folder / "jobs.json").read_text())]
    found = []
    for job in jobs:
        dist.barrier()  # the others wait while rank 0 works alone
        alone = job.kind == "single" and dist.get_rank() > 0
        found.append({} if alone else train(job, data, score))
    path = folder / f"rank-{dist.get_rank()}.json"
    path.write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


def train(job: Job, data: dict[str, Tensor], score: dict[str, Tensor] | None) -> dict:
    """Do one job, as one rank; `launch` tells what comes back."""
    world = 1 if job.kind == "single" else dist.get_world_size()
    rank = 0 if job.kind == "single" else dist.get_rank()
    traffic = Counter()
    model, optimizer = build(job, traffic)
    parts = {"model": model, "optimizer": optimizer}
    start = load_checkpoint(job.folder, parts) if job.folder else 0
    losses, wire, begun = [], 0, time.perf_counter()
    for step, rows in enumerate(batches(job, len(data["label"]), rank)):
        if step < start:
            continue
        if step == job.die_at and rank == world - 1:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        mine = rows.tensor_split(world)[rank]
        batch = {name: values[mine] for name, values in data.items()}
        before = socket_bytes()
        loss = binary_cross_entropy_with_logits(
            model(batch), batch["label"], reduction="sum"
        )
        loss = loss / len(rows)  # this rank's part of the mean over the global batch
        optimizer.zero_grad()
        (loss * world).backward()  # the ranks' gradients are averaged, not summed
        optimizer.step()
        if before is not None:
            wire += socket_bytes() - before
        losses.append(loss.detach())
        if job.folder and (step + 1) % job.every == 0:
            save_checkpoint(job.folder, step + 1, parts)
    seconds = time.perf_counter() - begun
    tables = [m for m in model.modules() if isinstance(m, RowSharded)]
    for table in tables:
        traffic += table.traffic
    found = {
        "sent": traffic,
        "socket": wire if before is not None else None,
        "served": tables[-1].served if tables else None,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": seconds,
    }
    total = torch.stack(losses)
    if world > 1:
        dist.all_reduce(total)
    model.eval()
    with torch.no_grad():
        scores = model(score).tolist() if score and job.scored else None
    if rank == 0:
        found |= {"losses": total.tolist(), "start": start, "scores": scores}
    return found


def batches(job: Job, n_rows: int, rank: int) -> Iterator[Tensor]:
    """Row numbers of each step's global batch, the same on every rank.

    They follow from seed and step alone, so that a run which starts in the middle
    comes by the same ones. A last batch is smaller than the others.
    """
    per_epoch, order = -(-n_rows // job.batch), ()
    for step in range(job.steps):
        epoch, k = divmod(step, per_epoch)
        if k == 0:
            own = 10**6 * (rank + 1) if job.own_order else 0
            draw = torch.Generator().manual_seed(1000 * job.seed + epoch + own)
            order = torch.randperm(n_rows, generator=draw).split(job.batch)
        yield order[k]


def build(job: Job, traffic: Counter) -> tuple[nn.Module, torch.optim.Optimizer]:
    """The model of a job with the weights of its seed, and its optimiser.

    What DDP sends is counted in `traffic`; each `RowSharded` counts for itself.
    """
    draw = torch.Generator().manual_seed(job.seed)
    sizes = {"user": job.users, "item": job.items}
    tables = {
        name: 0.1 * torch.randn(n, job.dim, generator=draw) for name, n in sizes.items()
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        head = Head(job.dim)
    rule = partial(torch.optim.Adagrad, lr=job.lr, eps=EPSILON)
    if job.kind.startswith("torchrec"):
        model = _torchrec(job, tables, head, traffic)
        return model, rule(model.head.parameters())
    if job.kind == "rows":
        how = (job.layout, job.distinct, job.divide)
        cut = {name: RowSharded(table, *how) for name, table in tables.items()}
        model = Clicks(cut, _copied(head, traffic))
    else:
        whole = {
            name: nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0)
            for name, table in tables.items()
        }
        for table in whole.values():
            table.weight.data[0] = 0
        model = Clicks(whole, head)
        model = _copied(model, traffic) if job.kind == "ddp" else model
    return model, rule(model.parameters())


def _copied(model: nn.Module, traffic: Counter) -> nn.Module:
    """The same model on every rank; its gradients are averaged."""
    copied = DistributedDataParallel(model)
    copied.register_comm_hook(None, counted_all_reduce(traffic))
    return copied


def _torchrec(
    job: Job, tables: dict[str, Tensor], head: nn.Module, traffic: Counter
) -> nn.Module:
    """The same model with TorchRec's tables: by rows, or each whole on one rank."""
    from torchrec import EmbeddingBagCollection, EmbeddingBagConfig, KeyedJaggedTensor
    from torchrec.distributed.embeddingbag import EmbeddingBagCollectionSharder
    from torchrec.distributed.model_parallel import DistributedModelParallel
    from torchrec.distributed.sharding_plan import (
        construct_module_sharding_plan,
        row_wise,
        table_wise,
    )
    from torchrec.distributed.types import ShardingPlan
    from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward

    features = {"user": ["user"], "item": ["history", "candidate"]}
    bags = EmbeddingBagCollection(
        device=torch.device("cpu"),
        tables=[
            EmbeddingBagConfig(
                name=name,
                num_embeddings=len(table),
                embedding_dim=job.dim,
                feature_names=features[name],
            )
            for name, table in tables.items()
        ],
    )
    # The optimiser steps inside the backward pass, in the rows that were read.
    apply_optimizer_in_backward(
        torch.optim.Adagrad, bags.parameters(), {"lr": job.lr, "eps": EPSILON}
    )
    world, sharder = dist.get_world_size(), EmbeddingBagCollectionSharder()
    cuts = {
        name: row_wise() if job.kind.endswith("rows") else table_wise(rank=k % world)
        for k, name in enumerate(tables)
    }
    plan = construct_module_sharding_plan(
        bags, cuts, sharder, local_size=world, world_size=world, device_type="cpu"
    )

    class Bags(nn.Module):
        def __init__(self):
            super().__init__()
            self.bags = bags

        def forward(self, values, lengths):
            ids = KeyedJaggedTensor(FEATURES, values, lengths=lengths)
            return self.bags(ids)

    class TorchRecClicks(nn.Module):
        def __init__(self):
            super().__init__()
            self.bags = DistributedModelParallel(
                Bags(),
                device=torch.device("cpu"),
                plan=ShardingPlan({"bags": plan}),
                sharders=[sharder],
            )
            # On the CPU, TorchRec draws its shards anew whatever the tables hold.
            whole = {f"embedding_bags.{k}.weight": v for k, v in tables.items()}
            self.bags.module.bags.load_state_dict(whole)
            self.head = _copied(head, traffic)

        def forward(self, batch):
            history, one = batch["history"], torch.ones_like(batch["user"])
            lengths = torch.cat([one, (history > 0).sum(1), one]).int()
            values = [batch["user"], history[history > 0], batch["candidate"]]
            pooled = self.bags(torch.cat(values), lengths)
            return self.head(*(pooled[name] for name in FEATURES))

    return TorchRecClicks()


if __name__ == "__main__":
    work(Path(sys.argv[1]))
