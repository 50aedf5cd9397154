import inspect
import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.data.worlds import conversion_chain
from recsys_tutorial.layers import DenseInput, FieldEmbedding
from recsys_tutorial.models.esmm import (
    ESMM,
    Estimates,
    check_nested,
    product_cross_entropy,
)
from recsys_tutorial.train import fit

D = 5
SHARED = pytest.mark.parametrize("shared", [True, False])


def esmm(shared=True, **options):
    torch.manual_seed(0)
    if not shared:
        options["cvr_inputs"] = FieldEmbedding([7, 6], 3)
    return ESMM(FieldEmbedding([7, 6], 3), **options)


def batch(rows=12, seed=0):
    g = torch.Generator().manual_seed(seed)
    ids = [torch.randint(1, n, (rows,), generator=g) for n in (7, 6)]
    labels = torch.randint(0, 2, (rows, 2), generator=g).float().cumprod(1)
    return {"features": torch.stack(ids, 1), "labels": labels}


# --- Eqs. (1) and (3)


@SHARED
def test_forward_agrees_with_a_slow_loop(shared):
    model, data = esmm(shared), batch(6)
    hidden, output = model.towers.hidden, model.towers.output
    for row, (user, item) in enumerate(data["features"].tolist()):
        for k, inputs in enumerate([model.inputs, model.cvr_inputs or model.inputs]):
            x = torch.cat([inputs.table[user], inputs.table[7 + item]])
            h = torch.relu(x @ hidden.weight[k] + hidden.bias[k, 0])
            logit = h @ output.weight[k] + output.bias[k, 0]
            assert torch.allclose(model(data)[row, k], logit, atol=1e-6)


@SHARED
def test_the_loss_agrees_with_a_slow_loop_over_equation_3(shared):
    model, data = esmm(shared), batch()
    total = 0.0
    for (a, b), (y, yz) in zip(
        model(data).tolist(), data["labels"].tolist(), strict=True
    ):
        p, q = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
        for label, estimate in ((y, p), (yz, p * q)):
            total -= math.log(estimate if label else 1 - estimate)
    assert model.loss(data).item() == pytest.approx(total / 12, rel=1e-5)


def test_explain_gives_the_three_probabilities_of_equation_1():
    inside = esmm().explain(batch())
    assert isinstance(inside, Estimates)
    assert all(part.shape == (12,) for part in inside)
    assert torch.equal(inside.ctcvr, inside.ctr * inside.cvr)


def test_no_estimate_of_a_conversion_exceeds_that_of_the_click():
    model = esmm()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(30)  # wild logits of both signs
    inside = model.explain(batch(200))
    assert (inside.ctcvr <= inside.ctr).all()
    assert (inside.ctcvr <= inside.cvr).all()
    assert ((inside.cvr >= 0) & (inside.cvr <= 1)).all()


def test_when_all_is_clicked_it_is_plain_cross_entropy():
    b = torch.tensor([-2.0, 0.5, 3.0])
    label = torch.tensor([0.0, 1.0, 0.0])
    logits = torch.stack([torch.full((3,), 50.0), b], 1)
    plain = F.binary_cross_entropy_with_logits(b, label)
    assert torch.allclose(product_cross_entropy(logits, label), plain)


def test_the_product_s_loss_agrees_with_the_product():
    logits = 4 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
    label = torch.randint(0, 2, (500,), generator=torch.Generator().manual_seed(1))
    product = logits.double().sigmoid().prod(1)
    naive = F.binary_cross_entropy(product, label.double())
    stable = product_cross_entropy(logits, label.float())
    assert stable.item() == pytest.approx(naive.item(), rel=1e-5)


@pytest.mark.parametrize("a", [-300.0, 0.0, 300.0])
@pytest.mark.parametrize("b", [-300.0, 0.0, 300.0])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_the_product_s_loss_and_gradient_are_finite_at_any_logit(a, b, label):
    logits = torch.tensor([[a, b]], requires_grad=True)
    loss = product_cross_entropy(logits, torch.tensor([label]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


# --- what reaches the conversion tower


def gradient_of_cvr_logit(a, b, label):
    logits = torch.tensor([[a, b]], requires_grad=True)
    product_cross_entropy(logits, torch.tensor([label])).backward()
    return logits.grad[0, 1].item()


@pytest.mark.parametrize(("a", "b"), [(-3.0, -1.0), (0.0, 0.0), (1.0, 2.0)])
def test_without_a_conversion_the_pull_is_in_proportion_to_the_click_rate(a, b):
    p, q = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
    expected = p * q * (1 - q) / (1 - p * q)
    assert gradient_of_cvr_logit(a, b, 0.0) == pytest.approx(expected, rel=1e-4)
    assert gradient_of_cvr_logit(a, b, 1.0) == pytest.approx(q - 1, rel=1e-4)


@pytest.mark.parametrize(("a", "b"), [(-3.0, -1.0), (0.0, 0.0), (1.0, 2.0)])
def test_the_product_teaches_the_click_tower_too(a, b):
    logits = torch.tensor([[a, b], [a, b]], requires_grad=True)
    (2 * product_cross_entropy(logits, torch.tensor([0.0, 1.0]))).backward()
    p, q = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
    expected = [p * q * (1 - p) / (1 - p * q), p - 1]
    assert logits.grad[:, 0].tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("a", "b"), [(-3.0, -1.0), (0.0, 0.0), (1.0, 2.0)])
@pytest.mark.parametrize("true_q", [0.05, 0.6])
def test_with_the_right_click_rate_it_pulls_as_clicks_alone_do_but_less(a, b, true_q):
    p, q = 1 / (1 + math.exp(-a)), 1 / (1 + math.exp(-b))
    expected = p * true_q * gradient_of_cvr_logit(a, b, 1.0) + (
        1 - p * true_q
    ) * gradient_of_cvr_logit(a, b, 0.0)
    clicks_alone = p * (q - true_q)
    assert expected == pytest.approx(clicks_alone * (1 - q) / (1 - p * q), rel=1e-4)


@SHARED
def test_the_conversion_tower_does_not_see_clicks_but_through_the_product(shared):
    """A click without a conversion moves it as no click does."""

    def gradient(labels):
        model = esmm(shared)
        model.loss(batch() | {"labels": labels}).backward()
        return model.towers.hidden.weight.grad.unbind(0)

    labels = batch()["labels"]
    unclicked = labels.clone()
    unclicked[:, 0] = labels[:, 1]  # clicks without a conversion are taken away
    (ctr, cvr), (ctr_then, cvr_then) = gradient(labels), gradient(unclicked)
    assert torch.equal(cvr, cvr_then)
    assert not torch.allclose(ctr, ctr_then)


def test_an_impression_that_is_never_clicked_teaches_the_conversion_tower_nothing():
    assert gradient_of_cvr_logit(-60.0, 1.0, 0.0) == pytest.approx(0, abs=1e-12)


def test_without_sharing_a_click_s_loss_leaves_the_conversion_s_embedding_alone():
    model, data = esmm(shared=False), batch()
    F.binary_cross_entropy_with_logits(
        model(data)[:, 0], data["labels"][:, 0]
    ).backward()
    assert model.inputs.table.grad.abs().sum() > 0
    assert model.cvr_inputs.table.grad.abs().sum() == 0


def test_sharing_means_one_table():
    def size(model):
        return sum(p.numel() for p in model.parameters())

    assert size(esmm(shared=False)) - size(esmm()) == esmm().inputs.table.numel()


@SHARED
def test_every_parameter_learns(shared):
    model = esmm(shared)
    model.loss(batch(200)).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


# --- as any model


@SHARED
def test_rows_are_independent(shared):
    model, data = esmm(shared), batch()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    shuffled = {"features": data["features"][order]}
    assert torch.allclose(model(shuffled), model(data)[order], atol=1e-6)
    assert torch.allclose(model({"features": data["features"][:1]}), model(data)[:1])


@SHARED
def test_eight_samples_can_be_learnt_by_heart(shared):
    model, data = esmm(shared), batch(8)
    data["features"] = torch.tensor([[1 + i % 6, 1 + i // 6] for i in range(8)])
    fit(model, data, epochs=600, lr=0.02, progress=False)
    assert model.loss(data) < 0.05


def test_dense_inputs_will_do():
    model = ESMM(DenseInput(D))
    data = {"features": torch.randn(4, D), "labels": torch.zeros(4, 2)}
    assert model.loss(data).isfinite()


def test_it_recovers_rates_that_are_the_same_everywhere():
    world = conversion_chain(20_000, (0.3, 0.2), n_users=3, n_items=3, spread=0.0)
    torch.manual_seed(0)
    model = ESMM(FieldEmbedding([4, 4], 2), units=4)
    fit(model, world, epochs=5, lr=0.01, progress=False)
    with torch.no_grad():
        ctr, cvr, _ = model.explain(world)
    assert ctr.mean().item() == pytest.approx(0.3, abs=0.03)
    assert cvr.mean().item() == pytest.approx(0.2, abs=0.03)


# --- bad input


def test_a_conversion_without_a_click_is_refused():
    data = batch()
    data["labels"][3] = torch.tensor([0.0, 1.0])
    with pytest.raises(ValueError, match=r"labels of row 3 are \[0.0, 1.0\]"):
        esmm().loss(data)


def test_longer_chains_are_checked_at_every_step():
    good = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert check_nested(good, 3) is good
    with pytest.raises(ValueError, match="labels of row 1 are"):
        check_nested(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), 3)


@pytest.mark.parametrize(
    "labels", [torch.ones(12), torch.ones(12, 3), torch.ones(12, 2).long()]
)
def test_labels_of_another_shape_or_dtype(labels):
    with pytest.raises(ValueError, match=r"labels has shape .* expected \(B, 2\)"):
        esmm().loss(batch() | {"labels": labels})


def test_inputs_of_two_widths():
    with pytest.raises(ValueError, match="cvr_inputs has width 4; expected .* 5"):
        ESMM(DenseInput(5), DenseInput(4))


@pytest.mark.parametrize("units", [0, 2.5])
def test_sizes(units):
    with pytest.raises(ValueError, match=f"units is {units}"):
        ESMM(DenseInput(D), units=units)


def test_an_unknown_user():
    data = {"features": torch.tensor([[7, 1]])}
    with pytest.raises(IndexError, match="field 0 of features holds ids"):
        esmm()(data)


def test_parameters_are_told_in_the_docstring():
    text = inspect.getdoc(ESMM)
    assert all(name in text for name in inspect.signature(ESMM).parameters)
