"""Hierarchical Sequential Transduction Units (HSTU), whose weights need no sum of 1.

Zhai et al., "Actions Speak Louder than Words: Trillion-Parameter Sequential Transducers
for Generative Recommendations", ICML 2024; layers as in the authors' released code,
loss as in their public experiments, but against all items. Dimension letters: ``B``
batch, ``L`` history length, ``K`` candidates, ``N`` steps of either kind, ``D`` width,
``H`` heads, ``I`` items (padding included).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, happens, positive

BUCKET = 0.301  # of the logarithm of the seconds: a bucket ends at 1.35 times its start


class Inside(NamedTuple):
    """What `explain` returns; weights and gates are those of the last block."""

    states: Tensor  # (B, L, D), what is known after each step; 0 at padding
    weights: Tensor  # (B, H, L, L), A(X): which step takes how much of which
    gates: Tensor  # (B, L, D), U(X)


def time_buckets(seconds: Tensor, buckets: int) -> Tensor:
    """Number of the bucket of each time difference, as released.

    Parameters
    ----------
    seconds : Tensor
        Integers of any shape; less than a second, and the past, count as one second.
    buckets : int
        The last of them, ``buckets - 1``, takes all that is longer.
    """
    steps = seconds.clamp(min=1).double().log() / BUCKET
    return steps.long().clamp(max=buckets - 1)


def aggregate(q, k, v, visible, bias=0.0, length=1, softmax=False):
    """Eq. (2): sum the values under weights that need not sum to one.

    Parameters
    ----------
    q, k, v : Tensor
        ``(..., N, D)`` queries, ``(..., M, D)`` keys and values.
    visible : Tensor
        Bool, to be broadcast to ``(..., N, M)``: which query sees which key.
    bias : Tensor or float
        Added to the products, ``rab`` of the paper.
    length : int
        What the weights of SiLU are divided by: the longest history there can be,
        whatever this one's length.
    softmax : bool
        Not the paper's: weights that do sum to one. The mask then comes **before** it,
        and the products are divided by the root of ``D``.

    Returns
    -------
    tuple of Tensor
        The sums ``(..., N, D)`` and the weights ``(..., N, M)``.
    """
    products = q @ k.transpose(-1, -2)  # (..., N, M)
    if softmax:
        logits = products / math.sqrt(q.shape[-1]) + bias
        weights = logits.masked_fill(~visible, -torch.inf).softmax(-1)
    else:
        weights = F.silu(products + bias) / length * visible
    return weights @ v, weights


class Block(nn.Module):
    """One layer: Eqs. (1) to (3), to be added to what it got.

    Parameters
    ----------
    dim, heads : int
        Width ``D`` and number ``H`` of heads, which share the biases.
    length, buckets : int
        Positions and time buckets that have a bias of their own.
    dropout : float
        Of what enters the last linear map.
    bias : str
        Which relative biases there are: ``"pt"`` position and time, ``"p"``, ``"t"``
        or ``""``.
    gate, softmax : bool
        Multiply by U(X); weigh by a softmax, which is not the paper's.
    """

    def __init__(self, dim, heads, length, buckets, dropout, bias, gate, softmax):
        super().__init__()
        self.heads, self.length, self.softmax = heads, length, softmax
        self.first = nn.Linear(dim, (4 if gate else 3) * dim, bias=False)  # f_1
        self.last = nn.Linear(dim, dim)  # f_2
        self.dropout = nn.Dropout(dropout)
        self.position = nn.Parameter(torch.zeros(length)) if "p" in bias else None
        self.time = nn.Parameter(torch.zeros(buckets)) if "t" in bias else None
        nn.init.normal_(self.first.weight, std=0.02)

    def forward(self, x, visible, distance, bucket):
        B, N, D = x.shape
        split = F.silu(self.first(F.layer_norm(x, (D,)))).view(B, N, -1, D)  # Eq. (1)
        v, q, k = (
            split[:, :, n].view(B, N, self.heads, -1).transpose(1, 2) for n in range(3)
        )  # (B, H, N, D / H)
        bias = torch.zeros((), device=x.device)
        if self.position is not None:
            bias = bias + self.position[distance]  # (N, N)
        if self.time is not None:
            bias = bias + self.time[bucket].unsqueeze(1)  # (B, 1, N, N)
        mixed, weights = aggregate(
            q, k, v, visible, bias, self.length, self.softmax
        )  # Eq. (2)
        mixed = F.layer_norm(mixed.transpose(1, 2).reshape(B, N, D), (D,))
        gates = split[:, :, 3] if split.shape[2] == 4 else torch.ones_like(mixed)
        return x + self.last(self.dropout(mixed * gates)), weights, gates  # Eq. (3)


class HSTU(nn.Module):
    """Blocks over what a user did, trained on the next item at every step.

    A batch holds ``history`` ``(B, L)``, int64 ids of items, oldest first, the padding
    **in front**; ``time`` ``(B, L)``, int64 seconds, and optionally ``asked``
    ``(B, L)``: the moment at which each step is asked for the next item, by default
    the step's own time. For `loss` also ``target`` ``(B, L)``, what came next at each
    step, 0 for none.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    dim, length, heads, layers : int
        Width, longest history, heads, blocks.
    dropout : float
        Of the embedded steps and inside the blocks.
    temperature : float
        Cosines are divided by it (released: 0.05).
    buckets : int
        Time buckets (released: 128; 64 reach to seven years).
    bias, gate, softmax
        As in `Block`.
    """

    def __init__(
        self,
        n_items,
        dim=32,
        length=50,
        heads=2,
        layers=1,
        dropout=0.2,
        temperature=0.05,
        buckets=64,
        bias="pt",
        gate=True,
        softmax=False,
    ):
        super().__init__()
        if positive("dim", dim) % positive("heads", heads):
            raise ValueError(f"dim is {dim}; expected a multiple of heads, {heads}")
        if not 0 < temperature < math.inf:
            raise ValueError(f"temperature is {temperature}; expected more than 0")
        if bias not in ("pt", "p", "t", ""):
            raise ValueError(f"bias is {bias!r}; expected 'pt', 'p', 't' or ''")
        self.temperature, self.buckets = temperature, positive("buckets", buckets)
        self.items = nn.Embedding(positive("n_items", n_items), dim, padding_idx=0)
        self.places = nn.Embedding(positive("length", length), dim)
        self.dropout = nn.Dropout(dropout)
        options = dim, heads, length, buckets, dropout, bias, gate, softmax
        self.blocks = nn.ModuleList(
            Block(*options) for _ in range(positive("layers", layers))
        )
        with torch.no_grad():
            self.items.weight.mul_(0.02)
            self.places.weight.mul_(dim**-0.5)

    def run(self, ids, time, asked, place):
        """All blocks over steps that stand at the given places, 0 the oldest."""
        real = ids > 0  # (B, N)
        x = self.items(ids) * math.sqrt(self.items.embedding_dim)
        x = self.dropout(x + self.places(place)) * real.unsqueeze(2)
        distance = place[:, None] - place  # (N, N)
        itself = torch.eye(len(place), dtype=torch.bool, device=ids.device)
        visible = ((distance > 0) & real[:, None] | itself).unsqueeze(1)
        bucket = time_buckets(asked[:, :, None] - time[:, None], self.buckets)
        for block in self.blocks:
            x, weights, gates = block(x, visible, distance.clamp(min=0), bucket)
        return Inside(x * real.unsqueeze(2), weights, gates)

    def steps(self, batch, room=0):
        """The checked parts of a batch, and the place of each step."""
        history, time = batch["history"], batch["time"]
        check_ids("history", history, 2, len(self.items.weight))
        L, most = history.shape[1], len(self.places.weight)
        if most < L + room:
            raise ValueError(
                f"history has {L} steps; this model takes {most - room} at most"
            )
        asked = batch.get("asked", time)
        for name, values in (("time", time), ("asked", asked)):
            if values.shape != history.shape or values.dtype != torch.int64:
                raise ValueError(
                    f"{name} has shape {tuple(values.shape)} and dtype {values.dtype}; "
                    f"expected int64 seconds of shape {tuple(history.shape)}"
                )
        real = history > 0
        if happens(~real[:, -1]):
            raise ValueError("history ends with padding; expected padding in front")
        if happens((time[:, 1:] < time[:, :-1]) & real[:, :-1]):
            raise ValueError("time goes back; expected the oldest step first")
        if happens((asked < time) & real):
            raise ValueError("asked is before time; a step is asked after it happened")
        place = torch.arange(most - room - L, most - room, device=history.device)
        return history, time, asked, place

    def explain(self, batch):
        return self.run(*self.steps(batch))

    def scores(self, states):
        """Cosine of states ``(..., D)`` with all items but the padding, as logits."""
        items = F.normalize(self.items.weight[1:], dim=-1)
        return F.normalize(states, dim=-1) @ items.T / self.temperature

    def forward(self, batch):
        """Scores of all items after the last step: ``(B, I)``, never of the padding."""
        states = self.explain(batch).states[:, -1]
        return F.pad(self.scores(states), (1, 0), value=-torch.inf)

    def loss(self, batch):
        """Cross-entropy of the next item against all others, at every step."""
        target, states = batch["target"], self.explain(batch).states
        check_ids("target", target, 2, len(self.items.weight))
        there = target > 0
        if target.shape != states.shape[:2] or happens(~there.any()):
            raise ValueError(
                f"target has shape {tuple(target.shape)}; expected that of history, "
                f"{tuple(states.shape[:2])}, and an item somewhere"
            )
        return F.cross_entropy(self.scores(states[there]), target[there] - 1)

    def rank(self, batch, candidates):
        """States of ``(B, K)`` candidates, each as the step after the history.

        One pass (M-FALCON): all stand at the same place and at the moment that the
        last step is asked, see the history and themselves, and not each other.
        """
        history, time, asked, place = self.steps(batch, room=1)
        check_ids("candidates", candidates, 2, len(self.items.weight), lowest=1)
        B, K = candidates.shape
        now = asked[:, -1:].expand(B, K)
        ids = torch.cat([history, candidates], 1)  # (B, L + K)
        place = torch.cat([place, place.new_full((K,), len(self.places.weight) - 1)])
        times = torch.cat([time, now], 1), torch.cat([asked, now], 1)
        return self.run(ids, *times, place).states[:, -K:]  # (B, K, D)
