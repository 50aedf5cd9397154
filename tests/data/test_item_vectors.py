import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data.item_vectors import film_vectors, watched_together


def films():
    return pd.DataFrame(
        {
            "item": [1, 2, 4],
            "title": ["The Red Dog", "The Red Cat", "The Dog"],
            "year": pd.array([1990, 1960, None], dtype="Int64"),
            "genres": [("Drama",), ("Drama", "War"), ("War",)],
        }
    )


def test_genres_year_and_title_by_hand():
    rows = film_vectors(films(), titles=2)
    assert rows.shape == (5, 19 + 2 + 2)
    assert rows.dtype == torch.float32
    assert not rows[[0, 3]].any()  # padding, and an id without a film
    genres, year, text = rows.split([19, 2, 2], 1)
    assert genres[[1, 2, 4]].norm(dim=1).tolist() == pytest.approx([1, 1, 1])
    assert genres[1].max() == 1
    assert genres[2].max() == pytest.approx(0.5**0.5)
    assert year.tolist() == [[0, 0], [0.5, 0], [-1, 0.5], [0, 0], [0, 0]]
    assert text[[1, 2, 4]].norm(dim=1).max() <= 0.5 + 1e-6


def test_the_order_of_the_rows_does_not_matter():
    upside_down = films().iloc[::-1].reset_index(drop=True)
    one, two = film_vectors(films(), titles=1), film_vectors(upside_down, titles=1)
    torch.testing.assert_close(one, two)


def test_titles_that_share_too_few_words():
    with pytest.raises(ValueError, match="titles is 9, but only 3 words"):
        film_vectors(films(), titles=9)


SEQUENCES = [np.array(s) for s in ([1, 2], [2, 1], [4, 5], [5, 4], [5, 4, 1])]


def test_films_of_the_same_users_lie_together():
    rows = watched_together(SEQUENCES, 7, dim=2)
    assert rows.shape == (7, 2)
    assert not rows[[0, 3, 6]].any()
    norms = rows[[1, 2, 4, 5]].norm(dim=1)
    assert norms.tolist() == pytest.approx([1, 1, 1, 1])
    assert rows[4] @ rows[5] > 0.999
    assert rows[1] @ rows[2] > 0.7
    assert abs(rows[2] @ rows[4]) < 0.5


def test_cosines_are_those_of_the_scaled_table():
    users = [[1, 2], [2, 1, 3], [1, 3, 4, 5], [5, 4], [5, 4, 1, 2], [3, 5, 1]]
    found = watched_together(users, 7, dim=2)
    table = torch.zeros(7, 6)
    for user, items in enumerate(users):
        for item in items:
            count = sum(item in other for other in users)
            table[item, user] = (len(items) * count) ** -0.5
    left, values, _ = torch.linalg.svd(table)
    rows = left[:, :2] * values[:2]
    length = rows.norm(dim=1, keepdim=True)
    expected = torch.where(length > 1e-6, rows / length.clamp(min=1e-6), 0)
    torch.testing.assert_close(
        found @ found.T, expected @ expected.T, atol=1e-4, rtol=0
    )


def test_a_film_counts_once_for_a_user():
    twice = [np.append(s, s[0]) for s in SEQUENCES]
    one, two = (watched_together(s, 7, dim=2) for s in (SEQUENCES, twice))
    torch.testing.assert_close(one @ one.T, two @ two.T)


@pytest.mark.parametrize("items", [[], [0, 1], [1, 7]])
def test_items_out_of_range(items):
    with pytest.raises(ValueError, match="expected some, from 1 to 6"):
        watched_together([np.array(items, dtype=int)], 7)


def test_too_many_directions():
    with pytest.raises(ValueError, match="dim is 5; expected less than 5 users"):
        watched_together(SEQUENCES, 7, dim=5)
