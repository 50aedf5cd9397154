"""What the sequence chapters share: histories in time order, samples, splits by time.

Events are a table with the columns ``user``, ``film`` and ``timestamp``, sorted by
user, then time, as `load_movielens` gives its ratings. Ids start at 1; id 0 pads.
Dimension letters: ``N`` samples, ``L`` history length, ``I`` items, ``G`` genres.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.movielens import GENRES
from recsys_tutorial.data.tensors import PADDING, unseen_items
from recsys_tutorial.layers import positive


def histories(
    events: pd.DataFrame, length: int, column: str = "film", where=None, rows=None
) -> Tensor:
    """What the user of each event had done before it.

    "Before" is strict: of events with one timestamp, none is in the history of
    another, since their order means nothing.

    Parameters
    ----------
    events : DataFrame
        ``N`` rows, sorted by user, then time.
    length : int
        Longest history ``L``; of a longer past, the latest events are kept.
    column : str
        What to tell of each event in the history; ``"timestamp"`` tells when it was.
    where : array of bool, optional
        ``(N,)``, which events may enter a history; all by default.
    rows : array of int, optional
        Give the histories of these events alone, in this order.

    Returns
    -------
    LongTensor
        ``(N, L)``, or one row for each of `rows`; oldest first, padded with 0 at the
        end.

    Raises
    ------
    ValueError
        If `events` is empty or not sorted, lacks a column, or holds a value that is
        not an integer of at least 1.
    """
    check_events(events, column)
    order = pd.Series(np.arange(len(events)))
    enters = np.ones(len(events), bool) if where is None else np.asarray(where)
    values = np.append(events[column].to_numpy()[enters], 0)
    before = np.concatenate([[0], enters.cumsum()])  # entering events above each row
    start = before[order.groupby(events["user"].to_numpy()).transform("min")]
    tie = [events["user"].to_numpy(), events["timestamp"].to_numpy()]
    end = before[order.groupby(tie).transform("min")]
    if rows is not None:
        start, end = start[rows], end[rows]
    count = np.minimum(end - start, positive("length", length))[:, None]  # (N, 1)
    steps = np.arange(length)
    source = np.where(steps < count, end[:, None] - count + steps, -1)  # (N, L)
    return torch.as_tensor(values[source])


def next_item_samples(
    events: pd.DataFrame,
    n_items: int,
    *,
    length: int = 50,
    minimum: int = 5,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Which film comes next? Each event, and beside it a film drawn at random.

    The negative is drawn uniformly from the films of which the user has no event,
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

    Returns
    -------
    dict
        ``user`` (N,), ``time`` (N,), ``history`` (N, L) and ``candidate`` (N,), all
        int64, and ``label`` (N,) float32. Each positive, in the order of the events,
        is followed by its negative.

    Raises
    ------
    ValueError
        As `histories`; or if a film is not below `n_items`, no past is long enough,
        or a user has all films, so that there is no negative.
    """
    data, rows = _with_history(events, histories(events, length), minimum)
    user, film = events["user"].to_numpy(), events["film"].to_numpy()
    negative = unseen_items(user, film, user[rows], n_items, seed)
    candidate = torch.stack([data["candidate"], torch.as_tensor(negative)], 1)
    return {k: v.repeat_interleave(2, 0) for k, v in data.items()} | {
        "candidate": candidate.flatten(),
        "label": torch.tensor([1.0, 0.0]).repeat(len(rows)),
    }


def liking_samples(
    events: pd.DataFrame, *, liked: int = 4, length: int = 50, minimum: int = 5
) -> dict[str, Tensor]:
    """Will the user like this film? Each event, after the films liked before.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time, with a column ``rating``.
    liked : int
        The label is 1 from this rating on.
    length, minimum : int
        As in `next_item_samples`, of the liked films.

    Returns
    -------
    dict
        As `next_item_samples`; one row per event.
    """
    check_events(events, "rating")
    likes = (events["rating"] >= liked).to_numpy()
    history = histories(events, length, where=likes)
    data, rows = _with_history(events, history, minimum)
    return data | {"label": torch.as_tensor(likes[rows].astype(np.float32))}


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
    for rows in torch.cat([data["history"], data["candidate"][:, None]], 1).split(4096):
        has = torch.zeros(len(rows), n_items).scatter_(1, rows, 1.0)
        counts += has.sum(0)
    return counts


def film_titles(films: pd.DataFrame) -> list[str]:
    """Titles by id, for reading: article in front, year behind; id 0 is padding."""
    titles = [PADDING] * (int(films["film"].max()) + 1)
    for film, title, year in zip(
        films["film"], films["title"], films["year"], strict=True
    ):
        name, comma, article = title.rpartition(", ")
        if comma and article in ("The", "A", "An"):
            title = f"{article} {name}"
        titles[film] = title if pd.isna(year) else f"{title} ({year})"
    return titles


def film_genres(films: pd.DataFrame) -> Tensor:
    """Genres by id: ``(I, G)`` floats, 1 where a film has the genre; row 0 is zero."""
    table = torch.zeros(int(films["film"].max()) + 1, len(GENRES))
    for film, genres in zip(films["film"], films["genres"], strict=True):
        table[film, [GENRES.index(genre) for genre in genres]] = 1.0
    return table


def check_events(events: pd.DataFrame, *columns: str) -> None:
    """Raise ValueError unless `events` is as the head of this module says."""
    needed = list(dict.fromkeys(["user", "film", "timestamp", *columns]))
    if absent := [c for c in needed if c not in events]:
        raise ValueError(f"events lacks {absent}; it has {list(events.columns)}")
    if not len(events):
        raise ValueError("events has no rows; expected at least one")
    for column in needed:
        values = events[column]
        if values.dtype.kind not in "iu" or values.min() < 1:
            raise ValueError(
                f"{column} has dtype {values.dtype} and minimum {values.min()}; "
                "expected integers of at least 1"
            )
    user, time = events["user"].to_numpy(), events["timestamp"].to_numpy()
    back = (user[1:] < user[:-1]) | (user[1:] == user[:-1]) & (time[1:] < time[:-1])
    if back.any():
        raise ValueError(
            f"events is not sorted by user and timestamp, first at row "
            f"{int(back.argmax()) + 1}"
        )


def _with_history(
    events: pd.DataFrame, history: Tensor, minimum: int
) -> tuple[dict[str, Tensor], np.ndarray]:
    """The events whose history has `minimum` steps, as tensors; and their rows."""
    rows = ((history > 0).sum(1) >= positive("minimum", minimum)).nonzero().flatten()
    if not len(rows):
        raise ValueError(f"no event has a history of {minimum} steps, the minimum")
    kept = events.iloc[rows.numpy()]
    names = {"user": "user", "time": "timestamp", "candidate": "film"}
    data = {k: torch.as_tensor(kept[c].to_numpy(copy=True)) for k, c in names.items()}
    return data | {"history": history[rows]}, rows.numpy()
