"""What is odd in a log is counted, what cannot be used goes, and labels are read."""

import numpy as np
import pandas as pd
import pytest

from recsys_tutorial.data.cleaning import (
    clean,
    look,
    read_labels,
    seconds_of,
    time_form,
)

NEW_YEAR = 1_767_225_600  # 2026-01-01 00:00:00 UTC


@pytest.mark.parametrize(
    "values",
    [
        ["2026-01-01T00:00:00Z", "2026-01-02 00:00:00"],
        ["2026-01-01 08:00:00+08:00", "2026-01-02"],
        ["2026-01-01 00:00:00 UTC", "2026-01-02 00:00:00 UTC"],
        ["2026/01/01", "2026/01/02"],
        ["2026年01月01日", "2026年01月02日"],
        ["01.01.2026 00:00", "02.01.2026 00:00"],
        [str(NEW_YEAR), str(NEW_YEAR + 86_400)],
        [NEW_YEAR * 1000, (NEW_YEAR + 86_400) * 1000 + 999],
        [float(NEW_YEAR), NEW_YEAR + 86_400.5],
        [20260101, 20260102],
        list(pd.to_datetime(["2026-01-01", "2026-01-02"])),
    ],
)
def test_times_of_any_kind_are_seconds(values):
    found = seconds_of(pd.Series(values, name="t"))
    assert found.tolist() == [NEW_YEAR, NEW_YEAR + 86_400]


def test_days_and_months_are_told_apart_by_a_day_above_twelve():
    first = ["1/2/2026 0:00", "1/31/2026 0:00"]
    assert time_form(pd.Series(first)) == "%m/%d/%Y %H:%M"
    assert time_form(pd.Series(["2/1/2026", "31/1/2026"])) == "%d/%m/%Y"
    assert seconds_of(pd.Series(first)).iloc[0] == NEW_YEAR + 86_400
    both = pd.Series(["1/2/2026", "3/4/2026"], name="t")
    with pytest.raises(ValueError, match="t holds '1/2/2026', which is no time"):
        seconds_of(both)
    assert seconds_of(both, "%d/%m/%Y").iloc[0] == NEW_YEAR + 31 * 86_400


def test_a_few_times_that_nobody_can_read_are_missing():
    found = seconds_of(pd.Series(["2026-01-01", "soon", None, "2026-01-02"]))
    assert found.isna().tolist() == [False, True, True, False]
    found = seconds_of(pd.Series([NEW_YEAR, None, NEW_YEAR + 1]))
    assert found.isna().tolist() == [False, True, False]


def test_an_order_is_a_time():
    assert seconds_of(pd.Series([0, 1, 5])).tolist() == [1, 2, 6]


def test_a_single_request_is_read_as_the_log_was():
    log = pd.Series(["1/2/2026", "1/31/2026"])
    one = seconds_of(log.head(1), time_form(log))
    assert one.tolist() == seconds_of(log).tolist()[:1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, None], "t is missing in all rows"),
        (["soon", "later"], "t holds 'soon', which is no time"),
        ([NEW_YEAR, NEW_YEAR * 1000], "seconds and something smaller"),
    ],
)
def test_a_bad_time_has_its_sentence(values, message):
    with pytest.raises(ValueError, match=message):
        seconds_of(pd.Series(values, name="t"))


@pytest.fixture
def log():
    return pd.DataFrame(
        {
            "u": ["a", "a", "a", "b", None, "c"],
            "i": ["x", "x", "y", "x", "x", "y"],
            "t": [10, 10, 20, 86_400, 40, 50],
            "click": [1, 1, 0, 1, 0, 0],
            "buy": [1, 1, 0, 0, 0, 1],
        }
    )


def test_what_is_odd_is_counted(log):
    labels = read_labels(log, ["click", "buy"])
    found = look(log, "u", "i", seconds_of(log["t"]), labels)
    assert found["rows that stand there twice"] == 1
    assert found["rows without u"] == 1
    assert found["u with one row"] == "66.7%"
    assert found["rows of the busiest u"] == 3
    assert found["rows of the top 1 % of i"] == "66.7%"  # of two items, one
    assert found["rows with a u and i seen before"] == "16.7%"
    assert found["rows whose time is a whole day"] == "16.7%"
    assert found["share of click"] == "50.0%"


def test_a_table_without_ids_is_looked_at_too(log):
    found = look(log[["click"]])
    assert list(found.index)[:2] == ["rows", "columns"]


def test_every_row_that_goes_has_a_step(log):
    rows, steps = clean(log, ["u", "t"], nested=("click", "buy"))
    assert steps["rows left out"].tolist() == [1, 0, 1, 1]
    assert steps["rows kept"].tolist() == [5, 5, 4, 3]
    assert rows.index.tolist() == [0, 2, 3]  # the rows of the log
    assert len(clean(log, twice=False).rows) == len(log) == 6


def test_no_row_left_is_told(log):
    with pytest.raises(ValueError, match="no row is left after the step 'no u'"):
        clean(log.assign(u=None), ["u"])


def test_labels_in_all_their_ways():
    rows = pd.DataFrame(
        {
            "count": [0, 3, 1],
            "word": ["Yes", "no", "否"],
            "income": [" >50K", "<=50K", "<=50K"],
            "stars": [5, 2, 4],
        }
    )
    found = read_labels(rows, ["count", "word"])
    assert found.to_numpy(int).tolist() == [[0, 1], [1, 0], [1, 0]]
    found = read_labels(rows, {"income": ">50K", "stars": lambda s: s >= 4})
    assert found.to_numpy(int).tolist() == [[1, 1], [0, 0], [0, 1]]


def test_what_was_not_clicked_was_not_bought():
    rows = pd.DataFrame({"click": [0, 1, 1, None], "buy": [None, None, 1, None]})
    found = read_labels(rows, ["click", "buy"])
    assert found["buy"].isna().tolist() == [False, True, False, True]
    assert found["buy"].iloc[0] == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["buys"], r"lacks \['buys'\]"),
        (["done"], r"say which is 1, \{'done': 'paid'\}"),
        ({"done": "never"}, "done never holds 'never'"),
        (["all"], "all is 1.0 in all rows"),
    ],
)
def test_a_bad_label_has_its_sentence(labels, message):
    rows = pd.DataFrame({"done": ["paid", "open"], "all": [1, 1]})
    with pytest.raises(ValueError, match=message):
        read_labels(rows, labels)


def test_a_million_times_are_tried_on_a_part():
    values = pd.Series(np.repeat(["31/01/2026", "01/02/2026"], 20_000))
    assert time_form(values) == "%d/%m/%Y"
