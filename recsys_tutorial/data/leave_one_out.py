"""One sequence a user; its last item for the test, the one before for validation.

Events are a table with the columns ``user``, ``item`` and ``timestamp``, sorted by
user, then time. Ids start at 1; id 0 pads, in front. Dimension letters: ``B`` users,
``L`` history length, ``I`` items.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

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
        ``user``, ``item`` and ``timestamp``; each user has four or more.
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
        If a column lacks, the order is not as told, an id is out of range, or a user
        has less than four events.
    """
    if absent := [c for c in ("user", "item", "timestamp") if c not in events]:
        raise ValueError(f"events lacks {absent}; it has {list(events.columns)}")
    user, item, time = (events[c].to_numpy() for c in ("user", "item", "timestamp"))
    same = user[1:] == user[:-1]
    if (
        not len(user)
        or (user[1:] < user[:-1]).any()
        or (same & (np.diff(time) < 0)).any()
    ):
        raise ValueError("events is empty or not sorted by user and timestamp")
    if item.min() < 1 or item.max() >= n_items:
        raise ValueError(
            f"item holds ids from {item.min()} to {item.max()}; expected 1 to "
            f"{n_items - 1}"
        )
    starts = np.flatnonzero(np.append(True, ~same))
    if np.diff(np.append(starts, len(user))).min() < 4:
        raise ValueError("a user has less than four events, too few to leave two out")
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
