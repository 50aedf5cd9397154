"""One sequence a user; its last item for the test, the one before for validation.

Events are a table with the columns ``user``, ``item`` and ``time``, sorted by user,
then time. Ids start at 1; id 0 pads, in front. Dimension letters: ``B`` users,
``L`` history length, ``I`` items.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.tensors import check_items
from recsys_tutorial.layers import positive
from recsys_tutorial.metrics import target_ranks


class Split(NamedTuple):
    """What `leave_one_out` returns; all of it in the order of the users."""

    sequences: list[tuple[np.ndarray, np.ndarray]]  # (items, times) for training
    train: dict[str, Tensor]  # history and target, both (B, L)
    validation: dict[str, Tensor]  # history (B, L), target (B,), seen (B, I)
    test: dict[str, Tensor]  # the same, one item later


def leave_one_out(events: pd.DataFrame, n_items: int, length: int = 50) -> Split:
    """Cut each user's sequence into training, validation and test.

    Parameters
    ----------
    events : DataFrame
        ``user``, ``item`` and ``time``; each user has four or more.
    n_items : int
        Number ``I`` of ids, padding included.
    length : int
        Longest history ``L``: all that is older than the last ``L + 1`` training items
        is dropped, from the training and from the histories.

    Returns
    -------
    Split
        ``seen`` tells the items of the whole past, dropped ones included; a target that
        the user had before is not among them, so that it stays a candidate.

    Raises
    ------
    ValueError
        As `check_events`; or if an item is not below `n_items`, a user has less than
        four events, or ``seen`` would take more than 10 GB.
    """
    user, item, time = check_events(events).values()
    check_items("item", item, n_items)
    starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    count = np.diff(np.append(starts, len(user)))
    if count.min() < 4:
        who = user[starts[count.argmin()]]
        raise ValueError(
            f"user {who} has {count.min()} events; expected four or more, as two are "
            f'left out: events.groupby("user").filter(lambda e: len(e) >= 4)'
        )
    if len(starts) * n_items > 10**10:
        raise ValueError(
            f"n_items is {n_items}, too many for {len(starts)} users; expected items "
            "that are numbered from 1: pd.factorize(items)[0] + 1"
        )
    positive("length", length)
    past = list(
        zip(np.split(item, starts[1:]), np.split(time, starts[1:]), strict=True)
    )
    kept = [(i[:-2][-length - 1 :], t[:-2][-length - 1 :]) for i, t in past]
    train = {
        "history": _front_padded([i[:-1] for i, _ in kept], length),
        "target": _front_padded([i[1:] for i, _ in kept], length),
    }
    parts = [_held_out([i for i, _ in past], back, n_items, length) for back in (2, 1)]
    return Split(kept, train, *parts)


def item_ranks(model, data: dict[str, Tensor], rows: int = 512) -> np.ndarray:
    """Place of each user's target among all items but the seen ones: ``(B,)``."""
    ranks = []
    with torch.no_grad():
        for start in range(0, len(data["target"]), rows):
            part = {k: v[start : start + rows] for k, v in data.items()}
            scores = model(part).masked_fill(part["seen"], -torch.inf)
            ranks.append(target_ranks(scores, part["target"]))
    return np.concatenate(ranks)


def _held_out(items, back, n_items, length):
    """The item `back` places from the end as target, what is before as history."""
    target = torch.tensor([int(i[-back]) for i in items])
    seen = torch.zeros(len(items), n_items, dtype=torch.bool)
    for row, i in enumerate(items):
        seen[row, torch.from_numpy(i[:-back].copy())] = True
    seen[torch.arange(len(items)), target] = False
    history = _front_padded([i[:-back] for i in items], length)
    return {"history": history, "target": target, "seen": seen}


def _front_padded(rows, length) -> Tensor:
    table = torch.zeros(len(rows), length, dtype=torch.int64)
    for row, values in zip(table, rows, strict=True):
        values = torch.from_numpy(values[-length:].copy())
        row[length - len(values) :] = values
    return table
