"""What is known of a film as one vector: genres, year and title; who watched it.

Dimension letters: ``I`` films (padding included), ``C`` columns.
"""

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from recsys_tutorial.data.sequences import film_genres
from recsys_tutorial.layers import positive

MIDDLE, OLD = 1980, 1970  # years: the one that counts as 0; older films are marked


def film_vectors(films: pd.DataFrame, titles: int = 16, seed: int = 0) -> Tensor:
    """What is printed on the box: ``(I, C)`` floats by id, row 0 zero.

    The genres, of length 1 together; the year in decades from 1980, and whether it is
    before 1970, both halved (a film without a year counts as 1980); the words of the
    title by tf-idf in `titles` directions, halved. A stand-in for the text encoder of
    the TIGER paper.

    Parameters
    ----------
    films : DataFrame
        ``item``, ``title``, ``year`` and ``genres``, as `load_movielens` gives them.
    titles : int
        Directions of the titles; a word counts if two titles have it.
    seed : int
        Of the decomposition.

    Raises
    ------
    ValueError
        As `film_genres`; or if fewer than `titles` words stand in two titles.
    """
    genres = film_genres(films)  # (I, 19)
    item = films["item"].to_list()
    words = TfidfVectorizer(min_df=2).fit_transform(films["title"])
    if words.shape[1] < positive("titles", titles):
        raise ValueError(
            f"titles is {titles}, but only {words.shape[1]} words stand in two titles"
        )
    text = TruncatedSVD(titles, random_state=seed).fit_transform(words)
    year = films["year"].fillna(MIDDLE).to_numpy(dtype=float)
    printed = np.column_stack([(year - MIDDLE) / 10, year < OLD, text]) / 2
    rest = torch.zeros(len(genres), printed.shape[1])
    rest[item] = torch.from_numpy(printed).float()
    return torch.cat([genres / genres.norm(dim=1, keepdim=True).clamp(min=1), rest], 1)


def watched_together(sequences, n_items: int, dim: int = 24, seed: int = 0) -> Tensor:
    """Directions of who watched what: ``(I, dim)`` by id, rows of length 1.

    The table of users and films, each entry divided by the root of both its sums, is
    decomposed; a film that nobody watched has a row of zeros. Hand in the training
    part alone: of what is to be predicted, nothing may be in here.

    Parameters
    ----------
    sequences : list of int array
        Each user's items, from 1.
    n_items : int
        ``I``.
    dim, seed : int
        Directions, and the seed of the decomposition.

    Raises
    ------
    ValueError
        If there is no item, one is not from 1 to ``n_items - 1``, or `dim` is not below
        the numbers of users and of items.
    """
    item = np.concatenate([np.asarray(s) for s in sequences] or [[]])
    if not len(item) or item.min() < 1 or item.max() >= n_items:
        raise ValueError(
            f"sequences hold {len(item)} items; expected some, from 1 to {n_items - 1}"
        )
    if positive("dim", dim) >= min(len(sequences), n_items):
        raise ValueError(
            f"dim is {dim}; expected less than {len(sequences)} users and {n_items} "
            "items"
        )
    user = np.repeat(np.arange(len(sequences)), [len(s) for s in sequences])
    watched = np.zeros((len(sequences), n_items))
    watched[user, item] = 1
    scale = [np.sqrt(np.maximum(watched.sum(a, keepdims=True), 1)) for a in (0, 1)]
    table = sparse.csr_matrix(watched / scale[0] / scale[1])
    found = TruncatedSVD(dim, random_state=seed).fit_transform(table.T)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    found = np.divide(found, length, out=np.zeros_like(found), where=length > 1e-9)
    return torch.from_numpy(found).float()
