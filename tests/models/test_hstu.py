import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.hstu import BUCKET, HSTU, aggregate, time_buckets
from recsys_tutorial.train import fit

ITEMS, L, D, H = 12, 6, 8, 2


def build(**options):
    torch.manual_seed(0)
    options = {"length": L + 4, "dropout": 0.0} | options
    model = HSTU(ITEMS, D, heads=H, **options)
    with torch.no_grad():
        model.items.weight.mul_(50)
        for block in model.blocks:
            block.first.weight.mul_(50)
            for bias in (block.position, block.time):
                if bias is not None:
                    bias.copy_(torch.randn(len(bias)))
    return model.eval()


def batch(rows=10, seed=0, steps=L):
    g = torch.Generator().manual_seed(seed)
    items = torch.randint(1, ITEMS, (rows, steps + 1), generator=g)
    start = torch.randint(0, steps, (rows, 1), generator=g)
    gaps = (10 ** (5 * torch.rand(rows, steps + 1, generator=g))).long() - 1
    times = 880_000_000 + gaps.cumsum(1)
    real = torch.arange(steps) >= start
    return {
        "history": items[:, :-1] * real,
        "target": items[:, 1:] * real,
        "time": times[:, :-1] * real,
        "asked": times[:, 1:] * real,
    }


def close(a, b, atol=1e-5):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=atol)


def silu(z):
    return z / (1 + torch.exp(-z))


def norm(x):
    return (x - x.mean()) / torch.sqrt(x.var(correction=0) + 1e-5)


def slow_bucket(seconds):
    return min(int(math.log(max(int(seconds), 1)) / 0.301), 63)


# --- the layer


@pytest.mark.parametrize("softmax", [False, True])
def test_a_layer_agrees_with_a_slow_loop_over_the_equations(softmax):
    model, data = build(softmax=softmax), batch(4)
    block, most = model.blocks[0], L + 4
    states, weights, gates = model.explain(data)
    W = block.first.weight
    for b in range(4):
        real = [i for i in range(L) if data["history"][b, i] > 0]
        x = {
            i: model.items.weight[data["history"][b, i]] * math.sqrt(D)
            + model.places.weight[most - L + i]
            for i in real
        }
        split = {i: silu(W @ norm(x[i])) for i in real}  # Eq. (1)
        v, q, k, u = ({i: split[i][n * D :][:D] for i in real} for n in range(4))
        for i in real:
            seen = [j for j in real if j <= i]
            heads = []
            for h in range(H):
                part = slice(h * D // H, (h + 1) * D // H)
                w = []
                for j in seen:
                    rab = (
                        block.position[i - j]
                        + block.time[
                            slow_bucket(data["asked"][b, i] - data["time"][b, j])
                        ]
                    )
                    product = q[i][part] @ k[j][part]
                    if softmax:
                        w.append(product / math.sqrt(D / H) + rab)
                    else:
                        w.append(silu(product + rab) / most)  # Eq. (2)
                w = torch.stack(w).softmax(0) if softmax else torch.stack(w)
                close(weights[b, h, i, seen], w)
                assert weights[b, h, i].count_nonzero() <= len(seen)
                heads.append(sum(a * v[j][part] for a, j in zip(w, seen, strict=True)))
            y = norm(torch.cat(heads)) * u[i]  # Eq. (3)
            close(gates[b, i], u[i])
            close(states[b, i], x[i] + block.last(y), 1e-4)


def test_without_a_gate_and_without_biases_their_parameters_are_gone():
    names = {n.split(".")[-1] for n, _ in build(bias="").named_parameters()}
    assert not names & {"position", "time"}
    assert "time" not in dict(build(bias="p").blocks[0].named_parameters())
    assert build().blocks[0].first.out_features == 4 * D
    without = build(gate=False)
    assert without.blocks[0].first.out_features == 3 * D
    assert (without.explain(batch()).gates == 1).all()


def test_one_table_of_biases_serves_all_heads():
    block = build().blocks[0]
    assert block.position.shape == (L + 4,)
    assert block.time.shape == (64,)


# --- weights that do not sum to one


def repeated(times, softmax):
    """What a query takes from one event that happened so many times."""
    g = torch.Generator().manual_seed(1)
    q, k, v = torch.randn(3, 1, 4, generator=g)
    keys, values = k.expand(times, 4), v.expand(times, 4)
    visible = torch.ones(1, times, dtype=torch.bool)
    return aggregate(q, keys, values, visible, 0.0, 20, softmax)


def test_ten_times_the_event_is_ten_times_the_sum_and_nothing_to_a_softmax():
    one, weights = repeated(1, False)
    for times in (3, 10):
        close(repeated(times, False)[0], times * one)
        close(repeated(times, False)[1].sum(), times * weights.sum())
        close(repeated(times, True)[0], repeated(1, True)[0])
        close(repeated(times, True)[1].sum(), torch.tensor(1.0))


def test_the_norm_alone_would_throw_the_number_away():
    one, ten = (repeated(times, False)[0] for times in (1, 10))
    close(F.layer_norm(100 * ten, (4,)), F.layer_norm(100 * one, (4,)), 1e-3)


def test_the_divisor_is_the_longest_history_and_not_this_one():
    model, data = build(), batch()
    short = {name: values[:, -3:] for name, values in data.items()}
    same = build(length=L + 4)
    close(model.explain(short).weights, same.explain(short).weights)
    twice = build(length=2 * (L + 4))
    with torch.no_grad():
        for mine, own in zip(twice.blocks, model.blocks, strict=True):
            mine.first.weight.copy_(own.first.weight)
            mine.position[: L + 4] = own.position
            mine.time.copy_(own.time)
        twice.items.weight.copy_(model.items.weight)
        twice.places.weight[L + 4 :] = model.places.weight
    close(2 * twice.explain(data).weights, model.explain(data).weights)


# --- padding and the future


@pytest.mark.parametrize("options", [{}, {"softmax": True}, {"layers": 2}])
def test_padding_in_front_changes_nothing(options):
    model, data = build(**options), batch()
    longer = {name: F.pad(values, (3, 0)) for name, values in data.items()}
    close(model(longer), model(data))
    close(model.explain(longer).states[:, 3:], model.explain(data).states)
    assert (model.explain(longer).states[:, :3] == 0).all()
    close(model.loss(longer), model.loss(data))


def test_whatever_time_stands_at_the_padding():
    model, data = build(), batch()
    padding = data["history"] == 0
    other = data | {
        "time": data["time"] + 5 * padding,
        "asked": data["asked"] + 9_999 * padding,
    }
    close(model(other), model(data))


@pytest.mark.parametrize("options", [{}, {"softmax": True}, {"layers": 2}])
def test_a_later_item_never_changes_an_earlier_output(options):
    model, data = build(**options), batch()
    before = model.explain(data).states
    for step in range(1, L):
        changed = data["history"].clone()
        there = changed[:, step] > 0
        changed[there, step] = changed[there, step] % (ITEMS - 1) + 1
        after = model.explain(data | {"history": changed}).states
        close(after[:, :step], before[:, :step])
        assert not torch.allclose(after[:, step:], before[:, step:])


@pytest.mark.parametrize("options", [{}, {"softmax": True}])
def test_a_later_time_never_changes_an_earlier_output(options):
    model, data = build(**options), batch()
    before = model.explain(data).states
    for step in range(1, L):
        later = (torch.arange(L) >= step) * (data["history"] > 0) * 40_000
        moved = {name: data[name] + later for name in ("time", "asked")}
        after = model.explain(data | moved).states
        close(after[:, :step], before[:, :step])
        assert not torch.allclose(after[:, step:], before[:, step:])


def masked_after(q, k, v, visible, bias=0.0, length=1, softmax=True):
    """The released branch for a softmax: the mask comes when it is too late."""
    weights = (q @ k.transpose(-1, -2) + bias).softmax(-1) * visible
    return weights @ v, weights


def leaks(attend):
    """How much the first step moves when the last key does."""
    g = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, L, D, generator=g)
    visible = torch.ones(L, L).tril().bool()
    other = k.clone()
    other[-1] += 1
    one, weights = attend(q, k, v, visible, softmax=True)
    two, _ = attend(q, other, v, visible, softmax=True)
    return float((one - two)[:-1].abs().max()), weights.sum(1)


def test_a_mask_after_the_softmax_lets_the_future_in_and_ours_does_not():
    moved, sums = leaks(aggregate)
    assert moved == 0
    close(sums, torch.ones(L))
    moved, sums = leaks(masked_after)
    assert moved > 0.01
    assert sums.min() < 0.9


def test_a_raw_score_for_what_is_masked_would_be_the_largest_weight():
    g = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, L, D, generator=g)
    visible = torch.ones(L, L).tril().bool()
    _, weights = aggregate(q, k, v, visible, length=L)
    assert (weights[~visible] == 0).all()
    raw = (q @ k.T).masked_fill(~visible, -(2.0**32) + 1)  # without an activation
    assert raw[~visible].abs().min() > 1e6 * raw[visible].abs().max()


# --- times


def test_buckets_by_hand():
    seconds = torch.tensor([-5, 0, 1, 2, 60, 3_600, 86_400, 10**18])
    assert time_buckets(seconds, 64).tolist() == [0, 0, 0, 2, 13, 27, 37, 63]
    assert time_buckets(seconds, 30).max() == 29
    edges = [math.ceil(math.exp(BUCKET * n)) for n in range(5, 60)]
    found = time_buckets(torch.tensor(edges), 64)
    assert found.tolist() == list(range(5, 60))
    assert time_buckets(torch.tensor(edges) - 1, 64).tolist() == list(range(4, 59))


def test_differences_are_taken_before_they_become_floats():
    model, data = build(bias="t"), batch(1)
    steps = torch.arange(L)[None] * 3 + 880_000_000  # float32 knows every 64th second
    data["history"] = torch.arange(1, L + 1)[None]
    data |= {"time": steps, "asked": steps}
    near = model(data)
    data |= {"time": steps - 870_000_000, "asked": steps - 870_000_000}
    close(model(data), near)


def test_a_step_is_asked_at_its_own_time_unless_told_otherwise():
    model, data = build(), batch()
    own = model(data | {"asked": data["time"]})
    at_request = model(data)
    del data["asked"]
    close(model(data), own)
    assert not torch.allclose(at_request, own)


def test_without_a_bias_by_time_no_time_matters():
    model, data = build(bias="p"), batch()
    close(model(data | {"time": data["time"] // 2}), model(data))


# --- scores, the loss


def test_scores_are_cosines_over_the_temperature():
    model, data = build(temperature=0.2), batch()
    scores, states = model(data), model.explain(data).states[:, -1]
    assert (scores[:, 0] == -math.inf).all()
    for b in range(3):
        for i in range(1, ITEMS):
            x, y = states[b], model.items.weight[i]
            close(scores[b, i], x @ y / x.norm() / y.norm() / 0.2, 1e-4)


def test_the_loss_agrees_with_a_loop():
    model, data = build(), batch()
    states, total, steps = model.explain(data).states, 0, 0
    for b in range(10):
        for i in range(L):
            if data["target"][b, i] > 0:
                logits = model.scores(states[b, i])
                total -= logits.log_softmax(0)[data["target"][b, i] - 1]
                steps += 1
    close(model.loss(data), total / steps)


def test_a_batch_of_one_row():
    model, data = build(), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    close(model.explain(one).states, model.explain(data).states[:1])


def test_every_parameter_gets_a_gradient():
    model = build(layers=2, length=L, buckets=16)
    model.loss(batch(200)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 1e-6, name
    assert (model.items.weight.grad[0] == 0).all()


def test_eight_users_can_be_learnt_by_heart():
    steps = torch.stack([torch.arange(8).roll(k) + 1 for k in range(8)])
    times = torch.arange(3).expand(8, 3) * 60
    data = {"history": steps[:, :3], "target": steps[:, 1:4], "time": times}
    torch.manual_seed(0)
    model = HSTU(9, 16, 3, dropout=0.0)
    fit(model, data, epochs=200, lr=0.01, progress=False)
    scores = model(data).scatter(1, data["history"], -math.inf)  # no item comes twice
    assert (scores.argmax(1) == steps[:, 3]).all()


# --- many candidates in one pass


def one_by_one(model, data, candidates):
    states = []
    for c in candidates.T:
        now = data["asked"][:, -1]
        longer = {
            name: torch.cat([data[name], new[:, None]], 1)
            for name, new in (("history", c), ("time", now), ("asked", now))
        }
        states.append(model.explain(longer).states[:, -1])
    return torch.stack(states, 1)


@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"softmax": True}])
def test_candidates_in_one_pass_are_those_of_single_passes(options):
    model, data = build(**options), batch()
    candidates = torch.randint(1, ITEMS, (10, 7))
    found = model.rank(data, candidates)
    torch.testing.assert_close(
        found, one_by_one(model, data, candidates), rtol=1e-5, atol=1e-6
    )


def test_a_candidate_does_not_see_its_neighbour():
    model, data = build(layers=2), batch()
    candidates = torch.randint(1, ITEMS, (10, 5))
    before = model.rank(data, candidates)
    candidates[:, 2] = candidates[:, 2] % (ITEMS - 1) + 1
    after = model.rank(data, candidates)
    same = torch.tensor([0, 1, 3, 4])
    close(after[:, same], before[:, same])
    assert not torch.allclose(after[:, 2], before[:, 2])


def test_a_candidate_needs_a_place_of_its_own():
    model, data = build(length=L), batch()
    with pytest.raises(ValueError, match="history has 6 steps; .* takes 5 at most"):
        model.rank(data, torch.ones(10, 2).long())


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(10, L)}, ValueError, "history has .*float32"),
        ({"history": torch.full((10, L), ITEMS)}, IndexError, "from 12 to 12"),
        ({"history": torch.ones(10, 99).long()}, ValueError, "history has 99 steps"),
        ({"time": torch.ones(10, L)}, ValueError, "time has .*expected int64 seconds"),
        ({"time": torch.ones(10, 2).long()}, ValueError, r"shape \(10, 6\)"),
        ({"asked": torch.ones(10, 2).long()}, ValueError, r"asked has shape \(10, 2\)"),
        ({"target": torch.ones(10, 2).long()}, ValueError, r"target .*\(10, 6\)"),
        ({"target": torch.zeros(10, L).long()}, ValueError, "an item somewhere"),
        ({"target": torch.full((10, L), -1)}, IndexError, "target holds"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build().loss(batch() | change)


def test_times_that_go_back_are_refused():
    data = batch()
    data["time"] = data["time"].flip(1)
    data["history"] = torch.ones_like(data["history"])
    with pytest.raises(ValueError, match="time goes back"):
        build()(data)


def test_a_step_cannot_be_asked_before_it_happened():
    data = batch()
    with pytest.raises(ValueError, match="asked is before time"):
        build()(data | {"asked": data["time"] - 1})


def test_a_history_that_ends_with_padding_is_refused():
    data = {"history": torch.tensor([[1, 2, 0]]), "time": torch.tensor([[1, 2, 3]])}
    for call in (build(), build().explain, build().loss):
        with pytest.raises(ValueError, match="history ends with padding"):
            call(data | {"target": data["history"]})


def test_bad_sizes():
    for options, message in (
        ({"temperature": 0}, "temperature is 0"),
        ({"temperature": math.inf}, "temperature is inf"),
        ({"length": 0}, "length is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"buckets": 0}, "buckets is 0"),
        ({"bias": "tp"}, "bias is 'tp'; expected"),
    ):
        with pytest.raises(ValueError, match=message):
            build(**options)
    with pytest.raises(ValueError, match="dim is 8; expected a multiple of heads, 3"):
        HSTU(ITEMS, D, heads=3)
