"""Pieces that several papers share: input layers, stacked layers, task towers.

Dimension letters: ``B`` batch, ``F`` fields, ``D`` input width, ``T`` tasks, ``H``
width of what a tower receives.
"""

import math
from numbers import Integral

import torch
from torch import Tensor, nn


class DenseInput(nn.Module):
    """Pass numeric features on as they are, after a check.

    Parameters
    ----------
    width : int
        Number of features ``D``; ``forward`` maps ``(B, D)`` floats to themselves and
        raises ValueError for any other shape or dtype.
    """

    def __init__(self, width: int):
        super().__init__()
        self.out_features = positive("width", width)

    def forward(self, features: Tensor) -> Tensor:
        check_matrix("features", features, self.out_features, floating=True)
        return features  # (B, D)


class FieldEmbedding(nn.Module):
    """One embedding per categorical field, side by side: ``(B, F) -> (B, F * dim)``.

    All fields live in one table, each shifted by its own offset: one look-up instead
    of ``F``. Id 0 of each field is padding: its row is zero and stays zero, as the
    table is read with zeros in these rows, and so no gradient comes back to them.

    Parameters
    ----------
    cardinalities : sequence of int
        Number of ids of each of the ``F`` fields, padding (id 0) included.
    dim : int
        Width of one embedding.

    Raises
    ------
    IndexError
        From ``forward``, if an id is not in ``0 .. cardinality - 1``; names the field.
    """

    def __init__(self, cardinalities, dim: int):
        super().__init__()
        sizes = torch.tensor([positive("cardinality", c) for c in cardinalities])
        if not len(sizes):
            raise ValueError("cardinalities is empty; expected one size per field")
        self.out_features = len(sizes) * positive("dim", dim)
        self.register_buffer("sizes", sizes, persistent=False)  # (F,)
        self.register_buffer("offsets", sizes.cumsum(0) - sizes, persistent=False)
        self.table = nn.Parameter(torch.randn(int(sizes.sum()), dim) / math.sqrt(dim))
        real = torch.ones(len(self.table), 1).index_fill(0, self.offsets, 0.0)
        self.register_buffer("real", real, persistent=False)  # (rows of the table, 1)
        with torch.no_grad():
            self.table[self.offsets] = 0.0

    def forward(self, ids: Tensor) -> Tensor:
        check_matrix("features", ids, len(self.sizes), floating=False)
        wrong = (ids < 0) | (ids >= self.sizes)  # (B, F)
        if happens(wrong):
            f = int(wrong.any(0).nonzero()[0])
            raise IndexError(
                f"field {f} of features holds ids from {int(ids[:, f].min())} to "
                f"{int(ids[:, f].max())}; expected 0 to {int(self.sizes[f]) - 1}"
            )
        rows = (ids + self.offsets).flatten()  # (B * F,)
        table = self.table * self.real
        return table.index_select(0, rows).view(ids.shape[0], -1)  # (B, F * dim)


class StackedLinear(nn.Module):
    """``T`` linear layers side by side in one product: ``(B, T, H)`` -> ``(B, T, U)``.

    Each layer is initialised as ``nn.Linear`` is.
    """

    def __init__(self, n_layers: int, width: int, units: int, bias: bool = True):
        super().__init__()
        bound = 1 / math.sqrt(positive("width", width))
        shape = positive("n_layers", n_layers), width, positive("units", units)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        offset = torch.empty(n_layers, 1, units).uniform_(-bound, bound)
        self.bias = nn.Parameter(offset) if bias else None

    def forward(self, h: Tensor) -> Tensor:
        h = h.transpose(0, 1)  # (T, B, H)
        if self.bias is None:
            stacked = h @ self.weight  # (T, B, U)
        else:
            stacked = torch.baddbmm(self.bias, h, self.weight)
        return stacked.transpose(0, 1)  # (B, T, U)


class Towers(nn.Module):
    """One tower per task, a hidden layer and an output: ``(B, T, H)`` -> ``(B, T)``."""

    def __init__(self, n_tasks: int, width: int, units: int):
        super().__init__()
        self.hidden = StackedLinear(n_tasks, width, units)
        self.output = StackedLinear(n_tasks, units, 1)

    def forward(self, h: Tensor) -> Tensor:
        return self.output(self.hidden(h).relu()).squeeze(-1)  # (B, T)


def positive(name: str, value: int) -> int:
    """Return `value` as an int; ValueError naming `name` unless it is an int >= 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} is {value!r}; expected an integer of at least 1")
    return int(value)


def happens(wrong: Tensor) -> bool:
    """Whether any entry of `wrong` is true; False where values cannot be looked at.

    That is while torch compiles or exports a model: what is exported takes its input
    on trust, and checks of shape and dtype alone are made, once.
    """
    return not torch.compiler.is_compiling() and bool(wrong.any())


def check_rows(name: str, x: Tensor) -> None:
    """Raise ValueError if `x` has no rows: a batch has one at least."""
    if not torch.compiler.is_compiling() and x.ndim and not len(x):
        raise ValueError(f"{name} has no rows; expected at least one")


def check_matrix(name: str, x: Tensor, columns: int, floating: bool) -> None:
    """Raise ValueError unless `x` is ``(B, columns)`` floats, or int64 ids; B >= 1."""
    fits = x.is_floating_point() if floating else x.dtype == torch.int64
    if x.ndim != 2 or x.shape[1] != columns or not fits:
        raise ValueError(
            f"{name} has shape {tuple(x.shape)} and dtype {x.dtype}; "
            f"expected (B, {columns}) {'floats' if floating else 'int64 ids'}"
        )
    check_rows(name, x)


def check_ids(name: str, ids: Tensor, dims: int, n_items: int, lowest: int = 0) -> None:
    """Raise unless `ids` is int64 of `dims` dimensions, `lowest` to ``n_items - 1``."""
    check_rows(name, ids)
    if ids.ndim != dims or ids.dtype != torch.int64 or 0 in ids.shape:
        raise ValueError(
            f"{name} has shape {tuple(ids.shape)} and dtype {ids.dtype}; expected "
            f"int64 ids of shape {'(B, L)' if dims == 2 else '(B,)'}"
        )
    low, high = ids.aminmax()
    if happens((low < lowest) | (high >= n_items)):
        raise IndexError(
            f"{name} holds ids from {int(low)} to {int(high)}; expected {lowest} to "
            f"{n_items - 1}"
        )


def check_labels(name: str, labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return `labels`, fit for a cross-entropy: floats from 0 to 1 of this shape.

    A share between 0 and 1 is allowed. ValueError for any other value, shape or dtype;
    it names the values and the first row.
    """
    if labels.shape != shape or not labels.is_floating_point():
        rows, *columns = shape
        expected = f"(B, {str(columns)[1:-1]})" if columns else f"({rows},)"
        raise ValueError(
            f"{name} has shape {tuple(labels.shape)} and dtype {labels.dtype}; "
            f"expected {expected} floats from 0 to 1, a row for each of {rows}: "
            "`.float()` makes floats of integers, `(stars >= 4).float()` of stars"
        )
    check_rows(name, labels)
    low, high = labels.aminmax()
    if happens(~((low >= 0) & (high <= 1))):  # also of NaN
        row = int((~((labels >= 0) & (labels <= 1))).nonzero()[0, 0])
        if labels[row].isnan().any():
            raise ValueError(
                f"{name} holds NaN, first in row {row}: {labels[row].tolist()}; "
                "expected 0 to 1: leave rows out whose label nobody knows"
            )
        raise ValueError(
            f"{name} holds the values {float(low):g} to {float(high):g}, first in row "
            f"{row}: {labels[row].tolist()}; expected 0 to 1: `({name} > 0).float()` "
            "makes that of -1 and 1, `(stars >= 4).float()` of stars"
        )
    return labels
