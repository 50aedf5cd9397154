import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.eta import HashSearch, hamming
from recsys_tutorial.models.sdim import SDIM, BucketAttention, collision_rate
from recsys_tutorial.train import fit

ITEMS, S, L, D = 20, 4, 9, 6


def build(**options):
    torch.manual_seed(0)
    return SDIM(ItemEmbedding(ITEMS, D), **options)


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


def close(a, b, **tolerance):
    torch.testing.assert_close(a, b, **{"rtol": 1e-4, "atol": 1e-5} | tolerance)


def at_angle(theta, width=D):
    """Two vectors at an angle, of unlike lengths."""
    a, b = torch.linalg.qr(torch.randn(width, 2)).Q.unbind(1)
    return 2 * a, 0.5 * (math.cos(theta) * a + math.sin(theta) * b)


# --- the closed form


def test_the_rate_by_hand():
    cosine = torch.tensor([1.0, 0.5, 0.0, -1.0])  # 0, 60, 90 and 180 degrees
    close(collision_rate(cosine, 1), torch.tensor([1, 2 / 3, 1 / 2, 0]))
    close(collision_rate(cosine, 3), torch.tensor([1, 8 / 27, 1 / 8, 0]))


@pytest.mark.parametrize("theta", [0.3, math.pi / 2, 2.5])
@pytest.mark.parametrize("bits", [1, 3])
def test_collisions_converge_to_the_closed_form(theta, bits):
    torch.manual_seed(0)
    a, b = at_angle(theta)
    rate = float(collision_rate(torch.cosine_similarity(a, b, dim=0), bits))
    errors = []
    for rounds in (100, 10_000):
        own = BucketAttention(D, rounds, bits).signatures(torch.stack([a, b]))
        errors.append(abs(float((own[0] == own[1]).float().mean()) - rate))
    assert errors[1] < 4 * math.sqrt(rate * (1 - rate) / 10_000)
    assert errors[0] < 4 * math.sqrt(rate * (1 - rate) / 100)


def test_an_average_of_bucket_sums_converges_to_attention_with_these_weights():
    torch.manual_seed(0)
    table = torch.randn(8, D)
    own = BucketAttention(D, 20_000, 2).signatures(table)
    same = (own[1:] == own[:1]).double()  # (7, R)
    sampled = (same.T @ table[1:].double()).mean(0)
    cosine = torch.cosine_similarity(table[1:], table[:1], dim=1)
    expected = collision_rate(cosine, 2).double() @ table[1:].double()
    close(sampled, expected, atol=0.05, rtol=0)


def test_sums_of_length_one_do_not_converge_to_the_closed_form():
    g = torch.Generator().manual_seed(0)
    x = F.normalize(torch.randn(8, 32, generator=g), dim=1)  # the candidate, and steps
    hashed = BucketAttention(32, rounds=4096, bits=3)
    own = hashed.signatures(x)
    same = own[1:] == own[:1]  # (L, R)
    closed = collision_rate(F.cosine_similarity(x[1:], x[:1]), 3) @ x[1:]
    plain = same.float().mean(1) @ x[1:]
    model = hashed(x[None, 1:], x[:1], same[None])[0]

    def off(answer):
        return float((answer - closed).norm() / closed.norm())

    assert off(plain) < 0.1 < 0.15 < off(model)


def test_a_step_like_the_candidate_collides_always_and_its_opposite_never():
    hashed, x = BucketAttention(D, 50, 3), torch.randn(D)
    same, scaled, opposite = (hashed.signatures(y) for y in (x, 7 * x, -x))
    assert torch.equal(same, scaled)
    assert not (same == opposite).any()


def test_one_bit_a_signature_counts_what_the_hamming_distance_of_eta_counts():
    """ETA counts the bits that differ, SDIM the signatures that agree."""
    hashed, eta = BucketAttention(D, 64, 1), HashSearch(D, 64)
    eta.planes.copy_(hashed.planes)
    x = torch.randn(5, D)
    agree = (hashed.signatures(x) == hashed.signatures(x[:1])).sum(1)
    assert torch.equal(agree, 64 - hamming(eta.codes(x), eta.codes(x[:1])))


def test_signatures_are_groups_of_bits():
    hashed, x = BucketAttention(D, 4, 3), torch.randn(D)
    bits = [int(x @ hashed.planes[:, b] > 0) for b in range(12)]
    groups = [bits[3 * r : 3 * r + 3] for r in range(4)]
    assert hashed.signatures(x).tolist() == [a + 2 * b + 4 * c for a, b, c in groups]


# --- the model


def test_the_answer_agrees_with_a_loop_over_signatures_and_steps():
    model, data = build(rounds=5, bits=2), batch(6)
    inside, table = model.explain(data), model.items()
    own = model.hash.signatures(table)
    for b in range(6):
        total, shares = torch.zeros(D), torch.zeros(L)
        for r in range(5):
            bucket = torch.zeros(D)
            for j, i in enumerate(data["long"][b].tolist()):
                if i and own[i, r] == own[data["candidate"][b], r]:
                    bucket = bucket + table[i]
                    shares[j] += 1 / 5
            total = total + bucket / bucket.norm().clamp(min=1e-6) / 5
        close(inside.long[b], total)
        close(inside.weights[b], shares)


def test_padding_collides_with_nothing_though_its_code_may_be_the_candidate_s():
    model, data = build(rounds=4, bits=1), batch(4)
    with torch.no_grad():
        model.items.ids[1:] = -model.hash.planes.sum(1)  # most bits 0, as padding
    assert not model.explain(data).weights[data["long"] == 0].any()


def test_the_embeddings_learn_and_the_planes_do_not():
    model, data = build(), batch()
    planes = model.hash.planes.clone()
    assert not any("planes" in name for name, _ in model.named_parameters())
    model.loss(data).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    fit(model, data, epochs=3, lr=0.05, progress=False)
    assert torch.equal(model.hash.planes, planes)


def test_a_gradient_reaches_the_steps_that_collide_and_no_others():
    model = build(rounds=1, bits=2)
    with torch.no_grad():
        x = torch.randn(D)
        model.items.ids[7], model.items.ids[8], model.items.ids[9] = x, -x, 2 * x
    data = {
        "history": torch.tensor([[5]]),
        "long": torch.tensor([[8, 9, 6]]),
        "candidate": torch.tensor([7]),
        "label": torch.tensor([1.0]),
    }
    weights = model.explain(data).weights
    assert weights[0, :2].tolist() == [0, 1]
    model.explain(data).long.square().sum().backward()
    assert not model.items.ids.grad[8].any()
    model.zero_grad()
    model.loss(data).backward()
    assert model.items.ids.grad[9].any()
    assert not model.items.ids.grad[8].any()


def test_more_padding_changes_nothing():
    model, data = build(), batch()
    longer = {name: F.pad(data[name], (0, 5)) for name in ("history", "long")}
    close(model(data | longer), model(data))


def test_the_order_of_the_long_steps_does_not_matter():
    model, data = build(), batch()
    close(model(data | {"long": data["long"].flip(1)}), model(data))


def test_a_batch_of_one_and_an_empty_past():
    model, data = build(), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    empty = data | {"long": torch.zeros_like(data["long"])}
    assert not model.explain(empty).long.any()
    model.loss(empty).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_eight_samples_can_be_learnt_by_heart():
    model, data = build(), batch(8)
    data["label"] = torch.tensor([0.0, 1] * 4)
    fit(model, data, epochs=300, lr=0.01, progress=False)
    assert F.binary_cross_entropy_with_logits(model(data), data["label"]) < 0.02


def test_same_seed_same_planes():
    first, again, other = (BucketAttention(D, seed=s).planes for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"rounds": 0}, "rounds is 0"), ({"bits": 0}, "bits is 0"), ({"heads": 4}, "4")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_bad_batches_are_refused():
    with pytest.raises(IndexError, match="expected 0 to 19"):
        build()(batch() | {"long": torch.full((32, L), ITEMS)})
