"""Typical mistakes in the self-checked exercise of the chapter on DIN."""

HEAD = """\
import torch

def user_vectors(history, mask, candidates, unit):
"""

WRONG = {
    "a mean over no step": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    weights = unit(torch.cat([v, e, v - e, v * e], -1)).squeeze(-1)
    return (weights * mask) @ history / mask.sum()
""",
        "not nan",
    ),
    "forgot the mask": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    weights = unit(torch.cat([v, e, v - e, v * e], -1)).squeeze(-1)
    return weights @ history
""",
        "padding changed",
    ),
    "softmax": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    scores = unit(torch.cat([v, e, v - e, v * e], -1)).squeeze(-1)
    return scores.masked_fill(~mask, -1e9).softmax(1) * mask @ history
""",
        "no softmax",
    ),
    "mean": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    weights = unit(torch.cat([v, e, v - e, v * e], -1)).squeeze(-1)
    return (weights * mask) @ history / mask.sum().clamp(min=1)
""",
        "no mean",
    ),
    "parts in another order": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    weights = unit(torch.cat([e, v, e - v, e * v], -1)).squeeze(-1)
    return (weights * mask) @ history
""",
        "in this order",
    ),
    "squeezed the candidates away": (
        HEAD
        + """\
    e = history.expand(len(candidates), -1, -1)
    v = candidates.unsqueeze(1).expand_as(e)
    weights = unit(torch.cat([v, e, v - e, v * e], -1)).squeeze()
    return (weights * mask) @ history
""",
        "tell squeeze",
    ),
}
