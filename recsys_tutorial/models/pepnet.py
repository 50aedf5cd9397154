"""Parameter and embedding personalised network (PEPNet): gates in place of towers.

Chang et al., "PEPNet: Parameter and Embedding Personalized Network for Infusing with
Personalized Prior Information", KDD 2023. The form of the equations is from readings
that agree with each other; the numbers (1)-(7) are those of the chapter. Dimension
letters: ``B`` batch, ``D`` width of all embeddings together, ``T`` tasks, ``H`` what a
layer of the towers reads.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import StackedLinear, positive
from recsys_tutorial.models.mmoe import sum_over_tasks


class GateNU(nn.Module):
    """Eqs. (1)-(2), the gate neural unit: factors from 0 to gamma, 1 when undecided.

    Parameters
    ----------
    width, units, n_gates : int
        What it reads, its hidden layer, and how many factors it gives.
    gamma : float
        The largest factor, above 0. With 2, the paper's, a gate can enlarge as well as
        shrink; with 1 it is a plain sigmoid, which starts at a half.
    """

    def __init__(self, width, units, n_gates, gamma=2.0):
        super().__init__()
        if not gamma > 0:
            raise ValueError(f"gamma is {gamma}; expected a number above 0")
        self.hidden = nn.Linear(width, positive("gate_units", units))
        self.output = nn.Linear(units, n_gates)
        self.gamma = gamma

    def forward(self, x):
        return self.gamma * self.output(self.hidden(x).relu()).sigmoid()


class Inside(NamedTuple):
    """What `PEPNet.explain` returns."""

    embedding: Tensor  # (B, D), the E of Eq. (3), before any gate
    domain_gates: Tensor  # (B, D), ones without EPNet
    task_gates: tuple[Tensor, ...]  # (B, T, H) for each layer, ones without PPNet
    read: tuple[Tensor, ...]  # (B, T, H) for each layer, the H of Eq. (6): no gate yet
    logits: Tensor  # (B, T)


class PEPNet(nn.Module):
    """Eqs. (1)-(7): towers for all domains, scaled by gates that know the row.

    Parameters
    ----------
    inputs : nn.Module
        Maps ``batch["features"]`` to ``(B, D)`` and has ``out_features``.
    domain : nn.Module, optional
        The same for ``batch["domain"]``, what EPNet's gate knows; without it there is
        no EPNet.
    prior : nn.Module, optional
        The same for ``batch["prior"]``, what PPNet's gates know: ids of the user, the
        item, its author; without it there is no PPNet. Without both it is a shared
        network.
    n_tasks, gate_units : int
        Sizes.
    units : tuple of int
        Hidden layers of each task's tower.
    gamma : float
        See `GateNU`.
    stop_gradient : bool
        False lets the gates teach the embeddings that they read, too.
    """

    def __init__(
        self,
        inputs,
        domain=None,
        prior=None,
        *,
        n_tasks,
        units=(64, 32),
        gate_units=16,
        gamma=2.0,
        stop_gradient=True,
    ):
        super().__init__()
        self.inputs, self.domain, self.prior = inputs, domain, prior
        self.n_tasks = positive("n_tasks", n_tasks)
        self.stop_gradient = stop_gradient
        width = inputs.out_features
        widths = [width, *(positive("units", u) for u in units), 1]
        if domain is not None:
            known = domain.out_features + width
            self.domain_gate = GateNU(known, gate_units, width, gamma)
        if prior is not None:
            known = prior.out_features + width
            self.task_gates = nn.ModuleList(
                GateNU(known, gate_units, n_tasks * w, gamma) for w in widths[:-1]
            )
        self.layers = nn.ModuleList(
            StackedLinear(n_tasks, *pair) for pair in pairwise(widths)
        )

    def explain(self, batch):
        e = self.inputs(batch["features"])  # (B, D)
        domain_gates = torch.ones_like(e)
        if self.domain is not None:
            domain_gates = self.domain_gate(self.known("domain", batch, e))  # Eq. (3)
        o_ep = domain_gates * e  # (B, D), Eq. (4)
        h = o_ep.unsqueeze(1).expand(-1, self.n_tasks, -1)  # (B, T, H)
        read, task_gates = [], []
        for layer, gates in zip(self.layers, self.factors(batch, o_ep), strict=True):
            read.append(h.relu() if read else h)
            task_gates.append(torch.ones_like(h) if gates is None else gates)
            h = layer(task_gates[-1] * read[-1])  # Eqs. (6)-(7)
        return Inside(e, domain_gates, tuple(task_gates), tuple(read), h.squeeze(2))

    def factors(self, batch, o_ep):
        """PPNet's gates ``(B, T, H)`` for what each layer reads, Eq. (5)."""
        if self.prior is None:
            return [None] * len(self.layers)
        known = self.known("prior", batch, o_ep)
        return [g(known).unflatten(1, (self.n_tasks, -1)) for g in self.task_gates]

    def known(self, name, batch, x):
        """What a gate reads: ``batch[name]``, embedded, beside the values of `x`."""
        told = getattr(self, name)(batch[name])
        if not torch.compiler.is_compiling() and len(told) != len(x):
            raise ValueError(
                f"{name} has {len(told)} rows and features {len(x)}; expected as many"
            )
        x = x.detach() if self.stop_gradient else x  # values, and no way back
        return torch.cat([told, x], 1)

    def forward(self, batch):
        return self.explain(batch).logits  # (B, T)

    def loss(self, batch):
        labels = batch["labels"]
        return sum_over_tasks(F.binary_cross_entropy_with_logits, self(batch), labels)
