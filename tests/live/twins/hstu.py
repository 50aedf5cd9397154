"""Four counting layers by the package's `aggregate`; the history is laid out."""

import torch
import torch.nn.functional as F

from recsys_tutorial.models.hstu import aggregate

SPAN = {"says": 25}
ORDER = set()
BREAKS = {
    "no softmax at all": ("i % 2 === 0, i > 1", "false, i > 1"),
    "all have a start event": ("i % 2 === 0, i > 1", "i % 2 === 0, true"),
    "SiLU without the product": ("value * math.sigmoid(value)", "math.sigmoid(value)"),
    "no division by the longest history": ("silu(p) / MOST", "silu(p)"),
    "the norm forgets the mean": ("value - mean)", "value)"),
    "no epsilon": (" + 1e-5)", ")"),
    "values are taken for keys": ("math.dot(part(id, 3), query)",
                                  "math.dot(part(id, 1), query)"),
    "no gate": ("value * part(1, 0)[d]", "value"),
    "one other topic": ("2 + n % (TOPICS - 1)", "2"),
    "the reading layers are linear": ("math.relu(math.linear(own.hidden",
                                      "(math.linear(own.hidden"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"count": draw.randint(4, 20), "others": draw.randint(1, 20)}


def answer(numbers, words, state):
    row = [1] * state["count"] + [2 + n % 9 for n in range(state["others"])]
    found = []
    for n, letter in enumerate("abcd"):
        own = {k[2:]: x for k, x in numbers.items() if k.startswith(f"{letter}_")}
        events = torch.tensor([11] * (n > 1) + row)
        parts = F.silu(F.linear(own["events"], own["first"], own["first_bias"]))
        gate, v, q, k = parts.chunk(4, 1)  # of every topic
        mixed, _ = aggregate(
            q[1:2], k[events], v[events], torch.tensor(True), 0.0, 40, n % 2 == 0
        )
        mixed = F.layer_norm(mixed, mixed.shape[1:]) * gate[1]
        x = torch.cat([mixed[0], own["events"][1]])
        hidden = F.linear(x, own["hidden"], own["hidden_bias"]).relu()
        found.append(F.linear(hidden, own["out"], own["out_bias"]).item())
    return {"says": found}
