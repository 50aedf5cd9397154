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
        (pd.DataFrame({"a": [1.0, np.nan]}), "a", r"'a' is missing \(nan\) in row 1"),
        (pd.DataFrame({"a": ["x", "y"]}), "a", "'a' has dtype .* expected a category"),
        (
            pd.DataFrame({"a": pd.Categorical.from_codes([0, -1], ["x", "y"])}),
            "a",
            r"'a' is missing \(nan\) in row 1",
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([7, 8], [8.0, 9.0]),
        ([7.0, 8.0], [8, 9]),
        ([7.0, 8.0], ["8", "9"]),
        (["7", "8"], ["8.0", "9.0"]),
        (pd.to_datetime(["2026-01-01", "2026-01-31"]), ["2026-01-31", "2026-02-01"]),
        (["2026-01-01", "2026-01-31"], pd.to_datetime(["2026-01-31", "2026-02-01"])),
        (["2026-01-01", "2026-01-31"], ["2026-01-31T00:00:00", "2026-01-31T01:00:00"]),
        (["07", "7"], ["7.0", "007"]),
        (["7", "7.0"], ["7.0", "8"]),
    ],
)
def test_a_category_is_found_in_whatever_way_it_is_written(old, new):
    frame = pd.DataFrame({"a": pd.Categorical(old)})
    _, fields = encode_fields(frame, ["a"], slice(None))
    ids, _ = encode_fields(pd.DataFrame({"a": new}), fields=fields)
    assert ids.flatten().tolist() == [2, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([7, 8], r"'a' holds numbers \(7 in row 0\), and the field 'x' and others"),
        ([7.5, 8.0], r"'a' holds numbers \(7.5 in row 0\)"),
        (pd.to_datetime(["2026-01-31"] * 2), r"'a' holds dates \(2026-01-31"),
        ([True, False], r"'a' holds truth values \(True in row 0\)"),
    ],
)
def test_a_column_of_another_kind_is_not_all_unknown(values, message):
    field = Field("a", [PADDING, "x", "y"])
    with pytest.raises(ValueError, match=message):
        field.encode(pd.Series(values))
    assert field.encode(pd.Series(["p", "q"])).tolist() == [0, 0]
    has_such = Field("a", [PADDING, "x", "1", "2026-01-01", "True"])
    assert has_such.encode(pd.Series(values))[1] == 0


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": "xyz"}, "labels is 'xyz'; expected a list of text"),
        ({"labels": [PADDING, 1]}, "expected a list of text"),
        ({"labels": [PADDING, "a", "a"]}, "and no two alike"),
        ({"labels": []}, "labels is .*; expected the padding's"),
        ({"edges": [1.0]}, r"edges is \[1.0\], with 2 labels; expected a list of asc"),
        ({"edges": "x"}, "edges is 'x'"),
        ({"edges": [2, 1], "labels": list("pabc")}, r"edges is \[2, 1\]"),
        ({"edges": [float("nan")], "labels": list("pab")}, r"edges is \[nan\]"),
    ],
)
def test_what_a_field_cannot_hold(change, message):
    content = {"kind": "Field", "name": "a", "labels": [PADDING, "a"], "edges": None}
    Field.from_dict(content)
    with pytest.raises(ValueError, match=message):
        Field.from_dict(content | change)


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
        (OLD, {"columns": [], "train": [0]}, "columns is empty; expected at least one"),
        (OLD, {"fields": []}, "fields is empty; expected at least one"),
        (OLD, {"columns": "age", "train": [0]}, r"the text 'age'; expected \['age'\]"),
        (OLD, {"columns": ["age"] * 2, "train": [0]}, "'age' is asked for twice"),
        (OLD[["age", "age"]], {"columns": ["age"], "train": [0]}, "two columns 'age'"),
        (
            {"age": [1]},
            {"columns": ["age"], "train": [0]},
            "frame is a dict; expected a",
        ),
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
            r"'age' is missing \(nan\) in row 2",
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


def test_sets_are_read_in_alphabetical_order():
    names = [f"genre {n:02d}" for n in range(40)]
    ids, _ = encode_lists(pd.Series([set(names)]))
    assert ids.tolist() == [list(range(1, 41))]


def test_a_field_of_numbers_has_no_lists():
    field = Field("age", [PADDING, "<= 5", "> 5"], [5.0])
    with pytest.raises(
        ValueError, match="field 'age' cuts numbers into bins; expected"
    ):
        encode_lists(pd.Series([["<= 5"]]), field)


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
