"""Estimates of a policy's value, against every log that could have been."""

from itertools import product

import numpy as np
import pytest

from recsys_tutorial.offpolicy import ips, replay, snips, weights

SHARE = np.array([0.6, 0.4])  # of two kinds of visitors
CLICKS = np.array([[0.5, 0.2], [0.1, 0.3]])  # by kind and action
NEW = np.array([[1.0, 0.0], [0.0, 1.0]])  # the new policy, without chance
TRUTH = float((SHARE[:, None] * NEW * CLICKS).sum())
LOT = np.full((2, 2), 0.5)
PERSON = np.array([[0.9, 0.1], [0.7, 0.3]])
NEVER = np.array([[0.9, 0.1], [1.0, 0.0]])
CASES = list(product((0, 1), (0, 1), (0, 1)))  # kind, action, reward


def chance(policy, kind, action, reward):
    click = CLICKS[kind, action]
    return SHARE[kind] * policy[kind, action] * (click if reward else 1 - click)


def expected(policy, estimate, rows):
    """The estimate's mean over all logs of so many rows, and the logs' probability."""
    total = sure = 0.0
    for log in product(CASES, repeat=rows):
        p = np.prod([chance(policy, *row) for row in log])
        if p == 0:
            continue
        kind, action, reward = np.array(log).T
        new, old = NEW[kind, action], policy[kind, action]
        try:
            value = estimate(reward, new, old)
        except ValueError:
            continue  # says that it knows nothing
        total, sure = total + p * value, sure + p
    return total / sure, sure


def by_replay(reward, new, old):
    return replay(reward, new == 1)


@pytest.mark.parametrize("policy", [LOT, PERSON])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_ips_is_right_on_average_over_every_log(policy, rows):
    value, sure = expected(policy, ips, rows)
    assert sure == pytest.approx(1)
    assert value == pytest.approx(TRUTH)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_replay_is_right_where_the_log_chose_by_lot(rows):
    assert expected(LOT, by_replay, rows)[0] == pytest.approx(TRUTH)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_replay_hears_those_whom_the_log_agrees_with(rows):
    heard = SHARE * (PERSON * NEW).sum(1)
    ends_at = (heard * (NEW * CLICKS).sum(1)).sum() / heard.sum()
    value, _ = expected(PERSON, by_replay, rows)
    assert value == pytest.approx(ends_at)
    assert abs(value - TRUTH) > 0.02


def test_what_was_never_shown_is_missing_from_ips():
    value, _ = expected(NEVER, ips, 2)
    assert value == pytest.approx(SHARE[0] * CLICKS[0, 0])
    mean = expected(NEVER, lambda r, new, old: weights(new, old).mean(), 2)[0]
    assert mean == pytest.approx(SHARE[0])  # and the mean weight tells


def test_snips_of_one_row_is_replay_and_of_more_rows_comes_nearer():
    off = [abs(expected(PERSON, snips, rows)[0] - TRUTH) for rows in (1, 2, 4)]
    assert off[0] > off[1] > off[2]


def test_four_rows_by_hand():
    reward, old = np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.25, 0.8])
    new = np.array([1, 0, 1, 1])
    assert weights(new, old).tolist() == [2, 0, 4, 1.25]
    assert replay(reward, new == 1) == pytest.approx(2 / 3)
    assert ips(reward, new, old) == pytest.approx(1.5)
    assert snips(reward, new, old) == pytest.approx(6 / 7.25)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="agrees with no row"):
        replay([1, 0], np.array([False, False]))
    with pytest.raises(ValueError, match="truth values"):
        replay([1, 0], [1, 0])
    with pytest.raises(ValueError, match="none of 0 in logged"):
        ips([1, 0], [1, 1], [0.5, 0.0])
    with pytest.raises(ValueError, match="probabilities"):
        ips([1, 0], [1, 1.5], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"shape \(1,\)"):
        ips([1, 0], [1], [0.5, 0.5])
    with pytest.raises(ValueError, match="never take"):
        snips([1], [0], [0.5])
