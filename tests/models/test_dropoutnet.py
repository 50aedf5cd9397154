import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recsys_tutorial.als import Factors, factorise
from recsys_tutorial.data.coldstart import hold_out
from recsys_tutorial.data.movielens import load_movielens
from recsys_tutorial.models.dropoutnet import (
    DROPPED,
    KEPT,
    MEAN,
    BatchNorm,
    DropoutNet,
    Inputs,
    Tower,
    mean_vectors,
    standardise,
    teacher_pairs,
)
from recsys_tutorial.train import fit

N, M, R, C = 12, 9, 4, 3  # users, items, rank, content


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def inputs(rows=N, seed=0):
    return Inputs(*(draw(rows, n, seed=seed + k) for k, n in enumerate((R, C, R))))


def tower(rows=N, seed=0, **options):
    torch.manual_seed(seed)
    return Tower(inputs(rows, seed), **{"units": (5,)} | options)


def model(users=None, items=None):
    users, items = users or {}, items or {}
    return DropoutNet(tower(N, 0, **users), tower(M, 10, **items)).eval()


def batch(rows=20, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {
        "user": torch.randint(N, (rows,), generator=g),
        "item": torch.randint(M, (rows,), generator=g),
        "score": draw(rows, seed=seed),
    }


def options(rows, option):
    return torch.full((rows,), option)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- what is dropped


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 99))
def test_a_latent_vector_is_dropped_whole_and_never_rescaled(drop, transform, seed):
    t = tower(drop=drop * (1 - transform), transform=transform)
    torch.manual_seed(seed)
    ids = torch.arange(N).repeat(5)
    option = t.draw(len(ids))
    for given_, i, o in zip(t.given(ids, option), ids, option, strict=True):
        expected = {KEPT: t.latent[i], DROPPED: torch.zeros(R), MEAN: t.mean[i]}
        assert torch.equal(given_, expected[int(o)])


def test_the_shares_are_those_asked_for():
    t = tower(drop=0.3, transform=0.2)
    torch.manual_seed(0)
    share = t.draw(50_000).bincount(minlength=3) / 50_000
    assert share.tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.01)


@pytest.mark.parametrize(("drop", "transform"), [(0.9, 0.1), (0.8, 0.2), (0.0, 1.0)])
def test_shares_that_sum_to_one_keep_nothing(drop, transform):
    t = tower(drop=drop, transform=transform)
    assert KEPT not in t.draw(1_000)


def test_content_is_never_dropped():
    net = model(users={"drop": 1.0}, items={"drop": 1.0}).train()
    seen = []
    for side in (net.users, net.items):
        side.net.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    data = batch()
    net.loss(data)
    for x, side, name in zip(
        seen, (net.users, net.items), ("user", "item"), strict=True
    ):
        assert torch.equal(x[:, R:], side.content[data[name]])
        assert not x[:, :R].any()


def test_users_and_items_are_dropped_independently():
    net, data = model(users={"drop": 0.5}, items={"drop": 0.5}).train(), batch(5_000)
    seen = []
    for side in (net.users, net.items):
        side.net.register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    torch.manual_seed(0)
    net.loss(data)
    dropped = torch.stack([(x[:, :R] == 0).all(1) for x in seen]).float()
    assert dropped.mean(1).tolist() == pytest.approx([0.5, 0.5], abs=0.05)
    assert abs(float(torch.corrcoef(dropped)[0, 1])) < 0.05


def test_nothing_is_dropped_outside_of_training():
    net, data = model(users={"drop": 1.0}, items={"drop": 1.0}), batch()
    close(net.loss(data), (net(data) - data["score"]).square().mean())
    kept = {"user_option": options(20, KEPT), "item_option": options(20, KEPT)}
    assert torch.equal(net(data), net(data | kept))


@pytest.mark.parametrize("option", [DROPPED, MEAN])
def test_without_it_the_output_is_independent_of_the_latent_vector(option):
    net, data = model(), batch() | {"user_option": options(20, option)}
    before = net(data)
    net.users.latent.add_(1.0)
    assert torch.equal(net(data), before)
    kept = data | {"user_option": options(20, KEPT)}
    after = net(kept)
    net.users.latent.sub_(1.0)
    assert not torch.allclose(net(kept), after)


def test_every_option_still_reads_the_content():
    net, data = model(), batch()
    for option in (KEPT, DROPPED, MEAN):
        given_ = data | {"item_option": options(20, option)}
        before = net(given_)
        net.items.content.mul_(-1)
        assert not torch.allclose(net(given_), before)


# --- the equations


def test_scores_are_products_of_the_towers_row_by_row():
    net, data = model(), batch(6)
    for u, v, score in zip(data["user"], data["item"], net(data), strict=True):
        sides = ((net.users, u), (net.items, v))
        a, b = (
            t.net(torch.cat([t.latent[i], t.content[i]])[None])[0] for t, i in sides
        )
        close(score, a @ b)


def test_linear_towers_can_give_back_the_latent_model():
    factors = Factors(draw(N, R), draw(M, R, seed=1) * 3 + 1)
    towers = []
    for latent in factors:
        x = standardise(latent, limit=100)
        t = Tower(Inputs(x, draw(len(x), C), x), units=(), drop=0.0)
        with torch.no_grad():  # undo the standardisation, ignore the content
            t.net[0].weight.copy_(
                torch.cat([latent.std(0).diag(), torch.zeros(R, C)], 1)
            )
            t.net[0].bias.copy_(latent.mean(0))
        towers.append(t)
    pairs = teacher_pairs(factors, best=M, others=1)
    net = DropoutNet(*towers).train()
    close(net(pairs), pairs["score"])
    assert net.loss(pairs) < 1e-6


def test_the_targets_are_the_latent_model_s_scores_of_its_best_and_of_others():
    factors = Factors(draw(N, R), draw(M, R, seed=1))
    factors.users[3], factors.items[5] = 0, 0  # unknown
    pairs = teacher_pairs(factors, best=2, others=4, seed=0)
    user, item, score = pairs.values()
    assert 3 not in user
    assert 5 not in item
    assert len(score) == (N - 1) * (2 + 4)
    for u, v, s in zip(user, item, score, strict=True):
        close(s, factors.users[u] @ factors.items[v])
    known = [v for v in range(M) if v != 5]
    for u in user.unique():
        rows = (user == u).nonzero().flatten()
        scores = (factors.items[known] @ factors.users[u]).sort(descending=True).values
        close(score[rows[:2]], scores[:2])
    again = teacher_pairs(factors, best=2, others=4, seed=1)
    assert not torch.equal(again["item"], item)


def test_the_transform_is_the_mean_over_the_clicks():
    clicks, other = (draw(N, M) > 0.3).float(), draw(M, R)
    clicks[2] = 0  # a user without ratings
    for row, mean in zip(clicks, mean_vectors(clicks, other), strict=True):
        mine = [other[v] for v in range(M) if row[v]]
        close(mean, sum(mine) / len(mine) if mine else torch.zeros(R))


def test_standardised_columns_and_a_neutral_zero():
    latent = draw(50, R) * 7 + 3
    latent[:5] = 0
    x = standardise(latent)
    close(x[5:].mean(0), torch.zeros(R))
    close(x[5:].std(0), torch.ones(R))
    assert torch.equal(x[:5], torch.zeros(5, R))


def test_standardised_values_are_clipped():
    latent = torch.cat([torch.ones(99, 1), torch.full((1, 1), 1000.0)])
    assert standardise(latent).max() == 5
    assert standardise(latent, 2.0).max() == 2


def test_a_prior_adds_average_clicks_to_the_mean():
    clicks, other = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]), draw(3, R)
    shrunk = mean_vectors(clicks, other, prior=3.0)
    close(shrunk[0], (other[0] + other[1]) / (2 + 3))
    assert not shrunk[1].any()
    with pytest.raises(ValueError, match="prior is -1"):
        mean_vectors(clicks, other, prior=-1)


# --- cold means cold


def test_cold_items_were_absent_when_the_latent_model_and_its_scale_were_fitted():
    ratings, users, films = load_movielens()
    held = hold_out(ratings, seed=0)
    clicks = torch.zeros(len(users) + 1, len(films) + 1)
    clicks[held.warm.user.to_list(), held.warm.item.to_list()] = 1.0
    factors = factorise(clicks, rank=R, sweeps=2)
    for new, latent in (
        (held.new_users, factors.users),
        (held.new_items, factors.items),
    ):
        assert not clicks.any(1 if latent is factors.users else 0)[new.copy()].any()
        assert not latent[new.copy()].any()
        x, known = standardise(latent), latent.any(1)
        assert not x[new.copy()].any()
        assert torch.equal(x[known], standardise(latent[known]))
    pairs = teacher_pairs(factors, best=5, others=5)
    assert not set(pairs["user"].tolist()) & set(held.new_users)
    assert not set(pairs["item"].tolist()) & set(held.new_items)


def test_an_item_without_content_and_a_user_without_ratings_get_finite_scores():
    net = model()
    net.items.content[4] = 0
    for table in (net.users.latent, net.users.mean):
        table[7] = 0
    data = {"user": torch.tensor([7, 7]), "item": torch.tensor([4, 2])}
    scores = net(data)
    assert scores.isfinite().all()
    assert scores[0] != scores[1]
    dropped = data | {"user_option": options(2, DROPPED)}
    assert torch.equal(net(dropped), scores)  # no vector is a dropped vector


# --- learning


def test_a_single_row_is_normalised_by_the_moving_averages():
    norm, x = BatchNorm(5), draw(1, 5)
    with torch.no_grad():
        norm.weight.fill_(2.0), norm.bias.fill_(1.0)
    norm(draw(8, 5, seed=1))
    mean, variance = norm.running_mean.clone(), norm.running_var.clone()
    close(norm(x), 1 + 2 * (x - mean) / (variance + norm.eps).sqrt())
    assert torch.equal(norm(x), norm.eval()(x))
    assert torch.equal(norm.running_mean, mean)


def test_several_rows_are_normalised_as_torch_does_it():
    ours, theirs, x = BatchNorm(5), nn.BatchNorm1d(5), draw(8, 5)
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_rows_are_independent():
    net, data = model(), batch()
    close(net({k: v[:1] for k, v in data.items()}), net(data)[:1])
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    close(net({k: v[order] for k, v in data.items()}), net(data)[order])


def test_every_parameter_learns():
    net = model(users={"drop": 0.5}, items={"drop": 0.5}).train()
    net.loss(batch()).backward()
    idle = [n for n, p in net.named_parameters() if not p.grad.abs().sum() > 0]
    assert idle == []


def test_tables_are_no_parameters():
    names = [name for name, _ in model().named_parameters()]
    assert all(".net." in name for name in names)


def test_eight_samples_can_be_learnt_by_heart():
    sides = {"units": (32,), "drop": 0.0}
    net, data = model(users=sides, items=sides), batch(8)
    data["user"], data["item"] = torch.arange(8), torch.arange(8)
    fit(net, data, epochs=400, lr=0.01, progress=False)
    assert (net.train()(data) - data["score"]).square().mean() < 0.01


def test_the_global_seed_decides_what_is_dropped():
    net, data = model(items={"drop": 0.5}).train(), batch()
    losses = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        losses.append(float(net.loss(data).detach()))
    assert losses[0] == losses[1] != losses[2]


# --- bad input


@pytest.mark.parametrize("shares", [(-0.1, 0.0), (0.0, -0.1), (0.6, 0.5), (2.0, 0.0)])
def test_shares(shares):
    with pytest.raises(ValueError, match="drop is .* and transform .* expected shares"):
        tower(drop=shares[0], transform=shares[1])


def test_tables_that_do_not_fit():
    good = inputs()
    bad = {
        "latent": (draw(N + 1, R), "content has 12 rows, but latent 13"),
        "content": (draw(N, C).long(), r"content has .* expected \(B, 3\) floats"),
        "mean": (draw(N, R + 1), r"mean has shape \(12, 5\).* expected \(B, 4\)"),
    }
    for name, (table, message) in bad.items():
        with pytest.raises(ValueError, match=message):
            Tower(good._replace(**{name: table}))


def test_unknown_ids():
    with pytest.raises(
        IndexError, match="ids holds ids from 0 to 12; expected 0 to 11"
    ):
        tower()(torch.tensor([0, N]))
    with pytest.raises(ValueError, match=r"int64 ids of shape \(B,\)"):
        tower()(torch.tensor([0.0]))


def test_sizes():
    with pytest.raises(ValueError, match="units is 0"):
        tower(units=(0,))
    factors = Factors(draw(N, R), draw(M, R))
    with pytest.raises(ValueError, match="best is 10; the latent model knows 9 items"):
        teacher_pairs(factors, best=10, others=1)
    with pytest.raises(ValueError, match="others is 0"):
        teacher_pairs(factors, best=1, others=0)


def test_nothing_to_standardise():
    for latent in (torch.zeros(4, R), draw(1, R)):
        with pytest.raises(ValueError, match="fewer than two rows that are not zero"):
            standardise(latent)
    with pytest.raises(ValueError, match=r"latent has shape .* expected \(N, R\)"):
        standardise(draw(4))


def test_clicks_are_checked():
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        mean_vectors(torch.full((N, M), 2.0), draw(M, R))


def test_shapes_are_told_in_the_docstrings():
    text = inspect.getdoc(Tower)
    assert all(name in text for name in inspect.signature(Tower).parameters)
    assert isinstance(model(), nn.Module)
