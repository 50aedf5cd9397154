"""From a log to what is trained and judged: nothing of the future, and no more."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.budget import quick_run
from recsys_tutorial.roads import label_rows, next_items


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("RECSYS_TUTORIAL_QUICK", "0")
    quick_run()


@pytest.fixture
def log():
    draw = np.random.default_rng(0)
    n = 3000
    return pd.DataFrame(
        {
            "who": [f"u{k}" for k in draw.integers(0, 200, n)],
            "what": [f"i{k}" for k in draw.integers(0, 80, n)],
            "when": np.sort(draw.integers(1, 10**6, n)),
        }
    )


@pytest.fixture
def rows():
    draw = np.random.default_rng(0)
    n = 2000
    kind = draw.integers(0, 8, n)
    click = (draw.random(n) < 0.1 + kind / 16).astype(int)
    return pd.DataFrame(
        {
            "who": draw.integers(0, 100, n).astype(str),
            "kind": kind,
            "when": np.sort(draw.integers(1, 10**6, n)) + 10**9,
            "click": click,
            "buy": click * (draw.random(n) < 0.5),
        }
    )


def test_training_ends_before_what_is_asked(log):
    road = next_items(log, "who", "what", "when")
    cuts = log["when"].quantile([0.7, 0.8], "lower").tolist()
    assert road.past["time"].max() < cuts[0]
    assert len(road.past) == (log["when"] < cuts[0]).sum()
    assert (road.later_pairs["time"] >= cuts[0]).all()
    assert (road.later_pairs["time"] < cuts[1]).all()
    assert (road.pairs["time"] < cuts[0]).all()
    assert set(road.items.values) == set(log["what"][log["when"] < cuts[0]])
    assert road.returns
    assert road.told["events to train on"] == len(road.past)


def test_an_item_of_the_test_time_alone_has_no_id(log):
    late = log.index[-300:]
    road = next_items(log.assign(what=log["what"].mask(log.index.isin(late), "new")),
                      "who", "what", "when")  # fmt: skip
    assert "new" not in road.items.values
    share = road.told["test events whose item no model knows"]
    assert 49 < float(share.strip("%")) < 51


def test_pairs_come_as_a_positive_and_its_negative(log):
    road = next_items(log, "who", "what", "when")
    for data in (road.pairs, road.later_pairs):
        assert data["label"].tolist() == [1, 0] * (len(data["label"]) // 2)
        assert torch.equal(data["history"][::2], data["history"][1::2])


def test_users_who_have_everything_leave_nothing_to_draw(log):
    few = log.assign(what=(log.index % 3).astype(str))  # three items
    road = next_items(few, "who", "what", "when")
    assert road.pairs is None
    assert "DIN" not in road.epochs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda log: log.head(50), "50 events; expected at least 100"),
        (lambda log: log.assign(when=7), "too few different times"),
        (lambda log: log.assign(who="one"), "requests of 1 users"),
        (lambda log: log.assign(who=log.index.astype(str)), "history"),
    ],
)
def test_a_log_that_cannot_go_this_way_is_told_why(log, change, message):
    with pytest.raises(ValueError, match=message):
        next_items(change(log), "who", "what", "when")


def test_rows_are_cut_in_time_and_encoded_by_the_training_rows(rows):
    road = label_rows(rows, ["click", "buy"], user="who", time="when")
    assert [len(p["labels"]) for p in (road.train, road.validation, road.test)] == [
        1400,
        200,
        400,
    ]
    assert torch.equal(
        road.test["labels"],
        torch.tensor(rows[["click", "buy"]].tail(400).to_numpy(np.float32)),
    )
    assert len(road.users) == 400
    assert road.told["click"] == "a label"
    assert {"kind", "who"} <= {f.name for f in road.encoder.fields}


def test_a_column_that_knows_the_answer_is_left_out(rows):
    paid = rows.assign(paid=rows["buy"] * 9.9)
    road = label_rows(paid, ["click", "buy"], time="when")
    assert "paid" not in road.encoder.columns
    assert road.told["paid"].startswith("tells buy alone, AUC 1.000")
    kept = label_rows(paid, ["click", "buy"], time="when", too_much=1)
    assert "paid" in kept.encoder.columns
    chosen = label_rows(paid, ["click", "buy"], time="when", leave_out=["paid"])
    assert chosen.told["paid"] == "left out by choice"


def test_without_users_each_row_is_its_own(rows):
    road = label_rows(rows, ["click", "buy"])
    assert len(set(road.users)) == len(road.users) == 400
    assert road.test["labels"].float().mean() > 0


@pytest.mark.parametrize(
    ("labels", "change", "message"),
    [
        (["click"], lambda r: r, "expected two or more"),
        (["click", "buy"], lambda r: r.head(20), "20 rows; expected at least 100"),
        (["click", "buy"], lambda r: r.assign(buy=0), "buy is 0 in all"),
    ],
)
def test_a_table_that_cannot_go_this_way_is_told_why(rows, labels, change, message):
    with pytest.raises(ValueError, match=message):
        label_rows(change(rows), labels, time="when")
