import numpy as np
import pandas as pd
import pytest

from recsys_tutorial.data.gaps import drifting_gaps


def test_columns_and_order():
    events = drifting_gaps(7, length=9)
    assert len(events) == 63
    assert events.user.unique().tolist() == list(range(1, 8))
    assert (events.groupby("user").time.diff().dropna() >= 0).all()
    assert ((events["item"] - 1) // 15 == events.interest).all()
    assert events.time.min() >= 1


def test_interests_are_kept_as_often_as_the_law_says():
    events = drifting_gaps(4000, n_interests=20, memory=2.0, seed=1)
    gap = events.groupby("user").time.diff() / 86_400
    same = events.groupby("user").interest.diff() == 0
    for low, high in ((0, 0.1), (0.9, 1.1), (4, 10)):
        rows = (gap > low) & (gap < high)
        keep = np.exp(-gap[rows] / 2).mean()
        expected = keep + (1 - keep) / 20  # a fresh one may be the old one
        assert same[rows].mean() == pytest.approx(expected, abs=0.03)


def test_small_evenness_makes_uneven_gaps_of_the_same_mean():
    events = drifting_gaps(3000, length=30, seed=2)
    gap = events.groupby("user").time.diff() / 86_400
    for rows in (events.evenness < 0.3, events.evenness > 3):
        assert gap[rows].mean() == pytest.approx(1, abs=0.1)
    assert gap[events.evenness < 0.3].std() > 3 * gap[events.evenness > 3].std()


def test_seeds():
    a, b, c = (drifting_gaps(5, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(a, b)
    assert not a.equals(c)


def test_bad_arguments():
    with pytest.raises(ValueError, match="n_users is 0"):
        drifting_gaps(0)
    with pytest.raises(ValueError, match="memory is 0"):
        drifting_gaps(5, memory=0)
