"""Metrics the libraries lack or leave unguarded, and confidence intervals."""

from typing import NamedTuple

import numpy as np
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch import Tensor

VARIED = {  # what an interval may cover, in both languages
    "seeds": ("种子", "seeds"),
    "splits": ("划分", "splits"),
    "worlds": ("模拟数据", "simulated data"),
    "users": ("测试用户", "test users"),
}


class Interval(NamedTuple):
    """A mean of `n` runs with its 95 % confidence interval, and what that covers.

    `varied` names what chance drew: ``"seeds"``, first weights and the order of the
    rows; ``"splits"``, what is held out of one dataset; ``"worlds"``, a simulated
    dataset; ``"users"``, the people of one test set. What is not named is the same in
    all runs, and the interval says nothing about it.
    """

    mean: float
    low: float
    high: float
    n: int
    varied: tuple[str, ...] = ("seeds",)

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def mean_interval(
    values,
    *,
    varied: tuple[str, ...] = ("seeds",),
    held_out: float = 0.0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Mean and 95 % confidence interval of runs, by Student's t.

    Runs that split one dataset anew share most of their rows, so that their spread is
    too small for a statement about the data: the variance of the mean is s^2 (1/n + q)
    instead of s^2 / n, with q the rows held out per row trained on (Nadeau & Bengio
    2003). Test users are drawn as well as runs: the variances of the two means, over
    runs and over users, add up, with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    values : array of float, shape (n,) or (n, U)
        One value per run, at least two, all finite. Or one per run and test user, the
        same users in each run: see `by_user`.
    varied : tuple of str
        What chance drew, of `VARIED`; ``"users"`` is added for a shape of ``(n, U)``.
    held_out : float
        The share of the data that each run holds out, above 0 and below 1; given
        exactly if `varied` has ``"splits"``.
    bounds : tuple of float
        What the mean cannot lie outside of: the interval is cut there.
    """
    x = _array(values, float)
    x = x.ravel() if x.ndim != 2 else x
    if len(x) < 2:
        raise ValueError(f"values holds {len(x)} run(s); an interval needs two or more")
    if not np.isfinite(x).all():
        raise ValueError("values holds NaN or infinity; expected finite numbers")
    _check_varied(varied, held_out)
    runs = x if x.ndim == 1 else x.mean(1)
    parts = [(runs.var(ddof=1) * (1 / len(x) + held_out / (1 - held_out)), len(x) - 1)]
    if x.ndim == 2:
        if x.shape[1] < 2 or "splits" in varied:
            raise ValueError(
                f"values has shape {x.shape} and varied is {varied}; expected two test "
                "users or more, the same in each run, and so no splits"
            )
        parts.append((x.mean(0).var(ddof=1) / x.shape[1], x.shape[1] - 1))
        varied = (*(v for v in varied if v != "users"), "users")
    variance = sum(v for v, _ in parts)
    freedom = variance**2 / sum(v**2 / n for v, n in parts) if variance else 1
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    mean = float(runs.mean())
    low, high = np.clip([mean - half, mean + half], *bounds)
    return Interval(mean, float(low), float(high), len(x), tuple(varied))


def _check_varied(varied: tuple[str, ...], held_out: float) -> None:
    if isinstance(varied, str) or not varied or set(varied) - set(VARIED):
        known = tuple(VARIED)
        raise ValueError(f"varied is {varied!r}; expected some of {known}, as a tuple")
    if ("splits" in varied) != (0 < held_out < 1):
        raise ValueError(
            f"varied is {varied} and held_out {held_out}; expected a share above 0 and "
            "below 1 where splits vary, and none elsewhere"
        )


def by_user(values, users) -> np.ndarray:
    """A value per user, whose mean is the mean over all rows.

    A user weighs as much as the rows do: each row's distance from the mean is added up
    within the user, and brought back to the scale of one.

    Parameters
    ----------
    values : array or tensor of shape (N,)
        Finite; of each row.
    users : array or tensor of shape (N,)
        Whose row it is.

    Returns
    -------
    array of shape (U,)
        In the order of the sorted ids.
    """
    x, own = _array(values, float).ravel(), _array(users).ravel()
    if len(x) != len(own) or not len(x):
        raise ValueError(
            f"values has {len(x)} entries and users {len(own)}; expected as many, and "
            "at least one"
        )
    _, u = np.unique(own, return_inverse=True)
    mean = x.mean()
    sums = np.bincount(u, x - mean)
    return mean + sums * (len(sums) / len(x))


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


def auc_by_user(labels, scores, users) -> np.ndarray:
    """A value per user, whose mean is the AUC of all rows.

    A positive's share in the AUC is how many negatives it beats, and a negative's how
    many positives beat it, whoever's they are (DeLong et al. 1988; by groups of rows,
    Obuchowski 1997). Their sums by user show how much the AUC owes to each.

    Parameters
    ----------
    labels, scores, users : arrays or tensors of shape (N,)
        As in `gauc`.

    Returns
    -------
    array of shape (U,)
        In the order of the sorted ids.
    """
    area = auc(labels, scores)
    y, s = _array(labels).ravel() == 1, _array(scores, float).ravel()
    positives = y.sum()
    everywhere = stats.rankdata(s)  # a tie counts half
    within = np.empty(len(y))
    within[y], within[~y] = stats.rankdata(s[y]), stats.rankdata(s[~y])
    others = np.where(y, len(y) - positives, positives)
    beaten = (everywhere - within) / others  # of the other class, from 0 to 1
    share = np.where(y, beaten, 1 - beaten)
    weight = len(y) / (len(y) - others)
    return by_user(area + (share - area) * weight, users)


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
