"""Customized gate control (CGC) and progressive layered extraction (PLE).

Tang et al., "Progressive Layered Extraction (PLE): A Novel Multi-Task Learning (MTL)
Model for Personalized Recommendations", RecSys 2020. Dimension letters: ``B`` batch,
``D`` input width, ``E`` experts of a level, ``T`` tasks, ``H`` hidden units of an
expert.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import StackedLinear, Towers, positive
from recsys_tutorial.models.mmoe import Experts, check_targets


class Extraction(nn.Module):
    """One level: each task's own experts, the shared ones, and a gate per task.

    A fixed mask closes the gate of task k to the other tasks' experts, Eq. (4); the
    gate's weights behind the mask exist but are never used and get no gradient. In
    every level but the last one more gate, open to all experts, makes what the shared
    experts of the next level read.

    Parameters
    ----------
    width, n_tasks, own_experts, shared_experts, units : int
        Sizes; each task has `own_experts`.
    separate : bool
        False opens every gate to all experts.
    last : bool
        Leave out the shared gate, which nobody would read.
    """

    def __init__(
        self, width, n_tasks, own_experts, shared_experts, units, separate, last
    ):
        super().__init__()
        self.units = positive("expert_units", units)
        n_own = n_tasks * positive("own_experts", own_experts)
        n_experts = n_own + positive("shared_experts", shared_experts)
        self.own = StackedLinear(n_tasks, width, own_experts * units)
        self.shared = Experts(width, shared_experts, units)
        self.n_gates = n_tasks if last else n_tasks + 1
        self.gates = StackedLinear(self.n_gates, width, n_experts, bias=False)
        closed = torch.zeros(self.n_gates, n_experts, dtype=torch.bool)
        if separate:
            owner = torch.arange(n_own) // own_experts  # (T * own_experts,)
            closed[:n_tasks, :n_own] = torch.arange(n_tasks)[:, None] != owner
        self.register_buffer("closed", closed, persistent=False)

    def forward(self, x):
        """Map ``(B, T + 1, D)``, the shared vector last, to gates, experts, fused."""
        tasks, shared = x.split([x.shape[1] - 1, 1], 1)  # (B, T, D), (B, 1, D)
        own = self.own(tasks).relu().reshape(x.shape[0], -1, self.units)
        experts = torch.cat([own, self.shared(shared.squeeze(1))], 1)  # (B, E, H)
        gated = x if self.n_gates == x.shape[1] else tasks
        scores = self.gates(gated)  # (B, T + 1, E); (B, T, E) if last
        gates = scores.masked_fill(self.closed, -torch.inf).softmax(-1)  # Eq. (3)
        return gates, experts, gates @ experts  # Eq. (2)


class Inside(NamedTuple):
    """What `PLE.explain` returns: one tensor per level in each tuple."""

    gates: tuple[Tensor, ...]  # (B, T + 1, E), the shared gate last; (B, T, E) on top
    experts: tuple[Tensor, ...]  # (B, E, H): task 1's own, task 2's own ..., the shared
    fused: tuple[Tensor, ...]  # (B, T + 1, H), the g^{k,j} of Eq. (6); (B, T, H) on top


class PLE(nn.Module):
    """Eqs. (2)-(10): experts of each task's own beside shared ones, level by level.

    Parameters
    ----------
    inputs : nn.Module
        Maps ``batch["features"]`` to ``(B, D)`` and has ``out_features``.
    n_tasks, own_experts, shared_experts, expert_units, tower_units : int
        Sizes, the same in every level; the paper lets tasks differ in `own_experts`.
    levels : int
        1 is CGC. The paper's PLE has 2.
    separate : bool
        False takes the mask away: MMoE with one level, multi-level MMoE with more.
    weights, decay : float or list of T floats
        Eq. (10): a task's weight in the loss at the start, and the factor that
        multiplies it with each training step.
    criterion : callable
        Losses ``(B, T)`` of predictions and labels ``(B, T)``, given
        ``reduction="none"``; `F.mse_loss` for regression.
    """

    def __init__(
        self,
        inputs,
        n_tasks,
        levels=2,
        own_experts=2,
        shared_experts=4,
        expert_units=16,
        tower_units=8,
        separate=True,
        weights=1.0,
        decay=1.0,
        criterion=F.binary_cross_entropy_with_logits,
    ):
        super().__init__()
        self.inputs, self.n_tasks = inputs, positive("n_tasks", n_tasks)
        above = positive("levels", levels) - 1
        units = positive("expert_units", expert_units)
        widths = [inputs.out_features] + above * [units]
        sizes = n_tasks, own_experts, shared_experts, units, separate
        self.levels = nn.ModuleList(
            Extraction(width, *sizes, last=j == above) for j, width in enumerate(widths)
        )
        self.towers = Towers(n_tasks, units, tower_units)
        self.criterion = criterion
        self.register_buffer("weights", per_task("weights", weights, n_tasks))
        self.register_buffer("decay", per_task("decay", decay, n_tasks))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def explain(self, batch):
        x = self.inputs(batch["features"])  # (B, D)
        fused = x.unsqueeze(1).expand(-1, self.n_tasks + 1, -1)  # (B, T + 1, D)
        found = []
        for level in self.levels:
            gates, experts, fused = level(fused)  # Eq. (6)
            found.append((gates, experts, fused))
        return Inside(*zip(*found, strict=True))

    def forward(self, batch):
        return self.towers(self.explain(batch).fused[-1])  # (B, T), Eq. (7)

    def loss(self, batch):
        """Eq. (8). In training mode each call counts as a step of Eq. (10).

        ``batch["space"]`` (B, T) bool says which rows lie in which task's sample
        space; without it, all do.
        """
        losses = task_losses(
            self.criterion, self(batch), batch["labels"], batch.get("space")
        )
        weights = self.weights * self.decay**self.step  # (T,), Eq. (10)
        self.step += self.training
        return (weights * losses).sum()


def task_losses(criterion, predictions, labels, space=None):
    """Eq. (9): each task's mean loss over the rows of its own sample space.

    Parameters
    ----------
    criterion : callable
        As in `PLE`.
    predictions, labels : Tensor
        ``(B, T)`` floats, finite outside of the spaces, too.
    space : Tensor, optional
        ``(B, T)`` bool, the paper's delta. A task without a row in the batch has
        loss 0.

    Returns
    -------
    Tensor
        ``(T,)``.
    """
    shape = predictions.shape
    if space is not None and (space.shape != shape or space.dtype != torch.bool):
        raise ValueError(
            f"space has shape {tuple(space.shape)} and dtype {space.dtype}; expected "
            f"{tuple(shape)} and torch.bool"
        )
    known = labels if space is None else labels * space  # any number outside of it
    check_targets(criterion, known, shape)
    losses = criterion(predictions, labels, reduction="none")  # (B, T)
    if space is None:
        return losses.mean(0)
    return losses.where(space, 0.0).sum(0) / space.sum(0).clamp(min=1)


def per_task(name, values, n_tasks):
    """A float, or a list of them, as a tensor ``(T,)``; ValueError unless above 0."""
    tensor = torch.as_tensor(values, dtype=torch.float32)
    if tensor.shape not in ((), (n_tasks,)) or not (tensor > 0).all():
        raise ValueError(
            f"{name} is {values!r}; expected a number above 0, or {n_tasks} of them"
        )
    return tensor.expand(n_tasks).clone()
