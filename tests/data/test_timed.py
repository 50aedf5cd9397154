import pandas as pd
import pytest
import torch

from recsys_tutorial.data.leave_one_out import leave_one_out
from recsys_tutorial.data.timed import with_times


def events(*rows):
    table = [
        (user, item, 100 * user + step**2)
        for user, items in enumerate(rows, start=1)
        for step, item in enumerate(items)
    ]
    return pd.DataFrame(table, columns=["user", "item", "time"])


TWO = events([1, 2, 3, 4, 5, 6], [7, 8, 7, 9])


def cut(length=3, **options):
    return with_times(TWO, leave_one_out(TWO, 10, length=length), **options)


def test_by_hand():
    split = cut()
    assert split.train["history"].tolist() == [[1, 2, 3], [0, 0, 7]]
    assert split.train["time"].tolist() == [[100, 101, 104], [0, 0, 200]]
    assert split.validation["time"].tolist() == [[101, 104, 109], [0, 200, 201]]
    assert split.test["time"].tolist() == [[104, 109, 116], [200, 201, 204]]


def test_a_step_is_asked_at_its_own_time():
    for part in cut()[1:]:
        assert (part["asked"] == part["time"]).all()


def test_or_at_the_time_of_the_next_event():
    split = cut(request=True)
    assert split.train["asked"].tolist() == [[101, 104, 109], [0, 0, 201]]
    assert split.validation["asked"].tolist() == [[104, 109, 116], [0, 201, 204]]
    assert split.test["asked"].tolist() == [[109, 116, 125], [201, 204, 209]]


def test_without_a_request_no_time_after_the_last_step_is_told():
    later = TWO.copy()
    last = ~TWO.duplicated("user", keep="last")
    later.loc[last, "time"] += 50
    one, two = (with_times(e, leave_one_out(e, 10, length=3)) for e in (TWO, later))
    for name in ("time", "asked"):
        assert (one.test[name] == two.test[name]).all()
    one, two = (
        with_times(e, leave_one_out(e, 10, length=3), request=True)
        for e in (TWO, later)
    )
    assert (one.test["asked"] != two.test["asked"]).any()
    assert (one.validation["asked"] == two.validation["asked"]).all()


@pytest.mark.parametrize("length", [1, 2, 3, 9])
@pytest.mark.parametrize("request_", [False, True])
def test_every_step_has_the_time_of_its_item(length, request_):
    when = dict(zip(zip(TWO.user, TWO["time"], strict=True), TWO["item"], strict=True))
    for part in cut(length, request=request_)[1:]:
        for user, (items, times) in enumerate(
            zip(part["history"].tolist(), part["time"].tolist(), strict=True), start=1
        ):
            for item, time in zip(items, times, strict=True):
                assert item == (when[user, time] if item else time)


def test_the_given_split_and_table_stay_as_they_were():
    split, table = leave_one_out(TWO, 10, length=3), TWO.copy()
    found = with_times(TWO, split)
    assert "time" not in split.train
    assert table.equals(TWO)
    assert found.sequences is split.sequences
    assert found.test["time"].dtype == torch.int64


def test_another_table_is_refused():
    split = leave_one_out(TWO, 10, length=3)
    for other in (TWO[TWO.user == 1], events([1, 2, 3, 4, 5, 7], [7, 8, 7, 9])):
        with pytest.raises(ValueError, match="split is not a split of these events"):
            with_times(other, split)
