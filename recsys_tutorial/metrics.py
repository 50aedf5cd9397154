"""Metrics the libraries lack or leave unguarded, and confidence intervals."""

from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score


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
    x = np.asarray(values, dtype=float).ravel()
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
    y, s = np.asarray(labels).ravel(), np.asarray(scores, dtype=float).ravel()
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
