"""Adaptive information transfer along a chain of conversions (AITM).

Xi et al., "Modeling the Sequential Dependence among Audience Multi-step Conversions
with Multi-task Learning in Targeted Display Advertising", KDD 2021. Equation numbers
are those of our chapter, not of the paper. Dimension letters: ``B`` batch, ``D`` input
width, ``T`` tasks, which are the steps of the chain, ``H`` width of a tower's output
(the paper's k).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import StackedLinear, positive
from recsys_tutorial.models.esmm import check_nested
from recsys_tutorial.models.mmoe import sum_over_tasks


class Transfer(nn.Module):
    """AIT, Eqs. (3)-(5): what the last step passes on is mixed with one's own vector.

    Both vectors score themselves, through maps that they share; the softmax over the
    two scores gives the weights. ``(B, H), (B, H) -> (B, H), (B, 2)``.
    """

    def __init__(self, width: int):
        super().__init__()
        self.info = nn.Linear(width, width)  # g
        maps = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.value, self.query, self.key = maps  # h1, h2, h3

    def forward(self, previous: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        passed = self.info(previous).relu()  # p of the step before
        u = torch.stack([passed, own], 1)  # (B, 2, H)
        scores = (self.query(u) * self.key(u)).sum(-1) / math.sqrt(u.shape[-1])
        weights = scores.softmax(1)  # (B, 2)
        return (weights.unsqueeze(-1) * self.value(u)).sum(1), weights


class NoTransfer(nn.Module):
    """The ablation: a step keeps to its own vector, so the weights are (0, 1)."""

    def forward(self, previous: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        return own, own.new_tensor([0.0, 1.0]).expand(own.shape[0], 2)


class Inside(NamedTuple):
    """What `AITM.explain` returns."""

    weights: Tensor  # (B, T - 1, 2): of the step before, and of one's own
    own: Tensor  # (B, T, H), the q
    mixed: Tensor  # (B, T, H), the z


class AITM(nn.Module):
    """Eqs. (1)-(8): a tower for each step, and a transfer from each to the next.

    Parameters
    ----------
    inputs : nn.Module
        Maps ``batch["features"]`` to ``(B, D)`` and has ``out_features``.
    n_tasks : int
        Steps ``T`` of the chain, at least 2.
    units, width : int
        Hidden units of a tower, and ``H``, what it hands out. (The public run has
        towers of 128, 64, 32 with dropout.)
    transfer : bool
        False leaves the transfer out.
    alpha : float
        Weight of the calibrator, at least 0 (the public run: 0.6); 0 leaves it out.
    one_way : bool
        True stops the gradient from going back through a transfer: a step hands on
        what it knows, but is not shaped by those after it. Not in the paper.

    Notes
    -----
    ``batch["labels"]`` is ``(B, T)`` floats, 0 or 1, and cumulative: 1 says that the
    step and all before it happened. `loss` raises ValueError if a row rises. The
    prediction of a step, ``forward(batch).sigmoid()``, is cumulative likewise.
    """

    def __init__(
        self,
        inputs,
        n_tasks,
        units=64,
        width=32,
        transfer=True,
        alpha=0.6,
        one_way=False,
    ):
        super().__init__()
        if positive("n_tasks", n_tasks) < 2:
            raise ValueError("n_tasks is 1; expected at least 2, or there is no chain")
        if not 0 <= alpha < math.inf:
            raise ValueError(f"alpha is {alpha}; expected a weight of at least 0")
        self.inputs, self.n_tasks, self.alpha = inputs, n_tasks, alpha
        self.one_way = one_way
        self.hidden = StackedLinear(n_tasks, inputs.out_features, units)
        self.towers = StackedLinear(n_tasks, units, width)
        step = Transfer if transfer else lambda width: NoTransfer()
        self.transfers = nn.ModuleList(step(width) for _ in range(n_tasks - 1))
        self.outputs = StackedLinear(n_tasks, width, 1)

    def explain(self, batch):
        v = self.inputs(batch["features"])  # (B, D)
        v = v.unsqueeze(1).expand(-1, self.n_tasks, -1)  # (B, T, D)
        own = self.towers(self.hidden(v).relu()).relu()  # (B, T, H)
        mixed, weights = [own[:, 0]], []
        for t, transfer in enumerate(self.transfers, start=1):
            previous = mixed[-1].detach() if self.one_way else mixed[-1]
            z, w = transfer(previous, own[:, t])  # (B, H), (B, 2)
            mixed.append(z)
            weights.append(w)
        return Inside(torch.stack(weights, 1), own, torch.stack(mixed, 1))

    def forward(self, batch):
        return self.outputs(self.explain(batch).mixed).squeeze(-1)  # (B, T)

    def loss(self, batch):
        logits, labels = self(batch), check_nested(batch["labels"], self.n_tasks)
        entropy = sum_over_tasks(F.binary_cross_entropy_with_logits, logits, labels)
        return entropy + self.alpha * calibrator(logits.sigmoid())


def calibrator(probabilities: Tensor) -> Tensor:
    """Eq. (7): by how much a step is predicted above the one before it.

    Cumulative `probabilities` ``(B, T)`` -> scalar: summed over the steps, averaged
    over the rows, so that its weight does not depend on the size of a batch.
    """
    return probabilities.diff(dim=1).clamp(min=0).sum(1).mean()
