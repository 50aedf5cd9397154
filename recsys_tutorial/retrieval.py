"""Retrieval: places per cluster, and one nearest-neighbour index for each.

Dimension letters: ``B`` users, ``K`` clusters, ``M`` places in the list, ``I`` items
(padding included), ``D`` embedding, ``L`` items to leave out.
"""

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


def quotas(wanted: Tensor, total: int, alpha: float, room: Tensor) -> Tensor:
    """Divide `total` places among the clusters in proportion to ``wanted ** alpha``.

    Fractions are settled by largest remainder. What a cluster has no room for is
    handed on to the others, by the same rule.

    Parameters
    ----------
    wanted : Tensor
        ``(B, K)``, at least 0: how probable it is that a user wants each cluster.
    total : int
        Places ``M``.
    alpha : float
        0 gives equal quotas, 1 proportional ones, ``math.inf`` all to the best
        cluster (then to the next one, if there is no room).
    room : LongTensor
        ``(K,)`` or ``(B, K)``, the items that each cluster can still give.

    Returns
    -------
    LongTensor
        ``(B, K)``; every row sums to `total`.

    Raises
    ------
    ValueError
        If `wanted` or `alpha` is negative, or all clusters together have no room
        for `total` items.
    """
    if wanted.ndim != 2 or not (wanted >= 0).all():
        raise ValueError(
            f"wanted has shape {tuple(wanted.shape)}; expected (B, K) and no entry "
            "below 0"
        )
    if not alpha >= 0:
        raise ValueError(f"alpha is {alpha}; expected at least 0")
    room, wanted = room.expand(wanted.shape), wanted.double()
    if (room.sum(1) < positive("total", total)).any():
        raise ValueError(
            f"total is {total}, but a user has only {int(room.sum(1).min())} items left"
        )
    given = torch.zeros_like(room)  # (B, K)
    left = torch.full_like(given[:, :1], total)  # (B, 1)
    while (left > 0).any():
        open_ = given < room
        best = wanted.masked_fill(~open_, 0).amax(1, keepdim=True)
        ratio = torch.where(best > 0, wanted / best, 1.0).clamp(max=1)
        share = ratio**alpha * open_
        exact = left * share / share.sum(1, keepdim=True).clamp(min=1e-300)
        more = exact.floor().long()
        rank = (exact - more).argsort(dim=1, descending=True, stable=True).argsort(1)
        more += rank < left - more.sum(1, keepdim=True)
        given = torch.minimum(given + more, room)
        left = total - given.sum(1, keepdim=True)
    return given


def room_left(clusters: Tensor, seen: Tensor) -> Tensor:
    """How many items of each cluster a user has not seen: ``(B, K)``.

    Parameters
    ----------
    clusters : LongTensor
        ``(I,)``, the cluster of each item; -1 for item 0, the padding.
    seen : LongTensor
        ``(B, L)``, items; those who stand there twice count once, padding never.
    """
    K = int(clusters.max()) + 1
    fresh = seen.new_ones(len(seen), len(clusters))
    fresh.scatter_(1, seen, 0)[:, 0] = 0  # (B, I)
    room = seen.new_zeros(len(seen), K)
    return room.index_add_(1, clusters.clamp(min=0), fresh)


class ClusterIndex:
    """One index of inner products for each cluster, by faiss.

    Parameters
    ----------
    vectors : Tensor
        ``(I, D)``, the items; row 0 is padding and enters no index.
    clusters : LongTensor
        ``(I,)``, the cluster of each item, 0 to K - 1; -1 for item 0.
    exact : bool
        Compare with every item. Else walk a graph (HNSW), which may miss some: each
        item keeps 16 neighbours, a search at least 64 candidates.

    Raises
    ------
    ModuleNotFoundError
        If faiss is not installed.
    """

    def __init__(self, vectors, clusters, exact=False):
        faiss = _faiss()
        vectors = vectors.detach().float()
        self.members, self.indexes = [], []
        for k in range(int(clusters.max()) + 1):
            members = (clusters == k).nonzero().flatten()
            if exact:
                index = faiss.IndexFlatIP(vectors.shape[1])
            else:
                index = faiss.IndexHNSWFlat(
                    vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT
                )
            index.add(vectors[members].cpu().numpy())
            self.members.append(members)
            self.indexes.append(index)

    def search(self, users: Tensor, given: Tensor, seen: Tensor) -> Tensor:
        """Fill each cluster's places with its nearest items that are not `seen`.

        Parameters
        ----------
        users : Tensor
            ``(B, K, D)``, what each cluster's index is asked.
        given : LongTensor
            ``(B, K)``, as `quotas` returns it; the rows have one sum, ``M``.
        seen : LongTensor
            ``(B, L)``, items to leave out; 0 pads.

        Returns
        -------
        LongTensor
            ``(B, M)``, cluster after cluster, the nearest first; 0 where an index
            had nothing more to give.
        """
        found = given.new_zeros(len(users), int(given.sum(1).max()))
        filled = given.new_zeros(len(users), 1)
        for k, (members, index) in enumerate(
            zip(self.members, self.indexes, strict=True)
        ):
            ask = min(int(given[:, k].max()) + seen.shape[1], len(members))
            if hasattr(index, "hnsw"):
                index.hnsw.efSearch = max(64, ask)
            _, rows = index.search(users[:, k].detach().float().cpu().numpy(), ask)
            rows = torch.as_tensor(rows).to(seen.device)  # (B, ask), -1: nothing more
            items = torch.where(rows >= 0, members[rows], 0)
            items[(items[:, :, None] == seen[:, None]).any(2)] = 0
            fresh = items > 0
            keep = fresh & (fresh.cumsum(1) <= given[:, k : k + 1])
            place = filled + keep.cumsum(1) - 1
            row, column = keep.nonzero(as_tuple=True)
            found[row, place[row, column]] = items[row, column]
            filled += keep.sum(1, keepdim=True)
        return found


def _faiss():
    try:
        import faiss
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "this chapter searches with faiss, which is not installed here: "
            "run `pip install faiss-cpu`"
        ) from None
    # torch brings threads of its own, and the two sets of them do not always get along
    faiss.omp_set_num_threads(1)
    return faiss
