import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.data.coldstart import (
    content_tastes,
    film_content,
    hold_out,
    user_content,
)
from recsys_tutorial.data.movielens import load_movielens


@pytest.fixture(scope="module")
def movielens():
    return load_movielens()


# --- held out whole


@given(st.floats(0, 0.9), st.floats(0, 0.9), st.integers(0, 5))
def test_every_rating_is_in_one_table_and_the_new_ones_are_not_in_the_warm(u, f, seed):
    pairs = [(user, film) for user in range(1, 9) for film in range(1, 12)]
    ratings = pd.DataFrame(pairs, columns=["user", "item"])
    held = hold_out(ratings, u, f, seed)
    tables = held.warm, held.item_cold, held.user_cold, held.both_cold
    assert sum(map(len, tables)) == len(ratings)
    for table, new_user, new_film in zip(
        tables, (0, 0, 1, 1), (0, 1, 0, 1), strict=True
    ):
        assert (table["user"].isin(held.new_users) == new_user).all()
        assert (table["item"].isin(held.new_items) == new_film).all()
    assert len(held.new_users) == round(8 * u)
    assert len(held.new_items) == round(11 * f)


def test_a_fifth_of_users_and_films(movielens):
    held = hold_out(movielens.ratings)
    assert len(held.new_users) == 189
    assert len(held.new_items) == 336
    assert held.warm["time"].dtype == np.int64
    again, other = hold_out(movielens.ratings), hold_out(movielens.ratings, seed=1)
    assert held.new_users.tolist() == again.new_users.tolist()
    assert held.new_users.tolist() != other.new_users.tolist()


@pytest.mark.parametrize(
    ("ratings", "options", "message"),
    [
        ({"user": [1]}, {}, "ratings lacks \\['item'\\]"),
        ({"user": [], "item": []}, {}, "ratings has no rows"),
        ({"user": [1], "item": [1]}, {"users": 1.0}, "users is 1.0; expected a share"),
        (
            {"user": [1], "item": [1]},
            {"items": -0.1},
            "items is -0.1; expected a share",
        ),
    ],
)
def test_bad_hold_out(ratings, options, message):
    with pytest.raises(ValueError, match=message):
        hold_out(pd.DataFrame(ratings), **options)


# --- content


def test_films_by_genre_and_period(movielens):
    content, names = film_content(movielens.films)
    assert content.shape == (1683, len(names))
    assert (content[0] == 0).all()

    def of(film):
        return [names[c] for c in content[film].nonzero().flatten()]

    assert of(1) == ["Animation", "Children's", "Comedy", "1995"]  # Toy Story
    assert of(267) == ["unknown"]  # no year
    years = movielens.films["year"]
    assert content[:, names.index("before 1950")].sum() == (years < 1950).sum()
    assert content[:, names.index("1980s")].sum() == years.between(1980, 1989).sum()
    assert content[:, names.index("from 1997")].sum() == (years >= 1997).sum()


def test_users_by_age_gender_and_occupation(movielens):
    content, names = user_content(movielens.users)
    assert content.shape == (944, len(names))
    assert (content[0] == 0).all()
    assert (content[1:].sum(1) == 3).all()
    assert [names[c] for c in content[1].nonzero().flatten()] == [
        "from 18",  # 24 years old
        "M",
        "technician",
    ]
    age = movielens.users["age"]
    assert content[:, names.index("below 18")].sum() == (age < 18).sum()
    assert content[:, names.index("from 25")].sum() == age.between(25, 34).sum()
    assert content[:, names.index("from 56")].sum() == (age >= 56).sum()


def test_what_is_missing_invents_nothing():
    users = pd.DataFrame(
        {
            "user": [2, 1, 3],
            "age": pd.array([17, None, 60], dtype="Int64"),
            "gender": pd.Categorical(["F", "M", None]),
            "occupation": pd.Categorical([None, "artist", "artist"]),
        }
    )
    for table in (users, users.astype({"age": "float"})):
        content, names = user_content(table)
        told = [{names[c] for c in row.nonzero().flatten()} for row in content]
        expected = [{"M", "artist"}, {"below 18", "F"}, {"from 56", "artist"}]
        assert told == [set(), *expected]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": [0, 1]}, "user holds 0 in row 0; expected integers of at least 1"),
        ({"user": [1, 1]}, "users has user 1 a second time in row 1"),
        ({"age": [20, -3]}, "age is -3 in row 1; expected years from 0"),
        ({"gender": ["F", "M"]}, r"gender has dtype \w+; expected a category: users\["),
    ],
)
def test_bad_users(movielens, change, message):
    with pytest.raises(ValueError, match=message):
        user_content(movielens.users.head(2).assign(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": [1, -1]}, "item holds -1 in row 1; expected integers of at least 1"),
        ({"item": [1, np.nan]}, r"item is missing \(nan\) in row 1"),
        ({"item": [2, 2]}, "films has item 2 a second time in row 1"),
        ({"year": [1995, -2]}, "year holds -2; expected years from 0"),
        ({"genres": [("Drama",), None]}, "genres holds None in row 1; expected a list"),
        ({"genres": [("Drama",), ("Dram",)]}, r"genres holds \('Dram',\) in row 1"),
    ],
)
def test_bad_films(movielens, change, message):
    with pytest.raises(ValueError, match=message):
        film_content(movielens.films.head(2).assign(**change))


# --- the world


def test_content_explains_its_share_of_the_scores():
    for share in (0.0, 0.3, 1.0):
        worlds = [content_tastes(200, 200, share=share, seed=s) for s in range(20)]
        known = np.mean([float(w.from_content.var()) for w in worlds])
        total = np.mean([float(w.score.var()) for w in worlds])
        assert abs(known / total - share) < 0.06
        assert abs(total**0.5 - 1.5) < 0.1


def test_what_content_leaves_open_has_nothing_to_do_with_it():
    world = content_tastes(300, 2000, share=0.5)
    rest = world.score - world.from_content  # (U, I)
    with_constant = torch.cat([world.content, torch.ones(2000, 1)], 1)
    fitted = with_constant @ torch.linalg.lstsq(with_constant, rest.T).solution
    assert fitted.var() < 0.02 * rest.var()
    known = (
        with_constant @ torch.linalg.lstsq(with_constant, world.from_content.T).solution
    )
    assert torch.allclose(known.T, world.from_content, atol=1e-4)


def test_one_seed_one_world():
    a, b, c = (content_tastes(20, 10, seed=s) for s in (0, 0, 1))
    assert torch.equal(a.score, b.score)
    assert not torch.equal(a.score, c.score)
    assert torch.equal(a.users, content_tastes(20, 10, share=0.1).users)
    assert a.score.shape == a.from_content.shape == (20, 10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 1.2}, "share is 1.2"),
        ({"spread": 0.0}, "spread is 0.0"),
        ({"rank": 0}, "rank is 0"),
        ({"n_users": 2.5}, "n_users is 2.5"),
    ],
)
def test_bad_worlds(options, message):
    with pytest.raises(ValueError, match=message):
        content_tastes(**options)
