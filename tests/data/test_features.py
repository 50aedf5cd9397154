"""Columns of any table become fields, in training and in a request alike."""

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data.features import RowEncoder, cut_rows, tell_tales


@pytest.fixture
def rows():
    n = 60
    draw = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "city": ["上海", "北京", "Oslo"] * 20,
            "price": draw.normal(size=n).round(4),
            "code": [1.0, 2.0, np.nan] * 20,
            "vip": [True, False] * 30,
            "at": ["2026-01-01 05:00:00"] * 30 + ["2026-01-02 06:00:00"] * 30,
            "note": [f"text {k}" for k in range(n)],
            "same": 1,
            "none": None,
            "label": [0, 1] * 30,
        }
    )


@pytest.fixture
def encoder(rows):
    return RowEncoder(rows, ["label"], time="at")


def test_each_column_becomes_a_field_or_says_why_not(encoder):
    assert [f.name for f in encoder.fields] == [
        "city",
        "price",
        "code",
        "vip",
        "hour of at",
        "weekday of at",
    ]
    assert encoder.dropped == {
        "note": "hardly any value comes twice",
        "same": "a single value",
        "none": "no value",
        "label": "left out by choice",
    }
    assert encoder.sizes == [4, 11, 3, 3, 25, 8]
    assert encoder.columns == ["city", "price", "code", "vip", "at"]


def test_missing_and_unknown_are_id_0(encoder, rows):
    ids = encoder.encode(rows)
    assert (ids[2::3, 2] == 0).all()
    request = dict.fromkeys(encoder.columns) | {"city": "Rome"}
    assert encoder.encode(pd.DataFrame([request])).sum() == 0


def test_hour_and_weekday(encoder, rows):
    ids = encoder.encode(rows)
    assert ids[0, 4:].tolist() == [6, 4]  # 5 o'clock on a Thursday, from 1
    assert ids[-1, 4:].tolist() == [7, 5]


def test_a_request_is_encoded_as_the_table_was(encoder, rows):
    ids = encoder.encode(rows)
    raw = rows.iloc[[4]].to_dict("records")
    assert torch.equal(encoder.encode(pd.DataFrame(raw)), ids[[4]])
    text = [{k: None if pd.isna(v) else str(v) for k, v in raw[0].items()}]
    assert torch.equal(encoder.encode(pd.DataFrame(text)), ids[[4]])


def test_the_order_of_columns_and_further_ones_do_not_matter(encoder, rows):
    other = rows[rows.columns[::-1]].assign(new=1)
    assert torch.equal(encoder.encode(other), encoder.encode(rows))


def test_json_makes_the_same_encoder(encoder, rows):
    again = RowEncoder.from_dict(encoder.to_dict())
    assert torch.equal(again.encode(rows), encoder.encode(rows))
    assert again.dropped == encoder.dropped
    with pytest.raises(ValueError, match="no encoder"):
        RowEncoder.from_dict({"fields": []})


def test_rare_categories_are_unknown():
    rows = pd.DataFrame({"word": ["a"] * 6 + ["b"] * 5 + ["c"] * 4})
    encoder = RowEncoder(rows)
    assert encoder.encode(rows)[:, 0].tolist() == [1] * 6 + [2] * 5 + [0] * 4
    assert RowEncoder(rows, most=1).sizes == [2]


def test_ids_are_names_though_they_are_numbers():
    rows = pd.DataFrame({"user": np.repeat(np.arange(100), 5)})
    assert RowEncoder(rows).fields[0].edges is not None
    assert RowEncoder(rows, text=["user"]).sizes == [101]


def test_an_order_has_no_time_of_day():
    rows = pd.DataFrame({"step": range(50), "a": [1, 2] * 25})
    encoder = RowEncoder(rows, time="step")
    assert encoder.dropped["step"] == "an order, no time of day"
    assert encoder.columns == ["a"]


def test_what_is_amiss_has_its_sentence(encoder, rows):
    with pytest.raises(ValueError, match=r"lacks \['city'\].*is a mistake"):
        encoder.encode(rows.drop(columns="city"))
    with pytest.raises(ValueError, match="price is 'dear'; expected a number"):
        encoder.encode(rows.head(1).astype(object).assign(price="dear"))
    with pytest.raises(ValueError, match="no DataFrame with a row"):
        encoder.encode(rows.head(0))
    with pytest.raises(ValueError, match="no column is left"):
        RowEncoder(rows[["same"]])


def test_rows_are_cut_in_time_or_by_chance():
    seconds = np.arange(100)[::-1]
    train, validation, test = cut_rows(100, seconds)
    assert seconds[train].max() < seconds[validation].min()
    assert seconds[validation].max() < seconds[test].min()
    for given in (None, np.ones(100)):  # one moment cannot be cut
        parts = cut_rows(100, given)
        assert [len(part) for part in parts] == [70, 10, 20]
        assert len(torch.cat(parts).unique()) == 100
    with pytest.raises(ValueError, match="n_rows is 9"):
        cut_rows(9)


def test_what_was_written_afterwards_gives_itself_away(rows):
    rows = rows.assign(paid=rows["label"] * rows.index)
    encoder = RowEncoder(rows, ["label"], minimum=1)
    labels = torch.tensor(rows["label"].to_numpy())
    train, test = torch.arange(40), torch.arange(40, 60)
    found = tell_tales(encoder.encode(rows), labels, train, test, encoder.fields)
    assert found.index[0] in ("paid", "vip")
    assert found["paid"] > 0.98
    assert 0.2 < found["city"] < 0.8
    assert found["note"] == 0.5  # ids of the training rows alone
