import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.eta import HashSearch, hamming, pack
from recsys_tutorial.models.sim import SIM
from recsys_tutorial.train import fit

D, BITS = 6, 64


def at_angle(theta, rows=2000):
    """Pairs of random vectors at an angle, of random lengths."""
    g = torch.Generator().manual_seed(0)
    a, b = torch.linalg.qr(torch.randn(rows, D, 2, generator=g)).Q.unbind(2)
    length = torch.rand(rows, 1, generator=g) + 0.5
    return a, length * (math.cos(theta) * a + math.sin(theta) * b)


@pytest.mark.parametrize("theta", [0.3, math.pi / 2, 2.5])
def test_bits_differ_at_the_rate_of_the_angle(theta):
    search = HashSearch(D, bits=512)
    a, b = at_angle(theta)
    differ = (search.signs(a) != search.signs(b)).float().mean()
    assert differ == pytest.approx(theta / math.pi, abs=0.02)


def test_scores_are_minus_the_hamming_distance_and_the_smallest_is_best():
    search = HashSearch(D, BITS)
    candidate = torch.randn(1, D)
    history = torch.stack([candidate[0], -candidate[0], 3 * candidate[0]])[None]
    scores, _ = search(torch.tensor([[1, 2, 3]]), None, history, candidate)
    assert scores.floor().tolist() == [[0, -BITS, 0]]  # itself, negative, multiple
    assert scores.argsort(descending=True).tolist() == [[2, 0, 1]]  # on ties the later


def test_the_scores_of_floats_and_of_packed_codes_agree():
    search = HashSearch(D, BITS)
    history, candidate = torch.randn(3, 10, D), torch.randn(3, D)
    ids = torch.ones(3, 10, dtype=torch.int64)
    scores, _ = search(ids, None, history, candidate)
    codes, code = (pack(search.signs(x) > 0) for x in (history, candidate))
    assert codes.shape == (3, 10, BITS // 8)
    assert torch.equal(hamming(codes, code[:, None]), -scores.floor().long())


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=16, max_size=16), st.integers(0, 2**16 - 1))
def test_hamming_counts_the_bits_that_differ(bits, number):
    other = [bool(number >> n & 1) for n in range(16)]
    a, b = (pack(torch.tensor(x)) for x in (bits, other))
    assert hamming(a, b) == sum(x != y for x, y in zip(bits, other, strict=True))
    assert hamming(a, a) == 0
    assert hamming(a, ~a) == 16


def model(bits=BITS):
    torch.manual_seed(0)
    return SIM(ItemEmbedding(20, D), HashSearch(D, bits), k=3)


def batch(rows=32):
    g = torch.Generator().manual_seed(0)
    return {
        "history": torch.randint(1, 20, (rows, 4), generator=g),
        "long": torch.randint(1, 20, (rows, 9), generator=g),
        "candidate": torch.randint(1, 20, (rows,), generator=g),
        "label": torch.randint(0, 2, (rows,), generator=g).float(),
    }


def test_the_planes_are_a_buffer_that_training_and_reloading_leave_alone():
    eta, again = model(), model()
    planes = eta.search.planes.clone()
    assert "search.planes" not in dict(eta.named_parameters())
    fit(eta, batch(), epochs=3, progress=False)
    assert torch.equal(eta.search.planes, planes)
    again.load_state_dict(eta.state_dict())
    assert torch.equal(again.search.planes, planes)


def test_the_codes_follow_the_embeddings():
    eta, data = model(), batch()
    before = eta.explain(data).scores
    fit(eta, data, epochs=20, lr=0.05, progress=False)
    assert not torch.equal(eta.explain(data).scores, before)


def test_same_seed_same_planes():
    assert torch.equal(HashSearch(D, BITS).planes, HashSearch(D, BITS).planes)
    assert not torch.equal(HashSearch(D, 8).planes, HashSearch(D, 8, seed=1).planes)


def test_more_bits_find_more_of_the_nearest():
    g = torch.Generator().manual_seed(0)
    history, candidate = torch.randn(50, 200, 32, generator=g), torch.randn(50, 32)
    cosine = torch.cosine_similarity(history, candidate[:, None], dim=2)
    best = torch.zeros(50, 200).scatter_(1, cosine.topk(20).indices, 1.0)
    ids = torch.ones(50, 200, dtype=torch.int64)

    def recall(bits):
        scores, _ = HashSearch(32, bits)(ids, None, history, candidate)
        return best.gather(1, scores.topk(20).indices).mean()

    assert recall(8) + 0.1 < recall(64) < recall(1024) - 0.1


@pytest.mark.parametrize(
    "bits", [torch.ones(4, 7).bool(), torch.ones(4, 8)], ids=["seven", "floats"]
)
def test_pack_refuses(bits):
    with pytest.raises(ValueError, match="multiple of 8"):
        pack(bits)


def test_hamming_refuses_codes_of_other_lengths():
    a, b = (torch.zeros(n, dtype=torch.uint8) for n in (2, 3))
    with pytest.raises(ValueError, match="b has dtype torch.uint8 and 3 bytes"):
        hamming(a, b)
