"""How long the operators take: 100,000 sequences of 50 events, on two processes.

``python benchmarks/augmentation.py [--sequences 100000]``. Half of the work goes to
each process; the figure is that of the slower one, in seconds of wall time.
"""

import argparse
import time

import numpy as np
from joblib import Parallel, delayed

from recsys_tutorial import augment

KINDS = ["crop", "mask", "reorder", "substitute", "insert"]
NAMES = [prefix + kind for kind in KINDS for prefix in ("", "ti_")]
LENGTH, ITEMS, RATE = 50, 10_000, 0.3


def seconds(name, count, seed):
    """Augment `count` sequences by one operator; return what it took."""
    rng = np.random.default_rng(seed)
    items = rng.integers(1, ITEMS, (count, LENGTH))
    times = rng.integers(0, 10**6, (count, LENGTH)).cumsum(1)
    neighbour = np.append(0, rng.integers(1, ITEMS, ITEMS - 1))
    extra = (neighbour,) if "insert" in name or "substitute" in name else ()
    operator = getattr(augment, name)
    start = time.perf_counter()
    for row in range(count):
        operator(items[row], times[row], RATE, rng, *extra)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=100_000)
    half = parser.parse_args().sequences // 2
    with Parallel(n_jobs=2) as both:
        for name in NAMES:
            found = both(delayed(seconds)(name, half, seed) for seed in (0, 1))
            print(f"{name:14} {max(found):5.1f} s")


if __name__ == "__main__":
    main()
