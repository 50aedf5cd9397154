import json

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_tutorial.data import load_census
from recsys_tutorial.data.fields import (
    PADDING,
    Field,
    encode_fields,
    encode_lists,
    multi_hot,
)

OLD = pd.DataFrame(
    {
        "city": pd.Categorical(["上海", "北京", "北京", "上海"]),
        "age": [10, 20, 30, 40],
    }
)


FRAME = pd.DataFrame(
    {
        "age": [17, 25, 38, 51, 64, 90],
        "sex": pd.Categorical(list("FMMFMF"), categories=["F", "M", "X"]),
        "gain": [0, 0, 0, 0, 10, 20],
    }
)


def test_categories_keep_their_declared_order_from_one():
    ids, (field,) = encode_fields(FRAME, ["sex"], slice(None))
    assert ids[:, 0].tolist() == [1, 2, 2, 1, 2, 1]
    assert field.labels == [PADDING, "F", "M", "X"]


def test_numbers_are_cut_where_the_training_rows_say():
    ids, (field,) = encode_fields(FRAME, ["age"], [0, 1, 2, 3], bins=2)
    assert field.labels == [PADDING, "<= 31.5", "> 31.5"]
    assert ids[:, 0].tolist() == [1, 1, 2, 2, 2, 2]


def test_a_number_on_the_edge_goes_below_as_the_label_says():
    frame = pd.DataFrame({"age": [1, 2, 3]})
    ids, (field,) = encode_fields(frame, ["age"], slice(None), bins=2)
    assert field.labels[int(ids[1, 0])] == "<= 2"


def test_the_value_of_most_rows_has_a_bin_of_its_own():
    ids, (field,) = encode_fields(FRAME, ["gain"], slice(None), bins=2)
    assert field.labels == [PADDING, "<= 0", "<= 15", "> 15"]
    assert ids[:, 0].tolist() == [1, 1, 1, 1, 2, 3]


def test_a_constant_number_is_one_bin():
    ids, (field,) = encode_fields(pd.DataFrame({"n": [4.0, 4.0]}), ["n"], slice(None))
    assert ids.unique().tolist() == [1]
    assert max(ids.flatten()) < len(field.labels)


@pytest.mark.parametrize(
    ("frame", "column", "message"),
    [
        (FRAME.iloc[:0], "age", "frame has no rows"),
        (FRAME, "height", r"frame lacks \['height'\]"),
        (pd.DataFrame({"a": [1.0, np.nan]}), "a", "'a' holds a missing value in row 1"),
        (pd.DataFrame({"a": ["x", "y"]}), "a", "'a' has dtype .* expected a category"),
        (
            pd.DataFrame({"a": pd.Categorical.from_codes([0, -1], ["x", "y"])}),
            "a",
            "'a' holds a missing value in row 1",
        ),
    ],
    ids=["empty table", "no such column", "NaN", "free text", "unknown category"],
)
def test_encode_refuses(frame, column, message):
    with pytest.raises(ValueError, match=message):
        encode_fields(frame, [column], slice(None))


# --- new rows


def test_new_rows_are_encoded_as_the_old_ones_were():
    old, fields = encode_fields(OLD, ["city", "age"], [0, 1, 2, 3], bins=2)
    new = OLD.iloc[[1]].copy()
    new["city"] = new["city"].cat.remove_unused_categories()  # 北京 alone
    ids, same = encode_fields(new, fields=fields)
    assert ids.tolist() == old[[1]].tolist()
    assert same is fields


@pytest.mark.parametrize("dtype", ["category", "str", "object"])
def test_the_unknown_is_zero_and_a_number_never_is(dtype):
    _, fields = encode_fields(OLD, ["city", "age"], slice(None), bins=2)
    new = pd.DataFrame({"city": ["Oslo", "上海"], "age": [-5, 4000]})
    ids, _ = encode_fields(new.astype({"city": dtype}), fields=fields)
    assert ids.tolist() == [[0, 1], [1, 2]]


def test_categories_of_numbers_are_found_again():
    old = pd.DataFrame({"size": pd.Categorical([38, 40, 42])})
    ids, fields = encode_fields(old, ["size"], slice(None))
    assert ids.flatten().tolist() == [1, 2, 3]
    new = pd.DataFrame({"size": [42, 39]})
    assert encode_fields(new, fields=fields)[0].flatten().tolist() == [3, 0]


def test_labels_differ_where_ids_differ():
    times = pd.DataFrame({"time": 874_724_710 + np.arange(100)})
    ids, (field,) = encode_fields(times, ["time"], slice(None), bins=11)
    assert len(set(field.labels)) == len(field.labels) == 12
    assert field.labels[1] == "<= 874724719"
    assert sorted(set(ids.flatten().tolist())) == list(range(1, 12))


def test_labels_are_as_short_as_they_can_be():
    _, (field,) = encode_fields(OLD, ["age"], slice(None), bins=3)
    assert field.labels == [PADDING, "<= 20", "<= 30", "> 30"]


def test_fields_come_back_from_json():
    census = load_census()
    columns = ["age", "education", "capital_gain"]
    ids, fields = encode_fields(census, columns, np.arange(10_000))
    text = json.dumps([field.to_dict() for field in fields], allow_nan=False)
    twins = [Field.from_dict(content) for content in json.loads(text)]
    assert twins == fields
    assert torch.equal(encode_fields(census, fields=twins)[0], ids)


@pytest.mark.parametrize(
    "content",
    [None, {"kind": "Field"}, {"kind": "Vocabulary", "values": []}, {}, []],
)
def test_what_is_no_field(content):
    with pytest.raises(ValueError, match="content is no field"):
        Field.from_dict(content)


def test_one_bin_takes_all():
    ids, (field,) = encode_fields(OLD, ["age"], slice(None), bins=1)
    assert ids.unique().tolist() == [1]
    assert field.labels == [PADDING, "any"]


@pytest.mark.parametrize(
    ("frame", "arguments", "message"),
    [
        (OLD, {"columns": ["age"], "train": []}, "train has no rows"),
        (OLD, {"columns": ["age"], "train": np.zeros(4, bool)}, "train has no rows"),
        (OLD, {"columns": ["age"]}, "columns and train, or fields alone"),
        (OLD, {}, "columns and train, or fields alone"),
        (OLD, {"train": [0], "fields": []}, "columns and train, or fields alone"),
        (OLD.assign(age=np.inf), {"columns": ["age"], "train": [0]}, "'age' is inf in"),
        (
            pd.DataFrame({"a": pd.Categorical([1, "1"], categories=[1, "1"])}),
            {"columns": ["a"], "train": [0]},
            "'a' has two categories that read '1'",
        ),
        (
            OLD.rename(columns={"age": "years"}),
            {"fields": [Field("age", [PADDING, "any"], [])]},
            r"frame lacks \['age'\]",
        ),
        (
            OLD.assign(age=[1, 2, None, 4]),
            {"fields": [Field("age", [PADDING, "any"], [])]},
            "'age' holds a missing value in row 2",
        ),
        (
            OLD.assign(age="old"),
            {"fields": [Field("age", [PADDING, "any"], [])]},
            "'age' has dtype",
        ),
    ],
)
def test_refused(frame, arguments, message):
    with pytest.raises(ValueError, match=message):
        encode_fields(frame, **arguments)


# --- lists

GENRES = pd.Series([("Drama", "War"), (), ["Comedy"]], name="genres")


def test_lists_by_hand():
    ids, field = encode_lists(GENRES)
    assert field.labels == [PADDING, "Comedy", "Drama", "War"]
    assert ids.tolist() == [[2, 3], [0, 0], [1, 0]]
    table = multi_hot(ids, len(field.labels))
    assert table.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]]


def test_new_lists_are_encoded_as_the_old_ones_were_without_the_unknown():
    _, field = encode_lists(GENRES)
    new = pd.Series([["Western", "War"], ["Western"]])
    ids, same = encode_lists(new, Field.from_dict(field.to_dict()))
    assert ids.tolist() == [[3], [0]]
    assert same == field


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["Drama|War"], "genres holds 'Drama|War' in row 0; expected a list"),
        ([["Drama"], None], "genres holds None in row 1; expected a list"),
        ([["Drama", 3]], "genres holds 3 in a list in row 0; expected text"),
        ([], "genres has no rows"),
    ],
)
def test_lists_that_are_none(values, message):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        encode_lists(pd.Series(values, name="genres", dtype=object))


def test_ids_beyond_the_table():
    with pytest.raises(ValueError, match="ids holds 1 to 3; expected 0 to 2"):
        multi_hot(torch.tensor([[1, 3]]), 3)
