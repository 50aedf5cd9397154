"""A history altered by the operators of `augment`, with NumPy's own random numbers."""

import numpy as np

from recsys_tutorial import augment

SPAN = {
    "items": 0,
    "times": 0,
    "ti_items": 0,
    "ti_times": 0,
    "original": 100,
    "variances": 100,
    "ti_variance": 100,
}
ORDER = set()
BREAKS = {
    "gaps are counted from the start": ("times[i])).reverse()", "times[i]))"),
    "the least even piece": ("map((v) => -v)", "map((v) => v)"),
    "the smallest gaps are filled": ("SUBSTITUTE ? -1 : 1", "SUBSTITUTE ? -1 : -1"),
    "masked events count": ("items[i] !== HIDDEN)", "true)"),
    "an insertion by time comes before": ("timed ? i + 1 : i, 0, [", "i, 0, ["),
    "an insertion at the end of its gap": ("Math.floor((right - left) / 2)", "0"),
    "shuffles are exchanged": ("orders : data.shuffles)", "shuffles : data.orders)"),
    "masked items are new ones": ("MASK ? HIDDEN : NEW", "MASK ? NEW : HIDDEN"),
}  # fmt: skip
OPERATORS = ["crop", "mask", "reorder", "substitute", "insert"]
KIND = {"substitute", "insert"}


def states(draw, kept):
    while True:
        yield {
            "operator": draw.randrange(5),
            "rate": draw.randint(1, 9),
            "draw": draw.randrange(10),
        }


def answer(numbers, words, state):
    times = numbers["times"].numpy()
    random = [altered(times, state, seed) for seed in range(10)]
    items, when = random[state["draw"]]
    ti_items, ti_when = altered(times, state, state["draw"], "ti_")
    return {
        "items": items,
        "times": when,
        "ti_items": ti_items,
        "ti_times": ti_when,
        "original": augment.interval_variance(times / 60),
        "variances": [even(*pair) for pair in random],
        "ti_variance": even(ti_items, ti_when),
    }


def altered(times, state, seed, prefix=""):
    """Items are numbered from 1; a neighbour of any is -1 here."""
    name = OPERATORS[state["operator"]]
    items = np.arange(1, len(times) + 1)
    neighbour = [np.full(len(items) + 1, -1)] if name in KIND else []
    mode = {"mode": "maximum"} if prefix + name == "ti_mask" else {}
    operator = getattr(augment, prefix + name)
    rng = np.random.default_rng(seed)
    return operator(items, times, state["rate"] / 10, rng, *neighbour, **mode)


def even(items, times):
    return augment.interval_variance(times[items != 0] / 60)
