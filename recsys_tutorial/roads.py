"""From a cleaned log to what is trained and judged, at a size that ends in minutes.

Two roads: events in order, for models of the next item, and rows with labels. All
budgets stand here, and follow the size of the log. Dimension letters: ``N`` rows or
requests, ``L`` history length, ``I`` items (padding included), ``F`` fields, ``T``
labels.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.budget import budget
from recsys_tutorial.data.features import RowEncoder, cut_rows, tell_tales
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.logs import read_events
from recsys_tutorial.data.sequences import next_item_samples
from recsys_tutorial.data.tensors import take
from recsys_tutorial.data.vocabulary import Vocabulary
from recsys_tutorial.next_items import Requests, requests_between, windows

MOST_ITEMS = 10_000
FEWEST_REQUESTS, FEWEST_USERS = 30, 10


class NextItems(NamedTuple):
    """What `next_items` returns: all that road A needs."""

    items: Vocabulary  # of the training time
    past: pd.DataFrame  # events of the training time
    length: int  # of a history
    returns: bool  # whether items that a user had before may come again
    windows: dict[str, Tensor]  # sequences, for SASRec
    pairs: dict[str, Tensor] | None  # samples, for DIN; None if nothing is left to draw
    later_pairs: dict[str, Tensor] | None  # the same of the validation time
    validation: Requests
    test: Requests
    epochs: dict[str, int]  # of each model
    batch: dict[str, int]  # rows of a step
    told: pd.Series  # what was counted on the way


def next_items(
    log: pd.DataFrame, user: str, item: str, time: str, seed: int = 0
) -> NextItems:
    """Cut a log at two moments, and make of it what models of the next item need.

    Seven tenths of the events are the training time, one is the validation time, two
    are the test time. Items are those of the training time, the 10,000 most frequent at
    most; no model can recommend others.

    Parameters
    ----------
    log : DataFrame
        Events that are meant: what was clicked, not what was shown.
    user, item, time : str
        Its columns; times are seconds.
    seed : int
        Of all that is drawn.

    Raises
    ------
    ValueError
        If there are too few events, items, users with a history or requests in one of
        the three times, or all events are of one moment.
    """
    log = log[[user, item, time]].drop_duplicates()
    if len(log) < 100:
        raise ValueError(f"the log has {len(log)} events; expected at least 100")
    start, end = (int(log[time].quantile(q, "lower")) for q in (0.7, 0.8))
    if not log[time].min() < start < end:
        raise ValueError(
            "the log has too few different times to be cut into three parts"
        )
    count = log.loc[log[time] < start, item].value_counts()
    items = Vocabulary(count.index[:MOST_ITEMS])
    n_items = len(items)
    late = log[log[time] >= end]
    unknown = float((items.encode(late[item]) == 0).mean())
    events = read_events(log, user, item, time, unit="s", items=items).events
    past, before = events[events["time"] < start], events[events["time"] < end]
    past, before = past.reset_index(drop=True), before.reset_index(drop=True)
    length = int(np.clip(past["user"].value_counts().quantile(0.9), 5, 50))
    returns = bool(events.duplicated(["user", "item"]).mean() > 0.05)

    work = budget(60_000_000, quick=3_000_000)  # steps that DIN may look at in judging
    most = int(np.clip(work / n_items / length, budget(200, quick=50), 1000))
    asked = {"returns": returns, "most": most, "seed": seed}
    validation, test = (
        requests_between(events, n_items, length, *period, **(asked | {"most": n}))
        for period, n in (((start, end), min(most, 300)), ((end,), most))
    )
    for name, requests in (("validation", validation), ("test", test)):
        asked, users = len(requests.target), len(requests.user.unique())
        if asked < FEWEST_REQUESTS or users < FEWEST_USERS:
            raise ValueError(
                f"the {name} time has {asked} requests of {users} users who have a "
                f"history; expected at least {FEWEST_REQUESTS} of {FEWEST_USERS}, to "
                "judge a model by"
            )
    steps = budget(3_400_000, quick=200_000)
    table = windows(past, length, max(1, steps // 2 // length))
    pairs = _pairs(past, n_items, length, seed)
    later = _pairs(before, n_items, length, seed, start) if pairs else None
    epochs = {"SASRec": int(np.clip(steps / table["history"].numel(), 2, 100))}
    batch = {"SASRec": int(np.clip(len(table["history"]) / 12, 16, 128))}
    if later is None:
        pairs = None
    if pairs:
        steps = budget(30_000_000, quick=500_000)
        pairs = _some(pairs, max(100, steps // 2 // length), seed)
        later = _some(later, 20_000, seed)
        epochs["DIN"] = int(np.clip(steps / len(pairs["label"]) / length, 1, 8))
        batch["DIN"] = _batch(len(pairs["label"]))
    told = {
        "training ends": str(pd.to_datetime(start, unit="s")),
        "test begins": str(pd.to_datetime(end, unit="s")),
        "events to train on": len(past),
        "items to choose from": n_items - 1,
        "test events whose item no model knows": f"{unknown:.1%}",
        "longest history": length,
        "may an item come again": "yes" if returns else "no",
        "test requests": len(test.target),
        "their users": len(test.user.unique()),
    }
    told |= {f"epochs of {name}": n for name, n in epochs.items()}
    return NextItems(
        items=items,
        past=past,
        length=length,
        returns=returns,
        windows=table,
        pairs=pairs,
        later_pairs=later,
        validation=validation,
        test=test,
        epochs=epochs,
        batch=batch,
        told=pd.Series(told, name="road A").astype(object),
    )


def _pairs(events, n_items, length, seed, start=0) -> dict[str, Tensor] | None:
    """Samples from `start` on, of users to whom something is left to be offered."""
    own = events.groupby("user")["item"].transform("nunique")
    events = events[own < (n_items - 1) / 2]
    try:
        options = {"length": length, "minimum": 1, "seed": seed, "gathered": True}
        data = next_item_samples(events, n_items, **options)
    except ValueError:
        return None
    data = take(data, (data["time"] >= start).nonzero().flatten())
    return data if len(data["label"]) >= FEWEST_REQUESTS else None


def _some(data: dict[str, Tensor], most: int, seed: int) -> dict[str, Tensor]:
    """At most so many pairs, drawn; histories are put together."""
    n = len(data["label"])
    draw = torch.Generator().manual_seed(seed)
    first = 2 * torch.randperm(n // 2, generator=draw)[: most // 2].sort().values
    chosen = take(data, torch.stack([first, first + 1], 1).flatten())
    return {k: v[:] if isinstance(v, Gathered) else v for k, v in chosen.items()}


class LabelRows(NamedTuple):
    """What `label_rows` returns: all that road B needs."""

    encoder: RowEncoder
    train: dict[str, Tensor]  # features (N, F) and labels (N, T)
    validation: dict[str, Tensor]
    test: dict[str, Tensor]
    users: np.ndarray  # (N,), whose the test rows are; without users, each its own
    epochs: int
    batch: int  # rows of a step
    told: pd.Series  # column -> what it has become, or why it is left out


def label_rows(
    rows: pd.DataFrame,
    labels: list[str],
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    form: str | None = None,
    leave_out: Iterable[str] = (),
    too_much: float = 0.98,
    seed: int = 0,
) -> LabelRows:
    """Cut rows with labels in time, or by chance, and encode all columns that can be.

    Parameters
    ----------
    rows : DataFrame
        Cleaned; the labels are 0 and 1 in each row.
    labels : list of str
        Their ``T`` columns, two or more.
    user, item, time : str, optional
        Columns, if there are such. Without a time, rows are drawn by chance.
    form : str, optional
        How a raw time is to be read, see `seconds_of`.
    leave_out : iterable of str
        Columns that are known only afterwards.
    too_much : float
        A column that alone foretells a label with a higher AUC than this on validation
        rows is left out: it was most likely written afterwards. 1 keeps them all.
    seed : int
        Of what is drawn.

    Raises
    ------
    ValueError
        If there are fewer than two labels, fewer than 100 rows, a label is the same in
        all rows of one of the three parts, or no column is left.
    """
    if len(labels) < 2:
        raise ValueError(f"the labels are {list(labels)}; expected two or more")
    if len(rows) < 100:
        raise ValueError(f"the table has {len(rows)} rows; expected at least 100")
    seconds = None if time is None else rows[time].to_numpy(dtype=np.int64)
    parts = list(cut_rows(len(rows), seconds, seed))
    draw = torch.Generator().manual_seed(seed)
    for n, most in enumerate((200_000, 20_000, 50_000)):
        most = budget(most, quick=min(most, 20_000))
        order = torch.randperm(len(parts[n]), generator=draw)[:most]
        parts[n] = parts[n][order.sort().values]
    frames = [rows.iloc[part.numpy()] for part in parts]
    answers = [torch.tensor(f[labels].to_numpy(dtype=np.float32)) for f in frames]
    for frame, name in zip(answers, ("training", "validation", "test"), strict=True):
        for label, share in zip(labels, frame.mean(0).tolist(), strict=True):
            if not 0 < share < 1:
                raise ValueError(
                    f"{label} is {share:g} in all {len(frame)} {name} rows; expected "
                    "zeros and ones"
                )
    leave_out = dict.fromkeys(leave_out, "left out by choice")
    leave_out |= dict.fromkeys(labels, "a label")
    names = [name for name in (user, item) if name is not None]
    while True:
        encoder = RowEncoder(frames[0], leave_out, names, time, form)
        features = [encoder.encode(frame) for frame in frames[:2]]
        found = _tell_too_much(features, answers[:2], labels, encoder, too_much, time)
        if not found:
            break
        leave_out |= found
    features.append(encoder.encode(frames[2]))
    data = [
        {"features": x, "labels": y} for x, y in zip(features, answers, strict=True)
    ]
    who = np.arange(len(frames[2]))
    if user is not None:
        who = frames[2][user].astype("category").cat.codes.to_numpy()
    told = {f.name: f"{len(f.labels) - 1} {_kind(f)}" for f in encoder.fields}
    told |= encoder.dropped | leave_out
    epochs = int(np.clip(budget(600_000, quick=20_000) / len(frames[0]), 2, 20))
    told = pd.Series(told, name="road B").astype(object)
    batch = _batch(len(frames[0]))
    return LabelRows(encoder, *data, who, epochs, batch, told)


def _batch(n_rows: int) -> int:
    """Rows of a step: a hundred steps an epoch, unless that makes them too small."""
    return int(np.clip(n_rows / 100, 64, 1024))


def _tell_too_much(features, answers, labels, encoder, too_much, time) -> dict:
    """Columns that know a label, with the sentence that says so."""
    rows = torch.arange(len(features[0]) + len(features[1]))
    cut = rows[: len(features[0])], rows[len(features[0]) :]
    ids, found = torch.cat(features), {}
    for n, label in enumerate(labels):
        y = torch.cat(answers)[:, n]
        for name, area in tell_tales(ids, y, *cut, encoder.fields).items():
            if area > too_much:
                column = time if name not in encoder.columns else name
                found[column] = f"tells {label} alone, AUC {area:.3f}: left out"
    return found


def _kind(field) -> str:
    return "categories" if field.edges is None else "bins"
