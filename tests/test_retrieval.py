import builtins
import math
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.retrieval import ClusterIndex, quotas, room_left

PLENTY = torch.tensor([99, 99, 99, 99])
WANTED = torch.tensor([[0.5, 0.3, 0.2, 0.0]])


# --- quotas


@given(
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
    st.integers(1, 40),
    st.floats(0, 50) | st.just(math.inf),
    st.lists(st.integers(0, 30), min_size=4, max_size=4),
)
def test_quotas_sum_to_the_total_and_fit_into_the_room(wanted, total, alpha, room):
    if sum(room) < total:
        room = [10, 10, 10, 10]
    room = torch.tensor(room)
    given_ = quotas(torch.tensor([wanted]), total, alpha, room)
    assert given_.sum() == total
    assert (given_ >= 0).all()
    assert (given_ <= room).all()


def test_alpha_zero_gives_equal_quotas():
    assert quotas(WANTED, 20, 0, PLENTY).tolist() == [[5, 5, 5, 5]]


def test_alpha_one_is_proportional_and_infinity_takes_the_best():
    assert quotas(WANTED, 20, 1, PLENTY).tolist() == [[10, 6, 4, 0]]
    assert quotas(WANTED, 20, math.inf, PLENTY).tolist() == [[20, 0, 0, 0]]


def test_a_larger_alpha_gives_the_best_cluster_more():
    best = [int(quotas(WANTED, 40, a, PLENTY)[0, 0]) for a in (0, 0.5, 1, 2, 4, 8)]
    assert best == sorted(best)
    assert best[0] < best[-1]


def test_the_largest_remainders_get_the_places_that_are_left():
    wanted = torch.tensor([[0.46, 0.34, 0.20]])  # of 10: 4.6, 3.4, 2.0
    assert quotas(wanted, 10, 1, PLENTY[:3]).tolist() == [[5, 3, 2]]
    # of five places 2.4, 1.8 and 0.8: the last one's part is larger than the first's
    wanted, room = torch.tensor([[0.48, 0.36, 0.16]]), torch.tensor([9, 9, 9])
    assert quotas(wanted, 5, 1, room).tolist() == [[2, 2, 1]]


def test_what_a_small_cluster_cannot_hold_is_handed_on():
    room = torch.tensor([4, 99, 99, 99])  # 10 of 20 wanted; 6 go on, 3 to 2
    assert quotas(WANTED, 20, 1, room).tolist() == [[4, 10, 6, 0]]
    assert quotas(WANTED, 20, math.inf, room).tolist() == [[4, 16, 0, 0]]


def test_a_full_list_may_need_clusters_that_nobody_wants():
    assert quotas(WANTED, 12, 1, torch.tensor([3, 3, 3, 9])).tolist() == [[3, 3, 3, 3]]


def test_an_empty_cluster_gets_nothing():
    assert quotas(WANTED, 9, 0, torch.tensor([0, 99, 99, 99])).tolist() == [
        [0, 3, 3, 3]
    ]


def test_each_user_may_have_room_of_their_own():
    room = torch.tensor([[1, 99, 99, 99], [99, 99, 99, 99]])
    both = quotas(WANTED.expand(2, -1), 20, 1, room)
    assert both[0].tolist() == quotas(WANTED, 20, 1, room[0])[0].tolist()
    assert both[1].tolist() == [10, 6, 4, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"total": 500}, "total is 500, but a user has only 396 items left"),
        ({"total": 0}, "total is 0"),
        ({"alpha": -1}, "alpha is -1"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"wanted": -WANTED}, "no entry below 0"),
        ({"wanted": WANTED * math.nan}, "no entry below 0"),
        ({"wanted": WANTED[0]}, r"expected \(B, K\)"),
    ],
)
def test_bad_quotas(change, message):
    options = {"wanted": WANTED, "total": 20, "alpha": 1.0, "room": PLENTY} | change
    with pytest.raises(ValueError, match=message):
        quotas(**options)


def test_room_counts_what_is_unseen_once():
    clusters = torch.tensor([-1, 0, 0, 0, 1, 1])
    seen = torch.tensor([[1, 1, 4, 0], [0, 0, 0, 0], [1, 2, 3, 4]])
    assert room_left(clusters, seen).tolist() == [[2, 1], [3, 2], [0, 1]]


# --- the index


def world(items=301, users=20, clusters=3, dim=8):
    g = torch.Generator().manual_seed(0)
    labels = torch.arange(items) % clusters
    labels[0] = -1
    vectors = torch.randn(items, dim, generator=g)
    seen = torch.randint(1, items, (users, 6), generator=g)
    seen[:, 4:] = 0
    return vectors, labels, torch.randn(users, clusters, dim, generator=g), seen


@pytest.mark.parametrize("exact", [True, False])
def test_the_index_agrees_with_a_slow_loop(exact):
    vectors, labels, users, seen = world()
    given_ = quotas(torch.rand(20, 3), 10, 1, room_left(labels, seen))
    found = ClusterIndex(vectors, labels, exact).search(users, given_, seen)
    assert found.shape == (20, 10)
    hits = 0
    for row in range(20):
        expected = []
        for k in range(3):
            fresh = [
                i
                for i in range(1, 301)
                if labels[i] == k and i not in seen[row].tolist()
            ]
            fresh.sort(key=lambda i: -float(users[row, k] @ vectors[i]))
            expected += fresh[: int(given_[row, k])]
        if exact:
            assert found[row].tolist() == expected
        hits += len(set(found[row].tolist()) & set(expected))
    assert hits >= 0.95 * 200  # the graph may miss some


@pytest.mark.parametrize("exact", [True, False])
def test_padding_and_seen_items_are_never_found(exact):
    vectors, labels, users, seen = world(items=31)
    room = room_left(labels, seen)
    found = ClusterIndex(vectors, labels, exact).search(users, room // 2, seen)
    for row in range(20):
        real = [i for i in found[row].tolist() if i > 0]
        assert len(real) == len(set(real)) == int((room[row] // 2).sum())
        assert not set(real) & set(seen[row].tolist())


def test_a_list_that_cannot_be_filled_ends_in_zeros():
    vectors, labels, users, seen = world(items=7)  # two items in each cluster
    given_ = torch.full((20, 3), 4)
    found = ClusterIndex(vectors, labels, exact=True).search(
        users, given_, torch.zeros_like(seen)
    )
    assert (found[:, :6].sort(1).values == torch.arange(1, 7)).all()
    assert (found[:, 6:] == 0).all()


def test_an_index_without_faiss_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def broken(name, *args, **kwargs):
        if name == "faiss":
            raise ModuleNotFoundError("No module named 'faiss'")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "faiss", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    vectors, labels, _, _ = world(items=7)
    with pytest.raises(ModuleNotFoundError, match="pip install faiss-cpu"):
        ClusterIndex(vectors, labels)
