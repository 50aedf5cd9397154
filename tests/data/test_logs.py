import builtins

import numpy as np
import pandas as pd
import pytest

from recsys_tutorial.data import load_movielens
from recsys_tutorial.data.logs import read_events, to_seconds
from recsys_tutorial.data.sequences import next_item_samples
from recsys_tutorial.data.vocabulary import Vocabulary

SHOP = pd.DataFrame(
    {
        "customer": ["zoe", "ann", "zoe", "ann"],
        "product": ["tea", "tea", "pot", "cup"],
        "bought_at": ["2026-01-31T12:00:05", "2026-01-31T12:00:00", "2026-01-30",
                      "2026-02-01"],
        "price": [3.5, 3.0, 20.0, 7.0],
    }
)  # fmt: skip
NAMES = {"user": "customer", "item": "product", "time": "bought_at"}
NOON = 1_769_860_800  # 2026-01-31T12:00:00 UTC


def test_a_shop_by_hand():
    events, users, items, unknown = read_events(SHOP, **NAMES)
    assert events.columns.tolist() == ["user", "item", "time", "price"]
    assert users.values == ["ann", "zoe"]
    assert items.values == ["cup", "pot", "tea"]
    assert events.user.tolist() == [1, 1, 2, 2]
    assert items.decode(events.item) == ["tea", "cup", "pot", "tea"]
    day = 86_400
    expected = [NOON, NOON + day // 2, NOON - day - day // 2, NOON + 5]
    assert events.time.tolist() == expected
    assert events.price.tolist() == [3.0, 7.0, 20.0, 3.5]
    assert unknown == 0
    assert (events.dtypes.iloc[:3] == np.int64).all()


def test_the_given_table_stays_as_it_is():
    before = SHOP.copy()
    read_events(SHOP, **NAMES)
    pd.testing.assert_frame_equal(SHOP, before)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_files_say_what_the_table_says(tmp_path, ending):
    path = tmp_path / f"日志{ending}"
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
        SHOP.to_parquet(path)
    else:
        SHOP.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
    for source in (path, str(path)):
        log = read_events(source, **NAMES)
        expected = read_events(SHOP, **NAMES)
        pd.testing.assert_frame_equal(log.events, expected.events)
        assert log.items.values == expected.items.values


def test_ids_with_zeros_in_front_stay_apart(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n007,1,5\n7,10,6\nNA,2,7\n")
    log = read_events(path)
    assert log.users.values == ["007", "7", "NA"]  # text, and NA is a name
    assert log.items.values == [1, 2, 10]  # numbers


def test_an_extra_field_shifts_no_column(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\nann,tea,5,9\nbob,pot,6,9\n")
    with pytest.raises(
        ValueError, match="log.csv is no table .a row has more fields th"
    ):
        read_events(path)
    path.write_text("user,item,time\nann,tea,5,\nbob,pot,6,\n")  # an empty one is none
    log = read_events(path)
    assert log.users.values == ["ann", "bob"]
    assert log.events["time"].tolist() == [5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,item,time\n张三,茶,5\n".encode("gb18030"), "is not in UTF-8 .*gb18030"),
        ("user,item,time\na,b,5\n".encode("utf-16"), r"is not in UTF-8 .*dtype=\{'us"),
        (b"user,item,time\na,b,5\na,b,5,6\n", "no table .Expected 3 fields in line 3"),
        (b'user,item,time\na,"b,5\n', "no table .EOF inside string"),
        (b"", "log.csv is empty; expected a header and rows"),
        (b"user,item,time,user\na,b,5,c\n", "two columns 'user'; expected one"),
        (b"user,item,time,x,x\na,b,5,1,2\n", "two columns 'x'; expected one"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, message):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_events(path)
    assert "\n" not in str(caught.value)


def test_in_a_file_ids_are_what_the_vocabulary_holds(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("user,item,time\n7,10,5\n8,11,6\n07,10,7\n")
    text, numbers = Vocabulary(["7", "007"]), Vocabulary([11, 10])
    log = read_events(path, users=text, items=numbers)
    assert log.events.to_numpy().tolist() == [[1, 2, 5]]
    assert log.unknown == 2
    assert log.users is text
    assert log.items is numbers
    path.write_text("user,item,time\n7,x,5\n7,11,6\n")
    log = read_events(path, users=text, items=numbers)
    assert log.events.to_numpy().tolist() == [[1, 1, 6]]


def test_movielens_stays_as_it_is():
    ratings = load_movielens().ratings
    shuffled = ratings.sample(frac=1, random_state=0)
    log = read_events(shuffled)
    assert log.items.values == list(range(1, 1683))
    columns = ["user", "time", "item"]
    expected = ratings.sort_values(columns, ignore_index=True)
    found = log.events.sort_values(columns, ignore_index=True)
    pd.testing.assert_frame_equal(found[ratings.columns], expected)
    assert len(next_item_samples(log.events, len(log.items))["label"]) > 100_000


def test_new_events_keep_the_old_ids_and_leave_the_unknown_out():
    old = read_events(SHOP, **NAMES)
    new = pd.DataFrame(
        {"customer": ["zoe", "bob", "zoe"], "product": ["cup", "tea", "fan"],
         "bought_at": ["2026-03-01"] * 3}
    )  # fmt: skip
    log = read_events(new, **NAMES, users=old.users, items=old.items)
    assert log.events[["user", "item"]].to_numpy().tolist() == [[2, 1]]
    assert log.unknown == 2
    assert log.items is old.items
    with pytest.raises(ValueError, match="the vocabularies know no row of the log"):
        read_events(new.iloc[1:], **NAMES, users=old.users, items=old.items)


# --- times


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([NOON], None),
        ([NOON + 0.7], None),
        ([NOON * 1000 + 999], None),
        ([NOON * 1000 + 999], "ms"),
        ([NOON * 10**6], None),
        ([NOON * 10**9], None),
        ([NOON * 10**9], "ns"),
        (pd.to_datetime(["2026-01-31 12:00:00.9"]), None),
        (pd.to_datetime(["2026-01-31 12:00"]).as_unit("s"), None),
        (pd.to_datetime(["2026-01-31 20:00+08:00"]), None),
        (["2026-01-31T12:00:00Z"], None),
        (["2026-01-31 20:00:00+08:00"], None),
        (["2026-01-31T12:00:00.999"], None),
    ],
)
def test_the_same_second(values, unit):
    assert to_seconds(pd.Series(values), "time", unit).tolist() == [NOON]


def test_a_unit_that_was_asked_for_is_obeyed():
    assert to_seconds(pd.Series([20260131]), "time", "s").tolist() == [20260131]
    assert to_seconds(pd.Series([20260131, 20260132]), "time").tolist() == [
        20260131,
        20260132,
    ]  # not all are dates
    assert to_seconds(pd.Series([5000]), "time", "ms").tolist() == [5]


@pytest.mark.parametrize(
    ("values", "unit", "message"),
    [
        ([NOON, NOON * 1000], None, "seconds and something smaller; expected one unit"),
        ([NOON * 1000, NOON * 10**6], None, "of several units"),
        (["31/01/2026"], None, "'31/01/2026' in row 0; expected dates such as 2026-01"),
        (["2026-01-31", "soon"], None, "'soon' in row 1"),
        (["2026-01-31", None], None, r"missing \(.*\) in row 1"),
        ([1.0, np.nan], None, r"missing \(nan\) in row 1"),
        ([1.0, np.inf], None, "1.0 to inf; expected finite"),
        ([True], None, "dtype bool; expected times"),
        ([5], "min", "unit is 'min'; expected one of"),
        ([20260131, 20260201], None, '20260131 in row 0, which .* format="%Y%m%d"'),
        ([20260131.0], None, "looks like a date and not like a count"),
        ([2026013123], None, 'format="%Y%m%d%H"'),
        ([202601312359], None, 'format="%Y%m%d%H%M"'),
        ([20260131235959], None, 'format="%Y%m%d%H%M%S"'),
    ],
)
def test_times_that_cannot_be_told(values, unit, message):
    with pytest.raises(ValueError, match=message):
        to_seconds(pd.Series(values), "time", unit)


# --- refused


@pytest.mark.parametrize(
    ("table", "names", "message"),
    [
        (SHOP, {}, r"lacks \['user', 'item', 'time'\]; it has \['customer'"),
        (SHOP, NAMES | {"user": "product"}, "expected three names"),
        (SHOP.iloc[:0], NAMES, "the log has no rows"),
        (SHOP.assign(item=1), NAMES, r"other columns named \['item'\]"),
        (SHOP.iloc[:, [0, 1, 2, 0]], NAMES, "the log has two columns 'customer'"),
        (SHOP.iloc[:, [0, 1, 2, 3, 3]], NAMES, "the log has two columns 'price'"),
        (
            SHOP.assign(product=[1, 2, 3, "x"]),
            NAMES,
            "'product': values holds 1 in row",
        ),
        (SHOP.assign(customer=[*"abc", None]), NAMES, "'customer': .*missing .* row 3"),
        (SHOP.assign(bought_at=[-1, 1, 2, 3]), NAMES, "time holds -1 in row"),
        ({"user": [1]}, {}, "source is a dict; expected a path"),
        (
            "log.xlsx",
            {},
            r"source is log.xlsx; expected a name that ends in one of .csv",
        ),
    ],
)
def test_refused(table, names, message):
    with pytest.raises(ValueError, match=message):
        read_events(table, **names)


def test_parquet_without_its_reader(tmp_path, monkeypatch):
    true_import = builtins.__import__

    def without(name, *rest):
        if name == "pyarrow":
            raise ImportError(name)
        return true_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="read by pyarrow, .* pip install pyarrow"):
        read_events(tmp_path / "log.parquet")


def test_a_vocabulary_of_another_kind():
    with pytest.raises(ValueError, match="'customer': values holds text"):
        read_events(SHOP, **NAMES, users=Vocabulary([1, 2]))
