"""The gradient that a task sends to each expert, by PyTorch through `PLE`."""

import torch
import torch.nn.functional as F

from recsys_tutorial.layers import DenseInput
from recsys_tutorial.models.ple import PLE

SPAN = {"levels": 1, "gates": 1, "mixes": 1}
ORDER = set()
BREAKS = {
    "one expert's weights for all": ("map((w) => w[e])", "map((w) => w[0])"),
    "the upper level has no mask": ("(open(task, e, mask) ? math", "(true ? math"),
    "nothing comes by the gate": ("weights[e] * (math.dot(one", "0 * (math.dot(one"),
    "a gate ignores the mean": (" - math.dot(top, v)", ""),
    "an upper expert is linear": ("s > 0 ? weights[e] * v[h] : 0", "weights[e] * v[h]"),
    "a tower is linear": ("inner[h] > 0 ? w : 0", "w"),
    "own experts read the shared mixture": ("fused[owner(e)]", "fused[2]"),
    "the first tower serves both": ('("hidden")[task], out', '("hidden")[0], out'),
}  # fmt: skip
MODELS = ["MMoE", "CGC", "ML-MMoE", "PLE"]


def states(draw, kept):
    while True:
        yield {
            "mask": draw.random() < 0.5,
            "deep": draw.random() < 0.5,
            "task": draw.randrange(2),
        }


def answer(numbers, words, state):
    name = MODELS[state["mask"] + 2 * state["deep"]]
    found = {
        key.removesuffix(f"_{name}"): x.double()
        for key, x in numbers.items()
        if key.endswith(f"_{name}")
    }
    model = built(found, state)
    people = torch.eye(len(found["experts"]), dtype=torch.float64)
    inside = model.explain({"features": people})
    logits = model.towers(inside.fused[-1])[:, state["task"]]
    asked = [*inside.experts[::-1], inside.fused[0]]
    slopes = torch.autograd.grad(logits.sum(), asked)
    *levels, mixes = (F.normalize(x.norm(dim=2), p=1).mean(0) for x in slopes)
    return {
        "levels": torch.stack(levels),
        "gates": inside.gates[0].detach().mean(0),
        "mixes": mixes if state["deep"] else torch.zeros(0),
    }


def built(found, state):
    """Give `PLE` with these weights, for people who are rows of a unit matrix.

    Their experts' outputs and the logarithms of their gates' weights stand in the
    weights of the first level.
    """
    n_people, _, units = found["experts"].shape
    model = PLE(
        DenseInput(n_people),
        n_tasks=2,
        levels=1 + state["deep"],
        expert_units=units,
        tower_units=found["hidden"].shape[2],
        separate=state["mask"],
    ).double()
    model.load_state_dict(
        lower(found["experts"], found["gates"])
        | (upper(found) if state["deep"] else {})
        | {
            "towers.hidden.weight": found["hidden"],
            "towers.hidden.bias": found["hidden_bias"],
            "towers.output.weight": found["output"],
        },
        strict=False,
    )
    return model


def lower(experts, gates):
    """Weights of the first level that give these outputs."""
    n_people, _, units = experts.shape
    own = experts[:, :4].reshape(n_people, 2, 2 * units).transpose(0, 1)
    return {
        "levels.0.own.weight": own,
        "levels.0.own.bias": own.new_zeros(2, 1, 2 * units),
        "levels.0.shared.linear.weight": experts[:, 4:].flatten(1).T,
        "levels.0.shared.linear.bias": own.new_zeros(4 * units),
        "levels.0.gates.weight": gates.clamp(min=1e-300).log().transpose(0, 1),
    }


def upper(found):
    weight, bias = found["upper"], found["upper_bias"]
    return {
        "levels.1.own.weight": weight[:4].reshape(2, -1, weight.shape[2]).mT,
        "levels.1.own.bias": bias[:4].reshape(2, 1, -1),
        "levels.1.shared.linear.weight": weight[4:].flatten(0, 1),
        "levels.1.shared.linear.bias": bias[4:].flatten(),
        "levels.1.gates.weight": found["upper_gates"],
    }
