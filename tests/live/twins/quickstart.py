"""Films that somebody likes, as a history, and what `DIN` gives the listed films."""

import torch

from recsys_tutorial.models.din import DIN, ItemEmbedding

SPAN = {"scores": 8}
ORDER = set()
BREAKS = {
    "a film stands in the history once": ("* times / STEPS", "/ STEPS"),
    "the sum is not scaled": ("* times / STEPS", "* times"),
    "no product in the unit": ("+ x * at(w, 3, d)", ""),
    "the difference the wrong way": ("d) - at(w, 2, d)", "d) + at(w, 2, d)"),
    "the candidate before the user": ("[...user(data, steps, times, asked), ...asked]",
                                      "[...asked, ...user(data, steps, times, asked)]"),
    "the last layer has no bias": ("math.dot(data.last[0], x) + data.last_bias[0]",
                                   "math.dot(data.last[0], x)"),
}  # fmt: skip


def states(draw, kept):
    films = range(len(kept["words"]["liked"]))
    while True:
        yield {
            "liked": sorted(draw.sample(films, draw.randint(0, 6))),
            "times": draw.randint(1, 10),
        }


def answer(numbers, words, state):
    liked, offered = numbers["liked"], numbers["offered"]
    none = torch.zeros(1, liked.shape[1])
    table = torch.cat([none, liked, offered])
    model = DIN(ItemEmbedding(*table.shape), scale=0.02)
    model.items.ids.data = table
    unit, head = model.unit, model.head
    for layer, name in (
        (unit.hidden, "hidden"),
        (unit.output, "output"),
        (head[0], "first"),
        (head[2], "second"),
        (head[4], "last"),
    ):
        layer.weight.data, layer.bias.data = numbers[name], numbers[f"{name}_bias"]
    unit.activation.alpha.data = numbers["alpha"]
    head[1].alpha.data = numbers["first_alpha"]
    head[3].alpha.data = numbers["second_alpha"]
    history = [1 + j for j in state["liked"]] * state["times"] or [0]
    candidate = torch.arange(len(offered)) + 1 + len(liked)
    histories = torch.tensor([history]).repeat(len(offered), 1)
    batch = {"history": histories, "candidate": candidate}
    with torch.no_grad():
        return {"scores": model(batch)}
