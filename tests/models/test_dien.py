import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recsys_tutorial.models.dien import (
    DIEN,
    KINDS,
    Attention,
    Evolution,
    auxiliary_loss,
    random_negatives,
)
from recsys_tutorial.models.din import Dice, ItemEmbedding
from recsys_tutorial.train import fit

ITEMS, L, D = 12, 6, 4
ALL = pytest.mark.parametrize("kind", KINDS)


def build(kind, alpha=1.0, **options):
    torch.manual_seed(0)
    model = DIEN(ItemEmbedding(ITEMS, D), kind, alpha, **options)
    with torch.no_grad():
        model.items.ids.mul_(10)  # states far from 0, so that an error shows
    return model


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    history = torch.randint(1, ITEMS, (rows, L), generator=g)
    history *= torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    return {
        "history": history,
        "negative": random_negatives(history, ITEMS, seed),
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def layer(kind, rows=5):
    """A layer of evolution, and what goes into it."""
    torch.manual_seed(0)
    evolution, states = Evolution(D, kind), torch.randn(rows, L, D)
    mask = torch.arange(L) < torch.arange(L - rows + 1, L + 1)[:, None]
    weights = torch.rand(rows, L) * mask
    return evolution, states, weights, mask


# --- one step, Eqs. (2) to (5) and (9) to (12)


@ALL
def test_the_path_agrees_with_a_slow_loop_over_the_equations(kind):
    evolution, states, weights, mask = layer(kind)
    path, shares = evolution(states, weights, mask)
    W, U = evolution.input.weight.split(D), evolution.state.weight.split(D)
    b = evolution.input.bias.split(D)
    for row in range(len(states)):
        h = torch.zeros(D)
        for t in range(int(mask[row].sum())):
            a, i = weights[row, t], states[row, t]
            i = i * a if kind == "AIGRU" else i  # (9)
            r = torch.sigmoid(W[0] @ i + U[0] @ h + b[0])  # (3)
            new = torch.tanh(W[-1] @ i + r * (U[-1] @ h) + b[-1])  # (4)
            if kind == "AGRU":
                share = a  # (10)
            else:
                share = torch.sigmoid(W[1] @ i + U[1] @ h + b[1])  # (2)
                share = a * share if kind == "AUGRU" else share  # (11)
            h = (1 - share) * h + share * new  # (5), (10), (12)
            close(path[row, t], h)
            close(shares[row, t], share.expand_as(shares[row, t]))


def torch_gru(evolution):
    """The `nn.GRU` that equals it.

    PyTorch's z is the share that is kept, 1 - u: its weights are those of u with the
    sign turned. What PyTorch adds to U h inside of r is 0.
    """
    gru = nn.GRU(D, D, batch_first=True)
    turn = torch.tensor([1.0, -1, 1]).repeat_interleave(D)  # r, z, n
    with torch.no_grad():
        gru.weight_ih_l0.copy_(turn[:, None] * evolution.input.weight)
        gru.weight_hh_l0.copy_(turn[:, None] * evolution.state.weight)
        gru.bias_ih_l0.copy_(turn * evolution.input.bias)
        gru.bias_hh_l0.zero_()
    return gru


@pytest.mark.parametrize("kind", ["GRU", "AIGRU", "AUGRU"])
def test_with_attention_1_it_is_pytorchs_gru_with_the_gate_turned(kind):
    evolution, states, _, mask = layer(kind)
    path, _ = evolution(states, mask.float(), mask)
    close(path[mask], torch_gru(evolution)(states)[0][mask])


def test_without_the_turn_pytorchs_gru_is_another_model():
    evolution, states, _, mask = layer("GRU")
    gru = torch_gru(evolution)
    with torch.no_grad():
        gru.weight_ih_l0[D : 2 * D].neg_(), gru.weight_hh_l0[D : 2 * D].neg_()
        gru.bias_ih_l0[D : 2 * D].neg_()
    path, _ = evolution(states, None, mask)
    assert not torch.allclose(path[mask], gru(states)[0][mask], atol=0.05)


@pytest.mark.parametrize("kind", ["AGRU", "AUGRU"])
def test_with_attention_0_the_state_is_untouched(kind):
    evolution, states, weights, mask = layer(kind)
    weights[:, 2:4] = 0
    path, shares = evolution(states, weights, mask)
    assert torch.equal(path[:, 1], path[:, 2])
    assert torch.equal(path[:, 1], path[:, 3])
    assert (shares[:, 2:4] == 0).all()
    assert not torch.equal(path[0, 0], path[0, 1])


def test_an_aigru_with_attention_0_goes_on_changing():
    evolution, states, weights, mask = layer("AIGRU")
    weights[:, 2:4] = 0
    path, _ = evolution(states, weights, mask)
    assert (path[:, 1] - path[:, 3]).abs().max() > 0.05


def test_agru_has_no_update_gate_and_with_attention_1_keeps_nothing():
    evolution, states, _, mask = layer("AGRU")
    assert evolution.input.out_features == 2 * D
    _, shares = evolution(states, mask.float(), mask)
    assert torch.equal(shares.squeeze(2), mask.float())


# --- attention, Eq. (8)


def test_attention_agrees_with_equation_8():
    torch.manual_seed(0)
    attention = Attention(D)
    states, candidate = torch.randn(L, D), torch.randn(D)
    scores = torch.stack([h @ attention.weight @ candidate for h in states[:4]])
    a = scores.exp() / scores.exp().sum()
    mask = torch.arange(L) < 4
    weights = attention(states[None], candidate[None], mask[None])[0]
    close(weights, torch.cat([a, torch.zeros(2)]))


def test_weights_depend_on_the_candidate():
    model, data = build("AUGRU"), batch()
    other = data | {"candidate": data["candidate"] % (ITEMS - 1) + 1}
    long = (data["history"] > 0).sum(1) > 1  # the weight of a single step is 1
    a, b = (model.explain(x).weights[long] for x in (data, other))
    assert ((a - b).abs().amax(1) > 1e-3).all()


# --- padding and short histories


@ALL
def test_more_padding_changes_nothing(kind):
    model, data = build(kind), batch()
    longer = data | {k: F.pad(data[k], (0, 5)) for k in ("history", "negative")}
    close(model(longer), model(data))
    close(model.loss(longer), model.loss(data))
    path = model.explain(longer).path
    assert (path[:, L:] == path[:, L - 1 : L]).all()


@ALL
def test_a_row_is_the_same_alone_and_in_a_batch(kind):
    model, data = build(kind), batch()
    for row in range(3):
        close(model({k: v[row : row + 1] for k, v in data.items()}), model(data)[[row]])


@ALL
def test_histories_of_one_step(kind):
    model, data = build(kind), batch()
    short = data | {k: data[k][:, :1].contiguous() for k in ("history", "negative")}
    assert model(short).shape == (10,)
    assert torch.equal(model.explain(short).weights, torch.ones(10, 1))
    close(
        model.loss(short),
        F.binary_cross_entropy_with_logits(model(short), short["label"]),
    )
    model.loss(short).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@ALL
def test_empty_histories_give_a_zero_state(kind):
    model, data = build(kind), batch(3)
    empty = data | {k: torch.zeros(3, L).long() for k in ("history", "negative")}
    assert (model.explain(empty).user == 0).all()
    assert model.loss(empty).isfinite()


@ALL
def test_the_order_of_the_history_matters(kind):
    model, data = build(kind), batch()
    full = data | {"history": data["history"].clamp(min=1)}
    turned = full | {"history": full["history"].flip(1)}
    assert not torch.allclose(model(turned), model(full), atol=1e-4)


# --- the auxiliary loss, Eqs. (6) and (7)


def test_the_auxiliary_loss_agrees_with_a_slow_loop_over_equation_6():
    torch.manual_seed(0)
    h, e, other = torch.randn(3, 4, L, D)
    mask = torch.arange(L) < torch.tensor([[1], [2], [4], [L]])
    terms = []
    for row in range(4):
        for t in range(int(mask[row].sum()) - 1):  # the last click has no next one
            right = torch.sigmoid(h[row, t] @ e[row, t + 1])
            wrong = torch.sigmoid(h[row, t] @ other[row, t + 1])
            terms.append(-(right.log() + (1 - wrong).log()))
    assert len(terms) == 0 + 1 + 3 + (L - 1)
    close(auxiliary_loss(h, e, other, mask), torch.stack(terms).mean())


def test_state_t_is_compared_with_click_t_plus_1():
    e = 20 * torch.eye(L)[None]  # (1, L, L): each step has a direction of its own
    mask = torch.ones(1, L, dtype=torch.bool)
    knows_next, knows_itself = torch.eye(L).roll(-1, 0)[None], torch.eye(L)[None]
    nothing = torch.full_like(e, -5.0)
    assert auxiliary_loss(knows_next, e, nothing, mask) < 0.01
    assert auxiliary_loss(knows_itself, e, nothing, mask) > 0.6


def test_padding_never_enters_the_auxiliary_loss():
    torch.manual_seed(0)
    h, e, other = torch.randn(3, 2, L, D)
    mask = torch.arange(L) < torch.tensor([[3], [5]])
    loss = auxiliary_loss(h, e, other, mask)
    h, e, other = (torch.where(mask[:, :, None], x, torch.nan) for x in (h, e, other))
    wild = auxiliary_loss(h.nan_to_num(99), e.nan_to_num(99), other.nan_to_num(9), mask)
    close(wild, loss)


def test_a_loss_without_pairs_is_zero():
    x = torch.randn(2, L, D)
    mask = torch.arange(L) < torch.tensor([[0], [1]])
    assert auxiliary_loss(x, x, x, mask) == 0


def test_alpha_weighs_the_auxiliary_loss():
    data = batch()
    plain, one, half = (build("AUGRU", alpha).loss(data) for alpha in (0, 1, 0.5))
    assert one - plain > 0.5
    close(half - plain, (one - plain) / 2)


def test_the_auxiliary_loss_reaches_states_and_items_and_not_the_evolution():
    model, data = build("AUGRU"), batch()
    inside, e = model.explain(data), model.items()
    mask = data["history"] > 0
    auxiliary_loss(
        inside.states, e[data["history"]], e[data["negative"]], mask
    ).backward()
    assert model.extraction.weight_ih_l0.grad.abs().sum() > 0
    assert (model.items.ids.grad[1:].abs().sum(1) > 0).all()
    assert all(p.grad is None for p in model.evolution.parameters())
    assert all(p.grad is None for p in model.attention.parameters())


def test_negatives_differ_from_the_step_s_own_item_and_cover_all_others():
    history = torch.randint(0, 6, (2000, 5), generator=torch.Generator().manual_seed(0))
    negative = random_negatives(history, 6, seed=1)
    assert (negative != history)[history > 0].all()
    assert (negative[history == 0] == 0).all()
    for item in range(1, 6):
        share = (
            negative[history == item].bincount(minlength=6) / (history == item).sum()
        )
        expected = torch.full((6,), 0.25)
        expected[[0, item]] = 0
        assert (share - expected).abs().max() < 0.05


def test_negatives_follow_from_their_seed():
    history = batch()["history"]
    a, b, c = (random_negatives(history, ITEMS, seed) for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


# --- learning


@ALL
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_every_parameter_learns(kind, alpha):
    model, data = build(kind, alpha), batch(200)
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if p.grad.abs().sum() < 1e-7]
    assert idle == []
    rows = model.evolution.input.weight.grad.abs().sum(1)
    assert (rows > 0).all()  # each gate, each unit
    assert (model.items.ids.grad[0] == 0).all()


@ALL
def test_eight_samples_can_be_learnt_by_heart(kind):
    model, data = build(kind, alpha=0.1), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=60, lr=0.03, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.05
    assert (model.items.ids[0] == 0).all()


def test_the_head_may_use_dice():
    model, data = build("AUGRU", activation=Dice), batch()
    assert isinstance(model.head[1], Dice)
    assert model.loss(data).isfinite()


# --- bad input


def test_padding_in_front_is_refused():
    data = batch(3)
    data["history"][1] = torch.tensor([0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="padding before an item, first in row 1"):
        build("AUGRU")(data)


def test_unknown_kind_and_bad_alpha_are_refused():
    with pytest.raises(ValueError, match="kind is 'augru'; expected one of"):
        build("augru")
    for alpha in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="alpha is"):
            build("AUGRU", alpha)


def test_the_loss_asks_for_negatives_only_if_it_needs_them():
    data = batch()
    del data["negative"]
    with pytest.raises(KeyError, match="negative is not in the batch"):
        build("AUGRU").loss(data)
    assert build("AUGRU", alpha=0).loss(data).isfinite()


def test_ids_outside_of_the_table_are_refused():
    data = batch() | {"candidate": torch.full((10,), ITEMS)}
    with pytest.raises(IndexError, match="candidate holds ids from 12 to 12"):
        build("AUGRU")(data)


def test_one_item_has_no_negative():
    with pytest.raises(ValueError, match="n_items is 2; expected 3 or more"):
        random_negatives(torch.ones(1, 3).long(), 2)
