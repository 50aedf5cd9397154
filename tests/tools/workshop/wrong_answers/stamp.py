"""Typical mistakes in the self-checked exercise of the chapter on STAMP."""

HEAD = """\
import torch

def prefix_scores(history, items, general, current):
    clicks = items[history]
"""

WRONG = {
    "the mean of the whole session": (
        HEAD
        + """\
    mean = clicks.mean(1, keepdim=True)
    scores = (general(mean).tanh() * current(clicks).tanh()) @ items.T
    return scores.index_fill(2, torch.tensor([0]), -torch.inf)
""",
        "must not see the future",
    ),
    "the last click of the whole session": (
        HEAD
        + """\
    count = torch.arange(1, history.shape[1] + 1).unsqueeze(1)
    mean = clicks.cumsum(1) / count
    scores = (general(mean).tanh() * current(clicks[:, -1:]).tanh()) @ items.T
    return scores.index_fill(2, torch.tensor([0]), -torch.inf)
""",
        "must not see the future",
    ),
    "divided by L": (
        HEAD
        + """\
    mean = clicks.cumsum(1) / history.shape[1]
    scores = (general(mean).tanh() * current(clicks).tanh()) @ items.T
    return scores.index_fill(2, torch.tensor([0]), -torch.inf)
""",
        "wrong mean",
    ),
    "added the interests": (
        HEAD
        + """\
    count = torch.arange(1, history.shape[1] + 1).unsqueeze(1)
    mean = clicks.cumsum(1) / count
    scores = (general(mean).tanh() + current(clicks).tanh()) @ items.T
    return scores.index_fill(2, torch.tensor([0]), -torch.inf)
""",
        "do not add them",
    ),
    "tanh before the layer": (
        HEAD
        + """\
    count = torch.arange(1, history.shape[1] + 1).unsqueeze(1)
    mean = clicks.cumsum(1) / count
    scores = (general(mean.tanh()) * current(clicks.tanh())) @ items.T
    return scores.index_fill(2, torch.tensor([0]), -torch.inf)
""",
        "after the layer",
    ),
    "padding as a candidate": (
        HEAD
        + """\
    count = torch.arange(1, history.shape[1] + 1).unsqueeze(1)
    mean = clicks.cumsum(1) / count
    return (general(mean).tanh() * current(clicks).tanh()) @ items.T
""",
        "no candidate",
    ),
}
