"""Histories that are gathered when a batch asks for them: memory grows with events.

Dimension letters: ``E`` events, ``N`` samples, ``L`` history length.
"""

import torch
from torch import Tensor

from recsys_tutorial.layers import positive


class Gathered:
    """A table ``(N, L)`` of histories, held as stretches of one row of events.

    Rows that are looked up come out as a tensor: ``gathered[rows]`` is what the whole
    table would have there. It may stand in the dict of data in the place of the tensor;
    `minibatches`, and so `fit`, look its rows up batch by batch. `take` keeps it as it
    is, for the chosen rows.

    Parameters
    ----------
    values : Tensor
        ``(E,)``, what each event tells, in time order, user after user.
    start, end : LongTensor
        ``(N,)``, where the past of each sample begins in `values`, and where it ends
        (not included).
    length : int
        Longest history ``L``; of a longer past, the latest events are kept. Shorter
        ones are padded with 0 at the end.

    Attributes
    ----------
    count : Tensor
        ``(N,)`` int32, the steps of each history, at most ``L``.

    Raises
    ------
    ValueError
        If `values`, `start` and `end` are not as told, a stretch is not in `values`, or
        ends before it begins.
    """

    def __init__(self, values: Tensor, start: Tensor, end: Tensor, length: int):
        for name, part in (("values", values), ("start", start), ("end", end)):
            _check_row(name, part, integers=name != "values")
        if len(start) != len(end):
            raise ValueError(
                f"start has {len(start)} entries and end {len(end)}; expected one of "
                "each for each sample"
            )
        past = end - start
        if len(end) and not 0 <= int(start.min()) <= int(end.max()) <= len(values):
            raise ValueError(
                f"start and end go from {int(start.min())} to {int(end.max())}; "
                f"expected 0 to {len(values)}, the length of values"
            )
        if (past < 0).any():
            row = int((past < 0).nonzero()[0])
            raise ValueError(
                f"end is {int(end[row])} in row {row}, before start, {int(start[row])}"
            )
        self.values = torch.cat([values, values.new_zeros(1)])  # the padding is last
        self.end = end.clone()  # the given one may change
        self.count = past.clamp_(max=positive("length", length)).int()
        self.length = length

    def __len__(self) -> int:
        return len(self.end)

    @property
    def shape(self) -> torch.Size:
        """Of the whole table: ``(N, L)``."""
        return torch.Size([len(self), self.length])

    @property
    def dtype(self) -> torch.dtype:
        """Of the values that come out."""
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        """Where rows come out."""
        return self.values.device

    def __getitem__(self, rows) -> Tensor:
        """The histories of some rows, a tensor; `rows` is an index as of a tensor.

        Not a tuple of indices: IndexError for rows and steps in one.
        """
        if isinstance(rows, tuple):
            raise IndexError(
                f"the index is {rows}; expected rows alone, and steps behind them: "
                "gathered[rows][..., steps]"
            )
        end, count = self.end[rows].unsqueeze(-1), self.count[rows].unsqueeze(-1)
        steps = torch.arange(self.length, device=self.device)
        padding = len(self.values) - 1
        source = torch.where(steps < count, end - count + steps, padding)  # (..., L)
        return self.values[source]

    def pick(self, rows) -> "Gathered":
        """The same rows, still to be gathered."""
        return self._with(self.values, self.end[rows], self.count[rows])

    def to(self, device) -> "Gathered":
        """The same on another device."""
        parts = (part.to(device) for part in (self.values, self.end, self.count))
        return self._with(*parts)

    def _with(self, values: Tensor, end: Tensor, count: Tensor) -> "Gathered":
        other = object.__new__(Gathered)
        other.values, other.end, other.count = values, end, count
        other.length = self.length
        return other


def _check_row(name: str, part: Tensor, integers: bool) -> None:
    if not isinstance(part, Tensor):
        raise ValueError(
            f"{name} is a {type(part).__name__}; expected a tensor: "
            f"torch.as_tensor({name})"
        )
    wrong = integers and part.dtype not in (torch.int64, torch.int32)
    if part.ndim != 1 or wrong:
        raise ValueError(
            f"{name} has shape {tuple(part.shape)} and dtype {part.dtype}; expected "
            f"one row{' of integers' if integers else ''}"
        )
