import math

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data.leave_one_out import item_ranks, leave_one_out


def events(*rows):
    table = [
        (user, item, 100 * user + step)
        for user, items in enumerate(rows, start=1)
        for step, item in enumerate(items)
    ]
    return pd.DataFrame(table, columns=["user", "item", "time"])


TWO = events([1, 2, 3, 4, 5, 6], [7, 8, 7, 9])


def test_by_hand():
    split = leave_one_out(TWO, 10, length=3)
    assert [i.tolist() for i, _ in split.sequences] == [[1, 2, 3, 4], [7, 8]]
    assert split.sequences[1][1].tolist() == [200, 201]
    assert split.train["history"].tolist() == [[1, 2, 3], [0, 0, 7]]
    assert split.train["target"].tolist() == [[2, 3, 4], [0, 0, 8]]
    assert split.validation["history"].tolist() == [[2, 3, 4], [0, 7, 8]]
    assert split.validation["target"].tolist() == [5, 7]
    assert split.test["history"].tolist() == [[3, 4, 5], [7, 8, 7]]
    assert split.test["target"].tolist() == [6, 9]


def test_seen_is_the_whole_past_but_never_the_target():
    split = leave_one_out(TWO, 10, length=3)
    seen = [row.nonzero().flatten().tolist() for row in split.test["seen"]]
    assert seen == [[1, 2, 3, 4, 5], [7, 8]]
    seen = [row.nonzero().flatten().tolist() for row in split.validation["seen"]]
    assert seen == [[1, 2, 3, 4], [8]]  # 7 was seen, and is the target


def test_a_short_length_drops_what_is_old():
    split = leave_one_out(TWO, 10, length=2)
    assert split.sequences[0][0].tolist() == [2, 3, 4]
    assert split.train["history"][0].tolist() == [2, 3]


def test_the_held_out_items_are_nowhere_in_the_training():
    rows = [list(range(10 * u + 1, 10 * u + 9)) for u in range(5)]
    split = leave_one_out(events(*rows), 60, length=20)
    trained = set(split.train["history"].flatten().tolist())
    trained |= set(split.train["target"].flatten().tolist())
    held_out = torch.cat([split.validation["target"], split.test["target"]])
    assert trained.isdisjoint(held_out.tolist())


def test_ranks_leave_out_what_was_seen():
    data = leave_one_out(TWO, 10, length=3).test

    def model(batch):  # the smaller the id, the better
        scores = -torch.arange(10.0).expand(len(batch["target"]), 10).clone()
        scores[:, 0] = -math.inf
        return scores

    assert item_ranks(model, data).tolist() == [1, 7]  # 6 first; 9 behind 1 to 6
    assert item_ranks(model, data, rows=1).tolist() == [1, 7]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.rename(columns={"item": "film"}), r"lacks \['item'\]"),
        (lambda e: e.iloc[::-1], "not sorted"),
        (lambda e: e.iloc[:0], "events has no rows"),
        (lambda e: e.assign(time=999 - e.time), "not sorted"),
        (lambda e: e.assign(item=e.item - 1), "item holds 0 in row 0"),
        (
            lambda e: e.assign(item=e.item + 1),
            "item holds id 10 in row 9; expected ids of 1 to 9",
        ),
        (lambda e: e.iloc[:-1], "user 2 has 3 events; expected four or more"),
    ],
)
def test_bad_events(change, message):
    with pytest.raises(ValueError, match=message):
        leave_one_out(change(TWO), 10)


def test_bad_length():
    with pytest.raises(ValueError, match="length is 0"):
        leave_one_out(TWO, 10, length=0)


def test_the_times_stand_in_step_with_the_items():
    for items, times in leave_one_out(TWO, 10).sequences:
        assert len(items) == len(times)
        assert (np.diff(times) >= 0).all()
