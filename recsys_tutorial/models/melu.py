"""MeLU: every user is a task, learnt from a few ratings by a step or two of descent.

Lee et al., "MeLU: Meta-Learned User Preference Estimator for Cold-Start
Recommendation", KDD 2019. Dimension letters: ``B`` users, ``S`` and ``Q`` ratings in a
user's support and query set, ``N`` pairs, ``C`` columns of content, ``F`` fields of
content, ``D`` width of a field's embedding, ``T`` local steps.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from recsys_tutorial.layers import check_ids, happens, positive


class Estimator(nn.Module):
    """Eqs. (1) to (3): content of a user and an item ``(N, C)`` -> rating ``(N,)``.

    `embedding` is the paper's theta_1, `decision` its theta_2.

    Parameters
    ----------
    fields : sequence of int
        Columns of each of the ``F`` fields of content, their sum is ``C``. A field's
        embedding is its columns times their rows of the table: the row of the value
        for one-hot columns, the mean of several for shares, zero for none.
    dim, units : int
        Width ``D`` of an embedding, and of the two hidden layers.
    mean : float
        Added to the output: the mean of the ratings, from which training starts.
    """

    def __init__(self, fields, dim=32, units=64, mean=0.0):
        super().__init__()
        self.fields, self.mean = [positive("field", f) for f in fields], mean
        width = len(self.fields) * positive("dim", dim)
        self.embedding = nn.Parameter(torch.randn(sum(self.fields), dim) / dim**0.5)
        self.decision = nn.Sequential(
            nn.Linear(width, positive("units", units)),
            nn.ReLU(),
            nn.Linear(units, units),
            nn.ReLU(),
            nn.Linear(units, 1),
        )

    def forward(self, content):
        tables = self.embedding.split(self.fields)
        parts = zip(content.split(self.fields, -1), tables, strict=True)
        x = torch.cat([values @ rows for values, rows in parts], -1)  # (N, F * D)
        return self.mean + self.decision(x).squeeze(-1)  # (N,)


class Inside(NamedTuple):
    """What `MeLU.explain` returns; step 0 is before any local step."""

    predictions: Tensor  # (B, T + 1, Q), of the query's items after each local step
    losses: Tensor  # (B, T + 1), of the support set, which the steps descend


class MeLU(nn.Module):
    """Algorithm 1: local steps on the decision layers, global steps on everything.

    A batch has a user in each row: ``user`` ``(B,)``, ``support`` ``(B, S)`` and
    ``query`` ``(B, Q)``, int64 ids with 0 for padding, and ``support_rating`` and
    ``query_rating`` of the same shapes, floats. A user without support is predicted
    from content alone.

    Parameters
    ----------
    users, items : Tensor
        ``(U, C_u)`` and ``(I, C_i)`` floats: content by id, row 0 for the padding.
    fields : sequence of int
        As in `Estimator`: first the fields of users, then those of items.
    steps : int
        Local steps ``T``, 0 for none: an ordinary model, trained on its query.
    inner_lr : float
        The alpha of the local steps, at least 0.
    local : {"decision", "all"}
        What a local step changes; "all" takes the embeddings along: plain MAML.
    second_order : bool
        Differentiate through the gradient of the local steps. Without it, that
        gradient is taken for a constant: first-order MAML.
    **sizes
        `dim`, `units` and `mean` of the `Estimator`.
    """

    def __init__(
        self,
        users,
        items,
        fields,
        *,
        steps=1,
        inner_lr=0.01,
        local="decision",
        second_order=True,
        **sizes,
    ):
        super().__init__()
        if sum(fields) != users.shape[1] + items.shape[1]:
            raise ValueError(
                f"fields {list(fields)} have {sum(fields)} columns; expected "
                f"{users.shape[1]} of users + {items.shape[1]} of items"
            )
        if local not in ("decision", "all"):
            raise ValueError(f"local is {local!r}; expected 'decision' or 'all'")
        if not inner_lr >= 0:
            raise ValueError(f"inner_lr is {inner_lr}; expected a rate of at least 0")
        self.estimator = Estimator(fields, **sizes)
        self.register_buffer("users", users, persistent=False)
        self.register_buffer("items", items, persistent=False)
        self.steps = steps and positive("steps", steps)
        self.inner_lr, self.local, self.second_order = inner_lr, local, second_order

    def weights(self):
        """All weights by name, and those of them that a local step changes."""
        every = dict(self.estimator.named_parameters())
        names = [n for n in every if self.local == "all" or n.startswith("decision")]
        return every, {name: every[name] for name in names}

    def content(self, user, item):
        check_ids("user", user, 1, len(self.users))
        check_ids("item", item, 2, len(self.items))
        who = self.users[user].unsqueeze(1).expand(-1, item.shape[1], -1)
        return torch.cat([who, self.items[item]], -1)  # (B, S or Q, C)

    def explain(self, batch):
        support = self.content(batch["user"], batch["support"])  # (B, S, C)
        query = self.content(batch["user"], batch["query"])  # (B, Q, C)
        rating = known_ratings(batch, "support")  # (B, S)
        mask = batch["support"] > 0
        every, start = self.weights()

        def predict(fast, content):
            return functional_call(self.estimator, every | fast, (content,))

        def support_loss(fast, content, rating, mask):  # of one user
            error = (rating - predict(fast, content)) * mask
            return error.square().sum() / mask.sum().clamp(min=1)

        def one_user(support, rating, mask, query):
            fast, predictions, losses = start, [predict(start, query)], []
            for _ in range(self.steps):
                g = grad(support_loss)(fast, support, rating, mask)
                if not self.second_order:
                    g = {name: value.detach() for name, value in g.items()}
                losses.append(support_loss(fast, support, rating, mask))
                fast = {name: w - self.inner_lr * g[name] for name, w in fast.items()}
                predictions.append(predict(fast, query))
            losses.append(support_loss(fast, support, rating, mask))
            return torch.stack(predictions), torch.stack(losses)

        return Inside(*vmap(one_user)(support, rating, mask, query))

    def forward(self, batch):
        return self.explain(batch).predictions[:, -1]  # (B, Q), after the last step

    def loss(self, batch):
        error = self(batch) - known_ratings(batch, "query")
        mask = batch["query"] > 0
        by_user = (error * mask).square().sum(1) / mask.sum(1).clamp(min=1)  # (B,)
        return by_user.sum() / mask.any(1).sum().clamp(min=1)

    def influence(self, user, item):
        """How far a local step would move for an error of one star on each item.

        The norm of the gradient, with respect to the decision layers, of the squared
        error of that single rating where the error is 1. ``(B,)`` users and ``(B, Q)``
        items give ``(B, Q)``.
        """
        every = dict(self.estimator.named_parameters())
        decision = {n: w for n, w in every.items() if n.startswith("decision")}

        def predict(fast, content):  # of one pair
            return functional_call(self.estimator, every | fast, (content,))

        def norm(content):
            g = grad(predict)(decision, content)  # the error's square has twice this
            return 2 * sum(value.square().sum() for value in g.values()).sqrt()

        return vmap(vmap(norm))(self.content(user, item))


def known_ratings(batch, name):
    """The ratings of the support or the query, with 0 in place of the padding."""
    item, rating = batch[name], batch[f"{name}_rating"]
    if rating.shape != item.shape or not rating.is_floating_point():
        raise ValueError(
            f"{name}_rating has shape {tuple(rating.shape)} and dtype {rating.dtype}; "
            f"expected floats of shape {tuple(item.shape)}, as {name}"
        )
    rating = rating.masked_fill(item == 0, 0.0)
    if happens(~rating.isfinite()):
        row = int((~rating.isfinite()).nonzero()[0, 0])
        raise ValueError(f"{name}_rating holds NaN or infinity in row {row}")
    return rating
