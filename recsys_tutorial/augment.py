"""Five ways to change a sequence: at random (CoSeRec), or where its times say (Ti).

An operator takes one user's ``items`` and ``times``, both of length ``n``, oldest
first, and gives new ones; what it is given stays as it was. Random operators: Liu et
al. 2021 (CoSeRec); those that look at the time intervals: Dang et al. 2023
(TiCoSeRec); both read from the released code, from which three things depart. It is
given one time more than items, the target's, so that its last item has an interval and
may be chosen; its Ti-Crop of one or two items returns a random one; and CoSeRec's crop
and reorder never draw the latest window. Here no operator knows the target's time, and
all windows can be drawn.

Rules that hold for all operators here:

* a rate ``r`` means ``floor(r * n)`` items, and at least one where the docstring says;
* interval ``i`` lies between events ``i`` and ``i + 1`` and belongs to the earlier
  one: the last event has none, so where intervals decide at most ``n - 1`` are picked;
* ties (equal intervals, windows of equal variance) go to the latest;
* an inserted item gets the time halfway between its neighbours, rounded down; other
  operators leave the times of what they keep.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from recsys_tutorial.layers import positive

MODES = ("minimum", "maximum", "random")
Sequences = Sequence[tuple[np.ndarray, np.ndarray]]  # (items, times) of each user


def interval_variance(times) -> float:
    """Population variance of the time intervals, in squared units; 0 if below two."""
    gaps = np.diff(times)
    return float(gaps.var()) if len(gaps) > 1 else 0.0


def crop(items, times, rate, rng):
    """Keep a random piece of ``floor(rate * n)`` events, at least one."""
    items, times = _check(items, times, rate)
    return _piece(items, times, *_window(times, max(1, _count(rate, items)), rng))


def ti_crop(items, times, rate, rng, mode="minimum"):
    """Keep the piece of ``floor(rate * n)`` events whose interval variance is least.

    At least one event; a piece of one or two has variance 0, so the latest is kept.
    """
    items, times = _check(items, times, rate)
    count = max(1, _count(rate, items))
    return _piece(items, times, *_window(times, count, rng, mode))


def mask(items, times, rate, rng):
    """Put the padding id 0 in the place of ``floor(rate * n)`` random items."""
    items, times = _check(items, times, rate)
    return _put(items, rng.permutation(len(items))[: _count(rate, items)], 0), times


def ti_mask(items, times, rate, rng, mode="random"):
    """Mask the items before the largest intervals (``"maximum"``), or the smallest.

    The last event has no interval and stays. In mode ``"random"``, which looks at no
    interval, it is `mask`: any event may be hidden, the last one too.
    """
    if mode == "random":
        return mask(items, times, rate, rng)
    items, times = _check(items, times, rate)
    return _put(items, _before_gaps(times, _count(rate, items), rng, mode), 0), times


def reorder(items, times, rate, rng):
    """Shuffle the items of a random piece of ``floor(rate * n)``."""
    items, times = _check(items, times, rate)
    return _shuffle(items, *_window(times, _count(rate, items), rng), rng), times


def ti_reorder(items, times, rate, rng, mode="minimum"):
    """Shuffle the items of the piece whose interval variance is least."""
    items, times = _check(items, times, rate)
    return _shuffle(items, *_window(times, _count(rate, items), rng, mode), rng), times


def substitute(items, times, rate, rng, neighbour):
    """Replace ``floor(rate * n)`` random items, at least one, by their neighbours.

    Parameters
    ----------
    neighbour : array of int64, shape (I,)
        The most correlated item of each id, 0 for none: `correlation.Neighbours.item`.
    """
    items, times = _check(items, times, rate)
    where = rng.permutation(len(items))[: max(1, _count(rate, items))]
    return _put(items, where, _look_up(neighbour, items[where])), times


def ti_substitute(items, times, rate, rng, neighbour, mode="minimum"):
    """Replace the items before the smallest intervals; a lone item stays."""
    items, times = _check(items, times, rate)
    where = _before_gaps(times, max(1, _count(rate, items)), rng, mode)
    return _put(items, where, _look_up(neighbour, items[where])), times


def insert(items, times, rate, rng, neighbour):
    """Put neighbours before ``floor(rate * n)`` random items, at least one.

    What comes before the first event gets the first event's time.
    """
    items, times = _check(items, times, rate)
    where = np.sort(rng.permutation(len(items))[: max(1, _count(rate, items))])
    before = times[np.maximum(where - 1, 0)]
    place = where + np.arange(len(where))
    middle = before + (times[where] - before) // 2
    new = _look_up(neighbour, items[where])
    return _spread(items, where, place, new), _spread(times, where, place, middle)


def ti_insert(items, times, rate, rng, neighbour, mode="maximum"):
    """Put neighbours of the earlier events into the largest intervals.

    ``floor(rate * n)`` of them, at least one; a lone item has no interval and stays.
    """
    items, times = _check(items, times, rate)
    where = np.sort(_before_gaps(times, max(1, _count(rate, items)), rng, mode))
    middle = times[where] + (times[where + 1] - times[where]) // 2
    place = where + np.arange(len(where)) + 1
    new = _look_up(neighbour, items[where])
    return _spread(items, where, place, new), _spread(times, where, place, middle)


def draw_views(
    sequences: Sequences,
    choose: Callable[[np.ndarray, np.ndarray], Sequence[Callable]],
    *,
    n_views: int,
    length: int,
    seed: int = 0,
) -> Tensor:
    """Views of each sequence, each by one operator drawn at random.

    Parameters
    ----------
    sequences : list of (items, times)
        One of each of ``B`` users.
    choose : callable
        Gives the operators that are open to ``(items, times)``: each a function of
        ``(items, times, rng)``. If there are none, the views equal the sequence.
    n_views, length : int
        Views ``V`` of each user, and longest view ``L``; the latest items are kept.
    seed : int
        Same seed, same views.

    Returns
    -------
    LongTensor
        ``(B, V, L)``, padded with 0 in front.
    """
    rng = np.random.default_rng(seed)
    shape = len(sequences), positive("n_views", n_views), positive("length", length)
    views = np.zeros(shape, np.int64)
    for row, (items, times) in enumerate(sequences):
        operators = choose(items, times)
        for view in range(n_views):
            new = np.asarray(items)
            if len(operators):
                new = operators[rng.integers(len(operators))](items, times, rng)[0]
            new = new[-length:]
            views[row, view, length - len(new) :] = new
    return torch.from_numpy(views)


def _check(items, times, rate):
    items, times = np.asarray(items), np.asarray(times)
    if items.ndim != 1 or items.shape != times.shape or not len(items):
        raise ValueError(
            f"items has shape {items.shape} and times {times.shape}; expected the "
            "same (n,), at least one event"
        )
    if items.dtype.kind not in "iu" or times.dtype.kind not in "iu":
        raise ValueError(
            f"items is {items.dtype} and times {times.dtype}; expected integers"
        )
    if (times[1:] < times[:-1]).any():
        raise ValueError("times is not sorted; expected the oldest event first")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}; expected a number from 0 to 1")
    return items, times


def _count(rate, items) -> int:
    return int(rate * len(items) + 1e-9)  # 0.29 * 100 is 28.999... in floats


def _check_mode(mode):
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; expected one of {', '.join(MODES)}")


def _window(times, count, rng, mode="random") -> tuple[int, int]:
    """Start and end of a piece of `count` events."""
    _check_mode(mode)
    last = len(times) - count  # the latest start
    if mode == "random":
        start = int(rng.integers(last + 1))
        return start, start + count
    if count < 3:  # at most one interval: all variances are 0
        return last, last + count
    gaps = (times[1:] - times[:-1]).astype(float)
    pieces = gaps[np.arange(last + 1)[:, None] + np.arange(count - 1)]  # (starts, gaps)
    variance = pieces.var(1) if mode == "minimum" else -pieces.var(1)
    best = variance.min()
    start = int(np.flatnonzero(variance <= best + 1e-9 * abs(best))[-1])
    return start, start + count


def _before_gaps(times, count, rng, mode) -> np.ndarray:
    """The events before `count` of the intervals."""
    _check_mode(mode)
    gaps = times[1:] - times[:-1]
    if mode == "random":
        return rng.permutation(len(gaps))[:count]
    latest_first = gaps[::-1] if mode == "minimum" else -gaps[::-1]
    return len(gaps) - 1 - np.argsort(latest_first, kind="stable")[:count]


def _look_up(neighbour, items) -> np.ndarray:
    found = neighbour[items]
    if (found == 0).any():
        raise ValueError(f"item {int(items[found == 0][0])} has no neighbour")
    return found


def _piece(items, times, start, end):
    return items[start:end].copy(), times[start:end].copy()


def _put(items, where, what) -> np.ndarray:
    new = items.copy()
    new[where] = what
    return new


def _shuffle(items, start, end, rng) -> np.ndarray:
    return _put(items, slice(start, end), rng.permutation(items[start:end]))


def _spread(old, where, place, what) -> np.ndarray:
    """`old` with each entry in `where` doubled, and `what` written at `place`."""
    counts = np.ones(len(old), np.int64)
    counts[where] = 2
    return _put(old.repeat(counts), place, what)
