"""Quotas of clusters by `quotas`, and the lists that they make of their films."""

import math

from recsys_tutorial.retrieval import quotas

SPAN = {"given": 0, "hit": 0, "recall": 1, "largest": 1}
ORDER = set()
BREAKS = {
    "the largest share gets the place": ("value - more[k]))", "value))"),
    "a cluster gives too much": ("Math.min(n + more[k], room[k])", "n + more[k]"),
    "what is left over is lost": ("left = total - math.sum(given);\n", "left = 0;\n"),
    "the winner is sought by an ordinary power": ("Number(ratio === 1)", "1"),
    "a place too many": ("data.place[i] < given", "data.place[i] <= given"),
    "the first history for all": ("data.room[i]));", "data.room[0]));"),
}
ALPHAS = [0.0, 0.5, 1.0, 1.5, 2.0, 4.0, math.inf]


def states(draw, kept):
    while True:
        yield {
            "alpha": draw.randrange(len(ALPHAS)),
            "places": draw.randrange(10, kept["words"]["most"] + 1, 10),
            "who": draw.randrange(len(kept["words"]["people"])),
        }


def answer(numbers, words, state):
    total, who = state["places"], state["who"]
    alpha = ALPHAS[state["alpha"]]
    given = quotas(numbers["wanted"], total, alpha, numbers["room"])  # (N, K)
    own = given.gather(1, numbers["target"][:, None])[:, 0]
    hit = numbers["place"] < own
    return {
        "given": given[who],
        "hit": hit[who],
        "recall": hit.double().mean(),
        "largest": (given.amax(1) / total).double().mean(),
    }
