"""Typical mistakes in the self-checked exercise of the chapter on OneRec."""

HEAD = """\
import torch
import torch.nn.functional as F

def pair_loss(model, reference, given, beta):
"""

WRONG = {
    "begin tokens count": (
        HEAD
        + """\
    ratio = (model - reference).sum(2)
    return F.softplus(-beta * (ratio[0] - ratio[1])).mean()
""",
        "given do not count",
    ),
    "no reference": (
        HEAD
        + """\
    ratio = (model * ~given).sum(2)
    return F.softplus(-beta * (ratio[0] - ratio[1])).mean()
""",
        "the loss is ln 2",
    ),
    "the wrong way round": (
        HEAD
        + """\
    ratio = ((model - reference) * ~given).sum(2)
    return F.softplus(-beta * (ratio[1] - ratio[0])).mean()
""",
        "more for the chosen",
    ),
    "a mean over the tokens": (
        HEAD
        + """\
    ratio = ((model - reference) * ~given).sum(2) / (~given).sum()
    return F.softplus(-beta * (ratio[0] - ratio[1])).mean()
""",
        "a sum over the tokens",
    ),
    "the logarithm of a sigmoid": (
        HEAD
        + """\
    ratio = ((model - reference) * ~given).sum(2)
    return -torch.sigmoid(beta * (ratio[0] - ratio[1])).log().mean()
""",
        "large margin overflows",
    ),
    "a loss for every pair": (
        HEAD
        + """\
    ratio = ((model - reference) * ~given).sum(2)
    return F.softplus(-beta * (ratio[0] - ratio[1]))
""",
        "expected a scalar",
    ),
}
