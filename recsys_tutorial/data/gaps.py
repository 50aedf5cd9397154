"""A simulator of users whose interest drifts with the time that passes."""

import numpy as np
import pandas as pd

from recsys_tutorial.layers import positive


def drifting_gaps(
    n_users: int,
    *,
    length: int = 20,
    n_interests: int = 20,
    n_items: int = 15,
    memory: float = 2.0,
    seed: int = 0,
) -> pd.DataFrame:
    r"""Events of users who keep an interest over short gaps and lose it over long ones.

    Each user has an own evenness k, drawn log-uniformly from 0.1 to 10. The gaps of a
    user are drawn from a gamma distribution of shape k and of mean one day: a small k
    makes bursts and long breaks, large k an even rhythm. Over a gap of g days the user
    takes up another interest with probability ``1 - exp(-g / memory)``, drawn
    uniformly. Each event is an item of the current interest, drawn uniformly.

    Parameters
    ----------
    n_users, length : int
        Users, and events of each.
    n_interests, n_items : int
        Interests, and items of each; ids start at 1, interest by interest.
    memory : float
        Days, above 0.
    seed : int
        Same seed, same world.

    Returns
    -------
    DataFrame
        Sorted by user, then time: ``user`` from 1, ``item`` from 1, ``time`` in
        seconds, ``interest`` from 0 and ``evenness`` (k), the truth.

    Not in a paper.
    """
    positive("n_users", n_users), positive("length", length)
    positive("n_interests", n_interests), positive("n_items", n_items)
    if not 0 < memory < np.inf:
        raise ValueError(f"memory is {memory}; expected a number of days above 0")
    rng = np.random.default_rng(seed)
    shape = n_users, length
    evenness = 10 ** rng.uniform(-1, 1, (n_users, 1))
    gaps = rng.gamma(evenness, 1 / evenness, shape)  # days, mean 1
    moves = rng.random(shape) < -np.expm1(-gaps / memory)
    moves[:, 0] = True
    fresh = rng.integers(n_interests, size=shape)
    start = np.maximum.accumulate(np.where(moves, np.arange(length), 0), axis=1)
    interest = np.take_along_axis(fresh, start, 1)
    item = 1 + interest * n_items + rng.integers(n_items, size=shape)
    seconds = 1 + (gaps.cumsum(1) * 86_400).astype(np.int64)
    return pd.DataFrame(
        {
            "user": np.repeat(np.arange(1, n_users + 1), length),
            "item": item.ravel(),
            "time": seconds.ravel(),
            "interest": interest.ravel(),
            "evenness": np.repeat(evenness.ravel(), length),
        }
    )
