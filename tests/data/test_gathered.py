import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.data.sequences import histories, liking_samples, next_item_samples
from recsys_tutorial.data.tensors import check_data, minibatches, take
from recsys_tutorial.models.din import DIN, ItemEmbedding
from recsys_tutorial.train import fit


@pytest.fixture(scope="module")
def ratings():
    return load_movielens().ratings


def small():
    start, end = torch.tensor([0, 0, 3, 3]), torch.tensor([0, 3, 3, 5])
    return Gathered(torch.tensor([7, 8, 9, 4, 5]), start, end, 2)


WHOLE = torch.tensor([[0, 0], [8, 9], [0, 0], [4, 5]])


def test_rows_by_hand():
    assert small()[:].equal(WHOLE)
    assert small().count.tolist() == [0, 2, 0, 2]


@pytest.mark.parametrize(
    "rows",
    [
        torch.tensor([3, 1, 1]),
        torch.tensor([], dtype=torch.int64),
        torch.tensor([True, False, False, True]),
        torch.tensor([[0, 1], [2, 3]]),
        slice(1, 3),
        [3, 0],
        -1,
    ],
    ids=["rows", "no row", "mask", "table", "slice", "list", "number"],
)
def test_it_is_looked_up_as_the_whole_table_is(rows):
    assert small()[rows].equal(WHOLE[rows])
    if not isinstance(rows, int):
        assert small().pick(rows)[:].equal(WHOLE[rows])


def test_it_looks_like_the_whole_table():
    gathered = small()
    assert len(gathered) == 4
    assert gathered.shape == WHOLE.shape
    assert gathered.dtype == WHOLE.dtype
    assert gathered.to("cpu").device == WHOLE.device
    assert gathered.to("meta")[torch.tensor([0], device="meta")].shape == (1, 2)


@given(st.data())
def test_histories_gathered_are_histories(data):
    pairs = st.tuples(st.integers(1, 4), st.integers(1, 6))
    rows = sorted(data.draw(st.lists(pairs, min_size=1, max_size=30)))
    events = pd.DataFrame(rows, columns=["user", "time"])
    events["item"] = range(1, len(rows) + 1)
    length = data.draw(st.integers(1, 6))
    where = data.draw(st.none() | st.just(events["item"] % 2 == 0))
    whole = histories(events, length, where=where)
    assert histories(events, length, where=where, gathered=True)[:].equal(whole)
    for row, (user, time) in enumerate(rows):  # and what histories are, the slow way
        past = events[(events.user == user) & (events.time < time)]
        past = past if where is None else past[where[past.index]]
        expected = past["item"].tolist()[-length:]
        assert whole[row].tolist() == expected + [0] * (length - len(expected))


@pytest.mark.parametrize("column", ["item", "time"])
def test_real_histories(ratings, column):
    whole = histories(ratings, 20, column)
    gathered = histories(ratings, 20, column, gathered=True)
    for rows in torch.arange(len(whole)).split(10_000):
        assert gathered[rows].equal(whole[rows])


@pytest.mark.parametrize("samples", [next_item_samples, liking_samples])
def test_samples_differ_in_nothing_else(ratings, samples):
    few = ratings[ratings["user"] <= 50]
    arguments = (1683,) if samples is next_item_samples else ()
    whole = samples(few, *arguments, length=10)
    gathered = samples(few, *arguments, length=10, gathered=True)
    assert list(whole) == list(gathered)
    assert isinstance(gathered["history"], Gathered)
    for name in whole:
        assert gathered[name][:].equal(whole[name])
    order = [torch.Generator().manual_seed(1) for _ in range(2)]
    pairs = zip(minibatches(whole, 64, order[0]), minibatches(gathered, 64, order[1]),
                strict=True)  # fmt: skip
    for a, b in pairs:
        assert all(isinstance(v, torch.Tensor) for v in b.values())
        assert all(a[name].equal(b[name]) for name in a)
    rows = torch.tensor([5, 2])
    kept = take(gathered, rows)["history"]
    assert isinstance(kept, Gathered)
    assert kept[:].equal(whole["history"][rows])


def test_a_model_is_trained_to_the_same_weights(ratings):
    few = ratings[ratings["user"] <= 20]
    losses = []
    for gathered in (False, True):
        torch.manual_seed(0)
        model = DIN(ItemEmbedding(1683, 4))
        data = next_item_samples(few, 1683, length=10, gathered=gathered)
        losses.append(fit(model, data, epochs=1, progress=False)["loss"][0])
    assert losses[0] == losses[1]


def test_data_is_checked():
    data = {"history": small(), "label": torch.ones(3)}
    with pytest.raises(ValueError, match="different lengths {'history': 4, 'label': 3"):
        check_data(data)
    ages = Gathered(torch.tensor([1.0, float("nan")]), *torch.tensor([[0], [2]]), 2)
    with pytest.raises(ValueError, match="age holds NaN or infinity, first in event 1"):
        check_data({"age": ages})
    assert check_data({"history": small()}) == 4


def test_rows_and_steps_in_one_index_are_refused():
    for index in [(1, 0), (slice(None), 0), (torch.tensor([1]), torch.tensor([0]))]:
        with pytest.raises(IndexError, match=r"expected rows alone, and steps behind"):
            small()[index]
    assert small()[[1, 3]][..., 0].tolist() == [8, 4]


def test_what_was_given_may_change():
    values, start, end = torch.arange(1, 6), torch.tensor([0, 3]), torch.tensor([3, 5])
    gathered = Gathered(values, start, end, 2)
    for part in (values, start, end):
        part.zero_()
    assert gathered[:].tolist() == [[2, 3], [4, 5]]


@pytest.mark.parametrize(
    ("values", "start", "end", "message"),
    [
        (
            [1, 2],
            torch.tensor([0]),
            torch.tensor([1]),
            "values is a list; .*: torch.as",
        ),
        (
            torch.ones(2, 2),
            torch.tensor([0]),
            torch.tensor([1]),
            r"shape \(2, 2\) .* ro",
        ),
        (
            torch.ones(2),
            torch.tensor([0]),
            torch.tensor([1, 2]),
            "start has 1 entries a",
        ),
        (torch.ones(2), torch.tensor(0), torch.tensor([1, 2]), r"start has shape \(\)"),
        (
            torch.ones(2),
            torch.tensor([0.0]),
            torch.tensor([1]),
            "float32; .* of integer",
        ),
        (torch.ones(2), torch.tensor([0]), [1], "end is a list; expected a tensor"),
    ],
)
def test_parts_that_do_not_fit(values, start, end, message):
    with pytest.raises(ValueError, match=message):
        Gathered(values, start, end, 2)


@pytest.mark.parametrize(
    ("start", "end", "length", "message"),
    [
        ([0], [6], 2, "start and end go from 0 to 6; expected 0 to 5"),
        ([-1], [2], 2, "go from -1 to 2"),
        ([0, 4], [1, 3], 2, "end is 3 in row 1, before start, 4"),
        ([0], [1], 0, "length is 0"),
    ],
)
def test_stretches_that_are_none(start, end, length, message):
    with pytest.raises(ValueError, match=message):
        Gathered(torch.arange(1, 6), torch.tensor(start), torch.tensor(end), length)
