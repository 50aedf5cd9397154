import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.tensors import (
    check_data,
    minibatches,
    rating_chain,
    split_rows,
    take,
    unseen_items,
)
from recsys_tutorial.train import fit

FRAME = pd.DataFrame({"age": [17, 25]})
RAGGED = torch.nested.nested_tensor([torch.ones(2), torch.ones(1)], layout=torch.jagged)


def test_split_is_a_partition_that_repeats():
    train, test = split_rows(101, 0.2, seed=4)
    assert len(test) == 20
    assert torch.equal(torch.cat([train, test]).sort().values, torch.arange(101))
    assert torch.equal(split_rows(101, 0.2, seed=4)[1], test)
    assert not torch.equal(split_rows(101, 0.2, seed=5)[1], test)
    assert [len(part) for part in split_rows(2, 0.01, seed=0)] == [1, 1]


@pytest.mark.parametrize(
    ("n_rows", "test"), [(1, 0.5), (0, 0.5), (10, 0.0), (10, 1.0), (10, float("nan"))]
)
def test_split_refuses(n_rows, test):
    with pytest.raises(ValueError, match="(n_rows|test) is"):
        split_rows(n_rows, test, seed=0)


def test_minibatches_visit_every_row_once_and_keep_rows_together():
    data = {"a": torch.arange(10), "b": torch.arange(10) * 2}
    batches = list(minibatches(data, 4, torch.Generator().manual_seed(0)))
    assert [len(b["a"]) for b in batches] == [4, 4, 2]
    seen = torch.cat([b["a"] for b in batches])
    assert seen.tolist() != list(range(10))
    assert sorted(seen.tolist()) == list(range(10))
    assert all(torch.equal(b["b"], 2 * b["a"]) for b in batches)


def test_minibatches_keep_the_order_without_a_generator():
    batches = list(minibatches({"a": torch.arange(5)}, 2))
    assert [b["a"].tolist() for b in batches] == [[0, 1], [2, 3], [4]]


def test_take():
    data = {"a": torch.arange(4), "b": torch.eye(4)}
    assert take(data, torch.tensor([2, 0]))["a"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "data is empty"),
        ({"a": torch.ones(0, 2)}, "data has no rows"),
        (
            {"a": torch.ones(2), "b": torch.ones(3)},
            "different lengths {'a': 2, 'b': 3}",
        ),
        ({"a": torch.tensor([[1.0, 2], [3, float("nan")]])}, "a holds NaN .* row 1"),
        ({"labels": torch.tensor([float("inf"), 1])}, "labels holds NaN .* row 0"),
    ],
)
def test_check_data_refuses(data, message):
    with pytest.raises(ValueError, match=message):
        check_data(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"a": np.ones(3)}, "a is a numpy ndarray; expected a tensor: torch.as_tensor"),
        ({"a": torch.ones(3), "b": [1, 2, 3]}, "b is a builtins list; expected a ten"),
        ({"a": pd.Series([1, 2])}, "a is a pandas Series; expected a tensor"),
        ({"a": 3}, "a is a builtins int; expected a tensor"),
        ({"a": torch.tensor(3.0)}, "a is a single number; expected one entry per row"),
        (FRAME, "data is a DataFrame; expected a dict of tensors"),
        ({"a": torch.eye(3).to_sparse()}, r"a is a sparse tensor; .* dense.*to_dense"),
        ({"a": RAGGED}, r"a is a nested tensor; .* one: to_padded_tensor\(0\)"),
        (torch.ones(3), "data is a Tensor; expected a dict of tensors"),
        ([torch.ones(3)], "data is a list; expected a dict of tensors"),
        (TensorDataset(torch.ones(3)), "data is a TensorDataset; expected a dict"),
        (DataLoader(TensorDataset(torch.ones(3))), "data is a DataLoader; .* cuts the"),
        (None, "data is a NoneType; expected a dict of tensors"),
    ],
)
def test_what_is_no_dict_of_tensors(data, message):
    for refuse in (check_data, lambda d: fit(torch.nn.Linear(1, 1), d, epochs=1)):
        with pytest.raises(ValueError, match=message):
            refuse(data)


# --- ratings in the place of a chain of conversions

RATINGS = pd.DataFrame(
    {
        "user": [1, 1, 2, 3],
        "item": [2, 3, 1, 4],
        "rating": [5, 3, 4, 1],
        "time": [10, 20, 15, 30],
    }
)


def test_a_rating_s_labels_say_which_thresholds_it_reaches():
    data = rating_chain(RATINGS, 5, (0, 4, 5), negatives=1)
    assert data["features"][::2].tolist() == [[1, 2], [1, 3], [2, 1], [3, 4]]
    assert data["labels"][::2].tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert data["labels"].dtype == torch.float32


def test_unrated_films_follow_their_rating_and_reach_no_step():
    data = rating_chain(RATINGS, 6, negatives=3)
    rated = {(u, f) for u, f in zip(RATINGS.user, RATINGS.item, strict=True)}
    users = RATINGS.user.tolist()
    for row, (u, f) in enumerate(data["features"].tolist()):
        assert u == users[row // 4]
        assert 1 <= f <= 5
        assert ((u, f) in rated) == (row % 4 == 0)
    assert data["labels"].view(4, 4, 2)[:, 1:].sum() == 0
    assert data["time"].tolist() == RATINGS.time.repeat(4).tolist()


def test_unrated_films_repeat_by_seed():
    a, b, c = (rating_chain(RATINGS, 300, seed=s)["features"] for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_unseen_items_are_drawn_evenly_from_what_is_left():
    user, item = np.array([1, 1]), np.array([1, 4])
    drawn = unseen_items(user, item, np.ones(30_000, dtype=np.int64), 6, seed=0)
    ids, counts = np.unique(drawn, return_counts=True)
    assert ids.tolist() == [2, 3, 5]
    assert counts / 10_000 == pytest.approx([1, 1, 1], abs=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ratings": RATINGS.iloc[:0]}, "ratings has no rows"),
        ({"ratings": RATINGS.drop(columns="rating")}, r"ratings lacks \['rating'\]"),
        ({"thresholds": (4, 0)}, r"thresholds is \(4, 0\); expected ascending"),
        ({"thresholds": (4, 4)}, "thresholds is"),
        ({"thresholds": ()}, r"thresholds is \(\)"),
        ({"negatives": 0}, "negatives is 0"),
        ({"n_items": 4}, "item holds id 4 in row 3; expected ids of 1 to 3"),
        ({"ratings": RATINGS.assign(item=[0, 1, 2, 3])}, "item holds 0 in row 0"),
        ({"ratings": RATINGS.assign(user=1, item=[1, 2, 3, 4])}, "has all items"),
    ],
)
def test_bad_rating_chains(arguments, message):
    with pytest.raises(ValueError, match=message):
        rating_chain(**{"ratings": RATINGS, "n_items": 5} | arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"user": [1.9, 2.0]},
            r"user holds 1.9 in row 0 \(dtype float64\); expected in",
        ),
        ({"who": np.array([1.0])}, "who holds 1.0 in row 0"),
        ({"item": ["1", "2"]}, "item holds '1' in row 0"),
        ({"user": [True, False]}, r"user holds True in row 0"),
        ({"user": [1]}, "user has 1 entries and item 2; expected one for each event"),
    ],
)
def test_ids_that_are_none_are_not_cut_to_one(change, message):
    given = {"user": [1, 2], "item": [1, 2], "who": [1], "n_items": 9, "seed": 0}
    for kind in (list, np.array, pd.Series):
        same = {k: kind(v) if isinstance(v, list) else v for k, v in given.items()}
        assert len(unseen_items(**same)) == 1
    assert len(unseen_items(**given | {"who": []})) == 0
    with pytest.raises(ValueError, match=message):
        unseen_items(**given | change)


def test_huge_ids_of_users_are_only_names():
    user, item = np.array([1, 1, 2]), np.array([1, 4, 2])
    drawn = unseen_items(user, item, user, 6, seed=0)
    huge = unseen_items(user + 10**17, item, user + 10**17, 6, seed=0)
    assert huge.tolist() == drawn.tolist()


def test_gathered_histories_are_tensors_in_a_batch():
    ends = torch.tensor([[0, 0], [1, 2]])
    data = {"history": Gathered(torch.tensor([7, 8]), *ends, length=3)}
    (batch,) = minibatches(data, 2)
    assert batch["history"].tolist() == [[7, 0, 0], [7, 8, 0]]
    assert isinstance(take(data, [1])["history"], Gathered)
