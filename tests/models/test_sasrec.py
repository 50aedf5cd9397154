import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.sasrec import SASRec, contrastive_loss
from recsys_tutorial.train import fit

ITEMS, L, D = 12, 6, 8


def build(**options):
    torch.manual_seed(0)
    model = SASRec(ITEMS, D, **({"length": L + 4, "dropout": 0.0} | options))
    with torch.no_grad():
        model.items.weight.mul_(50)
        model.positions.weight.mul_(20)
    return model


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    steps = torch.randint(1, ITEMS, (rows, L + 1), generator=g)
    start = torch.randint(0, L, (rows, 1), generator=g)
    history = steps[:, :-1] * (torch.arange(L) >= start)
    views = torch.randint(1, ITEMS, (rows, 3, L), generator=g)
    return {
        "history": history,
        "target": steps[:, 1:] * (history > 0),
        "views": views,
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- the encoder


def test_attention_agrees_with_a_slow_loop():
    model, data = build(heads=2), batch(3)
    block, history = model.blocks[0], data["history"]
    x = model.norm(model.items(history) + model.positions.weight[-L:])
    q, k, v = (part.view(3, L, 2, D // 2) for part in block.qkv(x).split(D, 2))
    states, attention = model.explain(data)
    for b in range(3):
        for i in range(L):
            if history[b, i] == 0:
                assert (states[b, i] == 0).all()
                continue
            heads = []
            for h in range(2):
                seen = [j for j in range(i + 1) if history[b, j] > 0]
                logit = [q[b, i, h] @ k[b, j, h] / math.sqrt(D / 2) for j in seen]
                w = torch.stack(logit).softmax(0)
                close(attention[b, h, i, seen], w)
                heads.append(sum(a * v[b, j, h] for a, j in zip(w, seen, strict=True)))
            y = block.norms[0](x[b, i] + block.output(torch.cat(heads)))
            close(states[b, i], block.norms[1](y + block.steps(y)))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_later_item_never_changes_an_earlier_output(layers):
    model, data = build(layers=layers), batch()
    before = model.explain(data).states
    for step in range(1, L):
        changed = data["history"].clone()
        changed[:, step] = changed[:, step] % (ITEMS - 1) + 1
        after = model.explain({"history": changed}).states
        close(after[:, :step], before[:, :step])
        assert not torch.allclose(after[:, step:], before[:, step:])


def test_padding_in_front_changes_nothing():
    model, data = build(), batch()
    longer = {k: F.pad(v, (3, 0)) for k, v in data.items()}
    close(model(longer), model(data))
    close(model.explain(longer).states[:, 3:], model.explain(data).states)
    assert (model.explain(longer).states[:, :3] == 0).all()


def test_nobody_looks_at_a_masked_step():
    model = build()
    attention = model.explain({"history": torch.tensor([[3, 0, 5, 7]])}).attention
    assert (attention[:, :, 2:, 1] == 0).all()


def test_a_batch_of_one_row_and_the_padding_is_no_candidate():
    model, data = build(), batch()
    one = {k: v[:1] for k, v in data.items()}
    close(model(one), model(data)[:1])
    assert (model(data)[:, 0] == -math.inf).all()
    assert model(data)[:, 1:].isfinite().all()


# --- the losses


def test_the_next_item_loss_agrees_with_a_loop():
    model, data = build(), batch()
    torch.manual_seed(5)
    loss = model.next_item_loss(data)
    torch.manual_seed(5)
    drawn = torch.randint(1, ITEMS, data["target"].shape)
    states, x, total, steps = model.explain(data).states, model.items.weight, 0, 0
    for b in range(10):
        own = {int(data["history"][b, 0]), *data["target"][b].tolist()}
        for i in range(L):
            if data["target"][b, i] > 0:
                steps += 1
                total -= F.logsigmoid(states[b, i] @ x[data["target"][b, i]])
                if int(drawn[b, i]) not in own:
                    total -= F.logsigmoid(-(states[b, i] @ x[drawn[b, i]]))
    close(loss, total / steps)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_the_contrastive_loss_agrees_with_a_loop(temperature):
    g = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 5, 4, generator=g)
    views, total = torch.cat([first, second]), 0
    for i in range(10):
        mate = (i + 5) % 10
        others = [j for j in range(10) if j != i]
        down = sum(math.exp(views[i] @ views[j] / temperature) for j in others)
        total -= math.log(math.exp(views[i] @ views[mate] / temperature) / down)
    close(contrastive_loss(first, second, temperature), torch.tensor(total / 10))


def test_the_contrastive_loss_of_equal_views_is_the_log_of_the_others():
    one = torch.ones(4, 3)
    close(contrastive_loss(one, one), torch.tensor(math.log(7)))


def test_the_loss_is_the_weighted_sum():
    data = batch()
    data["views"] = data["views"][:, :1].expand(-1, 2, -1)  # any pair is the same
    model = build(weight=0.5, temperature=1e4)  # so high that the contrast shows
    torch.manual_seed(1)
    total = model.loss(data)
    torch.manual_seed(1)
    plain = model.next_item_loss(data)
    flat = model.explain({"history": data["views"][:, 0]}).states.flatten(1)
    contrast = contrastive_loss(flat, flat, 1e4)
    assert contrast > 0.1
    close(total, plain + 0.5 * contrast)


def test_a_view_is_compared_with_the_other_one_whatever_the_draw():
    model, data = build(weight=1.0), batch()
    data["views"] = data["views"][:, :2]
    first, second = data["views"].unbind(1)
    states = [model.explain({"history": v}).states.flatten(1) for v in (first, second)]
    for seed in range(3):
        torch.manual_seed(seed)
        total = model.loss(data)
        torch.manual_seed(seed)
        close(total - model.next_item_loss(data), contrastive_loss(*states))


def test_a_single_user_is_contrasted_with_nobody():
    model, alone = build(weight=0.5), build()
    data = {name: values[:1] for name, values in batch().items()}
    data["views"] = data["history"].unsqueeze(1).expand(-1, 2, -1)
    torch.manual_seed(1)
    loss = model.loss(data)
    torch.manual_seed(1)
    assert loss == alone.loss(data)


def test_without_a_weight_no_views_are_needed():
    data = batch()
    del data["views"]
    assert build().loss(data).isfinite()
    with pytest.raises(KeyError, match="views"):
        build(weight=0.1).loss(data)


def test_every_parameter_gets_a_gradient():
    model = build(weight=0.1, layers=2, length=L)
    model.loss(batch(200)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 1e-6, name
    assert (model.items.weight.grad[0] == 0).all()


def test_eight_users_can_be_learnt_by_heart():
    steps = torch.stack([torch.arange(8).roll(k) + 1 for k in range(8)])
    data = {"history": steps[:, :3], "target": steps[:, 1:4]}
    torch.manual_seed(0)
    model = SASRec(9, 16, 3, dropout=0.0)
    fit(model, data, epochs=200, lr=0.02, progress=False)
    scores = model(data).scatter(1, data["history"], -math.inf)  # no item comes twice
    assert (scores.argmax(1) == steps[:, 3]).all()


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(10, L)}, ValueError, "history has .*float32"),
        ({"history": torch.full((10, L), ITEMS)}, IndexError, "from 12 to 12"),
        ({"history": torch.ones(10, 99).long()}, ValueError, "history has 99 steps"),
        ({"target": torch.ones(10, 2).long()}, ValueError, r"target .*\(10, 6\)"),
        ({"target": torch.zeros(10, L).long()}, ValueError, "an item somewhere"),
        ({"target": torch.full((10, L), -1)}, IndexError, "target holds"),
        ({"views": torch.ones(10, 1, L).long()}, ValueError, "views has 1 view"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build(weight=0.1).loss(batch() | change)


def test_a_history_that_ends_with_padding_is_refused():
    with pytest.raises(ValueError, match="history ends with padding"):
        build()({"history": torch.tensor([[1, 2, 0]])})


def test_bad_sizes():
    for options, message in (
        ({"heads": 3}, "dim is 8; expected a multiple of heads, 3"),
        ({"weight": -1}, "weight is -1"),
        ({"temperature": 0}, "temperature 0"),
        ({"length": 0}, "length is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            build(**options)
    for pair in ((torch.ones(1, 3),) * 2, (torch.ones(2, 3), torch.ones(3, 3))):
        with pytest.raises(ValueError, match="two users or more"):
            contrastive_loss(*pair)
