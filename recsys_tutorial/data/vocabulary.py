"""Values to ids and back: names of users, of items, of anything."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from recsys_tutorial.data.events import check_complete

KINDS = {"string": "text", "integer": "integers", "boolean": "truth values"}
WAYS = {  # what would be numbered by chance, or by its names
    "DataFrame": 'values["..."]',
    "dict": "list(values), or list(values.values())",
    "Tensor": "values.tolist()",
    "set": "sorted(values)",
    "frozenset": "sorted(values)",
}
UNKNOWN = "(padding or unknown)"


class Vocabulary:
    """Distinct values, numbered from 1 in the order in which they first come.

    Id 0 is padding, and the id of every value that is unknown: both share the zero
    row of an embedding.

    Parameters
    ----------
    values : iterable, or Series
        Text, integers or truth values, all of one kind. A categorical Series counts
        as its values; a value may come more than once.

    Attributes
    ----------
    values : list
        The distinct values; ``values[i - 1]`` has the id ``i``. Plain Python values,
        ready for JSON.

    Raises
    ------
    ValueError
        If a value is missing, of another kind than the others, or of a kind that can
        have no id, such as a float; if `values` is a table, a dict, a tensor, or a set,
        which has no order: one sentence that says what to do.

    Examples
    --------
    >>> cities = Vocabulary(["上海", "北京", "上海"])
    >>> cities.encode(["北京", "Oslo", "上海"])
    array([2, 0, 1])
    >>> cities.decode([2, 1])
    ['北京', '上海']
    >>> len(cities)  # the number of ids, that of the padding included
    3
    """

    def __init__(self, values: Iterable):
        column = _column(values)
        self._kind = _kind(column)
        self.values = column.drop_duplicates().tolist()
        self._index = pd.Index(self.values)

    def __len__(self) -> int:
        """Number of ids, padding included: the size of an embedding table."""
        return len(self.values) + 1

    def encode(self, values: Iterable) -> np.ndarray:
        """Ids of the values, int64, of the same length; 0 for what is unknown.

        Raises
        ------
        ValueError
            If a value is missing, or they are of another kind: the text "7" and the
            number 7 are two things.
        """
        column = _column(values)
        if len(column) and self.values and (kind := _kind(column)) != self._kind:
            raise ValueError(
                f"values holds {kind} ({_shown(column)} in row 0), the vocabulary "
                f"{self._kind} ({self.values[0]!r}); expected the same kind: astype"
            )
        return self._index.get_indexer(pd.Index(column)).astype(np.int64) + 1

    def decode(self, ids: Iterable[int]) -> list:
        """Values of the ids; 0 reads "(padding or unknown)".

        Raises
        ------
        IndexError
            If an id is below 0 or above the highest.
        ValueError
            If the ids are no integers.
        """
        ids = np.asarray(ids).ravel()
        if len(ids) and ids.dtype.kind not in "iu":
            raise ValueError(
                f"ids holds {ids.tolist()[0]!r} in row 0 (dtype {ids.dtype}); expected "
                "integers, such as encode gives"
            )
        ids = ids.astype(np.uint64 if ids.dtype.kind == "u" else np.int64)
        wrong = (ids < 0) | (ids >= len(self))
        if wrong.any():
            row = int(wrong.argmax())
            raise IndexError(
                f"ids holds {ids[row]} in row {row}; expected 0 to {len(self) - 1}"
            )
        return [self.values[i - 1] if i else UNKNOWN for i in ids.tolist()]

    def to_dict(self) -> dict:
        """What JSON can hold; `from_dict` makes the same vocabulary of it."""
        return {"kind": "Vocabulary", "values": list(self.values)}

    @classmethod
    def from_dict(cls, content: dict) -> "Vocabulary":
        """The vocabulary that `to_dict` described; ValueError if it did not."""
        values = content.get("values") if isinstance(content, dict) else None
        if not isinstance(values, list) or content.get("kind") != "Vocabulary":
            raise ValueError(
                "content is no vocabulary; expected what Vocabulary.to_dict gave"
            )
        vocabulary = cls(values)
        if len(vocabulary) != len(values) + 1:
            raise ValueError("content has a value twice; expected distinct values")
        return vocabulary


def _column(values: Iterable) -> pd.Series:
    if isinstance(values, str | bytes):
        raise ValueError(f"values is the text {values!r}; expected a list of values")
    kind = type(values).__name__
    if kind in WAYS:
        raise ValueError(
            f"values is a {kind}; expected a list or a column of values: {WAYS[kind]}"
        )
    if not isinstance(values, Iterable):
        raise ValueError(f"values is {values!r} ({kind}); expected a list of values")
    if getattr(values, "ndim", 1) != 1:
        raise ValueError(f"values has {values.ndim} dimensions; expected one")
    column = values if isinstance(values, pd.Series) else None
    if column is None:
        listed = values if isinstance(values, np.ndarray | pd.Index) else list(values)
        try:
            column = pd.Series(listed, dtype=None if len(listed) else object)
        except UnicodeEncodeError as error:
            raise ValueError(
                f"values holds the text {error.object!a}, with half a character; "
                "expected whole ones: cut texts between characters"
            ) from None
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    check_complete(column, "values", "values")
    return column


def _kind(column: pd.Series) -> str:
    """Text, integers or truth values; "nothing" for no value."""
    found = pd.api.types.infer_dtype(column, skipna=False)
    if found == "empty" or not len(column):
        return "nothing"
    if found in KINDS:
        return KINDS[found]
    if found.startswith("mixed"):
        kinds = column.map(type)
        other = (kinds != kinds.iloc[0]).to_numpy()
        if not other.any():
            raise ValueError(
                f"values holds {_shown(column)} in row 0 ({kinds.iloc[0].__name__}); "
                "expected text, integers or truth values, one in a row"
            )
        row = int(other.argmax())
        raise ValueError(
            f"values holds {_shown(column)} in row 0 and {_shown(column, row)} in row "
            f"{row}; expected values of one kind: astype(str)"
        )
    way = 'astype("int64")' if found == "floating" else "astype(str)"
    raise ValueError(
        f"values holds {_shown(column)} in row 0 ({found}); expected text, integers "
        f"or truth values: {way}"
    )


def _shown(column: pd.Series, row: int = 0) -> str:
    value = column.iloc[row]
    return repr(value.item() if isinstance(value, np.generic) else value)
