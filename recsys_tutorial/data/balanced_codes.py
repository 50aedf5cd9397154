"""Items as words of a few codes: residual k-means whose clusters are equally large.

Algorithm 1 of Deng et al., "OneRec", 2025. Dimension letters: ``n`` vectors, ``F``
their width, ``K`` clusters, ``C`` levels.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


def balanced_clusters(
    vectors: Tensor, centres: Tensor, rounds: int = 50
) -> tuple[Tensor, Tensor]:
    """Let the centres take turns until nothing moves.

    Each takes the ``n / K`` nearest of the vectors that nobody has taken yet, and
    becomes their mean. The first centre chooses from all, the last takes what is left.

    Parameters
    ----------
    vectors : Tensor
        ``(n, F)`` floats.
    centres : Tensor
        ``(K, F)``, where to start, in the order of the turns; ``K`` divides ``n``.
    rounds : int
        Most rounds; the rule may go round in circles.

    Returns
    -------
    cluster : Tensor
        ``(n,)`` int64, from 0.
    centres : Tensor
        ``(K, F)``, the means of the clusters.
    """
    n, K = len(vectors), len(centres)
    if vectors.shape[1:] != centres.shape[1:] or not K or n % K or not n:
        raise ValueError(
            f"vectors has shape {tuple(vectors.shape)} and centres "
            f"{tuple(centres.shape)}; expected (n, F) and (K, F), n a multiple of K"
        )
    centres, before = centres.clone(), None
    for _ in range(positive("rounds", rounds)):
        left = torch.arange(n)
        cluster = torch.empty(n, dtype=torch.int64)
        for k in range(K):
            distance = (vectors[left] - centres[k]).square().sum(1)
            order = distance.argsort(stable=True)  # of equals, the first
            taken = left[order[: n // K]]
            cluster[taken], centres[k] = k, vectors[taken].mean(0)
            left = left[order[n // K :]].sort().values
        if before is not None and torch.equal(cluster, before):
            break
        before = cluster
    return cluster, centres


def residual_codes(
    vectors: Tensor,
    levels: int,
    cluster: Callable[[Tensor, int], tuple[Tensor, Tensor]],
) -> tuple[Tensor, Tensor]:
    """A word for each vector: cluster, subtract the centre, and again.

    Parameters
    ----------
    vectors : Tensor
        ``(n, F)`` floats.
    levels : int
        Codes ``C`` of a word.
    cluster : callable
        ``(what is left of the vectors, level)`` -> clusters ``(n,)`` from 0, and
        centres.

    Returns
    -------
    words : Tensor
        ``(n, C)`` int64.
    residual : Tensor
        ``(n, F)``, what the words leave unexplained.
    """
    words, residual = [], vectors
    for level in range(positive("levels", levels)):
        code, centres = cluster(residual, level)
        residual = residual - centres[code]
        words.append(code)
    return torch.stack(words, 1), residual
