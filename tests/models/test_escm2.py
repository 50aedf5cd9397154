import inspect
import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.data.worlds import conversion_chain
from recsys_tutorial.layers import DenseInput, FieldEmbedding
from recsys_tutorial.models.escm2 import ESCM2, Debiased, counterfactual_risk
from recsys_tutorial.models.esmm import ESMM
from recsys_tutorial.train import fit

BOTH = pytest.mark.parametrize("robust", [False, True], ids=["IPS", "DR"])
SHARED = pytest.mark.parametrize("shared", [True, False])


def escm2(robust=False, shared=True, **options):
    torch.manual_seed(0)
    if not shared:
        options["cvr_inputs"] = FieldEmbedding([7, 6], 3)
    return ESCM2(FieldEmbedding([7, 6], 3), doubly_robust=robust, **options)


def batch(rows=12, seed=0):
    g = torch.Generator().manual_seed(seed)
    ids = [torch.randint(1, n, (rows,), generator=g) for n in (7, 6)]
    labels = torch.randint(0, 2, (rows, 2), generator=g).float().cumprod(1)
    known = 0.02 + 0.9 * torch.rand(rows, generator=g)
    return {"features": torch.stack(ids, 1), "labels": labels, "propensity": known}


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


# --- four impressions: all that can happen is written down

PROPENSITY = torch.tensor([0.5, 0.5, 0.25, 0.1], dtype=torch.float64)
ERROR = torch.tensor([0.2, 1.0, 0.4, 3.0], dtype=torch.float64)
WRONG_P = torch.tensor([0.25, 0.5, 0.5, 0.2], dtype=torch.float64)
WRONG_GUESS = torch.tensor([0.0, 2.0, 0.4, 1.0], dtype=torch.float64)
ENTIRE = ERROR.mean().item()


def expected(estimate, power=1):
    """Over the sixteen patterns of clicks, each as likely as the propensities say."""
    total = 0.0
    for pattern in itertools.product([0.0, 1.0], repeat=4):
        clicked = torch.tensor(pattern, dtype=torch.float64)
        chance = torch.where(clicked > 0, PROPENSITY, 1 - PROPENSITY).prod()
        total += (chance * estimate(clicked) ** power).item()
    return total


def estimate(propensity, guess=0.0):
    guess = torch.as_tensor(guess, dtype=torch.float64)
    return lambda clicked: counterfactual_risk(ERROR, guess, clicked / propensity)


def test_the_mean_over_clicks_is_not_that_over_all_impressions():
    """The contrast: a click of the likely rows is what the naive mean mostly sees."""
    naive = expected(lambda y: (y * ERROR).sum() / y.sum().clamp(min=1))
    assert naive < 0.7 * ENTIRE


def test_with_the_right_propensities_the_weights_give_the_entire_space():
    assert expected(estimate(PROPENSITY)) == pytest.approx(ENTIRE)


def test_with_the_right_propensities_any_guess_will_do():
    assert expected(estimate(PROPENSITY, WRONG_GUESS)) == pytest.approx(ENTIRE)


def test_with_the_right_guess_any_propensities_will_do():
    assert expected(estimate(WRONG_P, ERROR)) == pytest.approx(ENTIRE)


def test_with_both_wrong_the_bias_is_the_product_of_the_two_mistakes():
    found = expected(estimate(WRONG_P, WRONG_GUESS))
    bias = ((PROPENSITY / WRONG_P - 1) * (ERROR - WRONG_GUESS)).mean().item()
    assert found - ENTIRE == pytest.approx(bias)
    assert abs(bias) > 0.1


def test_wrong_propensities_alone_are_not_repaired_by_weights():
    assert abs(expected(estimate(WRONG_P)) - ENTIRE) > 0.1


@pytest.mark.parametrize(
    "guess", [0.0, WRONG_GUESS, ERROR], ids=["0", "wrong", "right"]
)
def test_the_variance_is_that_of_what_the_guess_misses(guess):
    one = estimate(PROPENSITY, guess)
    variance = expected(one, power=2) - expected(one) ** 2
    missed = (ERROR - torch.as_tensor(guess, dtype=torch.float64)).square()
    formula = ((1 - PROPENSITY) / PROPENSITY * missed).sum().item() / 4**2
    assert variance == pytest.approx(formula, abs=1e-12)


def test_clipping_trades_variance_for_bias():
    clipped = estimate(PROPENSITY.clamp(min=0.25))
    full = estimate(PROPENSITY)
    spread = [expected(one, 2) - expected(one) ** 2 for one in (clipped, full)]
    assert spread[0] < spread[1] / 2
    assert expected(clipped) < ENTIRE - 0.1


# --- the loss


@BOTH
@SHARED
def test_forward_agrees_with_a_slow_loop(robust, shared):
    model, data = escm2(robust, shared), batch(6)
    hidden, output = model.towers.hidden, model.towers.output
    own = model.cvr_inputs or model.inputs
    for row, (user, item) in enumerate(data["features"].tolist()):
        seen = [model.inputs, own, own][: 2 + robust]
        for k, inputs in enumerate(seen):
            x = torch.cat([inputs.table[user], inputs.table[7 + item]])
            h = torch.relu(x @ hidden.weight[k] + hidden.bias[k, 0])
            logit = h @ output.weight[k] + output.bias[k, 0]
            assert torch.allclose(model(data)[row, k], logit, atol=1e-6)
    assert model(data).shape == (6, 2 + robust)


@BOTH
@pytest.mark.parametrize("known", [True, False])
def test_the_loss_agrees_with_a_slow_loop(robust, known):
    model, data = escm2(robust, clip=0.3, cvr_weight=0.7, ctcvr_weight=0.4), batch()
    if not known:
        del data["propensity"]
    total = 0.0
    for row, logits in enumerate(model(data).tolist()):
        y, yz = data["labels"][row].tolist()
        p, q = sigmoid(logits[0]), sigmoid(logits[1])
        total -= math.log(p if y else 1 - p)
        total -= 0.4 * math.log(p * q if yz else 1 - p * q)
        weight = y / max(data["propensity"][row].item() if known else p, 0.3)
        error = -math.log(q if yz else 1 - q)
        guess = math.log(1 + math.exp(logits[2])) if robust else 0.0
        risk = guess + weight * (error - guess)
        if robust:
            risk += weight * (error - guess) ** 2
        total += 0.7 * risk
    assert model.loss(data).item() == pytest.approx(total / 12, rel=1e-5)


@BOTH
@SHARED
def test_without_the_counterfactual_loss_it_is_esmm(robust, shared):
    model, data = escm2(robust, shared, cvr_weight=0), batch()
    torch.manual_seed(0)
    plain = ESMM(model.inputs, model.cvr_inputs)
    for part, own in zip(
        plain.towers.parameters(), model.towers.parameters(), strict=True
    ):
        part.data = own.data[:2].clone()
    assert torch.allclose(model.loss(data), plain.loss(data))


def test_a_known_propensity_counts_and_not_the_towers_own():
    model, data = escm2(), batch()
    loss = model.loss(data)
    assert not torch.allclose(loss, model.loss(data | {"propensity": torch.ones(12)}))
    own = data | {"propensity": model.explain(data).ctr.detach()}
    del data["propensity"]
    assert torch.allclose(model.loss(data), model.loss(own))


# --- who teaches whom


def gradients(model, data):
    """Of the towers' first layer, one per tower."""
    model.zero_grad()
    model.loss(data).backward()
    return model.towers.hidden.weight.grad.clone().unbind(0)


@BOTH
def test_the_weights_teach_the_click_tower_nothing(robust):
    """A gradient through 1 / p would have it say "likely" to make the loss small."""
    data = batch()
    del data["propensity"]
    with_it, without = (
        gradients(escm2(robust, cvr_weight=w, ctcvr_weight=0), data)[0] for w in (5, 0)
    )
    assert torch.equal(with_it, without)
    assert with_it.abs().sum() > 0


def test_imputing_an_error_leaves_the_conversion_towers_gradient_as_it_is():
    """The guess depends on no weight of that tower, so its slope there is 0."""
    data, robust, plain = batch(), escm2(True), escm2()
    plain.load_state_dict(
        {
            name: part[:2] if name.startswith("towers") else part
            for name, part in robust.state_dict().items()
        }
    )
    ours, theirs = gradients(robust, data), gradients(plain, data)
    assert torch.allclose(ours[1], theirs[1], atol=1e-7)
    assert theirs[1].abs().sum() > 0
    assert not torch.equal(robust.loss(data), plain.loss(data))


def test_the_imputation_tower_learns_from_clicks_only():
    data = batch()
    clicked = gradients(escm2(True), data)[2]
    unclicked = gradients(escm2(True), data | {"labels": torch.zeros(12, 2)})[2]
    assert clicked.abs().sum() > 0
    assert unclicked.abs().sum() == 0


def test_the_imputation_tower_learns_the_error():
    model, data = escm2(True, cvr_weight=1.0), batch(200)
    data["propensity"] = torch.ones(200)
    fit(model, data, epochs=200, lr=0.01, progress=False)
    with torch.no_grad():
        found = model.explain(data)
    clicked = data["labels"][:, 0] > 0
    error = F.binary_cross_entropy(found.cvr, data["labels"][:, 1], reduction="none")
    missed = (error - found.imputed)[clicked]
    assert missed.square().mean() < 0.9 * error[clicked].var()
    assert missed.mean().abs() < 0.1 * error[clicked].mean()


@BOTH
def test_without_a_click_the_counterfactual_loss_pulls_at_nothing(robust):
    model = escm2(robust)
    logits = torch.zeros(3, 2 + robust, requires_grad=True)
    weight, label = torch.tensor([0.0, 4.0, 4.0]), torch.tensor([0.0, 0.0, 1.0])
    model.counterfactual_loss(logits, label, weight).backward()
    pulls = (weight * (0.5 - label) / 3).tolist()
    assert logits.grad[:, 1].tolist() == pytest.approx(pulls)
    assert logits.grad[:, 0].tolist() == [0, 0, 0]


def test_an_imputed_error_may_exceed_one_and_is_never_negative():
    """A sigmoid, as in some public code, cannot say 3; a plain number may say -3."""
    model = escm2(True)
    logits = torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, -300.0]])
    assert model.imputed(logits)[0] > 3
    assert model.imputed(logits)[1] == 0
    assert torch.equal(escm2().imputed(logits), torch.zeros(2))


@BOTH
def test_explain_tells_what_a_click_would_weigh(robust):
    model, data = escm2(robust, clip=0.4), batch()
    with torch.no_grad():
        model.towers.output.weight.mul_(20)  # so that click rates differ ...
        model.towers.output.bias[0] -= model(data)[:, 0].median()  # ... about 0.5
    inside = model.explain(data)
    assert isinstance(inside, Debiased)
    assert all(part.shape == (12,) for part in inside)
    assert torch.equal(inside.ctcvr, inside.ctr * inside.cvr)
    for p, weight in zip(inside.ctr.tolist(), inside.weight.tolist(), strict=True):
        assert weight == pytest.approx(1 / max(p, 0.4), rel=1e-6)
    assert (inside.ctr < 0.4).any()
    assert (inside.ctr > 0.4).any()


# --- the mean, where the truth is known


def one_rate(propensity, robust=False):
    """What a tower that sees nothing of an impression takes for its conversion rate."""
    world = conversion_chain(20_000, (0.3, 0.2), seed=1)
    data = {"features": torch.zeros(20_000, 1), "labels": world["labels"]}
    data["propensity"] = propensity(world["probability"][:, 0]).contiguous()
    torch.manual_seed(0)
    model = ESCM2(
        DenseInput(1), doubly_robust=robust, clip=1e-6, cvr_weight=1, ctcvr_weight=0
    )
    fit(model, data, epochs=4, batch_size=2000, lr=0.05, progress=False)
    return model.explain(data).cvr[0].item(), world


@BOTH
def test_with_true_propensities_it_learns_the_rate_of_all_impressions(robust):
    rate, world = one_rate(lambda p: p, robust)
    assert rate == pytest.approx(world["would"][:, 1].mean().item(), abs=0.03)


def test_with_equal_propensities_it_learns_the_rate_of_clicks():
    rate, world = one_rate(torch.ones_like)
    clicked, bought = world["labels"].sum(0).tolist()
    assert rate == pytest.approx(bought / clicked, abs=0.03)
    assert rate > 1.4 * world["would"][:, 1].mean().item()


# --- as any model


@BOTH
@SHARED
def test_every_parameter_learns(robust, shared):
    model = escm2(robust, shared)
    model.loss(batch(200)).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


@BOTH
def test_rows_are_independent(robust):
    model, data = escm2(robust), batch()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    shuffled = {"features": data["features"][order]}
    assert torch.allclose(model(shuffled), model(data)[order], atol=1e-6)
    assert torch.allclose(model({"features": data["features"][:1]}), model(data)[:1])


@BOTH
def test_eight_samples_can_be_learnt_by_heart(robust):
    model, data = escm2(robust), batch(8)
    data["features"] = torch.tensor([[1 + i % 6, 1 + i // 6] for i in range(8)])
    fit(model, data, epochs=600, lr=0.02, progress=False)
    assert model.loss(data) < 0.1


def test_a_click_tower_that_is_sure_of_no_click_does_not_break_the_loss():
    model = escm2(True)
    with torch.no_grad():
        model.towers.output.bias[0] = -300.0
    data = batch()
    del data["propensity"]
    loss = model.loss(data)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


# --- bad input


@pytest.mark.parametrize("clip", [0, -0.1, 1.5, math.nan])
def test_a_clip_that_is_no_probability(clip):
    with pytest.raises(ValueError, match=f"clip is {clip}; expected above 0"):
        escm2(clip=clip)


@pytest.mark.parametrize("name", ["cvr_weight", "ctcvr_weight"])
@pytest.mark.parametrize("value", [-1.0, math.inf, math.nan])
def test_weights(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}; expected a finite"):
        escm2(**{name: value})


@pytest.mark.parametrize("value", [0.0, 1.1, -0.2, math.nan])
def test_a_propensity_that_is_no_probability_of_a_click(value):
    data = batch()
    data["propensity"][3] = value
    with pytest.raises(ValueError, match=f"propensity of row 3 is {value:g}; expected"):
        escm2().loss(data)


@pytest.mark.parametrize(
    "given", [torch.ones(12, 1), torch.ones(11), torch.ones(12).long()]
)
def test_propensities_of_another_shape_or_dtype(given):
    with pytest.raises(ValueError, match=r"propensity has shape .* expected \(12,\)"):
        escm2().loss(batch() | {"propensity": given})


def test_a_conversion_without_a_click_is_refused():
    data = batch()
    data["labels"][3] = torch.tensor([0.0, 1.0])
    with pytest.raises(ValueError, match=r"labels of row 3 are \[0.0, 1.0\]"):
        escm2().loss(data)


def test_inputs_of_two_widths():
    with pytest.raises(ValueError, match="cvr_inputs has width 4; expected .* 5"):
        ESCM2(DenseInput(5), DenseInput(4))


def test_parameters_are_told_in_the_docstring():
    text = inspect.getdoc(ESCM2)
    assert all(name in text for name in inspect.signature(ESCM2).parameters)
