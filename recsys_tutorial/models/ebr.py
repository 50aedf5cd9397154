"""Divide and conquer: retrieval as one task for each cluster of the catalogue.

Zhang et al., "Divide and Conquer: Towards Better Embedding-based Retrieval for
Recommender Systems From a Multi-task Perspective", arXiv:2302.02657, 2023. Its text
beyond the abstract was not at hand: clusters, prompts, quotas and negatives follow
published notes on it; numbers of equations are those of our chapter. Dimension
letters: ``B`` batch, ``L`` longest history, ``D`` embedding, ``I`` items (padding
included), ``K`` clusters, ``N`` negatives, ``H`` attention heads.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_ids, happens, positive


class Block(nn.Module):
    """Causal self-attention, then two layers at each step: ``(B, L, D)`` to the same.

    The block of SASRec (Kang and McAuley 2018). A step sees itself and what came
    before it. Padding comes after the history, so no real step ever sees it.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.output = nn.Linear(dim, dim)
        self.steps = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))

    def forward(self, x):
        B, L, D = x.shape
        qkv = self.qkv(self.norms[0](x)).view(B, L, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # three of (B, H, L, D / H)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(B, L, D)
        x = x + self.output(mixed)
        return x + self.steps(self.norms[1](x))


class Inside(NamedTuple):
    """What `Retriever.explain` returns."""

    users: Tensor  # (B, K, D), the user as each cluster's index is asked
    scores: Tensor  # (B, I), each item by the user vector of its own cluster


class Retriever(nn.Module):
    """A SASRec encoder that is asked once for each cluster: Eqs. (1) to (3).

    A batch holds ``history`` ``(B, L)``, int64 ids of items, oldest first, then
    padding; and for `loss` a ``candidate`` ``(B,)``, the item that came next.

    Parameters
    ----------
    clusters : LongTensor
        ``(I,)``, the cluster of each item, 0 to K - 1; padding (item 0) has none: -1.
    dim, length, heads, layers : int
        Width of an embedding, longest history, attention heads, blocks.
    prompt : bool
        Multiply the history by the asked cluster's own vector.
    same_cluster : float
        Share of the negatives drawn from the positive's cluster; the rest are drawn
        from all items. True and False, all and none, will do.
    n_negatives : int
        Negatives per positive.
    dropout : float
        Of the embedded history.
    """

    def __init__(
        self,
        clusters,
        dim=32,
        length=10,
        heads=2,
        layers=1,
        prompt=True,
        same_cluster=True,
        n_negatives=32,
        dropout=0.2,
    ):
        super().__init__()
        check_clusters(clusters)
        if positive("dim", dim) % positive("heads", heads):
            raise ValueError(f"dim is {dim}; expected a multiple of heads, {heads}")
        self.n_clusters = int(clusters.max()) + 1
        self.n_negatives = positive("n_negatives", n_negatives)
        self.register_buffer("clusters", clusters)
        if not 0 <= same_cluster <= 1:
            raise ValueError(f"same_cluster is {same_cluster}; expected 0 to 1")
        self.n_hard = round(same_cluster * self.n_negatives)
        self.items = nn.Embedding(len(clusters), dim, padding_idx=0)
        self.positions = nn.Embedding(positive("length", length), dim)
        self.prompts = None
        if prompt:
            self.prompts = nn.Parameter(torch.ones(self.n_clusters, dim))
        blocks = (Block(dim, heads) for _ in range(positive("layers", layers)))
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(dim))
        self.dropout = nn.Dropout(dropout)
        for table in (self.items, self.positions):
            with torch.no_grad():
                table.weight.mul_(1 / math.sqrt(dim))

    def states(self, history, cluster):
        """What the encoder says at each step, when asked for `cluster` ``(B,)``."""
        count = check_history(history, len(self.items.weight), self.positions)
        tokens = self.items(history)  # (B, L, D)
        if self.prompts is not None:
            tokens = tokens * self.prompts[cluster].unsqueeze(1)  # Eq. (1)
        step = torch.arange(history.shape[1], device=history.device)
        ago = count[:, None] - 1 - step  # (B, L), 0: the latest
        tokens = tokens + self.positions(ago.clamp(min=0))
        return self.blocks(self.dropout(tokens)), count  # (B, L, D), (B,)

    def encode(self, history, cluster):
        """The user as `cluster` ``(B,)`` sees them: ``(B, D)``, the latest state."""
        states, count = self.states(history, cluster)
        last = (count - 1).view(-1, 1, 1).expand(-1, 1, states.shape[2])
        return states.gather(1, last).squeeze(1)

    def explain(self, batch):
        history, K = batch["history"], self.n_clusters
        if self.prompts is None:  # the same vector for every cluster
            users = self.encode(history, None).unsqueeze(1).expand(-1, K, -1)
        else:
            cluster = torch.arange(K, device=history.device).repeat(history.shape[0])
            users = self.encode(history.repeat_interleave(K, 0), cluster)
            users = users.unflatten(0, (-1, K))  # (B, K, D)
        scores = users @ self.items.weight[1:].T  # (B, K, I - 1)
        own = self.clusters[1:].expand(history.shape[0], 1, -1)
        scores = scores.gather(1, own).squeeze(1)  # (B, I - 1)
        return Inside(users, F.pad(scores, (1, 0), value=-torch.inf))

    def forward(self, batch):
        return self.explain(batch).scores  # (B, I)

    def negatives(self, candidate):
        """Hard ones from the candidate's own cluster, easy ones from all items."""
        pools = (
            (self.clusters, self.n_hard),
            (self.clusters.clamp(max=0), self.n_negatives - self.n_hard),
        )
        drawn = [draw_negatives(pool, candidate, n) for pool, n in pools if n]
        return torch.cat(drawn, 1)  # (B, N), 0 where the candidate itself was drawn

    def loss(self, batch):
        """Softmax over the positive and its negatives: Eqs. (2) and (3)."""
        candidate = batch["candidate"]  # (B,)
        check_candidate(candidate, len(batch["history"]), len(self.items.weight))
        user = self.encode(batch["history"], self.clusters[candidate])  # (B, D)
        asked = torch.cat([candidate[:, None], self.negatives(candidate)], 1)
        scores = (self.items(asked) @ user.unsqueeze(2)).squeeze(2)
        scores = scores.masked_fill(asked == 0, -torch.inf)
        return -scores.log_softmax(1)[:, 0].mean()


def draw_negatives(clusters, candidate, n, generator=None):
    """Draw `n` items, with repetition, from the cluster of each candidate.

    A draw that hits the candidate itself is no negative and becomes 0; so a cluster
    of one item gives no negative at all.

    Parameters
    ----------
    clusters : LongTensor
        ``(I,)``, the cluster of each item, -1 for padding.
    candidate : LongTensor
        ``(B,)``, the positives.
    n : int
        How many to draw.
    generator : torch.Generator, optional
        Draws; torch's global one by default.

    Returns
    -------
    LongTensor
        ``(B, n)``, uniform over the cluster; 0 where the candidate was drawn.
    """
    order = clusters.argsort(stable=True)  # padding, then cluster by cluster
    size = clusters[1:].bincount()  # (K,)
    start = 1 + size.cumsum(0) - size
    own = clusters[candidate]  # (B,)
    shape, device = (len(candidate), positive("n", n)), candidate.device
    draw = torch.rand(shape, generator=generator, device=device)
    drawn = (draw * size[own][:, None]).long() + start[own][:, None]
    items = order[drawn]  # (B, n)
    return items.masked_fill(items == candidate[:, None], 0)


def check_clusters(clusters):
    """Raise ValueError unless `clusters` is as `Retriever` says, and none is empty."""
    if clusters.ndim != 1 or clusters.dtype != torch.int64 or len(clusters) < 2:
        raise ValueError(
            f"clusters has shape {tuple(clusters.shape)} and dtype {clusters.dtype}; "
            "expected int64, one entry per item, padding included"
        )
    if clusters[0] != -1 or clusters[1:].min() < 0:
        raise ValueError(
            "clusters must be -1 for item 0, the padding, and at least 0 for the rest"
        )
    size = clusters[1:].bincount()
    if (size == 0).any():
        k = int((size == 0).nonzero()[0])
        raise ValueError(f"cluster {k} has no items; expected 0 to K - 1 without gaps")


def check_history(history, n_items, positions):
    """Return the length of each history, ``(B,)``; raise if it is unfit to encode."""
    longest = positions.num_embeddings
    check_ids("history", history, 2, n_items)
    real = history > 0  # (B, L)
    count = real.sum(1)
    if happens(count == 0):
        row = int((count == 0).nonzero()[0])
        raise ValueError(f"history has nothing but padding in row {row}")
    if happens(real[:, 1:] & ~real[:, :-1]):
        raise ValueError("history has padding before an item; expected it at the end")
    if happens(count > longest):
        raise ValueError(
            f"history has {int(count.max())} steps; expected at most {longest}"
        )
    return count


def check_candidate(candidate, rows, n_items):
    """Raise unless `candidate` is ``(rows,)`` int64 ids of 1 to ``n_items - 1``."""
    check_ids("candidate", candidate, 1, n_items, lowest=1)
    if len(candidate) != rows:
        raise ValueError(f"candidate has {len(candidate)} rows; expected {rows}")
