import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data.lifelong import (
    age_buckets,
    cut_recent,
    long_samples,
    recurring_interests,
    topic_table,
)
from recsys_tutorial.data.movielens import load_movielens
from recsys_tutorial.data.sequences import histories, next_item_samples

DAY = 86_400


@pytest.fixture(scope="module")
def movielens():
    return load_movielens()


def events(steps=9, users=2):
    """Each user has rated films 1, 2, 3 ..., one a day."""
    item = np.tile(np.arange(1, steps + 1), users)
    user = np.repeat(np.arange(1, users + 1), steps)
    return pd.DataFrame({"user": user, "item": item, "time": item * DAY})


# --- real histories


def test_long_and_recent_part_by_hand():
    data = long_samples(events(), 30, length=4, recent=3, minimum=5)
    assert set(data) == {"user", "time", "candidate", "history", "long", "age", "label"}
    assert data["user"].tolist() == [1] * 8 + [2] * 8  # films 6 to 9, and negatives
    assert data["candidate"][::2].tolist() == [6, 7, 8, 9] * 2
    assert data["history"][::2][:4].tolist() == [
        [3, 4, 5],
        [4, 5, 6],
        [5, 6, 7],
        [6, 7, 8],
    ]
    long = [[1, 2, 0, 0], [1, 2, 3, 0], [1, 2, 3, 4], [2, 3, 4, 5]]
    assert data["long"][::2][:4].tolist() == long
    age = [[5, 4, 0, 0], [6, 5, 4, 0], [7, 6, 5, 4], [7, 6, 5, 4]]
    assert data["age"][::2][:4].tolist() == age
    assert data["label"].tolist() == [1, 0] * 8


def test_a_negative_shares_all_but_the_candidate_and_was_never_rated():
    data = long_samples(events(), 30, length=4, recent=3, minimum=5)
    for name in ("user", "time", "history", "long", "age"):
        assert torch.equal(data[name][::2], data[name][1::2])
    assert (data["candidate"][1::2] > 9).all()


def test_no_step_is_of_the_moment_of_the_candidate_or_later(movielens):
    data = long_samples(movielens.ratings, 1683, n_rows=500)
    real = data["long"] > 0
    assert (data["age"][real] > 0).all()
    assert (data["age"][~real] == 0).all()
    assert (data["history"] > 0).all()  # the minimum is far above 20
    assert (real.sum(1) >= 80).all()
    films = torch.cat([data["history"], data["long"]], 1)
    assert not (films[::2] == data["candidate"][::2, None]).any()


def test_together_the_parts_are_the_history(movielens):
    ratings = movielens.ratings[movielens.ratings["user"] <= 20]
    data = long_samples(ratings, 1683, length=700, recent=20, minimum=100)
    whole = next_item_samples(ratings, 1683, length=720, minimum=100)
    assert torch.equal(whole["candidate"][::2], data["candidate"][::2])
    for row in range(0, len(whole["history"]), 40):
        long, recent = data["long"][row], data["history"][row]
        joined = torch.cat([long[long > 0], recent[recent > 0]])
        assert torch.equal(joined, whole["history"][row][whole["history"][row] > 0])


def test_rows_are_drawn_by_the_seed():
    a = long_samples(events(60), 99, n_rows=10, minimum=25, seed=1)
    assert len(a["label"]) == 20
    same = long_samples(events(60), 99, n_rows=10, minimum=25, seed=1)
    other = long_samples(events(60), 99, n_rows=10, minimum=25, seed=2)
    assert torch.equal(a["candidate"], same["candidate"])
    assert not torch.equal(a["candidate"], other["candidate"])


def test_histories_of_some_rows():
    e = events()
    assert torch.equal(histories(e, 4)[[8, 2]], histories(e, 4, rows=np.array([8, 2])))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minimum": 20}, "minimum is 20; expected more than recent, 20"),
        ({"minimum": 50}, "no event has a history of 50 steps"),
        ({"recent": 0}, "recent is 0"),
        ({"n_rows": 0, "recent": 2, "minimum": 5}, "n_rows is 0"),
    ],
)
def test_bad_samples(options, message):
    with pytest.raises(ValueError, match=message):
        long_samples(events(), 30, **options)


# --- the cut


def test_a_cut_leaves_no_step_out_and_none_twice():
    long = torch.tensor([[1, 2, 3, 4, 5], [1, 2, 3, 0, 0], [7, 0, 0, 0, 0]])
    data = cut_recent({"long": long, "age": long.float(), "x": torch.ones(3)}, 2)
    assert data["history"].tolist() == [[4, 5], [2, 3], [7, 0]]
    assert data["long"].tolist() == [[1, 2, 3], [1, 0, 0], [0, 0, 0]]
    assert data["age"].tolist() == data["long"].tolist()
    assert data["x"].tolist() == [1, 1, 1]


def test_a_cut_needs_something_to_leave():
    with pytest.raises(ValueError, match="recent is 5; expected fewer than the 5"):
        cut_recent({"long": torch.ones(1, 5, dtype=torch.int64)}, 5)


def test_buckets_double():
    age = torch.tensor([0.0, 0.9, 1.0, 2.9, 3.0, 7.0, 1e6, 5.0])
    real = torch.tensor([True] * 7 + [False])
    assert age_buckets(age, real).tolist() == [1, 1, 2, 2, 3, 4, 12, 0]


# --- the world


def test_shapes_and_dtypes():
    world = recurring_interests(7, length=50)
    for name in ("long", "topic", "relevant", "age"):
        assert world[name].shape == (7, 50)
    for name in ("candidate", "label", "probability", "aim", "rare"):
        assert world[name].shape == (7,)
    assert world["long"].dtype == world["candidate"].dtype == torch.int64
    assert world["label"].dtype == world["age"].dtype == torch.float32


def test_items_say_which_topic_they_are_of():
    world = recurring_interests(100, length=100)
    table = topic_table()
    assert table.shape == (201, 20)
    assert (table[0] == 0).all()
    assert torch.equal(table[world["long"]].argmax(2), world["topic"])
    assert torch.equal(table[world["candidate"]].argmax(1), world["aim"])
    assert world["long"].min() >= 1
    assert world["long"].max() <= 200
    assert torch.equal(world["relevant"], world["topic"] == world["aim"][:, None])
    assert world["relevant"].any(1).all()


def test_some_items_stand_under_another_topic():
    right = topic_table(8, 3)
    for wrong in (0.0, 0.25, 1.0):
        table = topic_table(8, 3, wrong=wrong, seed=4)
        assert (table[0] == 0).all()
        assert (table[1:].sum(1) == 1).all()  # one topic each, as before
        assert (table != right).any(1).sum() == round(wrong * 48)
    moved = topic_table(8, 3, wrong=1.0).argmax(1) - right.argmax(1)
    assert len((moved[1:] % 8).unique()) == 7  # to any other, not always the next
    a, b, c = (topic_table(8, 3, wrong=0.5, seed=s) for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    with pytest.raises(ValueError, match="wrong is 1.5; expected a share from 0 to 1"):
        topic_table(wrong=1.5)


def test_visits_are_of_one_topic_and_one_moment_and_grow_older_backwards():
    world = recurring_interests(50, length=100, visit=5)
    for name in ("topic", "age"):
        visits = world[name].view(50, 20, 5)
        assert (visits == visits[:, :, :1]).all()
    assert (world["age"].diff(dim=1) <= 0).all()
    assert (world["age"] > 0).all()
    assert abs(float(world["age"][:, 0].mean()) - 20) < 3  # about a day for each


def test_rare_topics_are_rare_and_are_half_of_the_candidates():
    world = recurring_interests(2000, length=500)
    share = world["relevant"].float().mean(1)
    assert share[world["rare"]].mean() < 0.05
    assert share[~world["rare"]].mean() > 0.25
    assert abs(float(world["rare"].float().mean()) - 0.5) < 0.04


def test_clicks_follow_the_side_that_the_relevant_steps_show():
    world = recurring_interests(4000, length=200, loyal=1.0, strength=1.5)
    side = (world["long"] - 1) // 5 % 2
    shown = (side * world["relevant"]).sum(1) / world["relevant"].sum(1)
    assert set(shown.unique().tolist()) == {0, 1}  # the loyal never stray
    agrees = shown == (world["candidate"] - 1) // 5 % 2
    expected = torch.sigmoid(1.5 * (2.0 * agrees - 1))
    assert torch.allclose(world["probability"], expected)
    for value in expected.unique():
        rows = expected == value
        assert (world["label"][rows].mean() - value).abs() < 0.03


def test_who_turns_is_known_by_the_latest_visit():
    world = recurring_interests(300, length=200, loyal=1.0, turn=0.5, strength=1.0)
    side = (world["long"] - 1) // 5 % 2
    for row in range(300):
        steps = side[row][world["relevant"][row]]
        agrees = steps[-1] == (world["candidate"][row] - 1) // 5 % 2
        assert world["probability"][row] == torch.sigmoid(
            torch.tensor(1.0 if agrees else -1.0)
        )
    assert (side.diff(dim=1)[world["topic"].diff(dim=1) == 0] != 0).any()


def test_the_coin_and_the_seed():
    assert (
        recurring_interests(20, length=50, strength=0.0)["probability"] == 0.5
    ).all()
    a, b, c = (recurring_interests(20, length=50, seed=s)["long"] for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 12}, "length is 12; expected a multiple of visit, 5"),
        ({"n_topics": 7}, "n_common \\+ n_rare is 8; expected at most 7"),
        ({"loyal": 1.5}, "loyal is 1.5; expected a probability"),
        ({"turn": -0.1}, "turn is -0.1; expected a probability"),
        ({"rare": 0.0}, "rare is 0.0; expected a share"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"n_items": 0}, "n_items is 0"),
    ],
)
def test_bad_worlds(options, message):
    with pytest.raises(ValueError, match=message):
        recurring_interests(5, **options)
