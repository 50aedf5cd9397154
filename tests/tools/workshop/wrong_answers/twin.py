"""Typical mistakes in Exercise 4 of the chapter on TWIN.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def merge_by_turns(scores, real, k):"""

RIGHT = """
    B, H, L = scores.shape
    masked = scores.masked_fill(~real.unsqueeze(1), -torch.inf)
    rank = masked.argsort(dim=2, descending=True, stable=True).argsort(2)
    turn = (rank * H + torch.arange(H)[:, None]).amin(1)
    return turn.masked_fill(~real, H * L).argsort(1)[:, :k]
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


EACH = """
    n = -(-k // scores.shape[1])
    masked = scores.masked_fill(~real.unsqueeze(1), -torch.inf)
    return masked.topk(n, 2).indices.transpose(1, 2).flatten(1)[:, :k]
"""

WRONG = {
    "the last head begins": (
        instead("torch.arange(H)[:, None]", "torch.arange(H).flip(0)[:, None]"),
        "head 0 is the first to name",
    ),
    "the first head names all": (
        instead("(rank * H + torch.arange(H)[:, None])", "rank[:, :1]"),
        "the heads take turns",
    ),
    "as many of each head": (HEAD + EACH, "a step twice"),
    "a step counts where the last head names it": (
        instead(".amin(1)", ".amax(1)"),
        "the heads take turns",
    ),
    "the largest score of any head": (
        HEAD + "\n    best = scores.masked_fill(~real.unsqueeze(1), -torch.inf).amax(1)"
        "\n    return best.argsort(dim=1, descending=True, stable=True)[:, :k]\n",
        "the heads take turns",
    ),
    "padding is not masked": (
        instead("scores.masked_fill(~real.unsqueeze(1), -torch.inf)", "scores").replace(
            "turn.masked_fill(~real, H * L)", "turn"
        ),
        "padding was named",
    ),
    "one row for all": (
        instead("return turn", "return turn[:1].expand(B, L)"),
        "must not mix",
    ),
}
