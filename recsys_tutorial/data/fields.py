"""Columns of a table to ids, by encoders that are fitted once and applied again."""

import math
import re
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.events import check_complete
from recsys_tutorial.layers import positive

PADDING = "(padding)"
KINDS = {  # as pandas calls them
    "numbers": ("integer", "floating", "mixed-integer-float", "decimal"),
    "dates": ("datetime64", "datetime", "date"),
    "truth values": ("boolean",),
}
READS = {"numbers": r"[-+]?\d", "dates": r"\d{4}-\d", "truth values": "True|False"}


class Field(NamedTuple):
    """How one column is encoded: ``labels[i]`` is the reading of id ``i``.

    Id 0 is padding, and the id of a category that is unknown: both share the zero row
    of an embedding. A number is never unknown: the outer bins are open.
    """

    name: str
    labels: list[str]
    edges: list[float] | None = None  # of the bins of a number; None for categories

    def encode(self, values: pd.Series) -> Tensor:
        """Ids ``(N,)``, int64, of a column; raises as `encode_fields` does."""
        _check_complete(self.name, values)
        if self.edges is not None:  # edges[i - 1] < value <= edges[i]
            code = np.searchsorted(self.edges, _numbers(self.name, values))
            return torch.as_tensor(code.astype(np.int64) + 1)
        return torch.as_tensor(_known(self, values))

    def to_dict(self) -> dict:
        """What JSON can hold; `from_dict` makes the same field of it."""
        return {"kind": "Field", **self._asdict()}

    @classmethod
    def from_dict(cls, content: dict) -> "Field":
        """The field that `to_dict` described; ValueError if it did not."""
        names = {"kind", *cls._fields}
        if not isinstance(content, dict) or set(content) != names:
            raise ValueError("content is no field; expected what Field.to_dict gave")
        if content["kind"] != "Field":
            raise ValueError(f"content is a {content['kind']}; expected a Field")
        field = cls(*(content[name] for name in cls._fields))
        _check_field(field)
        return field


def encode_fields(
    frame: pd.DataFrame,
    columns: list[str] | None = None,
    train=None,
    bins: int = 10,
    *,
    fields: list[Field] | None = None,
) -> tuple[Tensor, list[Field]]:
    """Turn the columns of a table into ids, one field per column.

    A categorical column's ids are its declared categories. A number is cut into
    quantile bins whose edges come from the training rows alone; a value that fills
    more than half of the rows (no capital gain, say) is an edge of its own, and the
    quantiles are those of the other rows. New rows are encoded as the old ones were
    if the old `fields` are given.

    Parameters
    ----------
    frame : DataFrame
        ``N`` rows, no missing value in `columns`.
    columns : list of str
        The ``F`` columns to encode, of categorical, integer or float dtype.
    train : array of int or bool
        The training rows, as positions or as a mask.
    bins : int
        Number of quantile bins; equal edges are merged.
    fields : list of Field, optional
        In place of `columns` and `train`: the encoders that an earlier call returned.
        A category may then come as text, too; 7 and 7.0 are one category, and so are a
        date and its midnight. One that is unknown gets id 0.

    Returns
    -------
    ids : LongTensor
        ``(N, F)``, from 1; 0 is kept for padding and what is unknown.
    fields : list of Field
        How to read the ids, and to encode new rows.

    Raises
    ------
    ValueError
        If the table is empty, no column is asked for, one is missing or there twice,
        holds NaN or infinity or is of another dtype, two categories read alike, or
        there is no training row. With `fields`, also if a column of numbers, dates or
        truth values meets categories none of which reads so.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(
            f"frame is a {type(frame).__name__}; expected a DataFrame, "
            "pd.DataFrame(...)"
        )
    if not len(frame):
        raise ValueError("frame has no rows; expected at least one")
    if (fields is None) == (columns is None) or (fields is None) == (train is None):
        raise ValueError("columns and train, or fields alone; expected either of them")
    if isinstance(columns, str):
        raise ValueError(f"columns is the text {columns!r}; expected [{columns!r}]")
    names = columns if fields is None else [field.name for field in fields]
    if not len(names):
        which = "columns" if fields is None else "fields"
        raise ValueError(f"{which} is empty; expected at least one")
    _check_once(list(names), frame)
    if absent := [c for c in names if c not in frame]:
        raise ValueError(f"frame lacks {absent}; it has {list(frame.columns)}")
    if fields is None:
        fields = [_fitted(c, frame[c], train, positive("bins", bins)) for c in names]
    return torch.stack([field.encode(frame[field.name]) for field in fields], 1), fields


def encode_lists(values: pd.Series, field: Field | None = None) -> tuple[Tensor, Field]:
    """Turn a column of lists, such as the genres of films, into padded ids.

    Parameters
    ----------
    values : Series
        ``N`` lists or tuples of text, or sets, which are read in alphabetical order; a
        list may be empty.
    field : Field, optional
        The encoder that an earlier call returned; what it does not know is left out.
        By default, all that is in the lists, in alphabetical order.

    Returns
    -------
    ids : LongTensor
        ``(N, V)``, padded with 0 at the end; ``V`` is the length of the longest list.
    field : Field

    Raises
    ------
    ValueError
        If `values` is empty, or a row is missing, or is no list of text; if `field` is
        of numbers.
    """
    name = str(getattr(values, "name", None) or "values")
    lists = [sorted(v) if _is_text_set(v) else v for v in values]
    if field is not None and field.edges is not None:
        raise ValueError(
            f"field {field.name!r} cuts numbers into bins; expected one of categories, "
            "such as encode_lists returns"
        )
    if not lists:
        raise ValueError(f"{name} has no rows; expected at least one")
    for row, given in enumerate(lists):
        if not isinstance(given, list | tuple | set | np.ndarray):
            raise ValueError(
                f"{name} holds {given!r} in row {row}; expected a list of text: "
                'values.str.split("|") makes lists of "a|b"'
            )
        for one in given:
            if not isinstance(one, str):
                raise ValueError(
                    f"{name} holds {one!r} in a list in row {row}; expected text"
                )
    if field is None:
        field = Field(
            name, [PADDING, *sorted({one for given in lists for one in given})]
        )
    number = {label: i for i, label in enumerate(field.labels) if i}
    known = [[number[one] for one in given if one in number] for given in lists]
    ids = torch.zeros(len(known), max(map(len, known)), dtype=torch.int64)
    for row, own in enumerate(known):
        ids[row, : len(own)] = torch.tensor(own)
    return ids, field


def multi_hot(ids: Tensor, n_ids: int) -> Tensor:
    """Padded ids ``(N, V)`` as ``(N, n_ids)`` zeros and ones; column 0 is zero.

    Raises
    ------
    ValueError
        If an id is not in 0 .. n_ids - 1.
    """
    if ids.numel() and (ids.min() < 0 or ids.max() >= n_ids):
        raise ValueError(
            f"ids holds {int(ids.min())} to {int(ids.max())}; expected 0 to {n_ids - 1}"
        )
    table = torch.zeros(len(ids), positive("n_ids", n_ids)).scatter_(1, ids, 1.0)
    table[:, 0] = 0.0
    return table


def _fitted(name: str, values: pd.Series, train, bins: int) -> Field:
    _check_complete(name, values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = [PADDING, *(str(c) for c in values.cat.categories)]
        if len(set(labels)) < len(labels):
            twice = next(x for x in labels if labels.count(x) > 1)
            raise ValueError(f"column {name!r} has two categories that read {twice!r}")
        return Field(name, labels)
    rows = _numbers(name, values)[train]
    if not len(rows):
        raise ValueError("train has no rows; expected at least one")
    edges = _bin_edges(rows, bins)
    texts = [f"{e:g}" for e in edges]
    digits = 6
    while len(set(texts)) < len(texts):  # labels differ where ids do
        digits += 1
        texts = [f"{e:.{digits}g}" for e in edges]
    readings = [f"<= {t}" for t in texts] + [f"> {t}" for t in texts[-1:]]
    return Field(name, [PADDING, *(readings or ["any"])], edges.tolist())


def _known(field: Field, values: pd.Series) -> np.ndarray:
    number = {label: i for i, label in enumerate(field.labels) if i}
    plain = {}
    for label, i in number.items():
        plain.setdefault(_plain(label), i)
    if not isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype("category")
    texts = [str(c) for c in values.cat.categories]
    ids = np.array([number.get(t) or plain.get(_plain(t), 0) for t in texts], np.int64)
    ids = ids[values.cat.codes.to_numpy()]
    if number and not ids.any():
        _check_kind(field, values)
    return ids


def _plain(text: str) -> str:
    """7.0 as 7, and midnight of a date as the date: what files make of one another."""
    found = re.fullmatch(r"(-?\d+)\.0|(\d{4}-\d\d-\d\d)[ T]00:00:00", text)
    return (found[1] or found[2]) if found else text


def _check_kind(field: Field, values: pd.Series) -> None:
    """Raise if what is unknown is of a kind that no category reads as."""
    kind = pd.api.types.infer_dtype(values.cat.categories, skipna=False)
    name = next((n for n, kinds in KINDS.items() if kind in kinds), None)
    if name and not any(re.match(READS[name], label) for label in field.labels[1:]):
        raise ValueError(
            f"column {field.name!r} holds {name} ({values.iloc[0]} in row 0), and the "
            f"field {field.labels[1]!r} and others, none of which is one; expected "
            "values of the kind that the field was made of: astype"
        )


def _check_field(field: Field) -> None:
    labels, edges = field.labels, field.edges
    if not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise ValueError(f"labels is {labels!r}; expected a list of text")
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(
            f"labels is {labels!r}; expected the padding's, and no two alike"
        )
    if edges is None:
        return
    numbers = isinstance(edges, list) and all(
        isinstance(x, int | float) and math.isfinite(x) for x in edges
    )
    if not numbers or edges != sorted(edges) or len(labels) != len(edges) + 2:
        raise ValueError(
            f"edges is {edges!r}, with {len(labels)} labels; expected a list of "
            "ascending numbers, two fewer than the labels, or None"
        )


def _check_once(names: list, frame: pd.DataFrame) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"column {name!r} is asked for twice; expected once")
        if name in frame and not isinstance(frame[name], pd.Series):
            raise ValueError(f"frame has two columns {name!r}; expected one")


def _is_text_set(values) -> bool:
    return isinstance(values, set) and all(isinstance(x, str) for x in values)


def _check_complete(name: str, values: pd.Series) -> None:
    check_complete(values, f"column {name!r}", f"frame[{name!r}]")


def _numbers(name: str, values: pd.Series) -> np.ndarray:
    if getattr(values.dtype, "kind", "O") not in "iuf":
        raise ValueError(
            f"column {name!r} has dtype {values.dtype}; expected a category or a "
            'number: astype("category") makes categories of text'
        )
    array = values.to_numpy(dtype=float)
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(f"column {name!r} is {array[row]} in row {row}")
    return array


def _bin_edges(values: np.ndarray, bins: int) -> np.ndarray:
    levels, counts = np.unique(values, return_counts=True)
    common = levels[counts.argmax()]
    edges = []
    if len(levels) > 1 and counts.max() > len(values) / 2:
        edges, values = [common], values[values != common]
    quantiles = np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(np.concatenate([edges, quantiles]))
