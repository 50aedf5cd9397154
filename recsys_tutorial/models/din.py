"""The base model (embedding and pooling) and the Deep Interest Network (DIN).

Zhou et al., "Deep Interest Network for Click-Through Rate Prediction", KDD 2018.
Dimension letters: ``B`` batch, ``L`` history length, ``D`` width of an item's
embedding, ``H`` hidden units, ``I`` items (padding included), ``G`` genres.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, check_labels, positive


class PReLU(nn.Module):
    """Eq. (8): s where s > 0, alpha s elsewhere; one alpha per channel."""

    def __init__(self, units):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((units,), 0.25))

    def forward(self, s, mask=None):
        return F.prelu(s.flatten(0, -2), self.alpha).view_as(s)  # (..., H)


class Dice(nn.Module):
    """Eq. (9): PReLU with a soft switch that sits at the mean of the data.

    Mean and variance are those of the batch in training and moving averages in
    evaluation; a batch of one row has no variance and takes the averages, too. Nothing
    but alpha is learnt. `mask`, of the shape of `s` without its last dimension, keeps
    padded steps out of the statistics and sets them to 0. Not in the paper: the rate
    of the moving averages, and that alpha starts at 0.
    """

    def __init__(self, units):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(units))
        self.register_buffer("mean", torch.zeros(units))
        self.register_buffer("variance", torch.ones(units))

    def forward(self, s, mask=None):
        rows, real = s.flatten(0, -2), None  # (N, H)
        if mask is not None and (self.training or not torch.compiler.is_compiling()):
            real = mask.flatten().nonzero().squeeze(1)
            rows = F.embedding(real, rows)  # look-up: as rows[real], and faster
        batch = self.training and len(rows) > 1
        moving = self.mean, self.variance
        z = F.batch_norm(rows, *moving, training=batch, momentum=0.05, eps=1e-8)
        p = z.sigmoid()
        out = torch.addcmul(self.alpha * rows, 1 - self.alpha, p * rows)
        if real is not None:
            out = out.new_zeros(mask.numel(), out.shape[1]).index_copy(0, real, out)
        elif mask is not None:  # an exported model computes the padded steps, too
            out = out * mask.view(-1, 1)
        return out.view_as(s)


class ItemEmbedding(nn.Module):
    """The table of all items: an embedding of the id, beside one of the genres.

    An item of several genres gets the average of theirs, Eq. (1). The table is made
    once per batch and then looked up; the row of id 0, padding, is zero and stays so.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    dim : int
        Width of one embedding.
    genres : Tensor, optional
        ``(I, G)`` floats, 1 where the item has the genre; row 0 is zero.
    """

    def __init__(self, n_items, dim=16, genres=None):
        super().__init__()
        self.ids = nn.Parameter(0.1 * torch.randn(positive("n_items", n_items), dim))
        self.out_features = positive("dim", dim)
        self.genres = None
        if genres is not None:
            if genres.shape[0] != n_items or genres[0].any():
                raise ValueError(
                    f"genres has {len(genres)} rows and a first row that sums to "
                    f"{float(genres[0].sum()):g}; expected {n_items} and zero"
                )
            share = genres / genres.sum(1, keepdim=True).clamp(min=1)
            self.register_buffer("share", share)  # (I, G)
            self.genres = nn.Parameter(0.1 * torch.randn(genres.shape[1], dim))
            self.out_features *= 2
        with torch.no_grad():
            self.ids[0] = 0.0

    def forward(self):
        return F.pad(self.table()[1:], (0, 0, 1, 0))  # row 0 is new: no gradient

    def table(self):
        """The same, for look-ups with ``padding_idx=0``: these send row 0 none."""
        if self.genres is None:
            return self.ids  # (I, D)
        return torch.cat([self.ids, self.share @ self.genres], 1)  # (I, D)


class Inside(NamedTuple):
    """What `explain` returns."""

    weights: Tensor  # (B, L), the w_j of Eq. (3); 0 at padding
    user: Tensor  # (B, D), the user vector v_U
    candidate: Tensor  # (B, D), v_A


class MLP(nn.Sequential):
    """The end of a model, ``(B, D)`` -> ``(B, 1)``: two hidden layers and a logit."""

    def __init__(self, width, units, activation=PReLU):
        first, second = units
        super().__init__(
            nn.Linear(width, first),
            activation(first),
            nn.Linear(first, second),
            activation(second),
            nn.Linear(second, 1),
        )


class BaseModel(nn.Module):
    """Embedding, pooling, MLP: Eqs. (1) and (2); one user vector for all candidates.

    A batch holds ``history`` ``(B, L)`` and ``candidate`` ``(B,)``, int64 ids of
    items, 0 for padding, and for `loss` a ``label`` ``(B,)`` of floats. Where a
    `profile` is given, it maps ``batch["profile"]`` to ``(B, out_features)``.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    units : tuple of int
        Widths of the two hidden layers of the MLP (the paper: 200 and 80).
    activation : class
        `PReLU` or `Dice`.
    average : bool
        Average the history; else add it up. The paper allows both.
    scale : float
        Multiplies every weight. Not in the paper: a sum over 50 steps is some 50 times
        as long as an embedding, and 1/50 makes it easier to train.
    profile : nn.Module, optional
        Features of the user.
    l2 : float
        The lambda of Eq. (7); 0 for none (the paper: 0.01).
    counts : Tensor, optional
        ``(I,)`` floats, the n_j of Eq. (7); needed if `l2` is above 0.
    """

    def __init__(
        self,
        items,
        units=(80, 40),
        activation=PReLU,
        average=False,
        scale=1.0,
        profile=None,
        l2=0.0,
        counts=None,
    ):
        super().__init__()
        if l2 and counts is None:
            raise ValueError(f"l2 is {l2:g} and counts is None; expected (I,) floats")
        self.items, self.profile, self.average = items, profile, average
        self.scale, self.l2 = scale, l2
        self.register_buffer("counts", counts, persistent=False)
        width = 2 * items.out_features + (profile.out_features if profile else 0)
        self.head = MLP(width, units, activation)

    def weights(self, history, candidate, mask):
        real = mask.to(history.dtype)  # (B, L)
        return real / real.sum(1, keepdim=True).clamp(min=1) if self.average else real

    def explain(self, batch):
        check_batch(batch, len(self.items.ids))
        table = self.items.table()  # (I, D)
        history = F.embedding(batch["history"], table, padding_idx=0)  # (B, L, D)
        candidate = F.embedding(batch["candidate"], table, padding_idx=0)  # (B, D)
        weights = self.weights(history, candidate, batch["history"] > 0) * self.scale
        user = (weights.unsqueeze(1) @ history).squeeze(1)  # (B, D)
        return Inside(weights, user, candidate)

    def forward(self, batch):
        _, user, candidate = self.explain(batch)
        known = [self.profile(batch["profile"])] if self.profile else []
        return self.head(torch.cat([*known, user, candidate], 1)).squeeze(1)  # (B,)

    def loss(self, batch):
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        if self.l2:
            ids = torch.cat([batch["history"].flatten(), batch["candidate"]])
            loss = loss + self.l2 / 2 * batch_l2(self.items.ids, ids, self.counts)
        return loss


class ActivationUnit(nn.Module):
    """The a(e_j, v_A) of Eq. (3): how much step j matters to the candidate.

    A network on [candidate, step, candidate - step, candidate * step]; the difference
    and the product stand for the paper's "out product", as in the authors' code. The
    hidden layer is linear, so its four blocks are applied apart: the candidate's once
    per row, and all that meets a step as one matrix per row. Not in the paper: the
    output starts near 1, so that DIN starts as the base model that adds up.
    """

    def __init__(self, width, units=36, activation=PReLU):
        super().__init__()
        self.hidden = nn.Linear(4 * width, positive("units", units))
        self.activation = activation(units)
        self.output = nn.Linear(units, 1)
        nn.init.ones_(self.output.bias)

    def forward(self, history, candidate, mask):
        q, k, difference, product = self.hidden.weight.chunk(4, 1)  # (H, D) each
        row = F.linear(candidate, q + difference, self.hidden.bias)  # (B, H)
        step = torch.addcmul((k - difference).T, candidate.unsqueeze(2), product.T)
        s = torch.baddbmm(row.unsqueeze(1), history, step)  # (B, L, H), step (B, D, H)
        return self.output(self.activation(s, mask)).squeeze(-1)  # (B, L)


class DIN(BaseModel):
    """Eq. (3): the candidate decides which steps of the history count.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    softmax : bool
        Let the weights of a history sum to 1. The paper does not. Not with `average`,
        which divides the weights by the number of steps.
    attention_units : int
        Hidden units of the activation unit.
    attention_activation : class
        `PReLU` or `Dice`, inside the activation unit.
    **options
        As in `BaseModel`; its `activation` is that of the MLP.
    """

    def __init__(
        self,
        items,
        softmax=False,
        attention_units=36,
        attention_activation=PReLU,
        **options,
    ):
        super().__init__(items, **options)
        if softmax and self.average:
            raise ValueError("softmax and average are both True; expected one at most")
        width, self.softmax = items.out_features, softmax
        self.unit = ActivationUnit(width, attention_units, attention_activation)

    def weights(self, history, candidate, mask):
        a = self.unit(history, candidate, mask)  # (B, L)
        if self.softmax:
            a = a.masked_fill(~mask, torch.finfo(a.dtype).min).softmax(1)
        return a * super().weights(history, candidate, mask)


def batch_l2(table, ids, counts):
    """Eq. (6), one batch: the sum of ``|w_j|^2 / n_j`` over the ids j in it."""
    present = ids.unique()
    norms = table[present].square().sum(1)  # row 0, padding, is zero
    return (norms / counts[present].clamp(min=1)).sum()


def check_batch(batch, n_items):
    """Raise unless history is ``(B, L)`` and candidate ``(B,)``, ids in 0..I-1."""
    for name, dims in (("history", 2), ("candidate", 1)):
        check_ids(name, batch[name], dims, n_items)
    if batch["history"].shape[0] != batch["candidate"].shape[0]:
        raise ValueError(
            f"history has {len(batch['history'])} rows and candidate "
            f"{len(batch['candidate'])}; expected as many"
        )
