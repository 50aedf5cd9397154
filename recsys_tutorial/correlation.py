"""Which item goes with which: from who took both, from a model, or the better of both.

As in CoSeRec (Liu et al. 2021). `item_cf` is what its released code computes;
`by_embedding` is not: there an item's product with itself and the padding row enter
the minimum and the maximum, so that scores are lower, and the padding can be somebody's
neighbour. Here pairs of two items alone count, and `hybrid` may therefore choose
otherwise. Dimension letters: ``N`` users, ``I`` items (padding included), ``D`` width
of an embedding.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from recsys_tutorial.layers import positive


class Neighbours(NamedTuple):
    """The most correlated other item of each item, and how sure that is."""

    item: np.ndarray  # (I,) int64; 0 for padding, and for items without a neighbour
    score: np.ndarray  # (I,) float, min-max over all pairs: 1 for the best pair of all


def item_cf(sequences, n_items: int) -> Neighbours:
    r"""ItemCF with inverse user frequency: who took both, rare takers counting more.

    $sim(i, j) = \sum_{u \in U_i \cap U_j} \frac{1}{\log(1 + |I_u|)} / \sqrt{N_i N_j}$,
    where U_i are the users with item i, N_i is their number, and I_u the items of u.

    Parameters
    ----------
    sequences : list of arrays of int
        The **training** items of each of ``N`` users. What is kept for validation and
        test must not be in them.
    n_items : int
        Number ``I`` of ids, padding included.

    Returns
    -------
    Neighbours
        The least id among equals; the minimum is taken over the pairs that some user
        has.
    """
    positive("n_items", n_items)
    if not len(sequences):
        raise ValueError("sequences is empty; expected at least one user")
    sets = [np.unique(s) for s in sequences]
    user = np.repeat(np.arange(len(sets)), [len(s) for s in sets])
    item = np.concatenate(sets).astype(np.int64)
    if not len(item) or item.min() < 1 or item.max() >= n_items:
        raise ValueError(
            f"sequences holds ids from {item.min(initial=0)} to "
            f"{item.max(initial=0)}; expected 1 to {n_items - 1}"
        )
    shape = len(sets), n_items
    takes = sparse.csr_array((np.ones(len(item)), (user, item)), shape)  # (N, I)
    size = takes.sum(1)  # |I_u|
    rarity = np.divide(1, np.log1p(size), where=size > 0, out=np.zeros(len(sets)))
    both = (takes.multiply(rarity[:, None]).T @ takes).tocoo()  # (I, I)
    apart = both.row != both.col
    row, col, sim = both.row[apart], both.col[apart], both.data[apart]
    taken = takes.sum(0)  # N_i
    sim = sim / np.sqrt(taken[row] * taken[col])
    order = np.lexsort((col, -sim, row))
    row, col, sim = row[order], col[order], sim[order]
    best, first = np.unique(row, return_index=True)
    neighbour, score = np.zeros(n_items, np.int64), np.zeros(n_items)
    if len(best):
        neighbour[best] = col[first]
        score[best] = _min_max(sim[first], sim.min(), sim.max())
    return Neighbours(neighbour, score)


def by_embedding(table) -> Neighbours:
    """The item whose embedding has the largest inner product with one's own.

    Parameters
    ----------
    table : array or tensor of shape (I, D)
        Embeddings of the items; row 0 is padding and nobody's neighbour.
    """
    x = np.asarray(table)
    if x.ndim != 2 or len(x) < 3 or not np.isfinite(x).all():
        raise ValueError(
            f"table has shape {x.shape}; expected (I, D), finite, two items or more "
            "besides the padding"
        )
    sim = x[1:] @ x[1:].T  # (I - 1, I - 1)
    np.fill_diagonal(sim, np.inf)
    low = sim.min()
    np.fill_diagonal(sim, -np.inf)
    best = sim.max(1)
    score = _min_max(best, low, best.max())
    return Neighbours(np.append(0, sim.argmax(1) + 1), np.append(0.0, score))


def hybrid(memory: Neighbours, model: Neighbours) -> Neighbours:
    """For each item the candidate with the larger score; `memory`'s if both are equal.

    An item that one of them knows no neighbour of gets the other's.
    """
    if len(memory.item) != len(model.item):
        raise ValueError(
            f"memory knows {len(memory.item)} items and model {len(model.item)}"
        )
    own = (memory.score >= model.score) & (memory.item > 0) | (model.item == 0)
    return Neighbours(
        *(np.where(own, a, b) for a, b in zip(memory, model, strict=True))
    )


def _min_max(score, low, high):
    """Map scores to 0 .. 1, the largest to 1; all to 1 if there is but one value."""
    return (score - low) / (high - low) if high > low else np.ones_like(score)
