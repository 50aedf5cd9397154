"""Typical mistakes in Exercise 4 of the chapter on ETA.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def search_by_signs(table, planes, long, candidate, k):"""

RIGHT = """
    m, L = planes.shape[1], long.shape[1]
    signs = 2 * (table @ planes > 0).float() - 1
    product = (signs[long] @ signs[candidate].unsqueeze(2)).squeeze(2)
    distance = ((m - product) / 2).round().long()
    distance = distance.masked_fill(long == 0, m + 1)
    found = (L * distance + torch.arange(L).flip(0)).argsort(1)[:, :k]
    return found, distance.gather(1, found)
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


RANKS = "(L * distance + torch.arange(L).flip(0)).argsort(1)"

WRONG = {
    "not halved": (instead("((m - product) / 2).round()", "m - product"), "/ 2"),
    "bits of 0 and 1": (
        instead("2 * (table @ planes > 0).float() - 1", "(table @ planes > 0).float()"),
        "/ 2",
    ),
    "ranked by products of embeddings": (
        instead(
            RANKS,
            "(table[long] @ table[candidate].unsqueeze(2)).squeeze(2)"
            ".argsort(1, descending=True)",
        ),
        "the length of an embedding",
    ),
    "the largest distance": (
        instead(RANKS, "(L * distance + torch.arange(L)).argsort(1, descending=True)"),
        "not the nearest",
    ),
    "the first of equals": (
        instead(RANKS, "distance.argsort(dim=1, stable=True)"),
        "the later step",
    ),
    "padding has a code": (
        instead("distance.masked_fill(long == 0, m + 1)", "distance"),
        "padding was found",
    ),
    "padding told by its code": (
        instead("long == 0", "(signs[long] < 0).all(2)"),
        "opposite ones at m",
    ),
    "one candidate for all": (
        instead("signs[candidate].unsqueeze(2)", "signs[candidate[:1]].unsqueeze(2)"),
        "its own candidate",
    ),
}
