import pytest
import torch

from recsys_tutorial.models.deepfm import DeepFM
from recsys_tutorial.train import fit

ITEMS, GROUPS, USERS, D = 7, [2, 3], [5, 4], 4
BOTH = pytest.mark.parametrize("groups", [GROUPS, []], ids=["content", "blind"])


def build(groups=GROUPS, **options):
    torch.manual_seed(0)
    content = torch.randint(0, 2, (ITEMS, 5)).float()
    content[0] = 0
    return DeepFM(content, groups, USERS, **{"dim": D, "units": 8} | options)


def batch(rows=12, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {
        "item": torch.randint(1, ITEMS, (rows,), generator=g),
        "features": torch.randint(1, 4, (rows, 2), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


@BOTH
def test_logits_agree_with_a_slow_loop_over_all_pairs(groups):
    model, data = build(groups), batch()
    offsets = model.context.offsets
    for row, (item, features) in enumerate(
        zip(data["item"], data["features"], strict=True)
    ):
        e = [model.items.weight[item]]
        e += [
            model.context.table[i + o] for i, o in zip(features, offsets, strict=True)
        ]
        start = 0
        for width in groups:
            chosen = range(start, start + width)
            e.append(sum(model.content[item, c] * model.columns[c] for c in chosen))
            start += width
        flat = torch.cat(e)
        y = model.linear.weight[0] @ flat + model.linear.bias[0]
        for i in range(len(e)):
            for j in range(i):
                y = y + e[i] @ e[j]
        hidden = torch.relu(model.hidden.weight @ flat + model.hidden.bias)
        y = y + model.output.weight[0] @ hidden
        torch.testing.assert_close(model(data)[row], y)


def test_the_logit_is_the_sum_of_the_parts():
    model, data = build(), batch()
    assert torch.allclose(model(data), sum(model.explain(data)))


def test_phi_stands_in_for_the_id_and_is_all_that_is_known_of_it():
    model, data = build(), batch()
    own = model.items(data["item"])
    assert torch.equal(model(data), model(data, own))
    model.content[2] = model.content[1]  # two items of equal content
    one, two = (
        data | {"item": torch.ones(12).long()},
        data | {"item": 2 * torch.ones(12).long()},
    )
    assert not torch.allclose(model(one), model(two))
    assert torch.equal(model(one, own), model(two, own))


def test_a_blind_model_ignores_the_content_and_describes_it_as_it_is():
    model, data = build([]), batch()
    before = model(data)
    model.content += 1
    assert torch.equal(model(data), before)
    assert torch.equal(model.describe(data["item"]), model.content[data["item"]])
    assert model.description_width == 5
    assert build().description_width == 2 * D


@BOTH
def test_every_parameter_learns(groups):
    model = build(groups)
    model.loss(batch(200)).backward()
    idle = [
        n
        for n, p in model.named_parameters()
        if p.numel() and not p.grad.abs().sum() > 0
    ]
    assert idle == []


@BOTH
def test_rows_are_independent(groups):
    model, data = build(groups), batch()
    one = {name: values[:1] for name, values in data.items()}
    assert torch.allclose(model(one), model(data)[:1])


def test_the_loss_is_a_mean_over_the_rows():
    model, data = build(), batch()
    twice = {name: torch.cat([values, values]) for name, values in data.items()}
    assert torch.allclose(model.loss(twice), model.loss(data))


def test_eight_samples_can_be_learnt_by_heart():
    model = build()
    data = batch(8) | {"item": torch.tensor([1, 1, 2, 2, 3, 3, 4, 4])}
    data["features"][:, 0] = torch.tensor([1, 2] * 4)
    fit(model, data, epochs=400, lr=0.02, progress=False)
    assert model.loss(data) < 0.02


@pytest.mark.parametrize("item", [0, ITEMS, -1])
def test_unknown_items(item):
    with pytest.raises(
        IndexError, match=f"item holds ids .* expected 1 to {ITEMS - 1}"
    ):
        build()(batch() | {"item": torch.full((12,), item)})


@pytest.mark.parametrize(
    "label", [torch.ones(3), torch.ones(12, 1), torch.ones(12).long()]
)
def test_labels_of_another_shape_or_dtype(label):
    with pytest.raises(ValueError, match=r"label has shape .* expected \(12,\) floats"):
        build().loss(batch() | {"label": label})


def test_content_that_does_not_fit_the_groups():
    with pytest.raises(ValueError, match=r"content has shape \(7, 5\).*\(B, 4\)"):
        build([2, 2])
    with pytest.raises(ValueError, match="group is 0"):
        build([0, 5])
    with pytest.raises(ValueError, match="content has .* floats"):
        DeepFM(torch.ones(3, 2).long(), [2], USERS)
