"""A CSV file as people have it: its separator, its encoding and its holes are found.

`read_table` reads; what the rows mean is the matter of `recsys_tutorial.data.cleaning`.
"""

import csv
import difflib
import gzip
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # what Excel calls Unicode text
ENCODINGS = ("utf-8-sig", "gb18030", "cp1252")  # the first that fits
EMPTY = ["", "NULL", "null", r"\N", "NaN", "nan"]  # a value that is missing
NO_NUMBER = [*EMPTY, "NA", "N/A", "n/a", "None", "none", "-", "?"]


class Table(NamedTuple):
    """What `read_table` returns."""

    rows: pd.DataFrame
    separator: str  # "" of a Parquet file
    encoding: str
    skipped: int  # rows left out: they had more fields than the header


def read_table(
    path: str | Path,
    text: Iterable[str] = (),
    more: Iterable[str] = (),
    *,
    separator: str | None = None,
    encoding: str | None = None,
    names: list[str] | None = None,
) -> Table:
    """Read a file with a header, or with `names`, whatever its separator and encoding.

    Parameters
    ----------
    path : path
        Text, which may be compressed (``.gz``), or ``.parquet``.
    text : iterable of str
        Columns that the file has to have, such as those of ids, and that stay text:
        007 is not 7 there, and "NA" is a name. Other columns become numbers if every
        value is one, with a point or, between semicolons, a comma.
    more : iterable of str
        Further columns that the file has to have.
    separator, encoding : str, optional
        By default the separator is the one that fits the header and the first rows, and
        the encoding UTF-8 (with or without a mark), UTF-16, GB18030, of which GBK is a
        part, or Windows' Western one.
    names : list of str, optional
        Of a file without a header: what its columns are.

    Returns
    -------
    Table
        Spaces around names are gone; a cell that is empty, NULL or NaN is missing, and
        so is an infinite number.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, is an Excel file, in none of these encodings, or lacks a
        column of `text` or `more`, or has it twice.
    ImportError
        If the file is Parquet and pyarrow is not installed.
    """
    path, text = Path(path), list(dict.fromkeys(text))
    asked = list(dict.fromkeys([*text, *more]))
    if not path.is_file():
        where = "a folder" if path.is_dir() else "not there"
        raise FileNotFoundError(
            f"{path} is {where}; expected a file: its path counts from the folder in "
            "which the notebook runs"
        )
    if path.suffix == ".parquet":
        rows = _parquet(path)
        _check_names(list(rows.columns), asked, path.name)
        return Table(_as_text(rows, text), "", "", 0)
    start = _start(path)
    encodings = [encoding] if encoding else _encodings(start)
    for tried in encodings:
        try:
            return _read(path, start, tried, separator, text, asked, names)
        except UnicodeError:
            continue
    raise ValueError(
        f"{path.name} is in none of the encodings {encodings}; expected one of them: "
        'say which it is in, encoding="latin-1" for example'
    )


def _read(path, start, encoding, separator, text, asked, names) -> Table:
    whole = start.rpartition(b"\n")[0] or start if "16" not in encoding else start
    lines = [x for x in whole.decode(encoding).splitlines() if x.strip()][:50]
    if not lines:
        raise ValueError(f"{path.name} is empty; expected a header and rows")
    separator = separator or _separator(lines, asked if names is None else [])
    header = names
    if header is None:
        header = [name.strip() for name in _fields(lines[0], separator)]
    _check_names(header, asked, path.name)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rows = pd.read_csv(
            path,
            sep=separator if len(separator) == 1 else re.escape(separator),
            engine="c" if len(separator) == 1 else "python",
            encoding=encoding,
            header=None if names is not None else 0,
            names=names,
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=EMPTY,
            skipinitialspace=True,
            on_bad_lines="warn",
        )
    if names is None:
        rows.columns = [str(name).strip() for name in rows.columns]
    if not len(rows):
        raise ValueError(f"{path.name} has a header and no rows; expected rows")
    skipped = sum(len(re.findall(r"[Ss]kipping line", str(w.message))) for w in told)
    for column in rows.columns.difference(text):
        rows[column] = _numbers(rows[column], comma=separator == ";")
    return Table(rows, separator, encoding, skipped)


def _numbers(values: pd.Series, comma: bool) -> pd.Series:
    """The column as numbers or truth values, if it is one of them; else as it is."""
    some = values.dropna()
    if comma and len(some) and some.str.fullmatch(r"[-+]?\d+(,\d+)?").all():
        values = values.str.replace(",", ".")
    if len(some) and some.isin(["True", "False", "true", "false"]).all():
        return values.str.lower().map({"true": 1, "false": 0})
    values = values.where(~values.isin(NO_NUMBER)) if len(some) else values
    numbers = pd.to_numeric(values, errors="coerce")
    numbers = numbers.where(~numbers.isin([float("inf"), -float("inf")]))
    values = values.where(~values.str.lower().isin(["inf", "-inf", "infinity"]))
    odd = numbers.isna() & values.notna()
    return numbers if values.notna().any() and not odd.any() else values


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        start = file.read(2**16)
    if start[:4] == b"PK\x03\x04":
        raise ValueError(
            f"{path.name} is an Excel file or a zip; expected text: save it as CSV "
            "UTF-8, or unpack it"
        )
    if start[:2] == b"\x1f\x8b":
        with gzip.open(path) as file:
            start = file.read(2**16)
    return start


def _encodings(start: bytes) -> list[str]:
    mark = BOMS.get(start[:2])
    if mark:
        return [mark]
    runs = re.findall(rb"[\x80-\xff]+", start)
    lonely = sum(len(run) == 1 for run in runs) > len(runs) / 2  # as in French
    return [x for x in ENCODINGS if not (lonely and x == "gb18030")]


def _fields(line: str, separator: str) -> list[str]:
    if len(separator) > 1:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True))


def _separator(lines: list[str], asked: list[str]) -> str:
    """The one under which the header has what is asked for, and rows are alike."""

    def fit(separator):
        counts = [len(_fields(line, separator)) for line in lines]
        names = {name.strip() for name in _fields(lines[0], separator)}
        alike = sum(count == counts[0] for count in counts) / len(counts)
        return len(names & set(asked)), alike if counts[0] > 1 else 0, counts[0]

    return max((*SEPARATORS, "::"), key=fit)


def _check_names(header: list[str], asked: list[str], file: str) -> None:
    for name in asked:
        if header.count(name) > 1:
            raise ValueError(f"{file} has two columns {name!r}; expected one")
    if absent := [name for name in asked if name not in header]:
        close = difflib.get_close_matches(str(absent[0]), map(str, header), 1, 0.5)
        hint = f"; is {absent[0]!r} perhaps {close[0]!r}?" if close else ""
        raise ValueError(f"{file} lacks {absent}; it has {header}{hint}")


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError:
        raise ImportError(
            f"{path.name} is read by pyarrow, which is not installed: "
            "pip install pyarrow"
        ) from None


def _as_text(rows: pd.DataFrame, text: list[str]) -> pd.DataFrame:
    """Columns of ids as text, and whole numbers without a point; what lacks, lacks."""
    rows = rows.copy(deep=False)
    for column in text:
        if pd.api.types.is_float_dtype(rows[column]):
            rows[column] = rows[column].astype("Int64")
        rows[column] = rows[column].astype("string").astype(object)
    return rows
