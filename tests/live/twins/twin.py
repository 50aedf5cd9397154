"""What six first stages pick, by searches of SIM and ETA and TWIN's `by_turns`."""

import torch

from recsys_tutorial.models.eta import HashSearch
from recsys_tutorial.models.sim import HardSearch, RecentSearch, top_k
from recsys_tutorial.models.twin import by_turns

SPAN = {"picked": 0, "wanted": 0, "hits": 0}
ORDER = set()
BREAKS = {
    "the second head begins": ("rank * HEADS + h", "rank * HEADS - h"),
    "the heads do not take turns": ("rank * HEADS + h", "rank + 1000 * h"),
    "not divided by the root of a head": ("Math.sqrt(data.query.length / HEADS)", "1"),
    "no bias of the cross features": (" + data.extra[i][h]", ""),
    "old keys are wanted, too": (
        "turns(alpha(data, data.keys), k), picked",
        "turns(alpha(data, data.old), k), picked",
    ),
    "the bits that agree are counted": ("bit !== own[b]", "bit === own[b]"),
    "the earliest of the genre": ("math.range(n).reverse()", "math.range(n)"),
    "hits are what was missed": (
        "hits: picked.filter((i) => w",
        "hits: picked.filter((i) => !w",
    ),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {"rule": draw.randrange(6), "k": draw.randint(5, 50)}


def answer(numbers, words, state):
    keys, k = numbers["keys"], state["k"]
    real = torch.ones(1, len(keys), dtype=torch.bool)
    wanted = by_turns(alpha(numbers, keys), real, k)[0][0]
    picked = pick(numbers, state["rule"], real, k)
    both = set(picked.tolist()) & set(wanted.tolist())
    return {"picked": picked, "wanted": wanted, "hits": len(both)}


def alpha(numbers, keys):
    """Eq. (6) with two heads: (1, 2, L)."""
    q, k = (x.double().unflatten(-1, (2, -1)) for x in (numbers["query"], keys))
    scores = torch.einsum("hd,lhd->hl", q, k) / q.shape[1] ** 0.5
    return (scores + numbers["extra"].T).unsqueeze(0)


def pick(numbers, rule, real, k):
    if rule >= 4:
        keys = numbers["keys" if rule == 4 else "old"]
        return by_turns(alpha(numbers, keys), real, k)[0][0]
    steps, candidate = numbers["steps"].double(), numbers["candidate"].double()
    if rule == 2:
        return top_k((steps @ candidate).unsqueeze(0), real, k)[0][0]
    if rule == 3:
        search = HashSearch(len(candidate), len(numbers["planes"]))
        search.planes = numbers["planes"].double().T
        near = search.compare(search.codes(steps)[None], search.codes(candidate)[None])
        return top_k(near, real, k)[0][0]
    n = real.shape[1]
    ids = torch.arange(1, n + 1).unsqueeze(0)  # every film its own, then the candidate
    rows = numbers["genres"], numbers["genre"].unsqueeze(0)
    table = torch.cat([torch.zeros_like(rows[1]), *rows]).float()
    search = HardSearch(table) if rule else RecentSearch()
    scores, mask = search(ids, torch.tensor([n + 1]), None, None)
    found, there = top_k(scores, mask, k)
    return found[0][there[0]]
