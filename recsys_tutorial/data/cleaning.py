"""What is odd in a log, and what is done about it: every choice has a name and a count.

A log is a table as `read_table` gives it, under the names that its owner gave to the
columns. `look` reports, `clean` leaves rows out, `read_labels` reads zeros and ones.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from recsys_tutorial.data.logs import DATES, to_seconds

FORMS = (  # of times that are no ISO 8601; a date in them can be read in one way only
    "%Y年%m月%d日 %H:%M:%S",
    "%Y年%m月%d日 %H:%M",
    "%Y年%m月%d日",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
)
SLASHED = ("/%Y %H:%M:%S", "/%Y %H:%M", "/%Y %I:%M:%S %p", "/%Y %I:%M %p", "/%Y")
YES = {"1", "1.0", "yes", "y", "true", "t", "是"}
NO = {"0", "0.0", "no", "n", "false", "f", "否"}


class Cleaned(NamedTuple):
    """What `clean` returns."""

    rows: pd.DataFrame  # the index is that of the log: which row of the file
    steps: pd.DataFrame  # step, and how many rows it left out


def seconds_of(values: pd.Series, form: str | None = None) -> pd.Series:
    """Times of any kind as seconds since 1970; missing where nobody can read them.

    Parameters
    ----------
    values : Series
        ``(N,)`` dates, text, or numbers: seconds, or smaller units, since 1970, or
        dates without hyphens, 20260131. Numbers below 1, of an order say, are all
        raised until the lowest is 1.
    form : str, optional
        How a text is to be read, ``"%d/%m/%Y %H:%M"``. Needed where days and months
        cannot be told apart.

    Returns
    -------
    Series of Int64
        ``(N,)``, with the index of `values`; without a time zone it is UTC.

    Raises
    ------
    ValueError
        If less than half of the values that are not missing can be read as a time.
    """
    some = values.dropna()
    result = pd.Series(pd.NA, values.index, dtype="Int64")
    if not len(some):
        raise ValueError(f"{values.name} is missing in all rows; expected times")
    dates = some
    if not pd.api.types.is_datetime64_any_dtype(some):
        if form is None and _mostly(numbers := pd.to_numeric(some, errors="coerce")):
            counted = _counted(numbers.dropna(), values.name)
            result[counted.index] = counted
            return result
        dates = _dates(some, form or time_form(some)).dropna()
    if len(dates) < len(some) / 2:
        odd = some[~some.index.isin(dates.index)].iloc[0]
        raise ValueError(
            f"{values.name} holds {odd!r}, which is no time that can be read in one "
            'way; expected 2026-01-31 12:00:00: say how to read it, "%d/%m/%Y %H:%M" '
            "for example"
        )
    result[dates.index] = to_seconds(dates, str(values.name))
    return result


def time_form(values: pd.Series) -> str | None:
    """How times are written, as `seconds_of` takes it; None if that needs no form.

    Days and months between slashes are told apart by a day above the 12th. Keep the
    form: a single request has no such day.
    """
    some = values.dropna()
    some = some.iloc[:: len(some) // 10_000 + 1]
    if pd.api.types.is_datetime64_any_dtype(some):
        return None
    if _mostly(pd.to_numeric(some, errors="coerce")) or _mostly(_dates(some, None)):
        return None
    counts = {form: _dates(some, form).notna().sum() for form in FORMS}
    for end in SLASHED:
        ways = {f"{way}{end}": 0 for way in ("%d/%m", "%m/%d")}
        ways = {form: _dates(some, form).notna().sum() for form in ways}
        if len(set(ways.values())) == 2:
            counts |= ways
    best = max(counts, key=counts.get)
    return best if counts[best] > len(some) / 2 else None


def _mostly(read: pd.Series) -> bool:
    return bool(read.notna().mean() > 0.5)


def _dates(values: pd.Series, form: str | None) -> pd.Series:
    """Dates of text in this form, or in ISO 8601; what is not in it is missing."""
    text = values.astype(str).str.strip()
    if form is None:
        form, text = "ISO8601", text.str.replace(r" ?(UTC|GMT)$", "Z", regex=True)
    return pd.to_datetime(text, format=form, errors="coerce", utc=True)


def _counted(numbers: pd.Series, name) -> pd.Series:
    """Numbers as seconds: of 1970, or of the dates that they look like."""
    whole = numbers.astype("int64")
    for form, digits in DATES.items():
        low, high = 19 * 10 ** (digits - 2), 21 * 10 ** (digits - 2)
        if digits != 10 and whole.between(low, high).all():  # ten are also seconds
            dates = pd.to_datetime(whole.astype(str), format=form, errors="coerce")
            if dates.notna().all():
                return pd.Series(to_seconds(dates, str(name)), numbers.index)
    if whole.min() < 1:
        whole = whole + (1 - whole.min())
    return pd.Series(to_seconds(whole, str(name), _unit(whole)), numbers.index)


def _unit(whole: pd.Series) -> str | None:
    """Say that ten digits are seconds, although some read as dates."""
    return "s" if whole.max() <= 10**11 else None


def look(
    rows: pd.DataFrame,
    user: str | None = None,
    item: str | None = None,
    seconds: pd.Series | None = None,
    labels: pd.DataFrame | None = None,
) -> pd.Series:
    """What there is in a log, and what is odd in it, before anything is done.

    Parameters
    ----------
    rows : DataFrame
        ``N`` rows, at least one.
    user, item : str, optional
        Its columns of ids; without one, what hangs on it is not told.
    seconds : Series, optional
        ``(N,)``, as `seconds_of` gives it.
    labels : DataFrame, optional
        ``(N, T)``, as `read_labels` gives them.

    Returns
    -------
    Series
        What was counted -> number, share or text, in the order of reading.
    """
    found = {"rows": len(rows), "columns": rows.shape[1]}
    found["rows that stand there twice"] = int(rows.duplicated().sum())
    for name in (user, item):
        if name is not None:
            found[f"rows without {name}"] = int(rows[name].isna().sum())
    if user is not None:
        count = rows[user].value_counts()
        found[f"values of {user}"] = len(count)
        found[f"{user} with one row"] = _share((count == 1).mean())
        found[f"rows of the busiest {user}"] = int(count.iloc[0]) if len(count) else 0
    if item is not None:
        count = rows[item].value_counts()
        head = max(1, round(len(count) / 100))
        found[f"values of {item}"] = len(count)
        found[f"rows of the top 1 % of {item}"] = _share(
            count.iloc[:head].sum() / max(count.sum(), 1)
        )
    if user is not None and item is not None:
        again = rows.duplicated([user, item]) & rows[user].notna() & rows[item].notna()
        found[f"rows with a {user} and {item} seen before"] = _share(again.mean())
    if seconds is not None:
        found["rows without a time that can be read"] = int(seconds.isna().sum())
        for name, value in (("first", seconds.min()), ("last", seconds.max())):
            found[f"{name} time"] = str(pd.to_datetime(int(value), unit="s"))
        found["rows whose time is a whole day"] = _share((seconds % 86_400 == 0).mean())
    for name in [] if labels is None else labels:
        found[f"rows without {name}"] = int(labels[name].isna().sum())
        found[f"share of {name}"] = _share(labels[name].mean())
    return pd.Series(found, name="found").astype(object)


def clean(
    rows: pd.DataFrame,
    needed: Iterable[str] = (),
    *,
    twice: bool = True,
    nested: tuple[str, str] | None = None,
) -> Cleaned:
    """Leave out what cannot be used, and count it.

    Parameters
    ----------
    rows : DataFrame
        The log, with its times and labels in columns.
    needed : iterable of str
        Columns without which a row says nothing: ids, time, labels.
    twice : bool
        Whether a row that stands there a second time, the same in all columns, is one
        event that was sent twice. Say no where rows have no id and no time: two people
        may be alike.
    nested : (str, str), optional
        Two columns of zeros and ones: rows in which the second is 1 and the first is 0
        go.

    Returns
    -------
    Cleaned

    Raises
    ------
    ValueError
        If no row is left; it says after which step.
    """
    steps = []

    def leave_out(step, wrong):
        nonlocal rows
        rows = rows[~wrong.to_numpy(dtype=bool)]
        steps.append((step, int(wrong.sum()), len(rows)))
        if not len(rows):
            raise ValueError(f"no row is left after the step {step!r}; expected some")

    for column in needed:
        leave_out(f"no {column}", rows[column].isna())
    if twice:
        leave_out("the same row again", rows.duplicated())
    if nested is not None:
        first, then = (rows[name] for name in nested)
        leave_out(f"{nested[1]} without {nested[0]}", then > first)
    table = pd.DataFrame(steps, columns=["step", "rows left out", "rows kept"])
    return Cleaned(rows, table.set_index("step"))


def read_labels(rows: pd.DataFrame, labels) -> pd.DataFrame:
    """The two labels of a table as 0, 1 or missing.

    Parameters
    ----------
    rows : DataFrame
        ``N`` rows.
    labels : iterable of str, or dict
        Columns; of numbers, 1 is what is above 0; of text, yes and no in the usual
        words. A dict says for each column which value counts as 1, or gives a function
        of the column: ``{"income": ">50K", "stars": lambda s: s >= 4}``.

    Returns
    -------
    DataFrame of Float64
        ``(N, T)``. A later label that is missing where the one before is 0 is 0: what
        was not clicked was not bought.

    Raises
    ------
    ValueError
        If a column is missing, its values cannot be told apart as yes and no, or all
        rows have the same value.
    """
    wanted = labels if isinstance(labels, dict) else dict.fromkeys(labels)
    if absent := [name for name in wanted if name not in rows]:
        raise ValueError(f"the table lacks {absent}; it has {list(rows.columns)}")
    told = {name: _label(rows[name], yes) for name, yes in wanted.items()}
    names = list(told)
    for before, name in pairwise(names):
        no = (told[before] == 0).fillna(False).astype(bool)
        told[name] = told[name].mask(told[name].isna() & no, 0)
    for name, values in told.items():
        if values.dropna().nunique() < 2:
            only = values.dropna().iloc[0] if values.notna().any() else "missing"
            raise ValueError(
                f"{name} is {only} in all rows; expected zeros and ones: a log of "
                "clicks alone has no label, rows that were shown and not clicked are "
                "needed, too; of other numbers, say which are 1, "
                f"{{{name!r}: lambda s: s >= 4}}"
            )
    return pd.DataFrame(told)


def _label(values: pd.Series, yes: object | Callable | None) -> pd.Series:
    missing = values.isna()
    if callable(yes):
        found = yes(values)
    elif yes is not None:
        found = (values == yes) | (values.astype(str).str.strip() == str(yes).strip())
        if not found.any():
            raise ValueError(
                f"{values.name} never holds {yes!r}; expected one of its values, "
                f"{values.dropna().unique()[:5].tolist()}"
            )
    elif pd.api.types.is_numeric_dtype(values):
        found = values > 0
    else:
        text = values.astype(str).str.strip().str.lower()
        found = text.isin(YES)
        if not (found | text.isin(NO) | missing).all():
            raise ValueError(
                f"{values.name} holds {values.dropna().unique()[:5].tolist()}; "
                f"expected 0 and 1, or yes and no: say which is 1, {{{values.name!r}: "
                f"{values.dropna().iloc[0]!r}}}"
            )
    return found.astype("Float64").mask(missing)


def _share(value: float) -> str:
    return "-" if np.isnan(float(value)) else f"{value:.1%}"
