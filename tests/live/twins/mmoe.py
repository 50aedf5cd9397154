"""The census by `MMoE`: a person to two gates and two chances."""

import bisect
from itertools import pairwise

import torch
from torch import tensor

from recsys_tutorial.layers import FieldEmbedding
from recsys_tutorial.models.mmoe import MMoE

SPAN = {"gates": 1, "chances": 1}
ORDER = {"gates"}
BREAKS = {
    "an edge belongs to the bin above": ("edge < value", "edge <= value"),
    "the softmax runs over both tasks": ("scores.slice(t * E, (t + 1) * E)", "scores"),
    "the experts are linear": ("math.relu(math.linear(data.e", "(math.linear(data.e"),
    "the towers are linear": ("math.relu(math.plus(", "(math.plus("),
    "a tower has no bias": (" + data.output_bias[t][0][0]", ""),
    "the first gate serves both": ("math.times(math.transpose(experts), gate)",
                                   "math.times(math.transpose(experts), gates[0])"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "age": draw.randint(17, 90),
            "schooling": draw.randint(0, 15),
            "hours": draw.randint(1, 99),
        }


def answer(numbers, words, state):
    model = built(numbers)
    ids, at, edges = list(words["fixed"]), words["place"], words["edges"]
    for name, value in (("age", state["age"]), ("hours_per_week", state["hours"])):
        ids[at[name]] = bisect.bisect_left(edges[name], value) + 1
    ids[at["education"]] = words["schooling"][state["schooling"]]
    batch = {"features": tensor([ids])}
    with torch.no_grad():
        gates, chances = model.explain(batch).gates[0], model(batch)[0].sigmoid()
    return {"gates": gates, "chances": chances}


def built(numbers):
    """Give the package's model with these weights."""
    offsets = [*numbers["offsets"].tolist(), len(numbers["table"])]
    sizes = [b - a for a, b in pairwise(offsets)]
    model = MMoE(FieldEmbedding(sizes, dim=numbers["table"].shape[1]), n_tasks=2)
    model.load_state_dict(
        {
            "inputs.table": numbers["table"],
            "experts.linear.weight": numbers["experts"],
            "experts.linear.bias": numbers["experts_bias"],
            "gates.linear.weight": numbers["gates"],
            "towers.hidden.weight": numbers["hidden"],
            "towers.hidden.bias": numbers["hidden_bias"],
            "towers.output.weight": numbers["output"],
            "towers.output.bias": numbers["output_bias"],
        }
    )
    return model.eval()
