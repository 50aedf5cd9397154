"""Codes, distances and the twenty found, by ETA's `HashSearch`."""

import torch
import torch.nn.functional as F

from recsys_tutorial.models.eta import HashSearch, hamming
from recsys_tutorial.models.sim import top_k

SPAN = {"distances": 0, "cosines": 2, "found": 0, "exact": 0, "recall": 1, "mean": 1}
ORDER = set()
BREAKS = {
    "one bit too few": ("planes.slice(0, bits)", "planes.slice(1, bits)"),
    "the bits that agree are counted": ("bit !== own[i]", "bit === own[i]"),
    "the earlier of equals comes first": ("later[i] - d", "-later[i] - d"),
    "the farthest are found": ("later[i] - d", "later[i] + d"),
    "an inner product for a cosine": ("math.cosine(step", "math.dot(step"),
}
BITS = [1, 2, 4, 8, 16, 32, 64, 128]


def states(draw, kept):
    while True:
        yield {
            "candidate": draw.randrange(len(kept["words"]["candidates"])),
            "bits": draw.randrange(len(BITS)),
        }


def answer(numbers, words, state):
    all_of = [searched(numbers, c, state) for c in range(len(numbers["candidates"]))]
    mean = sum(found["recall"] for found in all_of) / len(all_of)
    return all_of[state["candidate"]] | {"mean": mean}


def searched(numbers, chosen, state):
    m = BITS[state["bits"]]
    search = HashSearch(numbers["history"].shape[1], bits=m)
    search.planes.copy_(numbers["planes"][:m].T)
    history, candidate = numbers["history"], numbers["candidates"][chosen]
    codes, own = search.codes(history), search.codes(candidate)
    ids = torch.ones(1, len(history), dtype=torch.int64)
    scores, real = search(ids, None, history[None], candidate[None])
    found, _ = top_k(scores, real, 20)
    cosines = F.cosine_similarity(history.double(), candidate.double(), dim=1)
    exact = cosines.argsort(descending=True, stable=True)[:20]
    recall = len(set(found[0].tolist()) & set(exact.tolist())) / 20
    return {
        "distances": hamming(codes, own),
        "cosines": cosines,
        "found": found[0],
        "exact": exact,
        "recall": recall,
    }
