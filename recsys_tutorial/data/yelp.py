"""Yelp-B: who reviewed which business, to the second."""

from pathlib import Path

import numpy as np
import pandas as pd

from recsys_tutorial.data.fetch import DataError, Source, fetch

NAME = "Yelp-B"
COMMIT = "302b2959f27bb16bb77acae5a471de82819bd1bd"
FOLDER = f"https://raw.githubusercontent.com/KingGugu/TiCoSeRec/{COMMIT}/data/Yelp-B"
ITEMS = Source(
    file="Yelp_item_org_rank.txt",
    sha256="eedc9e8abd1b5a8f225961d67d9ebad0fcb4f3f72b0998c406eb45a2f94714ab",
    url=f"{FOLDER}/Yelp_item_org_rank.txt",
)
TIMES = Source(
    file="Yelp_time_org_rank.txt",
    sha256="16acf27b5d87f60605a358f7e31a0bb0dc46378e81298e0e7a4680c92b15b869",
    url=f"{FOLDER}/Yelp_time_org_rank.txt",
)


def load_yelp() -> pd.DataFrame:
    """Return Yelp-B: 207,045 reviews of 14,541 businesses by 19,855 users, in 2019.

    The two files come from the cache, or from the repository of TiCoSeRec at a pinned
    commit. Yelp's terms of its dataset hold: for learning, not for passing on.

    Returns
    -------
    DataFrame
        Sorted by user, then time:

        =============  =====  ==========================================================
        Column         dtype  Meaning
        =============  =====  ==========================================================
        ``user``       int64  1 to 19855; each has 5 to 235 reviews
        ``item``       int64  1 to 14541, the business; some users review one twice
        ``time``       int64  seconds since 1970-01-01 UTC; no gap of a user is 0
        =============  =====  ==========================================================

    Raises
    ------
    DataError
        If the files are neither in the cache nor to be had; one sentence.
    """
    paths = [fetch(NAME, [source]) for source in (ITEMS, TIMES)]
    return read_pair(*paths)


def read_pair(items: Path, times: Path) -> pd.DataFrame:
    """Read two files in step, one user a line: ``user value value ...``."""
    rows = [_rows(path) for path in (items, times)]
    for line, (a, b) in enumerate(zip(*rows, strict=False), start=1):
        if a[0] != b[0] or len(a) != len(b):
            raise DataError(f"{items} and {times} are not in step in line {line}")
    if len(rows[0]) != len(rows[1]):
        raise DataError(f"{items} and {times} have not as many lines as each other")
    user = np.repeat([r[0] for r in rows[0]], [len(r) - 1 for r in rows[0]])
    columns = (np.concatenate([r[1:] for r in part]) for part in rows)
    table = dict(zip(("user", "item", "time"), (user, *columns), strict=True))
    return pd.DataFrame(table).sort_values(
        ["user", "time"], kind="stable", ignore_index=True
    )


def _rows(path: Path) -> list[np.ndarray]:
    lines = path.read_text(encoding="ascii").splitlines()
    return [np.array(line.split(), dtype=np.int64) for line in lines if line]
