"""A candidate and a history by DIN's `ActivationUnit`: the weights of the steps."""

import torch

from recsys_tutorial.models.din import DIN, ItemEmbedding

SPAN = {"weights": 8, "padding": 8}
ORDER = set()
BREAKS = {
    "the difference the wrong way": ("value - step[i]", "step[i] - value"),
    "the step comes first": ("[...candidate, ...step,", "[...step, ...candidate,"),
    "a linear unit": ("math.prelu(s, data.alpha)", "s"),
    "the softmax sees the padding": ("real[j] ? score : -Infinity", "true ? score : 0"),
    "padding is only set to zero": ("score : -Infinity", "score : 0"),
    "the mask is upside down": ("|| !masked", "|| masked"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "candidate": draw.randrange(len(kept["words"]["candidates"])),
            "softmax": draw.random() < 0.5,
            "padded": draw.random() < 0.7,
            "masked": draw.random() < 0.5,
        }


def answer(numbers, words, state):
    steps, others = numbers["history"], numbers["candidates"]
    L, D = steps.shape
    history = torch.cat([torch.zeros(1, D), steps, others])
    ids = torch.arange(1, L + 1)
    if state["padded"]:
        ids = torch.cat([ids, torch.zeros(words["padding"], dtype=torch.int64)])
    asked = torch.tensor([L + 1 + state["candidate"]])
    batch = {"history": ids[None], "candidate": asked}
    model = DIN(
        ItemEmbedding(len(history), D),
        attention_units=len(numbers["alpha"]),
        softmax=state["softmax"],
    )
    model.items.ids.data = history
    model.unit.load_state_dict(
        {
            "hidden.weight": numbers["hidden"],
            "hidden.bias": numbers["hidden_bias"],
            "activation.alpha": numbers["alpha"],
            "output.weight": numbers["output"],
            "output.bias": numbers["output_bias"],
        }
    )
    with torch.no_grad():
        if state["masked"]:
            weights = model.explain(batch).weights[0]
        else:  # all steps count as real
            table = model.items.table()
            everywhere = torch.ones_like(batch["history"], dtype=torch.bool)
            films = table[batch["history"]], table[batch["candidate"]]
            scores = model.unit(*films, everywhere)[0]
            weights = scores.softmax(0) if state["softmax"] else scores
    return {"weights": weights[:L], "padding": weights[L:].sum()}
