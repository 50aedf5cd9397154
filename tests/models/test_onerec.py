import copy
import inspect
import itertools
import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.onerec import (
    OneRec,
    RewardModel,
    SparseMixture,
    best_and_worst,
    dpo_loss,
)
from recsys_tutorial.train import fit

ITEMS, K, C, S, L, D = 10, 4, 2, 3, 6, 8
WORDS = torch.tensor(
    [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 3], [2, 3], [3, 0], [3, 1], [3, 3]]
)
KINDS = {"listwise": True, "each item alone": False}
BOTH = pytest.mark.parametrize("listwise", KINDS.values(), ids=KINDS)


def build(**options):
    torch.manual_seed(0)
    return OneRec(WORDS, D, S, L, experts=3, **options)


def batch(rows=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    history = torch.randint(1, ITEMS, (rows, L), generator=g)
    history *= torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    items = torch.randint(1, ITEMS, (rows, S), generator=g)
    return {"history": history, "list": items}


def with_pairs(model, rows=6):
    g = torch.Generator().manual_seed(1)
    data = batch(rows)
    pair = {
        "pair_history": batch(rows, 2)["history"],
        "better": torch.randint(K, (rows, S, C), generator=g),
        "worse": torch.randint(K, (rows, S, C), generator=g),
    }
    with torch.no_grad():
        for name in ("better", "worse"):
            given = model.log_prob(pair["pair_history"], pair[name])
            pair[f"reference_{name}"] = given
    return data | pair


def close(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=tolerance)


# --- slow loops over the equations


def slow_attention(layer, x, source, sees):
    """Query by query, head by head; `sees(q)` lists what the query looks at."""
    D, width = x.shape[1], x.shape[1] // layer.heads
    query = layer.query(layer.norm(x))
    key, value = layer.key_value(source).split(D, 1)
    rows = []
    for q in range(len(x)):
        heads = []
        for h in range(layer.heads):
            part = slice(h * width, (h + 1) * width)
            logits = [query[q, part] @ key[j, part] / math.sqrt(width) for j in sees(q)]
            shares = torch.stack(logits).softmax(0)
            heads.append(
                sum(a * value[j, part] for a, j in zip(shares, sees(q), strict=True))
            )
        rows.append(x[q] + layer.output(torch.cat(heads)))
    return torch.stack(rows)


def slow_mixture(layer, x):
    rows, gates = [], []
    for y, row in zip(layer.norm(x), x, strict=True):
        shares = [float((y @ c).detach().exp()) for c in layer.centres]
        shares = [s / sum(shares) for s in shares]
        chosen = sorted(range(len(shares)), key=lambda e: -shares[e])[: layer.active]
        gate = [s if e in chosen else 0.0 for e, s in enumerate(shares)]
        said = [
            g * ((y @ layer.into[e]).relu() @ layer.out[e]) for e, g in enumerate(gate)
        ]
        rows.append(row + sum(said))
        gates.append(torch.tensor(gate))
    return torch.stack(rows), torch.stack(gates)


def slow_logits(model, history, codes):
    """One row: ``(L,)`` items and ``(S, C)`` codes give ``(S, C, K)`` and the gates."""
    items, table = [i for i in history.tolist() if i], model.codes.weight
    x = [
        sum(table[K * c + int(WORDS[i, c])] for c in range(C)) + model.past[place]
        for place, i in enumerate(items)
    ]
    x = torch.stack(x)
    x = slow_attention(model.read, x, model.read.norm(x), lambda q: range(len(items)))
    memory = model.memory_norm(x + model.steps(x))
    tokens, item_of = [], []
    for s in range(S):  # Eq. (3): a begin token before the codes of every item
        for token in (table[-1], *(table[K * c + int(codes[s, c])] for c in range(C))):
            place = len(tokens) if model.listwise else len(tokens) % (C + 1)
            tokens.append(token + model.places[place])
            item_of.append(s)
    y = torch.stack(tokens)

    def before(q):
        same = [j for j in range(q + 1) if item_of[j] == item_of[q]]
        return range(q + 1) if model.listwise else same

    y = slow_attention(model.own, y, model.own.norm(y), before)
    y = slow_attention(model.cross, y, memory, lambda q: range(len(items)))
    y, gates = slow_mixture(model.mixture, y)
    y = model.norm(y)
    rows = [[model.output[c] @ y[s * (C + 1) + c] for c in range(C)] for s in range(S)]
    return torch.stack([torch.stack(row) for row in rows]), gates


@BOTH
def test_logits_and_gates_agree_with_a_slow_loop(listwise):
    model, data = build(listwise=listwise), batch()
    inside = model.explain(data)
    close(model(data), inside.logits)
    for row in range(len(data["list"])):
        codes = WORDS[data["list"][row]]
        logits, gates = slow_logits(model, data["history"][row], codes)
        close(inside.logits[row], logits)
        close(inside.gates[row], gates)


def test_as_many_experts_speak_as_are_active_and_their_weights_are_not_rescaled():
    torch.manual_seed(0)
    for active in (1, 2, 3):
        _, gates = SparseMixture(D, 3, active)(torch.randn(2, 5, D))
        assert ((gates > 0).sum(2) == active).all()
        total = gates.sum(2)
        assert (total < 1).all() if active < 3 else torch.allclose(total, total * 0 + 1)


def test_the_log_probability_counts_the_codes_and_not_the_begin_tokens():
    model, data = build(), batch()
    codes = WORDS[data["list"]]
    logits = model(data).log_softmax(3)
    for row, given in enumerate(model.log_prob(data["history"], codes)):
        by_hand = sum(
            logits[row, s, c, codes[row, s, c]] for s in range(S) for c in range(C)
        )
        close(given, by_hand)
    every = torch.tensor(list(itertools.product(range(K), repeat=S * C)))
    one = data["history"][:1].expand(len(every), -1)
    with torch.no_grad():
        total = model.log_prob(one, every.view(-1, S, C)).logsumexp(0)
    close(total, torch.tensor(0.0), 1e-4)  # all lists together have probability 1


def test_the_loss_is_the_mean_cross_entropy_of_the_codes():
    model, data = build(), batch()
    given = model.log_prob(data["history"], WORDS[data["list"]])
    close(model.loss(data), -given.mean() / (S * C))


# --- past and future


@BOTH
def test_a_code_does_not_see_itself_or_what_comes_after(listwise):
    model, data = build(listwise=listwise), batch(1)
    codes = WORDS[data["list"]]
    first = model.inside(data["history"], codes).logits
    for s, c in itertools.product(range(S), range(C)):
        changed = codes.clone()
        changed[0, s, c] = (codes[0, s, c] + 1) % K
        now = model.inside(data["history"], changed).logits
        flat, other = first.flatten(1, 2), now.flatten(1, 2)
        here = s * C + c
        close(other[:, : here + 1], flat[:, : here + 1])
        later = (other[:, here + 1 :] - flat[:, here + 1 :]).abs().sum((0, 2)) > 1e-6
        expected = [listwise or place // C == s for place in range(here + 1, S * C)]
        assert later.tolist() == expected


def test_without_the_list_all_places_are_alike():
    model, data = build(listwise=False), batch()
    logits = model(data | {"list": data["list"][:, :1].expand(-1, S)})
    close(logits, logits[:, :1].expand(-1, S, -1, -1))


def test_padding_changes_nothing():
    model, data = build(), batch()
    short = data["history"].clone()
    short[:, 3:] = 0
    expected = model(data | {"history": short[:, :3]})
    close(model(data | {"history": short}), expected)


def test_the_order_of_the_history_matters_to_the_generator():
    model, data = build(), batch(1)
    data["history"] = torch.arange(1, L + 1)[None]
    other = data | {"history": data["history"].flip(1)}
    assert (model(data) - model(other)).abs().max() > 1e-4


@BOTH
def test_a_batch_of_one_row(listwise):
    model, data = build(listwise=listwise), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])


# --- writing lists


@BOTH
def test_codes_are_drawn_with_the_probabilities_of_the_model(listwise):
    model = build(listwise=listwise)
    with torch.no_grad():
        model.output.mul_(2)
    history = torch.tensor([[1, 4, 7, 0, 0, 0], [2, 2, 0, 0, 0, 0]])
    drawn = model.sample(history, 6000, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 6000, S, C)
    for row in range(2):
        for s in range(1, S):
            lists, count = drawn[row, :, s].unique(dim=0, return_counts=True)
            assert len(lists) > 4
            mean = torch.zeros(len(lists))
            logits = model.inside(
                history[row : row + 1].expand(6000, -1), drawn[row]
            ).logits.log_softmax(3)
            for i, word in enumerate(lists):  # averaged over what stands before it
                first = logits[:, s, 0, word[0]].exp()
                own = drawn[row, :, s, 0] == word[0]
                second = logits[own, s, 1, word[1]].exp().mean()
                mean[i] = first.mean() * second
            close(count / 6000, mean, 0.03)


def test_the_same_generator_draws_the_same_lists():
    model, history = build(), batch()["history"]
    one, two, other = (
        model.sample(history, 3, torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@BOTH
def test_a_wide_beam_finds_the_likeliest_lists_of_all(listwise):
    model, history = build(listwise=listwise), batch(2)["history"]
    with torch.no_grad():
        model.output.mul_(3)
    every = torch.tensor(list(itertools.product(range(K), repeat=S * C)))
    every = every.view(-1, S, C)
    codes, total = model.beam(history, 600)
    assert codes.shape == (2, 600, S, C)
    for row in range(2):
        one = history[row : row + 1].expand(len(every), -1)
        with torch.no_grad():
            given = model.log_prob(one, every)
        order = given.argsort(descending=True)
        close(total[row, :20], given[order[:20]], 1e-4)
        assert torch.equal(codes[row, 0], every[order[0]])
    narrow, own = model.beam(history, 2)
    with torch.no_grad():
        again = model.log_prob(history.repeat_interleave(2, 0), narrow.flatten(0, 1))
    close(own.flatten(), again, 1e-4)
    assert (own[:, 0] >= own[:, 1]).all()


def test_a_word_gives_its_first_item_and_one_of_nobody_gives_0():
    items = build().items(torch.tensor([[[2, 3], [3, 1]], [[0, 0], [1, 0]]]))
    assert items.tolist() == [[5, 8], [0, 3]]


# --- preferences


def test_the_preference_loss_by_hand():
    better, worse = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 3.0])
    by_hand = [-math.log(1 / (1 + math.exp(-0.5 * m))) for m in (3, -3)]
    close(dpo_loss(better, worse, 0.5), torch.tensor(sum(by_hand) / 2))
    start = torch.zeros(4)
    close(dpo_loss(start, start, 0.1), torch.tensor(math.log(2)))


def test_the_whole_loss_is_both_and_starts_at_the_log_of_2():
    model = build(beta=0.3, weight=2.0)
    data = with_pairs(model)
    plain = model.loss(batch())
    close(model.loss(data), plain + 2 * math.log(2))
    with torch.no_grad():
        model.output.mul_(1.5)
        gains = [
            model.log_prob(data["pair_history"], data[one]) - data[f"reference_{one}"]
            for one in ("better", "worse")
        ]
        expected = (
            model.loss(batch()) - 2 * F.logsigmoid(0.3 * (gains[0] - gains[1])).mean()
        )
        close(model.loss(data), expected)


def test_the_reference_stands_still_while_the_model_learns():
    model = build(weight=5.0)
    reference = copy.deepcopy(model)
    data = with_pairs(model)
    fit(model, data, epochs=20, lr=0.01, progress=False)
    pair, given = data["pair_history"], data["reference_better"]
    with torch.no_grad():
        close(reference.log_prob(pair, data["better"]), given)
        gains = [
            model.log_prob(pair, data[one]) - data[f"reference_{one}"]
            for one in ("better", "worse")
        ]
    assert (gains[0] - gains[1]).mean() > 2
    moving = dpo_loss(torch.zeros(6), torch.zeros(6), model.beta)  # had it followed
    assert dpo_loss(*gains, model.beta) < moving - 0.05


def test_a_mean_over_the_codes_is_another_beta():
    better, worse = torch.tensor([4.0]), torch.tensor([-2.0])
    as_mean = dpo_loss(better / (S * C), worse / (S * C), 0.6)
    close(as_mean, dpo_loss(better, worse, 0.6 / (S * C)))
    assert abs(as_mean - dpo_loss(better, worse, 0.6)) > 0.1


def test_the_gradient_vanishes_once_the_margin_is_large():
    for margin, low, high in ((0.0, 0.49, 0.51), (10.0, 0.0, 1e-4)):
        better = torch.tensor([margin], requires_grad=True)
        dpo_loss(better, torch.zeros(1), 1.0).backward()
        assert low <= better.grad.abs() <= high


def test_the_pair_is_the_best_and_the_worst_of_all():
    codes = torch.arange(2 * 4 * S * C).view(2, 4, S, C)
    rewards = torch.tensor([[0.1, 0.9, -0.3, 0.2], [5.0, 1.0, 2.0, 3.0]])
    better, worse = best_and_worst(codes, rewards)
    assert torch.equal(better, torch.stack([codes[0, 1], codes[1, 0]]))
    assert torch.equal(worse, torch.stack([codes[0, 2], codes[1, 1]]))
    with pytest.raises(ValueError, match=r"rewards has shape \(2, 3\)"):
        best_and_worst(codes, rewards[:, :3])
    with pytest.raises(ValueError, match="two lists of a row or more"):
        best_and_worst(codes[:, :1], rewards[:, :1])


# --- the reward


def reward(**options):
    torch.manual_seed(0)
    return RewardModel(torch.randn(ITEMS, 5), dim=D, **options)


def test_the_reward_agrees_with_a_slow_loop_over_equations_5_to_7():
    model, data = reward(targets=3), batch()
    data["list"][1, 1] = 0
    rewards, v = model(data), model.vectors(model.content)
    for row in range(len(rewards)):
        past = [v[i] for i in data["history"][row].tolist() if i]
        user = model.user(sum(past) / len(past))
        real = [i for i in data["list"][row].tolist() if i]
        e = torch.stack([v[i] * user for i in real])
        sees = partial(lambda n, q: range(n), len(real))
        h = slow_attention(model.attend, e, model.attend.norm(e), sees)
        for t in range(3):
            hidden = h.sum(0) @ model.towers.hidden.weight[t]
            hidden = (hidden + model.towers.hidden.bias[t, 0]).relu()
            score = hidden @ model.towers.output.weight[t, :, 0]
            close(rewards[row, t], score + model.towers.output.bias[t, 0, 0])


def test_the_reward_does_not_mind_the_order_of_a_list_but_its_company():
    model, data = reward(), batch()
    turned = data | {"list": data["list"].flip(1)}
    close(model(data), model(turned))
    one = model(data | {"list": torch.tensor([[1, 2, 3]]).expand(6, -1)})
    two = model(data | {"list": torch.tensor([[1, 2, 4]]).expand(6, -1)})
    both = model(data | {"list": torch.tensor([[5, 2, 3]]).expand(6, -1)})
    last = model(data | {"list": torch.tensor([[5, 2, 4]]).expand(6, -1)})
    assert (one - two - both + last).abs().max() > 1e-3  # items do not just add up


def test_an_empty_place_is_as_if_it_were_not_there():
    model, data = reward(), batch()
    short = model(data | {"list": data["list"][:, :2]})
    holes = data["list"].clone()
    holes[:, 2] = 0
    close(model(data | {"list": holes}), short)
    nothing = model(data | {"list": torch.zeros_like(holes)})
    assert nothing.isfinite().all()
    close(nothing, nothing[:1].expand(6, -1))


def test_the_loss_of_the_reward_is_the_binary_cross_entropy():
    model, data = reward(), batch()
    labels = torch.tensor([[0.0, 1.0]] * 6)
    p = model(data).sigmoid()
    by_hand = -((1 - p[:, 0]).log() + p[:, 1].log()).mean() / 2
    close(model.loss(data | {"labels": labels}), by_hand)
    with pytest.raises(ValueError, match="labels holds the values -1 to 1"):
        model.loss(data | {"labels": 2 * labels - 1})


# --- learning


@BOTH
def test_every_parameter_gets_a_gradient(listwise):
    model = build(listwise=listwise)
    fit(model, batch(64), epochs=1, lr=0.01, progress=False)
    model.loss(batch(256)).backward()
    places = slice(None) if listwise else slice(C + 1)
    for name, parameter in model.named_parameters():
        grad = parameter.grad[places] if name == "places" else parameter.grad
        assert grad.abs().sum() > 1e-6, name


def test_every_parameter_of_the_reward_gets_a_gradient():
    model = reward()
    model.loss(batch(64) | {"labels": torch.ones(64, 2)}).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 1e-6, name


def test_eight_lists_can_be_learnt_by_heart():
    model = build()
    items = torch.tensor([1, 2, 3, 4, 7, 8, 9, 5])
    data = {
        "history": items[:, None],
        "list": torch.stack([items.roll(-1), items.roll(2), items], 1),
    }
    fit(model, data, epochs=150, lr=0.02, progress=False)
    assert model.loss(data) < 0.02
    assert torch.equal(
        model.items(model.beam(data["history"], 3)[0][:, 0]), data["list"]
    )


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(6, L)}, ValueError, "history has .*float32"),
        ({"history": torch.ones(6, 7).long()}, ValueError, "takes 6 at most"),
        (
            {"history": torch.zeros(6, L).long()},
            ValueError,
            "nothing but padding in row",
        ),
        ({"history": torch.full((6, L), ITEMS)}, IndexError, "expected 0 to 9"),
        ({"list": torch.zeros(6, S).long()}, IndexError, "list .* expected 1 to 9"),
        (
            {"list": torch.ones(6, 2).long()},
            ValueError,
            r"list has .*expected \(6, 3\)",
        ),
        ({"list": torch.ones(5, S).long()}, ValueError, "a row for each history"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build().loss(batch() | change)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "dim is 8; expected a multiple of heads, 3"),
        ({"active": 4}, "active is 4; expected at most experts, 3"),
        ({"beta": 0.0}, "beta is 0.0"),
        ({"weight": -1.0}, "weight -1.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_bad_words_and_bad_input_of_the_reward():
    with pytest.raises(ValueError, match=r"words has shape \(10,\)"):
        OneRec(WORDS[:, 0])
    with pytest.raises(ValueError, match="codes, from 0"):
        OneRec(WORDS - 1)
    with pytest.raises(IndexError, match="list holds ids from 10 to 10"):
        reward()(batch() | {"list": torch.full((6, S), ITEMS)})
    with pytest.raises(ValueError, match="nothing but padding in row 0"):
        reward()(batch() | {"history": torch.zeros(6, L).long()})


@pytest.mark.parametrize("kind", [OneRec, RewardModel])
def test_every_argument_is_told_in_the_docstring(kind):
    text = inspect.getdoc(kind)
    assert all(name in text for name in inspect.signature(kind).parameters)
