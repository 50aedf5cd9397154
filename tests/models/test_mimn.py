import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.models.din import Dice, ItemEmbedding
from recsys_tutorial.models.mimn import (
    MIMN,
    Memory,
    Transfer,
    address,
    erase_and_add,
    imbalance,
)
from recsys_tutorial.train import fit

ITEMS, L, D, M = 12, 6, 4, 3
VARIANTS = {
    "plain": {"rebalance": False, "balance": 0.0, "induction": 0},
    "rebalanced": {"induction": 0},
    "full": {},
    "all channels": {"induction": M, "sharpness": 5.0},
}
ALL = pytest.mark.parametrize("name", VARIANTS)
SEEDS = st.integers(0, 10_000)


def build(name="full", **options):
    torch.manual_seed(0)
    model = MIMN(ItemEmbedding(ITEMS, D), M, **VARIANTS[name] | options)
    with torch.no_grad():
        model.items.ids.mul_(10)  # states far from 0, so that an error shows
    return model


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


def same(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def random(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# --- addressing and reading, Eqs. (1) to (3)


@given(SEEDS, st.sampled_from([0.0, 1e-6, 1.0, 1e6]))
def test_read_weights_sum_to_one_whatever_the_slots(seed, scale):
    weights = address(random(seed, 5, D), scale * random(seed + 1, 5, M, D))
    assert (weights >= 0).all()
    close(weights.sum(1), torch.ones(5))


def test_weights_agree_with_equations_1_and_2():
    key, slots = random(0, D), random(1, M, D)
    cosine = torch.stack([key @ s / (key.norm() * s.norm()) for s in slots])
    close(address(key[None], slots[None])[0], cosine.exp() / cosine.exp().sum())


def test_length_plays_no_part():
    key, slots = random(0, 2, D), random(1, 2, M, D)
    close(address(9 * key, slots * random(2, 2, M, 1).abs()), address(key, slots))


def test_a_slot_of_zeros_has_the_cosine_0_and_finite_gradients():
    slots = random(0, 1, M, D)
    slots[0, 1] = 0
    slots.requires_grad_()
    weights = address(random(1, 1, D), slots)
    others = F.cosine_similarity(random(1, 1, D), slots[0].detach(), dim=1)
    close(weights[0], others.nan_to_num(0).softmax(0))
    weights[0, 0].backward()
    assert slots.grad.isfinite().all()
    assert torch.equal(address(torch.zeros(1, D), slots), torch.full((1, M), 1 / M))


# --- writing, Eq. (4)


@given(SEEDS)
def test_erasing_and_adding_nothing_leaves_the_memory_unchanged(seed):
    slots, weight, none = random(seed, 2, M, D), random(seed, 2, M), torch.zeros(2, D)
    assert torch.equal(erase_and_add(slots, weight.softmax(1), none, none), slots)


def test_without_weight_a_slot_is_unchanged_and_with_weight_1_it_is_replaced():
    slots, add = random(0, 2, M, D), random(1, 2, D)
    weight = torch.tensor([[0.0, 1, 0]]).expand(2, M)
    new = erase_and_add(slots, weight, torch.ones(2, D), add)
    assert torch.equal(new[:, [0, 2]], slots[:, [0, 2]])
    assert torch.equal(new[:, 1], add)


def test_erase_comes_before_add():
    slots, weight = torch.full((1, 1, 1), 4.0), torch.full((1, 1), 0.5)
    new = erase_and_add(slots, weight, torch.ones(1, 1), torch.full((1, 1), 2.0))
    assert new.item() == 4 * (1 - 0.5) + 0.5 * 2
    assert new.item() != (4 + 0.5 * 2) * (1 - 0.5)  # what was added, erased again


# --- equal use, Eqs. (5) to (8)


@given(SEEDS, st.floats(0, 1e4))
def test_a_transfer_keeps_the_sum_of_the_weights(seed, past):
    torch.manual_seed(seed)
    weight = torch.randn(4, M).softmax(1)
    moved = Transfer(M)(weight, past * torch.rand(4, M))
    assert (moved >= 0).all()
    close(moved.sum(1), torch.ones(4))


def test_a_transfer_agrees_with_equations_5_and_6():
    torch.manual_seed(0)
    transfer = Transfer(M)
    weight, use = torch.randn(M).softmax(0), torch.rand(M)
    W = transfer.weight.view(M, M, M)  # from slot, to slot, used slot
    moved = torch.zeros(M)
    for i in range(M):
        P = torch.stack([(W[i, j] * use).sum() for j in range(M)]).exp()
        moved += weight[i] * P / P.sum()
    close(transfer(weight[None], use[None])[0], moved)


def test_no_gradient_goes_through_the_use():
    use, weight = torch.rand(2, M).requires_grad_(), torch.rand(2, M).requires_grad_()
    Transfer(M)(weight, use).square().sum().backward()
    assert use.grad is None
    assert (weight.grad != 0).all()


@given(st.floats(0, 100), st.integers(1, 9))
def test_the_regulariser_is_zero_at_equal_use(use, slots):
    assert (imbalance(torch.full((2, slots), use)) <= 1e-6 * use).all()


def test_the_regulariser_agrees_with_equation_8_and_balance_weighs_it():
    close(imbalance(torch.tensor([[1.0, 2, 6]])), torch.tensor([4.0 + 1 + 9]))
    data = batch()
    none, one, half = (build(balance=x).loss(data) for x in (0, 1, 0.5))
    assert one - none > 1e-3
    close(half - none, (one - none) / 2)
    use = build().remember(data["history"]).use
    close(one - none, (use - use.mean(1, keepdim=True)).square().sum(1).mean())


# --- the whole memory against the equations


def slow(model, history):
    """One history of the full model, straight from Eqs. (1) to (9)."""
    S, g = torch.zeros(M, D), torch.zeros(M)
    slots, r, h = model.start.clone(), torch.zeros(D), torch.zeros(D)

    def weights(key):
        cosine = torch.stack([F.cosine_similarity(key, s, dim=0) for s in slots])
        cosine = model.sharpness * cosine
        return cosine.exp() / cosine.exp().sum()

    for item in history[history > 0]:
        e = model.items()[item]
        h = model.controller(torch.cat([e, r])[None], h[None])[0]
        k_read, k_write, erase, add = model.heads(h).split(D)
        w = weights(k_write)
        if model.transfer:
            P = (model.transfer.weight.view(M, M, M) @ g).softmax(1)  # (5)
            w = w @ P  # (6)
        g = g + w
        erased = 1 - torch.outer(w, torch.sigmoid(erase))
        slots = erased * slots + torch.outer(w, torch.tanh(add))  # (4)
        w_read = weights(k_read)  # (1)
        r = w_read @ slots  # (3)
        S = S.clone()
        for i in w_read.argsort(descending=True)[: model.induction]:
            S[i] = model.channel(torch.cat([slots[i], e])[None], S[i][None])[0]  # (9)
    return Memory(slots, S, g, r, h)


@ALL
def test_the_memory_agrees_with_a_slow_loop_over_the_equations(name):
    model, data = build(name), batch()
    memory = model.remember(data["history"])
    for row in range(10):
        for fast, loop in zip(memory, slow(model, data["history"][row]), strict=True):
            close(fast[row], loop)


@ALL
def test_event_by_event_is_the_same_as_the_whole_history(name):
    model, data = build(name), batch()
    memory = model.empty(10)
    for t in range(L):
        memory = model.write(memory, data["history"][:, t].contiguous())
    for a, b in zip(memory, model.remember(data["history"]), strict=True):
        close(a, b)
    close(model.read(memory, data["candidate"]), model(data))


def test_the_memory_has_one_size_for_any_history():
    model = build()
    sizes = {
        tuple(x.shape for x in model.remember(torch.ones(2, n).long()))
        for n in (1, 7, 40)
    }
    assert sizes == {tuple(x.shape for x in model.empty(2))}


@ALL
def test_the_memory_does_not_depend_on_the_candidate(name):
    model, data = build(name), batch()
    other = data | {"candidate": data["candidate"] % (ITEMS - 1) + 1}
    same(model.explain(data).memory, model.explain(other).memory)
    same(model.explain(data).memory, model.remember(data["history"]))
    assert not torch.allclose(model(data), model(other), atol=1e-4)


@ALL
def test_one_memory_is_read_for_many_candidates(name):
    model, data = build(name), batch()
    history = data["history"][:1]
    repeated = data | {"history": history.expand(10, -1).contiguous()}
    close(model.read(model.remember(history), data["candidate"]), model(repeated))


@ALL
def test_slots_do_not_stay_identical(name):
    model, data = build(name), batch(64)
    fit(model, data, epochs=2, lr=0.01, progress=False)
    slots = model.remember(data["history"]).slots.detach()
    for i in range(M):
        for j in range(i):
            assert ((slots[:, i] - slots[:, j]).abs().amax(1) > 0.05).all()


def test_equal_starts_would_never_part():
    model, data = build("plain"), batch(64)
    with torch.no_grad():
        model.start.copy_(model.start[:1].expand(M, D).clone())
    fit(model, data, epochs=2, lr=0.01, progress=False)
    slots = model.remember(data["history"]).slots.detach()
    close(slots, slots[:, :1].expand_as(slots))


@pytest.mark.parametrize("induction", range(1, M + 1))
def test_only_so_many_channels_move_in_a_step(induction):
    model, data = build(induction=induction), batch()
    old = model.remember(data["history"])
    new = model.write(old, torch.full((10,), 3))
    moved = (new.channels != old.channels).any(2).sum(1)
    assert (moved == induction).all()


# --- padding and short histories


@ALL
def test_more_padding_changes_nothing(name):
    model, data = build(name), batch()
    longer = data | {"history": F.pad(data["history"], (0, 5))}
    same(model.remember(longer["history"]), model.remember(data["history"]))
    assert torch.equal(model.loss(longer), model.loss(data))
    writes = model.explain(longer).writes
    assert writes.shape == (10, L + 5, M)
    assert (writes[:, L:] == 0).all()


@ALL
def test_padded_steps_neither_write_nor_count(name):
    model, data = build(name), batch()
    memory = model.remember(data["history"])
    same(model.write(memory, torch.zeros(10).long()), memory)
    steps = (data["history"] > 0).sum(1).float()
    close(memory.use.sum(1), steps)  # each real step writes 1 in all
    close(model.explain(data).writes.sum(2), (data["history"] > 0).float())


@ALL
def test_a_row_is_the_same_alone_and_in_a_batch(name):
    model, data = build(name), batch()
    for row in range(3):
        close(model({k: v[row : row + 1] for k, v in data.items()}), model(data)[[row]])


@ALL
def test_histories_of_one_step_and_of_none(name):
    model, data = build(name), batch(4)
    data["history"] = data["history"][:, :1] * torch.tensor([[1], [1], [0], [0]])
    model.loss(data).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    same([x[2:] for x in model.remember(data["history"])], model.empty(2))
    nothing = data | {"history": torch.zeros(4, L).long()}
    assert model.loss(nothing).isfinite()
    assert (model.explain(nothing).writes == 0).all()


def test_the_order_of_the_history_matters():
    model, data = build(), batch()
    full = data["history"].clamp(min=1)
    turned = model.remember(full.flip(1)).slots
    assert not torch.allclose(turned, model.remember(full).slots, atol=1e-3)


# --- learning


@ALL
def test_every_parameter_learns(name):
    model, data = build(name), batch(200)
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if p.grad.abs().sum() < 1e-7]
    assert idle == []
    assert (model.items.ids.grad[0] == 0).all()
    assert (model.heads.weight.grad.abs().sum(1) > 0).all()


@ALL
def test_eight_samples_can_be_learnt_by_heart(name):
    model, data = build(name), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=30, lr=0.05, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.05
    assert (model.items.ids[0] == 0).all()


def test_the_regulariser_makes_use_more_equal():
    found = []
    for balance in (0.0, 1.0):
        model, data = build(balance=balance), batch(64)
        fit(model, data, epochs=5, lr=0.02, progress=False)
        with torch.no_grad():
            found.append(imbalance(model.remember(data["history"]).use).mean())
    assert found[1] < found[0]


def test_the_head_may_use_dice():
    model, data = build(activation=Dice), batch()
    assert isinstance(model.head[1], Dice)
    assert model.loss(data).isfinite()


# --- bad input


def test_bad_options_are_refused():
    items = ItemEmbedding(ITEMS, D)
    for sharpness in (0.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="sharpness is"):
            MIMN(items, sharpness=sharpness)
    with pytest.raises(ValueError, match="n_slots is 0; expected an integer"):
        MIMN(items, 0)
    for balance in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="balance is"):
            MIMN(items, balance=balance)
    for induction in (-1, M + 1, 1.5, True):
        with pytest.raises(ValueError, match="induction is .*; expected 0 to 3"):
            MIMN(items, M, induction=induction)


def test_padding_in_front_is_refused():
    data = batch(3)
    data["history"][1] = torch.tensor([0, 0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match="padding before an item, first in row 1"):
        build()(data)


def test_ids_outside_of_the_table_are_refused():
    model, memory = build(), build().empty(2)
    with pytest.raises(IndexError, match="candidate holds ids from 12 to 12"):
        model(batch() | {"candidate": torch.full((10,), ITEMS)})
    with pytest.raises(IndexError, match="item holds ids from -1 to -1"):
        model.write(memory, torch.tensor([-1, -1]))
    with pytest.raises(IndexError, match="history holds ids from 1 to 12"):
        model.remember(torch.tensor([[1, ITEMS]]))


def test_memories_and_items_have_to_go_together():
    model = build()
    with pytest.raises(ValueError, match="item has 3 rows and memory 2"):
        model.write(model.empty(2), torch.ones(3).long())
    with pytest.raises(ValueError, match="candidate has 3 rows and memory 2"):
        model.read(model.empty(2), torch.ones(3).long())
    with pytest.raises(ValueError, match="item has shape"):
        model.write(model.empty(2), torch.ones(2))
