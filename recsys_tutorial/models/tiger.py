"""TIGER: the word of the next item is spelt, letter by letter.

Rajput et al., "Recommender Systems with Generative Retrieval", NeurIPS 2023, Section
3.2. The words come from `semantic_ids`. Two things differ from the paper: an item of
the history is one step, the sum of its letters, and not one step for each letter; and
the encoder looks back only, so that one pass trains the next item after every step.
There is no token for the user. Dimension letters: ``B`` batch, ``L`` history length,
``D`` embedding, ``H`` heads, ``I`` items (padding included), ``T`` letters of a word,
``V`` letters to choose from, ``N`` beginnings of words, ``K`` beams.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import StackedLinear, check_ids, happens, positive
from recsys_tutorial.models.sasrec import Block

PADDING, START = 0, 1  # rows of the table of letters; those of the letters follow
LEVEL = "beginnings", "which"  # names of what `_levels` gives, with the level behind


class Decoder(nn.Module):
    """Letters look at the letters before them, then at the history, then inside.

    Parameters
    ----------
    dim, heads : int
        Width ``D`` and number ``H`` of attention heads.
    dropout : float
        Of what is added.
    """

    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.query, self.memory = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim)
        self.outputs = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2))
        self.steps = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def split(self, x, parts):
        x = x.unflatten(-1, (parts, self.heads, -1))  # (..., n, parts, H, D / H)
        return x.movedim(-3, 0).transpose(-2, -3)  # (parts, ..., H, n, D / H)

    def look(self, q, k, v, visible):
        logits = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        attention = logits.masked_fill(~visible, -torch.inf).softmax(-1)
        return (attention @ v).transpose(-2, -3).flatten(-2), attention

    def read(self, x):
        """Letters ``(..., T, D)`` look back at one another; the same shape."""
        T = x.shape[-2]
        before = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
        mixed, _ = self.look(*self.split(self.qkv(x), 3), before)
        return self.norms[0](x + self.dropout(self.outputs[0](mixed)))

    def forward(self, x, memory, visible):
        """Letters ``(B or 1, N, D)`` look at ``(B, L, D)``; also the attention."""
        q, (k, v) = self.split(self.query(x), 1)[0], self.split(self.memory(memory), 2)
        mixed, attention = self.look(q, k, v, visible[:, None])  # (B, N, D)
        x = self.norms[1](x + self.dropout(self.outputs[1](mixed)))
        return self.norms[2](x + self.dropout(self.steps(x))), attention


class Inside(NamedTuple):
    """What `TIGER.explain` returns."""

    states: Tensor  # (B, L, D), what is known after each step; 0 at padding
    attention: Tensor  # (B, H, L), at which steps the first letter looks
    first: Tensor  # (B, V), log-probabilities of the first letter


class Beams(NamedTuple):
    """What `TIGER.beam_search` returns, the most probable first."""

    words: Tensor  # (B, K, T)
    log_probability: Tensor  # (B, K); minus infinity where there is no further word
    items: Tensor  # (B, K), 0 where the word is nobody's


class TIGER(nn.Module):
    """An encoder of the history, and a decoder that spells the next item's word.

    A batch holds ``history`` ``(B, L)``, int64 ids of items, oldest first, with the
    padding **in front**. For `loss` also ``target`` ``(B, L)``, what came next at each
    step, 0 for none.

    Parameters
    ----------
    words : LongTensor
        ``(I, T)`` letters from 0, all words different; row 0 is padding, -1.
    dim, length, heads : int
        Width of an embedding, longest history, attention heads.
    dropout : float
        Of what is embedded and inside encoder and decoder.
    """

    def __init__(self, words, dim=32, length=20, heads=2, dropout=0.2):
        super().__init__()
        _check_words(words)
        if positive("dim", dim) % positive("heads", heads):
            raise ValueError(f"dim is {dim}; expected a multiple of heads, {heads}")
        self.V, T = int(words.max()) + 1, words.shape[1]
        if self.V**T >= 2**63:
            raise ValueError(f"words of {T} letters out of {self.V} are too many")
        self.register_buffer("words", words)
        self.register_buffer("offsets", 2 + self.V * torch.arange(T))  # (T,)
        for t, level in enumerate(_levels(words[1:])):
            for name, table in zip(LEVEL, level, strict=True):
                self.register_buffer(f"{name}{t}", table)
        self.letters = nn.Embedding(2 + T * self.V, dim, padding_idx=PADDING)
        self.steps = nn.Embedding(positive("length", length), dim)
        self.places = nn.Embedding(T, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.encoder = Block(dim, heads, dropout)
        self.decoder = Decoder(dim, heads, dropout)
        self.outputs = StackedLinear(T, dim, self.V)
        with torch.no_grad():
            for table in (self.letters, self.steps, self.places):
                table.weight.mul_(0.02)  # as in SASRec

    def embed(self, words):
        """Letters ``(..., t)`` -> ``(..., t, D)``; a row of -1 is padding: zeros."""
        rows = words + self.offsets[: words.shape[-1]]
        return self.letters(rows.masked_fill(words < 0, PADDING))

    def read(self, history):
        """States ``(B, L, D)`` after each step; what each may see, ``(B, L, L)``."""
        check_ids("history", history, 2, len(self.words))
        L, most = history.shape[1], len(self.steps.weight)
        if most < L:
            raise ValueError(f"history has {L} steps; this model takes {most} at most")
        real = history > 0  # (B, L)
        x = self.embed(self.words[history]).sum(2) + self.steps.weight[most - L :]
        x = self.dropout(self.norms[0](x))  # (B, L, D)
        before = real.new_ones(L, L).tril()
        visible = before & real[:, None]  # (B, L, L)
        visible = visible | (before & before.T)  # itself: a softmax needs one entry
        x, _ = self.encoder(x, visible[:, None])
        return x * real[:, :, None], visible

    def begin(self, beginnings):
        """What is known after 0 to t letters of ``(..., t)``: ``(..., t + 1, D)``."""
        start = self.letters.weight[START].expand(*beginnings.shape[:-1], 1, -1)
        x = torch.cat([start, self.embed(beginnings)], -2)
        x = x + self.places.weight[: x.shape[-2]]
        return self.decoder.read(self.dropout(self.norms[1](x)))

    def loss(self, batch):
        """Cross-entropy of all letters of a word, the true ones before it given."""
        target, (memory, visible) = batch["target"], self.read(batch["history"])
        check_ids("target", target, 2, len(self.words))
        there = target > 0
        if target.shape != memory.shape[:2] or not there.any():
            raise ValueError(
                f"target has shape {tuple(target.shape)}; expected that of history, "
                f"{tuple(memory.shape[:2])}, and an item somewhere"
            )
        T = self.words.shape[1]
        paths, which = (getattr(self, f"{name}{T - 1}") for name in LEVEL)
        x = self.begin(paths)[which[target - 1]]  # each path once: (B, L, T, D)
        x, _ = self.decoder(x.flatten(1, 2), memory, visible.repeat_interleave(T, 1))
        logits = self.outputs(x.unflatten(1, (-1, T))[there])  # (S, T, V)
        word = self.words[target[there]]  # (S, T)
        return T * F.cross_entropy(logits.flatten(0, 1), word.flatten())

    def next_letter(self, memory, real, beginnings):
        """Log-probabilities ``(B, N, V)`` after each of ``(B or 1, N, t)`` letters."""
        t = beginnings.shape[-1]
        x = self.begin(beginnings)[..., -1, :]  # (B or 1, N, D)
        x, _ = self.decoder(x, memory, real[:, None])  # (B, N, D)
        logits = x @ self.outputs.weight[t] + self.outputs.bias[t]
        return logits.log_softmax(-1)

    def remember(self, history):
        """The memory that the decoder looks at, and which steps of it are real."""
        memory, _ = self.read(history)
        if happens(history[:, -1] == 0):
            raise ValueError("history ends with padding; expected padding in front")
        return memory, history > 0

    def log_probability(self, batch, words):
        """Of words ``(N, t)``, whole or not, each beginning worked out once: (B, N)."""
        memory, real = self.remember(batch["history"])
        return self._sum(memory, real, words, _levels(words))

    def forward(self, batch):
        """Log-probabilities of all items ``(B, I)``; minus infinity of the padding."""
        memory, real = self.remember(batch["history"])
        levels = (
            [getattr(self, f"{name}{t}") for name in LEVEL]
            for t in range(self.words.shape[1])
        )
        scores = self._sum(memory, real, self.words[1:], levels)
        return F.pad(scores, (1, 0), value=-torch.inf)

    def _sum(self, memory, real, words, levels):
        total = 0.0
        for t, (beginnings, which) in enumerate(levels):
            letters = self.next_letter(memory, real, beginnings[None])  # (B, N, V)
            total = total + letters.flatten(1)[:, which * self.V + words[:, t]]
        return total

    def explain(self, batch):
        memory, real = self.remember(batch["history"])
        none = self.words[None, :1, :0]  # no letter yet
        _, attention = self.decoder(self.begin(none)[:, :, 0], memory, real[:, None])
        first = self.next_letter(memory, real, none)  # (B, 1, V)
        return Inside(memory, attention[:, :, 0], first[:, 0])

    def number(self, words):
        """One number for each beginning ``(..., t)``."""
        total = torch.zeros_like(words[..., :1]).sum(-1)
        for letter in words.unbind(-1):
            total = total * self.V + letter
        return total

    def items_of(self, words):
        """Whose words ``(..., T)`` these are: ids, 0 where they are nobody's."""
        known, order = self.number(self.words[1:]).sort()
        asked = self.number(words)
        place = torch.searchsorted(known, asked).clamp(max=len(known) - 1)
        return torch.where(known[place] == asked, order[place] + 1, 0)

    @torch.no_grad()
    def beam_search(self, batch, k, constrained=True):
        """The `k` most probable words that keeping `k` beginnings at a time finds.

        Parameters
        ----------
        batch : dict
            ``history``.
        k : int
            Beams ``K``. All words are found if no level has more beginnings.
        constrained : bool
            Grow only what some item's word begins with: the prefix tree.
        """
        positive("k", k)
        memory, real = self.remember(batch["history"])
        words = self.words.new_zeros(len(memory), 1, 0)  # (B, K, t)
        total = memory.new_zeros(len(memory), 1)  # (B, K)
        for t in range(self.words.shape[1]):
            letters = self.next_letter(memory, real, words)  # (B, K, V)
            if constrained:
                grown = self.number(words)[..., None] * self.V
                grown = grown + torch.arange(self.V, device=grown.device)
                known = torch.isin(grown, self.number(self.words[1:, : t + 1]))
                letters = letters.masked_fill(~known, -torch.inf)
            grown = (total[..., None] + letters).flatten(1)
            total, best = grown.topk(min(k, grown.shape[1]), 1)
            parent = (best // self.V)[..., None].expand(-1, -1, t)
            words = torch.cat([words.gather(1, parent), best[..., None] % self.V], 2)
        items = self.items_of(words).masked_fill(total == -torch.inf, 0)
        return Beams(words, total, items)


def _levels(words):
    """For each letter: the different beginnings ``(N, t)``, and which each word has."""
    yield words[:1, :0], words.new_zeros(len(words))
    for t in range(1, words.shape[1]):
        yield torch.unique(words[:, :t], dim=0, return_inverse=True)


def _check_words(words):
    good = isinstance(words, Tensor) and words.ndim == 2 and words.dtype == torch.int64
    if not good or len(words) < 2 or (words[0] != -1).any() or (words[1:] < 0).any():
        raise ValueError(
            "words is not a tensor (I, T) of int64 letters from 0 with a first row of "
            "-1 for the padding; expected what `finish_words` gives"
        )
    _, counts = torch.unique(words, dim=0, return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f"words holds one word {int(counts.max())} times; expected all different: "
            "`finish_words` adds the letter that tells them apart"
        )
