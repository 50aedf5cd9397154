"""The operators, against a brute-force search and against what must stay."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial import augment
from recsys_tutorial.augment import (
    MODES,
    crop,
    draw_views,
    insert,
    interval_variance,
    mask,
    reorder,
    substitute,
    ti_crop,
    ti_insert,
    ti_mask,
    ti_reorder,
    ti_substitute,
)

NEIGHBOUR = np.append(0, np.arange(1001, 1100))  # of item i: 1000 + i
KINDS = ["crop", "mask", "reorder", "substitute", "insert"]
NAMES = [prefix + kind for kind in KINDS for prefix in ("", "ti_")]
ALL = pytest.mark.parametrize("name", NAMES)
RATES = [0, 0.2, 0.29, 0.5, 0.7, 1]


def rng(seed=0):
    return np.random.default_rng(seed)


def apply(name, items, times, rate, seed=0, **mode):
    extra = (NEIGHBOUR,) if "insert" in name or "subst" in name else ()
    return getattr(augment, name)(items, times, rate, rng(seed), *extra, **mode)


def sequence(gaps, first=100):
    times = np.cumsum([first, *gaps])
    return np.arange(1, len(times) + 1), times


def taken(rate, n):
    return math.floor(round(rate * n, 6))


histories = st.builds(
    sequence, st.lists(st.integers(0, 20) | st.integers(0, 10**8), max_size=12)
)
rates = st.floats(0, 1)
seeds = st.integers(0, 1000)


# --- by hand

ITEMS, TIMES = sequence([1, 9, 2, 2, 2, 20])  # seven events


def test_a_sequence_by_hand():
    assert interval_variance(TIMES) == pytest.approx(np.var([1, 9, 2, 2, 2, 20]))
    items, times = ti_crop(ITEMS, TIMES, 4 / 7, rng())
    assert items.tolist() == [3, 4, 5, 6]  # the gaps 2, 2, 2
    assert times.tolist() == TIMES[2:6].tolist()
    assert ti_mask(ITEMS, TIMES, 0.3, rng(), "maximum")[0].tolist() == [
        1, 0, 3, 4, 5, 0, 7,
    ]  # before the gaps of 9 and 20  # fmt: skip
    new = ti_substitute(ITEMS, TIMES, 0.3, rng(), NEIGHBOUR)[0]
    assert new.tolist() == [1001, 2, 3, 4, 1005, 6, 7]  # gaps 1 and 2, the latest 2
    items, times = ti_insert(ITEMS, TIMES, 0.3, rng(), NEIGHBOUR)
    assert items.tolist() == [1, 2, 1002, 3, 4, 5, 6, 1006, 7]
    assert np.diff(times).tolist() == [1, 4, 5, 2, 2, 2, 10, 10]
    moved = {tuple(ti_reorder(ITEMS, TIMES, 4 / 7, rng(s))[0]) for s in range(200)}
    inside = set(itertools.permutations([3, 4, 5, 6]))
    assert moved == {(1, 2, *middle, 7) for middle in inside}


def test_coserec_inserts_before_and_at_the_start_with_the_first_time():
    found = {
        tuple(map(tuple, insert(ITEMS[:2], TIMES[:2], 0.5, rng(s), NEIGHBOUR)))
        for s in range(30)
    }
    assert found == {
        ((1001, 1, 2), (100, 100, 101)),
        ((1, 1002, 2), (100, 100, 101)),
    }


# --- lengths


@ALL
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n", [1, 2, 3, 10, 50])
def test_the_length_of_the_result(name, rate, n):
    items, times = sequence([7, 3, 11, 3, 5] * 10)
    new, when = apply(name, items[:n], times[:n], rate)
    assert len(new) == len(when)
    assert (np.diff(when) >= 0).all()
    count, ti = taken(rate, n), name.startswith("ti_")
    changed = min(max(1, count), n - 1 if ti else n)
    if "crop" in name:
        assert len(new) == max(1, count)
    elif "insert" in name:
        assert len(new) == n + changed
    else:
        assert len(new) == n
    if "mask" in name:  # at random, which is the mode of both here
        assert (new == 0).sum() == count
    if "substitute" in name:
        assert (new > 1000).sum() == changed


def test_ti_mask_at_random_hides_any_event_and_all_alike():
    share = np.mean(
        [ti_mask(ITEMS, TIMES, 0.3, rng(s))[0] == 0 for s in range(2000)], 0
    )
    assert share == pytest.approx(np.full(7, 2 / 7), abs=0.04)
    for rate in (0.3, 1):
        new = ti_mask(ITEMS, TIMES, rate, rng(1))[0]
        assert np.array_equal(new, mask(ITEMS, TIMES, rate, rng(1))[0])
    assert not ti_mask(ITEMS, TIMES, 1, rng())[0].any()
    assert ti_mask(ITEMS, TIMES, 1, rng(), "maximum")[0].tolist() == [0] * 6 + [7]


def test_a_rate_is_not_lost_to_floating_point():
    assert 0.29 * 100 < 29
    items, times = sequence([1] * 99)
    assert len(crop(items, times, 0.29, rng())[0]) == 29


# --- what must stay


@ALL
@given(history=histories, rate=rates, seed=seeds)
def test_same_seed_same_result_and_the_input_stays(name, history, rate, seed):
    items, times = history
    before = items.copy(), times.copy()
    a, b = (apply(name, items, times, rate, seed) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert np.array_equal(items, before[0])
    assert np.array_equal(times, before[1])


@ALL
def test_seeds_differ_where_something_is_drawn(name):
    items, times = sequence([7, 3, 11, 3, 5] * 4)
    mode = {"mode": "random"} if name.startswith("ti_") else {}
    found = {tuple(apply(name, items, times, 0.3, s, **mode)[0]) for s in range(20)}
    assert len(found) > 5


@given(history=histories, rate=rates, seed=seeds, name=st.sampled_from(NAMES))
def test_order_is_kept_where_it_must_be(history, rate, seed, name):
    items, times = history
    new, when = apply(name, items, times, rate, seed)
    old = [i for i in new if 0 < i < 1000]
    if "reorder" in name:
        assert sorted(old) == items.tolist()
    else:
        assert old == sorted(old)
    if "insert" in name:
        assert old == items.tolist()
        assert when[np.flatnonzero(new < 1000)].tolist() == times.tolist()
    if "crop" in name and len(old) > 1:
        assert np.diff(old).tolist() == [1] * (len(old) - 1)
    if "crop" not in name and "insert" not in name:
        assert np.array_equal(when, times)


@given(history=histories, rate=rates, seed=seeds, name=st.sampled_from(NAMES))
def test_only_the_chosen_places_change(history, rate, seed, name):
    items, times = history
    new, _ = apply(name, items, times, rate, seed)
    n = len(items)
    if "reorder" in name:
        changed = np.flatnonzero(new != items)
        if len(changed):
            assert changed[-1] - changed[0] < taken(rate, n)
    elif "mask" in name or "substitute" in name:
        most = max(taken(rate, n), "substitute" in name)
        assert (new != items).sum() <= most
        assert set(new[new != items]) <= {0} | set(1000 + items)


# --- the rules, by brute force


def all_windows(times, count):
    return [times[s : s + count] for s in range(len(times) - count + 1)]


@pytest.mark.parametrize("mode", ["minimum", "maximum"])
@given(history=histories, rate=rates)
def test_the_window_is_the_one_a_search_finds(mode, history, rate):
    items, times = history
    _, when = ti_crop(items, times, rate, rng(), mode)
    windows = all_windows(times, len(when))
    variances = np.array([interval_variance(w) for w in windows])
    best = variances.min() if mode == "minimum" else variances.max()
    assert interval_variance(when) == pytest.approx(best, rel=1e-6)
    latest = np.flatnonzero(np.isclose(variances, best, rtol=1e-9, atol=0))[-1]
    assert when.tolist() == windows[latest].tolist()


@given(history=histories, rate=rates, seed=seeds)
def test_reordering_happens_inside_the_window_that_cropping_keeps(history, rate, seed):
    items, times = history
    if taken(rate, len(items)) < 1:
        return
    kept, _ = ti_crop(items, times, rate, rng())
    new, _ = ti_reorder(items, times, rate, rng(seed))
    outside = ~np.isin(items, kept)
    assert np.array_equal(new[outside], items[outside])


def places(name, items, times, rate, mode):
    """The events that an operator picked, read off its result."""
    new, _ = apply(name, items, times, rate, mode=mode)
    if "insert" in name:
        return [i - 1 for i, j in itertools.pairwise(new) if j > 1000]
    return np.flatnonzero(new != items).tolist()


@pytest.mark.parametrize("mode", ["minimum", "maximum"])
@pytest.mark.parametrize("name", ["ti_mask", "ti_substitute", "ti_insert"])
@given(history=histories, rate=rates)
def test_the_intervals_are_those_a_search_finds(name, mode, history, rate):
    items, times = history
    gaps = np.diff(times)
    count = max(taken(rate, len(items)), name != "ti_mask")
    sign = 1 if mode == "minimum" else -1
    ranked = sorted(range(len(gaps)), key=lambda i: (sign * gaps[i], -i))
    assert places(name, items, times, rate, mode) == sorted(ranked[:count])


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("ti_")])
def test_an_unknown_mode_is_refused(name):
    with pytest.raises(ValueError, match="mode is 'least'"):
        apply(name, ITEMS, TIMES, 0.5, mode="least")
    for mode in MODES:
        apply(name, ITEMS, TIMES, 0.5, mode=mode)


def test_ties_go_to_the_latest():
    items, times = sequence([5, 5, 5, 5, 0, 0])
    assert ti_crop(items, times, 3 / 7, rng())[0].tolist() == [5, 6, 7]
    items, times = sequence([5, 5, 5, 5])
    assert ti_crop(items, times, 3 / 5, rng())[0].tolist() == [3, 4, 5]
    assert ti_insert(items, times, 0.2, rng(), NEIGHBOUR)[0].tolist() == [
        1, 2, 3, 4, 1004, 5,
    ]  # fmt: skip
    assert ti_crop(items, times, 0.4, rng())[0].tolist() == [4, 5]


def test_large_stamps_and_a_wild_gap_do_not_blur_a_small_variance():
    gaps = [10**8, 3, 3, 3, 10**8 - 1, 4, 3, 4]
    items, times = sequence(gaps, first=1_500_000_000)
    assert ti_crop(items, times, 4 / 9, rng())[0].tolist() == [2, 3, 4, 5]


# --- the variance


@given(history=histories, rate=rates, seed=seeds)
def test_ti_crop_is_never_above_a_random_crop_of_the_same_length(history, rate, seed):
    least = interval_variance(ti_crop(*history, rate, rng())[1])
    other = interval_variance(crop(*history, rate, rng(seed))[1])
    assert least <= other * (1 + 1e-9)


@given(
    gaps=st.lists(st.integers(0, 1000), min_size=1, max_size=5),
    pieces=st.integers(1, 4),
    seed=seeds,
)
def test_ti_crop_never_raises_the_variance_if_windows_tile(gaps, pieces, seed):
    """Within-group variances average to at most the whole: so one is below."""
    whole = rng(seed).permutation(gaps * pieces)
    items, times = sequence(whole)
    rate = (len(gaps) + 1) / len(items)
    new = interval_variance(ti_crop(items, times, rate, rng())[1])
    assert new <= interval_variance(times) * (1 + 1e-9) + 1e-9


def test_ti_crop_may_raise_it_if_they_do_not():
    items, times = sequence([0, 6, 0])
    assert interval_variance(times) == pytest.approx(8)
    assert interval_variance(ti_crop(items, times, 0.75, rng())[1]) == pytest.approx(9)


@given(gaps=st.lists(st.integers(0, 10**4), min_size=2, max_size=12), rate=rates)
def test_ti_insert_never_raises_it_in_gaps_of_root_two_times_the_mean(gaps, rate):
    items, times = sequence(2 * np.array(gaps))  # even: the middle is exact
    count = min(max(1, taken(rate, len(items))), len(gaps))
    filled = np.sort(np.diff(times))[-count:]
    after = interval_variance(ti_insert(items, times, rate, rng(), NEIGHBOUR)[1])
    if filled.min() >= math.sqrt(2) * np.diff(times).mean():
        assert after <= interval_variance(times) * (1 + 1e-9) + 1e-9


def test_ti_insert_raises_the_variance_of_an_even_sequence():
    items, times = sequence([4, 4, 4])
    assert interval_variance(times) == 0
    assert interval_variance(ti_insert(items, times, 0.3, rng(), NEIGHBOUR)[1]) > 0


@pytest.mark.parametrize("name", ["ti_reorder", "ti_substitute", "reorder"])
def test_where_times_stay_the_variance_stays(name):
    assert apply(name, ITEMS, TIMES, 0.5)[1].tolist() == TIMES.tolist()


# --- views


def pick(items, times):
    return [
        lambda i, t, g: crop(i, t, 0.5, g),
        lambda i, t, g: mask(i, t, 0.5, g),
        lambda i, t, g: insert(i, t, 1, g, NEIGHBOUR),
    ]


def test_views_are_padded_in_front_and_keep_the_latest():
    data = [sequence([1] * 3), sequence([2] * 9)]
    views = draw_views(data, pick, n_views=40, length=6, seed=0)
    assert views.shape == (2, 40, 6)
    assert views.dtype == torch.int64
    assert {tuple(v) for v in views[0].tolist() if sum(v) < 10} >= {
        (0, 0, 0, 0, 1, 2), (0, 0, 0, 0, 3, 4),
    }  # fmt: skip
    assert (views[0, :, -1] <= 4).all()
    doubled = {tuple(v) for v in views[1].tolist() if max(v) > 1000}
    assert doubled == {(1008, 8, 1009, 9, 1010, 10)}


def test_without_an_operator_a_view_is_the_sequence():
    views = draw_views([sequence([1] * 3)], lambda *_: [], n_views=2, length=5)
    assert views.tolist() == [[[0, 1, 2, 3, 4]] * 2]


def test_seeds_of_views_repeat_and_differ():
    data = [sequence([1] * 9)] * 5
    a, b, c = (draw_views(data, pick, n_views=3, length=9, seed=s) for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


# --- bad input


@ALL
@pytest.mark.parametrize(
    ("items", "times", "rate", "message"),
    [
        ([1, 2, 3], [3, 2, 4], 0.5, "times is not sorted"),
        ([1, 2, 3], [1, 2], 0.5, r"items has shape \(3,\) and times \(2,\)"),
        ([], [], 0.5, "at least one event"),
        ([[1]], [[1]], 0.5, "items has shape"),
        ([1.0, 2.0], [1, 2], 0.5, "items is float64"),
        ([1, 2], [1, 2], 1.1, "rate is 1.1"),
        ([1, 2], [1, 2], -0.1, "rate is -0.1"),
        ([1, 2], [1, 2], float("nan"), "rate is nan"),
    ],
)
def test_bad_sequences(name, items, times, rate, message):
    with pytest.raises(ValueError, match=message):
        apply(name, items, times, rate)


@pytest.mark.parametrize("operator", [substitute, insert, ti_substitute, ti_insert])
def test_an_item_without_a_neighbour_is_refused(operator):
    with pytest.raises(ValueError, match=r"item \d has no neighbour"):
        operator(ITEMS, TIMES, 0.5, rng(), np.zeros(10, np.int64))


def test_bad_sizes_of_views():
    with pytest.raises(ValueError, match="n_views is 0"):
        draw_views([(ITEMS, TIMES)], pick, n_views=0, length=5)
    with pytest.raises(ValueError, match="length is 0"):
        draw_views([(ITEMS, TIMES)], pick, n_views=2, length=0)


def test_plain_operators_take_no_mode():
    for operator in (crop, mask, reorder):
        with pytest.raises(TypeError):
            operator(ITEMS, TIMES, 0.5, rng(), mode="minimum")


def test_a_random_piece_may_start_anywhere():
    items = times = np.arange(1, 6)
    seeds = map(np.random.default_rng, range(100))
    starts = {int(crop(items, times, 0.4, rng)[0][0]) for rng in seeds}
    assert starts == {1, 2, 3, 4}  # two of five, the latest piece included
