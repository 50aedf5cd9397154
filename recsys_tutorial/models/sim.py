"""The search-based interest model (SIM): search a long history, then look closely.

Pi et al., "Search-based User Interest Modeling with Lifelong Sequential Behavior Data
for Click-Through Rate Prediction", CIKM 2020. Dimension letters: ``B`` batch, ``L``
length of the long history, ``S`` of the recent one, ``D`` width of an item's embedding,
``W`` width of a step, its time included, ``K`` steps found, ``H`` heads, ``I`` items.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, check_labels, positive
from recsys_tutorial.models.din import MLP, ActivationUnit, PReLU, check_batch


class HardSearch(nn.Module):
    """Eq. (1), hard: a step is relevant if it shares a category with the candidate.

    Of more than K relevant steps the latest are found (the paper truncates, and does
    not say how); of fewer, just these. A candidate of a category that the user never
    touched finds nothing. Nothing here is learnt.

    Parameters
    ----------
    categories : Tensor
        ``(I, C)`` floats, 1 where the item has the category; row 0 is zero. An item
        may have several (not in the paper, where it has one).
    """

    def __init__(self, categories):
        super().__init__()
        if categories.ndim != 2 or categories[0].any():
            raise ValueError(
                f"categories has shape {tuple(categories.shape)} and a first row that "
                f"sums to {float(categories[0].sum()):g}; expected (I, C) and zero"
            )
        self.register_buffer("categories", categories)

    def forward(self, ids, candidate_ids, history, candidate):
        shares = self.categories[candidate_ids] @ self.categories.T > 0  # (B, I)
        when = torch.arange(float(ids.shape[1]), device=ids.device)  # later is higher
        return when.expand_as(ids), shares.gather(1, ids)  # (B, L) each


class RecentSearch(nn.Module):
    """The latest K steps, whatever the candidate: what the searches compete with."""

    def forward(self, ids, candidate_ids, history, candidate):
        when = torch.arange(float(ids.shape[1]), device=ids.device)
        return when.expand_as(ids), ids > 0  # (B, L) each


class SoftSearch(nn.Module):
    """Eqs. (1), soft, and (2): a learnt inner product, trained on the whole history.

    Choosing the K best lets no gradient through, so the projections learn from a task
    of their own: the click, predicted from ``U_r``, the history weighted by its scores.
    Not in the paper: both projections start as the identity, so that the search begins
    as the inner product of the embeddings.

    Parameters
    ----------
    width : int
        ``D``.
    units : int
        Hidden units of the auxiliary MLP.
    scale : float
        Multiplies ``U_r``. Not in the paper: a sum over a thousand steps is a thousand
        times as long as an embedding.
    """

    def __init__(self, width, units=32, scale=1.0):
        super().__init__()
        self.step = nn.Linear(width, width, bias=False)  # W_b
        self.target = nn.Linear(width, width, bias=False)  # W_a
        nn.init.eye_(self.step.weight), nn.init.eye_(self.target.weight)
        self.scale = scale
        self.head = nn.Sequential(
            nn.Linear(2 * width, units), PReLU(units), nn.Linear(units, 1)
        )

    def forward(self, ids, candidate_ids, history, candidate):
        target = self.target(candidate) @ self.step.weight  # W_b^T W_a e_a: (B, D)
        return (history @ target.unsqueeze(2)).squeeze(2), ids > 0  # (B, L)

    def loss(self, inside, label):
        """Cross-entropy of the auxiliary prediction from [U_r; e_a]."""
        weights = (inside.scores * inside.mask * self.scale).unsqueeze(1)  # (B, 1, L)
        user = (weights @ inside.long).squeeze(1)  # (B, D), U_r of Eq. (2)
        logits = self.head(torch.cat([user, inside.candidate], 1)).squeeze(1)
        return F.binary_cross_entropy_with_logits(logits, label)


def top_k(scores, mask, k):
    """The K best of the steps that `mask` allows, best first.

    Parameters
    ----------
    scores, mask : Tensor
        ``(B, L)``: floats of any sign, and bool.
    k : int
        ``K``; more than `L` gives `L`.

    Returns
    -------
    tuple of Tensor
        ``(B, K)``: positions, and whether there is a step at all. A row with fewer
        than K steps is filled up, never with a step that counts.
    """
    k = min(positive("k", k), scores.shape[1])
    best = scores.masked_fill(~mask, -torch.inf).topk(k, dim=1)
    return best.indices, mask.gather(1, best.indices)


class TargetAttention(nn.Module):
    """Eqs. (3)-(4): each head lets the candidate attend to the steps that were found.

    ``softmax(W_bi z_b . W_ai e_a)`` weighs the steps themselves, and the heads' sums
    stand side by side. Where nothing was found the sum is zero (not in the paper).

    Parameters
    ----------
    step_width, width : int
        ``W`` of a step and ``D`` of the candidate.
    heads : int
        ``H``.
    """

    def __init__(self, step_width, width, heads=2):
        super().__init__()
        self.heads = positive("heads", heads)
        self.steps = nn.Linear(step_width, heads * width, bias=False)  # W_b1 .. W_bH
        self.target = nn.Linear(width, heads * width, bias=False)  # W_a1 .. W_aH
        self.out_features = heads * step_width

    def forward(self, steps, candidate, mask):
        B, K, _ = steps.shape
        z = self.steps(steps).view(B, K, self.heads, -1)  # (B, K, H, D)
        a = self.target(candidate).view(B, self.heads, -1)  # (B, H, D)
        scores = torch.einsum("bkhd,bhd->bhk", z, a)
        here, least = mask.unsqueeze(1), torch.finfo(scores.dtype).min  # (B, 1, K)
        weights = scores.masked_fill(~here, least).softmax(-1) * here  # (B, H, K)
        return weights, (weights @ steps).flatten(1)  # (B, H, W) -> (B, H * W)


class Inside(NamedTuple):
    """What `SIM.explain` returns."""

    scores: Tensor  # (B, L), of the search
    mask: Tensor  # (B, L), bool: the steps that the search may find
    found: Tensor  # (B, K), positions in the long history, best first
    real: Tensor  # (B, K), bool: False where fewer than K were found
    weights: Tensor  # (B, H, K), of the exact search
    lasting: Tensor  # (B, H * W), the long-term interest U_lt
    recent: Tensor  # (B, D), DIN's user vector of the recent steps
    long: Tensor  # (B, L, D), embeddings of the long history
    candidate: Tensor  # (B, D)


class SIM(nn.Module):
    """Eqs. (1)-(5): a search in the long history, beside DIN on the recent one.

    A batch holds ``history`` ``(B, S)``, the recent steps, and ``candidate`` ``(B,)``
    as in `DIN`; ``long`` ``(B, L)``, the ids of the steps before those, oldest first,
    0 for padding; with `gaps`, also ``gap`` ``(B, L)``, int64, in which bucket of time
    before the candidate each long step lies, from 1 on; and for `loss` a ``label``
    ``(B,)`` of floats. The paper has DIEN where we have DIN.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    search : nn.Module
        `HardSearch`, `SoftSearch` or `RecentSearch`.
    k, heads : int
        ``K`` steps to find, and ``H`` heads of the exact search.
    gaps : int
        Number of buckets of time, each with an embedding of width 4; 0 leaves time out.
    units, attention_units : int
        Widths of the two hidden layers of the MLP (the paper: 200 and 80), and of
        DIN's activation unit.
    scale : float
        Multiplies DIN's weights, as in `BaseModel`.
    """

    def __init__(
        self,
        items,
        search,
        k=20,
        heads=2,
        gaps=0,
        units=(80, 40),
        attention_units=16,
        scale=1.0,
    ):
        super().__init__()
        self.items, self.search, self.k = items, search, positive("k", k)
        width, self.scale = items.out_features, scale
        self.gaps = nn.Embedding(gaps + 1, 4, padding_idx=0) if gaps else None
        self.exact = TargetAttention(width + 4 * bool(gaps), width, heads)
        self.unit = ActivationUnit(width, attention_units)
        self.head = MLP(2 * width + self.exact.out_features, units)

    def explain(self, batch):
        self.check(batch)
        table = self.items()  # (I, D)
        names = "history", "long", "candidate"
        recent, long, candidate = (F.embedding(batch[k], table) for k in names)

        scores, mask = self.search(batch["long"], batch["candidate"], long, candidate)
        found, real = top_k(scores, mask, self.k)  # (B, K)
        steps = F.embedding(batch["long"].gather(1, found), table)  # (B, K, D)
        if self.gaps:
            when = self.gaps(batch["gap"].gather(1, found))  # (B, K, 4)
            steps = torch.cat([steps, when], -1)  # (B, K, W): z_b = [e; e^t]
        weights, lasting = self.exact(steps, candidate, real)

        here = batch["history"] > 0  # (B, S)
        w = self.unit(recent, candidate, here) * here * self.scale
        user = (w.unsqueeze(1) @ recent).squeeze(1)  # (B, D)
        return Inside(
            scores, mask, found, real, weights, lasting, user, long, candidate
        )

    def logits(self, inside):
        x = torch.cat([inside.lasting, inside.recent, inside.candidate], 1)
        return self.head(x).squeeze(1)  # (B,)

    def forward(self, batch):
        return self.logits(self.explain(batch))

    def loss(self, batch):
        """Eq. (5) with alpha = beta = 1; alpha = 0 where the search learns nothing."""
        inside = self.explain(batch)
        logits = self.logits(inside)
        label = check_labels("label", batch["label"], logits.shape)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        if isinstance(self.search, SoftSearch):
            loss = loss + self.search.loss(inside, label)
        return loss

    def check(self, batch):
        """Raise unless the batch is as the class says."""
        sizes = {"long": len(self.items.ids)}
        if self.gaps:
            sizes["gap"] = self.gaps.num_embeddings
        check_batch(batch, sizes["long"])
        shape = batch["candidate"].shape[0], batch["long"].shape[1]
        for name, size in sizes.items():
            check_ids(name, batch[name], 2, size)
            if batch[name].shape != shape:
                raise ValueError(
                    f"{name} has shape {tuple(batch[name].shape)}; expected {shape}"
                )
