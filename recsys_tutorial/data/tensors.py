"""DataFrame -> tensors: categories to ids, numbers to bins, splits, minibatches.

A batch is a plain ``dict[str, Tensor]`` whose tensors share their first dimension.
Id 0 is padding, everywhere.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.layers import positive

PADDING = "(padding)"


class Field(NamedTuple):
    """What the ids of one column mean: ``labels[i]`` is the reading of id ``i``."""

    name: str
    labels: list[str]


def encode_fields(
    frame: pd.DataFrame, columns: list[str], train, bins: int = 10
) -> tuple[Tensor, list[Field]]:
    """Turn the columns of a table into ids, one field per column.

    A categorical column's ids are its declared categories. A number is cut into
    quantile bins whose edges come from the training rows alone; a value that fills
    more than half of the rows (no capital gain, say) is an edge of its own, and the
    quantiles are those of the other rows.

    Parameters
    ----------
    frame : DataFrame
        ``N`` rows, no missing value in `columns`.
    columns : list of str
        The ``F`` columns to encode, of categorical, integer or float dtype.
    train : array of int or bool
        The training rows, as positions or as a mask.
    bins : int
        Number of quantile bins; equal edges are merged.

    Returns
    -------
    ids : LongTensor
        ``(N, F)``, from 1; 0 is kept for padding.
    fields : list of Field
        How to read the ids.

    Raises
    ------
    ValueError
        If the table is empty, a column is missing, holds NaN or is of another dtype.
    """
    if not len(frame):
        raise ValueError("frame has no rows; expected at least one")
    if absent := [c for c in columns if c not in frame]:
        raise ValueError(f"frame lacks {absent}; it has {list(frame.columns)}")
    positive("bins", bins)
    ids, fields = [], []
    for column in columns:
        values = frame[column]
        if values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise ValueError(f"column {column!r} holds a missing value in row {row}")
        if isinstance(values.dtype, pd.CategoricalDtype):
            labels = [str(c) for c in values.cat.categories]
            code = values.cat.codes.to_numpy()
        elif values.dtype.kind in "iuf":
            values = values.to_numpy(dtype=float)
            edges = _bin_edges(values[train], bins)
            code = np.searchsorted(edges, values)  # edges[i - 1] < value <= edges[i]
            labels = [f"<= {e:g}" for e in edges] + [f"> {edges[-1]:g}"]
        else:
            raise ValueError(
                f"column {column!r} has dtype {values.dtype}; expected a category "
                "or a number"
            )
        ids.append(torch.as_tensor(code.astype(np.int64) + 1))
        fields.append(Field(column, [PADDING, *labels]))
    return torch.stack(ids, 1), fields


def _bin_edges(values: np.ndarray, bins: int) -> np.ndarray:
    levels, counts = np.unique(values, return_counts=True)
    common = levels[counts.argmax()]
    edges = []
    if len(levels) > 1 and counts.max() > len(values) / 2:
        edges, values = [common], values[values != common]
    quantiles = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(np.concatenate([edges, quantiles]))


def unseen_items(
    user: np.ndarray, film: np.ndarray, who: np.ndarray, n_items: int, seed: int
) -> np.ndarray:
    """For each entry of `who` a film that this user has no event of, drawn uniformly.

    Parameters
    ----------
    user, film : arrays of int64
        One entry per event, from 1.
    who : array of int64, shape (N,)
        Users to draw for; one who stands there twice may get the same film twice.
    n_items : int
        Number of ids of films, padding included.

    Returns
    -------
    array of int64, shape (N,)

    Raises
    ------
    ValueError
        If a film is not in 1 .. n_items - 1, or a user has all films.
    """
    if film.min() < 1 or film.max() >= positive("n_items", n_items):
        wrong = film.min() if film.min() < 1 else film.max()
        raise ValueError(f"film holds id {wrong}; expected ids of 1 to {n_items - 1}")
    taken = np.unique(user * n_items + film)
    if (np.bincount(taken // n_items) >= n_items - 1).any():
        raise ValueError("a user has all films; expected one that can be a negative")
    draw = np.random.default_rng(seed)
    drawn = np.zeros(len(who), dtype=np.int64)
    wrong = np.arange(len(who))
    while len(wrong):
        drawn[wrong] = draw.integers(1, n_items, len(wrong))
        pairs = who[wrong] * n_items + drawn[wrong]
        place = np.searchsorted(taken, pairs).clip(max=len(taken) - 1)
        wrong = wrong[taken[place] == pairs]
    return drawn


def rating_chain(
    ratings: pd.DataFrame,
    n_films: int,
    thresholds: tuple[int, ...] = (0, 4),
    *,
    negatives: int = 4,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Ratings in the place of a chain of conversions: rated, rated 4 or more ...

    An impression is a film that the user rated, or one never rated by the user. A
    proxy: it is nested as a real chain is, but nobody was shown these films like this.

    Parameters
    ----------
    ratings : DataFrame
        Columns ``user``, ``film``, ``rating`` and ``timestamp``, ids from 1.
    n_films : int
        Number of ids of films, padding included.
    thresholds : tuple of int
        ``T`` ratings, ascending: step t happened if the film was rated at least so; 0
        stands for any rating.
    negatives : int
        Unrated films per rating, drawn uniformly; a user may draw one film twice.
    seed : int
        Draws the unrated films.

    Returns
    -------
    dict
        ``features`` (N, 2) int64, user and film; ``labels`` (N, T) float32,
        cumulative; ``time`` (N,) int64, an unrated film's is its rating's, above it.
    """
    names = ["user", "film", "rating", "timestamp"]
    if absent := [c for c in names if c not in ratings]:
        raise ValueError(f"ratings lacks {absent}; it has {list(ratings.columns)}")
    if not len(ratings):
        raise ValueError("ratings has no rows; expected at least one")
    if not thresholds or list(thresholds) != sorted(set(thresholds)):
        raise ValueError(f"thresholds is {thresholds}; expected ascending ratings")
    user, film, rating, time = (ratings[c].to_numpy() for c in names)
    who = user.repeat(1 + positive("negatives", negatives)).reshape(len(user), -1)
    drawn = unseen_items(user, film, who[:, 1:].ravel(), n_films, seed)
    films = np.column_stack([film, drawn.reshape(len(user), negatives)])
    labels = torch.zeros(*who.shape, len(thresholds))
    labels[:, 0] = torch.as_tensor(rating[:, None] >= np.array(thresholds)).float()
    return {
        "features": torch.as_tensor(np.stack([who.ravel(), films.ravel()], 1)),
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
    """The same rows of every tensor of `data`."""
    return {name: values[rows] for name, values in data.items()}


def check_data(data: dict[str, Tensor]) -> int:
    """Return the number of rows of `data`; ValueError on anything unfit for training.

    Unfit is: no tensor, no row, lengths that differ, NaN or infinity in a float
    tensor.
    """
    if not data:
        raise ValueError("data is empty; expected a dict of tensors")
    lengths = {name: len(values) for name, values in data.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"data has tensors of different lengths {lengths}")
    for name, values in data.items():
        if values.is_floating_point() and not values.isfinite().all():
            row = int((~values.isfinite()).nonzero()[0, 0])
            raise ValueError(f"{name} holds NaN or infinity, first in row {row}")
    n_rows = next(iter(lengths.values()))
    if not n_rows:
        raise ValueError("data has no rows; expected at least one")
    return n_rows


def minibatches(
    data: dict[str, Tensor], size: int, generator: torch.Generator | None = None
) -> Iterator[dict[str, Tensor]]:
    """Batches of up to `size` rows; in shuffled order if a generator is given.

    The rows are looked up by index in tensors held in memory: for data of this size
    that is far quicker than a ``DataLoader`` over single rows.
    """
    n_rows = len(next(iter(data.values())))
    order = torch.arange(n_rows)
    if generator is not None:
        order = torch.randperm(n_rows, generator=generator)
    for rows in order.split(positive("size", size)):
        yield take(data, rows)
