"""The entire space multi-task model (ESMM).

Ma et al., "Entire Space Multi-Task Model: An Effective Approach for Estimating
Post-Click Conversion Rate", SIGIR 2018. Dimension letters: ``B`` batch, ``D`` input
width, ``T`` steps of a chain.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import Towers, check_labels, happens


class Estimates(NamedTuple):
    """What `ESMM.explain` returns: three probabilities for every impression."""

    ctr: Tensor  # (B,) p(y = 1 | x): it is clicked
    cvr: Tensor  # (B,) p(z = 1 | y = 1, x): it converts, given a click
    ctcvr: Tensor  # (B,) p(y = 1, z = 1 | x), their product, Eq. (1)


class ESMM(nn.Module):
    """Two towers, and a loss on the first and on the product of both: Eqs. (1), (3).

    A batch has ``features`` for `inputs` and ``labels`` (B, 2) floats of all
    impressions: clicked, and clicked *and* converted.

    Parameters
    ----------
    inputs : nn.Module
        Maps ``batch["features"]`` to ``(B, D)`` and has ``out_features``.
    cvr_inputs : nn.Module, optional
        Inputs of its own for the conversion tower, as wide as `inputs`: the paper's
        ESMM-NS. Without it both towers share `inputs`, which is ESMM.
    units : int
        Width of the hidden layer of a tower (the paper's MLP: 360 x 200 x 80 x 2).
    """

    def __init__(self, inputs, cvr_inputs=None, units=32):
        super().__init__()
        width = inputs.out_features
        if cvr_inputs is not None and cvr_inputs.out_features != width:
            raise ValueError(
                f"cvr_inputs has width {cvr_inputs.out_features}; expected that of "
                f"inputs, {width}"
            )
        self.inputs, self.cvr_inputs = inputs, cvr_inputs
        self.towers = Towers(2, width, units)

    def forward(self, batch):
        x = self.inputs(batch["features"])  # (B, D)
        own = x if self.cvr_inputs is None else self.cvr_inputs(batch["features"])
        return self.towers(torch.stack([x, own], 1))  # (B, 2) logits: CTR, CVR

    def explain(self, batch):
        ctr, cvr = self(batch).sigmoid().unbind(1)
        return Estimates(ctr, cvr, ctr * cvr)

    def loss(self, batch):
        logits, labels = self(batch), check_nested(batch["labels"], 2)
        click = F.binary_cross_entropy_with_logits(logits[:, 0], labels[:, 0])
        return click + self.conversion_loss(logits, labels)

    def conversion_loss(self, logits, labels):
        """The second sum of Eq. (3): over all impressions, on the product."""
        return product_cross_entropy(logits, labels[:, 1])


def product_cross_entropy(logits, label):
    """Cross-entropy of sigmoid(a) * sigmoid(b), averaged; logits ``(B, 2)`` hold a, b.

    In logarithms throughout, so that no logit is too large:
    ``1 - pq = (1 - p) + p (1 - q)``. The paper writes the product; this form is ours.
    """
    a, b = logits.unbind(1)
    log_yes = F.logsigmoid(a) + F.logsigmoid(b)
    log_no = torch.logaddexp(F.logsigmoid(-a), F.logsigmoid(a) + F.logsigmoid(-b))
    return -(label * log_yes + (1 - label) * log_no).mean()


def check_nested(labels, n_steps):
    """Return `labels`; ValueError unless each step implies the one before: ``(B, T)``.

    A conversion without a click is a mistake in the data, or a conditional label
    where the cumulative one is asked for.
    """
    check_labels("labels", labels, (*labels.shape[:1], n_steps))
    if happens(wrong := (labels[:, 1:] > labels[:, :-1]).any(1)):
        row = int(wrong.nonzero()[0, 0])
        raise ValueError(
            f"labels of row {row} are {labels[row].tolist()}; expected no step without "
            "the one before: click, click and conversion ..."
        )
    return labels
