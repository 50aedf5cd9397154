import copy
import inspect

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.din import (
    DIN,
    ActivationUnit,
    BaseModel,
    Dice,
    ItemEmbedding,
    PReLU,
    batch_l2,
)
from recsys_tutorial.train import fit

ITEMS, L, D, G = 12, 6, 4, 3
KINDS = {
    "sum": lambda items: BaseModel(items),
    "average": lambda items: BaseModel(items, average=True),
    "DIN": lambda items: DIN(items),
    "DIN, Dice": lambda items: DIN(items, attention_activation=Dice, activation=Dice),
    "DIN, average": lambda items: DIN(items, average=True),
    "DIN, softmax": lambda items: DIN(items, softmax=True),
}
ALL = pytest.mark.parametrize("kind", KINDS)
ATTENDING = pytest.mark.parametrize("kind", [k for k in KINDS if "DIN" in k])


def build(kind, genres=True):
    torch.manual_seed(0)
    table = None
    if genres:
        table = torch.zeros(ITEMS, G)
        table[torch.arange(1, ITEMS), torch.arange(1, ITEMS) % G] = 1
        table[5] = 1
    return KINDS[kind](ItemEmbedding(ITEMS, D, table))


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    history = torch.randint(1, ITEMS, (rows, L), generator=g)
    history *= torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    return {
        "history": history,
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- the user vector, Eqs. (1) and (3)


@pytest.mark.parametrize("kind", ["DIN", "DIN, average", "DIN, softmax"])
def test_the_user_vector_agrees_with_a_slow_loop_over_equation_3(kind):
    model, data = build(kind), batch(4)
    unit, table = model.unit, model.items()
    user = model.explain(data).user
    for row in range(4):
        candidate = table[data["candidate"][row]]
        steps = [table[j] for j in data["history"][row] if j > 0]
        w = []
        for e in steps:
            x = torch.cat([candidate, e, candidate - e, candidate * e])
            s = unit.hidden.weight @ x + unit.hidden.bias
            s = torch.where(s > 0, s, unit.activation.alpha * s)
            w.append(unit.output.weight @ s + unit.output.bias)
        w = torch.cat(w)
        w = w.softmax(0) if "softmax" in kind else w
        w = w / len(w) if "average" in kind else w
        close(user[row], sum(w[j] * e for j, e in enumerate(steps)))


def test_weights_are_not_normalised_twice():
    with pytest.raises(ValueError, match="softmax and average are both True"):
        DIN(ItemEmbedding(ITEMS, D), softmax=True, average=True)


@pytest.mark.parametrize("activation", [PReLU, Dice])
def test_the_activation_unit_in_blocks_equals_the_layer_on_the_long_input(activation):
    torch.manual_seed(0)
    unit = ActivationUnit(D, 5, activation)
    history, candidate = torch.randn(7, L, D), torch.randn(7, D)
    mask = torch.rand(7, L) < 0.7
    q = candidate.unsqueeze(1).expand_as(history)
    long = unit.hidden(torch.cat([q, history, q - history, q * history], -1))
    slow = unit.output(unit.activation(long, mask)).squeeze(-1)
    close(unit(history, candidate, mask), slow)
    parameters = list(unit.parameters())
    fast = torch.autograd.grad(
        unit(history, candidate, mask).square().sum(), parameters
    )
    slow = torch.autograd.grad(slow.square().sum(), parameters)
    for a, b in zip(fast, slow, strict=True):
        close(a, b)


def test_pooling_of_the_base_model_is_a_sum_or_an_average_of_the_real_steps():
    data = {"history": torch.tensor([[3, 4, 0, 0]]), "candidate": torch.tensor([1])}
    added, averaged = build("sum"), build("average")
    e = added.items()
    close(added.explain(data).user[0], e[3] + e[4])
    close(averaged.explain(data).user[0], (e[3] + e[4]) / 2)


def test_genres_of_an_item_are_averaged():
    items = build("sum").items
    close(items()[5], torch.cat([items.ids[5], items.genres.mean(0)]))
    close(items()[1], torch.cat([items.ids[1], items.genres[1]]))


@ALL
def test_more_padding_changes_nothing(kind):
    model, data = build(kind), batch()
    longer = data | {"history": F.pad(data["history"], (0, 5))}
    for mode in (True, False):  # Dice: neither the output nor the statistics
        close(model.train(mode)(longer), model.train(mode)(data))


@pytest.mark.parametrize("genres", [True, False])
@pytest.mark.parametrize("how", ["the whole table", "a look-up in it", "of table()"])
def test_a_copied_table_sends_the_row_of_padding_no_gradient(genres, how):
    items = copy.deepcopy(build("sum", genres).items)
    ids = torch.tensor([0, 3, 0])
    if how == "the whole table":
        read = items()
    elif how == "a look-up in it":
        read = F.embedding(ids, items())
    else:
        read = F.embedding(ids, items.table(), padding_idx=0)
    (read - 1).square().sum().backward()
    assert (items.ids.grad[0] == 0).all()
    assert (items.ids.grad[3] != 0).all()


@ALL
def test_padding_stays_zero_even_as_a_candidate(kind):
    model, data = copy.deepcopy(build(kind)), batch()
    model.loss(data | {"candidate": torch.zeros(10).long()}).backward()
    assert (model.items.ids.grad[0] == 0).all()
    assert (model.items.ids.grad[1:] != 0).any()


def test_without_a_genre_a_table_is_made_of_the_ids_alone():
    items = build("sum", genres=False).items
    assert torch.equal(items(), items.ids)
    assert items.table() is items.ids


@ALL
def test_the_order_of_the_history_changes_nothing(kind):
    model, data = build(kind), batch()
    order = torch.randperm(L, generator=torch.Generator().manual_seed(1))
    close(model(data | {"history": data["history"][:, order]}), model(data))


def test_the_history_twice_gives_twice_the_user_vector_unless_softmax():
    data = batch()
    twice = data | {"history": data["history"].repeat(1, 2)}
    for kind, factor in {"DIN": 2, "sum": 2, "DIN, softmax": 1, "average": 1}.items():
        model = build(kind)
        close(model.explain(twice).user, factor * model.explain(data).user)


@ATTENDING
def test_weights_depend_on_the_candidate_and_are_zero_at_padding(kind):
    model, data = build(kind).eval(), batch()
    weights = model.explain(data).weights
    assert (weights[data["history"] == 0] == 0).all()
    other = model.explain(data | {"candidate": data["candidate"].roll(1)}).weights
    assert not torch.allclose(weights, other)


def test_softmax_weights_sum_to_one_and_the_paper_s_need_not():
    close(build("DIN, softmax").explain(batch()).weights.sum(1), torch.ones(10))
    sums = build("DIN").explain(batch()).weights.sum(1)
    assert (sums - 1).abs().max() > 1


def test_a_new_din_is_close_to_the_base_model_that_adds_up():
    model, data = build("DIN"), batch()
    weights = model.explain(data).weights[data["history"] > 0]
    assert (weights - 1).abs().max() < 0.5


def test_scale_multiplies_the_weights():
    torch.manual_seed(0)
    model = DIN(ItemEmbedding(ITEMS, D), scale=0.5)
    scaled = model.explain(batch()).weights
    model.scale = 1.0
    close(scaled, 0.5 * model.explain(batch()).weights)


@ALL
def test_an_empty_history_gives_a_zero_user_vector(kind):
    model, data = build(kind), batch(3)
    empty = data | {"history": torch.zeros(3, L, dtype=torch.int64)}
    for mode in (True, False):
        assert (model.train(mode).explain(empty).user == 0).all()
        assert model(empty).isfinite().all()
    assert all(b.isfinite().all() for b in model.buffers())


@ALL
def test_histories_of_one_step_and_batches_of_one_row(kind):
    model, data = build(kind).eval(), batch()
    short = data | {"history": data["history"][:, :1]}
    assert model(short).shape == (10,)
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])


# --- learning


@ALL
def test_every_parameter_learns_also_the_embeddings_of_the_history(kind):
    model, data = build(kind), batch(200)
    data["candidate"] = torch.randint(1, 4, (200,))  # 4 .. 11: in histories only
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if p.grad.abs().sum() < 1e-7]
    # a softmax does not see what is added to all of its scores
    assert idle == (["unit.output.bias"] if "softmax" in kind else [])
    assert (model.items.ids.grad[1:].abs().sum(1) > 0).all()
    assert (model.items.ids.grad[0] == 0).all()


@ALL
def test_eight_samples_can_be_learnt_by_heart(kind):
    model, data = build(kind), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=300, lr=0.01, progress=False)
    model.train(kind == "DIN, Dice")  # eight rows are no good moving average
    assert model.loss(data) < 0.02
    assert (model.items.ids[0] == 0).all()


def test_the_loss_is_the_cross_entropy_of_equation_2():
    model, data = build("DIN"), batch()
    p = torch.sigmoid(model(data))
    y = data["label"]
    close(model.loss(data), -(y * p.log() + (1 - y) * (1 - p).log()).mean())


def test_features_of_the_user_reach_the_head():
    torch.manual_seed(0)
    model = DIN(ItemEmbedding(ITEMS, D), profile=FieldEmbedding([5], 2))
    data = batch() | {"profile": torch.randint(1, 5, (10, 1))}
    assert not torch.allclose(
        model(data), model(data | {"profile": data["profile"] % 4 + 1})
    )


# --- mini-batch aware regularisation, Eqs. (4) to (7)


def test_batch_l2_counts_an_id_once_and_by_its_frequency():
    table = torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0], [9.0, 9.0]])
    counts = torch.tensor([0.0, 5.0, 2.0, 1.0])
    # ids 1 and 2 occur: 25 / 5 + 2 / 2; id 3 does not
    assert batch_l2(table, torch.tensor([1, 2, 1, 0]), counts) == 6


def test_the_gradient_of_the_penalty_is_the_last_term_of_equation_7():
    counts = torch.arange(1.0, ITEMS + 1)
    torch.manual_seed(0)
    plain, model = (
        BaseModel(ItemEmbedding(ITEMS, D), l2=l2, counts=counts) for l2 in (0, 0.3)
    )
    model.load_state_dict(plain.state_dict())
    data = batch(2)
    for m in (plain, model):
        m.loss(data).backward()
    extra = model.items.ids.grad - plain.items.ids.grad
    here = torch.zeros(ITEMS)
    here[torch.cat([data["history"].flatten(), data["candidate"]])] = 1
    close(extra, 0.3 * (here / counts)[:, None] * model.items.ids.detach())
    assert 0 < here.sum() < ITEMS


def test_the_penalty_needs_counts():
    with pytest.raises(ValueError, match="l2 is 0.01 and counts is None"):
        BaseModel(ItemEmbedding(ITEMS, D), l2=0.01)


# --- Dice, Eqs. (8) and (9)


def test_dice_by_hand():
    dice = Dice(1)
    s = torch.tensor([[1.0], [3.0]])  # mean 2, variance 1
    p = torch.sigmoid(torch.tensor([[-1.0], [1.0]]))
    close(dice(s), p * s)  # alpha 0
    with torch.no_grad():
        dice.alpha.fill_(0.5)
    close(dice(s), p * s + (1 - p) * 0.5 * s)


def test_dice_with_alpha_one_is_the_identity():
    dice, s = Dice(3), torch.randn(20, 3)
    with torch.no_grad():
        dice.alpha.fill_(1.0)
    close(dice(s), s)
    close(dice.eval()(s), s)


def test_dice_is_not_silu_and_not_half_the_input():
    dice, s = Dice(3), 5 + 2 * torch.randn(500, 3)
    assert not torch.allclose(dice(s), F.silu(s), atol=0.1)
    assert not torch.allclose(dice(s), s / 2, atol=0.1)


def test_the_switch_of_dice_moves_with_the_data_and_that_of_prelu_does_not():
    s = torch.linspace(-2, 2, 101).unsqueeze(1)
    dice, prelu = Dice(1), PReLU(1)
    close(dice(s + 10) / (s + 10), dice(s - 10) / (s - 10))  # the same p(s)
    close(prelu(s + 10), s + 10)


def test_a_single_row_has_no_variance_and_takes_the_moving_averages():
    dice, s = Dice(3), torch.randn(1, 3)
    close(dice(s), dice.eval()(s))
    close(dice.mean, torch.zeros(3))


def test_dice_has_one_parameter_alpha_and_learns_it():
    dice = Dice(3)
    assert [n for n, _ in dice.named_parameters()] == ["alpha"]
    dice(torch.randn(10, 3)).sum().backward()
    assert (dice.alpha.grad != 0).all()


def test_padded_steps_stay_out_of_dice_s_statistics():
    s, mask = torch.randn(4, 5, 3), torch.rand(4, 5) < 0.6
    dice, real = Dice(3), Dice(3)
    close(dice(s, mask)[mask], real(s[mask]))
    assert (dice(s, mask)[~mask] == 0).all()
    real(s[mask])
    close(dice.mean, real.mean)
    close(dice.variance, real.variance)


def test_moving_averages_approach_the_batch_and_serve_evaluation():
    dice, s = Dice(2), 3 + 2 * torch.randn(1000, 2)
    for _ in range(200):
        trained = dice(s)
    close(dice.mean, s.mean(0))
    close(dice.variance, s.var(0))
    assert (dice.eval()(s[:7]) - trained[:7]).abs().max() < 0.01


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(10, dtype=torch.int64)}, ValueError, "history has"),
        ({"history": torch.ones(10, L)}, ValueError, "history has .*float32"),
        ({"history": torch.ones(10, 0).long()}, ValueError, "history has"),
        (
            {"history": torch.full((10, L), ITEMS)},
            IndexError,
            "from 12 to 12; expected 0",
        ),
        ({"candidate": torch.full((10,), -1)}, IndexError, "candidate holds .* -1"),
        ({"candidate": torch.ones(10, 1).long()}, ValueError, r"expected .* \(B,\)"),
        ({"candidate": torch.ones(3).long()}, ValueError, "10 rows and candidate 3"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build("DIN")(batch() | change)


@pytest.mark.parametrize("genres", [torch.zeros(ITEMS - 1, G), torch.ones(ITEMS, G)])
def test_bad_genres(genres):
    with pytest.raises(ValueError, match="genres has .* expected 12 and zero"):
        ItemEmbedding(ITEMS, D, genres)


@pytest.mark.parametrize("cls", [BaseModel, DIN, ItemEmbedding])
def test_every_argument_is_told_in_the_docstring(cls):
    text = inspect.getdoc(cls)
    named = [n for n in inspect.signature(cls).parameters if n != "options"]
    assert all(name in text for name in named)
