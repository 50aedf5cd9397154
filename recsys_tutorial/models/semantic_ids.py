"""Semantic IDs: a word of a few letters for each item, made from what the item is.

The residual quantiser and its autoencoder (RQ-VAE), as in Sections 3.1 and 4 of Rajput
et al., "Recommender Systems with Generative Retrieval", NeurIPS 2023; and the paper's
two rivals, hashed and random words. A letter is a number from 0 that serves as a name:
letters that are close as numbers are not alike. Dimension letters: ``B`` batch, ``I``
items, ``C`` columns of content, ``D`` width of the code, ``K`` codewords of a level,
``M`` levels.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans
from torch import Tensor, nn

from recsys_tutorial.layers import check_matrix, positive


class Quantised(NamedTuple):
    """What `ResidualQuantiser` returns."""

    codes: Tensor  # (B, M), the letters
    vector: Tensor  # (B, D), the sum of the codewords; its gradient goes to the input
    residuals: Tensor  # (B, M, D), what each level was given
    codebook: Tensor  # (M,), how far codewords are from what they stand for
    commitment: Tensor  # (M,), the same number; its gradient goes to the input


class ResidualQuantiser(nn.Module):
    """A codeword for the vector, one for what that leaves, and so on.

    Gradients: `vector` passes them on to the input as they are, once, however many
    levels there are. The codebook terms move the codewords alone. A commitment term of
    any level moves the input alone: codewords are subtracted as constants, so that no
    level moves the books of those before it (by the letter of the paper's formula, it
    would).

    Parameters
    ----------
    dim : int
        Width ``D`` of what is quantised.
    codewords, levels : int
        ``K`` and ``M``; each level has a book of its own.
    """

    def __init__(self, dim, codewords=16, levels=3):
        super().__init__()
        shape = positive("levels", levels), positive("codewords", codewords)
        self.books = nn.Parameter(torch.randn(*shape, positive("dim", dim)))

    @torch.no_grad()
    def start(self, z, seed=0):
        """Books by k-means of each level's residuals; `z` (N, D), N at least ``K``."""
        check_matrix("z", z, self.books.shape[2], floating=True)
        if len(z) < self.books.shape[1]:
            raise ValueError(
                f"z has {len(z)} rows; expected one for each of the "
                f"{self.books.shape[1]} codewords at least"
            )
        for book in self.books:
            means = KMeans(len(book), n_init=2, random_state=seed).fit(z.cpu().numpy())
            book.copy_(torch.from_numpy(means.cluster_centers_))
            z = z - book[nearest(z, book)]

    def forward(self, z):
        check_matrix("z", z, self.books.shape[2], floating=True)
        residual, total = z, torch.zeros_like(z)
        codes, residuals, codebook, commitment = [], [], [], []
        for book in self.books:
            code = nearest(residual, book)  # (B,)
            word = book[code]  # (B, D)
            codes.append(code), residuals.append(residual)
            codebook.append((residual.detach() - word).square().sum(1).mean())
            commitment.append((residual - word.detach()).square().sum(1).mean())
            residual, total = residual - word.detach(), total + word
        vector = z + (total - z).detach()  # straight through: one step for all levels
        parts = (torch.stack(x) for x in (codebook, commitment))
        return Quantised(
            torch.stack(codes, 1), vector, torch.stack(residuals, 1), *parts
        )


def nearest(x: Tensor, book: Tensor) -> Tensor:
    """The number of the codeword (K, D) that is closest to each row (B, D)."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(x, book, compute_mode=exact).argmin(1)


class RQVAE(nn.Module):
    """Content is encoded, quantised, and decoded from its codewords.

    A batch holds ``vectors`` ``(B, C)``. Encoder and decoder end in a linear layer:
    what they give may have any sign.

    Parameters
    ----------
    width : int
        Columns of content ``C``.
    dim, codewords, levels : int
        Of the quantiser.
    units : int
        Hidden units of encoder and decoder.
    beta : float
        Weight of the commitment terms; 0.25 in the paper.
    """

    def __init__(self, width, dim=16, codewords=16, levels=3, units=64, beta=0.25):
        super().__init__()
        if not beta >= 0:
            raise ValueError(f"beta is {beta}; expected at least 0")
        self.width, self.beta = positive("width", width), beta
        positive("units", units)
        self.quantiser = ResidualQuantiser(dim, codewords, levels)
        self.encoder, self.decoder = (
            nn.Sequential(nn.Linear(a, units), nn.ReLU(), nn.Linear(units, b))
            for a, b in ((width, dim), (dim, width))
        )

    def start(self, vectors, seed=0):
        """Start the books by k-means of what the encoder gives now."""
        with torch.no_grad():
            self.quantiser.start(self.encode(vectors), seed)

    def encode(self, vectors):
        check_matrix("vectors", vectors, self.width, floating=True)
        return self.encoder(vectors)  # (B, D)

    def explain(self, batch):
        return self.quantiser(self.encode(batch["vectors"]))

    def forward(self, batch):
        """The content as the codewords tell it: ``(B, C)``."""
        return self.decoder(self.explain(batch).vector)

    def loss(self, batch):
        """Reconstruction, plus codebook and `beta` commitment terms of all levels."""
        inside = self.explain(batch)
        lost = self.decoder(inside.vector) - batch["vectors"]
        terms = inside.codebook + self.beta * inside.commitment  # (M,)
        return lost.square().sum(1).mean() + terms.sum()


def hashed_codes(vectors: Tensor, codewords: int, levels: int, seed: int = 0) -> Tensor:
    """LSH letters ``(I, M)``: on which side of random planes a vector lies.

    Parameters
    ----------
    vectors : Tensor
        ``(I, C)`` floats. The planes go through their mean; the paper leaves it open.
    codewords : int
        ``K``, a power of two: each letter is the signs of ``log2(K)`` planes.
    levels, seed : int
        ``M``, and what the planes are drawn by.
    """
    bits = positive("codewords", codewords).bit_length() - 1
    if 2**bits != codewords or not bits:
        raise ValueError(f"codewords is {codewords}; expected a power of two from 2")
    draw = torch.Generator().manual_seed(seed)
    planes = torch.randn(
        vectors.shape[1], positive("levels", levels) * bits, generator=draw
    )
    side = (vectors - vectors.mean(0)) @ planes > 0  # (I, M * bits)
    return (side.view(-1, levels, bits) * 2 ** torch.arange(bits)).sum(2)


def random_codes(items: int, codewords: int, levels: int, seed: int = 0) -> Tensor:
    """Letters that mean nothing: ``(I, M)``, each drawn from ``K``."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(codewords, (items, levels), generator=draw)


def finish_words(codes: Tensor, last: int | None = None) -> Tensor:
    """Words ``(1 + I, M + 1)`` from letters ``(I, M)``: all different, row 0 padding.

    The last letter counts the items of the same letters, 0, 1, 2, in their order. All
    words get one, alone or not, so that all are of one length. The padding is -1.

    Parameters
    ----------
    codes : Tensor
        int64 from 0; row ``i`` is item ``i + 1``.
    last : int, optional
        How many last letters there are. ValueError if a group of equal codes is larger.
    """
    good = codes.ndim == 2 and codes.dtype == torch.int64 and codes.numel()
    if not good or codes.min() < 0:
        raise ValueError(
            f"codes has shape {tuple(codes.shape)} and dtype {codes.dtype}; expected "
            "int64 letters from 0 of shape (I, M)"
        )
    _, group = torch.unique(codes, dim=0, return_inverse=True)  # (I,)
    order = group.argsort(stable=True)
    counts = group.bincount()
    place = torch.arange(len(codes)) - (counts.cumsum(0) - counts)[group[order]]
    count = torch.empty_like(group)
    count[order] = place
    if last is not None and counts.max() > last:
        raise ValueError(
            f"{int(counts.max())} items share their letters; expected at most {last}: "
            "use finer vectors or more codewords"
        )
    words = torch.cat([codes, count[:, None]], 1)
    return F.pad(words, (0, 0, 1, 0), value=-1)
