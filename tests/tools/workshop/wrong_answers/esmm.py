"""Typical mistakes in Exercises 4 and 5 of the chapter on ESMM.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch
import torch.nn.functional as F

def chain_loss(logits, labels):"""

RISK = """import torch
import torch.nn.functional as F

def label_risk(b, c, z, w):
    said = c.sigmoid().detach()
    error = F.binary_cross_entropy_with_logits(b, z, reduction="none")
    guess = F.binary_cross_entropy_with_logits(b, said, reduction="none")
    own = F.binary_cross_entropy_with_logits(c, z, reduction="none")
"""

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
    "the guess is left out": (
        RISK + "    return (w * error + w * own).mean()",
        "guess every row",
    ),
    "the mean is over clicks": (
        RISK
        + "    total = guess + w * (error - guess) + w * own"
        + "\n    return total.sum() / (w > 0).sum()",
        "mean of all",
    ),
    "the guess stays where it is corrected": (
        RISK + "    return (guess + w * error + w * own).mean()",
        "error minus guess",
    ),
    "the correction has no weight": (
        RISK + "    return (guess + (w > 0) * (error - guess) + w * own).mean()",
        "error minus guess",
    ),
    "the guessed label is no constant": (
        RISK.replace(".detach()", "")
        + "    return (guess + w * (error - guess) + w * own).mean()",
        "detach its label",
    ),
    "the imputation tower learns without weights": (
        RISK + "    return (guess + w * (error - guess) + (w > 0) * own).mean()",
        "own loss is off",
    ),
}
