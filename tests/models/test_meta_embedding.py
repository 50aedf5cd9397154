import copy

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.data.tensors import take
from recsys_tutorial.models.deepfm import DeepFM
from recsys_tutorial.models.meta_embedding import (
    MetaEmbedding,
    make_tasks,
    turns,
    warm_up,
    warm_up_batches,
)
from recsys_tutorial.train import fit

ITEMS, GROUPS, USERS, D, K = 9, [2, 3], [6, 4], 4, 3
BOTH = pytest.mark.parametrize("groups", [GROUPS, []], ids=["content", "blind"])


def build(groups=GROUPS, **options):
    torch.manual_seed(0)
    content = torch.randint(0, 2, (ITEMS, 5)).float()
    content[0] = 0
    base = DeepFM(content, groups, USERS, dim=D, units=8).double()
    with torch.no_grad():  # as large as a trained model's, so that differences show
        for p in (base.items.weight, base.columns, base.context.table):
            p.mul_(5)
    return MetaEmbedding(base, **options).double()


def log(rows=120, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {
        "item": torch.randint(1, ITEMS, (rows,), generator=g),
        "features": torch.randint(1, 4, (rows, 2), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).double(),
    }


def tasks(rows=120):
    return make_tasks(log(rows), K)


def state(module):
    return copy.deepcopy(module.state_dict())


def unmoved(module, before):
    return all(torch.equal(v, before[n]) for n, v in module.state_dict().items())


# --- the equations


@BOTH
def test_the_loss_agrees_with_a_slow_loop_over_tasks_and_equations(groups):
    model, data = build(groups, inner_rate=0.7, scale=0.5), tasks()
    total = 0
    for t, item in enumerate(data["item"]):

        def half_loss(phi, half, t=t, item=item):
            losses = []
            for features, y in zip(
                data["features"][t, half], data["label"][t, half], strict=True
            ):
                row = {"item": item.view(1), "features": features.view(1, -1)}
                p = model.base(row, phi.view(1, -1)).sigmoid()
                losses.append(-(y * p.log() + (1 - y) * (1 - p).log()))
            return sum(losses).sum() / K

        u = model.base.describe(item.view(1))[0]
        phi = 0.5 * torch.tanh(model.generator.weight @ u)  # Eq. (8)
        l_a = half_loss(phi, 0)  # Eq. (11)
        (slope,) = torch.autograd.grad(l_a, phi)
        l_b = half_loss(phi - 0.7 * slope, 1)  # Eqs. (12) and (14)
        total = total + 0.1 * l_a + 0.9 * l_b  # Eq. (15)
    torch.testing.assert_close(model.loss(data), total / len(data["item"]))


def test_the_penalty_adds_the_squares_of_the_generator_s_weights():
    plain, fined = build(), build(penalty=0.1)
    extra = fined.loss(tasks()) - plain.loss(tasks())
    squares = sum(w**2 for w in fined.generator.weight.flatten())
    torch.testing.assert_close(extra, 0.1 * squares)


@BOTH
def test_the_meta_gradient_agrees_with_finite_differences(groups):
    model, data = build(groups, inner_rate=2.0, penalty=0.1), tasks()
    w = model.generator.weight
    (slope,) = torch.autograd.grad(model.loss(data), w)
    numeric, step = torch.zeros_like(w), 1e-5
    with torch.no_grad():
        for i in range(w.numel()):
            ends = []
            for sign in (1, -1):
                w.view(-1)[i] += sign * step
                ends.append(model.loss(data))
                w.view(-1)[i] -= sign * step
            numeric.view(-1)[i] = (ends[0] - ends[1]) / (2 * step)
    torch.testing.assert_close(slope, numeric, rtol=1e-5, atol=1e-8)


def test_the_first_order_gradient_is_not_that_of_its_loss():
    options = {"inner_rate": 2.0}
    second, first = build(**options), build(first_order=True, **options)
    assert torch.equal(second.loss(tasks()), first.loss(tasks()))  # the same value ...
    slopes = [
        torch.autograd.grad(m.loss(tasks()), m.generator.weight)[0]
        for m in (second, first)
    ]
    assert (slopes[0] - slopes[1]).norm() > 0.02 * slopes[0].norm()  # another slope
    assert first.first_order
    assert not second.first_order


def test_equation_17_the_inner_step_multiplies_by_identity_minus_a_times_hessian():
    model, data = build(inner_rate=0.5, alpha=0.0), take(tasks(), slice(1))
    phi = model.generate(data["item"]).detach().requires_grad_()
    hessian = torch.autograd.functional.hessian(
        lambda v: model.half_loss(v.view(1, -1), data, 0).sum(), phi[0]
    )
    stepped = model.explain(data).stepped.detach().requires_grad_()
    (at_b,) = torch.autograd.grad(model.half_loss(stepped, data, 1).sum(), stepped)
    by_hand = at_b[0] - 0.5 * hessian @ at_b[0]  # (I - a H) g_b
    first = model.generate(data["item"])
    (slope,) = torch.autograd.grad(model.loss(data), model.generator.weight)
    (expected,) = torch.autograd.grad(first, model.generator.weight, by_hand[None])
    torch.testing.assert_close(slope, expected)


def test_without_an_inner_step_both_losses_are_taken_at_the_first_embedding():
    model, data = build(inner_rate=0.0), tasks()
    inside = model.explain(data)
    assert torch.equal(inside.first, inside.stepped)
    assert torch.equal(inside.warm, model.half_loss(inside.first, data, 1))


def test_alpha_one_is_the_cold_loss_alone():
    model, data = build(alpha=1.0), tasks()
    torch.testing.assert_close(model.loss(data), model.explain(data).cold.mean())


def test_the_step_is_taken_for_the_task_and_lowers_its_loss():
    model, data = build(inner_rate=0.1), tasks()
    inside = model.explain(data)
    after = model.half_loss(inside.stepped, data, 0)
    assert (after < inside.cold).all()


def test_one_embedding_per_task_whatever_its_rows():
    """The slope is that of the mean over K rows, not one slope for each row."""
    model, data = build(inner_rate=1.0), take(tasks(), slice(1))
    inside = model.explain(data)
    slopes = []
    for k in range(K):
        one = data | {n: data[n][:, :, k : k + 1] for n in ("features", "label")}
        slopes.append(inside.first - model.explain(one).stepped)
    torch.testing.assert_close(inside.first - inside.stepped, sum(slopes) / K)
    assert inside.stepped.shape == (1, D)


# --- who learns


def test_only_the_generator_learns_and_the_base_model_does_not_move():
    model = build()
    base, generator = state(model.base), state(model.generator)
    data = {n: v.float() if v.is_floating_point() else v for n, v in tasks().items()}
    fit(model.float(), data, epochs=2, lr=0.1, progress=False)
    model.double()
    assert all(
        torch.equal(v, base[n].float().double())
        for n, v in model.base.state_dict().items()
    )
    assert not unmoved(model.generator, generator)
    assert [n for n, p in model.named_parameters() if p.requires_grad] == [
        "generator.weight"
    ]


def test_all_weights_of_the_generator_learn():
    model = build()
    model.loss(tasks()).backward()
    assert (model.generator.weight.grad != 0).any(0).all()
    assert (model.generator.weight.grad != 0).any(1).all()


def test_generated_embeddings_are_within_the_scale_and_depend_on_content_alone():
    model = build(scale=0.3)
    model.base.content[2] = model.base.content[1]
    phi = model.generate(torch.tensor([1, 2, 3]))
    assert torch.equal(phi[0], phi[1])
    assert not torch.equal(phi[0], phi[2])
    assert phi.abs().max() < 0.3


@BOTH
def test_an_item_without_content_gets_the_zero_embedding(groups):
    model = build(groups)
    model.base.content[3] = 0
    assert torch.equal(model.generate(torch.tensor([3])), torch.zeros(1, D).double())
    data = take(tasks(), slice(1)) | {"item": torch.tensor([3])}
    assert torch.isfinite(model.loss(data))


def test_forward_scores_rows_whose_items_are_all_new():
    model, data = build(), log()
    phi = model.generate(data["item"])
    assert torch.equal(model(data), model.base(data, phi))


def test_a_batch_of_one_task_and_one_sample():
    model, data = build(), make_tasks(log(), 1)
    whole = model.explain(data)
    alone = model.explain(take(data, slice(1)))
    for a, b in zip(alone, whole, strict=True):
        torch.testing.assert_close(a, b[:1])


def test_the_loss_can_be_taken_without_gradients():
    model = build()
    with torch.no_grad():
        assert torch.isfinite(model.loss(tasks()))


def test_four_tasks_can_be_learnt_by_heart():
    """Items that everybody likes or dislikes: the content must tell which."""
    model = build([])
    model.base.content[1:5] = torch.eye(5).double()[:4]
    data = take(make_tasks(log(400), K), slice(4))
    data = data | {"item": torch.arange(1, 5)}
    liked = torch.tensor([0.0, 1.0, 1.0, 0.0]).double()
    data["label"] = liked[:, None, None].expand(4, 2, K).clone()
    floats = {n: v.float() if v.is_floating_point() else v for n, v in data.items()}
    model = MetaEmbedding(model.base.float(), scale=20.0).float()
    fit(model, floats, epochs=300, lr=0.05, progress=False)
    assert model.loss(floats) < 0.02


# --- tasks and batches


def test_halves_and_tasks_share_no_row_and_a_task_has_one_item():
    data = log() | {"row": torch.arange(120)}
    made = make_tasks(data, K)
    rows = made["row"]  # (B, 2, K)
    assert rows.unique().numel() == rows.numel()
    assert (data["item"][rows] == made["item"][:, None, None]).all()
    assert torch.equal(made["features"], data["features"][rows])
    assert torch.equal(made["label"], data["label"][rows])


def test_an_item_with_fewer_samples_than_two_halves_makes_no_task():
    item = torch.tensor([1] * 5 + [2] * 6 + [3] * 13)
    made = make_tasks(log(24) | {"item": item}, K)
    assert made["item"].tolist() == [2, 3, 3]


def test_tasks_follow_the_seed():
    one, same, other = (make_tasks(log(), K, seed)["features"] for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_turns():
    turn, count = turns(torch.tensor([7, 3, 7, 7, 3]))
    assert turn.tolist() == [0, 0, 1, 2, 1]
    assert count.tolist() == [3, 2, 3, 3, 2]


def test_warm_up_batches_come_in_order_and_share_no_row():
    data = log(200) | {"row": torch.arange(200)}
    parts = warm_up_batches(data, 4)
    a, b, c, rest = (p["row"] for p in parts)
    assert torch.cat([a, b, c, rest]).sort().values.tolist() == list(range(200))
    for item in range(1, ITEMS):
        own = [p["row"][p["item"] == item] for p in parts]
        assert [len(rows) for rows in own[:3]] == [4, 4, 4]
        assert torch.cat(own).tolist() == sorted(torch.cat(own).tolist())


# --- warming up


def test_warming_up_moves_the_items_of_the_batch_and_nothing_else():
    model, data = build(), log(20) | {"item": torch.tensor([2, 5] * 10)}
    table, before = model.base.items.weight.clone(), state(model.base)
    kept = table.clone()
    after = warm_up(model.base, table, data, rate=0.5)
    moved = (after != kept).any(1).nonzero().flatten()
    assert moved.tolist() == [2, 5]
    assert torch.equal(table, kept)
    assert unmoved(model.base, before)


def test_warming_up_is_the_inner_step():
    model, data = build(inner_rate=0.5), take(tasks(), slice(2))
    data["item"] = torch.tensor([4, 7])
    table = model.base.items.weight.clone()
    table[data["item"]] = model.generate(data["item"]).detach()
    rows = {
        "item": data["item"].repeat_interleave(K),
        "features": data["features"][:, 0].flatten(0, 1),
        "label": data["label"][:, 0].flatten(),
    }
    after = warm_up(model.base, table, rows, rate=0.5)
    torch.testing.assert_close(after[data["item"]], model.explain(data).stepped)


def test_an_item_s_step_does_not_depend_on_the_others_in_the_batch():
    model, data = build(), log(30)
    table = model.base.items.weight
    one = take(data, data["item"] == 4)
    torch.testing.assert_close(
        warm_up(model.base, table, data, 0.5)[4],
        warm_up(model.base, table, one, 0.5)[4],
    )


def test_warming_up_lowers_the_loss_and_no_step_changes_nothing():
    model, data = build(), log()
    table = model.base.items.weight.detach()

    def loss(table):
        logits = model.base(data, table[data["item"]])
        return F.binary_cross_entropy_with_logits(logits, data["label"])

    assert loss(warm_up(model.base, table, data, 0.1)) < loss(table)
    assert torch.equal(warm_up(model.base, table, data, 0.0), table)


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inner_rate": -1.0}, "inner_rate is -1.0; expected at least 0"),
        ({"inner_rate": float("nan")}, "inner_rate is nan"),
        ({"alpha": 1.5}, "alpha is 1.5; expected a share"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_rows_instead_of_tasks():
    with pytest.raises(ValueError, match=r"expected \(B, 2, K, F\) and \(B, 2, K\)"):
        build().loss(log())


def test_halves_of_unequal_size():
    data = tasks()
    with pytest.raises(ValueError, match="tasks of two halves"):
        build().loss(data | {"label": data["label"][:, :, :2]})


def test_unknown_items():
    data = tasks()
    with pytest.raises(IndexError, match="item holds ids"):
        build().loss(data | {"item": data["item"] + ITEMS})
    with pytest.raises(IndexError, match="item holds ids"):
        build().generate(torch.tensor([-1]))


def test_too_few_samples():
    with pytest.raises(ValueError, match="no item has 200 rows, two halves of 100"):
        make_tasks(log(), 100)
    with pytest.raises(ValueError, match="n_samples is 0"):
        make_tasks(log(), 0)
    few = log(30) | {"item": torch.tensor([1] * 20 + [2] * 10)}
    with pytest.raises(ValueError, match="item 2 has 10 rows; expected at least 13"):
        warm_up_batches(few, 4)
    with pytest.raises(ValueError, match="data has no rows"):
        make_tasks(take(log(), slice(0)), K)
