"""Typical mistakes in Exercise 4 of the chapter on ESMM.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch
import torch.nn.functional as F

def chain_loss(logits, labels):"""

WRONG = {
    "clicked rows alone": (
        HEAD
        + """
    log_p = F.logsigmoid(logits).cumsum(1)
    loss = F.binary_cross_entropy(log_p.exp(), labels, reduction="none")
    reached = torch.cat([torch.ones_like(labels[:, :1]), labels[:, :-1]], 1)
    return (reached * loss).mean(0).sum()
""",
        "use all impressions",
    ),
    "conditional probabilities": (
        HEAD
        + """
    loss = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return loss.mean(0).sum()
""",
        "the product of the steps",
    ),
    "summed over the rows": (
        HEAD
        + """
    p = logits.sigmoid().cumprod(1)
    return F.binary_cross_entropy(p, labels, reduction="sum")
""",
        "a mean over the rows",
    ),
    "the last step alone": (
        HEAD
        + """
    p = logits.sigmoid().prod(1)
    return F.binary_cross_entropy(p, labels[:, -1])
""",
        "each step has a term",
    ),
    "the product of two steps alone": (
        HEAD
        + """
    p = logits.sigmoid()
    before = torch.cat([torch.ones_like(p[:, :1]), p[:, :-1]], 1)
    loss = F.binary_cross_entropy(p * before, labels, reduction="none")
    return loss.mean(0).sum()
""",
        "multiply from the first step",
    ),
    "multiplied before the logarithm": (
        HEAD
        + """
    p = logits.sigmoid().cumprod(1)
    loss = F.binary_cross_entropy(p, labels, reduction="none")
    return loss.mean(0).sum()
""",
        "stay in logarithms",
    ),
}
