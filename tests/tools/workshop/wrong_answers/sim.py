"""Typical mistakes in the self-checked exercise of the chapter on SIM."""

HEAD = """\
import torch

def lasting_interest(steps, categories, candidate, category, k):
    L = categories.shape[1]
    same_kind = categories == category.unsqueeze(1)
"""
REST = """\
    z = steps.gather(1, at.unsqueeze(2).expand(-1, -1, steps.shape[2]))
    scores = (z @ candidate.unsqueeze(2)).squeeze(2)
    weights = scores.masked_fill(~real, -1e9).softmax(1) * real
    return (weights.unsqueeze(1) @ z).squeeze(1)
"""
FIND = """\
    at = (torch.arange(1, L + 1) * same_kind).topk(min(k, L), dim=1).indices
    real = same_kind.gather(1, at)
    z = steps.gather(1, at.unsqueeze(2).expand(-1, -1, steps.shape[2]))
    scores = (z @ candidate.unsqueeze(2)).squeeze(2)
"""

WRONG = {
    "a softmax over nothing": (
        HEAD
        + FIND
        + """\
    weights = scores.masked_fill(~real, -torch.inf).softmax(1)
    return (weights.unsqueeze(1) @ z).squeeze(1)
""",
        "no nan",
    ),
    "the mask after the softmax only": (
        HEAD
        + FIND
        + """\
    weights = scores.softmax(1) * real
    return (weights.unsqueeze(1) @ z).squeeze(1)
""",
        "mask before the softmax",
    ),
    "multiplied the scores by the mask": (
        HEAD
        + FIND
        + """\
    weights = (scores * real).softmax(1) * real
    return (weights.unsqueeze(1) @ z).squeeze(1)
""",
        "mask before the softmax",
    ),
    "the oldest steps": (
        HEAD
        + """\
    when = torch.arange(L, 0, -1) * same_kind
    at = when.topk(min(k, L), dim=1).indices
    real = same_kind.gather(1, at)
"""
        + REST,
        "the latest count",
    ),
    "no cut": (
        HEAD
        + """\
    scores = (steps @ candidate.unsqueeze(2)).squeeze(2)
    weights = scores.masked_fill(~same_kind, -1e9).softmax(1) * same_kind
    return (weights.unsqueeze(1) @ steps).squeeze(1)
""",
        "the latest count",
    ),
    "cut before the search": (
        HEAD
        + """\
    at = torch.arange(L)[-k:].expand(len(steps), -1)
    real = same_kind.gather(1, at)
"""
        + REST,
        "search all of the history",
    ),
    "any category": (
        HEAD
        + """\
    at = (torch.arange(1, L + 1) * (categories > 0)).topk(min(k, L), dim=1).indices
    real = categories.gather(1, at) > 0
"""
        + REST,
        "candidate's category",
    ),
}
