"""Samples of all events of a long log: how much memory they take.

Run with a number of events: ``python -m benchmarks.long_log 10000000``. The log is
drawn at random (users with 50 events on average, 100,000 items); a sample for each
event, with a history of 50 steps, is made and gathered in batches of 4,096. Printed
are the seconds and the highest resident memory of the process, which `--whole` shows
for a table of all histories in place of `Gathered`.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.sequences import liking_samples
from recsys_tutorial.data.tensors import check_data, minibatches

N_ITEMS = 100_001


def draw(n_events: int) -> pd.DataFrame:
    """Draw a log: user, item, rating and time, sorted by user, then time."""
    rng = np.random.default_rng(0)
    user = np.sort(rng.integers(1, n_events // 50 + 2, n_events))
    gaps = rng.integers(1, 1000, n_events)
    return pd.DataFrame(
        {
            "user": user,
            "item": rng.integers(1, N_ITEMS, n_events),
            "rating": rng.integers(1, 6, n_events).astype(np.int8),
            "time": gaps.cumsum(),
        }
    )


def main() -> None:
    """Make the samples, visit them once, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events", type=int)
    parser.add_argument("--whole", action="store_true", help="a table, not Gathered")
    options = parser.parse_args()
    log = draw(options.events)
    report("the log")
    data = liking_samples(log, length=50, minimum=1, gathered=not options.whole)
    assert isinstance(data["history"], Gathered) != options.whole
    report(f"{check_data(data):,} samples")
    steps = sum(int((batch["history"] > 0).sum()) for batch in minibatches(data, 4096))
    report(f"{steps:,} steps of histories, gathered once")


def report(what: str) -> None:
    """Print what has been done, since when, and the highest memory so far."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.process_time():7.1f} s  {memory:5.2f} GB  {what}", flush=True)


if __name__ == "__main__":
    main()
