import math

import pytest
import torch

from recsys_tutorial.data.interests import drifting_interests, planted_interests

# --- planted interests


def test_a_step_is_relevant_if_its_item_is_of_the_candidate_s_interest():
    world = planted_interests(200, n_interests=5, items_per_interest=4, length=8)
    for history, candidate, relevant in zip(
        *(world[k].tolist() for k in ("history", "candidate", "relevant")), strict=True
    ):
        assert relevant == [h > 0 and h % 5 == candidate % 5 for h in history]


def test_histories_have_the_stated_length_and_number_of_interests():
    world = planted_interests(500, per_user=2)
    history = world["history"]
    assert 1 <= history[history > 0].min() <= history.max() <= 160
    lengths = (history > 0).sum(1)
    assert (lengths.min(), lengths.max()) == (5, 20)
    assert ((history > 0) == (torch.arange(20) < lengths[:, None])).all()
    interests = [len({h % 8 for h in row if h}) for row in history.tolist()]
    assert max(interests) == 2


def test_clicks_follow_the_count_of_relevant_steps():
    world = planted_interests(40_000)
    count = world["relevant"].sum(1)
    for k in (0, 3, 6, 9):
        expected = 1 / (1 + math.exp(-(k - 6) / 2))
        rows = count == k
        assert world["probability"][rows].mean() == pytest.approx(expected, abs=1e-5)
        assert world["label"][rows].mean() == pytest.approx(expected, abs=0.04)


def test_half_of_the_candidates_are_of_an_own_interest():
    world = planted_interests(20_000, n_interests=8, per_user=2)
    # the other half hits one of two own interests by chance, 2 in 8
    history = world["history"]
    own = ((history - 1) % 8 == ((world["candidate"] - 1) % 8)[:, None]) & (history > 0)
    assert torch.equal(own, world["relevant"])
    assert 0.5 < own.any(1).float().mean() < 0.5 + 0.5 * 2 / 8


def test_worlds_of_interests_repeat_by_seed():
    a, b, c = (planted_interests(20, seed=s) for s in (1, 1, 2))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["history"], c["history"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_rows": 0}, "n_rows is 0"),
        ({"length": 3}, "length is 3; expected at least 4"),
        ({"per_user": 9}, "per_user is 9; expected at most 8"),
        ({"items_per_interest": 0}, "items_per_interest is 0"),
    ],
)
def test_bad_worlds_of_interests(arguments, message):
    with pytest.raises(ValueError, match=message):
        planted_interests(**{"n_rows": 5} | arguments)


# --- drifting interests


def last_of_interest(world, row, interest):
    """Phase of the last step of the interest, and the phases of all of its steps."""
    steps = [
        int(p)
        for i, p in zip(world["interest"][row], world["phase"][row], strict=True)
        if i == interest
    ]
    return steps[-1], steps


def test_shapes_and_dtypes():
    world = drifting_interests(7, length=9)
    assert world["history"].shape == world["interest"].shape == (7, 9)
    assert world["phase"].shape == world["drifted"].shape == (7, 9)
    for name in ("candidate", "label", "probability", "aim", "current"):
        assert world[name].shape == (7,)
    assert world["history"].dtype == world["candidate"].dtype == torch.int64
    assert world["label"].dtype == world["probability"].dtype == torch.float32


def test_items_say_which_interest_and_phase_they_are_of():
    world = drifting_interests(200, n_interests=3, n_phases=4, n_items=5)
    kind = (world["history"] - 1) // 5
    assert torch.equal(kind // 4, world["interest"])
    assert torch.equal(kind % 4, world["phase"])
    assert torch.equal((world["candidate"] - 1) // 20, world["aim"])
    assert world["history"].min() == 1
    assert world["history"].max() == 60


def test_the_candidate_is_current_if_its_phase_is_the_latest_of_its_interest():
    world = drifting_interests(300)
    for row in range(300):
        last, all_phases = last_of_interest(world, row, world["aim"][row])
        phase = int((world["candidate"][row] - 1) // 5 % 4)
        assert phase in all_phases
        assert bool(world["current"][row]) == (phase == last)


def test_drifted_marks_the_steps_at_which_the_phase_of_the_interest_changes():
    world = drifting_interests(100, drift=0.4)
    for row in range(100):
        latest = {}
        for i, p, d in zip(
            *(world[k][row].tolist() for k in ("interest", "phase", "drifted")),
            strict=True,
        ):
            assert d == (i in latest and latest[i] != p)
            latest[i] = p
    assert world["drifted"].any()


def test_clicks_follow_the_probability():
    world = drifting_interests(20_000, strength=1.5)
    for current in (True, False):
        rows = world["current"] == current
        expected = torch.sigmoid(torch.tensor(1.5 if current else -1.5))
        assert torch.allclose(world["probability"][rows], expected)
        assert (world["label"][rows].mean() - expected).abs() < 0.02


def test_the_knobs():
    still = drifting_interests(50, drift=0.0)
    assert not still["drifted"].any()
    assert still["current"].all()
    one = drifting_interests(50, stay=1.0)
    assert (one["interest"] == one["interest"][:, :1]).all()
    coin = drifting_interests(50, strength=0.0)
    assert (coin["probability"] == 0.5).all()
    last = drifting_interests(50, n_interests=1)  # the last click decides
    phase = (last["candidate"] - 1) // 5
    assert torch.equal(last["current"], phase == last["phase"][:, -1])


def test_same_seed_same_world():
    a, b, c = (drifting_interests(50, seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["history"], c["history"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_rows": 0}, "n_rows is 0"),
        ({"n_phases": 1}, "n_phases is 1; expected at least 2"),
        ({"drift": 1.5}, "drift is 1.5; expected a probability"),
        ({"stay": float("nan")}, "stay is nan"),
        ({"strength": -1.0}, "strength is -1.0"),
    ],
)
def test_bad_worlds_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        drifting_interests(**({"n_rows": 5} | options))
