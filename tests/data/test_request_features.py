import json

import numpy as np
import pandas as pd
import pytest

from recsys_tutorial.data.request_features import (
    NOBODY,
    Past,
    RequestFeatures,
    differences,
    pasts_of,
)

EDGES = {"events": [3, 10], "share": [0.5], "gap": [60, 3600], "views": [2]}
VIEWS = [0, 5, 1, 9, 0]


def features(length=4, **edges):
    return RequestFeatures(length, EDGES | edges, VIEWS)


def past(items, liked=None, times=None):
    liked = [False] * len(items) if liked is None else liked
    times = range(100, 100 + len(items)) if times is None else times
    return Past(np.array(items), np.array(liked), np.array(list(times)))


THREE = past([3, 1, 2], [True, False, True], [100, 160, 200])


def log(rows=400, seed=0):
    """A log of 12 users and 30 items, with many events in one second."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "user": draw.integers(1, 13, rows),
            "item": draw.integers(1, 31, rows),
            "rating": draw.integers(1, 6, rows),
            "time": 1000 + draw.integers(0, 150, rows) * 7,
        }
    )
    return table.sort_values(["user", "time"], kind="stable", ignore_index=True)


def test_by_hand():
    told = features().user(THREE, now=200)
    assert told["history"].tolist() == [3, 1, 0, 0]
    assert told["liked"].tolist() == [2, 1, 0, 0]
    assert told["fields"].tolist() == [1, 2, 1]  # 2 events, half liked, 40 seconds


def test_an_event_of_the_same_second_is_not_known_yet():
    same = past([1, 2, 3], times=[100, 200, 200])
    assert features().user(same, 200)["history"].tolist() == [1, 0, 0, 0]
    assert features().user(same, 201)["history"].tolist() == [1, 2, 3, 0]


def test_the_latest_steps_are_kept_oldest_first():
    told = features(length=2).user(past([1, 2, 3, 1]), now=1000)
    assert told["history"].tolist() == [3, 1]


def test_the_future_changes_nothing():
    more = Past(*(np.append(a, b) for a, b in zip(THREE, (1, True, 200), strict=True)))
    for name, values in features().user(THREE, 200).items():
        assert np.array_equal(values, features().user(more, 200)[name])


def test_a_bucket_begins_at_its_edge():
    gaps = [features().user(past([1], times=[0]), now)["fields"][2] for now in
            (59, 60, 3599, 3600)]  # fmt: skip
    assert gaps == [1, 2, 2, 3]


def test_nobody_has_nothing_and_no_bucket():
    told = features().user(NOBODY, now=5)
    assert not any(values.any() for values in told.values())
    assert features().user(THREE, now=100)["fields"].tolist() == [0, 0, 0]


def test_a_film_that_nobody_watched_is_unknown_and_not_unpopular():
    row = features().candidates(features().user(THREE, 200), [1, 2, 4])
    assert row["fields"][:, 3].tolist() == [2, 1, 0]
    assert row["candidate"].tolist() == [1, 2, 4]
    assert row["history"].shape == (3, 4)


def test_edges_come_from_the_table_and_the_views_too():
    table = log()
    found = RequestFeatures.fit(table, 31, bins=4)
    assert found.views.tolist() == np.bincount(table["item"], minlength=31).tolist()
    assert all(size <= 2 + 4 for size in found.cardinalities)
    rows = found.table(pasts_of(table), table["user"], table["time"], table[["item"]])
    assert (rows["fields"].max(0) < found.cardinalities).all()


def test_training_and_serving_agree_event_by_event():
    table = log()
    found = RequestFeatures.fit(table, 31, length=6)
    whole = pasts_of(table)
    offline = found.table(whole, table["user"], table["time"], table[["item"]])
    online = served(table, found)
    assert not differences(offline, online)["rows"].any()


def served(table, found, tell_first=False):
    """A service that is told each event after its request: arrays that grow."""
    now_known, rows = {}, []
    for user, item, rating, now in table.to_numpy():
        old = now_known.get(user, NOBODY)
        new = Past(*map(np.append, old, (item, rating >= 4, now)))
        rows.append(
            found.candidates(found.user(new if tell_first else old, now), [item])
        )
        now_known[user] = new
    return {name: np.concatenate([r[name] for r in rows]) for name in rows[0]}


class Backwards(RequestFeatures):
    def user(self, past, now):
        told = super().user(past, now)
        count = int((told["history"] > 0).sum())
        told["history"][:count] = told["history"][:count][::-1].copy()
        return told


class Peeking(RequestFeatures):
    def user(self, past, now):
        return super().user(past, now + 1)


def another_edge(content):
    edges = content["edges"] | {"gap": [e + 1 for e in content["edges"]["gap"]]}
    return RequestFeatures.from_dict(content | {"edges": edges})


@pytest.mark.parametrize(
    ("skewed", "column", "tell_first"),
    [
        (Backwards.from_dict, "history", False),
        (Peeking.from_dict, "history", True),
        (another_edge, "fields", False),
    ],
)
def test_a_planted_skew_is_caught(skewed, column, tell_first):
    table = log()
    found = RequestFeatures.fit(table, 31, length=6)
    offline = found.table(
        pasts_of(table), table["user"], table["time"], table[["item"]]
    )
    wrong = skewed(found.to_dict())
    caught = differences(offline, served(table, wrong, tell_first))
    assert caught.loc[column, "rows"] > 0
    row = caught.loc[column, "first"]
    online = served(table, wrong, tell_first)[column]
    assert not np.array_equal(offline[column][row], online[row])
    assert np.array_equal(offline[column][:row], online[:row])


def test_it_survives_json():
    found = RequestFeatures.fit(log(), 31)
    again = RequestFeatures.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.cardinalities == found.cardinalities
    told = found.user(THREE, 200), again.user(THREE, 200)
    assert all(np.array_equal(told[0][name], told[1][name]) for name in told[0])


def test_pasts_by_hand():
    table = pd.DataFrame(
        {"user": [2, 2, 7], "item": [5, 1, 3], "rating": [4, 3, 5], "time": [1, 2, 1]}
    )
    found = pasts_of(table)
    assert list(found) == [2, 7]
    assert found[2].items.tolist() == [5, 1]
    assert found[2].liked.tolist() == [True, False]
    assert found[7].times.tolist() == [1]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="ascending"):
        features(gap=[60, 60])
    with pytest.raises(ValueError, match=r"edges has \['gap'\]"):
        RequestFeatures(4, {"gap": [1]}, VIEWS)
    with pytest.raises(ValueError, match="length is 0"):
        features(length=0)
    known = features().user(THREE, 200)
    with pytest.raises(ValueError, match="holds 5; expected at most 4"):
        features().candidates(known, [1, 5])
    with pytest.raises(ValueError, match="ids from 1"):
        features().candidates(known, [0, 1])
    with pytest.raises(ValueError, match=r"none of RequestFeatures\.to_dict"):
        RequestFeatures.from_dict({"length": 4})
    with pytest.raises(ValueError, match="offline holds"):
        differences({"a": np.zeros(2)}, {"a": np.zeros(3)})
    with pytest.raises(ValueError, match="item"):
        RequestFeatures.fit(log(), 5)
