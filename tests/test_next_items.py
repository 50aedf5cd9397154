"""Counting models by hand, no future in a request, windows that lose no step."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from recsys_tutorial.data.vocabulary import Vocabulary
from recsys_tutorial.models.sasrec import SASRec
from recsys_tutorial.next_items import (
    AfterLast,
    KeepBest,
    Popularity,
    discounted,
    front_padded,
    places,
    recommend,
    requests_between,
    windows,
)


@pytest.fixture
def toy():
    return pd.DataFrame(
        {
            "user": [1, 1, 1, 1, 2, 2],
            "item": [1, 2, 1, 3, 1, 2],
            "time": [10, 20, 30, 40, 15, 45],
        }
    )


@pytest.fixture
def events():
    draw = np.random.default_rng(0)
    user = np.sort(draw.integers(1, 30, 400))
    time = draw.integers(1, 200, 400)
    frame = pd.DataFrame({"user": user, "item": draw.integers(1, 20, 400)})
    frame = frame.assign(time=time).sort_values(["user", "time"], kind="stable")
    return frame.reset_index(drop=True)


def test_counting_by_hand(toy):
    history = torch.tensor([[0, 0, 1], [1, 2, 3]])
    popular = Popularity(5).count_events(toy)({"history": history})
    assert popular[0, 1:].tolist() == [3, 2, 1, 0]
    after = AfterLast(5).count_events(toy)({"history": history})
    assert after[0, 1:].tolist() == [0.75, 2.5, 1.25, 0]  # 1 to 2 twice, to 3 once
    assert after[1].argmax() == 1  # nothing came after 3: popularity
    assert (after[:, 0] == -torch.inf).all()


def test_after_the_last_is_what_a_slow_loop_counts(events):
    n_items = 20
    slow = torch.zeros(n_items, n_items)
    for _, own in events.groupby("user"):
        for a, b in zip(own["item"], own["item"][1:], strict=False):
            slow[a, b] += 1
    model = AfterLast(n_items).count_events(events)
    history = torch.arange(1, n_items)[:, None]
    found = model({"history": history})[:, 1:]
    assert torch.equal(found.floor(), slow[1:, 1:])
    few = AfterLast(n_items, k=2).count_events(events)
    kept = few({"history": history})[:, 1:].floor()
    assert ((kept > 0).sum(1) <= 2).all()
    assert torch.equal(kept.amax(1), slow[1:, 1:].amax(1))


def test_padding_moves_to_the_front():
    rows = torch.tensor([[1, 2, 0, 0], [3, 4, 5, 6], [0, 0, 0, 0]])
    assert front_padded(rows).tolist() == [[0, 0, 1, 2], [3, 4, 5, 6], [0, 0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_windows_hold_every_step_once(events, length):
    table = windows(events, length)
    found = []
    for history, target in zip(table["history"], table["target"], strict=True):
        assert ((target > 0) == (history > 0)).all()
        found += [(int(a), int(b)) for a, b in zip(history, target, strict=True) if a]
    steps = []
    for _, own in events.groupby("user"):
        steps += list(zip(own["item"], own["item"][1:], strict=False))
    assert sorted(found) == sorted(steps)


def test_windows_may_be_fewer_and_need_a_step(events):
    assert len(windows(events, 2, most=10)["history"]) <= 10
    with pytest.raises(ValueError, match="no user has two events"):
        windows(events.drop_duplicates("user"), 3)


def test_requests_by_hand(toy):
    late = requests_between(toy, 4, 3, start=40)
    assert late.batch["history"].tolist() == [[1, 2, 1], [0, 0, 1]]
    assert late.target.tolist() == [3, 2]
    assert late.seen.int().tolist() == [[0, 1, 1, 0], [0, 1, 0, 0]]


def test_a_request_knows_no_future(events):
    late = requests_between(events, 20, 10, start=100, returns=True, per_user=1000)
    rows = events[events["time"] >= 100]
    kept = 0
    for user, item, time in rows.itertuples(index=False):
        own = events[(events["user"] == user) & (events["time"] < time)]["item"]
        if not len(own):
            continue
        history = late.batch["history"][kept]
        assert history[history > 0].tolist() == own.tolist()[-10:]
        assert int(late.target[kept]) == item
        kept += 1
    assert kept == len(late.target)


def test_items_of_the_past_are_no_answer_where_nothing_returns(events):
    late = requests_between(events, 20, 10, start=100, per_user=1000)
    for row in range(len(late.target)):
        assert not late.seen[row, late.target[row]]
    again = requests_between(events, 20, 10, start=100, returns=True, per_user=1000)
    assert not again.seen.any()
    assert len(again.target) > len(late.target)


def test_what_happens_at_one_moment_is_not_yet_seen():
    toy = pd.DataFrame({"user": 1, "item": [1, 2, 3], "time": [10, 20, 20]})
    late = requests_between(toy, 4, 3, start=20)
    assert late.batch["history"].tolist() == [[0, 0, 1], [0, 0, 1]]
    assert late.seen.int().tolist() == [[0, 1, 0, 0], [0, 1, 0, 0]]


def test_requests_are_of_the_period_the_latest_and_not_too_many(events):
    some = requests_between(events, 20, 10, 100, 150, returns=True, per_user=2)
    assert torch.bincount(some.user).max() <= 2
    last = requests_between(events, 20, 10, 100, returns=True, per_user=1)
    latest = events.groupby("user")["item"].last()
    assert last.target.tolist() == latest[last.user.tolist()].tolist()
    every = requests_between(events, 20, 10, 100, 150, returns=True, per_user=1000)
    first = events.groupby("user")["time"].transform("min")
    asked = events["time"].between(100, 149) & (events["time"] > first)
    assert len(every.target) == asked.sum()
    few = requests_between(events, 20, 10, 100, returns=True, most=7)
    assert len(few.target) == 7
    with pytest.raises(ValueError, match="no event of the period"):
        requests_between(events, 20, 10, 10_000)


def test_places_are_those_of_a_slow_loop(events):
    torch.manual_seed(0)
    model = SASRec(20, length=10).eval()
    late = requests_between(events, 20, 10, start=100)
    with torch.no_grad():
        scores = model(late.batch)
    for row, place in enumerate(places(model, late, rows=7)):
        target = late.target[row]
        better = (scores[row] > scores[row, target]) & ~late.seen[row]
        assert place == 1 + int(better[1:].sum())


def test_discounted_gain():
    gains = discounted(np.array([1, 3, 10, 11]))
    assert np.allclose(gains, [1, 0.5, 1 / np.log2(11), 0])


def test_the_best_epoch_comes_back():
    model = nn.Linear(1, 1)
    values = iter([1.0, 3.0, 2.0])
    best = KeepBest(lambda m: next(values), "score")
    with pytest.raises(RuntimeError, match="no epoch"):
        best.restore(model)
    for epoch in range(3):
        nn.init.constant_(model.weight, epoch)
        assert best(model).keys() == {"score"}
    best.restore(model)
    assert model.weight.item() == 1


def test_recommendations_in_the_names_of_the_log(toy):
    items = Vocabulary(["tea", "cup", "pot"])
    after, popular = (m(4).count_events(toy) for m in (AfterLast, Popularity))
    options = {"length": 3, "cold": popular}
    assert recommend(after, items, ["tea"], 1, **options) == ["cup"]
    assert recommend(after, items, ["tea", "car"], 1, **options) == ["cup"]
    assert recommend(after, items, [], 5, **options) == ["tea", "cup", "pot"]
    assert recommend(after, items, ["car"], 1, **options) == ["tea"]
    assert "tea" not in recommend(after, items, ["tea"], 3, **options)
    assert "tea" in recommend(after, items, ["tea"], 3, returns=True, **options)
    with pytest.raises(ValueError, match="no known item"):
        recommend(after, items, ["car"], length=3)
