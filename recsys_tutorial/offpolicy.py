"""What another policy would have earned, told from the log of the one that ran.

Dimension letters: ``N`` rows of a log.
"""

import numpy as np


def replay(rewards, matches) -> float:
    """The mean reward of the rows in which the new policy had chosen the same.

    Right on average if the log chose by lot, each action as often as any other, whoever
    came; else only where chance and reward happen not to go together. After Li et al.
    2011.

    Parameters
    ----------
    rewards : array (N,)
    matches : array of bool (N,)
        Whether the new policy takes the logged action in this row.

    Raises
    ------
    ValueError
        If no row matches, so that nothing can be said.
    """
    r, same = np.asarray(rewards, float), np.asarray(matches)
    if same.dtype != bool or r.shape != same.shape or r.ndim != 1:
        raise ValueError(
            f"rewards has shape {r.shape} and matches {same.shape} of {same.dtype}; "
            "expected (N,) both, and truth values"
        )
    if not same.any():
        raise ValueError("the new policy agrees with no row of the log")
    return float(r[same].mean())


def weights(new, logged) -> np.ndarray:
    """How much more probable the new policy makes each logged action: ``(N,)``.

    Parameters
    ----------
    new, logged : arrays (N,)
        Probability of the action that was taken, under the new policy (0 and 1, if it
        leaves nothing to chance), and under the one that ran, above 0.
    """
    p, q = np.asarray(new, float), np.asarray(logged, float)
    if p.shape != q.shape or p.ndim != 1 or not len(p):
        raise ValueError(f"new has shape {p.shape} and logged {q.shape}; expected (N,)")
    if not ((p >= 0) & (p <= 1)).all() or not ((q > 0) & (q <= 1)).all():
        raise ValueError(
            f"new goes from {p.min():g} to {p.max():g} and logged from {q.min():g} to "
            f"{q.max():g}; expected probabilities, and none of 0 in logged: an action "
            "that was taken had one"
        )
    return p / q


def ips(rewards, new, logged) -> float:
    """Inverse propensity scoring: the mean of reward times weight.

    Right on average if the log gives each action that the new policy may take some
    probability; see `weights` for `new` and `logged`. ValueError as there.
    """
    return float((np.asarray(rewards, float) * weights(new, logged)).mean())


def snips(rewards, new, logged) -> float:
    """The same, divided by the mean weight: steadier, and off by little.

    The mean weight is 1 on average; where it is far from that, `ips` is not to be
    trusted either. ValueError as `weights`, or if all weights are 0.
    """
    w = weights(new, logged)
    if not w.any():
        raise ValueError("the new policy would never take what the log took")
    return float((np.asarray(rewards, float) * w).sum() / w.sum())
