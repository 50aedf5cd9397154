import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recsys_tutorial.metrics import (
    auc,
    auc_by_user,
    by_user,
    gauc,
    hit_at,
    mean_interval,
    mrr_at,
    ndcg_at,
    rela_impr,
    target_ranks,
)


class Elsewhere(torch.Tensor):
    """Like a tensor on a GPU: numpy gets nothing of it until it is on the CPU."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert a device tensor to numpy")

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def test_a_metric_takes_tensors_of_any_device_and_dtype(device):
    labels, users = torch.tensor([1.0, 0, 1, 0]), torch.tensor([1, 1, 2, 2])
    scores = torch.tensor([0.75, 0.5, 0.25, 0.5])
    table, targets = scores.view(2, 2), torch.tensor([1, 1])
    expected = auc(labels, scores), gauc(labels, scores, users)
    ranks = target_ranks(table, targets)
    for kind in (
        lambda x: x.as_subclass(Elsewhere),
        lambda x: x.to(device),
        lambda x: x.bfloat16() if x.is_floating_point() else x,
        lambda x: x.requires_grad_() if x.is_floating_point() else x,
    ):
        own = [kind(x.clone()) for x in (labels, scores, users)]
        assert (auc(*own[:2]), gauc(*own)) == expected
        found = target_ranks(kind(table.clone()), kind(targets.clone()))
        assert found.tolist() == ranks.tolist()
        places = kind(torch.tensor([1.0, 2.0, 4.0]))
        assert hit_at(2, places) == pytest.approx(2 / 3)
        assert mrr_at(2, places) == pytest.approx(0.5)
        assert ndcg_at(2, places) == pytest.approx((1 + 1 / np.log2(3)) / 3)
        assert mean_interval(places).mean == pytest.approx(7 / 3)


def test_auc_by_counting_pairs():
    labels = torch.tensor([1.0, 0, 1, 0, 0])
    scores = torch.tensor([0.9, 0.1, 0.4, 0.4, 0.6])
    # pairs won: 3 for .9; for .4: above .1, tied with .4 (half), below .6
    assert auc(labels, scores) == pytest.approx((3 + 1.5) / 6)


@given(st.lists(st.integers(-50, 50), min_size=4, max_size=30), st.integers(1, 3))
def test_auc_sees_only_the_order(scores, one_in):
    labels = [int(i % (one_in + 1) == 0) for i in range(len(scores))]
    s = np.array(scores, dtype=float)
    assert auc(labels, s) == pytest.approx(auc(labels, np.exp(s / 10)))
    assert auc(labels, s) == pytest.approx(1 - auc(labels, -s))


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 1, 1], [0.1, 0.2, 0.3], r"values \[1\]; AUC needs both"),
        ([], [], r"values \[\]"),
        ([0, 1, 2], [0.1, 0.2, 0.3], r"values \[0, 1, 2\]"),
        ([0.0, np.nan], [0.1, 0.2], "AUC needs both"),
        ([0, 1], [0.1], "labels has 2 entries and scores 1"),
        ([0, 1], [0.1, np.nan], "scores holds NaN"),
    ],
)
def test_auc_refuses(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auc(labels, scores)


def test_interval_against_the_table_of_students_t():
    # three runs, two degrees of freedom: t = 4.303; standard error 1 / sqrt(3)
    v = mean_interval([1.0, 2.0, 3.0])
    assert v.mean == 2
    assert v.n == 3
    assert v.high - v.mean == pytest.approx(4.303 / np.sqrt(3), rel=1e-3)
    assert v.mean - v.low == pytest.approx(v.high - v.mean)


def test_interval_covers_the_truth_19_times_in_20():
    draws = np.random.default_rng(0).normal(3, 2, (2000, 5))
    hits = [v.low <= 3 <= v.high for v in map(mean_interval, draws)]
    assert 0.94 < np.mean(hits) < 0.96


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan]])
def test_interval_refuses(values):
    with pytest.raises(ValueError, match="values holds"):
        mean_interval(values)


def test_gauc_by_hand():
    # user 7: positives .9, .3, negatives .5, .1 -> pairs won 2 + 1 of 4, AUC 3/4
    # user 8: positive .2, negative .2 -> a tie, AUC 1/2; user 9: one class, left out
    users = [7, 7, 7, 7, 8, 8, 9, 9]
    labels = [1, 0, 1, 0, 1, 0, 1, 1]
    scores = [0.9, 0.5, 0.3, 0.1, 0.2, 0.2, 0.8, 0.7]
    assert gauc(labels, scores, users) == pytest.approx((4 * 3 / 4 + 2 * 1 / 2) / 6)
    assert auc(labels, scores) != pytest.approx(gauc(labels, scores, users))


@given(st.integers(0, 10_000))
def test_gauc_agrees_with_a_loop_over_users(seed):
    draw = np.random.default_rng(seed)
    users, scores = draw.integers(0, 5, 40), draw.integers(0, 6, 40) / 5
    labels = draw.integers(0, 2, 40)
    labels[:2], users[:2] = [0, 1], 0  # at least one user of both classes
    total = weight = 0
    for user in set(users):
        rows = users == user
        if 0 < labels[rows].sum() < rows.sum():
            total += rows.sum() * auc(labels[rows], scores[rows])
            weight += rows.sum()
    assert gauc(labels, scores, users) == pytest.approx(total / weight)


def test_gauc_does_not_see_what_differs_between_users():
    users, labels = np.array([1, 1, 2, 2]), [0, 1, 0, 1]
    scores = np.array([0.1, 0.2, 0.3, 0.4])
    assert gauc(labels, scores, users) == 1
    assert gauc(labels, scores - 10 * users, users) == 1
    assert auc(labels, scores) == 0.75


@pytest.mark.parametrize(
    ("labels", "users", "message"),
    [
        ([0, 1], [1], "labels has 2 entries and users 1"),
        ([0, 1], [1, 2], "users: none has rows of both classes"),
        ([1, 1], [1, 1], "AUC needs both"),
    ],
)
def test_gauc_refuses(labels, users, message):
    with pytest.raises(ValueError, match=message):
        gauc(labels, [0.5, 0.6], users)


def test_relative_improvement_counts_from_one_half():
    assert rela_impr(0.75, 0.7) == pytest.approx(25)  # .25 / .20
    assert rela_impr(0.7, 0.7) == 0
    with pytest.raises(ValueError, match=r"auc_base is 0.5; expected .* above 0.5"):
        rela_impr(0.7, 0.5)


# --- one target among all candidates


def test_ranks_by_hand():
    scores = torch.tensor([[0.1, 0.9, 0.5], [0.2, 0.2, 0.2], [-np.inf, 0.3, 0.3]])
    # one is above .5; three share places 1 to 3; two share places 1 and 2
    assert target_ranks(scores, torch.tensor([2, 0, 1])).tolist() == [2, 2, 1.5]


@given(st.integers(0, 10_000))
def test_ranks_agree_with_sorting(seed):
    scores = np.tile(np.arange(9.0), (6, 1))
    scores = np.random.default_rng(seed).permuted(scores, axis=1)
    targets = [3, 0, 8, 3, 5, 1]
    by_sorting = [
        1 + list(np.argsort(-s)).index(t) for s, t in zip(scores, targets, strict=True)
    ]
    assert target_ranks(scores, targets).tolist() == by_sorting


def test_hit_and_mrr_by_hand():
    ranks = [1, 4, 21, 2]
    assert hit_at(20, ranks) == 0.75
    assert hit_at(2, ranks) == 0.5
    assert mrr_at(20, ranks) == pytest.approx((1 + 1 / 4 + 0 + 1 / 2) / 4)
    assert mrr_at(1, ranks) == hit_at(1, ranks) == 0.25


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([[0.1, 0.2]], [0, 1], r"scores has shape \(1, 2\) and targets \(2,\)"),
        ([0.1, 0.2], [0, 1], r"expected \(N, I\)"),
        (np.ones((0, 3)), [], "at least one row"),
        ([[np.nan, 0.2]], [1], "scores holds NaN"),
        ([[-np.inf, 0.2]], [0], "a target that is not a candidate"),
    ],
)
def test_ranks_refuse(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        target_ranks(scores, targets)


def test_ndcg_of_one_target_a_row_by_hand():
    ranks = [1, 2, 3.5, 11]
    assert ndcg_at(10, ranks) == pytest.approx(
        (1 + 1 / np.log2(3) + 1 / np.log2(4.5)) / 4
    )
    assert ndcg_at(1, ranks) == 0.25


def test_runs_that_split_one_dataset_get_a_wider_interval():
    """s = 1, n = 3, a quarter held out: t sqrt(1/3 + 1/3), not t sqrt(1/3)."""
    alone = mean_interval([1, 2, 3])
    split = mean_interval([1, 2, 3], varied=("seeds", "splits"), held_out=0.25)
    assert alone.high - 2 == pytest.approx(4.302653 / 3**0.5)
    assert split.high - 2 == pytest.approx(4.302653 * (1 / 3 + 0.25 / 0.75) ** 0.5)
    assert (alone.varied, split.varied) == (("seeds",), ("seeds", "splits"))


def test_test_users_add_their_own_part_to_the_interval():
    runs = np.array([[1.0, 3, 5, 7], [2, 4, 6, 8], [3, 5, 7, 9]])  # 3 runs, 4 users
    found = mean_interval(runs)
    of_runs, of_users = 1 / 3, (20 / 3) / 4  # variance of 4, 5, 6 and of 2, 4, 6, 8
    freedom = (of_runs + of_users) ** 2 / (of_runs**2 / 2 + of_users**2 / 3)
    half = stats.t.ppf(0.975, freedom) * (of_runs + of_users) ** 0.5
    assert (found.mean, found.n) == (5, 3)
    assert found.high == pytest.approx(5 + half)
    assert found.low == pytest.approx(5 - half)
    assert found.varied == ("seeds", "users")
    assert mean_interval(runs, varied=("users", "seeds")).varied == ("seeds", "users")


def test_an_interval_of_users_alone_is_that_of_their_mean():
    users = np.array([0.0, 1, 1, 4])
    found = mean_interval(np.stack([users] * 3))  # three runs that agree
    assert found[:3] == pytest.approx(mean_interval(users)[:3])


def test_an_interval_stays_within_its_bounds():
    assert mean_interval([0.5, 0.9], bounds=(0, 1))[:3] == (pytest.approx(0.7), 0, 1)
    assert mean_interval([0.7, 0.7, 0.7])[:3] == pytest.approx((0.7, 0.7, 0.7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"varied": ("splits",)}, "held_out 0.0; expected a share"),
        ({"held_out": 0.2}, "expected a share above 0"),
        ({"varied": ("splits",), "held_out": 1.0}, "and held_out 1.0"),
        ({"varied": "seeds"}, "varied is 'seeds'; expected some of"),
        ({"varied": ("seed",)}, "as a tuple"),
        ({"varied": ()}, "as a tuple"),
    ],
)
def test_what_varied_is_asked_for(options, message):
    with pytest.raises(ValueError, match=message):
        mean_interval([1.0, 2.0], **options)


def test_users_of_a_split_of_its_own_are_not_the_same_users():
    with pytest.raises(ValueError, match="the same in each run, and so no splits"):
        mean_interval(np.ones((3, 4)), varied=("splits",), held_out=0.2)
    with pytest.raises(ValueError, match="two test users or more"):
        mean_interval(np.ones((3, 1)))


def test_a_users_value_counts_as_many_rows_as_the_user_has():
    # The mean is 3. User 7 is 2 below it in one row, user 9 above by 1 in two.
    found = by_user(torch.tensor([4.0, 1, 4]), torch.tensor([9, 7, 9]))
    assert found == pytest.approx([3 - 2 * 2 / 3, 3 + 2 * 2 / 3])
    assert by_user([1, 2, 3, 6], [1, 2, 3, 4]) == pytest.approx([1, 2, 3, 6])
    with pytest.raises(ValueError, match="values has 2 entries and users 1"):
        by_user([1, 2], [1])


def test_auc_by_user_counts_pairs_by_whose_they_are():
    labels, scores = [1, 0, 1, 0, 0], [0.9, 0.1, 0.4, 0.4, 0.6]
    # AUC 3/4. Positives beat 3/3 and 1.5/3 of the negatives; negatives lose 2, 1.5
    # and 1 of 2 pairs. User 1 has the first two rows: (1/4) 5/2 and (1/4) 5/3 above.
    found = auc_by_user(labels, scores, [1, 1, 2, 2, 2])
    assert found.mean() == pytest.approx(auc(labels, scores))
    assert found[0] == pytest.approx(0.75 + (0.25 * 5 / 2 + 0.25 * 5 / 3) * 2 / 5)


def test_the_spread_of_auc_by_user_is_that_of_a_bootstrap_over_users():
    draw = np.random.default_rng(0)
    users = np.repeat(np.arange(40), 20)
    labels = draw.integers(0, 2, 800)
    scores = labels + draw.normal(size=800) + draw.normal(size=40)[users] / 2
    values = auc_by_user(labels, scores, users)
    again = []
    for _ in range(300):
        rows = (20 * draw.integers(0, 40, 40)[:, None] + np.arange(20)).ravel()
        again.append(auc(labels[rows], scores[rows]))
    assert values.std(ddof=1) / 40**0.5 == pytest.approx(np.std(again), rel=0.15)
