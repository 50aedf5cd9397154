import json
import re

import numpy as np
import pytest
import torch

from recsys_tutorial import live

NUMBERS = {
    "weights": torch.tensor([[0.1, -2.0], [3.0, 1e-4]]),
    "ids": torch.tensor([3, 300]),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 2)),
    "one": torch.tensor(0.5),
}


def record(numbers=NUMBERS, words=None, exact=()):
    return live.record("mmoe", {}, numbers, words or {}, exact)


def test_a_notebook_keeps_floats_as_they_are():
    kept = live.unpack(json.loads(json.dumps(record()))["numbers"])
    assert kept["weights"].dtype == np.float32
    assert (kept["weights"] == NUMBERS["weights"].numpy()).all()
    assert kept["ids"].tolist() == [3, 300]
    assert kept["mask"].tolist() == [1, 0]
    assert kept["empty"].shape == (0, 2)
    assert kept["one"].shape == ()


def test_a_page_gets_them_in_half_precision_but_for_those_that_are_exact():
    sent = live.unpack(live.payload(record(exact=["one"]))["numbers"])
    assert sent["weights"].dtype == np.float16
    half = NUMBERS["weights"].half().numpy()
    assert (sent["weights"] == half).all()
    assert (half != NUMBERS["weights"].numpy()).any()
    assert sent["one"].dtype == np.float32


def test_a_page_gets_nothing_of_the_picture():
    kept = live.record("mmoe", {"gates": torch.ones(3)}, NUMBERS, {"a": 1})
    assert live.unpack(kept["shown"])["gates"].tolist() == [1, 1, 1]
    assert set(live.payload(kept)) == {"name", "numbers", "words"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 255], "u1"), ([-1, 9], "i2"), ([0, 32768], "i4"), ([True, False], "u1")],
)
def test_integers_take_the_smallest_type_that_holds_them(values, kind):
    packed = record({"x": np.array(values)})["numbers"]["x"]
    assert packed["type"] == kind
    assert live.unpack({"x": packed})["x"].tolist() == values


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 70000.0])
def test_what_half_precision_cannot_hold(value):
    with pytest.raises(ValueError, match="x holds NaN, infinity or a number beyond"):
        record({"x": torch.tensor([value])})


def test_integers_beyond_32_bits_and_words_for_numbers():
    with pytest.raises(ValueError, match="x holds 0 to 4294967296; expected ints"):
        record({"x": torch.tensor([0, 2**32])})
    with pytest.raises(ValueError, match="x has dtype <U1; expected floats, ints or"):
        record({"x": np.array(["a"])})


def test_a_script_that_is_not_there():
    with pytest.raises(ValueError, match="name is 'gate'; expected one of"):
        live.record("gate", {}, {}, {})


def test_the_shared_script_is_no_figure():
    with pytest.raises(ValueError, match="name is 'frame'; expected one of"):
        live.record("frame", {}, {}, {})


def test_exact_names_what_is_there():
    with pytest.raises(ValueError, match=r"exact names \['plane'\], which numbers"):
        record(exact=["plane"])


def test_words_that_json_cannot_hold():
    for words in ({"a": torch.ones(1)}, {"a": float("nan")}):
        with pytest.raises(ValueError, match="words cannot be written as JSON"):
            record(words=words)


def test_a_word_cannot_end_the_script_that_hands_it_over():
    text = live.handed(live.payload(record(words={"a": "</script><b>"})))
    assert "</script>" not in text
    told = json.loads(re.fullmatch(r"recsysLive\.hand\((.*)\);", text)[1])
    assert told["words"] == {"a": "</script><b>"}


def test_a_cell_shows_the_picture_and_carries_the_figure(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda what, **options: shown.append((what, options))
    )
    live.show("mmoe", "the picture", {"gates": torch.ones(2)}, NUMBERS, {"a": 1})
    (picture, _), (bundle, options) = shown
    assert picture == "the picture"
    assert options == {"raw": True}
    assert bundle[live.MIME]["name"] == "mmoe"
    html = bundle["text/html"]
    place = re.search(r'<div class="live" id="(live-\w+)"></div>', html)[1]
    assert f'getElementById("{place}"), "mmoe"' in html
    assert html.count("<script>") == html.count("</script>") == 3
