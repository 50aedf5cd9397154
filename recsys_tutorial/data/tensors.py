"""DataFrame -> tensors: negatives, labels, splits, minibatches.

A batch is a plain ``dict[str, Tensor]`` whose tensors share their first dimension.
Id 0 is padding, everywhere. How columns become ids stands in `fields`; it can be
imported from here, too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import as_integers, check_events
from recsys_tutorial.data.fields import PADDING, Field, encode_fields
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.layers import positive

__all__ = [
    "PADDING",
    "Field",
    "check_data",
    "encode_fields",
    "minibatches",
    "rating_chain",
    "split_rows",
    "take",
    "told_of_data",
    "unseen_items",
]


def unseen_items(
    user: np.ndarray, item: np.ndarray, who: np.ndarray, n_items: int, seed: int
) -> np.ndarray:
    """For each entry of `who` an item that this user has no event of, drawn uniformly.

    Parameters
    ----------
    user, item : arrays of integers
        One entry per event, from 1, of any integer type.
    who : array of integers, shape (N,)
        Users to draw for; one who stands there twice may get the same item twice.
    n_items : int
        Number of ids of items, padding included.

    Returns
    -------
    array of int64, shape (N,)

    Raises
    ------
    ValueError
        If ids are no integers, `user` and `item` differ in length, an item is not in
        1 .. n_items - 1, a user has all items, or there are so many ids of items that
        they cannot be told apart by user.
    """
    user, item = _integers("user", user), _integers("item", item)
    who = _integers("who", who)
    if len(user) != len(item):
        raise ValueError(
            f"user has {len(user)} entries and item {len(item)}; expected one for each "
            "event"
        )
    users, code = np.unique(user, return_inverse=True)
    check_items("item", item, n_items)
    if (len(users) + 1) * n_items >= 2**63:
        raise ValueError(
            f"n_items is {n_items}, too many for {len(users)} users; number the items "
            "from 1: pd.factorize(items)[0] + 1"
        )
    taken = np.unique(code * n_items + item)
    owned = np.bincount(taken // n_items)
    if (owned >= n_items - 1).any():
        raise ValueError(
            f"user {users[owned.argmax()]} has all items, 1 to {n_items - 1}; expected "
            "one that can be a negative"
        )
    place = np.searchsorted(users, who).clip(max=len(users) - 1)
    who = np.where(users[place] == who, place, len(users))  # the last has no event
    draw = np.random.default_rng(seed)
    drawn = np.zeros(len(who), dtype=np.int64)
    wrong = np.arange(len(who))
    while len(wrong):
        drawn[wrong] = draw.integers(1, n_items, len(wrong))
        pairs = who[wrong] * n_items + drawn[wrong]
        place = np.searchsorted(taken, pairs).clip(max=len(taken) - 1)
        wrong = wrong[taken[place] == pairs]
    return drawn


def _integers(name: str, values: np.ndarray) -> np.ndarray:
    if not len(values):
        return np.empty(0, dtype=np.int64)
    column = values if isinstance(values, pd.Series) else pd.Series(np.asarray(values))
    return as_integers(column, name, name)


def check_items(name: str, item: np.ndarray, n_items: int) -> None:
    """Raise ValueError unless there are items, all of them in 1 .. n_items - 1."""
    positive("n_items", n_items)
    if not len(item):
        raise ValueError(f"{name} has no rows; expected at least one")
    for row in (int(item.argmin()), int(item.argmax())):
        if not 1 <= item[row] < n_items:
            raise ValueError(
                f"{name} holds id {item[row]} in row {row}; expected ids of 1 to "
                f"{n_items - 1}, with n_items the highest id + 1"
            )


def rating_chain(
    ratings: pd.DataFrame,
    n_items: int,
    thresholds: tuple[int, ...] = (0, 4),
    *,
    negatives: int = 4,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Ratings in the place of a chain of conversions: rated, rated 4 or more ...

    An impression is an item that the user rated, or one never rated by the user. A
    proxy: it is nested as a real chain is, but nobody was shown these items like this.

    Parameters
    ----------
    ratings : DataFrame
        Columns ``user``, ``item``, ``rating`` and ``time``, ids from 1, in any order.
    n_items : int
        Number of ids of items, padding included.
    thresholds : tuple of int
        ``T`` ratings, ascending: step t happened if the item was rated at least so; 0
        stands for any rating.
    negatives : int
        Unrated items per rating, drawn uniformly; a user may draw one item twice.
    seed : int
        Draws the unrated items.

    Returns
    -------
    dict
        ``features`` (N, 2) int64, user and item; ``labels`` (N, T) float32,
        cumulative; ``time`` (N,) int64, an unrated item's is its rating's, above it.

    Raises
    ------
    ValueError
        As `check_events`, but for the order, and as `unseen_items`; or if
        `thresholds` does not ascend.
    """
    events = check_events(
        ratings, "time", numbers=("rating",), timed=False, name="ratings"
    )
    if not thresholds or list(thresholds) != sorted(set(thresholds)):
        raise ValueError(f"thresholds is {thresholds}; expected ascending ratings")
    user, item, time, rating = events.values()
    who = user.repeat(1 + positive("negatives", negatives)).reshape(len(user), -1)
    drawn = unseen_items(user, item, who[:, 1:].ravel(), n_items, seed)
    items = np.column_stack([item, drawn.reshape(len(user), negatives)])
    labels = torch.zeros(*who.shape, len(thresholds))
    labels[:, 0] = torch.as_tensor(rating[:, None] >= np.array(thresholds)).float()
    return {
        "features": torch.as_tensor(np.stack([who.ravel(), items.ravel()], 1)),
        "labels": labels.flatten(0, 1),
        "time": torch.as_tensor(time.repeat(1 + negatives)),
    }


def split_rows(n_rows: int, test: float, seed: int) -> tuple[Tensor, Tensor]:
    """Random positions of the training and the test rows, each in ascending order.

    Parameters
    ----------
    n_rows : int
        At least 2.
    test : float
        Share of test rows, strictly between 0 and 1.
    seed : int
        Same seed, same split.
    """
    if positive("n_rows", n_rows) < 2:
        raise ValueError("n_rows is 1; expected at least 2, one for each part")
    if not 0 < test < 1:
        raise ValueError(f"test is {test}; expected a share between 0 and 1")
    order = torch.randperm(n_rows, generator=torch.Generator().manual_seed(seed))
    n_test = min(max(round(test * n_rows), 1), n_rows - 1)
    return order[n_test:].sort().values, order[:n_test].sort().values


def take(data: dict[str, Tensor], rows) -> dict[str, Tensor]:
    """The same rows of every tensor of `data`; what is `Gathered` stays so."""
    return {
        name: values.pick(rows) if isinstance(values, Gathered) else values[rows]
        for name, values in data.items()
    }


def check_data(data: dict[str, Tensor]) -> int:
    """Return the number of rows of `data`; ValueError on anything unfit for training.

    Unfit is: no dict, no tensor in it (arrays, lists and tables are none), a sparse or
    nested tensor, no row, lengths that differ, NaN or infinity in a float tensor.
    `Gathered` counts as a tensor.
    """
    if not isinstance(data, dict):
        raise ValueError(
            f"data is a {type(data).__name__}; expected a dict of tensors, {_WAYS}"
        )
    if not data:
        raise ValueError("data is empty; expected a dict of tensors")
    for name, values in data.items():
        if not isinstance(values, Tensor | Gathered):
            raise ValueError(
                f"{name} is a {type(values).__module__.partition('.')[0]} "
                f"{type(values).__name__}; expected a tensor: "
                f"torch.as_tensor({name}), of numbers"
            )
        flat = values.values if isinstance(values, Gathered) else values
        if flat.layout != torch.strided or flat.is_nested:
            kind = "nested" if flat.is_nested else "sparse"
            way = "to_padded_tensor(0)" if flat.is_nested else "to_dense()"
            raise ValueError(f"{name} is a {kind} tensor; expected a dense one: {way}")
        if not len(values.shape):
            raise ValueError(f"{name} is a single number; expected one entry per row")
    lengths = {name: len(values) for name, values in data.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"data has tensors of different lengths {lengths}")
    for name, values in data.items():
        flat = values.values if isinstance(values, Gathered) else values
        if values.dtype.is_floating_point and not flat.isfinite().all():
            row = int((~flat.isfinite()).nonzero()[0, 0])
            what = "event" if isinstance(values, Gathered) else "row"
            raise ValueError(f"{name} holds NaN or infinity, first in {what} {row}")
    n_rows = next(iter(lengths.values()))
    if not n_rows:
        raise ValueError("data has no rows; expected at least one")
    return n_rows


_WAYS = (
    'such as {"history": ..., "label": ...}, whole and in memory: '
    "fit cuts the batches itself"
)


def minibatches(
    data: dict[str, Tensor], size: int, generator: torch.Generator | None = None
) -> Iterator[dict[str, Tensor]]:
    """Batches of up to `size` rows; in shuffled order if a generator is given.

    What is `Gathered` comes out as a tensor.

    The rows are looked up by index in tensors held in memory: for data of this size
    that is far quicker than a ``DataLoader`` over single rows.
    """
    n_rows = len(next(iter(data.values())))
    order = torch.arange(n_rows)
    if generator is not None:
        order = torch.randperm(n_rows, generator=generator)
    for rows in order.split(positive("size", size)):
        yield {name: values[rows] for name, values in data.items()}


@contextmanager
def told_of_data(
    data: dict[str, Tensor], rows: Tensor | None = None, what: str = "data"
) -> Iterator[None]:
    """Where a model finds fault with a batch, say what that means for the `data`.

    A name that the model looks for in vain ends in a ValueError which tells it. A
    ValueError or IndexError that names a row of the batch is told which of the `rows`
    of the data it is.
    """
    try:
        yield
    except KeyError as error:
        name = error.args[0] if error.args else None
        if not isinstance(name, str) or name in data:
            raise
        raise ValueError(
            f"{what} lacks {name!r}, which the model reads; it has {list(data)}"
        ) from error
    except (ValueError, IndexError) as error:
        found = re.search(r"\brow (\d+)\b", str(error))
        if rows is not None and found and int(found[1]) < len(rows):
            row = int(rows[int(found[1])])
            text = f"{error} (a row of the shuffled batch: row {row} of {what})"
            error.args = (text,)
        raise
