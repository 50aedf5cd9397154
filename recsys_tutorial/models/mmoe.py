"""Shared bottom, one-gate mixture (OMoE) and multi-gate mixture of experts (MMoE).

Ma et al., "Modeling Task Relationships in Multi-task Learning with Multi-gate
Mixture-of-Experts", KDD 2018. Dimension letters: ``B`` batch, ``D`` input width,
``E`` experts, ``T`` tasks, ``H`` hidden units of an expert.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import Towers, check_labels, check_matrix, positive


class SharedBottom(nn.Module):
    """Eq. (1): one bottom network for all tasks, one tower for each.

    With ``n_tasks=1`` it is the single-task model. Parameters as in `MMoE`.
    """

    def __init__(
        self,
        inputs,
        n_tasks,
        units=128,
        tower_units=8,
        criterion=F.binary_cross_entropy_with_logits,
    ):
        super().__init__()
        self.inputs, self.n_tasks = inputs, positive("n_tasks", n_tasks)
        self.bottom = nn.Linear(inputs.out_features, positive("units", units))
        self.towers = Towers(n_tasks, units, tower_units)
        self.criterion = criterion

    def forward(self, batch):
        h = self.bottom(self.inputs(batch["features"])).relu()  # (B, H)
        return self.towers(h.unsqueeze(1).expand(-1, self.n_tasks, -1))  # (B, T)

    def loss(self, batch):
        return sum_over_tasks(self.criterion, self(batch), batch["labels"])


class Experts(nn.Module):
    """The f_i of Eq. (5): E one-layer ReLU networks, computed in a single product."""

    def __init__(self, width, n_experts, units):
        super().__init__()
        self.n_experts = positive("n_experts", n_experts)
        if n_experts > 1024:
            raise ValueError(f"n_experts is {n_experts}; expected at most 1024")
        self.linear = nn.Linear(width, n_experts * positive("units", units))

    def forward(self, x):
        return self.linear(x).relu().unflatten(1, (self.n_experts, -1))  # (B, E, H)


class Gates(nn.Module):
    """The g^k of Eq. (8): softmax(W_gk x), a linear map of the input, no bias."""

    def __init__(self, width, n_gates, n_experts):
        super().__init__()
        self.n_gates = n_gates
        self.linear = nn.Linear(width, n_gates * n_experts, bias=False)

    def forward(self, x):
        return self.linear(x).unflatten(1, (self.n_gates, -1)).softmax(-1)  # (B, T, E)


class Inside(NamedTuple):
    """What `MMoE.explain` returns."""

    gates: Tensor  # (B, T, E), each row sums to one
    experts: Tensor  # (B, E, H)
    mixed: Tensor  # (B, T, H), the f^k(x) of Eq. (7)


class MMoE(nn.Module):
    """Eqs. (6)-(8): every task mixes the same experts with a gate of its own.

    Parameters
    ----------
    inputs : nn.Module
        Maps ``batch["features"]`` to ``(B, D)`` and has ``out_features``.
    n_tasks, n_experts, expert_units, tower_units : int
        Sizes; the defaults are the paper's (8 experts of 16, towers of 8).
    shared_gate : bool
        One gate for all tasks: the OMoE of the paper.
    criterion : callable
        Loss of one prediction, `F.mse_loss` for regression.
    """

    def __init__(
        self,
        inputs,
        n_tasks,
        n_experts=8,
        expert_units=16,
        tower_units=8,
        shared_gate=False,
        criterion=F.binary_cross_entropy_with_logits,
    ):
        super().__init__()
        self.inputs, self.n_tasks = inputs, positive("n_tasks", n_tasks)
        width = inputs.out_features
        self.experts = Experts(width, n_experts, expert_units)
        self.gates = Gates(width, 1 if shared_gate else n_tasks, n_experts)
        self.towers = Towers(n_tasks, expert_units, tower_units)
        self.criterion = criterion

    def explain(self, batch):
        x = self.inputs(batch["features"])  # (B, D)
        experts = self.experts(x)  # (B, E, H)
        gates = self.gates(x).expand(-1, self.n_tasks, -1)  # (B, T, E)
        mixed = (gates.unsqueeze(-1) * experts.unsqueeze(1)).sum(2)  # (B, T, H)
        return Inside(gates, experts, mixed)

    def forward(self, batch):
        return self.towers(self.explain(batch).mixed)  # (B, T)

    def loss(self, batch):
        return sum_over_tasks(self.criterion, self(batch), batch["labels"])


def sum_over_tasks(criterion, predictions, labels):
    """Sum of the tasks' mean losses; labels ``(B, T)`` floats, see `check_targets`."""
    check_targets(criterion, labels, predictions.shape)
    return criterion(predictions, labels, reduction="none").mean(0).sum()


def check_targets(criterion, labels, shape):
    """Raise ValueError unless `labels` ``(B, T)`` are what the criterion takes.

    Any floats, and from 0 to 1 for `F.binary_cross_entropy_with_logits`, also as a
    `functools.partial` of it.
    """
    if getattr(criterion, "func", criterion) is F.binary_cross_entropy_with_logits:
        check_labels("labels", labels, shape)
    else:
        check_matrix("labels", labels, shape[1], floating=True)
