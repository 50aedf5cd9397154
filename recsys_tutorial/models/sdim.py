"""Sampling-based deep interest modelling (SDIM): the collisions of a hash as attention.

Cao et al., "Sampling Is All You Need on Modeling Long-Term User Behaviors for CTR
Prediction", CIKM 2022. Dimension letters: ``B`` batch, ``L`` length of the long
history, ``S`` of the recent one, ``D`` width of an item's embedding, ``R`` signatures
of ``tau`` bits each, ``I`` items.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_labels, positive
from recsys_tutorial.models.din import MLP, check_batch
from recsys_tutorial.models.eta import TargetAttention


def collision_rate(cosine: Tensor, bits: int) -> Tensor:
    """How probable it is that two vectors at this cosine share a signature.

    ``(1 - theta / pi) ** tau``: each of the `bits` is the side of a random plane, on
    which both lie with probability ``1 - theta / pi``, and all have to agree.
    """
    theta = cosine.clamp(-1, 1).arccos()
    return (1 - theta / math.pi) ** positive("bits", bits)


class BucketAttention(nn.Module):
    """The steps whose signature is the candidate's are added up, for each signature.

    No ranking, no K, no weights to learn: before it is brought to length 1, the sum
    over the signatures weighs a step by the share of them in which it collides. But
    each signature's sum is brought to length 1 first, then they are averaged: that has
    no closed form. The planes are drawn once and stay; no gradient passes the
    signatures, and it reaches the steps through the sums.

    Parameters
    ----------
    width : int
        ``D``.
    rounds, bits : int
        ``R`` signatures of ``tau`` bits.
    seed : int
        Draws the planes.
    """

    def __init__(self, width, rounds=16, bits=3, seed=0):
        super().__init__()
        shape = positive("width", width), positive("rounds", rounds) * bits
        positive("bits", bits)
        draw = torch.Generator().manual_seed(seed)
        self.register_buffer("planes", torch.randn(shape, generator=draw))
        self.register_buffer("powers", 2 ** torch.arange(bits), persistent=False)
        self.rounds = rounds

    def signatures(self, embeddings):
        """``(..., D)`` -> ``(..., R)`` int64 from 0 to ``2 ** tau - 1``."""
        sides = (embeddings @ self.planes > 0).unflatten(-1, (self.rounds, -1))
        return (sides * self.powers).sum(-1)

    def forward(self, steps, candidate, same):
        """Answer ``(B, D)`` from `steps` (B, L, D) and collisions `same` (B, L, R)."""
        sums = torch.einsum("blr,bld->brd", same.to(steps.dtype), steps)
        return F.normalize(sums, dim=2, eps=1e-6).mean(1)


class Gathering(NamedTuple):
    """What `SDIM.explain` returns."""

    weights: Tensor  # (B, L), the share of signatures in which a step collides; of the
    # plain sums these are the weights, of `long` they are not: its sums have length 1
    long: Tensor  # (B, D), the long-term interest
    short: Tensor  # (B, D), the short-term interest
    candidate: Tensor  # (B, D)


class SDIM(nn.Module):
    """Buckets for the long history, target attention for the recent steps.

    A batch is that of `ETA`: ``history`` ``(B, S)``, ``long`` ``(B, L)`` and
    ``candidate`` ``(B,)``, int64 ids, 0 for padding; for `loss` a ``label`` ``(B,)``.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    rounds, bits : int
        ``R`` signatures of ``tau`` bits.
    heads : int
        Of the attention to the recent steps.
    units : tuple of int
        Widths of the two hidden layers of the MLP.
    seed : int
        Draws the planes.
    """

    def __init__(self, items, rounds=16, bits=3, heads=2, units=(80, 40), seed=0):
        super().__init__()
        self.items, width = items, items.out_features
        self.hash = BucketAttention(width, rounds, bits, seed)
        self.short = TargetAttention(width, heads)
        self.head = MLP(3 * width, units)

    def explain(self, batch):
        check_batch(batch, len(self.items.ids))
        check_batch(batch | {"history": batch["long"]}, len(self.items.ids))
        table = self.items()  # (I, D)
        ids = batch["long"], batch["history"], batch["candidate"]
        steps, recent, candidate = (F.embedding(i, table) for i in ids)
        with torch.no_grad():
            own = self.hash.signatures(table)  # (I, R), once per item
            here, asked = (F.embedding(i, own) for i in (ids[0], ids[2]))
            same = (here == asked.unsqueeze(1)) & (ids[0] > 0).unsqueeze(2)  # (B, L, R)
        long = self.hash(steps, candidate, same)
        _, short = self.short(recent, candidate, ids[1] > 0)
        return Gathering(same.to(steps.dtype).mean(2), long, short, candidate)

    def forward(self, batch):
        inside = self.explain(batch)
        x = torch.cat([inside.long, inside.short, inside.candidate], 1)
        return self.head(x).squeeze(1)  # (B,)

    def loss(self, batch):
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        return F.binary_cross_entropy_with_logits(logits, label)
