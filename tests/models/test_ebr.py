import inspect
import math

import pytest
import torch
import torch.nn.functional as F

from recsys_tutorial.models.ebr import Block, Retriever, draw_negatives
from recsys_tutorial.train import fit

CLUSTERS = torch.tensor([-1, 0, 1, 0, 1, 2, 0, 1, 2, 0, 0, 1])
ITEMS, L, D, K = len(CLUSTERS), 6, 4, 3
KINDS = {
    "global": {"prompt": False, "same_cluster": False},
    "mixed": {"prompt": False, "same_cluster": 0.4},
    "cluster": {"prompt": False},
    "prompt": {},
}
ALL = pytest.mark.parametrize("kind", KINDS)


def build(kind="prompt", dim=D, **options):
    torch.manual_seed(0)
    options = {"n_negatives": 5, "dropout": 0.0, **KINDS[kind], **options}
    model = Retriever(CLUSTERS, dim, L, **options)
    with torch.no_grad():
        if model.prompts is not None:
            model.prompts.add_(torch.randn_like(model.prompts) / 2)
    return model


def batch(rows=10, seed=0):
    g = torch.Generator().manual_seed(seed)
    history = torch.randint(1, ITEMS, (rows, L), generator=g)
    history *= torch.arange(L) < torch.randint(1, L + 1, (rows, 1), generator=g)
    return {
        "history": history,
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
    }


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# --- the encoder


def test_the_attention_is_the_textbooks():
    torch.manual_seed(0)
    block, x = Block(D, 1), torch.randn(1, L, D)
    q, k, v = block.qkv(block.norms[0](x[0])).chunk(3, 1)
    rows = []
    for step in range(L):
        scores = [q[step] @ k[past] / math.sqrt(D) for past in range(step + 1)]
        weights = torch.stack(scores).softmax(0)
        rows.append(sum(w * v[past] for past, w in enumerate(weights)))
    mixed = x[0] + block.output(torch.stack(rows))
    close(block(x)[0], mixed + block.steps(block.norms[1](mixed)))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_step_sees_nothing_of_what_comes_later(layers):
    model = build(layers=layers)
    history = torch.tensor([[1, 2, 3, 4, 5, 6]])
    before, _ = model.states(history, torch.tensor([0]))
    for step in range(1, L):
        changed = history.clone()
        changed[0, step] = 11
        after, _ = model.states(changed, torch.tensor([0]))
        close(after[:, :step], before[:, :step])
        assert (after[:, step:] - before[:, step:]).abs().amax(2).min() > 1e-4


@pytest.mark.parametrize("layers", [1, 2])
@ALL
def test_padding_changes_nothing(kind, layers):
    model, data = build(kind, layers=layers), batch()
    wider = F.pad(data["history"], (0, 4))
    close(model({"history": wider}), model(data))
    short = torch.tensor([[3, 5, 0, 0, 0, 0]])
    close(model({"history": short}), model({"history": short[:, :2]}))


def test_the_order_of_the_history_matters():
    model = build()
    there, back = ({"history": torch.tensor([h])} for h in ([1, 2, 3], [3, 2, 1]))
    assert (model(there) - model(back))[:, 1:].abs().max() > 1e-3


# --- the prompt


def test_a_prompt_of_ones_is_no_prompt():
    with_prompt, without = build("prompt"), build("cluster")
    without.load_state_dict(
        {k: v for k, v in with_prompt.state_dict().items() if k != "prompts"}
    )
    assert (with_prompt(batch()) - without(batch()))[:, 1:].abs().max() > 1e-2
    with torch.no_grad():
        with_prompt.prompts.fill_(1.0)
    close(with_prompt(batch()), without(batch()))


def test_prompts_start_as_ones():
    model = Retriever(CLUSTERS, D, L)
    assert model.prompts.shape == (K, D)
    assert (model.prompts == 1).all()


def test_the_prompt_is_the_asked_clusters_and_multiplies_every_step():
    model, data = build(), batch()
    plain = build("cluster")
    own = {k: v for k, v in model.state_dict().items() if k != "prompts"}
    users = model.explain(data).users
    for k in range(K):  # the same as a table of items multiplied beforehand
        plain.load_state_dict(own)
        with torch.no_grad():
            plain.items.weight.mul_(model.prompts[k])
        close(users[:, k], plain.encode(data["history"], None))


def test_each_item_is_scored_by_the_user_vector_of_its_own_cluster():
    model, data = build(), batch()
    users, scores = model.explain(data)
    assert users.shape == (10, K, D)
    for row in range(10):
        for item in range(1, ITEMS):
            expected = users[row, CLUSTERS[item]] @ model.items.weight[item]
            close(scores[row, item], expected)
    assert (scores[:, 0] == -math.inf).all()


def test_without_a_prompt_all_clusters_are_asked_alike():
    users = build("cluster").explain(batch()).users
    close(users, users[:, :1].expand(-1, K, -1))


# --- negatives and the loss


def test_negatives_come_from_the_cluster_of_the_positive():
    candidate = torch.arange(1, ITEMS)
    drawn = draw_negatives(CLUSTERS, candidate, 200)
    for item, row in zip(candidate.tolist(), drawn, strict=True):
        mates = set((CLUSTERS[item] == CLUSTERS).nonzero().flatten().tolist())
        assert set(row.tolist()) == (mates - {item}) | {0}


def test_all_negatives_of_a_cluster_are_equally_likely():
    g = torch.Generator().manual_seed(0)
    drawn = draw_negatives(CLUSTERS, torch.tensor([1]), 50_000, g)
    share = drawn[0].bincount(minlength=ITEMS)[[0, 3, 6, 9, 10]] / 50_000
    assert (share - 0.2).abs().max() < 0.01


def test_global_negatives_come_from_everywhere():
    model = build("global", n_negatives=500)
    drawn = model.negatives(torch.tensor([5]))
    assert set(drawn.unique().tolist()) == set(range(ITEMS)) - {5}


def test_a_share_of_the_negatives_comes_from_the_cluster_and_the_rest_from_all():
    model = build("mixed", n_negatives=500)
    candidate = torch.tensor([5, 1])
    drawn = model.negatives(candidate)
    assert drawn.shape == (2, 500)
    for item, row in zip(candidate.tolist(), drawn, strict=True):
        mates = set((CLUSTERS[item] == CLUSTERS).nonzero().flatten().tolist())
        assert set(row[:200].tolist()) == (mates - {item}) | {0}
        assert set(row[200:].tolist()) == set(range(ITEMS)) - {item}


def test_the_same_generator_draws_the_same():
    draws = [
        draw_negatives(
            CLUSTERS, torch.tensor([1, 5]), 9, torch.Generator().manual_seed(3)
        )
        for _ in range(2)
    ]
    assert (draws[0] == draws[1]).all()


@ALL
def test_the_loss_agrees_with_a_slow_loop(kind):
    model, data = build(kind), batch()
    torch.manual_seed(5)
    negatives = model.negatives(data["candidate"])
    torch.manual_seed(5)
    loss = model.loss(data)
    total = 0
    for row in range(10):
        item = int(data["candidate"][row])
        user = model.encode(data["history"][[row]], CLUSTERS[[item]])[0]
        own = (user @ model.items.weight[item]).exp()
        others = sum(
            (user @ model.items.weight[j]).exp() for j in negatives[row] if j > 0
        )
        total = total - (own / (own + others)).log()
    close(loss, total / 10)


def test_a_cluster_of_one_item_has_no_negatives_and_costs_nothing():
    alone = torch.tensor([-1, 0, 1, 1])
    assert (draw_negatives(alone, torch.tensor([1]), 7) == 0).all()
    data = {"history": torch.tensor([[2, 3]]), "candidate": torch.tensor([1])}
    assert Retriever(alone, D, L).loss(data) == 0


# --- learning


@ALL
def test_every_parameter_gets_a_gradient(kind):
    model = build(kind)
    model.loss(batch(300)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 1e-6, name
    assert (model.items.weight.grad[1:].abs().sum(1) > 0).all()
    assert (model.items.weight.grad[0] == 0).all()


@ALL
def test_eight_samples_can_be_learnt_by_heart(kind):
    history = torch.arange(1, 9)[:, None]
    data = {"history": history, "candidate": history.flatten().roll(2)}
    model = build(kind, dim=16, n_negatives=20)
    fit(model, data, epochs=200, lr=0.02, progress=False)
    scores = model(data)
    own = scores.gather(1, data["candidate"][:, None])
    mates = CLUSTERS[data["candidate"]][:, None] == CLUSTERS
    assert ((scores > own) & mates).sum() == 0


@ALL
def test_a_batch_of_one_row(kind):
    model, data = build(kind), batch()
    one = {name: values[:1] for name, values in data.items()}
    close(model(one), model(data)[:1])
    assert model.loss(one).isfinite()


# --- bad input


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"history": torch.ones(10).long()}, ValueError, r"history has .*\(B, L\)"),
        ({"history": torch.ones(10, L)}, ValueError, "history has .*float32"),
        ({"history": torch.full((10, L), ITEMS)}, IndexError, "from 12 to 12"),
        ({"history": torch.full((10, L), -1)}, IndexError, "expected 0 to 11"),
        ({"history": torch.zeros(10, L).long()}, ValueError, "padding in row 0"),
        ({"history": torch.eye(10, L).long()}, ValueError, "padding"),
        ({"history": torch.ones(10, 7).long()}, ValueError, "has 7 steps.*at most 6"),
        ({"candidate": torch.zeros(10).long()}, IndexError, "candidate holds .* 1 to"),
        ({"candidate": torch.ones(10, 1).long()}, ValueError, "candidate has shape"),
        ({"candidate": torch.ones(3).long()}, ValueError, "3 rows; expected 10"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        build().loss(batch() | change)


def test_padding_in_front_is_refused():
    with pytest.raises(ValueError, match="padding before an item"):
        build()({"history": torch.tensor([[0, 3, 4]])})


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        (torch.tensor([-1.0, 0.0]), "dtype torch.float32"),
        (torch.tensor([0, 0, 1]), "-1 for item 0"),
        (torch.tensor([-1, 0, -1]), "at least 0"),
        (torch.tensor([-1, 0, 2]), "cluster 1 has no items"),
        (torch.tensor([-1]), "one entry per item"),
    ],
)
def test_bad_clusters(clusters, message):
    with pytest.raises(ValueError, match=message):
        Retriever(clusters)


def test_bad_sizes():
    with pytest.raises(ValueError, match="dim is 5; expected a multiple of heads, 2"):
        Retriever(CLUSTERS, dim=5)
    with pytest.raises(ValueError, match="n_negatives is 0"):
        Retriever(CLUSTERS, n_negatives=0)
    with pytest.raises(ValueError, match="same_cluster is 1.5; expected 0 to 1"):
        Retriever(CLUSTERS, same_cluster=1.5)


def test_every_argument_is_told_in_the_docstring():
    text = inspect.getdoc(Retriever)
    assert all(name in text for name in inspect.signature(Retriever).parameters)
