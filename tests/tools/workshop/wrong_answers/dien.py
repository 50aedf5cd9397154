"""Typical mistakes in the self-checked exercise of the chapter on DIEN."""

HEAD = """\
import torch

def augru(cell, states, attention, mask):
"""
GATES = """\
    share = (attention * mask).unsqueeze(2)
    h = torch.zeros_like(states[:, 0])
    for t in range(states.shape[1]):
        x_r, x_z, x_n = (states[:, t] @ cell.weight_ih.T + cell.bias_ih).chunk(3, 1)
        h_r, h_z, h_n = (h @ cell.weight_hh.T + cell.bias_hh).chunk(3, 1)
        z, new = (x_z + h_z).sigmoid(), (x_n + (x_r + h_r).sigmoid() * h_n).tanh()
"""

WRONG = {
    "AGRU": (
        HEAD
        + GATES
        + """\
        h = torch.lerp(h, new, share[:, t])
    return h
""",
        "does not replace it",
    ),
    "the official code's cell": (
        HEAD
        + GATES
        + """\
        keep = (1 - share[:, t]) * z
        h = keep * h + (1 - keep) * new
    return h
""",
        "must be a plain GRU",
    ),
    "scaled z": (
        HEAD
        + GATES
        + """\
        keep = share[:, t] * z
        h = keep * h + (1 - keep) * new
    return h
""",
        "scale 1 - z",
    ),
    "AIGRU": (
        HEAD
        + """\
    share = (attention * mask).unsqueeze(2)
    h = torch.zeros_like(states[:, 0])
    for t in range(states.shape[1]):
        h = cell(share[:, t] * states[:, t], h)
    return h
""",
        "nor the input",
    ),
    "forgot the mask": (
        HEAD
        + """\
    h = torch.zeros_like(states[:, 0])
    for t in range(states.shape[1]):
        h = torch.lerp(h, cell(states[:, t], h), attention[:, t : t + 1])
    return h
""",
        "padding moved",
    ),
    "scaled twice": (
        HEAD
        + """\
    share = (attention * mask).unsqueeze(2)
    h = torch.zeros_like(states[:, 0])
    for t in range(states.shape[1]):
        h = torch.lerp(h, cell(states[:, t], h), share[:, t] ** 2)
    return h
""",
        "half the way",
    ),
}
