"""DeepFM, a factorisation machine beside a network, on the same embeddings.

Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction",
IJCAI 2017. Dimension letters: ``B`` batch, ``F`` fields of the context, ``G`` fields of
the content, ``C`` columns of the content, ``D`` width of an embedding, ``I`` ids of
items, padding (id 0) included.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import (
    FieldEmbedding,
    check_ids,
    check_labels,
    check_matrix,
    positive,
)


class Parts(NamedTuple):
    """What `DeepFM.explain` returns; their sum is the logit."""

    linear: Tensor  # (B,), each embedding by itself
    pairs: Tensor  # (B,), the inner products of all pairs of embeddings
    deep: Tensor  # (B,), the network


class DeepFM(nn.Module):
    """DeepFM, made so that all it knows of an item's id is one embedding, phi.

    For this the linear part reads the embeddings; in the paper each id has one weight
    more. A batch holds ``item`` (B,) int64 ids from 1, ``features`` (B, F) int64 ids of
    the context (the user), and for `loss` a ``label`` (B,), floats of 0 and 1.

    Parameters
    ----------
    content : Tensor
        ``(I, C)`` floats, what is known of each item; a row of zeros is an item without
        content.
    groups : sequence of int
        Widths of the ``G`` fields that the columns of `content` form; they sum to C.
        Without any, the model does not see the content.
    cardinalities : sequence of int
        Number of ids of each field of the context, padding included.
    dim, units : int
        Width of an embedding, and of the hidden layer.
    """

    def __init__(self, content, groups, cardinalities, dim=16, units=32):
        super().__init__()
        self.groups = [positive("group", g) for g in groups]
        columns = sum(self.groups)
        check_matrix("content", content, columns or content.shape[-1], floating=True)
        self.register_buffer("content", content, persistent=False)
        self.items = nn.Embedding(len(content), positive("dim", dim), padding_idx=0)
        self.columns = nn.Parameter(0.1 * torch.randn(columns, dim))
        self.context = FieldEmbedding(cardinalities, dim)
        self.description_width = len(groups) * dim if groups else content.shape[1]
        width = (1 + len(groups)) * dim + self.context.out_features
        self.linear = nn.Linear(width, 1)
        self.hidden = nn.Linear(width, positive("units", units))
        self.output = nn.Linear(units, 1, bias=False)
        with torch.no_grad():  # every embedding starts small
            self.items.weight.mul_(0.1)
            self.context.table.mul_(0.1 * dim**0.5)

    def describe(self, items):
        """Embeddings of the content (B, G * D), or the content (B, C) if not seen."""
        content = self.content[items]  # (B, C)
        if not self.groups:
            return content
        fields = zip(
            content.split(self.groups, 1), self.columns.split(self.groups), strict=True
        )
        return torch.cat([x @ table for x, table in fields], 1)

    def explain(self, batch, phi=None):
        check_ids("item", batch["item"], 1, len(self.content), lowest=1)
        phi = self.items(batch["item"]) if phi is None else phi
        e = [phi, self.context(batch["features"])]
        if self.groups:
            e.append(self.describe(batch["item"]))
        e = torch.cat(e, 1)  # (B, (1 + F + G) * D)
        fields = e.unflatten(1, (-1, phi.shape[1]))  # (B, 1 + F + G, D)
        pairs = (fields.sum(1).square() - fields.square().sum(1)).sum(1) / 2
        deep = self.output(self.hidden(e).relu()).squeeze(1)
        return Parts(self.linear(e).squeeze(1), pairs, deep)

    def forward(self, batch, phi=None):
        """Logits (B,); with `phi` (B, D), as if these were the ids' embeddings."""
        return sum(self.explain(batch, phi))

    def loss(self, batch):
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        return F.binary_cross_entropy_with_logits(logits, label)
