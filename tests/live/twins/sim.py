"""A long history by `SIM`: what its search finds, and two candidates' chances."""

import torch

from recsys_tutorial.data.lifelong import topic_table
from recsys_tutorial.models.din import ItemEmbedding
from recsys_tutorial.models.sim import SIM, HardSearch, RecentSearch, SoftSearch

SPAN = {"chances": 1, "hits": 0, "steps": 0}
ORDER = set()
BREAKS = {
    "the earliest come first": ("data.long.length).reverse()", "data.long.length)"),
    "soft search takes the worst": ("target))).slice", "target))).reverse().slice"),
    "no projection": ("math.dot(own.items[step], target)",
                      "math.dot(own.items[step], own.items[id])"),
    "one head serves as both": ("rows(own.exact_target, h,",
                                "rows(own.exact_target, 0,"),
    "the difference the wrong way": ("value - step[d]", "step[d] - value"),
    "a sum of the recent steps": ("1 / steps.length", "1"),
    "misses are counted": ("=== topic(data, data.candidates[0]",
                           "!== topic(data, data.candidates[0]"),
    "the head is linear at first": (
        "first = math.prelu(math.linear(own.head0, own.head0_bias, x), own.head1)",
        "first = math.linear(own.head0, own.head0_bias, x)",
    ),
}  # fmt: skip
SIZES = [1, 2, 5, 10, 20, 60]


def states(draw, kept):
    while True:
        yield {"size": draw.randrange(6), "method": draw.randrange(3)}


def answer(numbers, words, state):
    name = "soft_" if state["method"] == 1 else "hard_"
    own = {k.removeprefix(name): x for k, x in numbers.items() if k.startswith(name)}
    n_items, D = own["items"].shape
    n_topics = (n_items - 1) // words["items_of_topic"]
    topics = topic_table(n_topics, words["items_of_topic"] // 2)
    search = (HardSearch(topics), SoftSearch(D), RecentSearch())[state["method"]]
    if state["method"] == 1:
        search.step.weight.data = own["step"]
        search.target.weight.data = own["target"]
    history, long, asked = (numbers[k] for k in ("history", "long", "candidates"))
    model = SIM(
        ItemEmbedding(n_items, D),
        search,
        k=SIZES[state["size"]],
        scale=1 / len(history),
    )
    model.items.ids.data = own["items"]
    model.exact.steps.weight.data = own["exact_steps"]
    model.exact.target.weight.data = own["exact_target"]
    for key in ("hidden", "output"):
        getattr(model.unit, key).weight.data = own[key]
        getattr(model.unit, key).bias.data = own[f"{key}_bias"]
    model.unit.activation.alpha.data = own["alpha"]
    for i in (0, 2, 4):
        model.head[i].weight.data = own[f"head{i}"]
        model.head[i].bias.data = own[f"head{i}_bias"]
    for i in (1, 3):
        model.head[i].alpha.data = own[f"head{i}"]
    batch = {"history": history.expand(2, -1), "long": long.expand(2, -1)}
    with torch.no_grad():
        inside = model.explain(batch | {"candidate": asked})
        chances = model.logits(inside).sigmoid()
    steps = long[inside.found[0][inside.real[0]]]
    same = topics[steps].argmax(1) == topics[asked[0]].argmax()
    return {"chances": chances, "hits": same.sum(), "steps": steps.sort().values}
