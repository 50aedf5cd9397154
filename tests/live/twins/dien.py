"""One history by `DIEN`: attention, the shares that are written, and the chances."""

import torch

from recsys_tutorial.models.dien import DIEN
from recsys_tutorial.models.din import ItemEmbedding

SPAN = {"weights": 0.5, "shares": 0.5, "chances": 1}
ORDER = {"weights"}
BREAKS = {
    "each state starts over": ("gru(data, x, h)", "gru(data, x, math.scale(h, 0))"),
    "attention does not gate": ("weights[t] * math.sigmoid", "math.sigmoid"),
    "reset for update": ("into[D + d] + from[D + d]));", "into[d] + from[d]));"),
    "the share is what is kept": ("(1 - share[d]) * old + share[d] * fresh",
                                  "share[d] * old + (1 - share[d]) * fresh"),
    "the attention's matrix lies on its side": (
        "math.times(data.attention, candidate)",
        "math.times(math.transpose(data.attention), candidate)",
    ),
    "the candidate comes first": ("[...user, ...candidate]", "[...candidate, ...user]"),
    "never back to front": ("state.backwards ? [...x].reverse()", "false ? x"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"candidate": draw.randrange(6), "backwards": draw.random() < 0.5}


def answer(numbers, words, state):
    steps, asked = numbers["history"], numbers["candidates"]
    L, D = steps.shape
    model = DIEN(ItemEmbedding(1 + L + len(asked), D))
    model.items.ids.data = torch.cat([torch.zeros(1, D), steps, asked])
    for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(model.extraction, f"{key}_l0").data = numbers[key]
    model.attention.weight.data = numbers["attention"]
    model.evolution.input.weight.data = numbers["input"]
    model.evolution.input.bias.data = numbers["input_bias"]
    model.evolution.state.weight.data = numbers["state"]
    for i in (0, 2, 4):
        model.head[i].weight.data = numbers[f"head{i}"]
        model.head[i].bias.data = numbers[f"head{i}_bias"]
    for i in (1, 3):
        model.head[i].alpha.data = numbers[f"head{i}"]
    history = torch.arange(1, L + 1)
    if state["backwards"]:
        history = history.flip(0)
    candidate = torch.tensor([1 + L + state["candidate"]])
    with torch.no_grad():
        inside = model.explain({"history": history[None], "candidate": candidate})
        read = torch.cat([inside.path[0], inside.candidate.expand(L, -1)], 1)
        chances = model.head(read).squeeze(1).sigmoid()
    return {
        "weights": inside.weights[0],
        "shares": inside.shares[0].mean(1),
        "chances": chances,
    }
