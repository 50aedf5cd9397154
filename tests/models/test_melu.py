import inspect

import pytest
import torch

from recsys_tutorial.data.tensors import take
from recsys_tutorial.models.melu import Estimator, MeLU
from recsys_tutorial.train import fit

FIELDS = [2, 3, 4, 1]  # two fields of users, two of items
U, I, B, S, Q = 7, 30, 6, 5, 4  # noqa: E741


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """The matrices are small: more threads only wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def content():
    g = torch.Generator().manual_seed(0)
    users, items = torch.rand(U, 5, generator=g), torch.rand(I, 5, generator=g)
    users[0], items[0] = 0, 0
    return users, items


def melu(**options):
    torch.manual_seed(0)
    small = {"dim": 4, "units": 8, "inner_lr": 0.1, "steps": 2, "mean": 3.0}
    return MeLU(*content(), FIELDS, **small | options)


def batch(rows=B, seed=1):
    g = torch.Generator().manual_seed(seed)
    films = torch.stack([torch.randperm(I - 1, generator=g) + 1 for _ in range(rows)])
    stars = torch.randint(1, 6, (rows, S + Q), generator=g).float()
    return {
        "user": torch.arange(rows) % (U - 1) + 1,
        "support": films[:, :S],
        "support_rating": stars[:, :S],
        "query": films[:, S : S + Q],
        "query_rating": stars[:, S:],
    }


def global_prediction(model, data):
    return model.estimator(model.content(data["user"], data["query"]))


def slow_user(model, row):
    """Algorithm 1 for one user, with copies of the weights and no torch.func."""
    net = model.estimator
    w = {n: p for n, p in net.named_parameters() if n.startswith("decision")}

    def predict(w, item):
        c = torch.cat([model.users[row["user"]], model.items[item]])
        parts = zip(c.split(FIELDS), net.embedding.split(FIELDS), strict=True)
        x = torch.cat([(values[:, None] * rows).sum(0) for values, rows in parts])
        for k in (0, 2):
            x = torch.relu(w[f"decision.{k}.weight"] @ x + w[f"decision.{k}.bias"])
        return net.mean + w["decision.4.weight"][0] @ x + w["decision.4.bias"][0]

    for _ in range(model.steps):
        terms = [
            (y - predict(w, j)) ** 2
            for j, y in zip(row["support"], row["support_rating"], strict=True)
            if j > 0
        ]
        loss = sum(terms) / len(terms)
        g = torch.autograd.grad(loss, list(w.values()), create_graph=True)
        w = {n: p - model.inner_lr * d for (n, p), d in zip(w.items(), g, strict=True)}
    return torch.stack([predict(w, j) for j in row["query"]])


def test_all_users_at_once_agree_with_a_slow_loop_over_users():
    model, data = melu(), batch()
    data["support"][1, 3:] = 0
    predictions = model(data)
    for n in range(B):
        assert torch.allclose(
            predictions[n], slow_user(model, take(data, n)), atol=1e-5
        )


def test_the_meta_gradient_of_all_users_agrees_with_the_slow_loop():
    model, data = melu().double(), batch()
    data |= {n: data[n].double() for n in ("support_rating", "query_rating")}
    every = list(model.parameters())
    quick = torch.autograd.grad(model.loss(data), every)
    rows = [take(data, n) for n in range(B)]
    slow = sum((slow_user(model, r) - r["query_rating"]).square().mean() for r in rows)
    for a, b in zip(quick, torch.autograd.grad(slow / B, every), strict=True):
        assert torch.allclose(a, b)


def finite_differences(model, data, h=1e-6):
    """Central differences of the loss, in every single weight."""
    for p in model.parameters():
        slope = torch.zeros_like(p)
        for k in range(p.numel()):
            ends = []
            for side in (h, -h):
                with torch.no_grad():
                    p.view(-1)[k] += side
                    ends.append(model.loss(data))
                    p.view(-1)[k] -= side
            slope.view(-1)[k] = (ends[0] - ends[1]) / (2 * h)
        yield slope


@pytest.mark.parametrize("local", ["decision", "all"])
def test_the_meta_gradient_agrees_with_finite_differences(local):
    model, data = melu(local=local, dim=2, units=3).double(), batch(3)
    data |= {n: data[n].double() for n in ("support_rating", "query_rating")}
    model.loss(data).backward()
    for p, slope in zip(
        model.parameters(), finite_differences(model, data), strict=True
    ):
        assert torch.allclose(p.grad, slope, atol=1e-6)


def test_the_first_order_gradient_is_another_and_the_predictions_are_the_same():
    exact, first, data = melu(), melu(second_order=False), batch()
    assert torch.equal(exact(data), first(data))
    gradients = []
    for model in (exact, first):
        model.loss(data).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    cosine = torch.cosine_similarity(*gradients, dim=0)
    assert 0.5 < cosine < 0.9999
    assert "first-order MAML" in inspect.getdoc(MeLU)


def test_the_first_order_gradient_is_that_at_the_adapted_weights():
    model, data = melu(second_order=False, local="all"), batch(1)
    model.loss(data).backward()
    adapted = melu()
    for _ in range(model.steps):
        c = adapted.content(data["user"], data["support"])
        loss = (adapted.estimator(c) - data["support_rating"]).square().mean()
        with torch.no_grad():
            g = torch.autograd.grad(loss, list(adapted.parameters()))
            for p, d in zip(adapted.parameters(), g, strict=True):
                p -= model.inner_lr * d
    (global_prediction(adapted, data) - data["query_rating"]).square().mean().backward()
    for p, q in zip(model.parameters(), adapted.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, atol=1e-5)


@pytest.mark.parametrize("nothing", [{"inner_lr": 0.0}, {"steps": 0}])
def test_without_a_step_or_with_rate_0_adapted_is_global(nothing):
    model, data = melu(**nothing), batch()
    assert torch.allclose(model(data), global_prediction(model, data), atol=1e-6)


def test_a_local_step_leaves_the_embeddings_alone():
    model = melu()
    every, changed = model.weights()
    assert set(every) - set(changed) == {"embedding"}
    assert set(melu(local="all").weights()[1]) == set(every)
    other = melu()
    with torch.no_grad():  # theta_2 at zero but for the last bias: one thing to learn
        for p in other.estimator.decision.parameters():
            p.zero_()
    data = batch()
    mean = data["support_rating"].mean(1, keepdim=True)
    step = 3 + 2 * other.inner_lr * (mean - 3)  # y_hat = mean + b, db = 2 (y - y_hat)
    assert torch.allclose(other.explain(data).predictions[:, 1], step.expand(B, Q))


def test_adapting_changes_no_global_weight():
    model = melu()
    before = [p.clone() for p in model.parameters()]
    model.explain(batch())
    assert all(map(torch.equal, before, model.parameters()))


def test_each_user_starts_from_the_global_weights():
    model, data = melu(), batch()
    together = model(data)
    for n in range(B):
        alone = model(take(data, [n]))[0]  # also: a batch of one
        assert torch.allclose(alone, together[n], atol=1e-6)
    wild = {**data, "support_rating": data["support_rating"].clone()}
    wild["support_rating"][0] = 100.0
    assert torch.allclose(model(wild)[1:], together[1:], atol=1e-6)
    assert not torch.allclose(model(wild)[0], together[0])


def test_padding_changes_nothing():
    model, data = melu(), batch()
    longer = dict(data)
    for name in ("support", "query"):
        pad = torch.zeros(B, 3)
        longer[name] = torch.cat([data[name], pad.long()], 1)
        longer[f"{name}_rating"] = torch.cat([data[f"{name}_rating"], pad + 9], 1)
    longer["support_rating"][:, -1] = torch.nan
    assert torch.allclose(model(longer)[:, :Q], model(data), atol=1e-6)
    assert torch.allclose(model.loss(longer), model.loss(data))
    model.loss(longer).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_the_order_of_the_support_is_of_no_matter():
    model, data = melu(), batch()
    turned = {n: v.flip(1) if n.startswith("support") else v for n, v in data.items()}
    assert torch.allclose(model(turned), model(data), atol=1e-6)


def test_a_user_without_ratings_gets_the_global_prediction():
    model, data = melu(), batch()
    data["support"][2] = 0
    assert torch.allclose(model(data)[2], global_prediction(model, data)[2], atol=1e-6)
    assert (model.explain(data).losses[2] == 0).all()


def test_a_user_with_one_rating_learns_from_it():
    model, data = melu(), batch()
    data["support"][:, 1:] = 0
    before, after = model.explain(data).losses[:, [0, -1]].unbind(1)
    assert (after < before).all()


def test_the_loss_is_the_mean_over_users_of_their_mean_over_the_query():
    model, data = melu(), batch()
    data["query"][0, 1:], data["query"][1] = 0, 0  # one rating to ask for; and none
    error = (model(data) - data["query_rating"]).square()
    expected = (error[0, 0] + error[2:].mean(1).sum()) / (B - 1)
    assert torch.allclose(model.loss(data), expected)
    data["query"][:] = 0
    assert model.loss(data) == 0


def test_an_item_or_a_user_without_content():
    model = melu()
    net = model.estimator
    none = net(torch.zeros(1, sum(FIELDS)))
    width = net.decision[0].in_features
    assert torch.allclose(none, net.mean + net.decision(torch.zeros(width)))
    model.items[5] = 0
    data = batch()
    data["query"][0, 0] = 5
    assert model(data).isfinite().all()


def test_step_by_step():
    model, data = melu(steps=3), batch()
    inside = model.explain(data)
    assert inside.predictions.shape == (B, 4, Q)
    assert inside.losses.shape == (B, 4)
    assert (inside.losses.diff(dim=1) < 0).all()
    for steps in range(4):
        fewer = melu(steps=steps)(data)
        assert torch.allclose(fewer, inside.predictions[:, steps], atol=1e-6)


def test_influence_is_the_norm_of_the_gradient_at_an_error_of_one_star():
    model, data = melu(), batch()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4)  # so that the embeddings, which do not count, would show
    norms = model.influence(data["user"], data["query"])
    prediction = global_prediction(model, data)[2, 1]
    error = (prediction - prediction.detach() - 1).square()
    g = torch.autograd.grad(error, list(model.estimator.decision.parameters()))
    expected = sum(d.square().sum() for d in g).sqrt()
    assert torch.allclose(norms[2, 1], expected, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"local": "all"}, {"second_order": False}])
def test_every_parameter_learns(options):
    model = melu(**options)
    model.loss(batch()).backward()
    idle = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


def test_eight_users_can_be_learnt_by_heart():
    model, data = melu(units=32, steps=1, inner_lr=0.02), batch(8)
    fit(model, data, epochs=200, lr=0.01, progress=False)
    assert model.loss(data) < 0.05
    model.steps = 0  # what was learnt is where to start from, not the answer
    assert model.loss(data) > 0.1


def bad(**changes):
    return batch() | changes


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (bad(user=torch.ones(B)), ValueError, "user has shape"),
        (bad(user=torch.full((B,), U)), IndexError, f"user holds ids from {U}"),
        (bad(support=torch.ones(B, S)), ValueError, "item has shape"),
        (bad(query=torch.full((B, Q), I)), IndexError, f"item holds ids from {I}"),
        (bad(support_rating=torch.ones(B, 1)), ValueError, "support_rating has shape"),
        (bad(query_rating=torch.ones(B, Q).long()), ValueError, "query_rating has"),
        (
            bad(query_rating=torch.full((B, Q), torch.nan)),
            ValueError,
            "query_rating holds NaN or infinity in row 0",
        ),
    ],
)
def test_bad_batches(data, error, message):
    with pytest.raises(error, match=message):
        melu().loss(data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"local": "embedding"}, "local is 'embedding'; expected 'decision' or 'all'"),
        ({"inner_lr": -1.0}, "inner_lr is -1.0"),
        ({"steps": -1}, "steps is -1"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"dim": 0}, "dim is 0"),
        ({"units": 0}, "units is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        melu(**options)


def test_fields_that_do_not_fit():
    with pytest.raises(ValueError, match=r"fields .* have 9 columns; expected 5 .* 5"):
        MeLU(*content(), [2, 3, 4])
    with pytest.raises(ValueError, match="field is 0"):
        Estimator([0, 1])


def test_shapes_are_told_in_the_docstrings():
    text = inspect.getdoc(MeLU) + inspect.getdoc(Estimator)
    names = set(inspect.signature(MeLU).parameters) | {"dim", "units", "mean"}
    assert all(name in text for name in names)
