import pandas as pd
import pytest
import torch

from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.sessions import drifting_sessions, session_samples, sittings

# user, item, time; user 1 pauses for 1000 s, and rates two items in one second
ROWS = [
    (1, 11, 100),
    (1, 12, 200),
    (1, 13, 200),
    (1, 14, 300),
    (1, 15, 1300),
    (1, 16, 1301),
    (2, 12, 1302),
    (2, 11, 1303),
]


def events(rows=ROWS):
    return pd.DataFrame(rows, columns=["user", "item", "time"])


@pytest.fixture(scope="module")
def movielens():
    return load_movielens().ratings


# --- sittings


def test_a_sitting_ends_with_a_long_pause_or_with_its_user():
    assert sittings(events(), gap=999).tolist() == [1, 1, 1, 1, 2, 2, 3, 3]
    assert sittings(events(), gap=1000).tolist() == [1, 1, 1, 1, 1, 1, 2, 2]
    assert sittings(events(), gap=50).tolist() == [1, 2, 2, 3, 4, 4, 5, 5]


def test_sittings_of_movielens(movielens):
    number = movielens.assign(sitting=sittings(movielens)).groupby("sitting")
    assert (number.user.nunique() == 1).all()
    assert number.time.diff().max() <= 1800
    assert number.ngroups == 2793


def test_bad_gaps_and_events():
    with pytest.raises(ValueError, match="gap is 0"):
        sittings(events(), gap=0)
    with pytest.raises(ValueError, match="not sorted"):
        sittings(events(ROWS[::-1]))


# --- samples


def test_samples_by_hand():
    data = session_samples(events(), gap=999, length=2)
    assert data["target"].tolist() == [12, 13, 14, 16, 11]
    assert data["history"].tolist() == [[11, 0], [11, 0], [12, 13], [15, 0], [12, 0]]
    assert data["clicks"].tolist() == [1, 1, 3, 1, 1]
    assert data["session"].tolist() == [1, 1, 1, 2, 3]
    assert data["user"].tolist() == [1, 1, 1, 1, 2]
    assert data["time"].tolist() == [200, 200, 300, 1301, 1303]


def test_samples_of_movielens_stay_in_their_sitting(movielens):
    data = session_samples(movielens, length=20)
    home = dict(
        zip(
            zip(movielens.user, movielens.item, strict=True),
            sittings(movielens),
            strict=True,
        )
    )
    for row in range(0, len(data["target"]), 997):
        user, number = int(data["user"][row]), int(data["session"][row])
        films = [int(i) for i in data["history"][row] if i > 0]
        assert {home[user, i] for i in [*films, int(data["target"][row])]} == {number}
        assert len(films) == min(20, data["clicks"][row])
    assert not (data["history"] == data["target"][:, None]).any()
    assert (data["history"][:, 0] > 0).all()


def test_samples_gathered_differ_in_nothing_else(movielens):
    whole = session_samples(movielens, length=20)
    gathered = session_samples(movielens, length=20, gathered=True)
    assert list(gathered) == list(whole)
    assert isinstance(gathered["history"], Gathered)
    for name in whole:
        assert gathered[name][:].equal(whole[name])


def test_without_a_second_moment_nothing_comes_next():
    with pytest.raises(ValueError, match="no sitting has events of two moments"):
        session_samples(events([(1, 11, 100), (1, 12, 100), (2, 11, 50)]))


# --- the world


def test_a_session_has_a_row_per_prefix():
    data = drifting_sessions(50, length=5, drift=(2, 3))
    assert data["history"].shape == (200, 4)
    assert (data["history"] > 0).sum(1).tolist() == [1, 2, 3, 4] * 50
    history, target = data["history"], data["target"]
    for row in (0, 1, 2, 4, 5, 6):  # the target is the next row's last click
        assert history[row + 1, row % 4 + 1] == target[row]


def test_without_accidents_clicks_are_of_the_old_then_of_the_new_interest():
    data = drifting_sessions(300, noise=0.0, length=6, drift=(2, 4))
    interest = torch.where(data["since"] >= 0, data["new"], data["old"])
    assert torch.equal((data["target"] - 1) % 10, interest)
    assert (data["old"] != data["new"]).all()
    assert data["since"].unique().tolist() == [-3, -2, -1, 0, 1, 2, 3]


def test_accidents_are_as_frequent_as_asked():
    data = drifting_sessions(4000, n_interests=5, noise=0.4, drift=None, length=4)
    off = ((data["target"] - 1) % 5 != data["old"]).float().mean()
    assert off == pytest.approx(0.4 * 4 / 5, abs=0.02)
    assert (data["since"] == -4).all()
    assert data["target"].unique().tolist() == list(range(1, 101))


def test_seeds_repeat_and_differ():
    a, b, c = (drifting_sessions(20, seed=s)["history"] for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_sessions": 0}, "n_sessions is 0"),
        ({"n_interests": 1}, "n_interests is 1"),
        ({"length": 1}, "length 1"),
        ({"items_per_interest": 0}, "items_per_interest is 0"),
        ({"drift": (0, 3)}, r"drift is \(0, 3\); expected steps from 1 to 11"),
        ({"drift": (3, 12)}, "drift is"),
        ({"drift": (5, 4)}, "drift is"),
        ({"noise": 1.5}, "noise is 1.5"),
    ],
)
def test_bad_worlds(arguments, message):
    with pytest.raises(ValueError, match=message):
        drifting_sessions(**{"n_sessions": 5} | arguments)
