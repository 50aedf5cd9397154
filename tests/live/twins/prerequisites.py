"""AUC by `auc`, the points of its pairs, and the loss, as one row's score moves."""

import torch
import torch.nn.functional as F

from recsys_tutorial.metrics import auc

SPAN = {"points": 1, "auc": 1, "loss": 4, "mean": 1, "curve": 1}
ORDER = set()
BREAKS = {
    "a tie counts as won": ("? 0.5 : 0", "? 1 : 0"),
    "the negative should be above": ("above > below ? 1", "above < below ? 1"),
    "another row moves": ("(i === row ? to : value)", "(i === 0 ? to : value)"),
    "the loss sees no division": (
        "(tenth ? 1000 : 100));\n    const loss",
        "100);\n    const loss",
    ),
    "the loss of a positive for all": ("data.labels[i] ? value : 1 - value", "value"),
    "the curve is a step behind": ("moved(i + 1)", "moved(i)"),
}  # fmt: skip


def states(draw, kept):
    while True:
        yield {
            "row": draw.randrange(5),
            "score": draw.choice([draw.randint(1, 99), 10, 70, 80, 90]),
            "tenth": draw.random() < 0.5,
        }


def answer(numbers, words, state):
    labels, percent = numbers["labels"], numbers["percent"]

    def moved(score):
        return percent.index_fill(0, torch.tensor(state["row"]), score)

    p = moved(state["score"]).double() / (1000 if state["tenth"] else 100)
    above, below = p[labels == 1], p[labels == 0]
    return {
        "points": ((above[:, None] - below).sign() + 1) / 2,
        "auc": auc(labels, p),
        "loss": F.binary_cross_entropy(p, labels.double()),
        "mean": p.mean(),
        "curve": [auc(labels, moved(score)) for score in range(1, 100)],
    }
