"""Users as tasks: ratings to learn from, the support, and to test on, the query.

Dimension letters: ``N`` rows, ``S`` and ``Q`` ratings in a support and a query.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.layers import positive


def user_tasks(
    ratings: pd.DataFrame,
    others: pd.DataFrame | None = None,
    *,
    support: int = 20,
    query: int = 10,
    repeats: int = 1,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Split each user's ratings, at random, into a support and a query.

    The query is filled first. A user with no more than `query` ratings has an empty
    support; one without a rating to ask for has no row.

    Parameters
    ----------
    ratings : DataFrame
        Columns ``user``, ``item`` and ``rating``, ids from 1, in any order.
    others : DataFrame, optional
        Where the query comes from instead, such as the same users' ratings of new
        items; an item that stands in both may then be in the query alone.
    support, query : int
        Most ratings of a user in either set.
    repeats : int
        Rows per user, each split anew.
    seed : int
        Same seed, same sets.

    Returns
    -------
    dict
        ``user`` (N,) int64; ``support`` (N, S) and ``query`` (N, Q) int64 ids of
        items, in random order, padded with 0 at the end; ``support_rating`` and
        ``query_rating``, float32 of the same shapes, 0 at the padding.

    Raises
    ------
    ValueError
        As `check_events`, but for the order; or if a user rates an item twice, or
        nobody has a rating to ask for.
    """
    known = _by_user("ratings", ratings)
    asked = known if others is None else _by_user("others", others)
    positive("support", support), positive("query", query)
    draw = np.random.default_rng(seed)
    nothing = np.empty(0, dtype=np.int64), np.empty(0)
    rows = []
    for user in sorted(asked) * positive("repeats", repeats):
        target = _shuffled(draw, *asked[user])  # items and ratings
        target = [values[:query] for values in target]
        rest = _shuffled(draw, *known.get(user, nothing))
        old = ~np.isin(rest[0], target[0])
        rows.append((user, [values[old][:support] for values in rest], target))
    if not rows:
        raise ValueError("nobody has a rating to ask for; expected at least one user")
    users, supports, queries = zip(*rows, strict=True)
    return (
        {"user": torch.tensor(users)}
        | _padded("support", supports, support)
        | _padded("query", queries, query)
    )


def shorten(tasks: dict[str, Tensor], size) -> dict[str, Tensor]:
    """The same tasks with only the first `size` ratings of each support.

    `size` is a number for all, or a tensor ``(N,)``; the order is random as it is.
    """
    keep = torch.arange(tasks["support"].shape[1]) < torch.as_tensor(size)[..., None]
    cut = {name: tasks[name] * keep for name in ("support", "support_rating")}
    return tasks | cut


def _by_user(name: str, table: pd.DataFrame) -> dict[int, list[np.ndarray]]:
    """Items and ratings of each user, in the order of the table."""
    told = check_events(
        table,
        numbers=("rating",),
        timed=False,
        unique=("user", "item"),
        empty=True,
        name=name,
    )
    order = told["user"].argsort(kind="stable")
    users, starts = np.unique(told["user"][order], return_index=True)
    parts = (np.split(told[c][order], starts[1:]) for c in ("item", "rating"))
    return dict(zip(users.tolist(), zip(*parts, strict=True), strict=False))


def _shuffled(draw: np.random.Generator, *columns: np.ndarray) -> list[np.ndarray]:
    order = draw.permutation(len(columns[0]))
    return [values[order] for values in columns]


def _padded(name: str, sets, width: int) -> dict[str, Tensor]:
    items = torch.zeros(len(sets), width, dtype=torch.int64)
    stars = torch.zeros(len(sets), width)
    for n, (item, rating) in enumerate(sets):
        items[n, : len(item)] = torch.as_tensor(item)
        stars[n, : len(item)] = torch.as_tensor(rating.astype(np.float32))
    return {name: items, f"{name}_rating": stars}
