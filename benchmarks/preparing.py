"""Loading, batches, negatives and augmentation: how long each takes.

``python -m benchmarks.preparing [--rounds 5]`` needs no library but the book's. Data
sets are read from the cache, which the first round fills. Where there is a usual way,
it takes turns with the book's: a loop over the rows, or torch's `DataLoader`, which
fetches row by row what the book's `minibatches` looks up batch by batch. Medians; one
thread and one process, as everything here is.

Saved columns: ``task``; ``rows`` that come out of it; ``seconds``; what it is compared
with in ``other``, and ``other_seconds``; ``repeats`` of the measurement.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.store import save
from recsys_tutorial import augment
from recsys_tutorial.data import load_census, load_movielens
from recsys_tutorial.data.leave_one_out import leave_one_out
from recsys_tutorial.data.sequences import next_item_samples
from recsys_tutorial.data.sessions import session_samples
from recsys_tutorial.data.tensors import encode_fields, minibatches, unseen_items

FILMS, LENGTH, BATCH = 1683, 50, 512
SEQUENCES, RATE = 2000, 0.3  # to augment
KINDS = ["crop", "mask", "reorder", "substitute", "insert"]


class Task(NamedTuple):
    """Something to do, how many rows come out of it, and the usual way if there is."""

    rows: int
    work: Callable[[], object]
    other: str = ""
    usual: Callable[[], object] | None = None


def tasks() -> dict[str, Task]:
    adult, ratings = load_census(), load_movielens().ratings
    samples = next_item_samples(ratings, FILMS, length=LENGTH)
    n = len(samples["label"])
    every = torch.arange(len(adult))
    columns = ["age", "workclass", "education", "occupation", "hours_per_week"]
    found = {
        "read UCI Adult": Task(len(adult), load_census),
        "read MovieLens-100K": Task(len(ratings), load_movielens),
        "encode 5 columns": Task(
            len(adult), partial(encode_fields, adult, columns, every)
        ),
        "histories of 50": Task(
            n, partial(next_item_samples, ratings, FILMS, length=LENGTH)
        ),
        "sittings": Task(
            len(session_samples(ratings)["target"]), partial(session_samples, ratings)
        ),
        "leave one out": Task(
            ratings["user"].nunique(), partial(leave_one_out, ratings, FILMS, LENGTH)
        ),
        "batches of 512": Task(
            n, partial(batches, samples), "DataLoader", partial(loader, samples)
        ),
        "negatives": Task(len(ratings), *negatives(ratings["user"], ratings["item"])),
    }
    return found | {name: operator(name) for name in operators()}


def batches(data):
    for _ in minibatches(data, BATCH, torch.Generator().manual_seed(0)):
        pass


def loader(data):
    for _ in DataLoader(TensorDataset(*data.values()), BATCH, shuffle=True):
        pass


def negatives(user, item):
    """For each event an item that its user has not: all at once, and one by one."""
    user, item = user.to_numpy(), item.to_numpy()

    def one_by_one():
        seen, draw = {}, np.random.default_rng(0)
        for u, i in zip(user.tolist(), item.tolist(), strict=True):
            seen.setdefault(u, set()).add(i)
        drawn = []
        for u in user.tolist():
            i = int(draw.integers(1, FILMS))
            while i in seen[u]:
                i = int(draw.integers(1, FILMS))
            drawn.append(i)
        return np.array(drawn)

    quick = partial(unseen_items, user, item, user, FILMS, seed=0)
    return quick, "draw one by one", one_by_one


def operators():
    return [prefix + kind for kind in KINDS for prefix in ("", "ti_")]


def operator(name):
    """Augment sequences of 50 events by one operator."""
    draw = np.random.default_rng(0)
    items = draw.integers(1, FILMS, (SEQUENCES, LENGTH))
    times = draw.integers(0, 10**6, (SEQUENCES, LENGTH)).cumsum(1)
    neighbour = np.append(0, draw.integers(1, FILMS, FILMS - 1))
    extra = (neighbour,) if "insert" in name or "substitute" in name else ()
    change = getattr(augment, name)

    def work():
        for row in range(SEQUENCES):
            change(items[row], times[row], RATE, draw, *extra)

    return Task(SEQUENCES, work)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(name: str, task: Task, rounds: int) -> dict:
    """Let both ways take turns; give the line of the table."""
    ways = [task.work, task.usual] if task.usual else [task.work]
    taken = [[seconds(way) for way in ways] for _ in range(rounds)]
    medians = [median(column) for column in zip(*taken, strict=True)]
    return {
        "task": name,
        "rows": task.rows,
        "seconds": medians[0],
        "other": task.other,
        "other_seconds": medians[1] if task.usual else np.nan,
        "repeats": rounds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--save", metavar="FOLDER", help="keep it in preparing.csv there"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = [measure(name, task, options.rounds) for name, task in tasks().items()]
    table = pd.DataFrame(found)
    print(table.round(4).to_string(index=False))
    if options.save:
        save(Path(options.save) / "preparing.csv", table, "task")


if __name__ == "__main__":
    main()
