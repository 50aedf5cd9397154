"""Histories of hundreds and thousands of steps: real ones, and a simulated world.

Dimension letters: ``N`` samples, ``L`` length of the long history, ``S`` of the recent
one, ``I`` items. Id 0 pads, at the end.
"""

import math

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.sequences import histories
from recsys_tutorial.data.tensors import unseen_items
from recsys_tutorial.layers import positive

DAY = 86_400  # seconds
BUCKETS = 12  # of age


def long_samples(
    events: pd.DataFrame,
    n_items: int,
    *,
    length: int = 600,
    recent: int = 20,
    minimum: int = 100,
    n_rows: int = 20_000,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Which item comes next, after a long past? A recent part and all that was before.

    Parameters
    ----------
    events : DataFrame
        ``user``, ``item`` and ``time``, sorted by user, then time.
    n_items : int
        Number ``I`` of ids, padding included.
    length, recent : int
        Most steps ``L`` of the long part, and ``S`` of the recent one.
    minimum : int
        Fewest steps of a past, above `recent`; an event with less makes no sample.
    n_rows : int
        Events to draw at random from those that qualify; all, if they are no more.
    seed : int
        Draws the events and the negatives.

    Returns
    -------
    dict
        ``user``, ``time`` and ``candidate`` (N,), ``history`` (N, S) and ``long``
        (N, L), int64; ``age`` (N, L), float32, days from each long step to the
        candidate's moment; ``label`` (N,), float32. Each positive, in the order of the
        events, is followed by its negative, an item of which the user has no event.

    Raises
    ------
    ValueError
        As `next_item_samples`.
    """
    if positive("minimum", minimum) <= positive("recent", recent):
        raise ValueError(f"minimum is {minimum}; expected more than recent, {recent}")
    user, item, time = check_events(events).values()
    order = pd.Series(np.arange(len(events)))
    past = order.groupby([user, time]).transform("min")
    past -= order.groupby(user).transform("min")  # events before each, of its user
    rows = np.flatnonzero(past >= minimum)
    if not len(rows):
        raise ValueError(f"no event has a history of {minimum} steps, the minimum")
    draw = np.random.default_rng(seed)
    if len(rows) > positive("n_rows", n_rows):
        rows = np.sort(draw.choice(rows, n_rows, replace=False))
    both = {
        name: histories(events, length + recent, column, rows=rows)
        for name, column in (("long", "item"), ("age", "time"))
    }
    now = torch.as_tensor(time[rows])  # (N,)
    both["age"] = (now[:, None] - both["age"]).float() / DAY
    negative = unseen_items(user, item, user[rows], n_items, seed)
    candidate = np.stack([item[rows], negative], 1)  # (N, 2)
    data = {"user": torch.as_tensor(user[rows].copy()), "time": now}
    data |= cut_recent(both, recent)
    return {k: v.repeat_interleave(2, 0) for k, v in data.items()} | {
        "candidate": torch.as_tensor(candidate.ravel()),
        "label": torch.tensor([1.0, 0.0]).repeat(len(rows)),
    }


def cut_recent(data: dict[str, Tensor], recent: int) -> dict[str, Tensor]:
    """Cut the latest steps off a long history; they become a history of their own.

    Parameters
    ----------
    data : dict
        Has ``long`` (N, L), and perhaps other tensors of that shape, such as ``age``.
    recent : int
        Steps ``S`` to cut off, fewer than ``L``. Of a shorter past, all.

    Returns
    -------
    dict
        `data` with ``history`` (N, S), the latest steps, oldest first, and ``long``
        (N, L - S) and its kind, those before: no step is in both.
    """
    ids = data["long"]
    L = ids.shape[1]
    if positive("recent", recent) >= L:
        raise ValueError(f"recent is {recent}; expected fewer than the {L} steps")
    count = (ids > 0).sum(1, keepdim=True)  # (N, 1)
    first = (count - recent).clamp(min=0)  # where the recent part begins
    stands = torch.arange(recent)
    source = (first + stands).clamp(max=L - 1)  # (N, S)
    history = ids.gather(1, source) * (stands < count)
    earlier = torch.arange(L - recent) < first  # (N, L - S)
    steps = {k: v for k, v in data.items() if v.shape == ids.shape}
    steps = {k: v[:, : L - recent] * earlier for k, v in steps.items()}
    return data | steps | {"history": history}


def age_buckets(age: Tensor, real: Tensor) -> Tensor:
    """Days to buckets that double in width: ``1 + floor(log2(1 + days))``, at most 12.

    The first is the last day, the second the two days before it, and so on. 0 where
    there is no step: where `real` is False.
    """
    bucket = 1 + torch.log2(1 + age).floor().long()
    return bucket.clamp(max=BUCKETS) * real


def recurring_interests(
    n_rows: int,
    *,
    length: int = 1000,
    n_topics: int = 20,
    n_common: int = 2,
    n_rare: int = 6,
    rare: float = 0.15,
    visit: int = 5,
    loyal: float = 0.85,
    turn: float = 0.0,
    n_items: int = 5,
    strength: float = 2.5,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Long histories in which the few steps that tell something lie far apart.

    A history is a row of visits, each of `visit` steps on one topic: one of the user's
    common topics mostly, now and then one of the rare ones, which so recur at long
    intervals. A topic has two sides. A user holds to one of them, in each step with
    probability `loyal`, and goes over to the other with probability `turn` between two
    visits. The candidate belongs to the topic of a visit drawn at random, of a rare
    one in half of the rows, and to a side drawn at random. If that is the side to which
    the user holds since the latest visit, the log-odds of a click are `strength`, else
    minus `strength`. The steps of the candidate's topic tell all, the others nothing;
    and with `turn` above 0 the later of these steps tell more.

    Parameters
    ----------
    n_rows : int
        Number ``N`` of users, with one candidate each.
    length : int
        Steps ``L`` of a history, a multiple of `visit`; there is no padding.
    n_topics, n_common, n_rare : int
        Topics of the world, and how many of them are a user's, of either kind.
    rare : float
        Share of the visits to rare topics, above 0.
    visit : int
        Steps of a visit. Between two visits lies a day on average (exponential).
    loyal, turn : float
        Probabilities.
    n_items : int
        Items of each side of each topic. Item ids start at 1, in this order: there are
        ``1 + n_topics * 2 * n_items``.
    strength : float
        At 0 clicks are a coin's.
    seed : int
        Draws the world.

    Returns
    -------
    dict
        ``long`` (N, L), oldest first, and ``candidate`` (N,), ids; ``label`` and
        ``probability`` (N,) float32; ``topic`` (N, L), from 0, and ``aim`` (N,), the
        candidate's; ``rare`` (N,) bool, whether that is a rare one; ``relevant``
        (N, L) bool, the steps of the candidate's topic; ``age`` (N, L) float32, days
        from each step to the candidate. int64 unless said.

    Not in a paper.
    """
    positive("n_rows", n_rows), positive("n_items", n_items), positive("visit", visit)
    if positive("length", length) % visit:
        raise ValueError(f"length is {length}; expected a multiple of visit, {visit}")
    own = positive("n_common", n_common) + positive("n_rare", n_rare)
    if own > positive("n_topics", n_topics):
        raise ValueError(f"n_common + n_rare is {own}; expected at most {n_topics}")
    for name, value in (("loyal", loyal), ("turn", turn)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}; expected a probability")
    if not 0 < rare < 1:
        raise ValueError(f"rare is {rare}; expected a share between 0 and 1")
    if not 0 <= strength < math.inf:
        raise ValueError(
            f"strength is {strength}; expected a finite number, at least 0"
        )
    g = torch.Generator().manual_seed(seed)
    n_visits = length // visit
    shape, users = (n_rows, n_visits), torch.arange(n_rows)
    mine = torch.rand(n_rows, n_topics, generator=g).argsort(1)  # common ones first
    is_rare = torch.rand(shape, generator=g) < rare
    is_rare[users, torch.randint(n_visits, (n_rows,), generator=g)] = True
    nth = torch.where(
        is_rare,
        n_common + torch.randint(n_rare, shape, generator=g),
        torch.randint(n_common, shape, generator=g),
    )
    visited = mine.gather(1, nth)  # (N, visits)

    now = torch.randint(2, (n_rows, n_topics), generator=g)  # each topic's side
    turns = torch.rand(shape, generator=g) < turn
    side = torch.empty(shape).long()
    for v in range(n_visits):
        now[users, visited[:, v]] ^= turns[:, v].long()
        side[:, v] = now[users, visited[:, v]]

    topic = visited.repeat_interleave(visit, 1)  # (N, L)
    strays = torch.rand(topic.shape, generator=g) >= loyal
    sides = side.repeat_interleave(visit, 1)
    sides ^= strays  # in place, here and below: histories are long
    which = torch.randint(n_items, topic.shape, generator=g)
    days = -torch.rand(shape, generator=g).clamp(min=1e-9).log()  # after each visit
    age = days.flip(1).cumsum(1).flip(1).repeat_interleave(visit, 1)

    asks_rare = torch.rand(n_rows, generator=g) < 0.5
    asks_rare |= is_rare.all(1)
    fits = (is_rare == asks_rare[:, None]).float()
    aim = visited[users, torch.multinomial(fits, 1, generator=g).squeeze(1)]
    aim_side = torch.randint(2, (n_rows,), generator=g)
    agrees = now[users, aim] == aim_side
    probability = torch.sigmoid(strength * (2.0 * agrees - 1))
    last = torch.randint(n_items, (n_rows,), generator=g)
    return {
        "long": sides.add_(topic, alpha=2).mul_(n_items).add_(which).add_(1),
        "candidate": 1 + (aim * 2 + aim_side) * n_items + last,
        "label": (torch.rand(n_rows, generator=g) < probability).float(),
        "probability": probability,
        "topic": topic,
        "aim": aim,
        "rare": asks_rare,
        "relevant": topic == aim[:, None],
        "age": age,
    }


def topic_table(
    n_topics: int = 20, n_items: int = 5, *, wrong: float = 0.0, seed: int = 0
) -> Tensor:
    """Topics of `recurring_interests` by item id: ``(I, n_topics)`` zeros and ones.

    A share `wrong` of the items, drawn by `seed`, stands under another topic, also
    drawn: so are categories that only point to what decides the clicks.
    """
    if not 0 <= wrong <= 1:
        raise ValueError(f"wrong is {wrong}; expected a share from 0 to 1")
    topic = torch.arange(n_topics).repeat_interleave(2 * n_items)
    g = torch.Generator().manual_seed(seed)
    moved = torch.randperm(len(topic), generator=g)[: round(wrong * len(topic))]
    topic[moved] += torch.randint(1, n_topics, moved.shape, generator=g)
    table = torch.eye(n_topics)[topic % n_topics]
    return torch.cat([torch.zeros(1, n_topics), table])
