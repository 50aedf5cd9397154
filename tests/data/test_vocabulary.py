import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_tutorial.data.vocabulary import Vocabulary

CITIES = Vocabulary(["上海", "北京", "上海", "Oslo"])


def test_values_are_numbered_from_one_as_they_come():
    assert CITIES.values == ["上海", "北京", "Oslo"]
    assert CITIES.encode(["Oslo", "上海"]).tolist() == [3, 1]
    assert len(CITIES) == 4


def test_the_unknown_gets_the_id_of_the_padding():
    assert CITIES.encode(["Paris", "北京"]).tolist() == [0, 2]
    assert CITIES.decode([0, 2]) == ["(padding or unknown)", "北京"]


@given(st.lists(st.text(), min_size=1) | st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_decode_gives_back_what_was_encoded(values):
    vocabulary = Vocabulary(values)
    assert vocabulary.decode(vocabulary.encode(values)) == values
    twin = Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict())))
    assert twin.values == vocabulary.values
    assert twin.encode(values).tolist() == vocabulary.encode(values).tolist()


@pytest.mark.parametrize("dtype", ["int16", "uint64", "Int32", "category"])
def test_integers_of_every_type_are_the_same_values(dtype):
    vocabulary = Vocabulary(pd.Series([30, 10, 20]).astype(dtype))
    assert vocabulary.values == [30, 10, 20]
    assert vocabulary.encode(np.array([10, 40, 30], dtype="int8")).tolist() == [2, 0, 1]
    json.dumps(vocabulary.to_dict())


def test_numbers_are_those_of_factorize():
    values = pd.Series(list("cabacb"))
    expected = pd.factorize(values)[0] + 1
    assert Vocabulary(values).encode(values).tolist() == expected.tolist()


def test_an_empty_one_knows_nothing():
    nothing = Vocabulary([])
    assert len(nothing) == 1
    assert nothing.encode(["a", "b"]).tolist() == [0, 0]
    assert len(CITIES.encode([])) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", None], r"missing \(.*\) in row 1"),
        ([1, np.nan], r"missing \(nan\) in row 1"),
        (pd.Series([1, pd.NA], dtype="Int64"), r"missing \(<NA>\) in row 1"),
        (["a", 1], "holds 'a' in row 0 and 1 in row 1; expected values of one kind"),
        ([1, "a"], "holds 1 in row 0 and 'a' in row 1"),
        ([1.0, 2.0], r'1.0 in row 0 \(floating\); expected text.*astype\("int64"\)'),
        (pd.to_datetime(["2026-01-31"]), r"\(datetime64?\); expected text"),
        ("abc", "values is the text 'abc'; expected a list"),
        (pd.DataFrame({"a": [1]}), r'a DataFrame; expected a list .*: values\["..."\]'),
        ({"a": 1}, r"values is a dict; .* list\(values\), or list\(values.values\(\)"),
        (
            torch.tensor([1, 2]),
            r"values is a Tensor; .* column of values: values.tolis",
        ),
        ({"a", "b"}, r"values is a set; expected a list .*: sorted\(values\)"),
        (5, r"values is 5 \(int\); expected a list of values"),
        (None, r"values is None \(NoneType\); expected a list of values"),
        (np.ones((2, 2), dtype=int), "values has 2 dimensions; expected one"),
        ([[1], [2]], r"values holds \[1\] in row 0 \(list\); expected text, integers"),
        ([torch.tensor(1)], r"values holds tensor\(1\) in row 0 \(Tensor\); expected"),
        (["a\ud83d"], "values holds the text 'a.ud83d', with half a character; exp"),
    ],
)
def test_what_can_have_no_id(values, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(values)


def test_text_and_number_are_two_things():
    with pytest.raises(ValueError, match="holds integers .1 in row 0., the vocabulary"):
        Vocabulary(["1", "2"]).encode([1, 2])
    with pytest.raises(ValueError, match=r"missing \(None\) in row 0"):
        CITIES.encode([None])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1.9], r"ids holds 1.9 in row 0 \(dtype float64\); expected integers"),
        (["1"], "ids holds '1' in row 0"),
        ([None], "ids holds None in row 0"),
        ([True], "ids holds True in row 0"),
        ([2**70], "ids holds 1180591620717411303424 in row 0"),
        (torch.ones(2), "ids holds 1.0 in row 0"),
    ],
)
def test_only_integers_are_ids(ids, message):
    with pytest.raises(ValueError, match=message):
        CITIES.decode(ids)


@pytest.mark.parametrize(
    "ids", [torch.tensor([2, 0]), np.array([2, 0], dtype="uint8"), pd.Series([2, 0])]
)
def test_integers_of_any_make_are_ids(ids):
    assert CITIES.decode(ids) == ["北京", "(padding or unknown)"]
    assert CITIES.decode(ids[:0]) == []


@pytest.mark.parametrize("ids", [[4], [-1], [2**63]])
def test_ids_that_are_none(ids):
    with pytest.raises(IndexError, match="expected 0 to 3"):
        CITIES.decode(ids)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"kind": "Vocabulary"},
        {"kind": "Field", "values": []},
        {"kind": "Vocabulary", "values": ["a", "a"]},
        {"kind": "Vocabulary", "values": "ab"},
    ],
)
def test_what_is_no_vocabulary(content):
    with pytest.raises(ValueError, match="content"):
        Vocabulary.from_dict(content)
