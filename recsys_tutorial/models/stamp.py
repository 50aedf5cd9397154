"""Short-Term Attention/Memory Priority (STAMP), and STMP, which has no attention.

Liu et al., "STAMP: Short-Term Attention/Memory Priority Model for Session-based
Recommendation", KDD 2018. Its numbering of equations was not at hand: the numbers in
here are those of our chapter. Dimension letters: ``B`` batch, ``L`` longest history,
``D`` width of an item's embedding, ``I`` items (padding included).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, happens, positive


class Inside(NamedTuple):
    """What `explain` returns."""

    weights: Tensor  # (B, L), share of each click in the general interest; 0 at padding
    general: Tensor  # (B, D), h_s, made of the whole session
    current: Tensor  # (B, D), h_t, made of the last click; ones without it


class STMP(nn.Module):
    """The general interest is the mean of the session: Eqs. (1) to (5).

    A batch holds ``history`` ``(B, L)``, int64 ids of items, 0 for padding on either
    side, and for `loss` a ``target`` ``(B,)``, the item clicked next. A history of
    nothing but padding has no last click and is refused.

    Parameters
    ----------
    n_items : int
        Number ``I`` of ids, padding included.
    dim : int
        Width of an embedding (the released code: 100).
    last : bool
        Give the last click a vector of its own. Without it, h_t is all ones, and the
        last click counts like any other.
    sigmoid : bool
        Squeeze the scores into (0, 1) before the softmax, as it is printed. The
        released code does not.
    two_sided : bool
        Add to the loss what it costs to expect the items that were not clicked, as it
        is printed. The released code does not.
    """

    def __init__(self, n_items, dim=32, last=True, sigmoid=False, two_sided=False):
        super().__init__()
        self.items = nn.Embedding(
            positive("n_items", n_items), positive("dim", dim), padding_idx=0
        )
        self.general = nn.Linear(dim, dim)
        self.current = nn.Linear(dim, dim) if last else None
        self.sigmoid, self.two_sided = sigmoid, two_sided
        with torch.no_grad():
            self.items.weight.mul_(0.1)

    def weights(self, history, mask, mean, last):
        return mask.to(mean.dtype) / mask.sum(1, keepdim=True)  # (B, L), Eq. (1)

    def explain(self, batch):
        history = batch["history"]
        check_ids("history", history, 2, len(self.items.weight))
        mask = history > 0  # (B, L)
        if happens(~mask.any(1)):
            row = int((~mask.any(1)).nonzero()[0])
            raise ValueError(f"history has nothing but padding in row {row}")
        place = torch.arange(1, mask.shape[1] + 1, device=mask.device)
        end = (mask * place).argmax(1, keepdim=True)  # (B, 1)
        clicks = self.items(history)  # (B, L, D)
        last = self.items(history.gather(1, end)).squeeze(1)  # (B, D), m_t
        mean = clicks.sum(1) / mask.sum(1, keepdim=True)  # (B, D), m_s
        weights = self.weights(history, mask, mean, last)  # (B, L)
        session = (weights.unsqueeze(1) @ clicks).squeeze(1)  # (B, D), m_s or m_a
        general = self.general(session).tanh()  # (B, D), Eq. (2)
        ones = torch.ones_like(general)
        current = self.current(last).tanh() if self.current else ones  # Eq. (3)
        return Inside(weights, general, current)

    def forward(self, batch):
        _, general, current = self.explain(batch)
        scores = (general * current) @ self.items.weight[1:].T  # (B, I - 1), Eq. (4)
        if self.sigmoid:
            scores = scores.sigmoid()
        return F.pad(scores, (1, 0), value=-torch.inf)  # (B, I), never the padding

    def loss(self, batch):
        target, scores = batch["target"], self(batch)
        check_ids("target", target, 1, len(self.items.weight), lowest=1)
        if len(target) != len(scores):
            raise ValueError(f"target has {len(target)} rows and history {len(scores)}")
        loss = F.cross_entropy(scores, target)  # Eq. (5)
        if self.two_sided:
            others = scores.softmax(1).scatter(1, target[:, None], 0.0)
            loss = loss - torch.log1p(-others.clamp(max=1 - 1e-6)).sum(1).mean()
        return loss


class STAMP(STMP):
    """The general interest weighs the clicks, asking the last one: Eqs. (6) and (7).

    The first layer is linear: it is applied to the table of all items, once per
    batch, and then looked up. Arguments as in `STMP`; without the last click, the
    attention does not see it, either.
    """

    def __init__(self, n_items, dim=32, last=True, **options):
        super().__init__(n_items, dim, last, **options)
        self.click = nn.Linear(dim, dim)  # W_1 and b_a
        self.query = nn.Linear(dim, dim, bias=False) if last else None  # W_2
        self.mean = nn.Linear(dim, dim, bias=False)  # W_3
        self.weight = nn.Linear(dim, 1, bias=False)  # W_0

    def weights(self, history, mask, mean, last):
        row = self.mean(mean)  # (B, D)
        if self.query:
            row = row + self.query(last)
        step = F.embedding(history, self.click(self.items.weight))  # (B, L, D)
        hidden = (step + row.unsqueeze(1)).sigmoid()
        return self.weight(hidden).squeeze(2) * mask  # (B, L), no softmax
