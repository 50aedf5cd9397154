"""Users as tasks: ratings to learn from, the support, and to test on, the query.

Dimension letters: ``N`` rows, ``S`` and ``Q`` ratings in a support and a query.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

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
        Columns ``user``, ``film`` and ``rating``, ids from 1.
    others : DataFrame, optional
        Where the query comes from instead, such as the same users' ratings of new
        films; a film that stands in both may then be in the query alone.
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
        films, in random order, padded with 0 at the end; ``support_rating`` and
        ``query_rating``, float32 of the same shapes, 0 at the padding.

    Raises
    ------
    ValueError
        If a column is missing, an id is below 1, a user rates a film twice, or nobody
        has a rating to ask for.
    """
    for name, table in (("ratings", ratings), ("others", others)):
        if table is not None:
            _check(name, table)
    positive("support", support), positive("query", query)
    draw = np.random.default_rng(seed)
    known = dict(_by_user(ratings))
    asked = known if others is None else dict(_by_user(others))
    rows = []
    for user in sorted(asked) * positive("repeats", repeats):
        target = draw.permutation(asked[user])[:query]  # (Q, 2) film and rating
        rest = draw.permutation(known.get(user, target[:0]))
        rest = rest[~np.isin(rest[:, 0], target[:, 0])][:support]
        rows.append((user, rest, target))
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


def _check(name: str, table: pd.DataFrame) -> None:
    columns = ["user", "film", "rating"]
    if absent := [c for c in columns if c not in table]:
        raise ValueError(f"{name} lacks {absent}; it has {list(table.columns)}")
    if len(table) and table[["user", "film"]].min().min() < 1:
        raise ValueError(f"{name} holds an id below 1; 0 is the padding")
    if table.duplicated(["user", "film"]).any():
        row = int(table.duplicated(["user", "film"]).to_numpy().argmax())
        raise ValueError(f"{name} has a user's second rating of a film in row {row}")


def _by_user(table: pd.DataFrame):
    for user, rows in table.groupby("user"):
        yield int(user), rows[["film", "rating"]].to_numpy()


def _padded(name: str, sets, width: int) -> dict[str, Tensor]:
    items = torch.zeros(len(sets), width, dtype=torch.int64)
    stars = torch.zeros(len(sets), width)
    for n, pairs in enumerate(sets):
        items[n, : len(pairs)] = torch.as_tensor(pairs[:, 0].astype(np.int64))
        stars[n, : len(pairs)] = torch.as_tensor(pairs[:, 1].astype(np.float32))
    return {name: items, f"{name}_rating": stars}
