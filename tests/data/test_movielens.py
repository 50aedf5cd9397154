"""MovieLens-100K as documented, the same from both of its sources.

The zip of GroupLens is played by archives in its documented format: one with invented
rows, and one with the real rows, put together from the wheel.
"""

import hashlib
import shutil
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from recsys_tutorial.data import DataError, MovieLens, load_movielens, movielens
from recsys_tutorial.data.fetch import fetch, read_member
from recsys_tutorial.data.movielens import (
    GENRES,
    MEMBER,
    NAME,
    SOURCES,
    read_item_file,
    read_u_item,
)

DATA = b"2\t3\t4\t900\n1\t2\t5\t800\n2\t1\t1\t700\n1\t3\t3\t800\n1\t1\t2\t799\n"
USER = b"1|30|F|none|01234\n2|44|M|writer|V0R2M\n"
ITEM = (
    "1|Fjord, The (1990)|01-Jan-1990||http://x/?Fjord%20(1990)|{Drama}\n"
    "2|Été noir (Black (2) Summer) (1961) |01-Jan-1961||http://x|{Film-Noir,War}\n"
    "3|unknown||||{unknown}\n"
    "4|Ducks III: Home (1995) (V)|01-Jan-1995||http://x|{Animation,Children's}\n"
)


@pytest.fixture(scope="module")
def wheel():
    """The real wheel, from the user's own cache or through pip."""
    return fetch(NAME, SOURCES[1:])


@pytest.fixture(scope="module")
def tables(wheel):
    return load_movielens()


def flags(genres):
    return "|".join(str(int(g in genres)) for g in GENRES)


def with_flags(text):
    """Replace each ``{genre,genre}`` by the 19 flags of u.item."""
    lines = (line.partition("{") for line in text.splitlines())
    return "".join(f"{head}{flags(g[:-1].split(','))}\n" for head, _, g in lines)


def fake_archive(cache, monkeypatch, number, **members):
    """Put an archive into the cache and let it pass for the right one."""
    path = cache / SOURCES[number].file
    with zipfile.ZipFile(path, "w") as content:
        for name, data in members.items():
            content.writestr(name, data)
    sources = list(SOURCES)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    sources[number] = replace(sources[number], sha256=sha256)
    monkeypatch.setattr(movielens, "SOURCES", sources)
    return path


def grouplens(data, user, item):
    return {"ml-100k/u.data": data, "ml-100k/u.user": user, "ml-100k/u.item": item}


def same(left, right):
    for a, b in zip(left, right, strict=True):
        assert_frame_equal(a, b)


# --- the real tables


def test_ratings_are_as_documented(tables):
    ratings = tables.ratings
    columns = ["user", "item", "rating", "time"]
    assert ratings.dtypes.astype(str).to_dict() == dict.fromkeys(columns, "int64")
    assert ratings.index.equals(pd.RangeIndex(100_000))
    assert set(ratings["user"]) == set(range(1, 944))
    assert set(ratings["item"]) == set(range(1, 1683))
    assert set(ratings["rating"]) == {1, 2, 3, 4, 5}
    assert not ratings.duplicated(["user", "item"]).any()
    per_user, per_film = ratings["user"].value_counts(), ratings["item"].value_counts()
    assert (per_user.min(), per_user.max()) == (20, 737)
    assert (per_film.min(), per_film.max()) == (1, 583)
    times = pd.to_datetime(ratings["time"], unit="s")
    assert str(times.min()) == "1997-09-20 03:05:10"
    assert str(times.max()) == "1998-04-22 23:10:38"


def test_ratings_are_sorted_and_ties_keep_the_order_of_the_file(tables, wheel):
    lines = read_member(wheel, f"{MEMBER}inter").decode().splitlines()[1:]
    rows = [tuple(map(int, line.split("\t"))) for line in lines]
    rows.sort(key=lambda row: (row[0], row[3]))  # Python's sort is stable
    assert list(tables.ratings.itertuples(index=False, name=None)) == rows


def test_half_of_the_gaps_are_ties(tables):
    gaps = tables.ratings.groupby("user")["time"].diff().dropna()
    assert gaps.min() == 0
    assert round((gaps == 0).mean(), 2) == 0.51


def test_users_are_as_documented(tables):
    users = tables.users
    assert users["user"].tolist() == list(range(1, 944))
    assert list(users.columns) == ["user", "age", "gender", "occupation", "zip_code"]
    kinds = users.drop(columns="zip_code").dtypes.astype(str).tolist()
    assert kinds == ["int64", "int64", "category", "category"]
    assert not users.isna().any(axis=None)
    assert (users["age"].min(), users["age"].max()) == (7, 73)
    assert list(users["gender"].cat.categories) == ["F", "M"]
    occupations = list(users["occupation"].cat.categories)
    assert len(occupations) == 21
    assert {"none", "other"} < set(occupations)
    assert occupations == sorted(occupations)
    assert all(isinstance(code, str) and len(code) == 5 for code in users["zip_code"])
    assert (~users["zip_code"].str.isdigit()).sum() == 18
    assert users.loc[7, "zip_code"] == "05201"  # the zero in front is kept


def test_films_are_as_documented(tables):
    films = tables.films
    assert films["item"].tolist() == list(range(1, 1683))
    assert list(films.columns) == ["item", "title", "year", "genres"]
    assert films["item"].dtype == "int64"
    assert films["year"].dtype == "Int64"
    assert films.loc[films["year"].isna(), "item"].tolist() == [267]
    assert (films["year"].min(), films["year"].max()) == (1922, 1998)
    assert not films[["item", "title", "genres"]].isna().any(axis=None)
    assert all(title and title == title.strip() for title in films["title"])
    assert not films["title"].str.contains(r"\(\d{4}\)|\(V\)").any()
    for genres in films["genres"]:
        assert isinstance(genres, tuple)
        assert 1 <= len(genres) <= 6
        assert list(genres) == [g for g in GENRES if g in genres]
    assert {g for genres in films["genres"] for g in genres} == set(GENRES)


def test_odd_films(tables):
    films = tables.films.set_index("item")
    assert films.loc[1].tolist() == [
        "Toy Story",
        1995,
        ("Animation", "Children's", "Comedy"),
    ]
    assert films.loc[267, "title"] == "unknown"
    unknown = films["genres"].map(lambda genres: "unknown" in genres)
    assert films[unknown].index.tolist() == [267, 1373]
    third = films.loc[1412].tolist()
    assert third[:2] == ["Land Before Time III: The Time of the Great Giving", 1995]
    assert films.loc[11, "title"] == "Seven (Se7en)"
    assert films.loc[127, "title"] == "Godfather, The"
    assert films.loc[1633, "title"] == "Á köldum klaka (Cold Fever)"
    assert (~films["title"].map(str.isascii)).sum() == 9


def test_titles_that_are_listed_twice(tables):
    films, names = tables.films, ["title", "year"]
    twins = films[films.duplicated(names, keep=False)].groupby(names)["item"].agg(list)
    assert len(twins) == 18
    assert twins.map(len).eq(2).all()
    assert twins["Chasing Amy", 1997] == [246, 268]
    years = films.groupby("title")["year"].nunique()
    assert sorted(years[years > 1].index) == [
        "Cape Fear",
        "Sabrina",
        "Scarlet Letter, The",
        "Shall We Dance?",
        "That Darn Cat!",
    ]


# --- the two sources


def test_both_sources_give_the_same_tables(wheel, tables, cache, monkeypatch):
    shutil.copy(wheel, cache)
    same(load_movielens(), tables)
    (cache / wheel.name).unlink()

    body = {
        kind: read_member(wheel, MEMBER + kind).split(b"\n", 1)[1]
        for kind in ("inter", "user", "item")
    }
    item = ""
    for line in body["item"].decode().splitlines():
        film, title, year, genres = line.split("\t")
        if film == "267":
            item += f"267|unknown||||{flags(['unknown'])}\n"
        else:
            item += f"{film}|{title} ({year})|01-Jan-1990||http://x|"
            item += f"{flags(genres.split(' '))}\n"
    user = body["user"].replace(b"\t", b"|")
    members = grouplens(body["inter"], user, item.encode("latin-1"))
    fake_archive(cache, monkeypatch, 0, **members)
    same(load_movielens(), tables)


def test_the_zip_is_read_as_grouplens_describes_it(cache, monkeypatch):
    item = with_flags(ITEM).encode("latin-1")
    fake_archive(cache, monkeypatch, 0, **grouplens(DATA, USER, item))
    monkeypatch.setattr(movielens, "U_DATA", hashlib.sha256(DATA).hexdigest())
    monkeypatch.setattr(movielens, "U_USER", hashlib.sha256(USER).hexdigest())
    tables = load_movielens()
    assert isinstance(tables, MovieLens)
    assert tables.ratings.to_numpy().tolist() == [
        [1, 1, 2, 799],
        [1, 2, 5, 800],
        [1, 3, 3, 800],
        [2, 1, 1, 700],
        [2, 3, 4, 900],
    ]
    assert tables.users.to_numpy().tolist() == [
        [1, 30, "F", "none", "01234"],
        [2, 44, "M", "writer", "V0R2M"],
    ]
    films = tables.films
    assert films["item"].tolist() == [1, 2, 3, 4]
    expected = ["Fjord, The", "Été noir (Black (2) Summer)", "unknown"]
    assert films["title"].tolist() == [*expected, "Ducks III: Home"]
    assert films["year"].tolist() == [1990, 1961, pd.NA, 1995]
    assert films["genres"].tolist() == [
        ("Drama",),
        ("Film-Noir", "War"),
        ("unknown",),
        ("Animation", "Children's"),
    ]


def test_the_wheel_writes_the_same_films_in_other_words():
    content = (
        "1\tFjord, The\t1990\tDrama\n"
        "2\tÉté noir (Black (2) Summer)\t1961\tFilm-Noir War\n"
        "3\tunkonwn\tunkonwn\tunknown\n"
        "4\tDucks III: Home (1995)\tV\tAnimation Children's\n"
    )
    zipped = read_u_item(with_flags(ITEM).encode("latin-1"))
    assert_frame_equal(read_item_file(content.encode()), zipped)


@pytest.mark.parametrize("missing", ["u.data", "u.user", "u.item"])
def test_a_zip_without_a_table(cache, monkeypatch, missing):
    members = grouplens(DATA, USER, with_flags(ITEM).encode("latin-1"))
    del members[f"ml-100k/{missing}"]
    path = fake_archive(cache, monkeypatch, 0, **members)
    with pytest.raises(DataError) as caught:
        load_movielens()
    assert str(path) in str(caught.value)
    assert f"has no member 'ml-100k/{missing}'" in str(caught.value)


def test_a_wheel_without_the_tables(cache, monkeypatch):
    path = fake_archive(cache, monkeypatch, 1, **{"recbole/__init__.py": ""})
    with pytest.raises(DataError) as caught:
        load_movielens()
    assert str(path) in str(caught.value)
    assert f"has no member '{MEMBER}inter'" in str(caught.value)


@pytest.mark.parametrize(("table", "sha"), [("u.data", "06416e59"), ("u.user", "f120")])
def test_an_archive_with_other_rows(wheel, cache, monkeypatch, table, sha):
    real = read_member(wheel, f"{MEMBER}inter").split(b"\n", 1)[1]
    data = real if table == "u.user" else DATA
    item = with_flags(ITEM).encode("latin-1")
    path = fake_archive(cache, monkeypatch, 0, **grouplens(data, USER, item))
    with pytest.raises(DataError, match=f"has sha256 .*; expected {sha}") as caught:
        load_movielens()
    assert f"{table} of {path}" in str(caught.value)
