"""Typical mistakes in Exercise 4 of the chapter on PLE.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def extract(experts, owner, scores):"""

WRONG = {
    "hidden after the softmax": (
        HEAD
        + """
    task = torch.arange(scores.shape[1])[:, None]
    closed = (owner >= 0) & (owner != task)
    closed[-1] = False
    gates = scores.softmax(-1).masked_fill(closed, 0.0)
    return gates, gates @ experts
""",
        "hide first",
    ),
    "softmax over the gates": (
        HEAD
        + """
    task = torch.arange(scores.shape[1])[:, None]
    closed = (owner >= 0) & (owner != task)
    closed[-1] = False
    gates = scores.masked_fill(closed, -torch.inf).softmax(1)
    return gates, gates @ experts
""",
        "softmax over the experts",
    ),
    "a score of 0 instead of -inf": (
        HEAD
        + """
    task = torch.arange(scores.shape[1])[:, None]
    closed = (owner >= 0) & (owner != task)
    closed[-1] = False
    gates = scores.masked_fill(closed, 0.0).softmax(-1)
    return gates, gates @ experts
""",
        "set its score to -inf",
    ),
    "no mask: MMoE": (
        HEAD
        + """
    gates = scores.softmax(-1)
    return gates, gates @ experts
""",
        "an expert of the other's own",
    ),
    "shared experts belong to nobody": (
        HEAD
        + """
    closed = owner != torch.arange(scores.shape[1])[:, None]
    closed[-1] = False
    gates = scores.masked_fill(closed, -torch.inf).softmax(-1)
    return gates, gates @ experts
""",
        "hide it from nobody",
    ),
    "the shared gate sees shared experts alone": (
        HEAD
        + """
    closed = (owner >= 0) & (owner != torch.arange(scores.shape[1])[:, None])
    gates = scores.masked_fill(closed, -torch.inf).softmax(-1)
    return gates, gates @ experts
""",
        "the shared gate misses",
    ),
    "owners by place": (
        HEAD
        + """
    n_tasks = scores.shape[1] - 1
    closed = torch.zeros(scores.shape[1:], dtype=torch.bool)
    closed[:-1, :n_tasks] = ~torch.eye(n_tasks, dtype=torch.bool)
    gates = scores.masked_fill(closed, -torch.inf).softmax(-1)
    return gates, gates @ experts
""",
        "go by owner",
    ),
}
