"""Simulated domains whose truth is known: what counts for how much, and where.

Rows come from several domains, a small one among them, and carry several tasks. What
differs between domains is how much a thing counts: a field that everybody can read
(`weighed_domains`), or a coordinate of vectors that nobody can (`hidden_domains`).
"""

import math

import numpy as np
import torch
from torch import Tensor

from recsys_tutorial.layers import positive

FIELDS = (  # 12 fields in three domains: 2 counts double, 1 as it is, 0 not at all
    (2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0),
    (1.0, 0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 1.0, 2.0, 0.0, 2.0, 0.0),
)
COORDINATES = (  # 8 coordinates in three domains; -1 turns the sign
    (1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, -1.0),
)


def weighed_domains(
    n_rows: tuple[int, ...],
    importance: tuple[tuple[float, ...], ...] = FIELDS,
    *,
    n_users: int = 100,
    n_values: int = 4,
    offsets: tuple[float, ...] = (0.0, -1.5),
    own: float = 1.0,
    seed: int = 0,
    part: int = 0,
) -> dict[str, Tensor]:
    r"""Domains that weigh the same readable fields differently.

    A field's value, evenly spaced and standardised, is :math:`x_f`. In domain `d` task
    `t` of user `u` happens with the log-odds

    .. math:: c_t + \tfrac12 \sum_f m_{d,f}\, a_{t,f}\, r_{u,t,f}\, x_f

    where :math:`m` is the importance, the same for all tasks and users;
    :math:`a_{t,f}` is the task's weight, of 0.5 to 1.5 with a random sign; and
    :math:`r_{u,t,f}`, of mean 1, is what the user makes of it: uniform between
    ``1 - own`` and ``1 + own``.

    Parameters
    ----------
    n_rows : tuple of int
        Rows of each of the ``M`` domains.
    importance : tuple of tuples of float
        ``(M, F)``, the m above, finite.
    n_users, n_values : int
        Sizes of the world; a field has at least 2 values.
    offsets : tuple of float
        ``T`` numbers c: the lower, the rarer the task.
    own : float
        From 0, where all users are alike, to 1.
    seed : int
        Draws the world: a and r.
    part : int
        Draws the rows, from 0. Parts of one seed are rows of the same world: train on
        one, and look at another.

    Returns
    -------
    dict
        ``features`` (N, F + 2) int64, ids from 1: the fields, the user, the domain;
        ``domain`` (N, 1) int64 and ``prior`` (N, 1) int64, the last two of these again;
        and float32 (N, T) each: ``labels``, ``probability``. Domain by domain.

    Raises
    ------
    ValueError
        If a size is not positive, `n_rows` and `importance` do not go together, or
        `own` is outside of 0 to 1.
    """
    rows, weights = _sizes(n_rows), _matrix("importance", importance, len(n_rows))
    positive("n_users", n_users)
    if positive("n_values", n_values) < 2:
        raise ValueError("n_values is 1; expected at least 2")
    if not 0 <= own <= 1:
        raise ValueError(f"own is {own}; expected 0 to 1")
    shape = len(offsets), weights.shape[1]  # (T, F)
    g = torch.Generator().manual_seed(seed)
    task = torch.randint(2, shape, generator=g) * 2.0 - 1.0
    task *= 0.5 + torch.rand(shape, generator=g)
    users = 1 + own * (2 * torch.rand(n_users, *shape, generator=g) - 1)  # (U, T, F)
    g = _rows_of(seed, part)
    domain = torch.arange(len(rows)).repeat_interleave(rows)  # (N,)
    user = torch.randint(n_users, (len(domain),), generator=g)
    values = torch.randint(n_values, (len(domain), shape[1]), generator=g)  # (N, F)
    x = (values - (n_values - 1) / 2) / math.sqrt((n_values**2 - 1) / 12)
    effects = weights[domain].unsqueeze(1) * task * users[user]  # (N, T, F)
    odds = torch.tensor(offsets) + (effects * x.unsqueeze(1)).sum(2) / 2
    ids = torch.stack([user, domain], 1) + 1
    features = torch.cat([values + 1, ids], 1)
    return _labelled(features, ids[:, 1:], ids[:, :1], odds, g)


def hidden_domains(
    n_rows: tuple[int, ...],
    importance: tuple[tuple[float, ...], ...] = COORDINATES,
    *,
    n_users: int = 800,
    n_items: int = 400,
    offsets: tuple[float, ...] = (0.0, -1.0),
    seed: int = 0,
    part: int = 0,
) -> dict[str, Tensor]:
    r"""Domains that weigh the coordinates of hidden vectors differently.

    All that can be read of a row is who meets what, and where. Users and items have
    hidden standard normal vectors :math:`p_u, q_i`, and the log-odds are
    :math:`c_t + b_{ut} + \sum_k m_{dk}\, p_{uk}\, q_{ik}`, with :math:`b` standard
    normal. What a domain weighs has to be discovered along with the vectors.

    Parameters
    ----------
    n_rows, importance, offsets, seed, part
        As in `weighed_domains`, with coordinates in the place of fields.
    n_users, n_items : int
        Sizes of the world.

    Returns
    -------
    dict
        ``features`` (N, 3) int64, ids from 1: user, item, domain; ``domain`` (N, 1);
        ``prior`` (N, 2), user and item; ``labels`` and ``probability`` (N, T) float32.

    Raises
    ------
    ValueError
        As `weighed_domains`.
    """
    rows, weights = _sizes(n_rows), _matrix("importance", importance, len(n_rows))
    width = weights.shape[1]
    g = torch.Generator().manual_seed(seed)
    users = torch.randn(positive("n_users", n_users), width, generator=g)
    items = torch.randn(positive("n_items", n_items), width, generator=g)
    bias = torch.randn(n_users, len(offsets), generator=g)
    g = _rows_of(seed, part)
    domain = torch.arange(len(rows)).repeat_interleave(rows)  # (N,)
    user = torch.randint(n_users, (len(domain),), generator=g)
    item = torch.randint(n_items, (len(domain),), generator=g)
    match = (weights[domain] * users[user] * items[item]).sum(1, keepdim=True)
    odds = torch.tensor(offsets) + bias[user] + match  # (N, T)
    features = torch.stack([user, item, domain], 1) + 1
    return _labelled(features, features[:, 2:], features[:, :2], odds, g)


def _sizes(n_rows) -> Tensor:
    return torch.tensor([positive("n_rows", n) for n in n_rows])


def _matrix(name: str, rows, n_domains: int) -> Tensor:
    matrix = torch.tensor(rows)
    if matrix.ndim != 2 or len(matrix) != n_domains or not matrix.isfinite().all():
        raise ValueError(
            f"{name} has shape {tuple(matrix.shape)}; expected a row of finite numbers "
            f"for each of {n_domains} domains"
        )
    return matrix


def _rows_of(seed: int, part: int) -> torch.Generator:
    """A stream of its own for each pair; torch takes 32 bits of a seed, and no more."""
    state = np.random.SeedSequence((seed, part)).generate_state(1)
    return torch.Generator().manual_seed(int(state[0]))


def _labelled(features, domain, prior, odds, g) -> dict[str, Tensor]:
    probability = odds.sigmoid()
    labels = (torch.rand(odds.shape, generator=g) < probability).float()
    return {
        "features": features,
        "domain": domain,
        "prior": prior,
        "labels": labels,
        "probability": probability,
    }
