import inspect
import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.layers import DenseInput, FieldEmbedding
from recsys_tutorial.models.aitm import AITM, Transfer, calibrator
from recsys_tutorial.train import fit

D, T, H = 6, 3, 5


def chain(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (rows, T), generator=g).float().cumprod(1)
    return {"features": torch.randn(rows, D, generator=g), "labels": labels}


def aitm(**options):
    torch.manual_seed(0)
    return AITM(DenseInput(D), T, **{"units": 8, "width": H} | options)


BOTH = pytest.mark.parametrize("transfer", [False, True])


def test_forward_agrees_with_a_slow_loop_over_the_equations():
    model, data = aitm(), chain(4)
    hidden, towers, outputs = model.hidden, model.towers, model.outputs
    for row, v in enumerate(data["features"]):
        z = None
        for t in range(T):
            h = torch.relu(v @ hidden.weight[t] + hidden.bias[t, 0])
            q = torch.relu(h @ towers.weight[t] + towers.bias[t, 0])  # Eq. (2)
            if t:
                ait = model.transfers[t - 1]
                p = torch.relu(ait.info.weight @ z + ait.info.bias)  # Eq. (3)
                h1, h2, h3 = ait.value.weight, ait.query.weight, ait.key.weight
                score = [(h2 @ u) @ (h3 @ u) / math.sqrt(H) for u in (p, q)]  # Eq. (4)
                w = torch.softmax(torch.stack(score), 0)
                z = w[0] * (h1 @ p) + w[1] * (h1 @ q)  # Eq. (5)
            else:
                z = q
            y = z @ outputs.weight[t, :, 0] + outputs.bias[t, 0, 0]
            assert torch.allclose(model(data)[row, t], y, atol=1e-6)


def test_the_two_weights_of_each_step_sum_to_one_and_depend_on_the_row():
    weights = aitm().explain(chain()).weights
    assert weights.shape == (10, T - 1, 2)
    assert (weights > 0).all()
    assert torch.allclose(weights.sum(-1), torch.ones(10, T - 1))
    assert not torch.allclose(weights[0], weights[1])


def test_a_vector_scores_itself_without_looking_at_the_other():
    transfer = Transfer(H)
    previous, own, other = torch.randn(3, 4, H)
    ratio = [w[:, 0] / w[:, 1] for _, w in (transfer(previous, own),)]
    ratio += [w[:, 0] / w[:, 1] for _, w in (transfer(other, own),)]
    ratio += [w[:, 0] / w[:, 1] for _, w in (transfer(previous, own * 0),)]
    ratio += [w[:, 0] / w[:, 1] for _, w in (transfer(other, own * 0),)]
    # log of the ratio = score of the one - score of the other: parallel differences
    a, b, c, d = (r.log() for r in ratio)
    assert torch.allclose(a - b, c - d, atol=1e-5)


def test_equal_vectors_share_evenly():
    transfer = Transfer(H)
    own = torch.rand(4, H)
    transfer.info.load_state_dict({"weight": torch.eye(H), "bias": torch.zeros(H)})
    mixed, weights = transfer(own, own)
    assert torch.allclose(weights, torch.full((4, 2), 0.5))
    assert torch.allclose(mixed, transfer.value(own), atol=1e-6)


def test_the_first_step_receives_nothing():
    inside = aitm().explain(chain())
    assert torch.equal(inside.mixed[:, 0], inside.own[:, 0])
    assert not torch.allclose(inside.mixed[:, 1], inside.own[:, 1])


def test_without_transfer_every_step_keeps_its_own_vector():
    inside = aitm(transfer=False).explain(chain())
    assert torch.equal(inside.mixed, inside.own)
    assert torch.equal(inside.weights[0], torch.tensor([[0.0, 1.0]] * (T - 1)))


def test_information_flows_forward_and_gradients_of_later_steps_flow_back():
    for transfer, reached in (
        (True, [True, True, False]),
        (False, [False, True, False]),
    ):
        model = aitm(transfer=transfer)
        model(chain())[:, 1].sum().backward()  # the second of three steps
        touched = model.hidden.weight.grad.abs().sum((1, 2)) > 0
        assert touched.tolist() == reached


def test_one_way_hands_on_the_same_but_lets_no_gradient_back():
    both, one = aitm(), aitm(one_way=True)
    assert torch.equal(both(chain()), one(chain()))
    one(chain())[:, 2].sum().backward()  # the last of three steps
    touched = one.hidden.weight.grad.abs().sum((1, 2)) > 0
    assert touched.tolist() == [False, False, True]
    moved = [bool(t.value.weight.grad.any()) for t in one.transfers]
    assert moved == [False, True]  # the maps of its own transfer do learn


def test_the_calibrator_is_zero_on_ordered_predictions():
    assert calibrator(torch.tensor([[0.9, 0.5, 0.1], [0.3, 0.3, 0.0]])) == 0


def test_the_calibrator_adds_what_rises_and_forgives_nothing_for_what_falls():
    p = torch.tensor([[0.2, 0.5, 0.6], [0.9, 0.1, 0.2]])
    rises = (0.3 + 0.1) + (0 + 0.1)
    assert torch.isclose(calibrator(p), torch.tensor(rises / 2))


def test_the_calibrator_does_not_depend_on_the_size_of_the_batch():
    p = torch.rand(5, T, generator=torch.Generator().manual_seed(0))
    assert torch.isclose(calibrator(p), calibrator(p.repeat(7, 1)))


def test_the_calibrator_pulls_a_pair_that_is_out_of_order_together():
    logits = torch.tensor([[-1.0, 1.0, 0.5]], requires_grad=True)
    calibrator(logits.sigmoid()).backward()
    first, second, third = logits.grad[0].tolist()
    assert first < 0 < second  # a step downhill raises the first, lowers the second
    assert third == 0


@pytest.mark.parametrize("alpha", [0, 0.6, 2.0])
def test_the_loss_is_cross_entropy_plus_alpha_times_the_calibrator(alpha):
    model, data = aitm(alpha=alpha), chain()
    logits, labels = model(data), data["labels"]
    entropy = sum(
        F.binary_cross_entropy_with_logits(logits[:, t], labels[:, t]) for t in range(T)
    )
    p = logits.detach().sigmoid()
    rises = sum(
        max(float(p[row, t] - p[row, t - 1]), 0.0)
        for row in range(len(p))
        for t in range(1, T)
    )
    assert torch.isclose(model.loss(data), entropy + alpha * rises / len(p))


@BOTH
def test_rows_are_independent(transfer):
    model, data = aitm(transfer=transfer), chain()
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    shuffled = {"features": data["features"][order]}
    assert torch.allclose(model(shuffled), model(data)[order], atol=1e-6)
    assert torch.allclose(model({"features": data["features"][:1]}), model(data)[:1])


@BOTH
def test_every_parameter_learns(transfer):
    torch.manual_seed(0)
    model = AITM(FieldEmbedding([5, 5], 4), T, units=8, width=H, transfer=transfer)
    ids = torch.randint(1, 5, (200, 2))
    model.loss({"features": ids, "labels": chain(200)["labels"]}).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


@BOTH
def test_padding_is_a_zero_vector_and_stays_one(transfer):
    model = AITM(FieldEmbedding([5, 5], 4), T, transfer=transfer)
    data = {"features": torch.zeros(10, 2, dtype=torch.int64)} | {
        "labels": chain()["labels"]
    }
    fit(model, data, epochs=2, lr=0.1, progress=False)
    assert not model.inputs(data["features"]).any()


@BOTH
def test_eight_samples_can_be_learnt_by_heart(transfer):
    torch.manual_seed(0)
    model, data = AITM(DenseInput(D), T, transfer=transfer), chain(8)
    fit(model, data, epochs=400, lr=0.01, progress=False)
    assert model.loss(data) < 0.02


@pytest.mark.parametrize("labels", [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
def test_labels_that_rise_along_the_chain_are_refused(labels):
    data = chain(2)
    data["labels"][1] = torch.tensor(labels)
    with pytest.raises(ValueError, match="labels of row 1 .* no step without the one"):
        aitm().loss(data)


def test_labels_that_fall_or_stay_pass():
    falls = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    aitm().loss(chain(4) | {"labels": falls})


@pytest.mark.parametrize("labels", [torch.ones(10), torch.ones(10, T).long()])
def test_labels_of_another_shape_or_dtype(labels):
    with pytest.raises(ValueError, match=rf"labels has shape .* expected \(B, {T}\)"):
        aitm().loss(chain() | {"labels": labels})


@pytest.mark.parametrize("name", ["n_tasks", "units", "width"])
def test_sizes(name):
    for size in (0, 1.5):
        with pytest.raises(ValueError, match=f"(?:{name}|units) is {size}; expected"):
            AITM(DenseInput(D), **{"n_tasks": T} | {name: size})


def test_one_step_is_no_chain():
    with pytest.raises(ValueError, match="n_tasks is 1; expected at least 2"):
        AITM(DenseInput(D), 1)


@pytest.mark.parametrize("alpha", [-0.1, math.inf, math.nan])
def test_alpha_is_a_weight(alpha):
    with pytest.raises(ValueError, match="alpha is .*; expected a weight"):
        aitm(alpha=alpha)


def test_shapes_are_told_in_the_docstrings():
    text = inspect.getdoc(AITM)
    assert all(name in text for name in inspect.signature(AITM).parameters)
