import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.semantic_ids import finish_words, random_codes
from recsys_tutorial.models.tiger import TIGER
from recsys_tutorial.train import fit

ITEMS, L, D, K = 30, 6, 8, 3


def words():
    return finish_words(random_codes(ITEMS - 1, K, 3))


def build(**options):
    torch.manual_seed(0)
    model = TIGER(words(), D, **({"length": L + 4, "dropout": 0.0} | options))
    with torch.no_grad():  # what is not nearly zero shows mistakes
        for table in (model.letters, model.steps, model.places):
            table.weight.mul_(50)
    return model


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    steps = torch.randint(1, ITEMS, (rows, L + 1), generator=g)
    start = torch.randint(0, L, (rows, 1), generator=g)
    history = steps[:, :-1] * (torch.arange(L) >= start)
    return {"history": history, "target": steps[:, 1:] * (history > 0)}


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def attend(query, keys, values):
    """One query of all heads over a list of steps, head by head."""
    width = len(query) // 2
    heads = []
    for h in range(2):
        part = slice(h * width, (h + 1) * width)
        logit = [query[part] @ key[part] / math.sqrt(width) for key in keys]
        weight = torch.stack(logit).softmax(0)
        pairs = zip(weight, values, strict=True)
        heads.append(sum(w * v[part] for w, v in pairs))
    return torch.cat(heads)


def spell(model, states, beginning):
    """Log-probabilities (V,) of the letter after a beginning, by the equations.

    states is a list of what the encoder knows after each real step, oldest first.
    """
    rows = [1] + [2 + t * model.V + int(c) for t, c in enumerate(beginning)]
    x = [
        model.norms[1](model.letters.weight[row] + model.places.weight[place])
        for place, row in enumerate(rows)
    ]
    d, n = model.decoder, len(x)
    q, k, v = zip(*(d.qkv(step).split(D) for step in x), strict=True)
    own = d.outputs[0](attend(q[-1], k, v))
    y = d.norms[0](x[-1] + own)
    k, v = zip(*(d.memory(state).split(D) for state in states), strict=True)
    y = d.norms[1](y + d.outputs[1](attend(d.query(y), k, v)))
    y = d.norms[2](y + d.steps(y))
    logits = y @ model.outputs.weight[n - 1] + model.outputs.bias[n - 1, 0]
    return logits.log_softmax(0)


def real_states(model, history):
    states, _ = model.read(history[None])
    return [s for s, item in zip(states[0], history, strict=True) if item > 0]


# --- encoder and decoder


def test_a_step_of_the_history_is_the_sum_of_its_letters():
    model, history = build(), torch.tensor([[0, 0, 7, 4]])
    states, visible = model.read(history)
    x = [
        model.norms[0](
            sum(
                model.letters.weight[2 + t * model.V + int(c)]
                for t, c in enumerate(model.words[item])
            )
            + model.steps.weight[place]
        )
        for item, place in ((7, -2), (4, -1))
    ]
    expected, _ = model.encoder(torch.stack(x)[None], torch.ones(2, 2).tril().bool())
    close(states[0, 2:], expected[0])
    assert (states[0, :2] == 0).all()
    assert visible[0].int().tolist() == [
        [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]
    ]  # fmt: skip


def test_the_log_probability_is_the_sum_over_letters_of_a_slow_loop():
    model, data = build(), batch(3)
    scores = model(data)
    for b in range(3):
        states = real_states(model, data["history"][b])
        for item in (1, 8, ITEMS - 1):
            word = model.words[item].tolist()
            total = sum(
                spell(model, states, word[:t])[letter] for t, letter in enumerate(word)
            )
            close(scores[b, item], total)


def test_the_loss_is_teacher_forced_cross_entropy():
    model, data = build(), batch(3)
    total, steps = 0.0, 0
    for b in range(3):
        for i in range(L):
            if data["target"][b, i] == 0:
                continue
            first = int((data["history"][b] > 0).int().argmax())
            states = list(model.read(data["history"][b : b + 1])[0][0, first : i + 1])
            word = model.words[data["target"][b, i]].tolist()
            for t, letter in enumerate(word):
                total -= spell(model, states, word[:t])[letter]
            steps += 1
    close(model.loss(data), total / steps)


def test_the_loss_at_the_last_step_is_what_forward_gives():
    model, data = build(), batch()
    alone = torch.zeros_like(data["target"])
    alone[:, -1] = data["target"][:, -1]
    found = model(data).gather(1, data["target"][:, -1:])
    close(model.loss(data | {"target": alone}), -found.mean())


def test_all_words_that_can_be_written_have_a_probability_of_1_together():
    model, data = build(), batch(2)
    letters = [torch.arange(model.V)] * 4
    every = torch.cartesian_prod(*letters)
    close(model.log_probability(data, every).exp().sum(1), torch.ones(2))
    held = model(data)[:, 1:].exp().sum(1)
    assert (held < 0.99).all()  # the rest is spent on words that are nobody's


def test_a_beginning_has_the_probability_of_all_that_begins_so():
    model, data = build(), batch(2)
    two = torch.cartesian_prod(*[torch.arange(model.V)] * 2)
    close(
        model.log_probability(data, two[:, :1]).exp()[:, :: model.V],
        model.log_probability(data, two).exp().view(2, model.V, -1).sum(2),
    )


def test_what_comes_later_changes_nothing_before():
    model, data = build(), batch()
    before, _ = model.read(data["history"])
    for step in range(1, L):
        changed = data["history"].clone()
        changed[:, step] = changed[:, step] % (ITEMS - 1) + 1
        after, _ = model.read(changed)
        close(after[:, :step], before[:, :step])
        assert not torch.allclose(after[:, step:], before[:, step:])


def test_a_letter_does_not_see_itself_nor_what_follows():
    model, data = build(), batch(1)
    letter = torch.zeros(1, 3, dtype=torch.int64)
    before = model.begin(letter)
    letter[0, 1] = 1
    after = model.begin(letter)
    close(after[:, :2], before[:, :2])
    assert not torch.allclose(after[:, 2:], before[:, 2:])
    # nor does the loss give a step the target of a later one
    early = torch.zeros_like(data["target"])
    step = int((data["history"][0] > 0).int().argmax())
    early[0, step] = data["target"][0, step]
    cut = data["history"].clone()
    cut[:, step + 1 :] = 5
    close(
        model.loss({"history": cut, "target": early}),
        model.loss({"history": data["history"], "target": early}),
    )


def test_padding_in_front_changes_nothing():
    model, data = build(), batch()
    longer = {k: F.pad(v, (3, 0)) for k, v in data.items()}
    close(model(longer), model(data))
    close(model.loss(longer), model.loss(data))
    one, two = model.beam_search(longer, 5), model.beam_search(data, 5)
    assert (one.items == two.items).all()
    inside = model.explain(longer)
    close(inside.attention[:, :, 3:], model.explain(data).attention)
    assert (inside.attention[:, :, :3] == 0).all()


def test_a_batch_of_one_row_and_the_padding_is_no_candidate():
    model, data = build(), batch()
    one = {k: v[:1] for k, v in data.items()}
    close(model(one), model(data)[:1])
    assert (model(data)[:, 0] == -math.inf).all()
    assert model(data)[:, 1:].isfinite().all()


def test_explain_shows_the_first_letter_and_where_it_looks():
    model, data = build(), batch(2)
    inside = model.explain(data)
    for b in range(2):
        close(inside.first[b], spell(model, real_states(model, data["history"][b]), []))
    close(inside.attention.sum(2), torch.ones(2, 2))
    assert (
        inside.attention[data["history"][:, None].expand(-1, 2, -1) == 0] == 0
    ).all()
    close(inside.states, model.read(data["history"])[0])


def test_every_parameter_gets_a_gradient():
    model = build()
    model.loss(batch(40)).backward()
    assert {name for name, p in model.named_parameters() if not p.grad.any()} == set()
    assert not model.letters.weight.grad[0].any()  # padding


def test_eight_samples_learnt_by_heart():
    model, data = build(), batch(8)
    data["target"][:, :-1] = 0
    fit(model, data, epochs=150, batch_size=8, lr=1e-2, progress=False)
    assert (model(data).argmax(1) == data["target"][:, -1]).all()
    found = model.beam_search(data, 1, constrained=False)
    assert (found.items[:, 0] == data["target"][:, -1]).all()


# --- the search


@pytest.mark.parametrize("constrained", [True, False])
def test_a_wide_beam_finds_what_full_enumeration_finds(constrained):
    model, data = build(), batch(4)
    k = model.V**3  # no beginning is ever dropped
    found = model.beam_search(data, k * model.V, constrained)
    if constrained:
        expected, items = model(data)[:, 1:].sort(descending=True)
        assert (found.items[:, : ITEMS - 1] == items + 1).all()
        close(found.log_probability[:, : ITEMS - 1], expected)
        assert (found.items[:, ITEMS - 1 :] == 0).all()
    else:
        every = torch.cartesian_prod(*[torch.arange(model.V)] * 4)
        expected, which = model.log_probability(data, every).sort(descending=True)
        close(found.log_probability, expected)
        assert (found.words[:, :9] == every[which[:, :9]]).all()


def test_a_narrow_beam_is_a_search_by_hand():
    model, history = build(), batch(1)["history"]
    states = real_states(model, history[0])
    beams = [(0.0, [])]
    for _ in range(4):
        grown = [
            (total + float(p), [*word, letter])
            for total, word in beams
            for letter, p in enumerate(spell(model, states, word).detach())
        ]
        beams = sorted(grown, reverse=True)[:2]
    found = model.beam_search({"history": history}, 2, constrained=False)
    assert found.words[0].tolist() == [word for _, word in beams]
    close(found.log_probability[0], torch.tensor([total for total, _ in beams]))


def test_the_prefix_tree_lets_no_beam_die():
    model, data = build(), batch(40)
    free, tree = (model.beam_search(data, 6, constrained=c) for c in (False, True))
    assert (free.items == 0).any()
    assert (tree.items > 0).all()
    for words, items in ((free.words, free.items), (tree.words, tree.items)):
        known = {tuple(w): i + 1 for i, w in enumerate(model.words[1:].tolist())}
        flat = zip(words.flatten(0, 1).tolist(), items.flatten().tolist(), strict=True)
        assert all(known.get(tuple(word), 0) == item for word, item in flat)


def test_a_group_of_equal_letters_is_not_one_hit():
    """One public code drops the last letter before it scores: any of a group hits."""
    codes = torch.tensor([[0, 0], [0, 0], [0, 0], [1, 1], [1, 0]])
    torch.manual_seed(0)
    model = TIGER(finish_words(codes), D, length=3)
    scores = model({"history": torch.tensor([[4, 5, 4]])})[0, 1:4]
    assert len(scores.unique()) == 3
    best = model.beam_search({"history": torch.tensor([[4, 5, 4]])}, 5)
    place = (best.items[0] == 1 + int(scores.argmin())).nonzero().item()
    without_last = (best.words[0, :, :2] == torch.tensor([0, 0])).all(1).int().argmax()
    assert place > without_last  # a flattering hit


def test_from_a_word_back_to_its_item():
    model = build()
    assert (model.items_of(model.words[1:]) == torch.arange(1, ITEMS)).all()
    every = torch.cartesian_prod(*[torch.arange(model.V)] * 4)
    items = model.items_of(every)
    assert (items > 0).sum() == ITEMS - 1
    assert items.unique().tolist() == list(range(ITEMS))


def test_the_words_travel_with_the_weights():
    model, other = build(), build()
    other.load_state_dict(model.state_dict())
    close(other(batch()), model(batch()))
    torch.manual_seed(1)
    swapped = finish_words(random_codes(ITEMS - 1, K, 3, seed=0).flip(0))
    stranger = TIGER(swapped, D, length=L + 4, dropout=0.0)
    if stranger.V == model.V:
        stranger.load_state_dict(model.state_dict(), strict=True)
        close(stranger(batch()), model(batch()))


# --- bad input


def test_bad_words():
    good = words()
    for wrong in (
        good[1:],
        good.float(),
        good[:1],
        torch.where(good == good.max(), -1, good),
        good[0],
    ):
        with pytest.raises(ValueError, match="words is not a tensor"):
            TIGER(wrong, D)
    with pytest.raises(ValueError, match="holds one word 2 times"):
        TIGER(torch.cat([good, good[3:4]]), D)
    with pytest.raises(ValueError, match="words of 3 letters out of .* are too many"):
        TIGER(torch.tensor([[-1, -1, -1], [0, 0, 2**31]]), D)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.zeros(1, L + 5).long()}, ValueError, "takes 10 at most"),
        ({"history": torch.tensor([[1, 0]])}, ValueError, "ends with padding"),
        ({"history": torch.tensor([[1, ITEMS]])}, IndexError, "history holds ids"),
        ({"history": torch.tensor([1, 2])}, ValueError, "history has shape"),
    ],
)
def test_bad_histories(change, error, message):
    with pytest.raises(error, match=message):
        build()(change)


def test_bad_targets_and_sizes():
    model, data = build(), batch()
    for target in (data["target"][:, 1:], torch.zeros_like(data["target"])):
        with pytest.raises(ValueError, match="target has shape"):
            model.loss(data | {"target": target})
    with pytest.raises(IndexError, match="target holds ids"):
        model.loss(data | {"target": data["target"] + ITEMS})
    with pytest.raises(ValueError, match="k is 0"):
        model.beam_search(data, 0)
    with pytest.raises(ValueError, match="dim is 9; expected a multiple of heads"):
        build(heads=2).__class__(words(), 9)
