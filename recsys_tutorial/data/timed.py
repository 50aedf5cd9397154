"""The times that belong to a leave-one-out split: a model that asks when has to know.

Dimension letters: ``B`` users, ``L`` history length.
"""

import numpy as np
import pandas as pd
import torch

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.leave_one_out import Split


def with_times(events: pd.DataFrame, split: Split, request: bool = False) -> Split:
    """Add ``time`` and ``asked`` to the three parts of a split.

    Parameters
    ----------
    events : DataFrame
        What `leave_one_out` has cut: ``user``, ``item``, ``time``; whole seconds.
    split : Split
        Its result.
    request : bool
        When each step is asked for the next item. False: at its own time, so that no
        later time is known. True: at the time of the next event, as in HSTU's released
        code. Whoever serves requests knows that moment; in a log of ratings it is the
        time of the answer.

    Returns
    -------
    Split
        The same, with ``time`` and ``asked`` ``(B, L)`` in each part, int64; 0 at
        padding.

    Raises
    ------
    ValueError
        As `check_events`; or if the split is not one of these events.
    """
    user, item, time = check_events(events).values()
    starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    newest = item[np.append(starts[1:], len(item)) - 1]
    if not np.array_equal(newest, split.test["target"].numpy()):
        raise ValueError("split is not a split of these events")
    times, L = np.split(time, starts[1:]), split.train["history"].shape[1]

    def part(data, back):
        there = [t[: len(t) - back][-L - 1 :] for t in times]  # the target's, too
        return data | {
            "time": _front([t[:-1] for t in there], L),
            "asked": _front([t[1:] if request else t[:-1] for t in there], L),
        }

    return split._replace(
        train=part(split.train, 2),
        validation=part(split.validation, 1),
        test=part(split.test, 0),
    )


def _front(rows, length):
    table = torch.zeros(len(rows), length, dtype=torch.int64)
    for row, values in zip(table, rows, strict=True):
        row[length - len(values) :] = torch.from_numpy(values.copy())
    return table
