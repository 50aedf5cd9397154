"""The next item: two baselines that need no training, requests after a moment, places.

All models here answer the same request, a batch with ``history`` ``(B, L)``, int64 ids
of items, oldest first, padded in front. Dimension letters: ``N`` requests, ``B`` batch,
``L`` history length, ``I`` items (padding included), ``K`` neighbours.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.sequences import histories
from recsys_tutorial.data.vocabulary import Vocabulary
from recsys_tutorial.layers import check_ids, positive
from recsys_tutorial.metrics import target_ranks
from recsys_tutorial.scoring import Best, score, top_k


class Popularity(nn.Module):
    """Each item's number of events, whoever asks: ``(B, I)``.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    """

    def __init__(self, n_items: int):
        super().__init__()
        self.register_buffer("count", torch.zeros(positive("n_items", n_items)))

    def count_events(self, events: pd.DataFrame) -> "Popularity":
        """Count the items of a table of events; gives the model itself."""
        items = torch.tensor(check_events(events)["item"])
        self.count = items.bincount(minlength=len(self.count)).float()
        return self

    def forward(self, batch):
        scores = self.count.clone()
        scores[0] = -torch.inf
        return scores.expand(len(batch["history"]), -1)


class AfterLast(nn.Module):
    """What most often came next after the item that was last: ``(B, I)``.

    Where nothing came, popularity decides. A counting model with a memory of one step.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    k : int
        Successors that are kept for each item, the most frequent.
    """

    def __init__(self, n_items: int, k: int = 50):
        super().__init__()
        shape = positive("n_items", n_items), positive("k", k)
        self.popularity = Popularity(n_items)
        self.register_buffer("next", torch.zeros(shape, dtype=torch.int64))
        self.register_buffer("times", torch.zeros(shape))

    def count_events(self, events: pd.DataFrame) -> "AfterLast":
        """Count who comes after whom in a table of events; gives the model itself."""
        told = check_events(events)
        self.popularity.count_events(events)
        user, item = told["user"], told["item"]
        pairs = np.stack([item[:-1], item[1:]])[:, user[:-1] == user[1:]]
        pairs, times = np.unique(pairs, axis=1, return_counts=True)
        order = np.lexsort((pairs[1], -times, pairs[0]))
        (last, then), times = pairs[:, order], times[order]
        fresh = np.append(True, last[1:] != last[:-1])
        place = np.arange(len(last)) - np.maximum.accumulate(
            np.where(fresh, np.arange(len(last)), 0)
        )
        kept = place < self.next.shape[1]
        at = torch.from_numpy(last[kept]), torch.from_numpy(place[kept])
        self.next = torch.zeros_like(self.next).index_put(
            at, torch.from_numpy(then[kept])
        )
        self.times = torch.zeros_like(self.times).index_put(
            at, torch.from_numpy(times[kept]).float()
        )
        return self

    def forward(self, batch):
        last = batch["history"][:, -1]
        fallback = self.popularity(batch)  # (B, I)
        most = fallback[:, 1:].amax().clamp(min=1)
        scores = fallback / (most + 1)  # below 1, and so below a single time
        return scores.scatter_add(1, self.next[last], self.times[last])


class Requests(NamedTuple):
    """What `requests_between` returns: ``N`` requests and what then happened."""

    batch: dict[str, Tensor]  # history (N, L), padded in front
    target: Tensor  # (N,), the item that came
    user: Tensor  # (N,)
    seen: Tensor  # (N, I) bools, what is no candidate; all False where items return


def front_padded(history: Tensor) -> Tensor:
    """The rows ``(N, L)`` with their padding moved from the end to the front."""
    order = (history > 0).to(torch.int8).argsort(dim=1, stable=True)
    return history.gather(1, order)


def windows(events: pd.DataFrame, length: int, most: int = 10**9) -> dict[str, Tensor]:
    """Sequences to train `SASRec` on: whole pasts, cut into pieces of `length` steps.

    Returns
    -------
    dict
        ``history`` and ``target``, both (N, L) int64, padded in front; at most `most`
        rows, drawn evenly. Users with a single event make no row.

    Raises
    ------
    ValueError
        As `check_events`; or if no user has two events.
    """
    told = check_events(events)
    user, start = np.unique(told["user"], return_index=True)
    end = np.append(start[1:], len(told["user"]))
    pieces = -(-(end - start - 1) // positive("length", length))  # 0 for one event
    if not pieces.sum():
        raise ValueError("no user has two events; expected one who has a next item")
    own = np.repeat(np.arange(len(user)), pieces)
    back = np.arange(len(own)) - np.repeat(pieces.cumsum() - pieces, pieces)
    rows = np.arange(len(own))[:: -(-len(own) // most)]
    own, back = own[rows], back[rows]
    past = Gathered(
        torch.tensor(told["item"]),
        torch.tensor(start[own]),
        torch.tensor(end[own] - back * length),
        length + 1,
    )
    table = front_padded(past[:])
    history, target = table[:, :-1], table[:, 1:]
    return {"history": history.contiguous(), "target": target * (history > 0)}


def requests_between(
    events: pd.DataFrame,
    n_items: int,
    length: int,
    start: int,
    end: int | None = None,
    *,
    returns: bool = False,
    per_user: int = 5,
    most: int = 2000,
    seed: int = 0,
) -> Requests:
    """Requests at the events of a period, each with all that was known before it.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time; those before `start` are the past.
    n_items, length : int
        Ids, padding included, and longest history.
    start, end : int
        Seconds: events from `start` on, and before `end`, are what is asked for.
    returns : bool
        Whether an item that the user had before may be the answer. If not, events of
        such items are no request, and the items are no candidates.
    per_user : int
        Most requests of one user, the latest.
    most : int
        Most requests, drawn by chance from all.
    seed : int
        Of what is drawn.

    Returns
    -------
    Requests
        Requests without any history are left out.

    Raises
    ------
    ValueError
        As `check_events`; or if there is no request.
    """
    told = check_events(events)
    user, item, time = (told[name] for name in ("user", "item", "time"))
    asked = (time >= start) & (time < (time.max() + 1 if end is None else end))
    past = histories(events, length, gathered=True)
    asked &= past.count.numpy() > 0
    if not returns:
        asked &= ~pd.DataFrame({"user": user, "item": item}).duplicated().to_numpy()
    rows = np.flatnonzero(asked)
    place = pd.Series(user[rows]).groupby(user[rows]).cumcount(ascending=False)
    rows = rows[place.to_numpy() < per_user]
    if not len(rows):
        raise ValueError(
            "no event of the period has a history and a known item; expected requests"
        )
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    seen = torch.zeros(len(rows), n_items, dtype=torch.bool)
    if not returns:
        first = np.searchsorted(user, user[rows])
        for n, (a, row) in enumerate(zip(first, rows, strict=True)):
            seen[n, torch.from_numpy(item[a:row][time[a:row] < time[row]])] = True
    history = front_padded(past[torch.from_numpy(rows)])
    target, who = torch.from_numpy(item[rows]), torch.from_numpy(user[rows])
    return Requests({"history": history}, target, who, seen)


def places(model: nn.Module, requests: Requests, rows: int = 256) -> np.ndarray:
    """The place of each target among all items that are candidates: ``(N,)``, from 1.

    `model` is any that `score` takes.
    """
    everything = torch.arange(1, requests.seen.shape[1])
    found = []
    for part in torch.arange(len(requests.target)).split(rows):
        batch = {name: values[part] for name, values in requests.batch.items()}
        scores = F.pad(score(model, batch, everything, batch_size=16_384).cpu(), (1, 0))
        scores[:, 0] = -torch.inf
        scores = scores.masked_fill(requests.seen[part], -torch.inf)
        found.append(target_ranks(scores, requests.target[part]))
    return np.concatenate(found)


def discounted(ranks: np.ndarray, k: int = 10) -> np.ndarray:
    """What each request adds to NDCG@k: 1 / log2(1 + place), 0 behind the first k."""
    return np.where(ranks <= k, 1 / np.log2(1 + np.asarray(ranks, float)), 0.0)


class KeepBest:
    """For `fit(..., evaluate=...)`: remembers the weights of the best epoch.

    Parameters
    ----------
    measure : callable
        Of the model; higher is better.
    name : str
        What the history calls it.
    """

    def __init__(self, measure: Callable[[nn.Module], float], name: str):
        self.measure, self.name, self.best = measure, name, -np.inf
        self.weights = None

    def __call__(self, model: nn.Module) -> dict[str, float]:
        value = float(self.measure(model))
        if value > self.best:
            self.best = value
            self.weights = {k: v.clone() for k, v in model.state_dict().items()}
        return {self.name: value}

    def restore(self, model: nn.Module) -> None:
        """Give the model the weights of its best epoch; RuntimeError before any."""
        if self.weights is None:
            raise RuntimeError("no epoch has been measured; expected a call of fit")
        model.load_state_dict(self.weights)


def recommend(
    model: nn.Module,
    items: Vocabulary,
    history: list,
    k: int = 5,
    *,
    length: int,
    returns: bool = False,
    cold: nn.Module | None = None,
) -> list:
    """The best items for one user, in the log's own names.

    Parameters
    ----------
    model : nn.Module
        Any that `score` takes.
    items : Vocabulary
        Of the items that the model was trained on.
    history : list
        What the user met, oldest first, in the log's names; unknown items are passed
        over.
    k : int
        At most so many; fewer if there are no more candidates.
    length : int
        Longest history that the model takes.
    returns : bool
        Whether an item of the history may be recommended.
    cold : nn.Module, optional
        Answers where no item of the history is known.

    Raises
    ------
    ValueError
        If there is no known item in the history and no `cold` model.
    """
    known = items.encode(history) if len(history) else np.empty(0, dtype=np.int64)
    known = torch.from_numpy(known[known > 0])
    if not len(known):
        if cold is None:
            raise ValueError(
                f"history holds no known item: {list(history)[:3]}; expected one, or a "
                "model for cold users, cold=..."
            )
        model = cold
    row = torch.zeros(1, length, dtype=torch.int64)
    if len(known):
        check_ids("history", known, 1, len(items))
        row[0, -len(known[-length:]) :] = known[-length:]
    candidates = torch.arange(1, len(items))
    seen = None if returns or not len(known) else known[None]
    best: Best = top_k(
        model, {"history": row}, candidates, min(k, len(candidates)), seen
    )
    return items.decode([i for i in best.items[0].tolist() if i])
