"""Means over impressions by `conversion_chain`'s click rates, as PyTorch weighs."""

import torch

SPAN = {"weights": 0.05, "means": 0.5}
ORDER = {"means"}
BREAKS = {
    "clicks weight the other way": ("** (picked / PICKED)", "** (-picked / PICKED)"),
    "the weights are not normalised": ("1 / math.sum(powers)", "1 / powers.length"),
    "the first world for all": (
        "data.rates[world].map((row) => math.dot",
        "data.rates[0].map((row) => math.dot",
    ),
    "groups in the wrong order": ("data.click.map", "[...data.click].reverse().map"),
    "a scale that ends half way": ("const PICKED = 10", "const PICKED = 20"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "world": draw.randrange(len(kept["words"]["worlds"])),
            "picked": draw.randint(0, 10),
        }


def answer(numbers, words, state):
    click = numbers["click"].double()
    rates = numbers["rates"][state["world"]].double()
    weights = (click.log() * state["picked"] / 10).softmax(0)
    return {"weights": weights, "means": torch.einsum("mg,g->m", rates, weights)}
