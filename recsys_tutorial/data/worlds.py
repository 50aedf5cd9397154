"""Simulated tasks whose truth is known: pairs of tasks, and chains of steps."""

import math

import torch
from scipy.optimize import brentq
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


def conversion_chain(
    n_rows: int,
    rates: tuple[float, ...] = (0.06, 0.16),
    *,
    n_users: int = 1500,
    n_items: int = 600,
    correlation: float = 0.8,
    rank: int = 4,
    spread: float = 1.5,
    seed: int = 0,
) -> dict[str, Tensor]:
    r"""Impressions that lead to a click, a conversion ..., each step with known truth.

    Step :math:`t` of user :math:`u` and item :math:`i` happens, once the steps before
    it have, with the log-odds :math:`c_t + s (a_u + b_i + x_u^\top y_i) / 2`, where
    :math:`a_u` and :math:`b_i` are main effects of variance 1, the product of the
    factors has variance 2, and :math:`c_t` is such that the mean probability over all
    pairs is the rate. User and item of an impression are drawn uniformly.

    Parameters
    ----------
    n_rows : int
        Number of impressions ``N``.
    rates : tuple of float
        ``T`` mean conditional probabilities p(step t | step t - 1) over *all* pairs of
        user and item, not over those that get so far; each strictly between 0 and 1.
    n_users, n_items : int
        Sizes of the world.
    correlation : float
        Correlation of the log-odds of a step with those of the step before, in
        [-1, 1]. Above 0, those who click are those who would convert.
    rank : int
        Length of the factors.
    spread : float
        ``s``, the standard deviation of a step's log-odds over pairs, at least 0.
    seed : int
        Draws the world. The draws do not depend on `correlation` or `rates`.

    Returns
    -------
    dict
        ``features`` (N, 2) int64, user and item, from 1; and float32 (N, T) each:

        ``labels``
            cumulative: 1 if this step *and all before it* happened;
        ``would``
            what the step would do if reached, known for every impression;
        ``probability``
            of ``would``: the true p(step t | step t - 1, x).

    Not in the papers: no public log has the last two.
    """
    positive("n_rows", n_rows), positive("n_users", n_users)
    positive("n_items", n_items), positive("rank", rank)
    _check_chain(rates, correlation, spread)
    g = torch.Generator().manual_seed(seed)
    n_steps = len(rates)
    user = torch.randint(n_users, (n_rows,), generator=g)
    item = torch.randint(n_items, (n_rows,), generator=g)
    luck = torch.rand(n_rows, n_steps, generator=g)
    taste = torch.randn(n_items, rank, generator=g)  # y, the same in every step
    probability = torch.empty(n_rows, n_steps)
    kept, rest = 0.0, 1.0
    a_x, b = torch.zeros(n_users, 1 + rank), torch.zeros(n_items, 1)
    for t, rate in enumerate(rates):
        a_x = kept * a_x + rest * torch.randn(a_x.shape, generator=g)
        b = kept * b + rest * torch.randn(b.shape, generator=g)
        kept, rest = correlation, (1 - correlation**2) ** 0.5
        z = a_x[:, :1] + b.T + (2 / rank) ** 0.5 * a_x[:, 1:] @ taste.T
        z *= spread / 2  # (users, items)
        probability[:, t] = torch.sigmoid(z[user, item] + _offset(z, rate))
    would = (luck < probability).float()
    return {
        "features": torch.stack([user, item], 1) + 1,
        "labels": would.cumprod(1),
        "would": would,
        "probability": probability,
    }


def audience_chain(
    n_rows: int,
    rates: tuple[float, ...] = (0.1, 0.1, 0.1),
    *,
    n_features: int = 20,
    hidden: int = 16,
    correlation: float = 0.9,
    spread: float = 1.5,
    seed: int = 0,
) -> dict[str, Tensor]:
    r"""The chain of `conversion_chain`, for people of whom numbers are known, not ids.

    A person is :math:`x \sim N(0, I)`; all steps depend on it through the same
    :math:`\phi(x) = \tanh(2 W x + b)`. Step :math:`t` happens, once the steps before it
    have, with the log-odds :math:`c_t + s z_t`, where :math:`z_t` is
    :math:`u_t^\top \phi(x)` brought to mean 0 and variance 1 over the rows.

    Parameters
    ----------
    n_rows, rates, spread
        As in `conversion_chain`; the mean of a step's rate is over all rows.
    n_features, hidden : int
        Length of ``x`` and of ``phi(x)``.
    correlation : float
        Of the weights of a step, :math:`u_t`, with those of the step before.
    seed : int
        Draws the world. The draws do not depend on `correlation` or `rates`.

    Returns
    -------
    dict
        ``features`` (N, n_features) float32, and ``labels``, ``would`` and
        ``probability`` as in `conversion_chain`.
    """
    positive("n_rows", n_rows), positive("hidden", hidden)
    _check_chain(rates, correlation, spread)
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n_rows, positive("n_features", n_features), generator=g)
    luck = torch.rand(n_rows, len(rates), generator=g)
    w = torch.randn(n_features, hidden, generator=g) / n_features**0.5
    phi = torch.tanh(2 * x @ w + torch.randn(hidden, generator=g))  # (N, hidden)
    probability = torch.empty(n_rows, len(rates))
    kept, rest, u = 0.0, 1.0, torch.zeros(hidden)
    for t, rate in enumerate(rates):
        u = kept * u + rest * torch.randn(hidden, generator=g)
        kept, rest = correlation, (1 - correlation**2) ** 0.5
        z = phi @ u
        z = spread * (z - z.mean()) / z.std()  # (N,)
        probability[:, t] = torch.sigmoid(z + _offset(z, rate))
    would = (luck < probability).float()
    return {
        "features": x,
        "labels": would.cumprod(1),
        "would": would,
        "probability": probability,
    }


def _check_chain(rates: tuple[float, ...], correlation: float, spread: float) -> None:
    if not rates or not all(0 < r < 1 for r in rates):
        raise ValueError(
            f"rates is {rates}; expected rates between 0 and 1, at least 1"
        )
    if not -1 <= correlation <= 1:
        raise ValueError(f"correlation is {correlation}; expected -1 to 1")
    if not 0 <= spread < math.inf:
        raise ValueError(f"spread is {spread}; expected a finite number of at least 0")


def _offset(z: Tensor, rate: float) -> float:
    """The c for which ``sigmoid(z + c)`` has the mean `rate`."""
    widest = float(z.abs().max()) + 40
    return brentq(_excess, -widest, widest, args=(z, rate), xtol=1e-6)


def _excess(c: float, z: Tensor, rate: float) -> float:
    return float(torch.sigmoid(z + c).mean()) - rate
