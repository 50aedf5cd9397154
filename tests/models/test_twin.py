import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.data.lifelong import cut_recent
from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.eta import HashSearch
from recsys_tutorial.models.sim import HardSearch, RecentSearch, SoftSearch
from recsys_tutorial.models.twin import TWIN, ConsistentAttention, by_turns
from recsys_tutorial.train import fit

ITEMS, S, L, D, K, H = 20, 4, 9, 6, 3, 2
CROSS = (5, 7)


def build(**options):
    torch.manual_seed(0)
    return TWIN(ItemEmbedding(ITEMS, D), **{"k": K, "cross": CROSS} | options)


def batch(rows=32, seed=0):
    g = torch.Generator().manual_seed(seed)

    def past(length):
        ids = torch.randint(1, ITEMS, (rows, length), generator=g)
        return ids * (
            torch.arange(length) < torch.randint(1, length + 1, (rows, 1), generator=g)
        )

    long = past(L)
    cross = [torch.randint(1, n, (rows, L), generator=g) * (long > 0) for n in CROSS]
    return {
        "history": past(S),
        "long": long,
        "cross": torch.stack(cross, 2),
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def genres():
    table = torch.zeros(ITEMS, 3)
    table[torch.arange(1, ITEMS), torch.arange(1, ITEMS) % 3] = 1
    return table


SEARCHES = {
    "hard": lambda: HardSearch(genres()),
    "soft": lambda: SoftSearch(D),
    "recent": RecentSearch,
    "hash": lambda: HashSearch(D, 64),
}


# --- the heads take turns


def by_turns_slowly(scores, mask, k):
    """Walk down each head's ranking in turn until k different steps are there."""
    rankings = [
        sorted((j for j, real in enumerate(mask) if real), key=lambda j: -row[j])
        for row in scores
    ]
    found = []
    for rank in range(len(mask)):
        for ranking in rankings:
            if rank < len(ranking) and len(found) < k and ranking[rank] not in found:
                found.append(ranking[rank])
    return found


@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_turns_agree_with_walking_down_the_lists(heads, length, k, seed):
    g = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, heads, length, generator=g)
    mask = torch.rand(3, length, generator=g) < 0.7
    found, real = by_turns(scores, mask, k)
    for row in range(3):
        expected = by_turns_slowly(scores[row].tolist(), mask[row].tolist(), k)
        assert found[row][real[row]].tolist() == expected


def test_two_heads_by_hand():
    scores = torch.tensor([[[9.0, 8, 1, 0], [7, 1, 8, 9]]])
    found, real = by_turns(scores, torch.ones(1, 4, dtype=torch.bool), 3)
    assert found.tolist() == [[0, 3, 1]]  # 0 by one, 3 by two, then 1
    assert real.all()


def test_heads_that_agree_still_find_k_different_steps():
    """The best K / H of each head, as some code has it, are one half too few."""
    scores = torch.randn(5, 1, L).expand(5, 2, L)
    found, _ = by_turns(scores, torch.ones(5, L, dtype=torch.bool), 4)
    each = scores.topk(2, 2).indices.flatten(1)  # the wrong code
    assert [len(set(row)) for row in found.tolist()] == [4] * 5
    assert [len(set(row)) for row in each.tolist()] == [2] * 5


def test_padding_is_never_found_though_all_real_scores_are_negative():
    scores = torch.tensor([[[-5.0, -9, 0, 0], [-3, -8, 0, 0]]])
    found, real = by_turns(scores, torch.tensor([[True, True, False, False]]), 3)
    assert found[0, :2].tolist() == [0, 1]
    assert real.tolist() == [[True, True, False]]
    wrong = scores.amax(1).topk(2).indices  # padding scores 0, and that is more
    assert set(wrong[0].tolist()) == {2, 3}


# --- Eq. (6)


def test_the_scores_agree_with_a_loop_over_heads_steps_and_features():
    model, data = build(), batch(6)
    a, table, d = model.attention, model.items(), D // H
    alpha = model.alpha(data)
    assert alpha.shape == (6, H, L)
    for b in range(6):
        for h in range(H):
            W_q, W_h = (f.weight[h * d : (h + 1) * d] for f in (a.query, a.key))
            q = W_q @ table[data["candidate"][b]]
            for j in range(L):
                key = W_h @ table[data["long"][b, j]]
                value = key @ q / math.sqrt(d)
                for f, feature in enumerate(a.cross):
                    embedded = feature.weight[data["cross"][b, j, f]]
                    value = value + embedded @ a.weight[f, :, h] * a.beta[f, h]
                close(alpha[b, h, j], value)


def test_cross_features_count_for_each_step_and_not_for_the_row():
    """One number per head for all steps would change neither choice nor weights."""
    model, data = build(), batch(8)
    with torch.no_grad():
        model.attention.beta.mul_(30)
    data["long"] = data["long"].clamp(min=1)
    alpha, mask = model.alpha(data), data["long"] > 0
    row = torch.randn(8, H, 1)
    close((alpha + row).softmax(2), alpha.softmax(2))
    same = by_turns(alpha + row, mask, K)[0]
    assert torch.equal(same, by_turns(alpha, mask, K)[0])
    plain = model.alpha(data | {"cross": torch.zeros_like(data["cross"])})
    assert not torch.equal(by_turns(plain, mask, K)[0], same)


def test_a_reshape_of_the_whole_history_to_one_row_fails_beyond_one_step():
    cross = torch.zeros(2, L, 2)  # some code has this line, and runs without `cross`
    with pytest.raises(RuntimeError, match="shape"):
        cross.view(2, 2)


def test_keys_are_looked_up_and_equal_the_projected_steps():
    model, data = build(cross=()), batch()
    keys = model.attention.keys(model.items())
    steps = F.embedding(data["long"], model.items())
    close(F.embedding(data["long"], keys), model.attention.key(steps))
    close(model.alpha(data, keys), model.alpha(data))


def test_a_block_diagonal_projection_is_one_number_per_feature():
    torch.manual_seed(0)
    a = ConsistentAttention(D, H, CROSS, cross_dim=4)
    features = [f.weight[1:5] for f in a.cross]  # (4, C) each
    for h in range(H):
        blocks = torch.block_diag(*(w[:, h : h + 1] for w in a.weight))  # (J C, J)
        expected = torch.cat(features, 1) @ blocks @ a.beta[:, h]
        found = sum(s[1:5, h] for s in a.scalars())
        close(found, expected)


# --- two stages, one attention


def test_what_is_found_is_what_the_attention_would_weigh_most():
    model, data = build(k=L, heads=1), batch()
    inside = model.explain(data)
    rising = inside.weights[:, 0].diff(dim=1)
    assert (rising[inside.real[:, 1:]] <= 1e-6).all()  # best first


def test_a_choice_by_other_projections_is_another_choice():
    model, data = build(), batch()
    other = torch.randn(ITEMS, D)  # detached, of its own: that is a soft search
    assert not torch.equal(model.find(data, other)[0], model.find(data)[0])


def test_old_keys_change_the_choice_and_not_the_weights_of_what_is_found():
    model, data = build(cross=()), batch()
    data["long"] = data["long"].clamp(min=1)
    old = -model.attention.keys(model.items()).detach()
    inside = model.explain(data, old)
    fresh = model.alpha(data).gather(2, inside.found[:, None].expand(-1, H, -1))
    close(inside.weights, fresh.softmax(2))
    assert torch.equal(
        inside.found, by_turns(-model.alpha(data), data["long"] > 0, K)[0]
    )


def test_values_are_made_of_k_steps_and_not_of_the_whole_history():
    model, data = build(), batch()
    shapes = []
    model.attention.value.register_forward_hook(lambda m, x, y: shapes.append(x[0]))
    model(data)
    assert [x.shape[1] for x in shapes] == [K]


def test_the_answer_agrees_with_a_loop():
    model, data = build(heads=H), batch(12)
    inside, a, d = model.explain(data), model.attention, D // H
    assert not inside.real.all()  # some rows have fewer than K steps
    table = model.items()
    for b in range(12):
        if not inside.real[b].any():
            continue
        place = inside.found[b][inside.real[b]]
        alpha = model.alpha(data)[b][:, place]
        heads = []
        for h in range(H):
            W_v = a.value.weight[h * d : (h + 1) * d]
            w = alpha[h].softmax(0)
            close(inside.weights[b, h, : len(place)], w)
            v = [
                W_v
                @ torch.cat(
                    [table[data["long"][b, p]]]
                    + [f.weight[data["cross"][b, p, j]] for j, f in enumerate(a.cross)]
                )
                for p in place
            ]
            heads.append(sum(x * y for x, y in zip(w, v, strict=True)))
        close(inside.long[b], a.out.weight @ torch.cat(heads))


def test_attention_over_everything_is_a_k_of_the_whole_length():
    data = batch()
    all_of, latest = build(k=100), build(k=100, search=RecentSearch())
    close(all_of(data), latest(data))


@pytest.mark.parametrize("name", SEARCHES)
def test_another_first_stage_finds_what_it_finds_in_its_own_chapter(name):
    model, data = build(search=SEARCHES[name]()), batch()
    found, real = model.find(data)
    table = model.items()
    long, candidate = table[data["long"]], table[data["candidate"]]
    with torch.no_grad():
        scores, mask = model.search(data["long"], data["candidate"], long, candidate)
    assert torch.equal(real.sum(1), mask.sum(1).clamp(max=K))
    for row in range(32):
        best = scores[row][mask[row]].sort(descending=True).values[:K]
        assert mask[row][found[row][real[row]]].all()
        close(scores[row][found[row][real[row]]], best)


def test_the_soft_search_learns_from_its_own_loss_and_others_have_none():
    data = batch()
    for name, make in SEARCHES.items():
        model = build(search=make())
        extra = model.loss(data) - F.binary_cross_entropy_with_logits(
            model(data), data["label"]
        )
        assert (extra > 0.1) == (name == "soft")
    model = build(search=SoftSearch(D))
    model.loss(data).backward()
    assert model.search.step.weight.grad.abs().sum() > 0


# --- what the choice can learn


def test_no_gradient_passes_the_choice():
    """A step that is not found leaves no trace: consistency alone learns nothing."""
    model = build(k=1, cross=())
    data = {
        "history": torch.tensor([[5]]),
        "long": torch.tensor([[7, 8, 9]]),
        "candidate": torch.tensor([8]),
        "label": torch.tensor([1.0]),
    }
    found = int(data["long"][0, model.find(data)[0]])
    model.loss(data).backward()
    learns = model.items.ids.grad.abs().sum(1).nonzero().flatten().tolist()
    assert learns == sorted({5, 8, found})


def test_a_tied_start_is_a_similarity_and_an_independent_one_is_not():
    tied, free = build(cross=(), heads=1), build(cross=(), heads=1, tied=False)
    every = torch.arange(1, ITEMS).expand(ITEMS - 1, -1)
    data = {"history": every[:, :1], "long": every, "candidate": every[0]}
    unit = F.normalize(torch.randn(ITEMS, D), dim=1)
    for model, own in ((tied, True), (free, False)):
        with torch.no_grad():
            model.items.ids[1:] = unit[1:]
        best = model.alpha(data)[:, 0].argmax(1)
        assert bool((best == torch.arange(ITEMS - 1)).all()) == own
    assert torch.equal(tied.attention.key.weight, tied.attention.query.weight)


def test_tied_is_a_start_and_not_a_bond():
    model = build()
    fit(model, batch(), epochs=3, lr=0.05, progress=False)
    assert not torch.equal(model.attention.key.weight, model.attention.query.weight)


def test_every_parameter_gets_a_gradient():
    model = build()
    model.loss(batch()).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())


def test_eight_samples_can_be_learnt_by_heart():
    model, data = build(), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=300, lr=0.01, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.02


# --- rows and padding


def test_more_padding_changes_nothing():
    model, data = build(), batch()
    longer = {name: F.pad(data[name], (0, 5)) for name in ("history", "long")}
    longer["cross"] = F.pad(data["cross"], (0, 0, 0, 5))
    close(model(data | longer), model(data))


def test_a_batch_of_one_and_a_long_part_of_one():
    model, data = build(), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    short = {"long": data["long"][:, :1], "cross": data["cross"][:, :1]}
    assert model(data | short).shape == (32,)


def test_an_empty_past_gives_zero_and_no_nan():
    model, data = build(), batch(3)
    empty = data | {k: torch.zeros_like(data[k]) for k in ("history", "long", "cross")}
    inside = model.explain(empty)
    assert not inside.long.any()
    assert not inside.real.any()
    model.loss(empty).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_recent_steps_are_as_many_as_asked_and_end_with_the_last():
    """A slice from -S to -1, as some code has it, is one short and lacks the latest."""
    ids = torch.arange(1, 11)[None]
    cut = cut_recent({"long": ids}, S)
    assert cut["history"].tolist() == [[7, 8, 9, 10]]
    assert cut["long"].tolist() == [[1, 2, 3, 4, 5, 6]]
    assert ids[:, -S:-1].tolist() == [[7, 8, 9]]  # the wrong code


# --- bad input


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("long", torch.full((32, L), ITEMS), IndexError, "expected 0 to 19"),
        ("long", torch.zeros(32, L), ValueError, "float32"),
        ("cross", torch.ones(32, L, 1, dtype=torch.int64), ValueError, "cross has"),
        ("cross", torch.full((32, L, 2), 5), IndexError, "cross 0"),
        ("candidate", torch.ones(32, 1, dtype=torch.int64), ValueError, "candidate"),
    ],
)
def test_bad_batches_are_refused(name, value, error, message):
    with pytest.raises(error, match=message):
        build()(batch() | {name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"k": 0}, "k is 0"), ({"heads": 4}, "divisor"), ({"heads": 0}, "heads is 0")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
