"""End-to-end target attention (ETA): a search by hash codes of the embeddings in use.

Chen et al., "End-to-End User Behavior Retrieval in Click-Through Rate Prediction
Model", arXiv:2108.04468, 2021. Dimension letters: ``B`` batch, ``L`` length of the long
history, ``S`` of the recent one, ``D`` width of an item's embedding, ``K`` steps found,
``H`` heads, ``I`` items; ``m`` bits of a code, in ``W`` words of 64.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_labels, positive
from recsys_tutorial.models.din import MLP, check_batch
from recsys_tutorial.models.sim import top_k


def pack(bits: Tensor) -> Tensor:
    """Codes as they are stored, 64 bits to a word.

    Parameters
    ----------
    bits : Tensor
        ``(..., m)`` bools.

    Returns
    -------
    Tensor
        ``(..., W)`` int64, W = m / 64 rounded up; what is left of a word is 0.
    """
    if bits.dtype != torch.bool or not bits.ndim:
        raise ValueError(
            f"bits has shape {tuple(bits.shape)} and dtype {bits.dtype}; expected "
            "(..., m) of torch.bool"
        )
    bits = F.pad(bits, (0, -bits.shape[-1] % 64))
    if numpy_serves(bits):
        return torch.from_numpy(np.packbits(bits.numpy(), axis=-1)).view(torch.int64)
    place = torch.arange(64, device=bits.device) ^ 7  # the byte's highest first
    return (bits.unflatten(-1, (-1, 64)).long() << place).sum(-1)


def hamming(a: Tensor, b: Tensor) -> Tensor:
    """In how many bits packed codes differ: XOR, and a count of the ones.

    Parameters
    ----------
    a, b : Tensor
        ``(..., W)`` int64, as `pack` gives them; what stands before W is broadcast.

    Returns
    -------
    LongTensor
        ``(...)``, from 0 to m.
    """
    for name, codes in (("a", a), ("b", b)):
        if codes.dtype != torch.int64 or codes.shape[-1:] != a.shape[-1:]:
            raise ValueError(
                f"{name} has shape {tuple(codes.shape)} and dtype {codes.dtype}; "
                f"expected (..., {a.shape[-1]}) of torch.int64"
            )
    return count_ones(a ^ b).sum(-1)


def count_ones(words: Tensor) -> Tensor:
    """How many bits of each int64 are 1; without numpy by sums of neighbouring bits."""
    if numpy_serves(words):
        unsigned = words.numpy().view(np.uint64)  # of a negative int64 it counts |x|
        return torch.from_numpy(np.bitwise_count(unsigned))
    twos = words - (words >> 1 & 0x5555555555555555)
    fours = (twos & 0x3333333333333333) + (twos >> 2 & 0x3333333333333333)
    bytes_ = fours + (fours >> 4) & 0x0F0F0F0F0F0F0F0F
    return bytes_ * 0x0101010101010101 >> 56  # the highest byte: the sum of all eight


def numpy_serves(x: Tensor) -> bool:
    """Whether numpy can compute with `x`: on the CPU, and no compiler is at work."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


class HashSearch(nn.Module):
    """Algorithm 1, SimHash: the steps whose codes differ least from the candidate's.

    A bit says on which side of a random plane through 0 an embedding lies; embeddings
    at the angle theta differ in a share ``theta / pi`` of their bits, on average. The
    planes are drawn once and stay: they are a buffer, and no gradient passes the codes.
    Of steps at one distance the later is found first (not in the paper).

    Parameters
    ----------
    width : int
        ``D``.
    bits : int
        ``m``; the paper sees little gain beyond twice the width.
    seed : int
        Draws the planes.
    """

    def __init__(self, width, bits=64, seed=0):
        super().__init__()
        shape = positive("width", width), positive("bits", bits)
        draw = torch.Generator().manual_seed(seed)
        self.register_buffer("planes", torch.randn(shape, generator=draw))  # (D, m)

    def codes(self, embeddings):
        return pack(embeddings @ self.planes > 0)  # (..., D) -> (..., W)

    def compare(self, steps, candidate):
        distance = hamming(steps, candidate.unsqueeze(1))  # (B, L, W) -> (B, L)
        L = distance.shape[1]
        later = torch.arange(L, device=distance.device) / L
        return later - distance  # the smallest distance scores highest

    def forward(self, ids, candidate_ids, history, candidate):
        """The same as a `search` of `SIM`."""
        return self.compare(self.codes(history), self.codes(candidate)), ids > 0


class TargetAttention(nn.Module):
    """Eqs. (4)-(9): the candidate asks, each head answers with a mean of the steps.

    ``softmax(Q K^T / sqrt(d)) V`` with Q from the candidate, K and V from the steps, d
    the width of a head; the heads stand side by side. Where there is no step the
    answer is zero (not in the paper).
    """

    def __init__(self, width, heads=2):
        super().__init__()
        if width % positive("heads", heads):
            raise ValueError(f"heads is {heads}; expected a divisor of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, steps, candidate, mask):
        B, K, D = steps.shape
        q = self.query(candidate).view(B, self.heads, -1)  # (B, H, d)
        k, v = (f(steps).view(B, K, self.heads, -1) for f in (self.key, self.value))
        scores = torch.einsum("bhd,bkhd->bhk", q, k) / math.sqrt(D // self.heads)
        here = mask.unsqueeze(1)  # (B, 1, K)
        least = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~here, least).softmax(-1) * here  # (B, H, K)
        return weights, torch.einsum("bhk,bkhd->bhd", weights, v).flatten(1)  # (B, D)


class Inside(NamedTuple):
    """What `ETA.explain` returns."""

    scores: Tensor  # (B, L), of the search: minus the distance, and a part of 1 on top
    found: Tensor  # (B, K), positions in the long history, best first
    real: Tensor  # (B, K), bool: False where the history has fewer than K steps
    weights: Tensor  # (B, H, K), of the attention over what was found
    long: Tensor  # (B, D), the long-term interest
    short: Tensor  # (B, D), the short-term interest
    candidate: Tensor  # (B, D)


class ETA(nn.Module):
    """Search by codes, target attention on what is found and on the recent steps.

    A batch holds ``history`` ``(B, S)``, the recent steps, ``long`` ``(B, L)``, the
    steps before those, oldest first, and ``candidate`` ``(B,)``: int64 ids of items, 0
    for padding; for `loss` also a ``label`` ``(B,)`` of floats.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    k, bits, heads : int
        ``K`` steps to find, ``m`` bits of a code, ``H`` heads.
    units : tuple of int
        Widths of the two hidden layers of the MLP.
    seed : int
        Draws the planes.
    """

    def __init__(self, items, k=20, bits=64, heads=2, units=(80, 40), seed=0):
        super().__init__()
        self.items, self.k, width = items, positive("k", k), items.out_features
        self.hash = HashSearch(width, bits, seed)
        self.long = TargetAttention(width, heads)
        self.short = TargetAttention(width, heads)
        self.head = MLP(3 * width, units)

    def search(self, table, batch):
        """Scores ``(B, L)`` by the codes of the table (I, D) as it is now."""
        codes = self.hash.codes(table)  # (I, W), once per item, however many steps
        steps, candidate = (F.embedding(batch[k], codes) for k in ("long", "candidate"))
        return self.hash.compare(steps, candidate)

    def explain(self, batch):
        check_batch(batch, len(self.items.ids))
        check_batch(batch | {"history": batch["long"]}, len(self.items.ids))
        table = self.items()  # (I, D)
        with torch.no_grad():
            scores = self.search(table, batch)  # (B, L)
        found, real = top_k(scores, batch["long"] > 0, self.k)  # (B, K)
        ids = batch["long"].gather(1, found), batch["history"], batch["candidate"]
        steps, recent, candidate = (F.embedding(i, table) for i in ids)
        weights, long = self.long(steps, candidate, real)
        _, short = self.short(recent, candidate, batch["history"] > 0)
        return Inside(scores, found, real, weights, long, short, candidate)

    def forward(self, batch):
        inside = self.explain(batch)
        x = torch.cat([inside.long, inside.short, inside.candidate], 1)
        return self.head(x).squeeze(1)  # (B,)

    def loss(self, batch):
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        return F.binary_cross_entropy_with_logits(logits, label)
