import copy
import pickle

import pytest
import torch
from torch import nn

from recsys_tutorial.layers import (
    DenseInput,
    FieldEmbedding,
    StackedLinear,
    Towers,
    check_ids,
    check_labels,
    happens,
)


def test_field_embedding_is_one_lookup_per_field_side_by_side():
    layer = FieldEmbedding([3, 4], dim=2)
    ids = torch.tensor([[1, 3], [2, 1]])
    out = layer(ids)
    second_table = layer.table[3:]
    assert out.shape == (2, layer.out_features) == (2, 4)
    assert torch.equal(out[0, :2], layer.table[1])
    assert torch.equal(out[0, 2:], second_table[3])


MADE = {
    "as made": lambda layer: layer,
    "copied": copy.deepcopy,
    "pickled": lambda layer: pickle.loads(pickle.dumps(layer)),
}


@pytest.mark.parametrize("made", MADE)
def test_padding_is_zero_and_never_learns(made, device):
    layer = MADE[made](FieldEmbedding([3, 4], dim=2)).to(device)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    ids = torch.tensor([[0, 0], [1, 2]], device=device)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(ids) - 1).square().sum().backward()
        optimizer.step()
    assert not layer(ids)[0].any()
    assert not layer.table[layer.offsets].any()
    assert layer(ids)[1].all()


@pytest.mark.parametrize("ids", [[[1, 4]], [[1, -1]]])
def test_ids_out_of_range_name_the_field(ids):
    with pytest.raises(IndexError, match="field 1 .* expected 0 to 3"):
        FieldEmbedding([9, 4], dim=2)(torch.tensor(ids))


@pytest.mark.parametrize(
    "features",
    [torch.ones(2, 2), torch.ones(2, 3, dtype=torch.int64), torch.ones(2).long()],
    ids=["float ids", "a field too many", "one dimension"],
)
def test_field_embedding_refuses(features):
    with pytest.raises(
        ValueError, match=r"features has shape .* expected \(B, 2\) int64"
    ):
        FieldEmbedding([3, 4], dim=2)(features)


def test_dense_input_refuses_ids():
    with pytest.raises(ValueError, match=r"expected \(B, 2\) floats"):
        DenseInput(2)(torch.ones(3, 2, dtype=torch.int64))


@pytest.mark.parametrize(
    "call",
    [
        lambda: DenseInput(2)(torch.ones(0, 2)),
        lambda: FieldEmbedding([3, 4], dim=2)(torch.ones(0, 2).long()),
        lambda: check_labels("features", torch.ones(0, 2), (0, 2)),
    ],
)
def test_an_empty_batch_is_told(call):
    with pytest.raises(ValueError, match="^features has no rows; expected at least"):
        call()


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "8"])
def test_sizes_are_whole_numbers_from_one(size):
    with pytest.raises(ValueError, match="expected an integer of at least 1"):
        DenseInput(size)
    with pytest.raises(ValueError, match="expected an integer of at least 1"):
        FieldEmbedding([3, size], dim=2)


def test_no_field_at_all():
    with pytest.raises(ValueError, match="cardinalities is empty"):
        FieldEmbedding([], dim=2)


def test_stacked_linear_is_one_linear_per_task():
    stacked = StackedLinear(3, width=5, units=4)
    h = torch.randn(7, 3, 5)
    slow = [h[:, t] @ stacked.weight[t] + stacked.bias[t] for t in range(3)]
    assert torch.allclose(stacked(h), torch.stack(slow, 1), atol=1e-6)


def test_stacked_linear_starts_as_nn_linear_does():
    torch.manual_seed(0)
    ours = StackedLinear(40, width=9, units=50).weight
    theirs = nn.Linear(9, 2000).weight
    assert ours.abs().max() <= 1 / 3
    assert abs(ours.std() - theirs.std()) < 0.01


def test_a_tower_is_two_layers_with_a_relu_between():
    towers, h = Towers(2, width=4, units=3), torch.randn(5, 2, 4)
    first, second = towers.hidden, towers.output
    for t in range(2):
        inner = torch.relu(h[:, t] @ first.weight[t] + first.bias[t])
        logit = inner @ second.weight[t] + second.bias[t]
        assert torch.allclose(towers(h)[:, t], logit[:, 0], atol=1e-6)


def test_towers_do_not_talk_to_each_other():
    towers = Towers(2, width=4, units=3)
    h = torch.randn(5, 2, 4, requires_grad=True)
    towers(h)[:, 0].sum().backward()
    assert h.grad[:, 0].abs().sum() > 0
    assert h.grad[:, 1].abs().sum() == 0


def test_stacked_linear_without_bias_maps_zero_to_zero():
    stacked = StackedLinear(3, width=5, units=4, bias=False)
    assert [name for name, _ in stacked.named_parameters()] == ["weight"]
    assert torch.equal(stacked(torch.zeros(2, 3, 5)), torch.zeros(2, 3, 4))


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (torch.ones(3), ValueError, r"ids has shape \(3,\) and dtype torch.float32"),
        (torch.ones(3, 1).long(), ValueError, r"int64 ids of shape \(B,\)"),
        (torch.ones(0).long(), ValueError, "ids has no rows; expected at least one"),
        (
            torch.tensor([1, 0]),
            IndexError,
            "ids holds ids from 0 to 1; expected 1 to 4",
        ),
        (
            torch.tensor([1, 5]),
            IndexError,
            "ids holds ids from 1 to 5; expected 1 to 4",
        ),
    ],
)
def test_check_ids_names_what_is_wrong(ids, error, message):
    check_ids("ids", torch.tensor([1, 4]), dims=1, n_items=5, lowest=1)
    with pytest.raises(error, match=message):
        check_ids("ids", ids, dims=1, n_items=5, lowest=1)


def test_labels_may_be_shares_and_come_back_as_they_are():
    labels = torch.tensor([0.0, 0.25, 1.0])
    assert check_labels("label", labels, (3,)) is labels


NAN = float("nan")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            torch.tensor([[1.0, 0], [-1, 1]]),
            "values -1 to 1, first in row 1: .*-1.0, 1",
        ),
        (
            torch.tensor([[1.0, 0], [4, 1], [5, 1]]),
            "values 0 to 5, first in row 1: .*4.0",
        ),
        (
            torch.tensor([[1, 0]]),
            r"dtype torch.int64; .*\(B, 2\) floats .* `.float\(\)`",
        ),
        (torch.ones(3), r"has shape \(3,\) .* expected \(B, 2\) floats .* each of 3"),
    ],
)
def test_labels_that_are_none_name_value_row_and_remedy(labels, message):
    with pytest.raises(ValueError, match=message) as error:
        check_labels("label", labels, (len(labels), 2))
    assert r"(stars >= 4).float()" in str(error.value)


def test_a_label_that_nobody_knows_is_called_nan():
    labels = torch.tensor([[1.0, 0], [NAN, 1]])
    with pytest.raises(ValueError, match=r"holds NaN, first in row 1: \[nan, 1.0\]; e"):
        check_labels("label", labels, (2, 2))
    labels[0, 0] = 4  # the first wrong row is named, whatever is wrong there
    with pytest.raises(ValueError, match=r"first in row 0: \[4.0, 0.0\]; .* stars"):
        check_labels("label", labels, (2, 2))


def test_nobody_looks_at_values_while_a_model_is_exported(monkeypatch):
    wrong = torch.tensor([False, True])
    assert happens(wrong)
    assert not happens(~wrong & wrong)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert not happens(wrong)
    check_labels("label", torch.tensor([5.0]), (1,))
    check_ids("ids", torch.tensor([9]), dims=1, n_items=5)
