"""One door for tables of events: what is let in, and one sentence for what is not.

Events are a table with the columns ``user``, ``item`` and ``time``, one row per event,
sorted by user, then time. Ids start at 1; id 0 pads. A time is a whole number of
seconds since 1970. Other columns (``rating``) are numbers. `read_events` brings a log
of any other shape into this one.
"""

from numbers import Integral, Real

import numpy as np
import pandas as pd

LATEST = 10**11  # seconds: the year 5138; milliseconds of today are above it
UNITS = {  # of a time above LATEST: from which value on, and its parts per second
    "nanoseconds": (10**17, 10**9),
    "microseconds": (10**14, 10**6),
    "milliseconds": (LATEST, 10**3),
}
OLD_NAMES = {"item": "film", "time": "timestamp"}


def check_events(
    events: pd.DataFrame,
    *more: str,
    ids: tuple[str, ...] = ("user", "item"),
    numbers: tuple[str, ...] = (),
    timed: bool = True,
    unique: tuple[str, ...] = (),
    empty: bool = False,
    name: str = "events",
) -> dict[str, np.ndarray]:
    """Look at every column that is needed, and give it as an array.

    Parameters
    ----------
    events : DataFrame
        ``N`` rows; what index they have does not matter.
    *more : str
        Further columns of integers of at least 1.
    ids : tuple of str
        Columns of ids: integers of at least 1, of any integer type and size.
    numbers : tuple of str
        Columns of finite numbers, such as ratings or labels.
    timed : bool
        Whether ``time`` is needed, and the rows have to be sorted by user, then time.
    unique : tuple of str
        Columns that no two rows may have the same values of.
    empty : bool
        Whether a table without rows is let in.
    name : str
        What the messages call the table.

    Returns
    -------
    dict
        Column -> array ``(N,)``: int64, and float64 for floats in `numbers`. An array
        may share its memory with the table: it is for reading.

    Raises
    ------
    ValueError
        One sentence that names the column, the row (counted from 0) and the value,
        and says what to do. First of all if a column is missing or there is no row.
    """
    time = ("time",) if timed else ()
    columns = list(dict.fromkeys([*ids, *time, *more, *numbers]))
    _check_columns(events, columns, name)
    if not len(events):
        if empty:
            return {column: np.empty(0, dtype=np.int64) for column in columns}
        raise ValueError(f"{name} has no rows; expected at least one")
    arrays = {}
    for column in columns:
        place = f'{name}["{column}"]'
        if column in numbers:
            arrays[column] = as_numbers(events[column], column, place)
        else:
            arrays[column] = as_integers(events[column], column, place)
            _check_range(arrays[column], column, place)
    if timed:
        _check_order(arrays["user"], arrays["time"], name)
    if unique:
        _check_unique(arrays, unique, name)
    return arrays


def as_integers(values: pd.Series, column: str, place: str) -> np.ndarray:
    """The column as int64; ValueError if it holds anything but integers.

    `column` and `place` are its name, and how to write it: ``events["item"]``.
    """
    check_complete(values, column, place)
    dtype = values.dtype
    if getattr(dtype, "kind", "O") not in "iu" or isinstance(
        dtype, pd.CategoricalDtype
    ):
        raise ValueError(
            f"{column} holds {_first_odd(values, Integral)} (dtype {dtype}); expected "
            f"integers: {_remedy(values, column, place)}"
        )
    if values.max() >= 2**63:
        row = int(np.argmax(values.to_numpy()))
        raise ValueError(
            f"{column} holds {values.iloc[row]} in row {row}; expected integers below "
            f"2**63: number them, pd.factorize({place})[0] + 1"
        )
    return values.to_numpy(dtype=np.int64)


def as_numbers(values: pd.Series, column: str, place: str) -> np.ndarray:
    """The column as int64 or float64; ValueError if it holds no finite numbers."""
    check_complete(values, column, place)
    kind = getattr(values.dtype, "kind", "O")
    if kind not in "biuf" or isinstance(values.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"{column} holds {_first_odd(values, Real)} (dtype {values.dtype}); "
            f"expected numbers: pd.to_numeric({place}) reads them from text"
        )
    array = values.to_numpy(dtype=np.float64 if kind == "f" else np.int64)
    if not np.isfinite(array).all():
        row = int((~np.isfinite(array)).argmax())
        raise ValueError(f"{column} is {array[row]} in row {row}; expected a number")
    return array


def _check_columns(events: pd.DataFrame, columns: list[str], name: str) -> None:
    if not isinstance(events, pd.DataFrame):
        raise ValueError(
            f"{name} is a {type(events).__name__}; expected a pandas DataFrame with "
            f"the columns {columns}: pd.DataFrame(...), or .to_pandas()"
        )
    if absent := [c for c in columns if c not in events]:
        old = [OLD_NAMES.get(c, "") for c in absent]
        names = [o if o in events else "..." for o in old]
        raise ValueError(
            f"{name} lacks {absent}; it has {list(events.columns)}: "
            f"{name}.rename(columns={dict(zip(names, absent, strict=True))})"
        )
    for column in columns:
        if not isinstance(events[column], pd.Series):
            raise ValueError(f"{name} has two columns {column!r}; expected one")


def check_complete(values: pd.Series, column: str, place: str) -> None:
    """ValueError if a value is missing; `column` and `place` as in `as_integers`."""
    missing = values.isna().to_numpy()
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(
            f"{column} is missing ({values.iloc[row]}) in row {row}; expected a value "
            f"in every row: leave such rows out, {place}.notna(), or fill them in"
        )


def _remedy(values: pd.Series, column: str, place: str) -> str:
    dtype = values.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype):
        unit = "datetime64[s]" if values.dt.tz is None else "datetime64[s, UTC]"
        seconds = f'{place}.astype("{unit}").astype("int64")'
        return f"{seconds} gives the seconds since 1970"
    if column == "time" and not pd.api.types.is_numeric_dtype(dtype):
        return f"pd.to_datetime({place}) reads dates, and read_events seconds of them"
    if pd.api.types.is_float_dtype(dtype) and (values % 1 == 0).all():
        return f'{place}.astype("int64")'
    if column == "time":
        return f'{place}.astype("int64") cuts the fraction of a second off'
    return f"number them, pd.factorize({place})[0] + 1"


def _first_odd(values: pd.Series, kind: type) -> str:
    """The first value that is not of the kind, and its row; else the first of all."""
    odd = [not isinstance(v, kind) or isinstance(v, bool) for v in values.head(10_000)]
    row = odd.index(True) if True in odd else 0
    value = values.iloc[row]
    return f"{value.item() if isinstance(value, np.generic) else value!r} in row {row}"


def _check_range(array: np.ndarray, column: str, place: str) -> None:
    row = int(array.argmin())
    if array[row] < 1:
        remedy = (
            "count from a moment before the first event"
            if column == "time"
            else f"0 is the padding, so number them, pd.factorize({place})[0] + 1"
        )
        raise ValueError(
            f"{column} holds {array[row]} in row {row}; expected integers of at least "
            f"1: {remedy}"
        )
    row = int(array.argmax())
    if column == "time" and array[row] > LATEST:
        unit, (_, parts) = next((u, p) for u, p in UNITS.items() if array[row] > p[0])
        raise ValueError(
            f"time holds {array[row]} in row {row}; expected seconds since 1970, and "
            f"these look like {unit}: {place} // {parts}"
        )


def _check_order(user: np.ndarray, time: np.ndarray, name: str) -> None:
    back = (user[1:] < user[:-1]) | (user[1:] == user[:-1]) & (time[1:] < time[:-1])
    if back.any():
        row = int(back.argmax()) + 1
        column, array = ("time", time) if user[row] == user[row - 1] else ("user", user)
        raise ValueError(
            f"{name} is not sorted by user and time, first at row {row}: {column} "
            f"{array[row]} after {array[row - 1]}; "
            f'{name}.sort_values(["user", "time"], kind="stable") sorts them'
        )


def _check_unique(
    arrays: dict[str, np.ndarray], columns: tuple[str, ...], name: str
) -> None:
    again = pd.DataFrame({c: arrays[c] for c in columns}).duplicated().to_numpy()
    if again.any():
        row = int(again.argmax())
        values = ", ".join(f"{c} {arrays[c][row]}" for c in columns)
        raise ValueError(
            f"{name} has {values} a second time in row {row}; expected each pair once: "
            f"{name}.drop_duplicates({list(columns)})"
        )
