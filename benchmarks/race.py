"""Let several training functions take turns in one process, and tabulate the medians.

Absolute figures drift with the machine and with what else runs on it; ratios between
contestants that take turns are far steadier.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd


class Run(NamedTuple):
    """What one training run took and gave."""

    rows: int  # training rows seen, all epochs together
    seconds: float  # training alone: no data preparation, no evaluation
    scores: dict[str, float]


class Clock:
    """``with Clock() as clock: ...``; afterwards ``clock.seconds``."""

    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self.start


def race(contestants: dict[str, Callable[[int], Run]], rounds: int) -> pd.DataFrame:
    """Call each contestant once per round with the round's number as its seed.

    Returns
    -------
    DataFrame
        One row per contestant: the median of ``rows/s``, its ratio to the first
        contestant's, and the median of each score.
    """
    found = []
    for seed in range(rounds):
        for name, run in contestants.items():
            rows, seconds, scores = run(seed)
            found.append({"": name, "rows/s": rows / seconds, **scores})
            print(f"round {seed + 1}/{rounds}: {name} {rows / seconds:,.0f} rows/s")
    table = pd.DataFrame(found).groupby("", sort=False).median()
    table.insert(1, "ratio", table["rows/s"].iloc[0] / table["rows/s"])
    return table.round({"rows/s": 0, "ratio": 2} | dict.fromkeys(table.columns[2:], 4))
