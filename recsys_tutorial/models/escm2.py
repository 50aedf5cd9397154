"""ESCM2: ESMM, and a counterfactual loss on the conversion rate itself.

Wang et al., "ESCM2: Entire Space Counterfactual Multi-Task Model for Post-Click
Conversion Rate Estimation", SIGIR 2022. Its full text was not at hand: the terms are
those of its abstract, of public notes on it, and of PaddleRec's code. Dimension
letters: ``B`` batch, ``D`` input width, ``T`` towers.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_tutorial.layers import Towers, happens
from recsys_tutorial.models.esmm import ESMM, check_nested


class Debiased(NamedTuple):
    """What `ESCM2.explain` returns for every impression."""

    ctr: Tensor  # (B,) p(y = 1 | x), which serves as the propensity
    cvr: Tensor  # (B,) p(z = 1 | y = 1, x)
    ctcvr: Tensor  # (B,) their product
    weight: Tensor  # (B,) of the row if it is clicked: 1 / max(p, clip)
    imputed: Tensor  # (B,) the error that the third tower expects; 0 without it


class ESCM2(ESMM):
    """The losses of ESMM, and the error of the conversion tower over all impressions.

    That error is known where there was a click, and estimated from there: by inverse
    propensity weighting, or doubly robust. A batch has ``features`` and ``labels`` as
    for `ESMM`. It may have ``propensity`` (B,), the probability of the click where a
    simulator knows it; otherwise the click tower's own is taken, as a constant.

    Parameters
    ----------
    inputs, cvr_inputs, units
        As for `ESMM`; the imputation tower reads what the conversion tower reads.
    doubly_robust : bool
        Impute the error of every row by a third tower, and weight only what it misses:
        ESCM2-DR. Without it, ESCM2-IPS.
    clip : float
        No propensity counts as less than this: above 0, and at most 1, where a click
        weighs 1 like any other.
    cvr_weight, ctcvr_weight : float
        Of the counterfactual loss and of the product's (lambda_c, lambda_g), at least
        0. With a `cvr_weight` of 0 this is ESMM.

    Raises
    ------
    ValueError
        From `loss`, if a propensity that is given is not above 0 and at most 1.
    """

    def __init__(
        self,
        inputs,
        cvr_inputs=None,
        units=32,
        *,
        doubly_robust=False,
        clip=0.01,
        cvr_weight=0.1,
        ctcvr_weight=1.0,
    ):
        super().__init__(inputs, cvr_inputs, units)
        if not 0 < clip <= 1:
            raise ValueError(f"clip is {clip}; expected above 0, and at most 1")
        for name, weight in (("cvr", cvr_weight), ("ctcvr", ctcvr_weight)):
            if not 0 <= weight < math.inf:
                raise ValueError(
                    f"{name}_weight is {weight}; expected a finite number of at least 0"
                )
        self.doubly_robust, self.clip = doubly_robust, clip
        self.cvr_weight, self.ctcvr_weight = cvr_weight, ctcvr_weight
        if doubly_robust:
            self.towers = Towers(3, inputs.out_features, units)

    def forward(self, batch):
        x = self.inputs(batch["features"])  # (B, D)
        own = x if self.cvr_inputs is None else self.cvr_inputs(batch["features"])
        seen = [x, own, own] if self.doubly_robust else [x, own]
        return self.towers(torch.stack(seen, 1))  # (B, T) logits: CTR, CVR, error

    def explain(self, batch):
        logits = self(batch)
        ctr, cvr = logits[:, :2].sigmoid().unbind(1)
        weight = 1 / ctr.clamp(min=self.clip)
        return Debiased(ctr, cvr, ctr * cvr, weight, self.imputed(logits))

    def imputed(self, logits):
        if not self.doubly_robust:
            return torch.zeros_like(logits[:, 0])
        return F.softplus(logits[:, 2])  # (B,) an error is never negative

    def loss(self, batch):
        logits, labels = self(batch), check_nested(batch["labels"], 2)
        click = F.binary_cross_entropy_with_logits(logits[:, 0], labels[:, 0])
        product = self.conversion_loss(logits[:, :2], labels)
        p = logits[:, 0].sigmoid().detach()  # (B,) no gradient: a weight, not a lesson
        if "propensity" in batch:
            p = check_propensity(batch["propensity"], p.shape)
        weight = labels[:, 0] / p.clamp(min=self.clip)  # (B,)
        risk = self.counterfactual_loss(logits, labels[:, 1], weight)
        return click + self.cvr_weight * risk + self.ctcvr_weight * product

    def counterfactual_loss(self, logits, label, weight):
        """The mean error of the conversion tower over all impressions, estimated."""
        error = F.binary_cross_entropy_with_logits(
            logits[:, 1], label, reduction="none"
        )  # (B,) true where clicked; elsewhere the weight is 0
        guess = self.imputed(logits)  # (B,)
        risk = counterfactual_risk(error, guess.detach(), weight)
        if not self.doubly_robust:
            return risk
        return risk + (weight * (error.detach() - guess).square()).mean()


def counterfactual_risk(error, guess, weight):
    """The guess, and where clicked, weighted, what it missed; averaged over ``(B,)``.

    `weight` is 0 without a click, so `error` counts with one only. Right on average if
    the weights are, or if the guess is; with a guess of 0 it is inverse propensity
    weighting.
    """
    return (guess + weight * (error - guess)).mean()


def check_propensity(p, shape):
    """Return `p`; ValueError unless it is floats of `shape` above 0 and at most 1."""
    if p.shape != shape or not p.is_floating_point():
        raise ValueError(
            f"propensity has shape {tuple(p.shape)} and dtype {p.dtype}; "
            f"expected {tuple(shape)} floats"
        )
    if happens(wrong := ~((p > 0) & (p <= 1))):
        row = int(wrong.nonzero()[0])
        raise ValueError(
            f"propensity of row {row} is {float(p[row]):g}; expected above 0, at most 1"
        )
    return p
