"""Typical mistakes in Exercise 4 of the chapter on MeLU.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def meta_loss(table, w, support, rating, mask, query, truth, rate):"""

RIGHT = """
    x = support @ table
    error = (x @ w - rating) * mask
    n = mask.sum(1, keepdim=True).clamp(min=1)
    slope = 2 * (error.unsqueeze(2) * x).sum(1) / n
    fast = w - rate * slope
    predicted = (query @ table @ fast.unsqueeze(2)).squeeze(2)
    return (predicted - truth).square().mean()
"""


def instead(right, wrong):
    """Give the right answer with one thing done wrong."""
    assert RIGHT.count(right) == 1
    return HEAD + RIGHT.replace(right, wrong)


WRONG = {
    "first order": (
        instead("rate * slope", "rate * slope.detach()"),
        "go through the local step",
    ),
    "embeddings are constants in the step": (
        instead("x = support @ table", "x = support @ table.detach()"),
        "go through the local step",
    ),
    "the table moves, too": (
        instead(
            "query @ table",
            "query @ (table - rate * torch.autograd.grad("
            "(error.square().sum(1) / n.squeeze(1)).sum(), table, create_graph=True"
            ")[0])",
        ),
        "the table stays",
    ),
    "up the slope": (instead("w - rate", "w + rate"), "w goes from 1 to 2"),
    "no local step": (instead("rate * slope", "0 * slope"), "w goes from 1 to 2"),
    "query in the support": (
        HEAD
        + """
    mask = torch.cat([mask, torch.ones_like(truth, dtype=torch.bool)], 1)
    support = torch.cat([support, query], 1)
    rating = torch.cat([rating, truth], 1)"""
        + RIGHT,
        "the query has no part",
    ),
    "padding counts": (instead(" * mask", ""), "at padding"),
    "mean over all places": (instead("/ n", "/ mask.shape[1]"), "the real ratings"),
    "one step for all": (
        instead("rate * slope", "rate * slope.mean(0, keepdim=True).expand_as(slope)"),
        "a step each",
    ),
    "one after the other": (
        instead("rate * slope", "rate * slope.cumsum(0)"),
        "a step each",
    ),
    "no support, no number": (instead(".clamp(min=1)", ""), "without support"),
}
