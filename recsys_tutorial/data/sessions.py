"""Events cut into sittings, samples of the next click, and a world that drifts.

Events are a table as in `recsys_tutorial.data.sequences`. Dimension letters: ``N``
samples, ``L`` longest history, ``I`` items (padding included).
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.sequences import histories
from recsys_tutorial.data.tensors import take
from recsys_tutorial.layers import positive


def sittings(events: pd.DataFrame, gap: int = 1800) -> np.ndarray:
    """Number the sittings: a user's events, cut wherever a pause is too long.

    Parameters
    ----------
    events : DataFrame
        ``N`` rows, sorted by user, then time.
    gap : int
        Longest pause inside a sitting, in seconds.

    Returns
    -------
    array of int64
        ``(N,)``, from 1, ascending; no sitting has events of two users.
    """
    told = check_events(events)
    user, time = told["user"], told["time"]
    cut = (np.diff(user) != 0) | (np.diff(time) > positive("gap", gap))
    return 1 + np.append(0, cut.cumsum())


def session_samples(
    events: pd.DataFrame,
    *,
    gap: int = 1800,
    length: int = 30,
    gathered: bool = False,
) -> dict[str, Tensor]:
    """What is next in this sitting? Each event after the items before it.

    Every prefix of a sitting is a sample. Items of one second have no order: the
    history ends before the second of the target, so a target may be any of those that
    came next together.

    Parameters
    ----------
    events : DataFrame
        Sorted by user, then time.
    gap : int
        As in `sittings`.
    length : int
        Longest history ``L``; of a longer sitting, the latest items are kept.
    gathered : bool
        As in `histories`.

    Returns
    -------
    dict
        ``session``, ``user``, ``time``, ``target`` and ``clicks``, each (N,), and
        ``history`` (N, L), padded with 0 at the end; all int64. ``clicks`` is the
        number of items before the target in its sitting, not cut at ``L``.

    Raises
    ------
    ValueError
        If `events` is not as expected, or no sitting reaches a second moment.
    """
    session = sittings(events, gap)
    told = check_events(events)
    own = pd.DataFrame(told | {"user": session})  # a history ends where it begins
    history = histories(own, length, gathered=True)
    first = own.groupby(["user", "time"]).cumcount()
    before = own.groupby("user").cumcount() - first
    clicks = torch.tensor(before.to_numpy())
    rows = clicks.nonzero().flatten()
    if not len(rows):
        raise ValueError("no sitting has events of two moments; nothing comes next")
    names = {"user": "user", "time": "time", "target": "item"}
    data = {k: torch.tensor(told[c]) for k, c in names.items()}
    data |= {"session": torch.as_tensor(session), "history": history, "clicks": clicks}
    return take(data, rows) | ({} if gathered else {"history": history[rows]})


def drifting_sessions(
    n_sessions: int,
    *,
    n_interests: int = 10,
    items_per_interest: int = 20,
    length: int = 12,
    drift: tuple[int, int] | None = (3, 10),
    noise: float = 0.3,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Sessions that change their subject once, at a known step.

    Items 1, 2, 3 ... belong to interests 0, 1, 2 ... in turn. A session starts with
    one interest, uniform; from its drift step on it has another one, uniform among
    the rest. A click is an item of the interest of its step, uniform, or with
    probability `noise` any item at all. So the last click tells best what the session
    is after right now, and the earlier ones tell whether the last was an accident.

    Parameters
    ----------
    n_sessions : int
        Number ``N`` of sessions.
    n_interests : int
        At least 2.
    items_per_interest : int
        Times `n_interests`, the number of items.
    length : int
        Clicks of a session ``L``, at least 2; the last is the target.
    drift : (int, int) or None
        First and last step that may be the first of the new interest, counted from
        0 and drawn uniformly; None for sessions without a drift.
    noise : float
        In [0, 1].
    seed : int
        Draws the world.

    Returns
    -------
    dict
        One row per prefix of each session, ``N * (L - 1)`` in all, session by
        session, all int64: ``history`` (., L - 1), padded with 0 at the end, and
        (.,) each: ``target``; ``old`` and ``new``, the two interests; ``since``, how
        many clicks of the history are from after the drift, negative before it and
        -L where there is none.

    Not in the paper: it has no simulation.
    """
    positive("n_sessions", n_sessions)
    positive("items_per_interest", items_per_interest)
    if positive("n_interests", n_interests) < 2 or positive("length", length) < 2:
        raise ValueError(
            f"n_interests is {n_interests} and length {length}; expected at least 2"
        )
    first, last = drift or (2 * length, 2 * length)
    if drift and not 1 <= first <= last < length:
        raise ValueError(f"drift is {drift}; expected steps from 1 to {length - 1}")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise is {noise}; expected 0 to 1")
    g = torch.Generator().manual_seed(seed)
    old = torch.randint(n_interests, (n_sessions, 1), generator=g)
    new = torch.randint(1, n_interests, (n_sessions, 1), generator=g)
    new = (old + new) % n_interests  # any interest but the old one
    step = torch.randint(first, last + 1, (n_sessions, 1), generator=g)
    interest = torch.where(torch.arange(length) < step, old, new)  # (N, L)
    accident = torch.rand(n_sessions, length, generator=g) < noise
    other = torch.randint(n_interests, interest.shape, generator=g)
    nth = torch.randint(items_per_interest, interest.shape, generator=g)
    clicks = 1 + torch.where(accident, other, interest) + n_interests * nth  # (N, L)
    seen = torch.arange(1, length)  # lengths of the prefixes
    history = clicks[:, None, :-1] * (torch.arange(length - 1) < seen[:, None])
    since = seen - step if drift else torch.full((n_sessions, length - 1), -length)
    return {
        "history": history.flatten(0, 1),
        "target": clicks[:, 1:].flatten(),
        "old": old.expand(-1, length - 1).flatten(),
        "new": new.expand(-1, length - 1).flatten(),
        "since": since.flatten(),
    }
