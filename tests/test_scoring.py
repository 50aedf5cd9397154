from contextlib import suppress

import pytest
import torch
from torch import nn

from recsys_tutorial.data.gathered import Gathered
from recsys_tutorial.models.din import DIN, Dice, ItemEmbedding
from recsys_tutorial.scoring import evaluating, score, top_k
from tests.models.test_any_model import ITEMS, batch, build

INF = torch.inf
# where the model looks for the item; None: it scores all items at once
ITEM = {
    "base": "candidate",
    "DIN": "candidate",
    "DIN, Dice": "candidate",
    "DIEN, AUGRU": "candidate",
    "MIMN": "candidate",
    "SIM, hard": "candidate",
    "SIM, soft": "candidate",
    "ETA": "candidate",
    "DeepFM": "item",
    "Meta-Embedding": "item",
    "DropoutNet": "item",
    "STMP": None,
    "STAMP": None,
    "SASRec": None,
    "EBR": None,
}


class Table(nn.Module):
    """The score of item i for user u is ``table[u, i]``."""

    def __init__(self, table, at_once=False):
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table, dtype=torch.float32))
        self.at_once, self.calls = at_once, []

    def forward(self, batch):
        self.calls.append((len(batch["user"]), self.training, torch.is_grad_enabled()))
        if not self.at_once:
            return self.table[batch["user"], batch["candidate"]]
        scores = self.table[batch["user"]].clone()
        scores[:, 0] = -INF
        return scores


TABLE = [[9, 1, 5, 3, 4], [9, 8, 2, 8, 2]]
USERS = {"user": torch.tensor([0, 1])}


def slowly(name, model, requests, candidates):
    """One request and one candidate at a time."""
    rows = []
    for n, own in enumerate(candidates):
        one = {key: values[n : n + 1] for key, values in requests.items()}
        if ITEM[name] is None:
            rows.append([float(model(one)[0, i]) for i in own])
        else:
            rows.append([float(model(one | {ITEM[name]: own[[k]]}))
                         for k in range(len(own))])  # fmt: skip
    return torch.tensor(rows)


@pytest.mark.parametrize("name", ITEM)
@pytest.mark.parametrize("size", [1, 7, 1024])
def test_scores_agree_with_a_slow_loop(name, size, device):
    requests = batch(name, rows=5)
    draw = torch.rand(5, ITEMS - 1, generator=torch.Generator().manual_seed(1))
    candidates = 1 + draw.argsort(1)[:, :4]  # (N, K)
    model = build(name).to(device)
    options = {"item": ITEM[name] or "candidate", "batch_size": size}
    scores = score(model, requests, candidates, **options)
    with torch.no_grad():
        slow = slowly(name, model.cpu().eval(), requests, candidates)
    torch.testing.assert_close(scores.cpu(), slow, rtol=1e-4, atol=1e-5)
    model.to(device)
    shared = score(model, requests, candidates[0], **options)
    assert torch.equal(shared[0], score(model, requests, candidates, **options)[0])
    assert shared.shape == (5, 4)


@pytest.mark.parametrize("name", ITEM)
def test_the_best_are_those_of_a_slow_loop(name):
    requests = batch(name, rows=6)
    candidates = torch.arange(1, ITEMS)
    seen = batch("DIN", rows=6, seed=1)["history"]  # (N, S), 0 pads
    model = build(name).eval()
    options = {"item": ITEM[name] or "candidate"}
    items, scores = top_k(model, requests, candidates, 3, seen, **options)
    every = score(model, requests, candidates, **options)
    for n in range(6):
        left = [i for i in range(1, ITEMS) if i not in seen[n].tolist()]
        best = sorted(left, key=lambda i: -float(every[n, i - 1]))[:3]
        assert items[n].tolist() == best
        assert scores[n].tolist() == [float(every[n, i - 1]) for i in best]


def test_the_first_recommendations_of_the_quick_start():
    torch.manual_seed(0)
    model = DIN(ItemEmbedding(50, 8), scale=1 / 5).eval()
    seen = torch.tensor([3, 9, 4, 7, 30])
    candidate = torch.arange(1, 50)
    candidate = candidate[~torch.isin(candidate, seen)]
    with torch.no_grad():
        scores = model({
            "history": seen.repeat(len(candidate), 1), "candidate": candidate
        })  # fmt: skip
    request = {"history": seen[None]}
    best = top_k(model, request, torch.arange(1, 50), 8, seen=seen[None])
    assert best.items[0].tolist() == candidate[scores.topk(8).indices].tolist()


@pytest.mark.parametrize("at_once", [False, True])
def test_by_hand(at_once):
    model = Table(TABLE, at_once)
    each = torch.tensor([[2, 4, 0], [1, 2, 3]])
    assert score(model, USERS, each).tolist() == [[5, 4, -INF], [8, 2, 8]]
    assert score(model, USERS, torch.tensor([3])).tolist() == [[3], [8]]
    best = top_k(model, USERS, torch.arange(5), 3)
    assert best.items.tolist() == [[2, 4, 3], [1, 3, 2]]  # of equals, the first
    assert best.scores.tolist() == [[5, 4, 3], [8, 8, 2]]
    turned = top_k(model, USERS, torch.tensor([4, 3, 2, 1]), 3)
    assert turned.items.tolist() == [[2, 4, 3], [3, 1, 4]]


@pytest.mark.parametrize(
    "seen",
    [
        torch.tensor([[2, 0, 2], [3, 1, 0]]),
        torch.tensor([[0, 0, 1, 0, 0], [1, 1, 0, 1, 0]], dtype=torch.bool),
    ],
)
def test_who_has_nothing_left_gets_padding(seen):
    best = top_k(Table(TABLE), USERS, torch.tensor([1, 2, 3]), 2, seen)
    assert best.items.tolist() == [[3, 1], [2, 0]]
    assert best.scores.tolist() == [[3, 1], [2, -INF]]
    nobody = torch.zeros(2, 0, dtype=torch.int64)
    best = top_k(Table(TABLE), USERS, torch.tensor([1, 2, 3]), 1, nobody)
    assert best.items.tolist() == [[2], [1]]


def test_what_one_has_seen_does_not_concern_another(monkeypatch):
    # ids are far apart, and more than one part is made
    monkeypatch.setattr("recsys_tutorial.scoring.PAIRS", 8)
    draw = torch.Generator().manual_seed(0)
    model = Table(torch.rand(9, 1000, generator=draw).tolist())
    requests = {"user": torch.arange(9)}
    candidates = torch.tensor([7, 999, 1, 500])
    seen = torch.randint(1, 1000, (9, 200), generator=draw)
    items = top_k(model, requests, candidates, 4, seen).items
    for n in range(9):
        own = set(items[n].tolist()) - {0}
        assert own == set(candidates.tolist()) - set(seen[n].tolist())


def test_batches_are_of_the_size_asked_for():
    for at_once, sizes in ((False, [4, 4, 2]), (True, [2])):
        model = Table(TABLE, at_once)
        score(model, USERS, torch.tensor([1, 2, 3, 4, 1]), batch_size=4)
        assert [rows for rows, *_ in model.calls] == [1, *sizes]


def test_evaluation_without_gradients_and_all_is_as_before():
    model = nn.Sequential(nn.Dropout(), nn.Dropout(), nn.Linear(1, 1))
    model.train()
    model[1].eval()  # frozen by hand
    with suppress(KeyError), evaluating(model) as device:
        assert device == torch.device("cpu")
        assert not any(part.training for part in model.modules())
        assert not torch.is_grad_enabled()
        raise KeyError("an error in the middle")
    assert [part.training for part in model] == [True, False, True]
    assert torch.is_grad_enabled()
    table = Table(TABLE)
    assert not score(table, USERS, torch.tensor([1])).requires_grad
    assert {call[1:] for call in table.calls} == {(False, False)}
    assert table.training


def test_scores_do_not_depend_on_who_else_asks():
    torch.manual_seed(0)
    model = DIN(ItemEmbedding(20, 4), activation=Dice, attention_activation=Dice)
    history = torch.randint(1, 20, (6, 5))
    before = {n: b.clone() for n, b in model.named_buffers()}
    every = score(model, {"history": history}, torch.arange(1, 20))
    alone = score(model, {"history": history[:1]}, torch.arange(1, 20))
    torch.testing.assert_close(every[:1], alone)
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())


def test_histories_may_be_gathered_batch_by_batch():
    torch.manual_seed(0)
    model, events = DIN(ItemEmbedding(20, 4)), torch.arange(1, 20)
    gathered = Gathered(events, torch.arange(9), torch.arange(9) + 4, 3)
    candidates = torch.arange(1, 20)
    for function in (score, lambda *a, **options: top_k(*a, 2, **options).items):
        answers = [
            function(model, {"history": h}, candidates, batch_size=50)
            for h in (gathered, gathered[torch.arange(9)])
        ]
        assert torch.equal(*answers)


def test_an_entry_of_the_item_s_name_is_not_read():
    old = USERS | {"candidate": torch.tensor([4, 4]), "label": torch.ones(2)}
    scores = score(Table(TABLE), old, torch.tensor([1, 2]))
    assert scores.tolist() == [[1, 5], [8, 2]]


def test_a_model_s_device_is_where_it_computes():
    model = Table(TABLE).to("meta")
    seen = []

    def forward(batch):
        seen.append({values.device.type for values in batch.values()})
        return torch.zeros(len(batch["user"]), device="meta")

    model.forward = forward
    assert score(model, USERS, torch.tensor([1, 2])).device.type == "meta"
    assert seen == [{"meta"}] * 2


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (torch.tensor([1.0]), r"candidates has shape \(1,\) and dtype torch.float32"),
        (torch.ones(3, 2, dtype=torch.int64), r"shape \(3, 2\) .* \(K,\) or \(2, K\)"),
        (torch.tensor(1), r"candidates has shape \(\) and dtype"),
        (torch.zeros(0, dtype=torch.int64), "K at least 1"),
        (torch.tensor([1, -2]), "candidates holds -2; expected ids from 1"),
        ([1, 2], r"candidates is a list; .* of ids: torch.tensor\(candidates\)"),
    ],
)
def test_candidates_that_are_refused(candidates, message):
    for call in (score, lambda *a: top_k(*a, 1)):
        with pytest.raises(ValueError, match=message):
            call(Table(TABLE), USERS, candidates)


def test_an_item_that_the_model_does_not_have():
    with pytest.raises(IndexError, match="candidates holds 5; expected at most 4"):
        score(Table(TABLE, at_once=True), USERS, torch.tensor([5]))
    model = DIN(ItemEmbedding(20, 4))
    with pytest.raises(IndexError, match="candidate holds ids from 20 to 20"):
        score(model, {"history": torch.tensor([[1]])}, torch.tensor([20]))


def test_a_model_of_several_tasks_has_to_choose():
    with pytest.raises(
        ValueError, match=r"model gives shape \(10, 2\); expected \(B,\)"
    ):
        score(build("MMoE"), batch("MMoE"), torch.tensor([1]))


@pytest.mark.parametrize(
    ("k", "seen", "message"),
    [
        (3, None, "k is 3; expected at most 2, the number of candidates"),
        (0, None, "k is 0"),
        (1, torch.ones(2, 2), r"seen has shape \(2, 2\) and dtype torch.float32"),
        (1, torch.ones(3, 2).long(), r"bools of shape \(2, S\)"),
        (1, torch.ones(2, 4).bool(), r"bools of shape \(2, I, above 4\)"),
        (1, torch.tensor([[1], [-3]]), "seen holds -3; expected ids from 1"),
        (1, [[1], [3]], r"seen is a list; expected a dense .*: torch.tensor\(seen\)"),
        (1, torch.ones(2, 1).long().to_sparse(), r"seen is a Tensor; .* seen.to_dense"),
        (
            1,
            Gathered(torch.arange(1, 3), *torch.tensor([[0, 1], [1, 2]]), 1),
            r"seen is a Gathered; expected a dense tensor of ids: seen\[:\]",
        ),
    ],
)
def test_top_k_refuses(k, seen, message):
    with pytest.raises(ValueError, match=message):
        top_k(Table(TABLE), USERS, torch.tensor([1, 4]), k, seen)


class Gives(nn.Module):
    """Answers with what `make` makes of the users."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, batch):
        return self.make(batch["user"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda user: {"score": user.float()}, "the model gives a dict; expected a te"),
        (lambda user: (user.float(),), "the model gives a tuple; expected a tensor"),
        (lambda user: user, r"shape \(1,\) and dtype torch.int64 .*; expected floats"),
        (lambda user: torch.ones(3), r"shape \(3,\) .* for a batch of 1; expected"),
        (
            lambda user: torch.tensor(1.0),
            r"the model gives shape \(\); expected \(B,\)",
        ),
    ],
)
def test_what_are_no_scores(make, message):
    for call in (score, lambda *a: top_k(*a, 1)):
        with pytest.raises(ValueError, match=message):
            call(Gives(make), USERS, torch.tensor([1, 2]))


def test_what_the_model_reads_and_nobody_gave_is_named():
    history = {"history": torch.tensor([[1]])}
    with pytest.raises(ValueError, match="requests lacks 'user', which the model r"):
        score(Table(TABLE), history, torch.tensor([1]))


def test_a_candidate_stands_once():
    twice = torch.tensor([[1, 2, 0, 0], [3, 4, 3, 0]])
    with pytest.raises(ValueError, match="candidates holds 3 twice in row 1"):
        top_k(Table(TABLE), USERS, twice, 1)


def test_a_score_that_is_no_number_is_named():
    model = Table([[0, 1, float("nan")]] * 2)
    with pytest.raises(ValueError, match="score of item 2 in row 0 is NaN; expected a"):
        top_k(model, USERS, torch.tensor([1, 2]), 1)


def test_a_seen_item_without_a_score_stops_nobody():
    model = Table([[0, 1, float("nan")], [0, 3, 2]])
    both = torch.tensor([1, 2])
    best = top_k(model, USERS, both, 1, torch.tensor([[2], [1]]))
    assert best.items.tolist() == [[1], [2]]
    with pytest.raises(ValueError, match="score of item 2 in row 0 is NaN"):
        top_k(model, USERS, both, 1, torch.tensor([[1], [1]]))


def test_ids_of_any_size_may_be_seen():
    huge = 2**63 - 1
    seen = torch.tensor([[huge, 2, huge - 1], [3, huge, huge - 4]])
    best = top_k(Table(TABLE), USERS, torch.tensor([1, 2, 3, 4]), 4, seen)
    assert best.items.tolist() == [[4, 3, 1, 0], [1, 2, 4, 0]]

    class Huge(nn.Module):
        def forward(self, batch):
            return (batch["candidate"] - (huge - 9)).float()

    candidates = torch.arange(huge - 3, huge)  # and the last is kept for `seen`
    best = top_k(Huge(), USERS, candidates, 3, seen)
    assert best.items.tolist() == [
        [huge - 2, huge - 3, 0],
        [huge - 1, huge - 2, huge - 3],
    ]
