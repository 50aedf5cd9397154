"""Typical mistakes in the self-checked exercise of the chapter on several machines."""

WRONG = {
    "the mean of the whole batch, not yet for DDP": (
        """\
import torch

def part_of_loss(losses, n_global, world):
    return losses.sum() / n_global
""",
        "too small",
    ),
    "the sum": (
        """\
import torch

def part_of_loss(losses, n_global, world):
    return losses.sum()
""",
        "wrong even for equal parts",
    ),
    "the mean of the own rows": (
        """\
import torch

def part_of_loss(losses, n_global, world):
    return losses.mean()
""",
        "the mean of means is not the mean of the batch",
    ),
    "as many rows for every rank": (
        """\
import torch

def part_of_loss(losses, n_global, world):
    return losses.sum() / -(-n_global // world)
""",
        "the mean of means is not the mean of the batch",
    ),
    "nothing for a rank without rows": (
        """\
import torch

def part_of_loss(losses, n_global, world):
    return losses.mean() * len(losses) * world / n_global
""",
        "a rank without rows gives 0",
    ),
}
