"""Typical mistakes in the self-checked exercise of the chapter on MIMN."""

HEAD = """\
import torch

def origins(start, weight, erase, add):
    weight = weight.unsqueeze(3)
    written = torch.cat([start.unsqueeze(1), weight * add.unsqueeze(2)], 1)
"""

WRONG = {
    "erased its own write": (
        HEAD
        + """\
    stays = 1 - weight * erase.unsqueeze(2)
    later = stays.flip(1).cumprod(1).flip(1)
    return written * torch.cat([later[:, :1], later], 1)
""",
        "nor by its own",
    ),
    "earlier steps for later ones": (
        HEAD
        + """\
    stays = 1 - weight * erase.unsqueeze(2)
    before = stays.cumprod(1)
    return written * torch.cat([torch.ones_like(before[:, :1]), before], 1)
""",
        "by the steps after",
    ),
    "divided products": (
        HEAD
        + """\
    stays = 1 - weight * erase.unsqueeze(2)
    so_far = torch.cat([torch.ones_like(stays[:, :1]), stays.cumprod(1)], 1)
    return written * so_far[:, -1:] / so_far
""",
        "do not divide one product",
    ),
    "erased without the weight": (
        HEAD
        + """\
    stays = (1 - erase.unsqueeze(2)).expand(-1, -1, start.shape[1], -1)
    later = stays.flip(1).cumprod(1).flip(1)
    later = torch.cat([later, torch.ones_like(later[:, :1])], 1)
    return written * later
""",
        "scale erase",
    ),
}
