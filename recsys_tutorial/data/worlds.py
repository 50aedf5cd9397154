"""Simulators whose truth is known."""

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


def two_tasks(
    n_rows: int,
    correlation: float,
    *,
    n_features: int = 100,
    scale: float = 1.0,
    alpha: tuple[float, ...] = (0.4, 0.8, 1.2, 1.6, 2.0),
    beta: tuple[float, ...] = (0.0, 1.0, 2.0, 3.0, 4.0),
    noise: float = 0.1,
    seed: int = 0,
) -> dict[str, Tensor]:
    r"""Two regression tasks whose relatedness is a knob: the MMoE paper's Eqs. (2)-(4).

    With orthogonal unit vectors :math:`u_1, u_2`, the tasks' weights are
    :math:`w_1 = c u_1` and :math:`w_2 = c (p u_1 + \sqrt{1 - p^2} u_2)`, so that
    their cosine is the correlation `p`; each label is
    :math:`w_k^T x + \sum_i \sin(\alpha_i w_k^T x + \beta_i) + \epsilon_k`.

    Parameters
    ----------
    n_rows : int
        Number of rows ``N``.
    correlation : float
        ``p`` in [-1, 1]: the cosine of the two weight vectors, not the correlation
        of the labels.
    n_features : int
        Width ``D`` of x, at least 2 (the paper: 100).
    scale : float
        ``c``, the length of the weight vectors.
    alpha, beta : tuple of float
        Shape of the sines. The paper does not print its values; these are ours.
    noise : float
        Standard deviation of the noise (the paper: variance 0.01).
    seed : int
        Draws u, x and the noise, in this order. The draws do not depend on
        `correlation`, so that two worlds with one seed differ in nothing else.

    Returns
    -------
    dict
        ``features`` (N, D) and ``labels`` (N, 2), both float32.

    Source: Ma et al. 2018, Section 3.2.
    """
    positive("n_rows", n_rows)
    if not -1 <= correlation <= 1:
        raise ValueError(f"correlation is {correlation}; expected -1 to 1")
    if positive("n_features", n_features) < 2:
        raise ValueError("n_features is 1; expected at least 2")
    if len(alpha) != len(beta):
        raise ValueError(
            f"alpha has {len(alpha)} entries and beta {len(beta)}; expected as many"
        )
    g = torch.Generator().manual_seed(seed)
    u = torch.linalg.qr(torch.randn(n_features, 2, generator=g)).Q  # (D, 2)
    p = correlation
    mix = torch.tensor([[1.0, p], [0.0, (1 - p * p) ** 0.5]])
    w = scale * u @ mix  # (D, 2)
    x = torch.randn(n_rows, n_features, generator=g)  # (N, D)
    z = x @ w  # (N, 2)
    y = z + noise * torch.randn(n_rows, 2, generator=g)
    for a, b in zip(alpha, beta, strict=True):
        y += torch.sin(a * z + b)
    return {"features": x, "labels": y}
