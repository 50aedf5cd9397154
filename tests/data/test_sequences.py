import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.sequences import (
    film_genres,
    film_titles,
    histories,
    item_counts,
    latest_histories,
    liking_samples,
    next_item_samples,
    split_by_time,
)

# user, item, rating, time; user 1 rates two items in one second
ROWS = [
    (1, 11, 5, 100),
    (1, 12, 3, 200),
    (1, 13, 4, 200),
    (1, 14, 1, 300),
    (2, 12, 2, 50),
    (2, 11, 4, 60),
]


def events(rows=ROWS):
    return pd.DataFrame(rows, columns=["user", "item", "rating", "time"])


@pytest.fixture(scope="module")
def movielens():
    return load_movielens()


@pytest.fixture(scope="module")
def samples(movielens):
    return next_item_samples(movielens.ratings, 1683, length=50)


# --- histories


def test_histories_by_hand():
    assert histories(events(), 4).tolist() == [
        [0, 0, 0, 0],
        [11, 0, 0, 0],
        [11, 0, 0, 0],  # not 12: that is of the same second
        [11, 12, 13, 0],
        [0, 0, 0, 0],  # another user
        [12, 0, 0, 0],
    ]


def test_a_history_longer_than_the_limit_keeps_the_latest():
    assert histories(events(), 2)[3].tolist() == [12, 13]
    assert histories(events(), 1)[3].tolist() == [13]


def test_histories_of_times_stand_in_step_with_those_of_films():
    assert histories(events(), 4, "time")[3].tolist() == [100, 200, 200, 0]


def test_histories_of_some_events_only():
    liked = events().rating >= 4
    assert histories(events(), 3, where=liked)[3].tolist() == [11, 13, 0]
    assert histories(events(), 3, where=liked)[5].tolist() == [0, 0, 0]


def test_the_latest_history_holds_the_latest_event():
    now = latest_histories(events(), 3)
    assert now["user"].tolist() == [1, 2]
    assert now["history"].tolist() == [[12, 13, 14], [12, 11, 0]]
    every = latest_histories(events())["history"]
    assert every.tolist() == [[11, 12, 13, 14], [12, 11, 0, 0]]
    assert latest_histories(events(), column="time")["history"][1, 1] == 60
    gathered = latest_histories(events(), 3, gathered=True)["history"]
    assert isinstance(gathered, Gathered)
    assert gathered[:].equal(now["history"])


def test_an_event_more_and_the_latest_history_is_that_of_before(movielens):
    ratings = movielens.ratings
    now = latest_histories(ratings, 30)
    last = ratings.groupby("user").tail(1).assign(time=10**10)
    more = pd.concat([ratings, last]).sort_values(["user", "time"], kind="stable")
    at = np.flatnonzero(more["time"] == 10**10)
    assert now["history"].equal(histories(more, 30, rows=at))


@pytest.mark.parametrize("length", [0, 2.0])
def test_latest_histories_refuse(length):
    with pytest.raises(ValueError, match="length is"):
        latest_histories(events(), length)
    with pytest.raises(ValueError, match="not sorted"):
        latest_histories(events(ROWS[::-1]))


def test_no_history_reaches_the_time_of_its_target(movielens):
    times = histories(movielens.ratings, 50, "time")
    target = torch.as_tensor(movielens.ratings.time.to_numpy(copy=True))
    assert (times < target[:, None]).all()
    steps = times.diff(dim=1)[times[:, 1:] > 0]
    assert (steps >= 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.iloc[::-1], "not sorted by user and time, first at row 1"),
        (lambda e: e.iloc[[1, 0, 2]], "not sorted .* row 1"),
        (lambda e: e.iloc[:0], "events has no rows"),
        (lambda e: e.drop(columns="item"), r"lacks \['item'\]"),
        (lambda e: e.assign(item=0), "item holds 0 in row 0"),
        (lambda e: e.assign(item=1.5), "item holds 1.5 in row 0"),
        (lambda e: e.assign(time=-5), "time holds -5 in row 0"),
    ],
)
def test_bad_events(change, message):
    with pytest.raises(ValueError, match=message):
        histories(change(events()), 3)
    with pytest.raises(ValueError, match="length is 0"):
        histories(events(), 0)


# --- samples


def test_each_positive_is_followed_by_a_negative_with_the_same_past():
    data = next_item_samples(events(), 20, length=3, minimum=1)
    assert data["label"].tolist() == [1, 0] * 4
    assert data["user"].tolist() == [1] * 6 + [2] * 2
    assert data["candidate"][::2].tolist() == [12, 13, 14, 11]
    assert data["time"].tolist() == [200] * 4 + [300] * 2 + [60] * 2
    assert torch.equal(data["history"][::2], data["history"][1::2])
    assert data["history"][4].tolist() == [11, 12, 13]


def test_negatives_are_films_the_user_never_has(movielens, samples):
    pairs = set(zip(movielens.ratings.user, movielens.ratings.item, strict=True))
    negative = samples["label"] == 0
    drawn = zip(
        samples["user"][negative].tolist(),
        samples["candidate"][negative].tolist(),
        strict=True,
    )
    assert pairs.isdisjoint(drawn)
    assert samples["candidate"].min() == 1
    assert samples["candidate"].max() == 1682


def test_negatives_are_uniform_over_what_is_left():
    data = [next_item_samples(events(), 17, minimum=3, seed=s) for s in range(600)]
    drawn = torch.stack([d["candidate"][1] for d in data])
    counts = torch.bincount(drawn, minlength=17)
    assert counts[[0, 11, 12, 13, 14]].sum() == 0
    assert counts[counts > 0].min() > 25  # 12 films, 50 expected
    assert (counts > 0).sum() == 12


def test_seeds_repeat_and_differ():
    a, b, c = (next_item_samples(events(), 500, minimum=1, seed=s) for s in (1, 1, 2))
    assert torch.equal(a["candidate"], b["candidate"])
    assert not torch.equal(a["candidate"], c["candidate"])


def test_the_target_is_never_in_its_own_history(samples):
    assert not (samples["history"] == samples["candidate"][:, None]).any()


def test_liking_is_told_from_the_films_liked_before():
    data = liking_samples(events(), length=2, minimum=1)
    assert data["candidate"].tolist() == [12, 13, 14]
    assert data["label"].tolist() == [0, 1, 0]
    assert data["history"].tolist() == [[11, 0], [11, 0], [11, 13]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_items": 14}, "item holds id 14 in row 3; expected ids of 1 to 13"),
        ({"n_items": 20, "minimum": 4}, "no event has a history of 4 steps"),
        ({"n_items": 0}, "n_items is 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        next_item_samples(events(), **{"minimum": 1} | arguments)


def test_a_user_who_has_all_films_leaves_no_negative():
    every = events([(1, film, 5, 10 * film) for film in range(1, 6)])
    with pytest.raises(ValueError, match="user 1 has all items"):
        next_item_samples(every, 6, minimum=1)


# --- the split


def test_the_split_is_a_cut_in_time(samples):
    train, validation, test = split_by_time(samples["time"])
    time = samples["time"]
    assert time[train].max() < time[validation].min()
    assert time[validation].max() < time[test].min()
    assert torch.cat([train, validation, test]).sort().values.tolist() == list(
        range(len(time))
    )
    assert len(test) / len(time) == pytest.approx(0.2, abs=0.01)


def test_a_moment_of_the_cut_belongs_to_the_later_part():
    parts = split_by_time(torch.arange(10), validation=0.3, test=0.2)
    assert [p.tolist() for p in parts] == [[0, 1, 2, 3, 4], [5, 6, 7], [8, 9]]


def test_no_later_event_is_in_a_training_history(movielens):
    ratings = movielens.ratings
    times = histories(ratings, 50, "time")
    target = torch.as_tensor(ratings.time.to_numpy(copy=True))
    train, validation, _ = split_by_time(target)
    assert times[train].max() < target[validation].min()


def test_rows_of_one_moment_stay_together():
    time = torch.tensor([5, 1, 3, 3, 3, 9, 3, 2, 8, 7])
    parts = split_by_time(time, validation=0.3, test=0.3)
    for value in time.unique():
        homes = {p for p, rows in enumerate(parts) if (time[rows] == value).any()}
        assert len(homes) == 1


@pytest.mark.parametrize(
    ("time", "shares", "message"),
    [
        (torch.arange(10), {"test": 0.95}, "test is 0.95; expected shares"),
        (torch.arange(10), {"validation": 0.0}, "validation is 0.0"),
        (torch.ones(10), {}, "time has 10 rows and 1 values; too few"),
        (torch.arange(2), {}, "too few"),
    ],
)
def test_bad_splits(time, shares, message):
    with pytest.raises(ValueError, match=message):
        split_by_time(time, **shares)


# --- for reading and counting


def test_counts_are_of_samples_and_not_of_steps():
    data = {
        "history": torch.tensor([[1, 1, 2], [2, 0, 0]]),
        "candidate": torch.tensor([2, 3]),
    }
    assert item_counts(data, 5).tolist() == [1, 1, 2, 1, 0]


def test_titles_and_genres_are_read_by_id(movielens):
    titles, genres = film_titles(movielens.films), film_genres(movielens.films)
    assert len(titles) == len(genres) == 1683
    assert titles[:2] == ["(padding)", "Toy Story (1995)"]
    assert "The Godfather (1972)" in titles
    assert titles[267] == "unknown"
    assert genres[0].sum() == 0
    assert (genres[1:].sum(1) >= 1).all()
    assert genres[1].nonzero().flatten().tolist() == [3, 4, 5]  # of GENRES
