"""A session and its order by two `STAMP`: what they give to the two interests."""

import torch

from recsys_tutorial.models.stamp import STAMP

SPAN = {"shares": 1, "places": 0}
ORDER = set()
BREAKS = {
    "the first click leads": ("clicks[clicks.length - 1]", "clicks[0]"),
    "a sum for the mean": ("1 / clicks.length", "1"),
    "the attention does not see the last click": ("own.query ? math", "false ? math"),
    "no sigmoid in the attention": (".map(math.sigmoid)", ""),
    "a sum of the interests": ("value * current[d]", "value + current[d]"),
    "no tanh": ("own.general_bias, sum).map(Math.tanh)", "own.general_bias, sum)"),
    "padding is a candidate": ("own.items.slice(1)", "own.items"),
    "all clicks are old ones": ("data.fresh.slice(0,", "data.past.slice(0,"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"after": draw.randint(0, 5), "turned": draw.randint(1, 5)}


def answer(numbers, words, state):
    past, fresh = numbers["past"].tolist(), numbers["fresh"].tolist()
    start = len(past) - state["after"]
    history = past[:start] + fresh[: state["turned"]] + past[start:]
    shares = []
    for name in ("with_", "without_"):
        own = {
            key.removeprefix(name): numbers[key] * worth
            for key, worth in words["worth"].items()
            if key.startswith(name)
        }
        n_items, dim = own["items"].shape
        model = STAMP(n_items, dim=dim, last="query" in own)
        stored = {
            key: own[key.replace(".weight", "").replace(".bias", "_bias")]
            for key in model.state_dict()
        }
        model.load_state_dict(stored)
        with torch.no_grad():
            chances = model({"history": torch.tensor([history])})[0].softmax(0)[1:]
        by_interest = chances.view(-1, 10).sum(0)
        two = by_interest[[(past[0] - 1) % 10, (fresh[0] - 1) % 10]]
        shares.append([*two.tolist(), 1 - two.sum().item()])
    return {"shares": shares, "places": [int(id in fresh) for id in history]}
