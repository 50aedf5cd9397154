"""Typical mistakes in Exercise 4 of the chapter on MMoE.

What is wrong: (an answer, words of the message that it must meet).
"""

HEAD = """import torch

def sparse_mixture(x, experts, W, k):"""

WRONG = {
    "softmax over the rows": (
        HEAD
        + """
    scores = torch.einsum("bd,ted->bte", x, W)
    best = scores.topk(k, dim=-1)
    silent = torch.full_like(scores, -torch.inf)
    gates = silent.scatter(-1, best.indices, best.values).softmax(0)
    return gates, torch.einsum("bte,beh->bth", gates, experts)
""",
        "do not sum to 1",
    ),
    "cut after the softmax": (
        HEAD
        + """
    gates = torch.einsum("bd,ted->bte", x, W).softmax(-1)
    least = gates.topk(k, dim=-1).values[..., -1:]
    gates = gates * (gates >= least)
    return gates, torch.einsum("bte,beh->bth", gates, experts)
""",
        "do not sum to 1",
    ),
    "a score of 0 instead of -inf": (
        HEAD
        + """
    scores = torch.einsum("bd,ted->bte", x, W)
    best = scores.topk(k, dim=-1)
    silent = torch.zeros_like(scores)
    gates = silent.scatter(-1, best.indices, best.values).softmax(-1)
    return gates, torch.einsum("bte,beh->bth", gates, experts)
""",
        "a score of -inf",
    ),
    "the same experts for all rows": (
        HEAD
        + """
    scores = torch.einsum("bd,ted->bte", x, W)
    best = scores.mean(0, keepdim=True).topk(k, dim=-1).indices
    best = best.expand(len(x), -1, -1)
    silent = torch.full_like(scores, -torch.inf)
    gates = silent.scatter(-1, best, scores.gather(-1, best)).softmax(-1)
    return gates, torch.einsum("bte,beh->bth", gates, experts)
""",
        "for each row and each task",
    ),
    "one gate for all tasks": (
        HEAD
        + """
    scores = torch.einsum("bd,ed->be", x, W[0])
    best = scores.topk(k, dim=-1)
    silent = torch.full_like(scores, -torch.inf)
    gates = silent.scatter(-1, best.indices, best.values).softmax(-1)
    gates = gates[:, None].expand(-1, len(W), -1)
    return gates, gates @ experts
""",
        "a W of its own",
    ),
    "the mean of the experts": (
        HEAD
        + """
    scores = torch.einsum("bd,ted->bte", x, W)
    best = scores.topk(k, dim=-1)
    silent = torch.full_like(scores, -torch.inf)
    gates = silent.scatter(-1, best.indices, best.values).softmax(-1)
    return gates, (gates[..., None] * experts[:, None]).mean(2)
""",
        "summed over experts",
    ),
}
