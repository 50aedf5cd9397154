"""Each door that reads events refuses each kind of bad table, in one sentence."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data.coldstart import hold_out
from recsys_tutorial.data.events import check_events
from recsys_tutorial.data.leave_one_out import leave_one_out
from recsys_tutorial.data.lifelong import long_samples
from recsys_tutorial.data.sequences import histories, liking_samples, next_item_samples
from recsys_tutorial.data.sessions import session_samples, sittings
from recsys_tutorial.data.tasks import user_tasks
from recsys_tutorial.data.tensors import rating_chain, unseen_items

N_ITEMS = 30
TIMED = {
    "histories": lambda e: histories(e, 3),
    "next_item_samples": lambda e: next_item_samples(e, N_ITEMS, minimum=1),
    "liking_samples": lambda e: liking_samples(e, minimum=1),
    "sittings": sittings,
    "session_samples": session_samples,
    "long_samples": lambda e: long_samples(e, N_ITEMS, recent=1, minimum=2, length=3),
    "leave_one_out": lambda e: leave_one_out(e, N_ITEMS),
}
RATED = {
    "user_tasks": user_tasks,
    "rating_chain": lambda e: rating_chain(e, N_ITEMS),
}
DOORS = {**TIMED, **RATED, "hold_out": hold_out}


def events():
    """Three users with five events each, a minute apart."""
    return pd.DataFrame(
        {
            "user": np.repeat([1, 2, 3], 5),
            "item": np.arange(1, 16),
            "rating": [1, 2, 3, 4, 5] * 3,
            "time": 874_724_710 + 60 * np.arange(15),
        }
    )


def put(column, dtype, row, value):
    """The events with one bad cell, in a column of another dtype."""
    table = events()
    values = table[column].astype(dtype)
    values.iloc[row] = value
    return table.assign(**{column: values})


def same(a, b):
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, pd.DataFrame):
        return np.array_equal(a.to_numpy(np.int64), b.to_numpy(np.int64))
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


# --- ids of every integer type


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64", "Int64"]
)
def test_every_integer_type_gives_what_int64_gives(door, dtype):
    small = events().astype({"user": dtype, "item": dtype, "rating": dtype})
    small["time"] = small["time"].astype("uint64")
    assert same(DOORS[door](small), DOORS[door](events()))


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint32"])
def test_small_types_do_not_overflow(dtype):
    user = np.repeat(np.arange(60_001, 60_011), 3)
    item = np.arange(60_001, 60_031)
    who = np.repeat(user, 50)
    small = unseen_items(user.astype(dtype), item.astype(dtype), who.astype(dtype),
                         60_040, seed=0)  # fmt: skip
    assert small.tolist() == unseen_items(user, item, who, 60_040, seed=0).tolist()
    seen = set(zip(user.tolist(), item.tolist(), strict=True))
    assert seen.isdisjoint(zip(who.tolist(), small.tolist(), strict=True))


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("first", [10**9, 10**17, 2**62])
def test_huge_ids_of_users_are_only_names(door, first):
    huge = events().assign(user=events().user + first)
    result, expected = DOORS[door](huge), DOORS[door](events())
    if door == "rating_chain":
        result["features"] -= torch.tensor([first, 0])
        assert same(result, expected)
    elif isinstance(result, dict):
        assert (result["user"] - first).equal(expected["user"])
        names = set(result) - {"user"}
        assert same({k: result[k] for k in names}, {k: expected[k] for k in names})
    elif door == "hold_out":
        assert (result.new_users - first).tolist() == expected.new_users.tolist()
    else:
        assert same(result, expected)


def test_huge_ids_of_items_are_refused_where_they_are_counted():
    user, item = np.array([1, 2, 3]), np.array([1, 2, 2**62])
    with pytest.raises(ValueError, match=r"too many for 3 users; number .*factorize"):
        unseen_items(user, item, user, 2**62 + 1, seed=0)
    huge = events().assign(item=events().item + 10**10)
    with pytest.raises(ValueError, match=r"n_items is .*factorize\(items\)\[0\] \+ 1"):
        leave_one_out(huge, 10**10 + 20)


def test_a_user_without_an_event_may_be_drawn_for():
    drawn = unseen_items(np.array([5]), np.array([1]), np.array([9, 1] * 99), 3, seed=0)
    assert set(drawn.tolist()) == {1, 2}


# --- bad cells: one table for each, and whom it concerns

BAD = {
    "NaN": (put("item", "float64", 3, np.nan), "item is missing (nan) in row 3"),
    "<NA>": (put("item", "Int64", 3, pd.NA), "item is missing (<NA>) in row 3"),
    "user <NA>": (put("user", "Int64", 7, pd.NA), "user is missing (<NA>) in row 7"),
    "None": (put("user", object, 2, None), "user is missing (None) in row 2"),
    "user NaN": (put("user", "float64", 2, np.nan), "user is missing (nan) in row 2"),
    "item 0": (put("item", "int64", 4, 0), "item holds 0 in row 4; expected integers"),
    "users from 0": (events().assign(user=events().user - 1), "user holds 0 in row 0"),
    "user -7": (put("user", "int64", 0, -7), "user holds -7 in row 0"),
    "text": (events().astype({"user": str}), "user holds '1' in row 0"),
    "text as object": (put("item", object, 6, "B00X"), "item holds 'B00X' in row 6"),
    "categories": (events().astype({"item": "category"}), "(dtype category); expected"),
    "categories of text": (
        events().assign(item=pd.Categorical(list("abcdefghijklmno"))),
        "item holds 'a' in row 0 (dtype category)",
    ),
    "mixed": (put("user", object, 9, "x"), "user holds 'x' in row 9 (dtype object)"),
    "dates": (
        events().assign(item=pd.to_datetime(events().time, unit="s")),
        "item holds Timestamp('1997-09-20 03:05:10') in row 0",
    ),
    "floats": (events().astype({"item": float}), 'events["item"].astype("int64")'),
    "halves": (put("item", float, 2, 2.5), "(dtype float64); expected integers"),
    "truth": (events().assign(user=True), "user holds True in row 0 (dtype bool)"),
    "uint64": (
        put("user", "uint64", 14, 2**63),
        "user holds 9223372036854775808 in row 14",
    ),
    "no rows": (events().iloc[:0], "has no rows; expected at least one"),
    "film": (
        events().rename(columns={"item": "film"}),
        "lacks ['item']; it has ['user', 'film', 'rating', 'time']: "
        "events.rename(columns={'film': 'item'})",
    ),
    "two columns": (
        pd.concat([events(), events()[["item"]]], axis=1),
        "has two columns 'item'",
    ),
    "an array": (events().to_numpy(), "is a ndarray; expected a pandas DataFrame"),
    "a dict": ({"user": [1]}, "is a dict; expected a pandas DataFrame"),
}
TIMES = {
    "time <NA>": (put("time", "Int64", 5, pd.NA), "time is missing (<NA>) in row 5"),
    "time NaT": (
        put("time", "datetime64[s]", 5, pd.NaT),
        "time is missing (NaT) in row 5",
    ),
    "time float": (
        events().astype({"time": float}),
        "time holds 874724710.0 in row 0 (dtype float64); expected integers: "
        'events["time"].astype("int64")',
    ),
    "time dates": (
        events().assign(time=pd.to_datetime(events().time, unit="s")),
        'events["time"].astype("datetime64[s]").astype("int64") gives the seconds',
    ),
    "time with zone": (
        events().assign(time=pd.to_datetime(events().time, unit="s", utc=True)),
        'events["time"].astype("datetime64[s, UTC]").astype("int64") gives the seconds',
    ),
    "time text": (
        events().assign(time="2026-01-31"),
        "time holds '2026-01-31' in row 0",
    ),
    "time -5": (put("time", "int64", 0, -5), "time holds -5 in row 0"),
    "milliseconds": (
        events().assign(time=events().time * 1000),
        "time holds 874725550000 in row 14; expected seconds since 1970, and these "
        'look like milliseconds: events["time"] // 1000',
    ),
    "microseconds": (events().assign(time=events().time * 10**6), "// 1000000"),
    "nanoseconds": (events().assign(time=events().time * 10**9), "// 1000000000"),
}
ORDERS = {
    "users": (
        events().iloc[[5, 6, 0]],
        "not sorted by user and time, first at row 2: user 1",
    ),
    "times": (
        events().iloc[[0, 2, 1, *range(3, 15)]],
        "first at row 2: time 874724770 after 874724830; "
        'events.sort_values(["user", "time"], kind="stable") sorts them',
    ),
}
RATINGS = {
    "rating NaN": (put("rating", float, 1, np.nan), "rating is missing (nan) in row 1"),
    "rating <NA>": (
        put("rating", "Int64", 1, pd.NA),
        "rating is missing (<NA>) in row 1",
    ),
    "rating text": (
        events().astype({"rating": str}),
        "rating holds '1' in row 0 (dtype str); expected numbers",
    ),
    "rating inf": (put("rating", float, 1, np.inf), "rating is inf in row 1"),
    "rating category": (
        events().astype({"rating": "category"}),
        "(dtype category); expected numbers",
    ),
}
CASES = [
    (door, kind, table, message)
    for doors, cases in (
        (DOORS, BAD),
        ({**TIMED, "rating_chain": DOORS["rating_chain"]}, TIMES),
        (TIMED, ORDERS),
        ({**RATED, "liking_samples": DOORS["liking_samples"]}, RATINGS),
    )
    for door in doors
    for kind, (table, message) in cases.items()
    if (door, kind) != ("user_tasks", "no rows")  # says that nobody has a rating
]


@pytest.mark.parametrize(
    ("door", "table", "message"),
    [pytest.param(d, t, m, id=f"{d}, {k}") for d, k, t, m in CASES],
)
def test_one_sentence(door, table, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        DOORS[door](table)
    told = str(caught.value).replace("ratings has", "events has")
    for name in ("ratings[", "ratings.", "ratings "):
        told = told.replace(name, name.replace("ratings", "events"))
    if "(dtype str)" in message:
        told = told.replace("(dtype object)", "(dtype str)")  # before pandas 3
    assert message in told
    assert "\n" not in told


# --- what they tell to do, does it


def test_the_advice_works():
    table = events().assign(
        item=list("abcdefghijklmno"), time=pd.to_datetime(events().time, unit="s")
    )
    table["item"] = pd.factorize(table["item"])[0] + 1
    table["time"] = table["time"].astype("datetime64[s]").astype("int64")
    assert same(histories(table, 4), histories(events(), 4))
    zoned = pd.to_datetime(events().time, unit="s", utc=True)
    told = zoned.astype("datetime64[s, UTC]").astype("int64")
    assert told.tolist() == events().time.tolist()


def test_arrays_stand_in_the_order_that_was_asked_for():
    told = check_events(events(), "rating", numbers=("rating",))
    assert list(told) == ["user", "item", "time", "rating"]
    assert all(values.dtype == np.int64 for values in told.values())


@pytest.mark.parametrize(
    ("clicks", "dtype"),
    [([0, 1, 0], "int64"), ([False, True, False], "bool"), ([0.0, 1.0, 0.0], float)],
)
def test_clicks_are_labels_as_they_are(clicks, dtype):
    table = events().assign(click=pd.Series(clicks * 5).astype(dtype))
    data = liking_samples(table, liked=1, column="click", minimum=1)
    assert data["candidate"].tolist() == [3, 4, 5, 9, 10, 12, 13, 14, 15]
    assert data["label"].tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0]


def test_the_index_of_the_table_does_not_matter():
    table = events().set_index(pd.Index(range(100, 115)))
    for door in DOORS.values():
        assert same(door(table), door(events()))


def test_pairs_that_must_stand_once():
    twice = pd.concat([events(), events().iloc[[4]]])
    with pytest.raises(ValueError, match="has user 1, item 5 a second time in row 15"):
        check_events(twice, timed=False, unique=("user", "item"))
    check_events(events(), unique=("user", "item"))
