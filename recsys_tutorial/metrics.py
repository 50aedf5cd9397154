"""Metrics the libraries lack or leave unguarded, and confidence intervals."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor


class Interval(NamedTuple):
    """A mean of `n` runs with its 95 % confidence interval."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(values) -> Interval:
    """Mean and 95 % confidence interval of independent runs, by Student's t.

    Parameters
    ----------
    values : array of float
        One value per run; at least two, all finite.
    """
    x = _array(values, float).ravel()
    if len(x) < 2:
        raise ValueError(f"values holds {len(x)} run(s); an interval needs two or more")
    if not np.isfinite(x).all():
        raise ValueError("values holds NaN or infinity; expected finite numbers")
    half = stats.t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(
        float(x.mean()), float(x.mean() - half), float(x.mean() + half), len(x)
    )


def auc(labels, scores) -> float:
    """Area under the ROC curve: how often a positive is scored above a negative.

    Parameters
    ----------
    labels, scores : arrays or tensors of shape (N,)
        Labels 0 or 1, both present; finite scores, of any scale.

    Raises
    ------
    ValueError
        If the lengths differ, a score is not finite, or only one class is present.
    """
    y, s = _array(labels).ravel(), _array(scores, float).ravel()
    if len(y) != len(s):
        raise ValueError(f"labels has {len(y)} entries and scores {len(s)}")
    if not np.isfinite(s).all():
        raise ValueError("scores holds NaN or infinity; expected finite numbers")
    classes = np.unique(y)
    if not np.array_equal(classes, [0, 1]):
        raise ValueError(
            f"labels holds the values {classes[:5].tolist()}; AUC needs both 0 and 1, "
            "and nothing else"
        )
    return float(roc_auc_score(y, s))


def gauc(labels, scores, users) -> float:
    """AUC within each user, averaged with the user's number of rows as the weight.

    Users whose rows are all of one class have no AUC; they and their rows are left
    out, of the weights too. Eq. (10) of Zhou et al. 2018, which is silent on them.

    Parameters
    ----------
    labels, scores : arrays or tensors of shape (N,)
        As in `auc`.
    users : array or tensor of shape (N,)
        Whose row it is.

    Raises
    ------
    ValueError
        As `auc`; or if no user has rows of both classes.
    """
    auc(labels, scores)  # the checks
    y, s = _array(labels).ravel(), _array(scores, float).ravel()
    _, u, rows = np.unique(_array(users), return_inverse=True, return_counts=True)
    if len(u) != len(y):
        raise ValueError(f"labels has {len(y)} entries and users {len(u)}")
    positives = np.bincount(u, y)
    # Rank all rows, users in blocks; within a block the positives' ranks count the
    # pairs that they win, a tie for half.
    blocks = u * (len(y) + 1.0) + stats.rankdata(s, "dense")
    rank = stats.rankdata(blocks) - (np.cumsum(rows) - rows)[u]  # from 1 for each user
    pairs = positives * (rows - positives)
    ranks = np.bincount(u, rank * y)
    both = pairs > 0
    if not both.any():
        raise ValueError("users: none has rows of both classes; GAUC needs one")
    wins = ranks[both] - positives[both] * (positives[both] + 1) / 2
    return float(np.average(wins / pairs[both], weights=rows[both]))


def rela_impr(auc_model: float, auc_base: float) -> float:
    """Relative improvement in percent over what guessing (0.5) does not explain.

    Eq. (11) of Zhou et al. 2018; ValueError if `auc_base` is not above 0.5.
    """
    if not auc_base > 0.5:
        raise ValueError(f"auc_base is {auc_base}; expected an AUC above 0.5")
    return 100 * ((auc_model - 0.5) / (auc_base - 0.5) - 1)


def target_ranks(scores, targets) -> np.ndarray:
    """The place of each row's target among all candidates of the row; 1 is the best.

    Candidates with the target's score share their places: each gets the mean. A
    model that scores all alike is thus in the middle, not at the top.

    Parameters
    ----------
    scores : array or tensor of shape (N, I)
        Higher is better; minus infinity for what is not a candidate. No NaN.
    targets : array or tensor of shape (N,)
        Columns of `scores`; a target is a candidate.
    """
    s, t = _array(scores), _array(targets)
    if s.ndim != 2 or t.shape != s.shape[:1] or not len(t):
        raise ValueError(
            f"scores has shape {s.shape} and targets {t.shape}; expected (N, I) and "
            "(N,), at least one row"
        )
    own = np.take_along_axis(s, t[:, None], 1)  # (N, 1)
    if np.isnan(s).any() or np.isneginf(own).any():
        raise ValueError("scores holds NaN, or a target that is not a candidate")
    return 1 + (s > own).sum(1) + ((s == own).sum(1) - 1) / 2


def hit_at(k: int, ranks) -> float:
    """HIT@k: the share of targets among the first `k`, from their `target_ranks`."""
    return float(np.mean(_array(ranks) <= k))


def mrr_at(k: int, ranks) -> float:
    """MRR@k: mean of 1 / rank, where a target behind the first `k` counts 0."""
    r = _array(ranks, float)
    return float(np.mean(np.where(r <= k, 1 / r, 0)))


def ndcg_at(k: int, ranks) -> float:
    """NDCG@k, one target a row: mean of 1 / log2(1 + rank), 0 behind the first k."""
    r = _array(ranks, float)
    return float(np.mean(np.where(r <= k, 1 / np.log2(1 + r), 0)))


def _array(values, dtype=None) -> np.ndarray:
    """An array of `values`; of a tensor whatever its device, gradients or not."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        if values.dtype == torch.bfloat16:  # numpy has no such type
            values = values.float()
    return np.asarray(values, dtype=dtype)
