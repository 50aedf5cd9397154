"""The last step of a chain by AITM's `Transfer`: weights, logits, order of people."""

import torch

from recsys_tutorial.models.aitm import Transfer

SPAN = {"weights": 1, "logits": 10, "pairs": 1}
ORDER = set()
BREAKS = {
    "the weight is one's own": ("score(own)])[0]", "score(own)])[1]"),
    "no score is learnt": ("math.times(data.scores[rate], u)", "u"),
    "one's own has no weight": ("+ (1 - w) * math.dot", "+ math.dot"),
    "the choices are exchanged": ("heard === 1 ? 0 : 1", "heard === 1 ? 1 : 0"),
    "there is no bias": (" + data.bias[rate]));", "));"),
    "pairs are counted twice": ("if (a > b)", "if (a !== b)"),
    "another rate's maps": ("output = data.outputs[rate]", "output = data.outputs[0]"),
}


def states(draw, kept):
    while True:
        yield {
            "rate": draw.randrange(len(kept["words"]["rates"])),
            "heard": draw.randrange(3),
        }


def answer(numbers, words, state):
    at = {key: x[state["rate"]].double() for key, x in numbers.items()}
    passed, own = at["passed"], at["own"]
    width = own.shape[1]
    transfer = Transfer(width).double()
    with torch.no_grad():
        for layer in (transfer.info, transfer.value, transfer.key):
            layer.weight.copy_(torch.eye(width))
        transfer.info.bias.zero_()  # what is passed has been through a ReLU
        transfer.query.weight.copy_(at["scores"] * width**0.5)
        mixed, weights = transfer(passed, own)
    if state["heard"]:
        mixed = own if state["heard"] == 1 else passed
        weights = torch.eye(2)[2 - state["heard"]].expand(len(own), 2)
    logits = mixed @ at["outputs"] + at["bias"]
    likelier = at["truth"][:, None] > at["truth"]
    before = logits[:, None] > logits
    return {
        "weights": weights[:, 0],
        "logits": logits,
        "pairs": (likelier & before).sum() / likelier.sum(),
    }
