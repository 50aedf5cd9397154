"""Typical mistakes in the exercises of the prerequisites, and what they are told."""

WRONG = {
    "forgot the mask": (
        """
import torch


def weighted_mean(scores, table, history):
    weights = scores.softmax(1)
    return torch.einsum("bl,bld->bd", weights, table[history])
""",
        "did padding get weight",
    ),
    "set the scores of padding to zero": (
        """
import torch


def weighted_mean(scores, table, history):
    mask = history > 0
    weights = (scores * mask).softmax(1) * mask
    return torch.einsum("bl,bld->bd", weights, table[history])
""",
        "did padding get weight",
    ),
    "an empty history is NaN": (
        """
import torch


def weighted_mean(scores, table, history):
    weights = scores.masked_fill(history == 0, -torch.inf).softmax(1)
    return torch.einsum("bl,bld->bd", weights, table[history])
""",
        "an empty history gave NaN",
    ),
    "masked after the softmax, NaN times zero": (
        """
import torch


def weighted_mean(scores, table, history):
    mask = history > 0
    weights = scores.masked_fill(~mask, -torch.inf).softmax(1) * mask
    return torch.einsum("bl,bld->bd", weights, table[history])
""",
        "an empty history gave NaN",
    ),
    "a mean without the scores": (
        """
import torch


def weighted_mean(scores, table, history):
    mask = (history > 0).float()
    weights = mask / mask.sum(1, keepdim=True).clamp(min=1)
    return torch.einsum("bl,bld->bd", weights, table[history])
""",
        "mean weights 1/4, 3/4",
    ),
    "ties lose": (
        """
import numpy as np


def counted_gauc(labels, scores, users):
    total = rows = 0.0
    for user in np.unique(users):
        y, s = labels[users == user], scores[users == user]
        gap = s[y == 1][:, None] - s[y == 0]
        if gap.size:
            total += len(y) * (gap > 0).mean()
            rows += len(y)
    return total / rows
""",
        "a tie counts half",
    ),
    "every user weighs the same": (
        """
import numpy as np


def counted_gauc(labels, scores, users):
    found = []
    for user in np.unique(users):
        y, s = labels[users == user], scores[users == user]
        gap = s[y == 1][:, None] - s[y == 0]
        if gap.size:
            found.append(((gap > 0) + 0.5 * (gap == 0)).mean())
    return float(np.mean(found))
""",
        "weight by rows",
    ),
    "a user with one class counts a half": (
        """
import numpy as np


def counted_gauc(labels, scores, users):
    total = 0.0
    for user in np.unique(users):
        y, s = labels[users == user], scores[users == user]
        gap = s[y == 1][:, None] - s[y == 0]
        auc = ((gap > 0) + 0.5 * (gap == 0)).mean() if gap.size else 0.5
        total += len(y) * auc
    return total / len(labels)
""",
        "leave their rows out",
    ),
    "one AUC over all rows": (
        """
import numpy as np


def counted_gauc(labels, scores, users):
    gap = scores[labels == 1][:, None] - scores[labels == 0]
    return ((gap > 0) + 0.5 * (gap == 0)).mean()
""",
        "weight by rows",
    ),
    "the sign of the shift": (
        """
import torch


def true_probability(logits, rate):
    return (logits - rate.log()).sigmoid()
""",
        "is the sign wrong",
    ),
    "scaled the probability": (
        """
import torch


def true_probability(logits, rate):
    return logits.sigmoid() * rate
""",
        "with r = 1/9 is 0.1 again",
    ),
    "through the probability and back": (
        """
import torch


def true_probability(logits, rate):
    p = logits.sigmoid()
    odds = p / (1 - p) * rate
    return odds / (1 + odds)
""",
        "large logits",
    ),
    "one rate for all rows": (
        """
import torch


def true_probability(logits, rate):
    return (logits + rate.mean().log()).sigmoid()
""",
        "each row has its own r",
    ),
}
