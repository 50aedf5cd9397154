import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.eta import (
    ETA,
    HashSearch,
    TargetAttention,
    hamming,
    pack,
)
from recsys_tutorial.models.sim import SIM
from recsys_tutorial.train import fit

ITEMS, S, L, D, K, BITS = 20, 4, 9, 6, 3, 64


def build(**options):
    torch.manual_seed(0)
    return ETA(ItemEmbedding(ITEMS, D), **{"k": K, "bits": BITS} | options)


def batch(rows=32, seed=0):
    g = torch.Generator().manual_seed(seed)

    def past(length):
        ids = torch.randint(1, ITEMS, (rows, length), generator=g)
        return ids * (
            torch.arange(length) < torch.randint(1, length + 1, (rows, 1), generator=g)
        )

    return {
        "history": past(S),
        "long": past(L),
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- codes

BIT_LISTS = st.integers(1, 150).flatmap(
    lambda m: st.tuples(*[st.lists(st.booleans(), min_size=m, max_size=m)] * 2)
)


def test_the_distance_counts_the_bits_in_which_two_codes_differ():
    a, b = torch.tensor([[0b1100, -1]]), torch.tensor([[0b1010, 0]])
    assert hamming(a, b).tolist() == [2 + 64]


@pytest.mark.parametrize("m", [1, 64, 70, 200])
def test_codes_and_distances_are_the_same_without_numpy(m, monkeypatch, device):
    g = torch.Generator().manual_seed(m)
    bits = torch.rand(2, 50, m, generator=g) < 0.5
    bits[0, :2] = torch.tensor([[True], [False]])
    codes = pack(bits)
    distance = hamming(*codes)
    monkeypatch.setattr("recsys_tutorial.models.eta.numpy_serves", lambda x: False)
    assert torch.equal(pack(bits.to(device)).cpu(), codes)
    assert torch.equal(hamming(*codes.to(device)).cpu(), distance)
    assert torch.equal(distance, (bits[0] ^ bits[1]).sum(-1))


@settings(deadline=None)
@given(BIT_LISTS)
def test_packed_codes_differ_in_as_many_bits_as_unpacked_ones(pair):
    a, b = (pack(torch.tensor(bits)) for bits in pair)
    assert a.shape == (math.ceil(len(pair[0]) / 64),)
    assert hamming(a, b) == sum(x != y for x, y in zip(*pair, strict=True))
    assert hamming(a, a) == 0


@settings(deadline=None)
@given(st.integers(1, 150), st.integers(0, 99))
def test_a_vector_is_at_distance_0_of_itself_and_at_m_of_its_negative(bits, seed):
    x = torch.randn(5, D, generator=torch.Generator().manual_seed(seed))
    search = HashSearch(D, bits)
    same, opposite = search.codes(x), search.codes(-x)
    assert hamming(same, same).tolist() == [0] * 5
    assert hamming(same, opposite).tolist() == [bits] * 5
    assert hamming(same, search.codes(3 * x)).tolist() == [0] * 5  # lengths: ignored


def at_angle(theta, rows=2000):
    """Pairs of random vectors at an angle, of random lengths."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.linalg.qr(torch.randn(rows, D, 2, generator=g)).Q.unbind(2)
    length = torch.rand(rows, 1, generator=g) + 0.5
    return a, length * (math.cos(theta) * a + math.sin(theta) * b)


@pytest.mark.parametrize("theta", [0.3, math.pi / 2, 2.5])
def test_bits_differ_at_the_rate_of_the_angle(theta):
    a, b = (HashSearch(D, 512).codes(x) for x in at_angle(theta))
    assert hamming(a, b).float().mean() / 512 == pytest.approx(
        theta / math.pi, abs=0.02
    )


def test_a_code_agrees_with_a_loop_over_bits_and_coordinates():
    search, x = HashSearch(D, 10), torch.randn(D)
    bits = [
        sum(float(x[d] * search.planes[d, b]) for d in range(D)) > 0 for b in range(10)
    ]
    assert torch.equal(search.codes(x), pack(torch.tensor(bits)))


def test_same_seed_same_planes():
    assert torch.equal(HashSearch(D, BITS).planes, HashSearch(D, BITS).planes)
    assert not torch.equal(HashSearch(D, 8).planes, HashSearch(D, 8, seed=1).planes)


def test_more_bits_find_more_of_the_nearest():
    g = torch.Generator().manual_seed(0)
    history = torch.randn(50, 200, 32, generator=g)
    candidate = torch.randn(50, 32, generator=g)
    cosine = torch.cosine_similarity(history, candidate[:, None], dim=2)
    best = torch.zeros(50, 200).scatter_(1, cosine.topk(20).indices, 1.0)
    ids = torch.ones(50, 200, dtype=torch.int64)

    def recall(bits):
        scores, _ = HashSearch(32, bits)(ids, None, history, candidate)
        return best.gather(1, scores.topk(20).indices).mean()

    assert recall(8) + 0.1 < recall(64) < recall(1024) - 0.1


# --- what is found


def test_the_smallest_distance_is_found_and_of_equals_the_later():
    model = build(k=2)
    with torch.no_grad():
        e = torch.randn(D)
        model.items.ids[1], model.items.ids[2], model.items.ids[3] = e, -e, 2 * e
    data = {
        "history": torch.tensor([[1]]),
        "long": torch.tensor([[1, 2, 3, 2]]),
        "candidate": torch.tensor([1]),
    }
    inside = model.explain(data)
    assert inside.found.tolist() == [[2, 0]]  # 3 and 1; never 2, the opposite
    assert inside.scores.floor().tolist() == [[0, -BITS, 0, -BITS]]


def test_found_agrees_with_sorting_by_a_slow_distance():
    model, data = build(bits=10), batch()
    inside, table = model.explain(data), model.items()
    bits = table @ model.hash.planes > 0
    for row in range(32):
        ids, c = data["long"][row].tolist(), data["candidate"][row]
        distance = {j: int((bits[i] != bits[c]).sum()) for j, i in enumerate(ids) if i}
        best = sorted(distance, key=lambda j: (distance[j], -j))[:K]
        assert inside.found[row][inside.real[row]].tolist() == best


def test_padding_is_never_found_though_all_real_scores_are_negative():
    model, data = build(), batch()
    with torch.no_grad():  # every item is opposite to every candidate that is another
        model.items.ids[1:] = torch.ones(ITEMS - 1, D)
        model.items.ids[1] = -torch.ones(D)
    data["candidate"] = torch.ones_like(data["candidate"])
    data["long"][data["long"] == 1] = 2
    inside = model.explain(data)
    assert (inside.scores < 0).all()
    found = data["long"].gather(1, inside.found)
    assert (found[inside.real] > 0).all()
    assert torch.equal(inside.real.sum(1), (data["long"] > 0).sum(1).clamp(max=K))


def test_more_padding_changes_nothing():
    model, data = build(), batch()
    longer = {name: F.pad(data[name], (0, 5)) for name in ("history", "long")}
    close(model(data | longer), model(data))


def test_a_k_of_the_whole_length_is_attention_over_everything():
    model, data = build(k=100), batch()
    inside, table = model.explain(data), model.items()
    _, full = model.long(table[data["long"]], inside.candidate, data["long"] > 0)
    close(inside.long, full)


def test_sim_finds_by_hash_what_eta_finds():
    eta, data = build(), batch()
    sim = SIM(eta.items, eta.hash, k=K)
    here = eta.explain(data)
    there = sim.explain(data)
    assert torch.equal(here.found[here.real], there.found[here.real])


# --- Eqs. (4) to (9)


def test_attention_agrees_with_a_loop_over_its_heads():
    torch.manual_seed(0)
    attention, d = TargetAttention(D, heads=2), D // 2
    steps, candidate = torch.randn(4, K, D), torch.randn(4, D)
    mask = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 1, 1]]).bool()
    weights, user = attention(steps, candidate, mask)
    for row in range(4):
        real = [j for j in range(K) if mask[row, j]]
        answers = []
        for h in range(2):
            W_Q, W_K, W_V = (
                f.weight[h * d : (h + 1) * d]
                for f in (attention.query, attention.key, attention.value)
            )
            q = W_Q @ candidate[row]
            s = torch.stack([q @ (W_K @ steps[row, j]) for j in real]) / math.sqrt(d)
            close(weights[row, h, real], s.softmax(0))
            answers.append(
                sum(
                    w * (W_V @ steps[row, j])
                    for w, j in zip(s.softmax(0), real, strict=True)
                )
            )
        close(user[row], torch.cat(answers))


def test_an_empty_past_gives_zero_and_no_nan():
    model, data = build(), batch(3)
    empty = data | {k: torch.zeros_like(data[k]) for k in ("history", "long")}
    inside = model.explain(empty)
    assert not inside.long.any()
    assert not inside.short.any()
    model.loss(empty).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


# --- learning


def test_the_planes_are_a_buffer_that_training_and_reloading_leave_alone():
    eta, again = build(), build()
    planes = eta.hash.planes.clone()
    assert "hash.planes" not in dict(eta.named_parameters())
    fit(eta, batch(), epochs=3, progress=False)
    assert torch.equal(eta.hash.planes, planes)
    again.load_state_dict(eta.state_dict())
    assert torch.equal(again.hash.planes, planes)


def test_no_gradient_passes_the_hash_and_yet_the_embeddings_learn():
    model, data = build(), batch()
    inside = model.explain(data)
    assert not inside.scores.requires_grad
    before = inside.scores
    model.loss(data).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    fit(model, data, epochs=20, lr=0.05, progress=False)
    assert not torch.equal(model.explain(data).scores, before)  # the codes follow


def test_a_step_that_is_not_found_gets_no_gradient():
    model = build(k=1)
    data = {
        "history": torch.tensor([[5]]),
        "long": torch.tensor([[7, 8, 9]]),
        "candidate": torch.tensor([8]),
        "label": torch.tensor([1.0]),
    }
    model.loss(data).backward()
    learns = model.items.ids.grad.abs().sum(1).nonzero().flatten().tolist()
    assert learns == [5, 8]


def test_eight_samples_can_be_learnt_by_heart():
    model, data = build(), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=300, lr=0.01, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.02


def test_a_batch_of_one_and_a_long_part_of_one():
    model, data = build(), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    assert model(data | {"long": data["long"][:, :1]}).shape == (32,)


# --- bad input


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("long", torch.full((32, L), ITEMS), IndexError, "expected 0 to 19"),
        ("long", torch.zeros(32, L), ValueError, "float32"),
        ("long", torch.ones(9, L, dtype=torch.int64), ValueError, "9 rows"),
        ("candidate", torch.ones(32, 1, dtype=torch.int64), ValueError, "candidate"),
    ],
)
def test_bad_batches_are_refused(name, value, error, message):
    with pytest.raises(error, match=message):
        build()(batch() | {name: value})


@pytest.mark.parametrize(
    ("options", "message"),
    [({"k": 0}, "k is 0"), ({"bits": 1.5}, "bits is 1.5"), ({"heads": 4}, "divisor")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_pack_takes_bools():
    with pytest.raises(ValueError, match="float32; expected"):
        pack(torch.ones(4, 8))


@pytest.mark.parametrize(
    "b", [torch.zeros(3, dtype=torch.int64), torch.zeros(2)], ids=["words", "floats"]
)
def test_hamming_refuses_codes_of_another_kind(b):
    with pytest.raises(ValueError, match="b has shape"):
        hamming(torch.zeros(2, dtype=torch.int64), b)
