"""DropoutNet: a latent model's vectors and content in, and the vectors often missing.

Volkovs, Yu and Poutanen, "DropoutNet: Addressing Cold Start in Recommender Systems",
NeurIPS 2017. Dimension letters: ``B`` batch, ``N`` users or items of one side, ``M``
of the other, ``R`` rank of the latent model, ``C`` content features.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.als import Factors, check_clicks
from recsys_tutorial.layers import check_ids, check_matrix, positive

KEPT, DROPPED, MEAN = 0, 1, 2  # what a tower may be given for a latent vector


def standardise(latent: Tensor, limit: float = 5.0) -> Tensor:
    """Each column to mean 0 and deviation 1, clipped at `limit`; zero rows stay zero.

    Rows of zeros are those that the latent model never saw. They take no part in mean
    and deviation, and their zeros become the average of all others: a neutral input.
    The deviation is the sample's; the authors' code has the population's.

    Parameters
    ----------
    latent : Tensor
        ``(N, R)`` floats, with at least two rows that are not zero.
    limit : float
        The authors' code has 5.
    """
    if latent.ndim != 2 or not latent.is_floating_point():
        raise ValueError(
            f"latent has shape {tuple(latent.shape)} and dtype {latent.dtype}; "
            "expected (N, R) floats"
        )
    known = latent.any(1)
    if known.sum() < 2:
        raise ValueError("latent has fewer than two rows that are not zero")
    mean, deviation = latent[known].mean(0), latent[known].std(0)
    scaled = (latent - mean) / deviation.clamp(min=1e-8)
    return scaled.clamp(-limit, limit) * known.unsqueeze(1)


def mean_vectors(clicks: Tensor, other: Tensor, prior: float = 0.0) -> Tensor:
    """The transform: the mean of the other side's vectors over one's own clicks.

    Parameters
    ----------
    clicks : Tensor
        ``(N, M)`` floats, 0 or 1; a row without a click gets the zero vector.
    other : Tensor
        ``(M, R)``.
    prior : float
        Average clicks, whose vector is zero, that are counted in; not in the paper.
        With some, the mean of very few clicks stays close to the neutral zero.
    """
    check_clicks(clicks)
    if not prior >= 0:
        raise ValueError(f"prior is {prior}; expected at least 0")
    count = clicks.sum(1, keepdim=True) + prior
    return clicks @ other / count.clamp(min=1e-8)  # (N, R)


def teacher_pairs(
    factors: Factors, best: int, others: int, seed: int = 0
) -> dict[str, Tensor]:
    """Pairs to train on, with the latent model's own scores as the targets.

    For each user the `best` items of highest score, and `others` drawn at random (in
    the authors' code 2,500 of either). Users and items with a zero vector, unknown to
    the latent model, do not occur.

    Returns
    -------
    dict
        ``user`` and ``item`` (N,) int64, ``score`` (N,) float32, not scaled.
    """
    users, items = (x.any(1).nonzero().squeeze(1) for x in factors)
    if positive("best", best) > len(items):
        raise ValueError(f"best is {best}; the latent model knows {len(items)} items")
    scores = factors.users[users] @ factors.items[items].T  # (U, I)
    draw = torch.Generator().manual_seed(seed)
    shape = len(users), positive("others", others)
    drawn = torch.randint(len(items), shape, generator=draw)
    column = torch.cat([scores.topk(best).indices, drawn.to(users.device)], 1)  # (U, K)
    return {
        "user": users.repeat_interleave(column.shape[1]),
        "item": items[column].flatten(),
        "score": scores.gather(1, column).flatten(),
    }


class Inputs(NamedTuple):
    """What is known of one side, by id; a row of zeros where nothing is."""

    latent: Tensor  # (N, R) the latent model's vectors, standardised
    content: Tensor  # (N, C)
    mean: Tensor  # (N, R) what `mean_vectors` gives


class BatchNorm(nn.BatchNorm1d):
    """A batch of one row has no variance and takes the moving averages, in training."""

    def forward(self, x):
        if self.training and len(x) > 1:
            return super().forward(x)
        moving = self.running_mean, self.running_var
        return F.batch_norm(x, *moving, self.weight, self.bias, eps=self.eps)


class Tower(nn.Module):
    """The f_U or f_V: latent vector and content -> a vector in the latent one's place.

    Layers as in the authors' code: linear, batch normalisation, tanh, and a last linear
    one.

    Parameters
    ----------
    inputs : Inputs
        Of ``N`` users or items.
    units : tuple of int
        Hidden layers; without any, the tower is linear.
    drop, transform : float
        In training, the shares of latent vectors that are replaced, by zeros and by
        the mean over the clicks.
    """

    def __init__(self, inputs, units=(64,), drop=0.5, transform=0.0):
        super().__init__()
        if not (drop >= 0 and transform >= 0 and drop + transform <= 1):
            raise ValueError(
                f"drop is {drop} and transform {transform}; expected shares that sum "
                "to at most 1"
            )
        rows, rank = inputs.latent.shape
        for name, table in inputs._asdict().items():
            columns = table.shape[-1] if name == "content" else rank
            check_matrix(name, table, columns, floating=True)
            if len(table) != rows:
                raise ValueError(f"{name} has {len(table)} rows, but latent {rows}")
            self.register_buffer(name, table, persistent=False)
        kept = max(0.0, 1 - drop - transform)  # of 0.9 and 0.1, -3e-17 would be left
        self.shares = [kept, drop, transform]  # KEPT, DROPPED, MEAN
        width, layers = rank + inputs.content.shape[1], []
        for n in units:
            layers += [nn.Linear(width, positive("units", n)), BatchNorm(n)]
            layers, width = [*layers, nn.Tanh()], n
        self.net = nn.Sequential(*layers, nn.Linear(width, rank))

    def draw(self, n):
        """An option for each of `n` rows, by torch's own generator.

        Each side draws for itself, as in the authors' code; in the paper's Algorithm 1
        a pair gets one option, so that never both are dropped.
        """
        shares = torch.tensor(self.shares, device=self.latent.device)
        return shares.multinomial(n, replacement=True)  # (B,)

    def given(self, ids, option):
        """The latent input: the vector, nothing at all, or the mean of the clicked."""
        kept, mean = ((option == o).unsqueeze(1) for o in (KEPT, MEAN))  # (B, 1)
        return kept * self.latent[ids] + mean * self.mean[ids]  # (B, R)

    def encode(self, latent, content):
        return self.net(torch.cat([latent, content], 1))  # (B, R)

    def forward(self, ids, option=None):
        check_ids("ids", ids, 1, len(self.latent))
        option = torch.full_like(ids, KEPT) if option is None else option
        return self.encode(self.given(ids, option), self.content[ids])


class Inside(NamedTuple):
    """What `DropoutNet.explain` returns; the score is the product of the two."""

    user: Tensor  # (B, R)
    item: Tensor  # (B, R)


class DropoutNet(nn.Module):
    """Two towers that reproduce the scores of a latent model, Eq. (2).

    A batch holds the ids ``user`` and ``item`` (B,), for the loss also ``score``; and,
    if another input than the latent vector is wanted, ``user_option`` and
    ``item_option`` (B,): `KEPT`, `DROPPED` or `MEAN`.
    """

    def __init__(self, users: Tower, items: Tower):
        super().__init__()
        self.users, self.items = users, items

    def explain(self, batch):
        user = self.users(batch["user"], batch.get("user_option"))  # (B, R)
        item = self.items(batch["item"], batch.get("item_option"))
        return Inside(user, item)

    def forward(self, batch):
        user, item = self.explain(batch)
        return (user * item).sum(1)  # (B,)

    def loss(self, batch):
        """Mean square error; in training under options that are drawn anew."""
        if self.training:
            n = len(batch["score"])
            drawn = {"user_option": self.users.draw(n)}
            batch = batch | drawn | {"item_option": self.items.draw(n)}
        return F.mse_loss(self(batch), batch["score"])
