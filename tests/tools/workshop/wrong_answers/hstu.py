"""Typical mistakes in Exercise 4 of the chapter on HSTU.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def candidate_mask(real, n_candidates):"""

RIGHT = """
    B, L = real.shape
    place = torch.cat([torch.arange(L), torch.full((n_candidates,), L)])
    earlier = place[:, None] > place
    there = torch.cat([real, torch.ones(B, n_candidates, dtype=torch.bool)], 1)
    return earlier & there[:, None] | torch.eye(len(place), dtype=torch.bool)
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "an ordinary causal mask": (
        instead("torch.full((n_candidates,), L)", "L + torch.arange(n_candidates)"),
        "a candidate sees its neighbour",
    ),
    "everybody sees the candidates": (
        instead("place[:, None] > place", "place[:, None] >= 0 * place"),
        "the history sees candidates",
    ),
    "nobody sees themselves": (
        instead(" | torch.eye(len(place), dtype=torch.bool)", ""),
        "every step sees itself",
    ),
    "equal places see each other": (
        instead("place[:, None] > place", "place[:, None] >= place"),
        "a candidate sees its neighbour",
    ),
    "padding is seen": (
        instead("there[:, None]", "(there | True)[:, None]"),
        "is seen",
    ),
    "who is padding sees nothing, but is seen": (
        instead("there[:, None]", "there[:, :, None]"),
        "padding is seen",
    ),
    "the last step is hidden from the candidates": (
        instead("torch.full((n_candidates,), L)", "torch.full((n_candidates,), L - 1)"),
        "all of the real history",
    ),
    "the mask of the first user serves all": (
        instead("there[:, None]", "there[:1, None]").replace(
            "return ", "return torch.ones(B, 1, 1, dtype=torch.bool) & "
        ),
        "all of the real history",
    ),
    "the sign of time is wrong": (
        instead("place[:, None] > place", "place[:, None] < place"),
        "the history sees candidates",
    ),
    "numbers for bools": (
        instead("dtype=torch.bool)\n", "dtype=torch.bool) + 0\n"),
        "expected bools",
    ),
}
