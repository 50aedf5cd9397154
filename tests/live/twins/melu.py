"""Five ratings and their local steps by `MeLU`, in double precision."""

import torch

from recsys_tutorial.models.melu import MeLU

SPAN = {"before": 6, "after": 6, "common": 1}
ORDER = {"before", "after"}
BREAKS = {
    "the loss is a sum": (" / support.length]", "]"),
    "uphill": ("[2 * (rating - stars[i])", "[2 * (stars[i] - rating)"),
    "a gradient passes where the ReLU is shut": ("(inputs[l][j] > 0 ? s : 0)", "s"),
    "the biases stay": ("next[l].b[o] -= rate * s;", ""),
    "the first layer stays": ("l >= 0; l -= 1", "l > 0; l -= 1"),
    "a step too few": ("k < state.steps", "k + 1 < state.steps"),
    "each step starts anew": ("layers = step(layers,", "step(layers,"),
}


def states(draw, kept):
    while True:
        state = {f"film{i}": draw.randint(1, 5) for i in range(5)}
        yield state | {"steps": draw.randint(1, 5)}


def answer(numbers, words, state):
    support, query = numbers["support"], numbers["query"]
    n, width = support.shape
    none = torch.zeros(1, width)
    model = MeLU(
        torch.zeros(2, 0),  # the person is in each pair already
        torch.cat([none, support, query]),
        [width],
        steps=state["steps"],
        inner_lr=words["rate"],
        dim=width,
        units=len(numbers["bias1"]),
        mean=words["mean"],
    )
    weights = {"embedding": torch.eye(width)}
    for layer, name in enumerate(("decision.0", "decision.2", "decision.4"), start=1):
        weights[f"{name}.weight"] = numbers[f"weight{layer}"]
        weights[f"{name}.bias"] = numbers[f"bias{layer}"]
    model.estimator.load_state_dict(weights)
    stars = torch.tensor([[state[f"film{i}"] for i in range(n)]])
    batch = {
        "user": torch.tensor([1]),
        "support": torch.arange(1, n + 1)[None],
        "support_rating": stars.double(),
        "query": torch.arange(n + 1, n + 1 + len(query))[None],
    }
    with torch.no_grad():
        predictions = model.double().explain(batch).predictions[0]
    before, after = predictions[0], predictions[-1]
    moves = after - before
    return {
        "before": before,
        "after": after,
        "common": moves.mean().square() / moves.square().mean(),
    }
