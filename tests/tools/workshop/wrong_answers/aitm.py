"""Typical mistakes in Exercise 4 of the chapter on AITM.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import math
import torch

def hear_all(own, g, h1, h2, h3):"""

RIGHT = """
    B, T, H = own.shape
    mixed, weights = own[:, :1], own.new_zeros(B, T, T)
    weights[:, 0, 0] = 1
    for t in range(1, T):
        passed = (mixed @ g).relu()
        u = torch.cat([passed, own[:, t : t + 1]], 1)
        scores = ((u @ h2) * (u @ h3)).sum(-1) / math.sqrt(H)
        w = scores.softmax(1)
        mixed = torch.cat([mixed, w.unsqueeze(1) @ (u @ h1)], 1)
        weights[:, t, : t + 1] = w
    return mixed, weights
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "cross attention": (
        instead(
            "((u @ h2) * (u @ h3)).sum(-1)", "((u[:, -1:] @ h2) * (u @ h3)).sum(-1)"
        ),
        "its own query and key",
    ),
    "not divided": (instead(" / math.sqrt(H)", ""), "the square root of H"),
    "scores without a softmax": (
        instead("scores.softmax(1)", "scores / scores.sum(1, keepdim=True)"),
        "then softmax",
    ),
    "no value map": (instead("(u @ h1)", "u"), "pass through h1"),
    "passes on the q": (
        instead("(mixed @ g).relu()", "(own[:, :t] @ g).relu()"),
        "of z and not of q",
    ),
    "no relu": (instead("(mixed @ g).relu()", "mixed @ g"), "relu(z @ g)"),
    "later steps heard": (
        HEAD
        + """
    u = (own @ g).relu()
    scores = ((u @ h2) * (u @ h3)).sum(-1) / math.sqrt(own.shape[-1])
    weights = scores.softmax(1).unsqueeze(1).expand(-1, own.shape[1], -1)
    return weights @ (u @ h1), weights
""",
        "go to later steps",
    ),
}
