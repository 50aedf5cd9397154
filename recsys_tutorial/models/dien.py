"""The Deep Interest Evolution Network (DIEN).

Zhou et al., "Deep Interest Evolution Network for Click-Through Rate Prediction",
AAAI 2019. Dimension letters: ``B`` batch, ``L`` history length, ``D`` width of an
item's embedding and of every hidden state.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_labels, happens, positive
from recsys_tutorial.models.din import MLP, PReLU, check_batch

KINDS = ("GRU", "AIGRU", "AGRU", "AUGRU")


class Attention(nn.Module):
    """Eq. (8): a softmax over the real steps of ``h_t W e_a``; 0 at padding."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, width) / width**0.5)

    def forward(self, states, candidate, mask):
        query = candidate @ self.weight.T  # (B, D)
        scores = (states @ query.unsqueeze(2)).squeeze(2)  # (B, L)
        least = torch.finfo(scores.dtype).min
        return scores.masked_fill(~mask, least).softmax(1) * mask


class Evolution(nn.Module):
    """A GRU, Eqs. (2) to (5), whose steps an attention may weigh, Eqs. (9) to (12).

    What is new in a step is written with a share of its own: ``h = (1 - share) h +
    share * new``. Padded steps write nothing, so that the last column of the path is
    the final state. The input's products are done for all steps at once, and the
    state's in one product per step.

    Parameters
    ----------
    width : int
        ``D``, of inputs and states.
    kind : {"GRU", "AIGRU", "AGRU", "AUGRU"}
        "GRU": share u_t. "AIGRU", Eq. (9): the same, of inputs times a_t. "AGRU",
        Eq. (10): share a_t, and there is no u. "AUGRU", Eqs. (11) and (12): share
        a_t u_t.
    """

    def __init__(self, width, kind):
        super().__init__()
        self.kind = kind
        self.gates = width if kind == "AGRU" else 2 * width  # r, and u
        self.input = nn.Linear(positive("width", width), self.gates + width)
        self.state = nn.Linear(width, self.gates + width, bias=False)

    def share(self, update, weight):
        """What is written: update ``(B, D)``, weight ``(B, 1)``, 0 at padding."""
        return weight if self.kind == "AGRU" else weight * update

    def forward(self, states, weights, mask):
        if self.kind == "AIGRU":
            states = states * weights.unsqueeze(2)
        attended = self.kind in ("AGRU", "AUGRU")
        weights = weights if attended else mask.to(states.dtype)
        D = states.shape[2]
        x = self.input(states).transpose(0, 1)  # (L, B, 2D + D)
        h, weights = x.new_zeros(states.shape[0], D), weights.to(x.dtype)
        x_gates, x_new = (part.unbind(0) for part in x.split([self.gates, D], 2))
        weights, U = weights.T.unsqueeze(2).unbind(0), self.state.weight.T
        path, shares = [], []
        for g, n, a in zip(x_gates, x_new, weights, strict=True):
            h_gates, h_new = (h @ U).split([self.gates, D], 1)
            reset, update = (g + h_gates).sigmoid().tensor_split([D], 1)
            new = torch.addcmul(n, reset, h_new).tanh()  # Eq. (4)
            shares.append(self.share(update, a))
            h = torch.lerp(h, new, shares[-1])  # Eq. (5)
            path.append(h)
        return torch.stack(path, 1), torch.stack(shares, 1)  # (B, L, D), (B, L, D or 1)


class Inside(NamedTuple):
    """What `explain` returns."""

    weights: Tensor  # (B, L), the a_t of Eq. (8); 0 at padding
    states: Tensor  # (B, L, D), the interests h_t; at padding without a meaning
    path: Tensor  # (B, L, D), the h'_t of the evolution; constant at padding
    shares: Tensor  # (B, L, D), for AGRU (B, L, 1): what each step writes
    user: Tensor  # (B, D), what the head sees of the history
    candidate: Tensor  # (B, D), e_a


class DIEN(nn.Module):
    """Embedding, interest extraction, interest evolution, MLP.

    A batch is that of `BaseModel`, its histories in the order of time, padded with 0
    at the end. If `alpha` is above 0, `loss` needs ``negative`` ``(B, L)`` too, see
    `random_negatives`.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items. Its width is that of all states, as Eq. (6) takes inner
        products of the two.
    kind : {"AUGRU", "AGRU", "AIGRU", "GRU"}
        The evolution, see `Evolution`. "GRU" is the paper's "two layer GRU attention":
        the attention weighs the states of the second layer, which are added up.
    alpha : float
        Weight of the auxiliary loss, Eq. (7); 0 for none.
    units : tuple of int
        Widths of the two hidden layers of the MLP.
    activation : class
        `PReLU` or `Dice`, in the MLP.
    """

    def __init__(
        self, items, kind="AUGRU", alpha=1.0, units=(80, 40), activation=PReLU
    ):
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}; expected one of {KINDS}")
        if not alpha >= 0:
            raise ValueError(f"alpha is {alpha}; expected a number of at least 0")
        self.items, self.kind, self.alpha = items, kind, alpha
        D = items.out_features
        self.extraction = nn.GRU(D, D, batch_first=True)
        self.attention = Attention(D)
        self.evolution = Evolution(D, kind)
        self.head = MLP(2 * D, units, activation)

    def explain(self, batch):
        check_batch(batch, len(self.items.ids))
        mask = check_padding(batch["history"])
        table = self.items.table()  # (I, D)
        candidate = F.embedding(batch["candidate"], table, padding_idx=0)  # (B, D)
        history = F.embedding(batch["history"], table, padding_idx=0)  # (B, L, D)
        states, _ = self.extraction(history)  # (B, L, D)
        if self.kind == "GRU":
            path, shares = self.evolution(states, None, mask)
            weights = self.attention(path, candidate, mask)
            user = (weights.unsqueeze(1) @ path).squeeze(1)
        else:
            weights = self.attention(states, candidate, mask)
            path, shares = self.evolution(states, weights, mask)
            user = path[:, -1]
        return Inside(weights, states, path, shares, user, candidate)

    def _logits(self, inside):
        return self.head(torch.cat([inside.user, inside.candidate], 1)).squeeze(1)

    def forward(self, batch):
        return self._logits(self.explain(batch))  # (B,)

    def loss(self, batch):
        inside = self.explain(batch)
        logits = self._logits(inside)
        label = check_labels("label", batch["label"], logits.shape)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        if self.alpha:
            if "negative" not in batch:
                raise KeyError("negative is not in the batch; see random_negatives")
            table = self.items.table()
            happened, did_not = (
                F.embedding(batch[name], table, padding_idx=0)
                for name in ("history", "negative")
            )
            mask = batch["history"] > 0
            extra = auxiliary_loss(inside.states, happened, did_not, mask)
            loss = loss + self.alpha * extra
        return loss


def auxiliary_loss(states, happened, did_not, mask):
    """Eq. (6): state t tells the click of step t + 1 from another item.

    The mean over all pairs of neighbouring real steps; Eq. (6) adds up the pairs of a
    history. 0 if there is no pair.

    Parameters
    ----------
    states, happened, did_not : Tensor
        ``(B, L, D)``: h_t, and the embeddings of the items that were clicked in each
        step and of the others.
    mask : Tensor
        ``(B, L)`` bool, true at the real steps, which come first.
    """
    h, pairs = states[:, :-1], mask[:, 1:]
    right = (h * happened[:, 1:]).sum(2)  # (B, L - 1)
    wrong = (h * did_not[:, 1:]).sum(2)
    loss = F.softplus(-right) + F.softplus(wrong)  # -log s(right) - log(1 - s(wrong))
    return (loss * pairs).sum() / pairs.sum().clamp(min=1)


def random_negatives(history, n_items, seed=0):
    """For each step an item drawn uniformly from all but the step's own; 0 at padding.

    Parameters
    ----------
    history : LongTensor
        ``(B, L)`` ids in ``0 .. n_items - 1``.
    n_items : int
        Number ``I`` of ids, padding included; at least 3.
    seed : int
        Draws the items.
    """
    if positive("n_items", n_items) < 3:
        raise ValueError(f"n_items is {n_items}; expected 3 or more, padding included")
    g = torch.Generator().manual_seed(seed)
    drawn = torch.randint(1, n_items - 1, history.shape, generator=g)  # 1 .. I - 2
    drawn = drawn.to(history.device)
    return torch.where(history > 0, drawn + (drawn >= history).long(), 0)


def check_padding(history):
    """The mask of ``(B, L)`` ids; ValueError if a 0 comes before an item."""
    mask = history > 0
    early = (mask[:, 1:] & ~mask[:, :-1]).any(1)
    if happens(early):
        row = int(early.int().argmax())
        raise ValueError(
            f"history has padding before an item, first in row {row}; expected items "
            "first, then zeros"
        )
    return mask
