"""Any log of who met what, and when, brought into the shape that the book reads."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_tutorial.data.events import LATEST, UNITS, check_complete, check_events
from recsys_tutorial.data.vocabulary import Vocabulary

PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # per second
DATES = {"%Y%m%d": 8, "%Y%m%d%H": 10, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}
ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet")


class Log(NamedTuple):
    """What `read_events` returns."""

    events: pd.DataFrame  # user, item and time, int64, and the other columns
    users: Vocabulary  # what the log calls user 1, 2, 3 ...
    items: Vocabulary
    unknown: int  # rows left out, as the given vocabularies do not know their ids


def read_events(
    source: str | Path | pd.DataFrame,
    user: str = "user",
    item: str = "item",
    time: str = "time",
    *,
    unit: str | None = None,
    users: Vocabulary | None = None,
    items: Vocabulary | None = None,
) -> Log:
    """Read a log of events of any shop, station or shelf.

    Parameters
    ----------
    source : path or DataFrame
        A file that ends in ``.csv``, ``.csv.gz``, ``.tsv`` or ``.parquet`` (for which
        pyarrow has to be installed), or a table in memory, which stays as it is.
    user, item, time : str
        What the log calls these columns. All others (``rating`` ...) are kept.
    unit : {"s", "ms", "us", "ns"}, optional
        What whole numbers in the time column count, since 1970. By default they are
        seconds if none is beyond 10**11, the year 5138; if all are, they are the unit
        that puts them before that year. Whole numbers that read as dates, such as
        20260131 or 20260131120000, are refused unless a unit is given. Dates, and text
        in ISO 8601, need no unit; without a time zone they are taken for UTC. Fractions
        of a second are cut off.
    users, items : Vocabulary, optional
        Those of an earlier log, for new events of the same shop: ids stay what they
        were, and rows whose user or item is unknown are left out and counted. Text
        files do not tell 7 and "7" apart: there, an id is what the vocabulary holds. By
        default each id of the log, text or integers, gets a number, in ascending
        order.

    Returns
    -------
    Log
        ``events`` is sorted by user, then time (ties keep the order of the log) and
        passes `check_events`; the columns ``user``, ``item`` and ``time`` stand in
        front. The number of ids is ``len(items)``: that is ``n_items``.

    Raises
    ------
    ValueError
        If the file's ending is another one, it is not in UTF-8, or a row has more
        fields than the header; if a column is missing or there twice, an id or a time
        is missing or no id or time, the unit cannot be told, or no row is left.
    ImportError
        If pyarrow is needed and not there.
    FileNotFoundError
        From pandas, if there is no such file.
    """
    table, is_text = _table(source, user, item)
    names = {user: "user", item: "item", time: "time"}
    if len(names) < 3:
        raise ValueError(f"user, item and time are {list(names)}; expected three names")
    if absent := [c for c in names if c not in table]:
        raise ValueError(
            f"the log lacks {absent}; it has {list(table.columns)}: read_events("
            'source, user="...", item="...", time="...") says what they are called'
        )
    _check_once(table.columns)
    if not len(table):
        raise ValueError("the log has no rows; expected at least one")
    others = [c for c in table if c not in names]
    if twice := [c for c in others if c in names.values()]:
        raise ValueError(
            f"the log has other columns named {twice}; rename or drop them"
        )
    seconds = to_seconds(table[time], time, unit)
    users, who = _numbered(table[user], user, users, is_text)
    items, what = _numbered(table[item], item, items, is_text)
    known = (who > 0) & (what > 0)
    if not known.any():
        raise ValueError(
            "the vocabularies know no row of the log; expected one or more"
        )
    events = pd.DataFrame({"user": who, "item": what, "time": seconds})
    for column in others:
        events[column] = table[column].array
    order = np.lexsort((seconds, who))  # stable
    events = events.iloc[order[known[order]]].reset_index(drop=True)
    check_events(events)
    return Log(events, users, items, int((~known).sum()))


def to_seconds(values: pd.Series, column: str, unit: str | None = None) -> np.ndarray:
    """Dates, ISO text or whole numbers as int64 seconds; see `read_events`."""
    check_complete(values, column, f'source["{column}"]')
    if unit is not None and unit not in PARTS:
        raise ValueError(f"unit is {unit!r}; expected one of {list(PARTS)}, or None")
    if pd.api.types.is_bool_dtype(values) or isinstance(
        values.dtype, pd.CategoricalDtype
    ):
        raise ValueError(f"{column} has dtype {values.dtype}; expected times")
    if pd.api.types.is_numeric_dtype(values):
        return _counted(values.to_numpy(), column, unit)
    dates = pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce")
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        raise ValueError(
            f"{column} holds {values.iloc[row]!r} in row {row}; expected dates such as "
            "2026-01-31T12:00:00: pd.to_datetime(..., format=...) reads other forms"
        )
    return dates.dt.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)


def _counted(values: np.ndarray, column: str, unit: str | None) -> np.ndarray:
    low, high = values.min(), values.max()
    if not np.isfinite([float(low), float(high)]).all():
        raise ValueError(f"{column} holds {low} to {high}; expected finite numbers")
    if unit is None:
        _check_no_dates(values, column)
    if unit is not None:
        parts = PARTS[unit]
    elif high <= LATEST:
        parts = 1
    elif low <= LATEST:
        raise ValueError(
            f"{column} holds {low} to {high}, seconds and something smaller; expected "
            f'one unit: say which, unit="ms", or bring the rows to one'
        )
    else:
        least, parts = next(u for u in UNITS.values() if high > u[0])
        if low <= least:
            raise ValueError(
                f"{column} holds {low} to {high}, of several units; expected one"
            )
    return (values // parts).astype(np.int64)


def _check_no_dates(values: np.ndarray, column: str) -> None:
    """Raise if all the numbers are dates that lack their hyphens, such as 20260131."""
    low, high = float(values.min()), float(values.max())
    for form, digits in DATES.items():
        if not 19 * 10 ** (digits - 2) <= low <= high < 21 * 10 ** (digits - 2):
            continue
        text = pd.Series(values).astype("int64").astype(str)
        if pd.to_datetime(text, format=form, errors="coerce").notna().all():
            raise ValueError(
                f"{column} holds {values[0]} in row 0, which looks like a date and not "
                f"like a count; expected seconds, or dates: pd.to_datetime(..., "
                f'format="{form}") reads it, and unit="s" says that it is seconds'
            )


def _table(source, user: str, item: str) -> tuple[pd.DataFrame, bool]:
    """The table, and whether it is of a text file: there, all ids are text."""
    if isinstance(source, pd.DataFrame):
        return source, False
    if not isinstance(source, str | Path):
        raise ValueError(
            f"source is a {type(source).__name__}; expected a path or a DataFrame"
        )
    path = Path(source)
    if not path.name.endswith(ENDINGS):
        raise ValueError(
            f"source is {path.name}; expected a name that ends in one of "
            f"{', '.join(ENDINGS)}"
        )
    if path.suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ImportError(
                f"{path.name} is read by pyarrow, which is not installed: "
                "pip install pyarrow"
            ) from None
        return pd.read_parquet(path), False
    sep = "\t" if path.suffix == ".tsv" else ","
    try:
        return _read_csv(path, sep, {user: str, item: str}), True
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not in UTF-8 ({error.reason}); expected UTF-8: read it "
            f'with pd.read_csv(..., encoding="gb18030"), or what it is in, and '
            f"dtype={{{user!r}: str, {item!r}: str}}, and give the table"
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().rpartition("error: ")[2]
        if isinstance(error, pd.errors.ParserWarning):
            reason = "a row has more fields than the header"
        raise ValueError(
            f"{path.name} is no table ({reason}); expected as many fields in each row "
            "as in the header: a text with a comma in it stands in quotes"
        ) from None
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path.name} is empty; expected a header and rows") from None


def _read_csv(path: Path, sep: str, text: dict[str, type]) -> pd.DataFrame:
    plain = {"sep": sep, "index_col": False, "keep_default_na": False}
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, **plain)
    _check_once(name for name in header.iloc[0] if name)  # pandas renames the second
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # ids are text, else 007 and 7 would be one
        return pd.read_csv(path, dtype=text, na_values=[""], **plain)


def _check_once(columns: Iterable) -> None:
    seen = set()
    for column in columns:
        if column in seen:
            raise ValueError(
                f"the log has two columns {column!r}; expected one: rename or drop it"
            )
        seen.add(column)


def _numbered(
    values: pd.Series, column: str, vocabulary: Vocabulary | None, is_text: bool
) -> tuple[Vocabulary, np.ndarray]:
    known = vocabulary
    if is_text and values.notna().all():
        if vocabulary is None:
            if values.str.fullmatch("0|[1-9][0-9]{0,17}").all():
                values = values.astype(np.int64)
        elif vocabulary.values and isinstance(vocabulary.values[0], int):
            known = Vocabulary(map(str, vocabulary.values))
    try:
        if vocabulary is None:
            known = vocabulary = Vocabulary(sorted(Vocabulary(values).values))
        return vocabulary, known.encode(values)
    except ValueError as error:
        raise ValueError(f"column {column!r}: {error}") from None
