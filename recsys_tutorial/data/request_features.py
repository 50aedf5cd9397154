"""What a ranker is told of a request: one piece of code for training and for serving.

Dimension letters: ``N`` rows, ``K`` candidates, ``L`` history length, ``F`` fields,
``I`` items (padding included).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.tensors import check_items
from recsys_tutorial.layers import positive

FIELDS = ("events", "share", "gap", "views")  # of the user, and of the candidate
NEVER, WATCHED, LIKED = 0, 1, 2  # 0 is padding


class Past(NamedTuple):
    """What one user has done, oldest first: three arrays of one length."""

    items: np.ndarray  # int64, from 1
    liked: np.ndarray  # bool
    times: np.ndarray  # int64, seconds; never falling


NOBODY = Past(np.empty(0, np.int64), np.empty(0, bool), np.empty(0, np.int64))


class RequestFeatures:
    """Turns a user's past and a moment into what the ranker reads.

    Only what lies strictly before the moment counts: neither the event that is to be
    predicted nor another of the same second is in its own history.

    Parameters
    ----------
    length : int
        Longest history ``L``; of a longer past, the latest steps are kept.
    edges : dict
        For each of `FIELDS` ascending edges; a value gets the bucket 1 if it is below
        the first, and one more for each edge that it has reached.
    views : sequence of int
        ``(I,)``, how often each item was watched before the model was trained. An
        item that nobody watched is unknown: its bucket is 0, the padding.
    """

    def __init__(self, length: int, edges: dict, views):
        if set(edges) != set(FIELDS):
            raise ValueError(f"edges has {sorted(edges)}; expected {sorted(FIELDS)}")
        self.length = positive("length", length)
        self.edges = {name: np.asarray(edges[name], float) for name in FIELDS}
        for name, values in self.edges.items():
            if values.ndim != 1 or (np.diff(values) <= 0).any():
                raise ValueError(f"edges[{name!r}] is {values}; expected ascending")
        self.views = np.asarray(views, np.int64)
        self._popular = self._bucket("views", self.views) * (self.views > 0)  # (I,)

    @classmethod
    def fit(cls, events: pd.DataFrame, n_items: int, length: int = 50, bins: int = 8):
        """Edges and views out of a table of events; see `pasts_of` for its columns.

        Edges are quantiles of what the rows of the table themselves show. ValueError
        as `pasts_of`, or if an item is not below `n_items`.
        """
        pasts = pasts_of(events)
        items = np.concatenate([past.items for past in pasts.values()])
        check_items("item", items, n_items)
        views = np.bincount(items, minlength=n_items)
        told = [
            _told(past, np.searchsorted(past.times, now), now)
            for past in pasts.values()
            for now in np.unique(past.times)[1:]
        ]
        parts = [*np.array(told).T, views[views > 0]]
        at = np.linspace(0, 1, positive("bins", bins) + 1)[1:-1]
        edges = [np.unique(np.quantile(part, at)) for part in parts]
        return cls(length, dict(zip(FIELDS, edges, strict=True)), views)

    @property
    def cardinalities(self) -> list[int]:
        """Number of ids of each field, padding included."""
        return [len(self.edges[name]) + 2 for name in FIELDS]

    def user(self, past: Past, now: int) -> dict[str, np.ndarray]:
        """What is known of a user at a moment.

        Returns
        -------
        dict
            ``history`` (L,), int64, oldest first, padded with 0 at the end; ``liked``
            (L,), `WATCHED` or `LIKED` for each step; ``fields`` (F - 1,), int64, 0 for
            who has no past.
        """
        end = int(np.searchsorted(past.times, now))  # strictly before
        history = np.zeros(self.length, np.int64)
        liked = np.zeros(self.length, np.int64)
        kept = slice(max(0, end - self.length), end)
        count = kept.stop - kept.start
        history[:count] = past.items[kept]
        liked[:count] = np.where(past.liked[kept], LIKED, WATCHED)
        fields = np.zeros(len(FIELDS) - 1, np.int64)
        if end:
            told = zip(FIELDS, _told(past, end, now), strict=False)
            fields[:] = [self._bucket(name, value) for name, value in told]
        return {"history": history, "liked": liked, "fields": fields}

    def candidates(self, user: dict, items: np.ndarray) -> dict[str, np.ndarray]:
        """One row for each candidate ``(K,)`` of a `user`: what the ranker reads.

        Returns
        -------
        dict
            ``history`` and ``liked`` (K, L), ``candidate`` (K,), ``fields`` (K, F).
        """
        items = np.asarray(items, np.int64)
        if items.ndim != 1 or (len(items) and items.min() < 1):
            raise ValueError(f"items is {items}; expected one row of ids from 1")
        if len(items) and items.max() >= len(self.views):
            raise ValueError(
                f"items holds {items.max()}; expected at most {len(self.views) - 1}"
            )
        K = len(items)
        table = {name: user[name][None].repeat(K, 0) for name in ("history", "liked")}
        own = user["fields"][None].repeat(K, 0)
        fields = np.column_stack([own, self._popular[items]])
        return {**table, "candidate": items, "fields": fields}

    def table(self, pasts: dict[int, Past], who, when, items) -> dict[str, np.ndarray]:
        """The training table: row by row what a request would have been told.

        Parameters
        ----------
        pasts : dict
            Of `pasts_of`, the future included: it is cut off here.
        who, when : arrays of int, shape (N,)
            User and moment of each request.
        items : array of int, shape (N, K)
            Its candidates.

        Returns
        -------
        dict
            As `candidates`, one request after the other: ``N * K`` rows.
        """
        requests = zip(*(np.asarray(x).tolist() for x in (who, when)), strict=True)
        rows = [
            self.candidates(self.user(pasts.get(u, NOBODY), t), own)
            for (u, t), own in zip(requests, np.asarray(items), strict=True)
        ]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    def to_dict(self) -> dict:
        """What JSON can hold; `from_dict` makes the same of it."""
        edges = {name: values.tolist() for name, values in self.edges.items()}
        return {"length": self.length, "edges": edges, "views": self.views.tolist()}

    @classmethod
    def from_dict(cls, content: dict) -> "RequestFeatures":
        """The features that `to_dict` described; ValueError if it did not."""
        names = {"length", "edges", "views"}
        if not isinstance(content, dict) or set(content) != names:
            raise ValueError("content is none of RequestFeatures.to_dict")
        return cls(**content)

    def _bucket(self, name: str, value):
        return np.searchsorted(self.edges[name], value, side="right") + 1


def _told(past: Past, end: int, now: int) -> tuple[float, float, float]:
    """Events so far, the share of liked ones, and seconds since the last: by `end`."""
    return end, past.liked[:end].mean(), now - past.times[end - 1]


def pasts_of(events: pd.DataFrame, liked: float = 4) -> dict[int, Past]:
    """Each user's `Past`.

    Parameters
    ----------
    events : DataFrame
        ``user``, ``item``, ``time`` and ``rating``, sorted by user, then time.
    liked : float
        A rating of at least this is a like.

    Raises
    ------
    ValueError
        As `check_events`.
    """
    told = check_events(events, numbers=("rating",))
    user = told["user"]
    starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    columns = told["item"], told["rating"] >= liked, told["time"]
    cut = [np.split(column, starts[1:]) for column in columns]
    return {int(u): Past(*parts) for u, *parts in zip(user[starts], *cut, strict=True)}


def differences(offline: dict, online: dict) -> pd.DataFrame:
    """Where training and serving tell the ranker different things: the skew.

    Parameters
    ----------
    offline, online : dicts of arrays
        The same rows, once from the training table and once as they were served; the
        same names, shapes and order.

    Returns
    -------
    DataFrame
        One row for each name: ``rows`` that differ, their ``share`` of all, and the
        ``first`` of them (-1 if none does).

    Raises
    ------
    ValueError
        If names or shapes differ.
    """
    shapes = [{n: np.shape(v) for n, v in d.items()} for d in (offline, online)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"offline holds {shapes[0]} and online {shapes[1]}")
    rows = {}
    for name in offline:
        differ = np.asarray(offline[name]) != np.asarray(online[name])
        wrong = differ.reshape(len(differ), -1).any(1)
        first = int(wrong.argmax()) if wrong.any() else -1
        rows[name] = {"rows": int(wrong.sum()), "share": wrong.mean(), "first": first}
    return pd.DataFrame(rows).T.astype({"rows": int, "first": int})
