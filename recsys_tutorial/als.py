"""Weighted matrix factorisation of clicks by alternating least squares.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM
2008. Dimension letters: ``U`` users, ``I`` items, ``R`` rank, ``N`` and ``M`` the two
sides, whichever is being solved for and the other.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


class Factors(NamedTuple):
    """One vector per user and per item; their inner products are the scores."""

    users: Tensor  # (U, R)
    items: Tensor  # (I, R)


def factorise(
    clicks: Tensor,
    rank: int,
    *,
    weight: float = 10.0,
    penalty: float = 10.0,
    sweeps: int = 8,
    seed: int = 0,
) -> Factors:
    r"""Factors that minimise, over **all** pairs, clicked or not,

    :math:`\sum_{u,v} c_{uv} (p_{uv} - U_u^T V_v)^2 + \lambda (|U|^2 + |V|^2)`.

    A user or an item without a click gets the zero vector, and then has no part in
    what the others get: it is as if its row or column had not been there.

    Parameters
    ----------
    clicks : Tensor
        ``(U, I)`` floats, the p: 1 where clicked, else 0; at least one click.
    rank : int
        ``R``.
    weight : float
        The confidence c is ``1 + weight`` of a click, and 1 of anything else.
    penalty : float
        The lambda, above 0.
    sweeps : int
        How often users, then items are solved for.
    seed : int
        Draws the items' vectors to start from.
    """
    check_clicks(clicks)
    if not clicks.any():
        raise ValueError("clicks holds no click; expected at least one")
    draw = torch.Generator().manual_seed(seed)
    items = torch.randn(clicks.shape[1], positive("rank", rank), generator=draw)
    items = 0.1 * items.to(clicks) * clicks.any(0).unsqueeze(1)  # (I, R)
    for _ in range(positive("sweeps", sweeps)):
        users = solve(clicks, items, weight, penalty)  # (U, R)
        items = solve(clicks.T, users, weight, penalty)
    return Factors(users, items)


def solve(clicks: Tensor, other: Tensor, weight: float, penalty: float) -> Tensor:
    """The best vectors ``(N, R)`` of one side, those of the other side held fixed.

    Each row is a small ridge regression; all are set up in one product.

    Parameters
    ----------
    clicks : Tensor
        ``(N, M)``, this side in rows.
    other : Tensor
        ``(M, R)``.
    weight, penalty : float
        As in `factorise`.
    """
    if not weight >= 0 or not penalty > 0:
        raise ValueError(
            f"weight is {weight} and penalty {penalty}; expected a weight of at least "
            "0 and a penalty above 0"
        )
    R = other.shape[1]
    outer = (other.unsqueeze(2) * other.unsqueeze(1)).flatten(1)  # (M, R * R)
    left = (outer.sum(0) + weight * clicks @ outer).view(-1, R, R)  # (N, R, R)
    left = left + penalty * torch.eye(R).to(left)
    right = (1 + weight) * clicks @ other  # (N, R)
    return torch.linalg.solve(left, right)


def check_clicks(clicks: Tensor) -> None:
    """Raise ValueError unless `clicks` is a matrix of floats, each 0 or 1."""
    if clicks.ndim != 2 or not clicks.is_floating_point():
        raise ValueError(
            f"clicks has shape {tuple(clicks.shape)} and dtype {clicks.dtype}; "
            "expected (U, I) floats"
        )
    if not ((clicks == 0) | (clicks == 1)).all():
        raise ValueError("clicks holds other values than 0 and 1")
