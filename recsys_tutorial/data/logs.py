"""Any log of who met what, and when, brought into the shape that the book reads."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_tutorial.data.events import LATEST, UNITS, check_events
from recsys_tutorial.data.vocabulary import Vocabulary

PARTS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # per second
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
        that puts them before that year. Dates, and text in ISO 8601, need no unit;
        without a time zone they are taken for UTC. Fractions of a second are cut off.
    users, items : Vocabulary, optional
        Those of an earlier log, for new events of the same shop: ids stay what they
        were, and rows whose user or item is unknown are left out and counted. By
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
        If the file's ending is another one, a column is missing, an id or a time is
        missing or no id or time, the unit cannot be told, or no row is left.
    ImportError
        If pyarrow is needed and not there.
    FileNotFoundError
        From pandas, if there is no such file.
    """
    table = _table(source, user, item)
    names = {user: "user", item: "item", time: "time"}
    if len(names) < 3:
        raise ValueError(f"user, item and time are {list(names)}; expected three names")
    if absent := [c for c in names if c not in table]:
        raise ValueError(
            f"the log lacks {absent}; it has {list(table.columns)}: read_events("
            'source, user="...", item="...", time="...") says what they are called'
        )
    if not len(table):
        raise ValueError("the log has no rows; expected at least one")
    others = [c for c in table if c not in names]
    if twice := [c for c in others if c in names.values()]:
        raise ValueError(
            f"the log has other columns named {twice}; rename or drop them"
        )
    seconds = to_seconds(table[time], time, unit)
    users, who = _numbered(table[user], user, users)
    items, what = _numbered(table[item], item, items)
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
    missing = values.isna().to_numpy()
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(f"{column} is missing ({values.iloc[row]}) in row {row}")
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


def _table(source, user: str, item: str) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
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
        return pd.read_parquet(path)
    text = {user: str, item: str}  # else 007 and 7 would be one
    table = pd.read_csv(
        path,
        sep="\t" if path.suffix == ".tsv" else ",",
        dtype=text,
        keep_default_na=False,
        na_values=[""],
    )
    for column in set(text) & set(table):
        values = table[column]
        if values.notna().all() and values.str.fullmatch("0|[1-9][0-9]{0,17}").all():
            table[column] = values.astype(np.int64)
    return table


def _numbered(
    values: pd.Series, column: str, vocabulary: Vocabulary | None
) -> tuple[Vocabulary, np.ndarray]:
    try:
        if vocabulary is None:
            vocabulary = Vocabulary(sorted(Vocabulary(values).values))
        return vocabulary, vocabulary.encode(values)
    except ValueError as error:
        raise ValueError(f"column {column!r}: {error}") from None
