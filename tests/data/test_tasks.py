import pandas as pd
import pytest
import torch

from recsys_tutorial.data.tasks import shorten, user_tasks


def table(counts, first=1):
    """User u rates counts[u - 1] films, from `first` on; the rating names the pair."""
    rows = [
        (u, f, 10 * u + f)
        for u, n in enumerate(counts, 1)
        for f in range(first, first + n)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "rating"])


def real(tasks, name, row):
    ids = tasks[name][row]
    return ids[ids > 0].tolist()


def test_support_and_query_are_disjoint_and_together_the_user_s_ratings():
    tasks = user_tasks(table([9, 14]), support=20, query=4, repeats=5)
    assert len(tasks["user"]) == 10
    for row, user in enumerate(tasks["user"].tolist()):
        support, query = real(tasks, "support", row), real(tasks, "query", row)
        assert len(query) == 4
        assert sorted(support + query) == list(range(1, {1: 9, 2: 14}[user] + 1))


@pytest.mark.parametrize("name", ["support", "query"])
def test_each_rating_stays_with_its_user_and_film(name):
    tasks = user_tasks(table([9, 14]), support=6, query=4)
    pairs = (10 * tasks["user"][:, None] + tasks[name]).float()
    real = tasks[name] > 0
    assert torch.equal(tasks[f"{name}_rating"], pairs * real)


def test_who_has_few_ratings():
    tasks = user_tasks(table([1, 0, 4, 5]), support=3, query=4)
    assert tasks["user"].tolist() == [1, 3, 4]  # none without a rating
    assert [len(real(tasks, "query", n)) for n in range(3)] == [1, 4, 4]
    assert [len(real(tasks, "support", n)) for n in range(3)] == [0, 0, 1]
    assert (tasks["support_rating"] > 0).equal(tasks["support"] > 0)


def test_the_query_can_come_from_elsewhere():
    tasks = user_tasks(table([5, 5]), table([0, 3, 2], first=4), support=8, query=2)
    assert tasks["user"].tolist() == [2, 3]
    for row in range(2):
        query = real(tasks, "query", row)
        assert set(query) < {4, 5, 6}
        assert not set(query) & set(real(tasks, "support", row))
    assert real(tasks, "support", 1) == []  # nothing else is known of user 3


def test_seeds():
    first, again, other = (user_tasks(table([30] * 3), seed=s) for s in (0, 0, 1))
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["query"].equal(other["query"])


def test_splits_differ_between_repeats():
    query = user_tasks(table([30]), repeats=2)["query"]
    assert set(query[0].tolist()) != set(query[1].tolist())


@pytest.mark.parametrize("size", [2, torch.tensor([0, 3])])
def test_a_shorter_support_is_the_beginning_of_the_long_one(size):
    tasks = user_tasks(table([9, 14]), support=6, query=4)
    short = shorten(tasks, size)
    expected = torch.as_tensor(size).expand(2).tolist()
    for row, n in enumerate(expected):
        assert real(short, "support", row) == real(tasks, "support", row)[:n]
    assert (short["support_rating"] > 0).equal(short["support"] > 0)
    assert short["query"].equal(tasks["query"])


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        (table([3]).drop(columns="item"), r"ratings lacks \['item'\]"),
        (table([3], first=0), "item holds 0 in row 0"),
        (
            pd.concat([table([3])] * 2),
            "ratings has user 1, item 1 a second time in row 3",
        ),
        (table([]), "nobody has a rating"),
    ],
)
def test_bad_tables(ratings, message):
    with pytest.raises(ValueError, match=message):
        user_tasks(ratings)


@pytest.mark.parametrize("name", ["support", "query", "repeats"])
def test_sizes(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        user_tasks(table([3]), **{name: 0})
