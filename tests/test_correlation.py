import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.correlation import Neighbours, by_embedding, hybrid, item_cf
from recsys_tutorial.data.leave_one_out import leave_one_out

USERS = [[1, 2, 3], [1, 2], [3, 4, 4, 2], [5]]


def slow_item_cf(sequences, i, j):
    """Straight from the formula."""
    have = [set(s) for s in sequences]
    common = sum(1 / math.log(1 + len(h)) for h in have if i in h and j in h)
    n_i, n_j = (sum(k in h for h in have) for k in (i, j))
    return common / math.sqrt(n_i * n_j) if common else 0.0


def test_item_cf_agrees_with_the_formula():
    draw = np.random.default_rng(0)
    users = [draw.integers(1, 20, draw.integers(1, 9)) for _ in range(30)]
    found = item_cf(users, 20)
    sim = {p: slow_item_cf(users, *p) for p in itertools.permutations(range(1, 20), 2)}
    low = min(s for s in sim.values() if s > 0)
    high = max(sim.values())
    for i in range(1, 20):
        best = max(sim[i, j] for j in range(1, 20) if j != i)
        assert sim[i, found.item[i]] == pytest.approx(best)
        assert found.score[i] == pytest.approx((best - low) / (high - low))
    assert found.score.max() == pytest.approx(1)


def test_item_cf_by_hand():
    found = item_cf(USERS, 7)
    assert found.item.tolist() == [0, 2, 1, 2, 3, 0, 0]
    assert found.score[1] == found.score[2] == 1
    assert found.score[5] == found.score[6] == 0


def test_rare_takers_count_more():
    # 1 and 2 share a user with two items, 1 and 3 a user with ten
    assert item_cf([[1, 2], [1, *range(3, 12)]], 12).item[1] == 2


def test_an_item_is_never_its_own_neighbour_nor_the_padding():
    draw = np.random.default_rng(1)
    users = [draw.integers(1, 9, 6) for _ in range(20)]
    table = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    for found in (item_cf(users, 9), by_embedding(table)):
        assert (found.item[1:] != np.arange(1, 9)).all()
        assert (found.item[1:] > 0).all()
        assert found.item[0] == 0


def test_what_is_held_out_never_enters_the_correlation():
    """The last two items of all users are items that nobody has in training."""
    rows = [(u, i, t) for u in (1, 2, 3) for t, i in enumerate([1, 2, 3, 8, 9], 1)]
    events = pd.DataFrame(rows, columns=["user", "item", "time"])
    split = leave_one_out(events, 10)
    found = item_cf([items for items, _ in split.sequences], 10)
    assert found.item[8] == found.item[9] == 0
    assert not np.isin([8, 9], found.item).any()
    leaking = item_cf(list(events.groupby("user").item.agg(list)), 10)
    assert leaking.item[8] > 0


def test_by_embedding_takes_the_largest_inner_product_and_normalises_rightly():
    table = torch.tensor([[9.0, 9.0], [1.0, 0.0], [2.0, 0.1], [-1.0, 0.0]])
    found = by_embedding(table)
    assert found.item.tolist() == [0, 2, 1, 1]  # 3 is unlike both, and less unlike 1
    # pairs: (1, 2) 2, (1, 3) -1, (2, 3) -2
    assert found.score.tolist() == pytest.approx([0, 1, 1, 0.25])


def test_the_hybrid_takes_the_surer_of_two():
    memory = Neighbours(np.array([0, 2, 1, 0]), np.array([0, 0.4, 0.9, 0]))
    model = Neighbours(np.array([0, 3, 3, 1]), np.array([0, 0.6, 0.9, 0]))
    found = hybrid(memory, model)
    assert found.item.tolist() == [0, 3, 1, 1]  # the model, a tie, the only one
    assert found.score.tolist() == [0, 0.6, 0.9, 0]


def test_one_pair_alone_is_the_best():
    found = item_cf([[1, 2]], 3)
    assert found.item.tolist() == [0, 2, 1]
    assert found.score.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([], "sequences is empty"),
        ([[]], "from 0 to 0"),
        ([[0, 1]], "from 0 to 1"),
        ([[1, 9]], "to 9; expected 1 to 8"),
    ],
)
def test_bad_sequences(users, message):
    with pytest.raises(ValueError, match=message):
        item_cf(users, 9)


def test_bad_tables():
    for table in (torch.ones(5), torch.ones(2, 4), torch.full((4, 2), torch.nan)):
        with pytest.raises(ValueError, match="table has shape"):
            by_embedding(table)
    with pytest.raises(ValueError, match="memory knows 4 items and model 5"):
        hybrid(by_embedding(torch.randn(4, 2)), by_embedding(torch.randn(5, 2)))
