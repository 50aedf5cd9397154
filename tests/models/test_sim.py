import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.eta import HashSearch
from recsys_tutorial.models.sim import (
    SIM,
    HardSearch,
    RecentSearch,
    SoftSearch,
    TargetAttention,
    top_k,
)
from recsys_tutorial.train import fit

ITEMS, S, L, D, K, GAPS = 13, 4, 9, 6, 3, 5
CATEGORIES = torch.eye(4)[torch.arange(ITEMS) % 4]  # item i has category i % 4
CATEGORIES[0] = 0
SEARCHES = {
    "hard": lambda: HardSearch(CATEGORIES),
    "soft": lambda: SoftSearch(D, units=8),
    "recent": lambda: RecentSearch(),
    "hash": lambda: HashSearch(D, bits=32),
}
ALL = pytest.mark.parametrize("kind", SEARCHES)


def build(kind, **options):
    torch.manual_seed(0)
    return SIM(ItemEmbedding(ITEMS, D), SEARCHES[kind](), **{"k": K} | options)


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)

    def past(length):
        ids = torch.randint(1, ITEMS, (rows, length), generator=g)
        return ids * (
            torch.arange(length) < torch.randint(1, length + 1, (rows, 1), generator=g)
        )

    long = past(L)
    return {
        "history": past(S),
        "long": long,
        "gap": torch.randint(1, GAPS + 1, (rows, L), generator=g) * (long > 0),
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- what is found


@settings(deadline=None)
@given(st.data())
def test_top_k_agrees_with_sorting_and_never_finds_what_is_masked(data):
    n = data.draw(st.integers(1, 8))
    scores = data.draw(
        st.lists(st.integers(-9, -1), min_size=n, max_size=n, unique=True)
    )
    mask = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    k = data.draw(st.integers(1, 10))
    found, real = top_k(torch.tensor([scores]).float(), torch.tensor([mask]), k)
    best = sorted((j for j in range(n) if mask[j]), key=lambda j: -scores[j])[:k]
    assert found[real].tolist() == best  # all scores are negative, padding would be 0
    assert found.shape == (1, min(k, n))


def test_hard_search_finds_the_latest_steps_that_share_a_category():
    # categories 1 2 3 1 1 0 of items 1 2 3 5 9 4, and padding
    data = batch(1) | {
        "long": torch.tensor([[1, 2, 3, 5, 9, 4, 0, 0, 0]]),
        "candidate": torch.tensor([5]),
    }
    model = build("hard", k=2)
    inside = model.explain(data)
    assert data["long"][0, inside.found[0]].tolist() == [9, 5]  # not 1: K is 2
    assert inside.real.all()


def test_an_item_with_several_categories_matches_by_any_of_them():
    table = torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    _, relevant = HardSearch(table)(
        torch.tensor([[1, 2, 3, 0]]), torch.tensor([3]), torch.zeros(1, 4, D), None
    )
    assert relevant.tolist() == [[True, True, True, False]]


def test_an_unseen_category_finds_nothing_and_gives_a_zero_interest():
    data = batch(2) | {
        "long": torch.tensor([[1, 5, 9] + [0] * 6] * 2),
        "candidate": torch.tensor([2, 1]),
    }
    model = build("hard")
    inside = model.explain(data)
    assert inside.real.sum(1).tolist() == [0, 3]
    assert (inside.lasting[0] == 0).all()
    assert (inside.weights[0] == 0).all()
    model.loss(data).backward()
    assert all(
        p.grad.isfinite().all() for p in model.parameters() if p.grad is not None
    )


def test_soft_search_scores_by_the_inner_product_of_two_projections():
    model, data = build("soft"), batch()
    (
        nn.init.normal_(model.search.step.weight),
        nn.init.normal_(model.search.target.weight),
    )
    inside, table, search = model.explain(data), model.items(), model.search
    for row in range(10):
        for j in range(L):
            e, v = table[data["long"][row, j]], table[data["candidate"][row]]
            close(inside.scores[row, j], search.step.weight @ e @ search.target(v))


def test_recent_search_finds_the_latest_whatever_the_candidate():
    model = build("recent")
    data = batch(1) | {"long": torch.tensor([[7, 8, 9, 10, 11, 0, 0, 0, 0]])}
    for candidate in (1, 2):
        data["candidate"] = torch.tensor([candidate])
        found = model.explain(data).found[0]
        assert data["long"][0, found].tolist() == [11, 10, 9]


@ALL
def test_padding_is_never_found_and_more_of_it_changes_nothing(kind):
    model, data = build(kind), batch()
    inside = model.explain(data)
    found = data["long"].gather(1, inside.found)
    assert (found[inside.real] > 0).all()
    longer = {name: F.pad(data[name], (0, 5)) for name in ("history", "long")}
    close(model(data | longer), model(data))


# --- Eqs. (3) and (4)


def test_exact_search_agrees_with_a_loop_over_its_heads():
    torch.manual_seed(0)
    attention = TargetAttention(D + 2, D, heads=3)
    steps, candidate = torch.randn(4, K, D + 2), torch.randn(4, D)
    mask = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 1, 1]]).bool()
    weights, user = attention(steps, candidate, mask)
    for row in range(4):
        real = [j for j in range(K) if mask[row, j]]
        sums = []
        for h in range(3):
            W_b = attention.steps.weight[h * D : (h + 1) * D]
            W_a = attention.target.weight[h * D : (h + 1) * D]
            s = [(W_b @ steps[row, j]) @ (W_a @ candidate[row]) for j in real]
            w = torch.stack(s).softmax(0)
            close(weights[row, h, real], w)
            sums.append(sum(w[n] * steps[row, j] for n, j in enumerate(real)))
        close(user[row], torch.cat(sums))


def test_weights_of_each_head_sum_to_one_over_what_was_found():
    inside = build("soft").explain(batch())
    close(inside.weights.sum(-1), torch.ones(10, 2))


@ALL
def test_a_k_of_the_whole_length_is_attention_over_everything(kind):
    if kind == "hard":  # it finds its category, however large K
        return
    model, data = build(kind, k=100), batch()
    inside, table = model.explain(data), model.items()
    mask = data["long"] > 0
    _, full = model.exact(table[data["long"]], inside.candidate, mask)
    close(inside.lasting, full)


def test_the_time_of_a_step_reaches_its_weight():
    model, data = build("soft", gaps=GAPS), batch()
    later = data | {"gap": (data["gap"] % GAPS + 1) * (data["long"] > 0)}
    assert not torch.allclose(model(data), model(later))


def test_the_times_of_steps_that_were_not_found_change_nothing():
    model, data = build("soft", gaps=GAPS), batch()
    found = torch.zeros(10, L).scatter(1, model.explain(data).found, 1.0) > 0
    other = data["gap"] % GAPS + 1
    gap = torch.where(found, data["gap"], other) * (data["long"] > 0)
    close(model(data | {"gap": gap}), model(data))


def test_the_scale_multiplies_the_recent_interest():
    plain, scaled = (build("recent", scale=s).explain(batch()) for s in (1.0, 0.25))
    close(scaled.recent, plain.recent / 4)


# --- learning


@ALL
def test_every_parameter_learns(kind):
    model, data = build(kind, gaps=GAPS), batch(200)
    model.loss(data).backward()
    idle = [n for n, p in model.named_parameters() if p.grad.abs().sum() < 1e-8]
    assert idle == []


def test_the_soft_search_learns_from_its_own_loss_alone():
    model, data = build("soft"), batch()
    inside = model.explain(data)
    F.binary_cross_entropy_with_logits(model.logits(inside), data["label"]).backward(
        retain_graph=True
    )
    assert model.search.step.weight.grad is None  # choosing lets no gradient through
    model.search.loss(inside, data["label"]).backward()
    assert model.search.step.weight.grad.abs().sum() > 0


def test_the_soft_search_learns_from_the_whole_history_by_equation_2():
    model, data = build("soft"), batch()
    model.search.scale = 0.5
    with torch.no_grad():
        model.items.ids.mul_(10)
    inside, total = model.explain(data), 0
    for row in range(10):
        steps = [j for j in range(L) if data["long"][row, j] > 0]
        U = sum(inside.scores[row, j] * inside.long[row, j] for j in steps)
        x = torch.cat([0.5 * U, inside.candidate[row]])
        logit, label = model.search.head(x[None])[0, 0], data["label"][row]
        total += F.binary_cross_entropy_with_logits(logit, label)
    close(model.search.loss(inside, data["label"]), total / 10)


def test_the_loss_of_the_soft_search_is_the_sum_of_both():
    model, data = build("soft"), batch()
    inside = model.explain(data)
    user = ((inside.scores * (data["long"] > 0))[..., None] * inside.long).sum(1)
    aux = model.search.head(torch.cat([user, inside.candidate], 1))[:, 0].sigmoid()
    p, y = model(data).sigmoid(), data["label"]
    both = sum(-(y * q.log() + (1 - y) * (1 - q).log()).mean() for q in (p, aux))
    close(model.loss(data), both)


@ALL
def test_eight_samples_can_be_learnt_by_heart(kind):
    model, data = build(kind), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=300, lr=0.01, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.02


@ALL
def test_a_batch_of_one_and_a_long_part_of_one(kind):
    model, data = build(kind), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    assert model(data | {"long": data["long"][:, :1]}).shape == (10,)


def test_an_empty_past_is_no_nan():
    model, data = build("soft"), batch(3)
    empty = data | {k: torch.zeros_like(data[k]) for k in ("history", "long")}
    loss = model.loss(empty)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


# --- bad input


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("long", torch.full((10, L), ITEMS), IndexError, "expected 0 to 12"),
        ("long", torch.zeros(10, L), ValueError, "float32"),
        ("long", torch.ones(9, L, dtype=torch.int64), ValueError, "long has shape"),
        ("gap", torch.full((10, L), GAPS + 1), IndexError, "gap holds ids"),
        ("gap", torch.ones(10, 2, dtype=torch.int64), ValueError, "gap has shape"),
        ("candidate", torch.ones(10, 1, dtype=torch.int64), ValueError, "candidate"),
    ],
)
def test_bad_batches_are_refused(name, value, error, message):
    with pytest.raises(error, match=message):
        build("soft", gaps=GAPS)(batch() | {name: value})


def test_categories_of_padding_are_refused():
    with pytest.raises(ValueError, match="categories has shape"):
        HardSearch(torch.ones(ITEMS, 4))


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_k_is_a_positive_number(k):
    with pytest.raises(ValueError, match="k"):
        build("soft", k=k)
