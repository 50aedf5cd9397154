"""What the sequence chapters share: histories in time order, samples, splits by time.

Events are a table with the columns ``user``, ``item`` and ``time``, sorted by user,
then time, as `load_movielens` gives its ratings and `read_events` any log. Ids start
at 1; id 0 pads. Dimension letters: ``N`` samples, ``L`` history length, ``I`` items,
``G`` genres.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.fields import PADDING
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.movielens import GENRES
from recsys_tutorial.data.tensors import unseen_items
from recsys_tutorial.layers import positive


def histories(
    events: pd.DataFrame,
    length: int,
    column: str = "item",
    where=None,
    rows=None,
    *,
    gathered: bool = False,
) -> Tensor | Gathered:
    """What the user of each event had done before it.

    "Before" is strict: of events with one time, none is in the history of another,
    since their order means nothing.

    Parameters
    ----------
    events : DataFrame
        ``N`` rows, sorted by user, then time.
    length : int
        Longest history ``L``; of a longer past, the latest events are kept.
    column : str
        What to tell of each event in the history; ``"time"`` tells when it was.
    where : array of bool, optional
        ``(N,)``, which events may enter a history; all by default.
    rows : array of int, optional
        Give the histories of these events alone, in this order.
    gathered : bool
        Give `Gathered` in place of a tensor: the same rows, put together when a batch
        asks for them. For long logs: memory grows with ``N``, not with ``N * L``.

    Returns
    -------
    LongTensor, or Gathered
        ``(N, L)``, or one row for each of `rows`; oldest first, padded with 0 at the
        end.

    Raises
    ------
    ValueError
        If `events` is empty or not sorted, lacks a column, or holds a value that is
        not an integer of at least 1; see `check_events`.
    """
    told = check_events(events, column)
    user, values = told["user"], told[column]
    row = np.arange(len(user))
    fresh = np.append(True, user[1:] != user[:-1])  # a user's first event
    start = np.maximum.accumulate(np.where(fresh, row, 0))
    later = fresh | np.append(True, np.diff(told["time"]) != 0)  # a moment's first one
    end = np.maximum.accumulate(np.where(later, row, 0))
    if where is not None:
        enters = np.asarray(where, dtype=bool)
        before = np.append(0, enters.cumsum())  # entering events above each row
        values, start, end = values[enters], before[start], before[end]
    if rows is not None:
        start, end = start[rows], end[rows]
    past = Gathered(*map(torch.tensor, (values, start, end)), length)
    return past if gathered else past[:]


def latest_histories(
    events: pd.DataFrame,
    length: int | None = None,
    column: str = "item",
    *,
    gathered: bool = False,
) -> dict[str, Tensor | Gathered]:
    """What each user has done up to now, the latest event included.

    These are the requests of all users at the end of the log; `histories` tells what
    was known before each event.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time.
    length : int, optional
        Longest history ``L``; of a longer past, the latest events are kept. By default
        all are, so that these may be the items that `top_k` is to leave out.
    column, gathered
        As in `histories`.

    Returns
    -------
    dict
        ``user`` (N,), ascending, and ``history`` (N, L), oldest first, padded with 0 at
        the end; both int64. One row per user.

    Raises
    ------
    ValueError
        As `histories`.
    """
    told = check_events(events, column)
    user, start = np.unique(told["user"], return_index=True)
    end = np.append(start[1:], len(told["user"]))
    longest = int((end - start).max()) if length is None else length
    past = Gathered(*map(torch.tensor, (told[column], start, end)), longest)
    return {"user": torch.tensor(user), "history": past if gathered else past[:]}


def next_item_samples(
    events: pd.DataFrame,
    n_items: int,
    *,
    length: int = 50,
    minimum: int = 5,
    seed: int = 0,
    gathered: bool = False,
) -> dict[str, Tensor]:
    """Which item comes next? Each event, and beside it an item drawn at random.

    The negative is drawn uniformly from the items of which the user has no event,
    neither earlier nor later. It shares the history and the time of its positive.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time.
    n_items : int
        Number ``I`` of ids, padding included.
    length, minimum : int
        Longest history ``L``, and shortest; an event with less makes no sample.
    seed : int
        Draws the negatives.
    gathered : bool
        As in `histories`.

    Returns
    -------
    dict
        ``user`` (N,), ``time`` (N,), ``history`` (N, L) and ``candidate`` (N,), all
        int64, and ``label`` (N,) float32. Each positive, in the order of the events,
        is followed by its negative.

    Raises
    ------
    ValueError
        As `histories`; or if an item is not below `n_items`, no past is long enough,
        or a user has all items, so that there is no negative.
    """
    told = check_events(events)
    history = histories(events, length, gathered=True)
    rows = _with_past(history, minimum)
    user, item = told["user"], told["item"]
    negative = unseen_items(user, item, user[rows], n_items, seed)
    both = rows.repeat(2)
    candidate = item[both]
    candidate[1::2] = negative
    return {
        "user": torch.from_numpy(user[both]),
        "time": torch.from_numpy(told["time"][both]),
        "candidate": torch.from_numpy(candidate),
        "history": _rows_of(history, both, gathered),
        "label": torch.tensor([1.0, 0.0]).repeat(len(rows)),
    }


def liking_samples(
    events: pd.DataFrame,
    *,
    liked: float = 4,
    length: int = 50,
    minimum: int = 5,
    column: str = "rating",
    gathered: bool = False,
) -> dict[str, Tensor]:
    """Will the user like this item? Each event, after the items liked before.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time, with a column of numbers, ``rating``.
    liked : float
        The label is 1 from this rating on; 1, if the column says clicked or not.
    length, minimum : int
        As in `next_item_samples`, of the liked items.
    column : str
        Where the ratings stand, or the clicks: 0 and 1, or False and True.
    gathered : bool
        As in `histories`.

    Returns
    -------
    dict
        As `next_item_samples`; one row per event.
    """
    told = check_events(events, numbers=(column,))
    likes = told[column] >= liked
    history = histories(events, length, where=likes, gathered=True)
    rows = _with_past(history, minimum)
    names = {"user": "user", "time": "time", "candidate": "item"}
    data = {k: torch.from_numpy(told[c][rows]) for k, c in names.items()}
    return data | {
        "history": _rows_of(history, rows, gathered),
        "label": torch.as_tensor(likes[rows].astype(np.float32)),
    }


def split_by_time(
    time: Tensor, validation: float = 0.1, test: float = 0.2
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows for training, validation and test, cut at two moments.

    Whatever a model is trained on lies before all that it is tested on: no event of
    the future is known, of no user. Rows of one moment stay together.

    Parameters
    ----------
    time : LongTensor
        ``(N,)``, the time of each sample.
    validation, test : float
        Shares of the rows, the latest for the test; together below 1.

    Returns
    -------
    tuple of LongTensor
        Row numbers, ascending; none of the three is empty.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise ValueError(
            f"validation is {validation} and test is {test}; expected shares above 0 "
            "that leave something for training"
        )
    late = time.sort().values[
        [int(len(time) * (1 - x)) for x in (validation + test, test)]
    ]
    part = torch.bucketize(time, late, right=True)  # 0, 1 or 2
    parts = tuple((part == p).nonzero().flatten() for p in range(3))
    if any(len(rows) == 0 for rows in parts):
        raise ValueError(
            f"time has {len(time)} rows and {len(time.unique())} values; too few to "
            "cut into three parts"
        )
    return parts


def item_counts(data: dict[str, Tensor], n_items: int) -> Tensor:
    """How many samples have an item, in the history or as candidate: ``(I,)`` floats.

    The n_j of Eq. (4) of Zhou et al. 2018.
    """
    counts = torch.zeros(n_items)
    for rows in torch.arange(len(data["candidate"])).split(4096):
        has = torch.cat([data["history"][rows], data["candidate"][rows, None]], 1)
        has = has.sort(1).values
        again = has[:, 1:] == has[:, :-1]  # of one sample, an item counts once
        counts += torch.bincount(has[:, 1:][~again], minlength=n_items)
        counts += torch.bincount(has[:, 0], minlength=n_items)
    return counts


def film_titles(films: pd.DataFrame) -> list[str]:
    """Titles by id, for reading: article in front, year behind; id 0 is padding."""
    _check_films(films)
    titles = [PADDING] * (int(films["item"].max()) + 1)
    for film, title, year in zip(
        films["item"], films["title"], films["year"], strict=True
    ):
        name, comma, article = title.rpartition(", ")
        if comma and article in ("The", "A", "An"):
            title = f"{article} {name}"
        titles[film] = title if pd.isna(year) else f"{title} ({year})"
    return titles


def film_genres(films: pd.DataFrame) -> Tensor:
    """Genres by id: ``(I, G)`` floats, 1 where a film has the genre; row 0 is zero."""
    _check_films(films)
    table = torch.zeros(int(films["item"].max()) + 1, len(GENRES))
    for row, (film, genres) in enumerate(
        zip(films["item"], films["genres"], strict=True)
    ):
        if not isinstance(genres, list | tuple) or not set(genres) <= set(GENRES):
            raise ValueError(
                f"genres holds {genres!r} in row {row}; expected a list of names out "
                "of movielens.GENRES"
            )
        table[film, [GENRES.index(genre) for genre in genres]] = 1.0
    return table


def _check_films(films: pd.DataFrame) -> None:
    """Raise ValueError unless the films have an id each, from 1."""
    check_events(films, ids=("item",), timed=False, unique=("item",), name="films")


def _with_past(history: Gathered, minimum: int) -> np.ndarray:
    """Rows whose history has `minimum` steps or more."""
    rows = np.flatnonzero(history.count.numpy() >= positive("minimum", minimum))
    if not len(rows):
        raise ValueError(f"no event has a history of {minimum} steps, the minimum")
    return rows


def _rows_of(history: Gathered, rows: np.ndarray, gathered: bool) -> Tensor | Gathered:
    rows = torch.from_numpy(rows)
    return history.pick(rows) if gathered else history[rows]
