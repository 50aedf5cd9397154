"""OneRec: lists written code by code, a reward that reads lists, and preferences.

Deng et al., "OneRec: Unifying Retrieve and Rank with Generative Recommender and
Iterative Preference Alignment", arXiv:2502.18965, 2025; equations are numbered as
there. The preference loss is that of Rafailov et al., "Direct Preference Optimization",
NeurIPS 2023. Dimension letters: ``B`` batch, ``L`` history length, ``S`` items in a
list, ``C`` codes of an item, ``K`` codewords of a level, ``D`` width, ``H`` heads,
``E`` experts, ``N`` lists of a row, ``Q`` tokens, ``T`` targets, ``I`` items (padding
included).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import Towers, check_ids, check_labels, happens, positive


class Inside(NamedTuple):
    """What `OneRec.explain` returns; a token is a begin token or a code."""

    logits: Tensor  # (B, S, C, K), of each code given what stands before it
    gates: Tensor  # (B, S * (C + 1), E), the experts' weights; 0 where not chosen


class Attention(nn.Module):
    """Softmax attention with several heads; what it says is added to who asks."""

    def __init__(self, dim, heads):
        super().__init__()
        if positive("dim", dim) % positive("heads", heads):
            raise ValueError(f"dim is {dim}; expected a multiple of heads, {heads}")
        self.heads, self.norm = heads, nn.LayerNorm(dim)
        self.query, self.key_value = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.output = nn.Linear(dim, dim)

    def forward(self, x, source, visible):
        B, Q, D = x.shape
        shape = B, -1, self.heads, D // self.heads
        q = self.query(self.norm(x)).view(shape).transpose(1, 2)  # (B, H, Q, D / H)
        k, v = (
            part.reshape(shape).transpose(1, 2)
            for part in self.key_value(source).chunk(2, 2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=visible)
        return x + self.output(mixed.transpose(1, 2).reshape(B, Q, D))


class SparseMixture(nn.Module):
    """A feed-forward layer in which a few experts speak for a token: Eq. (2).

    All experts are computed, and those not chosen weigh nothing; a large model
    computes the chosen ones alone, with the same result.
    """

    def __init__(self, dim, experts, active):
        super().__init__()
        if positive("active", active) > positive("experts", experts):
            raise ValueError(f"active is {active}; expected at most experts, {experts}")
        self.active, self.norm = active, nn.LayerNorm(dim)
        bound = 1 / math.sqrt(dim)
        self.centres = nn.Parameter(torch.randn(experts, dim) * bound)
        into, out = torch.empty(2, experts, dim, 2 * dim).uniform_(-bound, bound)
        self.into, self.out = nn.Parameter(into), nn.Parameter(out.transpose(1, 2))

    def forward(self, x):
        y = self.norm(x)  # (B, Q, D)
        shares = (y @ self.centres.T).softmax(2)  # (B, Q, E)
        top = shares.topk(self.active, 2)
        gates = torch.zeros_like(shares).scatter(2, top.indices, top.values)
        hidden = torch.einsum("bqd,edh->bqeh", y, self.into).relu()
        said = torch.einsum("bqe,bqeh,ehd->bqd", gates.to(hidden), hidden, self.out)
        return x + said, gates


class OneRec(nn.Module):
    """An encoder reads the history, a decoder writes a list: Eqs. (1) to (4), and (10).

    A batch holds ``history`` ``(B, L)`` and ``list`` ``(B, S)``, int64 ids of items; 0
    is padding, at the end of a history, and a list has none. With preferences also
    ``pair_history`` ``(B, L)``, the codes ``better`` and ``worse`` ``(B, S, C)`` and
    what the reference gave them, ``reference_better`` and ``reference_worse`` ``(B,)``.

    Parameters
    ----------
    words : Tensor
        ``(I, C)`` int64, the codes of every item, from 0; those of id 0 are not used.
    dim, heads : int
        Width ``D``, and attention heads (one layer on either side).
    size, length : int
        Items ``S`` of a list (the paper: 5); longest history.
    experts, active : int
        Experts of the decoder, and how many speak for a token (the paper: 24, 2).
    listwise : bool
        The decoder sees the items before; without, each item is written on its own.
    beta, weight : float
        Of the preference loss: how far to go from the reference, and its share.
    """

    def __init__(
        self,
        words,
        dim=32,
        size=5,
        length=20,
        heads=2,
        experts=4,
        active=2,
        listwise=True,
        beta=0.1,
        weight=1.0,
    ):
        super().__init__()
        if words.ndim != 2 or words.dtype != torch.int64 or words.min() < 0:
            raise ValueError(
                f"words has shape {tuple(words.shape)} and dtype {words.dtype}; "
                "expected (I, C) int64 codes, from 0"
            )
        if not 0 < beta < math.inf or not 0 <= weight < math.inf:
            raise ValueError(
                f"beta is {beta} and weight {weight}; expected finite numbers, beta "
                "above 0 and weight at least 0"
            )
        C, K = words.shape[1], int(words.max()) + 1
        self.size, self.listwise = positive("size", size), listwise
        self.beta, self.weight = beta, weight
        owner = torch.zeros((K,) * C, dtype=torch.int64)
        for item in range(len(words) - 1, 0, -1):  # the first of those that share it
            owner[tuple(words[item])] = item
        self.register_buffer("words", words, persistent=False)
        self.register_buffer("owner", owner, persistent=False)
        self.register_buffer("shift", K * torch.arange(C), persistent=False)
        self.codes = nn.Embedding(C * K + 1, dim)  # the last one begins an item
        self.past = nn.Parameter(0.1 * torch.randn(positive("length", length), dim))
        self.places = nn.Parameter(0.1 * torch.randn(size * (C + 1), dim))
        self.read = Attention(dim, heads)
        self.steps = nn.Sequential(
            *(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim)),
            *(nn.ReLU(), nn.Linear(2 * dim, dim)),
        )
        self.own, self.cross = Attention(dim, heads), Attention(dim, heads)
        self.mixture = SparseMixture(dim, experts, active)
        self.memory_norm, self.norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.output = nn.Parameter(torch.randn(C, K, dim) / math.sqrt(dim))
        with torch.no_grad():
            self.codes.weight.mul_(0.3)

    def encode(self, history):
        """Vectors of the past items ``(B, L, D)``, and which are real."""
        check_ids("history", history, 2, len(self.words))
        L, most = history.shape[1], len(self.past)
        if most < L:
            raise ValueError(f"history has {L} items; this model takes {most} at most")
        real = history > 0
        if happens(~real.any(1)):
            row = int((~real.any(1)).nonzero()[0])
            raise ValueError(f"history has nothing but padding in row {row}")
        visible = real[:, None, None]  # (B, 1, 1, L)
        x = self.codes(self.words[history] + self.shift).sum(2) + self.past[:L]
        x = self.read(x, self.read.norm(x), visible)
        return self.memory_norm(x + self.steps(x)), visible

    def decode(self, memory, visible, codes, only=None):
        """States ``(N, Q, D)`` of the tokens of lists, or of the token `only`.

        `codes` is ``(N, S, C)``; several lists of one row of the memory lie together.
        """
        N, S, C = codes.shape
        begin = self.codes.weight[-1].expand(N, S, 1, -1)
        x = torch.cat([begin, self.codes(codes + self.shift)], 2).flatten(1, 2)
        place = torch.arange(x.shape[1], device=x.device)  # Eq. (3)
        before = place[:, None] >= place
        if not self.listwise:
            before = before & (place[:, None] // (C + 1) == place // (C + 1))
            place = place % (C + 1)
        x = x + self.places[place]
        source = self.own.norm(x)
        if only is not None:
            x, before = x[:, only : only + 1], before[only : only + 1]
        x = self.own(x, source, before)
        B = memory.shape[0]
        x = self.cross(x.reshape(B, -1, x.shape[2]), memory, visible).view(x.shape)
        x, gates = self.mixture(x)
        return self.norm(x), gates

    def inside(self, history, codes):
        B, S, C = codes.shape
        states, gates = self.decode(*self.encode(history), codes)
        states = states.view(B, S, C + 1, -1)[:, :, :C]  # each foretells the next code
        return Inside(torch.einsum("bscd,ckd->bsck", states, self.output), gates)

    def explain(self, batch):
        items = batch["list"]
        check_ids("list", items, 2, len(self.words), lowest=1)
        shape = batch["history"].shape[0], self.size
        if items.shape != shape:
            raise ValueError(
                f"list has shape {tuple(items.shape)}; expected {shape}, a row for "
                "each history"
            )
        return self.inside(batch["history"], self.words[items])

    def forward(self, batch):
        return self.explain(batch).logits  # (B, S, C, K)

    def log_prob(self, history, codes):
        """The log-probability of whole lists, a sum over their codes: ``(B,)``."""
        logits = self.inside(history, codes).logits.log_softmax(3)
        return logits.gather(3, codes.unsqueeze(3)).sum((1, 2, 3))

    def loss(self, batch):
        codes = self.words[batch["list"]].flatten()
        loss = F.cross_entropy(self(batch).flatten(0, 2), codes)  # Eq. (4), a mean
        if self.weight and "better" in batch:
            gains = [
                self.log_prob(batch["pair_history"], batch[one])
                - batch[f"reference_{one}"]
                for one in ("better", "worse")
            ]
            loss = loss + self.weight * dpo_loss(*gains, self.beta)  # Eq. (10)
        return loss

    def next_code(self, memory, visible, codes, place, level):
        """Logits ``(N, K)`` of one code, after all that stands before it."""
        token = place * (codes.shape[2] + 1) + level
        state, _ = self.decode(memory, visible, codes[:, : place + 1], token)
        return state[:, 0] @ self.output[level].T

    @torch.no_grad()
    def sample(self, history, n, generator=None):
        """Codes of `n` lists for each row, drawn code by code: ``(B, N, S, C)``."""
        memory, visible = self.encode(history)
        B, C = len(history), self.words.shape[1]
        codes = history.new_zeros(B * positive("n", n), self.size, C)
        for place in range(self.size):
            for level in range(C):
                logits = self.next_code(memory, visible, codes, place, level)
                drawn = torch.multinomial(logits.softmax(1), 1, generator=generator)
                codes[:, place, level] = drawn[:, 0]
        return codes.view(B, n, self.size, C)

    @torch.no_grad()
    def beam(self, history, n):
        """The `n` likeliest lists that a beam of `n` finds, best first: Eq. (8).

        Their codes ``(B, N, S, C)``, and log-probabilities ``(B, N)``.
        """
        memory, visible = self.encode(history)
        B, (C, K) = len(history), self.output.shape[:2]
        codes, total = history.new_zeros(B, 1, self.size, C), memory.new_zeros(B, 1)
        positive("n", n)
        for place in range(self.size):
            for level in range(C):
                flat = codes.flatten(0, 1)
                logits = self.next_code(memory, visible, flat, place, level)
                grown = total[:, :, None] + logits.log_softmax(1).view(B, -1, K)
                total, best = grown.flatten(1).topk(min(n, grown[0].numel()), 1)
                kept = (best // K)[:, :, None, None].expand(-1, -1, self.size, C)
                codes = codes.gather(1, kept).clone()
                codes[:, :, place, level] = best % K
        return codes, total

    def items(self, codes):
        """Items of codes ``(..., C)``; 0 for a word that belongs to no item."""
        return self.owner[codes.unbind(-1)]


def dpo_loss(better: Tensor, worse: Tensor, beta: float) -> Tensor:
    """Eq. (10), from the log-ratios to the reference of either list, ``(B,)`` each."""
    return F.softplus(-beta * (better - worse)).mean()


def best_and_worst(codes: Tensor, rewards: Tensor) -> tuple[Tensor, Tensor]:
    """Of the lists ``(B, N, S, C)`` of a row those with most and least reward."""
    if rewards.shape != codes.shape[:2] or codes.shape[1] < 2:
        raise ValueError(
            f"rewards has shape {tuple(rewards.shape)} and codes {tuple(codes.shape)}; "
            "expected (B, N) and (B, N, S, C), two lists of a row or more"
        )
    rows = torch.arange(len(codes), device=codes.device)
    return codes[rows, rewards.argmax(1)], codes[rows, rewards.argmin(1)]


class RewardModel(nn.Module):
    """What a whole list is worth to a user, a logit for each target: Eqs. (5) to (7).

    A batch holds ``history`` ``(B, L)`` and ``list`` ``(B, S)``, int64 ids of items, 0
    for padding and for an empty place; for `loss` also ``labels`` ``(B, T)``.

    Parameters
    ----------
    content : Tensor
        ``(I, F)`` floats, what is known of each item; row 0 is not used.
    targets, dim, heads : int
        Number ``T`` of targets; width; attention heads.
    """

    def __init__(self, content, targets=2, dim=16, heads=2):
        super().__init__()
        self.register_buffer("content", content, persistent=False)
        self.vectors = nn.Linear(content.shape[1], dim)
        self.user, self.attend = nn.Linear(dim, dim), Attention(dim, heads)
        self.towers = Towers(targets, dim, dim)
        self.targets = targets

    def forward(self, batch):
        history, items = batch["history"], batch["list"]
        check_ids("history", history, 2, len(self.content))
        check_ids("list", items, 2, len(self.content))
        seen, real = history > 0, items > 0
        if happens(~seen.any(1)):
            row = int((~seen.any(1)).nonzero()[0])
            raise ValueError(f"history has nothing but padding in row {row}")
        v = self.vectors(self.content)  # (I, D)
        past = (v[history] * seen[:, :, None]).sum(1) / seen.sum(1, keepdim=True)
        e = v[items] * self.user(past).unsqueeze(1)  # (B, S, D), Eq. (5)
        visible = real | ~real.any(1, keepdim=True)  # a softmax needs one entry
        e = self.attend(e, self.attend.norm(e), visible[:, None, None])  # Eq. (6)
        total = (e * real[:, :, None]).sum(1, keepdim=True)  # (B, 1, D)
        return self.towers(total.expand(-1, self.targets, -1))  # (B, T), Eq. (7)

    def loss(self, batch):
        logits = self(batch)
        labels = check_labels("labels", batch["labels"], tuple(logits.shape))
        return F.binary_cross_entropy_with_logits(logits, labels)
