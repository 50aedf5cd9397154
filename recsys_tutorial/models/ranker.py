"""DIN's attention below MMoE's experts: a small ranker of two goals.

Not of a paper: the attention is that of Zhou et al. 2018 (`din`), experts, gates and
towers are those of Ma et al. 2018 (`mmoe`). Dimension letters: ``B`` rows, ``L``
history length, ``D`` width of an item, ``F`` fields, ``T`` goals, ``E`` experts.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import FieldEmbedding, check_ids
from recsys_tutorial.models.din import ActivationUnit, check_batch
from recsys_tutorial.models.mmoe import MMoE


class Inside(NamedTuple):
    """What `Ranker.explain` returns."""

    attention: Tensor  # (B, L), the weight of each step; 0 at padding
    gates: Tensor  # (B, T, E), each row sums to one


class RankerInputs(nn.Module):
    """A request's row as one vector, ``(B, out_features)``.

    In it stand the history as the candidate sees it, the candidate, their product, and
    the fields.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    cardinalities : sequence of int
        Number of ids of each of the ``F`` fields, padding included.
    field_dim, attention_units : int
        Width of a field's embedding, hidden units of the attention.
    scale : float
        Multiplies the weights of the history, as in `BaseModel`.
    """

    def __init__(
        self, items, cardinalities, field_dim=8, attention_units=16, scale=1 / 50
    ):
        super().__init__()
        width = items.out_features
        self.items, self.scale = items, scale
        self.liked = nn.Parameter(0.1 * torch.randn(2, width))
        self.unit = ActivationUnit(width, attention_units)
        self.fields = FieldEmbedding(cardinalities, field_dim)
        self.out_features = 3 * width + self.fields.out_features

    def attend(self, batch):
        """The candidate (B, D), the history it sees (B, D), and the weights (B, L)."""
        check_batch(batch, len(self.items.ids))
        check_ids("liked", batch["liked"], 2, 3)
        table = self.items.table()  # (I, D)
        history = F.embedding(batch["history"], table, padding_idx=0)  # (B, L, D)
        kind = F.pad(self.liked, (0, 0, 1, 0))  # row 0, padding, is zero
        history = history + F.embedding(batch["liked"], kind)
        candidate = F.embedding(batch["candidate"], table, padding_idx=0)  # (B, D)
        mask = batch["history"] > 0  # (B, L)
        weights = self.unit(history, candidate, mask) * mask * self.scale
        return candidate, (weights.unsqueeze(1) @ history).squeeze(1), weights

    def forward(self, batch):
        candidate, user, _ = self.attend(batch)
        fields = self.fields(batch["fields"])
        return torch.cat([user, candidate, user * candidate, fields], 1)


class Ranker(nn.Module):
    """Logits of several goals for one candidate in each row.

    A batch holds what `RequestFeatures` gives: ``history`` and ``liked`` ``(B, L)``,
    ``candidate`` ``(B,)`` and ``fields`` ``(B, F)``, all int64; and for `loss` also
    ``labels`` ``(B, T)``, floats.

    Parameters
    ----------
    inputs : RankerInputs
        What makes a vector of a row.
    n_tasks, n_experts, expert_units, tower_units : int
        As in `MMoE`.
    """

    def __init__(self, inputs, n_tasks=2, n_experts=4, expert_units=32, tower_units=16):
        super().__init__()
        sizes = n_tasks, n_experts, expert_units, tower_units
        self.mmoe = MMoE(inputs, *sizes)

    def explain(self, batch):
        attention = self.mmoe.inputs.attend(batch)[2]
        return Inside(attention, self.mmoe.explain({"features": batch}).gates)

    def forward(self, batch):
        return self.mmoe({"features": batch})  # (B, T)

    def loss(self, batch):
        return self.mmoe.loss({"features": batch, "labels": batch["labels"]})
