"""New items' starts and steps by `MetaEmbedding`, `DeepFM` and `warm_up`, in double."""

import torch

from recsys_tutorial.models.deepfm import DeepFM
from recsys_tutorial.models.meta_embedding import MetaEmbedding, warm_up

SPAN = {"chances": 1, "errors": 0.3}
ORDER = set()
BREAKS = {
    "uphill": ("value - rate *", "value + rate *"),
    "the sum of the losses": ("clicked[j]) / users.length", "clicked[j])"),
    "a gradient through a shut ReLU": ("own[h] + user.still[h] > 0 ?", "true ?"),
    "no gradient from the pairs": ("[0][d] + user.c[d])", "[0][d])"),
    "no inner product of item and user": ("value + linear[D + d]", "linear[D + d]"),
    "a linear network": ("Math.max(own[h] + still[h], 0)", "(own[h] + still[h])"),
    "its own content where there is none": ("own.map(() => 0)][c", "own][c"),
    "no tanh": (".map(Math.tanh)", ""),
    "the same batch again": ("users[i].slice(...batch)", "users[i].slice(0, K)"),
    "tested on users that were seen": ("users[i].slice(n)", "users[i].slice(0, -n)"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"samples": draw.randint(0, 5), "content": draw.randrange(3)}


def answer(numbers, words, state):
    meta = built(numbers, state["content"])
    base, ids = meta.base, torch.arange(1, len(numbers["content"]) + 1)
    who, clicked = numbers["who"], numbers["clicked"].double()
    n, K = clicked.shape[1], words["K"]
    tested = rows(ids, who[:, n:])
    starts = {
        "random": numbers["random"].double(),
        "generated": meta.generate(ids).detach(),
    }
    chances, errors = [], []
    for start in starts.values():
        table, found = torch.cat([torch.zeros(1, start.shape[1]).double(), start]), []
        for k in range(n // K + 1):
            if k:
                some = slice((k - 1) * K, k * K)
                batch = rows(ids, who[:, some], clicked[:, some])
                table = warm_up(base, table, batch, words["rate"])
            with torch.no_grad():
                p = base(tested, table[tested["item"]]).sigmoid().view(len(ids), -1)
            found.append((p - numbers["truth"]).abs().mean())
            if k == state["samples"]:
                chances.append(p)
        errors.append(torch.stack(found))
    return {"chances": torch.stack(chances), "errors": torch.stack(errors)}


def rows(ids, who, clicked=None):
    """Give a batch of all users of all items, and of their clicks."""
    batch = {
        "item": ids.repeat_interleave(who.shape[1]),
        "features": who.reshape(-1, 1) + 1,  # a page counts users from 0
    }
    return batch if clicked is None else batch | {"label": clicked.reshape(-1)}


def built(numbers, content):
    """Give the generator and its base, with the content that is told."""
    own = numbers["content"]
    told = [own, own.roll(-1, 0), torch.zeros_like(own)][content]
    told = torch.cat([torch.zeros(1, own.shape[1]), told])
    users = numbers["users"]
    base = DeepFM(
        told, [], [len(users) + 1], users.shape[1], len(numbers["hidden_bias"])
    )
    base.load_state_dict(
        base.state_dict()
        | {
            "context.table": torch.cat([torch.zeros(1, users.shape[1]), users]),
            "linear.weight": numbers["linear"],
            "linear.bias": numbers["linear_bias"],
            "hidden.weight": numbers["hidden"],
            "hidden.bias": numbers["hidden_bias"],
            "output.weight": numbers["output"],
        }
    )
    meta = MetaEmbedding(base)
    meta.generator.weight.data = numbers["generator"]
    return meta.double()
