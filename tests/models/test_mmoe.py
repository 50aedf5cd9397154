import inspect
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.layers import DenseInput, FieldEmbedding
from recsys_tutorial.models.mmoe import MMoE, SharedBottom, sum_over_tasks
from recsys_tutorial.train import fit

D, T, E = 6, 3, 4


def one_gate(inputs, n_tasks, **options):
    return MMoE(inputs, n_tasks, shared_gate=True, **options)


ALL = pytest.mark.parametrize("build", [SharedBottom, one_gate, MMoE])


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (rows, T), generator=g).float()
    return {"features": torch.randn(rows, D, generator=g), "labels": labels}


def mmoe(**options):
    torch.manual_seed(0)
    return MMoE(DenseInput(D), T, **{"n_experts": E, "expert_units": 5} | options)


@pytest.mark.parametrize("shared_gate", [False, True])
def test_forward_agrees_with_a_slow_loop_over_equations_5_to_8(shared_gate):
    model, data = mmoe(shared_gate=shared_gate), batch(4)
    w = model.experts.linear.weight.view(E, 5, D)
    b = model.experts.linear.bias.view(E, 5)
    wg = model.gates.linear.weight.view(-1, E, D)
    hidden, output = model.towers.hidden, model.towers.output
    for row, x in enumerate(data["features"]):
        for k in range(T):
            g = torch.softmax(wg[0 if shared_gate else k] @ x, 0)  # Eq. (8)
            f = sum(g[i] * torch.relu(w[i] @ x + b[i]) for i in range(E))  # Eq. (7)
            h = torch.relu(f @ hidden.weight[k] + hidden.bias[k, 0])
            y = h @ output.weight[k] + output.bias[k, 0]  # Eq. (6)
            assert torch.allclose(model(data)[row, k], y, atol=1e-6)


def test_gates_sum_to_one_over_experts_and_depend_on_the_row():
    gates = mmoe().explain(batch()).gates
    assert gates.shape == (10, T, E)
    assert torch.allclose(gates.sum(-1), torch.ones(10, T))
    assert not torch.allclose(gates[0], gates[1])


def test_the_gate_is_linear_in_the_input_and_has_no_bias():
    model = mmoe()
    zero = {"features": torch.zeros(1, D)}
    assert torch.allclose(model.explain(zero).gates, torch.full((1, T, E), 1 / E))
    x = batch(1)["features"]
    once, twice = model.explain({"features": x}), model.explain({"features": 2 * x})
    ratio = once.gates[..., 0] / once.gates[..., 1]
    assert torch.allclose(
        twice.gates[..., 0] / twice.gates[..., 1], ratio**2, rtol=1e-4
    )


def test_one_gate_is_the_same_for_all_tasks():
    gates = mmoe(shared_gate=True).explain(batch()).gates
    assert torch.equal(gates[:, 0], gates[:, 1])
    assert not torch.equal(*mmoe().explain(batch()).gates[:, :2].unbind(1))


def test_with_one_expert_the_mixture_is_a_shared_bottom():
    mixture = mmoe(n_experts=1)
    bottom = SharedBottom(DenseInput(D), T, units=5)
    bottom.bottom.load_state_dict(mixture.experts.linear.state_dict())
    bottom.towers.load_state_dict(mixture.towers.state_dict())
    assert torch.allclose(mixture(batch()), bottom(batch()), atol=1e-6)


@ALL
def test_rows_are_independent(build):
    model, data = build(DenseInput(D), T), batch()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    shuffled = {"features": data["features"][order]}
    assert torch.allclose(model(shuffled), model(data)[order], atol=1e-6)
    assert torch.allclose(model({"features": data["features"][:1]}), model(data)[:1])


@ALL
def test_every_parameter_learns(build):
    torch.manual_seed(0)
    model = build(FieldEmbedding([5, 5], 4), T)
    data = {"features": torch.randint(1, 5, (200, 2)), "labels": batch(200)["labels"]}
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


@ALL
def test_a_task_s_loss_reaches_only_its_own_tower(build):
    model = build(DenseInput(D), T)
    model(batch())[:, 1].sum().backward()
    touched = model.towers.output.bias.grad.flatten() != 0
    assert touched.tolist() == [False, True, False]


def test_a_task_s_loss_reaches_only_its_own_gate():
    model = mmoe()
    model(batch())[:, 1].sum().backward()
    by_task = model.gates.linear.weight.grad.view(T, E, D).abs().sum((1, 2))
    assert (by_task > 0).tolist() == [False, True, False]


@ALL
def test_the_loss_is_the_sum_of_the_tasks_mean_losses(build):
    model, data = build(DenseInput(D), T), batch()
    logits = model(data)
    terms = [
        F.binary_cross_entropy_with_logits(logits[:, k], data["labels"][:, k])
        for k in range(T)
    ]
    assert torch.allclose(model.loss(data), sum(terms))


@ALL
def test_eight_samples_can_be_learnt_by_heart(build):
    torch.manual_seed(0)
    model, data = build(DenseInput(D), T), batch(8)
    fit(model, data, epochs=800, lr=0.01, progress=False)
    assert model.loss(data) < 0.02


def test_regression():
    model, data = mmoe(criterion=F.mse_loss), batch()
    expected = (model(data) - data["labels"]).square().mean(0).sum()
    assert torch.allclose(model.loss(data), expected)


def test_stars_are_labels_of_a_regression_alone():
    stars = torch.full((3, T), 4.0)
    sum_over_tasks(F.mse_loss, torch.zeros(3, T), stars)
    entropy = F.binary_cross_entropy_with_logits
    for criterion in (entropy, partial(entropy, pos_weight=torch.tensor(2.0))):
        with pytest.raises(ValueError, match="labels holds the values 4 to 4"):
            sum_over_tasks(criterion, torch.zeros(3, T), stars)


@ALL
@pytest.mark.parametrize("labels", [torch.ones(10), torch.ones(10, T).long()])
def test_labels_of_another_shape_or_dtype(build, labels):
    with pytest.raises(ValueError, match=rf"labels has shape .* expected \(B, {T}\)"):
        build(DenseInput(D), T).loss(batch() | {"labels": labels})


@pytest.mark.parametrize(
    "name", ["n_tasks", "n_experts", "expert_units", "tower_units"]
)
def test_sizes(name):
    for size in (0, 1.5):
        with pytest.raises(ValueError, match=f"{name.split('_')[-1]}.* is {size}"):
            MMoE(DenseInput(D), **{"n_tasks": T} | {name: size})


def test_more_experts_than_sense():
    with pytest.raises(ValueError, match="n_experts is 3000.*at most"):
        MMoE(DenseInput(D), T, n_experts=3000)


def test_shapes_are_told_in_the_docstrings():
    text = inspect.getdoc(MMoE)
    assert all(name in text for name in inspect.signature(MMoE).parameters)
