"""The messy example has every fault that it promises, and its labels are a chain."""

import pandas as pd
import pytest

from recsys_tutorial.data.messy import write_messy_log
from recsys_tutorial.data.movielens import MovieLens
from recsys_tutorial.data.tables import read_table


@pytest.fixture
def rows(tmp_path):
    n = 400
    ratings = pd.DataFrame(
        {
            "user": [k // 20 + 1 for k in range(n)],
            "item": [k % 20 + 1 for k in range(n)],
            "rating": [k % 5 + 1 for k in range(n)],
            "time": range(10**9, 10**9 + n),
        }
    )
    users = pd.DataFrame({"user": range(1, 21), "age": 30, "gender": "F"})
    films = pd.DataFrame({"item": range(1, 61), "year": 1990})
    films["title"] = [f"Film {k}" for k in films["item"]]
    films["genres"] = [("Drama",)] * 60
    movielens = MovieLens(ratings, users.assign(occupation="other"), films)
    path = tmp_path / "messy.csv"
    write_messy_log(path, movielens)
    again = tmp_path / "again.csv"
    write_messy_log(again, movielens)
    assert path.read_bytes() == again.read_bytes()
    return read_table(path, ["viewer", "film", "shown_at"]).rows


def test_the_faults_are_there(rows):
    assert rows.duplicated().any()
    for column in ("viewer", "shown_at", "age", "year"):
        assert rows[column].isna().any(), column
    guests = rows["viewer"].dropna().str.startswith("guest")
    assert guests.any()


def test_the_labels_are_a_chain_and_what_was_drawn_was_not_watched(rows):
    assert (rows["liked"] <= rows["watched"]).all()
    own = [f"Film {k}" for k in range(1, 21)]
    shown = rows["film"].str.replace(r" \(\d+\)", "", regex=True)
    assert (shown.isin(own) == (rows["watched"] == 1)).all()
