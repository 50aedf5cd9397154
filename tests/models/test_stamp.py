import inspect
import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.stamp import STAMP, STMP
from recsys_tutorial.train import fit

ITEMS, L, D = 12, 6, 4
KINDS = {
    "STMP": lambda dim=D, **o: STMP(ITEMS, dim, **o),
    "STAMP": lambda dim=D, **o: STAMP(ITEMS, dim, **o),
    "STMP, no last": lambda dim=D, **o: STMP(ITEMS, dim, last=False, **o),
    "STAMP, no last": lambda dim=D, **o: STAMP(ITEMS, dim, last=False, **o),
}
ALL = pytest.mark.parametrize("kind", KINDS)
SCORES = pytest.mark.parametrize("sigmoid", [False, True])


def build(kind, **options):
    torch.manual_seed(0)
    model = KINDS[kind](**options)
    with torch.no_grad():
        model.items.weight.mul_(10)  # large enough for differences to show
    return model


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    history = torch.randint(1, ITEMS, (rows, L), generator=g)
    history *= torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    return {
        "history": history,
        "target": torch.randint(1, ITEMS, (rows,), generator=g),
    }


def left_padded(history):
    """The same sessions, with the padding in front."""
    return torch.stack([torch.cat([row[row == 0], row[row > 0]]) for row in history])


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- the equations


@SCORES
@ALL
def test_scores_agree_with_a_slow_loop_over_the_equations(kind, sigmoid):
    model, data = build(kind, sigmoid=sigmoid), batch()
    x, scores = model.items.weight, model(data)
    for row, history in enumerate(data["history"].tolist()):
        clicks = [x[i] for i in history if i > 0]
        m_s, m_t = sum(clicks) / len(clicks), clicks[-1]
        m = m_s
        if "STAMP" in kind:
            m = 0
            for click in clicks:
                s = model.click.weight @ click + model.click.bias
                s = s + model.mean.weight @ m_s
                if "no last" not in kind:
                    s = s + model.query.weight @ m_t
                m = m + (model.weight.weight[0] @ torch.sigmoid(s)) * click
        h_s = torch.tanh(model.general.weight @ m + model.general.bias)
        h_t = torch.ones(D)
        if "no last" not in kind:
            h_t = torch.tanh(model.current.weight @ m_t + model.current.bias)
        for item in range(1, ITEMS):
            z = sum(h_s[d] * h_t[d] * x[item, d] for d in range(D))  # trilinear
            close(scores[row, item], torch.sigmoid(z) if sigmoid else z)


def test_the_trilinear_product_does_not_mind_which_two_are_multiplied_first():
    a, b, x = torch.randn(3, D)
    close(a @ (b * x), b @ (a * x))
    close(a @ (b * x), torch.einsum("d,d,d->", a, b, x))


def test_the_weights_of_the_mean_divide_by_the_true_length():
    data = {"history": torch.tensor([[3, 5, 0, 0, 0, 0]])}
    model = build("STMP")
    inside, x = model.explain(data), model.items.weight
    close(inside.weights, torch.tensor([[0.5, 0.5, 0, 0, 0, 0]]))
    close(inside.general[0], model.general((x[3] + x[5]) / 2).tanh())


def test_there_is_no_softmax_over_the_weights():
    model, data = build("STAMP"), batch()
    sums = model.explain(data).weights.sum(1)
    assert (sums - 1).abs().max() > 0.1
    with torch.no_grad():
        model.weight.weight.mul_(3)  # a softmax would sharpen; here all grow alike
    close(model.explain(data).weights.sum(1), 3 * sums)


def test_weights_are_zero_at_padding_and_depend_on_the_last_click():
    model, data = build("STAMP"), batch()
    weights = model.explain(data).weights
    assert (weights[data["history"] == 0] == 0).all()
    one, other = torch.tensor([[1, 2, 3], [1, 2, 4]])
    a, b = (model.explain({"history": h[None]}).weights[0, :2] for h in (one, other))
    assert not torch.allclose(a, b)


def test_without_the_last_click_the_order_of_the_session_changes_nothing():
    for kind in KINDS:
        model = build(kind)
        there, back = ({"history": torch.tensor([h])} for h in ([1, 2, 3], [3, 2, 1]))
        assert torch.allclose(model(there), model(back), atol=1e-6) == ("no" in kind)


@ALL
def test_a_session_of_one_click_has_one_interest(kind):
    model = build(kind)
    data = {"history": torch.tensor([[7]]), "target": torch.tensor([2])}
    inside, x = model.explain(data), model.items.weight[7]
    session = inside.weights[0, 0] * x  # for STMP the weight is 1: m_s = m_t
    close(inside.general[0], model.general(session).tanh())
    if "STMP" in kind:
        assert inside.weights.tolist() == [[1.0]]
    assert model.loss(data).isfinite()


# --- padding


@ALL
def test_padding_on_either_side_changes_nothing(kind):
    model, data = build(kind), batch()
    expected = model(data)
    for pad in ((0, 5), (5, 0), (3, 4)):
        close(model({"history": F.pad(data["history"], pad)}), expected)
    close(model({"history": left_padded(data["history"])}), expected)


def test_the_last_click_is_the_last_real_one():
    model, data = build("STMP"), batch()
    last = torch.tensor([[i for i in row if i][-1] for row in data["history"].tolist()])
    expected = model.current(model.items.weight[last.flatten()]).tanh()
    close(model.explain(data).current, expected)
    close(model.explain({"history": left_padded(data["history"])}).current, expected)


@SCORES
@ALL
def test_padding_is_never_a_candidate_and_never_learns(kind, sigmoid):
    model, data = build(kind, sigmoid=sigmoid, two_sided=True), batch()
    scores = model(data)
    assert scores.shape == (10, ITEMS)
    assert (scores[:, 0] == -math.inf).all()
    assert scores[:, 1:].isfinite().all()
    assert (scores.softmax(1)[:, 0] == 0).all()
    fit(model, data, epochs=3, lr=0.1, progress=False)
    assert (model.items.weight[0] == 0).all()


@ALL
def test_a_session_of_padding_alone_is_refused(kind):
    history = batch(3)["history"]
    history[1] = 0
    with pytest.raises(ValueError, match="nothing but padding in row 1"):
        build(kind)({"history": history})


@ALL
def test_a_batch_of_one_row(kind):
    model, data = build(kind), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    assert model.loss(one).isfinite()


# --- learning


def test_the_loss_is_the_cross_entropy_and_the_other_side_is_an_option():
    data = batch()
    plain, both = build("STAMP"), build("STAMP", two_sided=True)
    p = plain(data).softmax(1)
    own = p[torch.arange(10), data["target"]]
    close(plain.loss(data), -own.log().mean())
    others = (1 - p).log().sum(1) - (1 - own).log()
    close(both.loss(data), -(own.log() + others).mean())


def test_the_two_sided_loss_is_finite_when_the_model_is_sure_and_wrong():
    model, data = build("STMP", two_sided=True), batch()
    with torch.no_grad():
        model.items.weight.mul_(1000)
    loss = model.loss(data)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@ALL
def test_every_parameter_gets_a_gradient(kind):
    model = build(kind)
    model.loss(batch(200)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 1e-6, name
    assert (model.items.weight.grad[1:].abs().sum(1) > 0).all()
    assert (model.items.weight.grad[0] == 0).all()


@ALL
def test_eight_sessions_can_be_learnt_by_heart(kind):
    clicks = torch.arange(1, 9)
    history = torch.stack([clicks, clicks.roll(3), clicks.roll(1)], 1)
    data = {"history": history, "target": clicks.roll(-2)}
    model = build(kind, dim=8)
    fit(model, data, epochs=150, lr=0.05, progress=False)
    assert model.loss(data) < 0.05
    assert (model(data).argmax(1) == data["target"]).all()


def test_behind_a_sigmoid_the_loss_has_a_floor_that_no_learning_breaks():
    clicks = torch.arange(1, 9)
    data = {"history": clicks[:, None], "target": clicks.roll(-2)}
    model = build("STMP", sigmoid=True, dim=8)
    fit(model, data, epochs=150, lr=0.05, progress=False)
    floor = math.log(1 + (ITEMS - 2) / math.e)  # target 1, the others 0
    assert floor < model.loss(data) < math.log(ITEMS - 1)


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(10).long()}, ValueError, r"history has .*\(B, L\)"),
        ({"history": torch.ones(10, L)}, ValueError, "history has .*float32"),
        ({"history": torch.ones(10, 0).long()}, ValueError, "history has"),
        ({"history": torch.full((10, L), ITEMS)}, IndexError, "from 12 to 12"),
        ({"history": torch.full((10, L), -1)}, IndexError, "expected 0 to 11"),
        ({"target": torch.zeros(10).long()}, IndexError, "target .* expected 1 to 11"),
        ({"target": torch.full((10,), ITEMS)}, IndexError, "target holds"),
        ({"target": torch.ones(10, 1).long()}, ValueError, r"target .*\(B,\)"),
        ({"target": torch.ones(3).long()}, ValueError, "target has 3 rows"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build("STAMP").loss(batch() | change)


def test_bad_sizes():
    with pytest.raises(ValueError, match="n_items is 0"):
        STAMP(0)
    with pytest.raises(ValueError, match="dim is -1"):
        STMP(5, dim=-1)


def test_every_argument_is_told_in_the_docstring():
    text = inspect.getdoc(STMP)
    assert all(name in text for name in inspect.signature(STMP).parameters)
