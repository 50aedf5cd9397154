import json

import pytest

from recsys_tutorial.claims import MIME, Claim, Claims
from recsys_tutorial.metrics import Interval


def claim(low, high, expected="above zero", **options):
    measured = Interval((low + high) / 2, low, high, 5)
    return Claim(
        **{
            "zh": "门控 <有用>",
            "en": "gates <help>",
            "source": "Ma et al. 2018, Fig. 4",
            "measured": measured,
            "quantity": ("AUC，MMoE 减共享底层", "AUC, MMoE minus shared bottom"),
            "expected": expected,
            "within": (-1, 1),
        }
        | options
    )


@pytest.mark.parametrize(
    ("low", "high", "expected", "verdict"),
    [
        (0.1, 0.2, "above zero", "holds"),
        (-0.1, 0.2, "above zero", "not seen"),
        (0.0, 0.2, "above zero", "not seen"),
        (-0.2, -0.1, "above zero", "reversed"),
        (-0.2, -0.1, "below zero", "holds"),
        (-0.2, 0.1, "below zero", "not seen"),
        (0.1, 0.2, "below zero", "reversed"),
    ],
)
def test_the_verdict_follows_the_interval(low, high, expected, verdict):
    assert claim(low, high, expected).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.01, 0.04, "holds"), (-0.01, 0.06, "not seen"), (0.06, 0.09, "reversed")],
)
def test_a_claim_of_no_difference_needs_a_narrow_interval(low, high, verdict):
    assert claim(low, high, "near zero", near=0.05).verdict == verdict


def test_a_mean_out_of_bounds_is_an_error_that_quotes_the_claim():
    message = r"^AUC, MMoE minus shared bottom is 0.15, outside of \[0.2, 1\]: gates"
    with pytest.raises(AssertionError, match=message):
        claim(0.1, 0.2, within=(0.2, 1))


@pytest.mark.parametrize(
    "quantity",
    [
        "AUC",
        "误差",
        None,
        ("误差",),
        ("误差", ""),
        (" ", "loss"),
        ("误差", 1),
        ["误差", "loss"],
    ],
)
def test_what_was_measured_is_said_in_both_languages(quantity):
    with pytest.raises(ValueError, match="quantity is .* expected .* both languages"):
        claim(0.1, 0.2, quantity=quantity)


@pytest.mark.parametrize(
    "options", [{"expected": "big"}, {"near": 0.1}, {"expected": "near zero"}]
)
def test_bad_expectations(options):
    with pytest.raises(ValueError, match="near|expected"):
        claim(0.1, 0.2, **options)


def test_the_output_carries_records_html_and_text():
    bundle = Claims(claim(0.1, 0.2), claim(-0.2, 0.1))._repr_mimebundle_()
    records = json.loads(json.dumps(bundle[MIME]))
    assert [r["verdict"] for r in records] == ["holds", "not seen"]
    assert records[0]["measured"]["mean"] == pytest.approx(0.15)
    assert records[0]["quantity"] == {
        "zh": "AUC，MMoE 减共享底层",
        "en": "AUC, MMoE minus shared bottom",
    }
    assert records[0]["covers"] == {"zh": "种子", "en": "seeds"}
    assert bundle["text/plain"].splitlines()[1] == (
        "not seen here  gates <help> (Ma et al. 2018, Fig. 4): "
        "AUC, MMoE minus shared bottom -0.0500 [-0.2000, 0.1000] (seeds)"
    )
    html = bundle["text/html"]
    assert html.count("<tr") == 3
    assert "门控 &lt;有用&gt;" in html
    assert 'lang="zh-CN"' in html


def test_what_was_measured_is_text_and_no_html():
    both = ("比例 <i>", "share <b> & more")
    html = Claims(claim(0.1, 0.2, quantity=both))._repr_html_()
    assert "比例 &lt;i&gt;" in html
    assert "share &lt;b&gt; &amp; more" in html


def test_a_quick_run_asserts_no_bounds_and_gives_no_verdict(monkeypatch):
    monkeypatch.setenv("RECSYS_TUTORIAL_QUICK", "1")
    found = Claims(claim(0.1, 0.2, within=(0.5, 1)))
    assert found.records()[0]["verdict"] == "quick run"
    assert "快速运行，不作结论" in found._repr_html_()
    assert "quick run, no verdict" in found._repr_mimebundle_()["text/plain"]
