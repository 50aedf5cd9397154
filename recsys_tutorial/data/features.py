"""Columns of any table as features: which, how encoded, and which tell too much.

`RowEncoder` is fitted once, on training rows, and applied to every later row: of the
table, or of a request. Dimension letters: ``N`` rows, ``F`` fields.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from recsys_tutorial.data.cleaning import seconds_of
from recsys_tutorial.data.fields import PADDING, Field, encode_fields
from recsys_tutorial.data.sequences import split_by_time
from recsys_tutorial.data.tensors import split_rows
from recsys_tutorial.layers import positive
from recsys_tutorial.metrics import auc

FEW = 20  # numbers of up to so many values, such as codes, are categories
HOUR, WEEKDAY = "hour of ", "weekday of "


class RowEncoder:
    """Rows of a table as ids, ``(N, F)``, one field for each column that can be used.

    A number is cut into quantile bins, a text is a category; a category that has less
    than `minimum` rows, or comes after the `most` common ones, is unknown. Unknown and
    missing are id 0, and so is what turns up later. Of a time, the hour and the day of
    the week are fields. Columns with a single value, and columns of text that hardly
    ever repeats, are left out.

    Parameters
    ----------
    rows : DataFrame
        The training rows.
    leave_out : iterable of str
        Columns that are no feature: labels, and what is known only afterwards.
    text : iterable of str
        Columns whose numbers are names, such as ids.
    time : str, optional
        The column of the time, of any kind that `seconds_of` reads.
    form : str, optional
        As in `seconds_of`.
    minimum, most : int
        Fewest rows of a category, and most categories of a column.

    Attributes
    ----------
    fields : list of Field
    dropped : dict
        Column -> why it is no feature.

    Raises
    ------
    ValueError
        If no column is left.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        leave_out: Iterable[str] = (),
        text: Iterable[str] = (),
        time: str | None = None,
        form: str | None = None,
        minimum: int = 5,
        most: int = 10_000,
    ):
        positive("minimum", minimum), positive("most", most)
        leave_out, text = set(leave_out), set(text)
        self.time, self.form, self.fields, self.dropped = time, form, [], {}
        for column in rows.columns:
            if column in leave_out:
                self.dropped[column] = "left out by choice"
            elif column == time:
                if seconds_of(rows[time], form).median() < 10**8:
                    self.dropped[column] = "an order, no time of day"
                    continue
                for name, size in ((HOUR, 24), (WEEKDAY, 7)):
                    labels = [PADDING, *map(str, range(size))]
                    self.fields.append(Field(name + column, labels))
            else:
                self._fit(column, rows[column].dropna(), column in text, minimum, most)
        if not self.fields:
            raise ValueError(
                f"no column is left as a feature: {self.dropped}; expected one or more"
            )

    def _fit(self, column, values, is_text, minimum, most) -> None:
        distinct = values.nunique()
        is_number = pd.api.types.is_numeric_dtype(values) and not is_text
        if distinct < 2:
            self.dropped[column] = "a single value" if distinct else "no value"
        elif is_number and distinct > FEW:
            frame = values.astype(float).to_frame()
            every = np.ones(len(frame), dtype=bool)
            self.fields += encode_fields(frame, [column], every)[1]
        else:
            count = values.map(_name).value_counts()
            known = sorted(count[count >= minimum].index[:most])
            if not known:
                self.dropped[column] = "hardly any value comes twice"
            else:
                self.fields.append(Field(column, [PADDING, *known]))

    @property
    def sizes(self) -> list[int]:
        """Number of ids of each field, 0 included: what `FieldEmbedding` asks for."""
        return [len(field.labels) for field in self.fields]

    @property
    def columns(self) -> list[str]:
        """What a row has to have, in the words of the table."""
        found = [f.name for f in self.fields if not f.name.startswith((HOUR, WEEKDAY))]
        timed = len(found) < len(self.fields)
        return found + [self.time] * timed

    def encode(self, rows: pd.DataFrame) -> Tensor:
        """Ids ``(N, F)``, int64, of rows of the table or of raw requests.

        Raises
        ------
        ValueError
            If there is no row, a column is missing as a whole (a value may be: None),
            or a number cannot be read.
        """
        if not isinstance(rows, pd.DataFrame) or not len(rows):
            raise ValueError("rows is no DataFrame with a row: pd.DataFrame([request])")
        if absent := [c for c in self.columns if c not in rows]:
            raise ValueError(
                f"the request lacks {absent}; it has {list(rows.columns)}: a value "
                "that is not known is None, a name that is not there is a mistake"
            )
        return torch.stack([self._encode(field, rows) for field in self.fields], 1)

    def _encode(self, field: Field, rows: pd.DataFrame) -> Tensor:
        for start, part in ((HOUR, 3600), (WEEKDAY, 86_400)):
            if self.time is not None and field.name == start + self.time:
                if rows[self.time].isna().all():
                    return torch.zeros(len(rows), dtype=torch.int64)
                count = seconds_of(rows[self.time], self.form) // part
                # the 1st of January 1970 was a Thursday, day 3 from 0
                number = count % 24 + 1 if part == 3600 else (count + 3) % 7 + 1
                return torch.tensor(number.fillna(0).to_numpy(dtype=np.int64))
        values = rows[field.name].dropna()
        there = torch.tensor(rows[field.name].notna().to_numpy())
        ids = torch.zeros(len(rows), dtype=torch.int64)
        if not len(values):
            return ids
        if field.edges is None:
            known = values.map(_name)
        else:
            known = pd.to_numeric(values, errors="coerce").astype(float)
            wrong = ~np.isfinite(known.to_numpy())
            if wrong.any():
                raise ValueError(
                    f"{field.name} is {values.iloc[int(wrong.argmax())]!r}; expected a "
                    "number, or None"
                )
        ids[there] = field.encode(known)
        return ids

    def to_dict(self) -> dict:
        """What JSON can hold; `from_dict` makes the same encoder of it."""
        fields = [field._asdict() for field in self.fields]
        own = {"time": self.time, "form": self.form, "dropped": dict(self.dropped)}
        return own | {"fields": fields}

    @classmethod
    def from_dict(cls, content: dict) -> "RowEncoder":
        """The encoder that `to_dict` described; ValueError if it did not."""
        try:
            made = object.__new__(cls)
            made.time, made.form = content["time"], content["form"]
            made.dropped = dict(content["dropped"])
            made.fields = [
                Field.from_dict({"kind": "Field", **field})
                for field in content["fields"]
            ]
        except (KeyError, TypeError):
            raise ValueError(
                "content is no encoder; expected what RowEncoder.to_dict gave"
            ) from None
        return made


def _name(value) -> str:
    """How a category reads: 7, 7.0 and "7" are one, and so are 1 and True."""
    if isinstance(value, bool | np.bool_) or str(value).lower() in ("true", "false"):
        return str(int(str(value).lower() == "true"))
    if isinstance(value, float | np.floating) and value == int(value):
        return str(int(value))
    return str(value).strip()


def cut_rows(
    n_rows: int, seconds: np.ndarray | None = None, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Rows for training, validation and test: in time, or by chance without times.

    Parameters
    ----------
    n_rows : int
        At least 10.
    seconds : array of int, optional
        ``(N,)``; if it has too few moments to be cut, rows are drawn by chance.
    seed : int
        Of what is drawn.

    Returns
    -------
    tuple of LongTensor
        Row numbers: seven, one and two tenths.
    """
    if positive("n_rows", n_rows) < 10:
        raise ValueError(f"n_rows is {n_rows}; expected at least 10")
    if seconds is not None:
        time = torch.from_numpy(np.array(seconds, dtype=np.int64))  # a copy
        try:
            return split_by_time(time)
        except ValueError:  # one day, say
            pass
    rest, test = split_rows(n_rows, 0.2, seed)
    train, validation = split_rows(len(rest), 0.125, seed)
    return rest[train], rest[validation], test


def tell_tales(
    ids: Tensor, labels: Tensor, train: Tensor, test: Tensor, fields: list[Field]
) -> pd.Series:
    """How well each field alone foretells a label: the AUC of its ids' shares.

    A field that knows nearly all was written after the fact: the amount that was paid
    tells that it was.

    Parameters
    ----------
    ids : LongTensor
        ``(N, F)``.
    labels : Tensor
        ``(N,)`` zeros and ones.
    train, test : LongTensor
        Rows that the shares are taken from, and rows that they are tried on.
    fields : list of Field
        The ``F`` fields.

    Returns
    -------
    Series
        Name of the field -> AUC, the highest first.
    """
    found = {}
    mean = float(labels[train].float().mean())
    for column, field in enumerate(fields):
        own = ids[train, column]
        count = own.bincount(minlength=len(field.labels))
        hits = own.bincount(labels[train].double(), minlength=len(field.labels))
        share = (hits + mean) / (count + 1)  # one row of the average in each
        found[field.name] = auc(labels[test], share[ids[test, column]])
    return pd.Series(found).sort_values(ascending=False)
