"""The Multi-channel user Interest Memory Network (MIMN).

Pi et al., "Practice on Long Sequential User Behavior Modeling for Click-Through Rate
Prediction", KDD 2019. Dimension letters: ``B`` batch, ``L`` history length, ``D``
width of an item's embedding, of a slot and of every hidden state, ``M`` memory slots.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, check_labels, positive
from recsys_tutorial.models.dien import check_padding
from recsys_tutorial.models.din import MLP, ActivationUnit, PReLU, check_batch


class Memory(NamedTuple):
    """All that is kept of a user, whatever the length of the history."""

    slots: Tensor  # (B, M, D), M_t
    channels: Tensor  # (B, M, D), S_t of the induction unit
    use: Tensor  # (B, M), g_t: how much has been written to each slot
    read: Tensor  # (B, D), r_t
    controller: Tensor  # (B, D), the controller's state


def address(key, slots, sharpness=1.0):
    """Eqs. (1) and (2): a softmax over the cosines of a key and the slots.

    A key or a slot of zeros has the cosine 0. Not in the paper: the cosines may be
    multiplied by a `sharpness`; the official code learns one, of at least 2.

    Parameters
    ----------
    key : Tensor
        ``(B, D)``.
    slots : Tensor
        ``(B, M, D)``.

    Returns
    -------
    Tensor
        ``(B, M)``, each row sums to 1.
    """
    key = F.normalize(key, dim=1, eps=1e-8).unsqueeze(2)  # (B, D, 1)
    cosine = (F.normalize(slots, dim=2, eps=1e-8) @ key).squeeze(2)  # (B, M)
    return (sharpness * cosine).softmax(1)


def erase_and_add(slots, weight, erase, add):
    """Eq. (4): each slot forgets, then learns, both in proportion to its weight.

    Parameters
    ----------
    slots : Tensor
        ``(B, M, D)``.
    weight : Tensor
        ``(B, M)``; 0 leaves a slot as it is.
    erase, add : Tensor
        ``(B, D)``; erase in [0, 1].
    """
    weight = weight.unsqueeze(2)  # (B, M, 1)
    slots = slots - slots * (weight * erase.unsqueeze(1))
    return torch.addcmul(slots, weight, add.unsqueeze(1))


def imbalance(use):
    """Eq. (8) without its lambda: squared deviations from the mean use, ``(B,)``."""
    return (use - use.mean(1, keepdim=True)).square().sum(1)


class Transfer(nn.Module):
    """Eqs. (5) and (6): hand write weight over, depending on how much slots were used.

    P_t is taken as a matrix whose rows sum to 1, so that the weights keep their sum.
    The sum g_t of the paper runs to the very step whose weight it is to give; here it
    ends one step before. As in the official code no gradient goes through it.
    """

    def __init__(self, n_slots):
        super().__init__()
        self.n_slots = n_slots
        self.weight = nn.Parameter(torch.randn(n_slots * n_slots, n_slots) / n_slots)

    def forward(self, weight, use):
        scores = F.linear(use.detach(), self.weight)  # (B, M * M)
        P = scores.unflatten(1, (self.n_slots, self.n_slots)).softmax(2)  # (B, M, M)
        return (weight.unsqueeze(1) @ P).squeeze(1)  # (B, M)


class Inside(NamedTuple):
    """What `explain` returns."""

    writes: Tensor  # (B, L, M), the write weights; 0 at padding
    memory: Memory  # after the last step
    weights: Tensor  # (B, M), how the candidate reads the slots, Eq. (1)
    user: Tensor  # (B, D), with induction (B, 2 D): what the head sees of the history
    candidate: Tensor  # (B, D)


class MIMN(nn.Module):
    """A memory that is written event by event, and read once a candidate is known.

    `write` and `remember` never see a candidate: their result can be computed when
    something happens and kept until it is asked for. `read` never sees the history.
    A batch is that of `BaseModel`, its histories in the order of time, padded with 0
    at the end.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items. Its width is that of slots and states.
    n_slots : int
        Number ``M`` of slots.
    rebalance : bool
        Pass the write weights through `Transfer`.
    balance : float
        The lambda of Eq. (8), at least 0; the mean over the batch is taken.
    sharpness : float
        Of all addressing, see `address`; above 0 (the paper: 1).
    induction : int
        How many channels of the induction unit move in a step; 0 for no such unit.
    units : tuple of int
        Widths of the two hidden layers of the MLP (the paper: 200 and 80).
    activation : class
        `PReLU` or `Dice`, in the MLP.
    """

    def __init__(
        self,
        items,
        n_slots=4,
        rebalance=True,
        balance=1e-3,
        induction=1,
        sharpness=1.0,
        units=(80, 40),
        activation=PReLU,
    ):
        super().__init__()
        D, M = items.out_features, positive("n_slots", n_slots)
        if not balance >= 0:
            raise ValueError(f"balance is {balance}; expected a number of at least 0")
        if isinstance(induction, bool) or induction not in range(M + 1):
            raise ValueError(
                f"induction is {induction!r}; expected 0 to {M}, the slots"
            )
        if not 0 < sharpness < float("inf"):
            raise ValueError(f"sharpness is {sharpness}; expected a number above 0")
        self.items, self.balance, self.induction = items, balance, induction
        self.sharpness = sharpness
        self.start = nn.Parameter(torch.randn(M, D) / D**0.5)  # M_0, slots that differ
        self.controller = nn.GRUCell(2 * D, D)
        self.heads = nn.Linear(D, 4 * D)  # keys to read and to write, erase, add
        self.transfer = Transfer(M) if rebalance else None
        self.query = nn.Linear(D, D)
        if induction:
            self.channel = nn.GRUCell(2 * D, D)
            self.unit = ActivationUnit(D)
        self.head = MLP((3 if induction else 2) * D, units, activation)

    def empty(self, rows):
        """The `Memory` of `rows` users of whom nothing is known."""
        M, D = self.start.shape
        zeros = self.start.new_zeros
        return Memory(
            self.start.expand(rows, M, D), zeros(rows, M, D), zeros(rows, M),
            zeros(rows, D), zeros(rows, D),
        )  # fmt: skip

    def _step(self, old, e, real):
        """The memory after one event: e ``(B, D)``; rows that are not real stay."""
        h = self.controller(torch.cat([e, old.read], 1), old.controller)  # (B, D)
        read_key, write_key, erase, add = self.heads(h).chunk(4, 1)
        weight = address(write_key, old.slots, self.sharpness)  # (B, M)
        if self.transfer:
            weight = self.transfer(weight, old.use)
        weight = weight * real
        slots = erase_and_add(old.slots, weight, erase.sigmoid(), add.tanh())
        weights = address(read_key, slots, self.sharpness)
        read = (weights.unsqueeze(1) @ slots).squeeze(1)  # Eq. (3)
        channels = old.channels
        if self.induction:
            channels = self._induce(channels, slots, e, weights, real)
        return Memory(
            slots, channels, old.use + weight,
            torch.where(real, read, old.read), torch.where(real, h, old.controller),
        )  # fmt: skip

    def _induce(self, channels, slots, e, weights, real):
        """Eq. (9): the channels of the slots that are read most take one GRU step."""
        D = e.shape[1]
        top = weights.topk(self.induction).indices  # (B, k)
        top = top.unsqueeze(2).expand(-1, -1, D)  # (B, k, D)
        old = channels.gather(1, top)
        x = torch.cat([slots.gather(1, top), e.unsqueeze(1).expand_as(old)], 2)
        new = self.channel(x.flatten(0, 1), old.flatten(0, 1)).view_as(old)
        return channels.scatter(1, top, torch.where(real.unsqueeze(2), new, old))

    def _path(self, history):
        """The memory after each step, up to the longest history's end."""
        mask = check_padding(history)  # (B, L)
        steps = F.embedding(history, self.items())  # (B, L, D)
        memory, n_steps = self.empty(history.shape[0]), history.shape[1]
        if not torch.compiler.is_compiling():  # no step after the last one changes it
            n_steps = int(mask.sum(1).max())
        for t in range(n_steps):
            memory = self._step(memory, steps[:, t], mask[:, t : t + 1])
            yield memory

    def write(self, memory, item):
        """The memory after one more event of each user.

        Parameters
        ----------
        memory : Memory
            Of ``B`` users; `empty` if nothing is known of them.
        item : LongTensor
            ``(B,)`` ids; 0, padding, leaves the user's memory as it is.
        """
        check_ids("item", item, 1, len(self.items.ids))
        if len(item) != len(memory.slots):
            raise ValueError(
                f"item has {len(item)} rows and memory {len(memory.slots)}; expected "
                "as many"
            )
        e = F.embedding(item, self.items())  # (B, D)
        return self._step(memory, e, (item > 0).unsqueeze(1))

    def remember(self, history):
        """The `Memory` of whole histories ``(B, L)``: as `write`, step by step."""
        check_ids("history", history, 2, len(self.items.ids))
        memory = self.empty(history.shape[0])
        for memory in self._path(history):  # noqa: B007
            pass
        return memory

    def _read(self, memory, candidate):
        """Weights ``(B, M)``, user and candidate vectors; see `read`."""
        candidate = F.embedding(candidate, self.items())  # (B, D)
        if memory.slots.shape[0] == 1:
            B = candidate.shape[0]
            memory = Memory(*(x.expand(B, *x.shape[1:]) for x in memory))
        weights = address(self.query(candidate), memory.slots, self.sharpness)
        user = (weights.unsqueeze(1) @ memory.slots).squeeze(1)  # (B, D)
        if self.induction:
            by_channel = self.unit(memory.channels, candidate, None)  # (B, M)
            channel = (by_channel.unsqueeze(1) @ memory.channels).squeeze(1)
            user = torch.cat([user, channel], 1)
        return weights, user, candidate

    def _logits(self, user, candidate):
        return self.head(torch.cat([user, candidate], 1)).squeeze(1)

    def read(self, memory, candidate):
        """Logits ``(B,)`` of the candidates.

        Parameters
        ----------
        memory : Memory
            Of ``B`` users, or of one user for all candidates.
        candidate : LongTensor
            ``(B,)`` ids.
        """
        check_ids("candidate", candidate, 1, len(self.items.ids))
        if memory.slots.shape[0] not in (1, candidate.shape[0]):
            raise ValueError(
                f"candidate has {len(candidate)} rows and memory "
                f"{len(memory.slots)}; expected as many, or one memory for all"
            )
        _, user, candidate = self._read(memory, candidate)
        return self._logits(user, candidate)

    def explain(self, batch):
        check_batch(batch, len(self.items.ids))
        history = batch["history"]
        path = [self.empty(history.shape[0]), *self._path(history)]
        use = torch.stack([m.use for m in path], 1)  # (B, 1 + steps, M)
        writes = F.pad(use.diff(dim=1), (0, 0, 0, history.shape[1] - len(path) + 1))
        return Inside(writes, path[-1], *self._read(path[-1], batch["candidate"]))

    def forward(self, batch):
        check_batch(batch, len(self.items.ids))
        return self.read(self.remember(batch["history"]), batch["candidate"])  # (B,)

    def loss(self, batch):
        check_batch(batch, len(self.items.ids))
        memory = self.remember(batch["history"])
        logits = self.read(memory, batch["candidate"])
        label = check_labels("label", batch["label"], logits.shape)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        return loss + self.balance * imbalance(memory.use).mean()
