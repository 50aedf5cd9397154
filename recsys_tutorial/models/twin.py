"""The two-stage interest network (TWIN): one attention for the search and for the look.

Chang et al., "TWIN: TWo-stage Interest Network for Lifelong User Behavior Modeling in
CTR Prediction at Kuaishou", KDD 2023. Dimension letters: ``B`` batch, ``L`` length of
the long history, ``S`` of the recent one, ``D`` width of an item's embedding, ``H``
heads of width ``d``, ``J`` cross features of width ``C``, ``K`` steps found, ``I``
items.
"""

import math
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, check_labels, positive
from recsys_tutorial.models.din import MLP, check_batch
from recsys_tutorial.models.eta import HashSearch, TargetAttention
from recsys_tutorial.models.sim import SoftSearch, top_k


def by_turns(scores, mask, k):
    """K different steps: the heads name their best in turn, and go down their lists.

    A step is taken when a head first names it: head h names its r-th best in turn
    ``r H + h``, and the K steps with the earliest turns are found.

    Parameters
    ----------
    scores : Tensor
        ``(B, H, L)`` floats of any sign.
    mask : Tensor
        ``(B, L)`` bool, the steps that there are.
    k : int
        ``K``; more than `L` gives `L`.

    Returns
    -------
    tuple of Tensor
        ``(B, K)``: positions, the first named first, and whether there is a step.
    """
    B, H, L = scores.shape
    k = min(positive("k", k), L)
    best = scores.masked_fill(~mask.unsqueeze(1), -torch.inf).topk(k, dim=2).indices
    turn = torch.arange(k * H, device=scores.device).view(k, H).T.reshape(-1)
    first = turn.new_full((B, L), k * H).scatter_reduce(
        1, best.flatten(1), turn.expand(B, -1), "amin"
    )  # (B, L), the turn in which each step is named
    return top_k(-first.double(), mask, k)


class ConsistentAttention(nn.Module):
    """Eq. (6), and the exact attention that goes by the same scores.

    The inherent part of a step is the item's alone: its key ``K_h W^h`` is made once
    per item, and looked up. Of the cross features, which belong to this user and this
    step, each gives one number per head: ``K_cj . w_j``, times ``beta_j``. Not in the
    paper: W^h starts as a copy of W^q, so that the search begins as a similarity.

    Parameters
    ----------
    width : int
        ``D``.
    heads : int
        ``H``, a divisor of `width`; a head has ``d = D / H`` numbers.
    cross : sequence of int
        Number of ids of each of the ``J`` cross features, padding included.
    cross_dim : int
        ``C``; the paper has 8.
    tied : bool
        False starts W^h and W^q independently of each other.
    """

    def __init__(self, width, heads=2, cross=(), cross_dim=8, tied=True):
        super().__init__()
        if width % positive("heads", heads):
            raise ValueError(f"heads is {heads}; expected a divisor of {width}")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)  # W^q
        self.key = nn.Linear(width, width, bias=False)  # W^h
        for layer in (self.query, self.key):
            nn.init.orthogonal_(layer.weight)
        if tied:
            with torch.no_grad():
                self.key.weight.copy_(self.query.weight)
        C, J = positive("cross_dim", cross_dim), len(cross)
        self.cross = nn.ModuleList(nn.Embedding(n, C, padding_idx=0) for n in cross)
        self.weight = nn.Parameter(torch.randn(J, C, heads) / math.sqrt(C))  # w_j
        self.beta = nn.Parameter(torch.full((J, heads), 0.1))
        self.value = nn.Linear(width + J * C, width, bias=False)  # W^v
        self.out = nn.Linear(width, width, bias=False)  # W^o

    def keys(self, table):
        """What a server keeps of each item: ``(..., D)`` -> ``(..., D)``."""
        return self.key(table)

    def scalars(self):
        """What each id of each cross feature adds to the scores: J of ``(ids, H)``."""
        return [
            feature.weight @ (w * beta)
            for feature, w, beta in zip(self.cross, self.weight, self.beta, strict=True)
        ]

    def scores(self, keys, candidate, cross):
        """Eq. (6): ``alpha`` (B, H, L) of steps with these `keys` (B, L, D)."""
        q = self.query(candidate).unflatten(1, (self.heads, -1))  # (B, H, d)
        eye = torch.eye(self.heads, dtype=q.dtype, device=q.device)
        blocks = (q.unsqueeze(3) * eye.unsqueeze(1)).flatten(1, 2)  # (B, D, H)
        alpha = keys @ blocks / math.sqrt(q.shape[2])  # (B, L, H): heads side by side
        for j, scalar in enumerate(self.scalars()):
            alpha = alpha + F.embedding(cross[..., j], scalar)
        return alpha.transpose(1, 2)  # (B, H, L)

    def forward(self, alpha, steps, cross, mask):
        """Weights (B, H, K) and answer (B, D) from the K steps (B, K, D) found."""
        here = mask.unsqueeze(1)  # (B, 1, K)
        least = torch.finfo(alpha.dtype).min
        weights = alpha.masked_fill(~here, least).softmax(-1) * here
        parts = [f(cross[..., j]) for j, f in enumerate(self.cross)]  # (B, K, C) each
        v = self.value(torch.cat([steps, *parts], -1))  # (B, K, D)
        heads = (weights @ v).unflatten(2, (self.heads, -1))  # (B, H, H, d)
        own = heads.diagonal(dim1=1, dim2=2).transpose(1, 2)  # (B, H, d): its own block
        return weights, self.out(own.flatten(1))


class Inside(NamedTuple):
    """What `TWIN.explain` returns."""

    found: Tensor  # (B, K), positions in the long history, the first named first
    real: Tensor  # (B, K), bool: False where the history has fewer than K steps
    weights: Tensor  # (B, H, K), of the attention over what was found
    long: Tensor  # (B, D), the long-term interest
    short: Tensor  # (B, D), the short-term interest
    candidate: Tensor  # (B, D)


class TWIN(nn.Module):
    """Search with Eq. (6), attend with Eq. (6); the recent steps have their own branch.

    A batch holds ``history`` ``(B, S)``, the recent steps, ``long`` ``(B, L)``, the
    steps before those, oldest first, and ``candidate`` ``(B,)``: int64 ids of items, 0
    for padding; with cross features ``cross`` ``(B, L, J)``, int64 ids of theirs, 0 for
    padding; for `loss` also a ``label`` ``(B,)`` of floats.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    k, heads : int
        ``K`` steps to find (the paper: 100 of 10,000), and ``H`` heads (the paper: 4).
    cross, tied
        As in `ConsistentAttention`.
    search : nn.Module, optional
        Another first stage: `HardSearch`, `SoftSearch` or `RecentSearch` of SIM,
        `HashSearch` of ETA. The second stage stays as it is.
    units : tuple of int
        Widths of the two hidden layers of the MLP.
    """

    def __init__(
        self, items, k=20, heads=2, cross=(), tied=True, search=None, units=(80, 40)
    ):
        super().__init__()
        self.items, self.k, width = items, positive("k", k), items.out_features
        self.attention = ConsistentAttention(width, heads, cross, tied=tied)
        self.search = search
        self.short = TargetAttention(width, heads)
        self.head = MLP(3 * width, units)

    def alpha(self, batch, keys=None):
        """Eq. (6) for the whole history, ``(B, H, L)``; by older `keys`, if given."""
        table = self.items()  # (I, D)
        keys = self.attention.keys(table) if keys is None else keys
        candidate = F.embedding(batch["candidate"], table)
        looked_up = F.embedding(batch["long"], keys)  # (B, L, D)
        return self.attention.scores(looked_up, candidate, batch.get("cross"))

    def find(self, batch, keys=None):
        """The first stage: `by_turns` of Eq. (6), or the other search's best K."""
        with torch.no_grad():  # to choose lets no gradient through
            if self.search is None:
                return by_turns(self.alpha(batch, keys), batch["long"] > 0, self.k)
            if isinstance(self.search, HashSearch):  # a code per item, as in ETA
                codes, ids = self.search.codes(self.items()), batch["long"]
                asked = F.embedding(batch["candidate"], codes)
                near = self.search.compare(F.embedding(ids, codes), asked)
                return top_k(near, ids > 0, self.k)
            looked = self.looked(batch)
            return top_k(looked.scores, looked.mask, self.k)

    def looked(self, batch):
        """What the other search sees and says, as its own loss wants it."""
        table, ids = self.items(), (batch["long"], batch["candidate"])
        long, candidate = (F.embedding(i, table) for i in ids)
        scores, mask = self.search(*ids, long, candidate)
        return SimpleNamespace(scores=scores, mask=mask, long=long, candidate=candidate)

    def explain(self, batch, keys=None):
        self.check(batch)
        found, real = self.find(batch, keys)  # (B, K)
        table, cross = self.items(), batch.get("cross")
        ids = batch["long"].gather(1, found)
        if cross is not None:
            cross = cross.gather(1, found.unsqueeze(2).expand(-1, -1, cross.shape[2]))
        looks = ids, batch["history"], batch["candidate"]
        steps, recent, candidate = (F.embedding(i, table) for i in looks)
        fresh = self.attention.keys(steps)  # the second stage never uses old ones
        alpha = self.attention.scores(fresh, candidate, cross)  # (B, H, K)
        weights, long = self.attention(alpha, steps, cross, real)
        _, short = self.short(recent, candidate, batch["history"] > 0)
        return Inside(found, real, weights, long, short, candidate)

    def forward(self, batch):
        inside = self.explain(batch)
        x = torch.cat([inside.long, inside.short, inside.candidate], 1)
        return self.head(x).squeeze(1)  # (B,)

    def loss(self, batch):
        """Cross-entropy of the click, and what `SoftSearch` learns from beside it."""
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        loss = F.binary_cross_entropy_with_logits(logits, label)
        if isinstance(self.search, SoftSearch):
            loss = loss + self.search.loss(self.looked(batch), label)
        return loss

    def check(self, batch):
        """Raise unless the batch is as the class says."""
        check_batch(batch, len(self.items.ids))
        check_batch(batch | {"history": batch["long"]}, len(self.items.ids))
        shape = *batch["long"].shape, len(self.attention.cross)
        if not shape[2]:
            return
        if batch["cross"].shape != shape:
            raise ValueError(
                f"cross has shape {tuple(batch['cross'].shape)}; expected {shape}"
            )
        for j, feature in enumerate(self.attention.cross):
            check_ids(f"cross {j}", batch["cross"][..., j], 2, feature.num_embeddings)
