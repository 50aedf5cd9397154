"""What all live figures share: numbers handed over, handles, words, drawing."""

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from recsys_tutorial import live

FIGURE = """recsysLive.figure("mmoe", {
    question: {zh: "几倍？", en: "How many times?"},
    predict: {zh: "翻倍会怎样", en: "what doubling does"},
    source: {zh: "在网页里现算。", en: "Computed in this page."},
    handles: (data) => [
        {name: "times", kind: "range", min: 0, max: 9, label: {zh: "倍数", en: "Times"},
         text: (v) => ({zh: `${v} 倍`, en: `${v} times`})},
        {name: "which", kind: "choice", options: data.words.names,
         label: {zh: "哪一行", en: "Row"}},
        {name: "minus", kind: "switch", label: {zh: "取反", en: "negative"}},
        {name: "also", kind: "several", options: data.words.names,
         label: {zh: "还有", en: "Also"}},
    ],
    states: [
        {label: {zh: "一倍", en: "once"},
         state: {times: 1, which: 0, minus: false, also: []}},
        {label: {zh: "两倍", en: "twice"},
         state: {times: 2, which: 1, minus: false, also: [0, 1]}},
    ],
    compute: (data, {times, which, minus, also}) => {
        const value = data.x[which] * times * (minus ? -1 : 1);
        return {value: value + recsysLive.math.sum(also)};
    },
    draw: ({value}, state, kit, data) => kit.beside(
        kit.bars([{label: data.words.names[0], value}], {low: -20, high: 20}),
        kit.heat({rows: ["r"], columns: ["c"], values: [[value]], high: 20}),
        kit.list([{label: data.words.names[1], note: {zh: "注", en: "note"}}]),
        kit.plot({x: {low: 0, high: 9}, y: {low: -20, high: 20},
                  label: {zh: "图", en: "plot"},
                  marks: [{dots: [[state.times, value]],
                           name: {zh: "值", en: "value"}}]})),
    say: ({value}) => ({zh: `得 ${value}。`, en: `It is ${value}.`}),
});"""
NAMES = [{"zh": "甲<b>", "en": "first <b>"}, {"zh": "乙", "en": "second"}]
X = torch.tensor([1.5, -2.0])


def packed(numbers, words=None, exact=()):
    kept = live.record("mmoe", {}, numbers, words or {}, exact)
    return live.payload(kept)


@pytest.fixture
def started(put):
    def start(edition="en"):
        page = put(FIGURE, packed({"x": X}, {"names": NAMES}), edition)
        page.evaluate("recsysLive.start(document.querySelector('.live'), 'mmoe')")
        return page

    return start


def test_numbers_arrive_as_they_were_sent(put):
    draw = torch.Generator().manual_seed(0)
    numbers = {
        "half": torch.randn(40, 3, generator=draw) * 10.0 ** torch.arange(-7, 0.5, 3),
        "single": torch.randn(2, 3, 4, generator=draw),
        "bytes": torch.arange(5),
        "short": torch.tensor([-7, 300]),
        "long": torch.tensor([2**31 - 1, -5]),
        "one": torch.tensor(0.25),
        "none": torch.zeros(0, 3),
    }
    sent = packed(numbers, exact=["single"])
    plain = "compute: (data) => data, old: ({times"
    text = FIGURE.replace("compute: (data, {times", plain)
    text = text.replace("old: ({times, which, minus, also}) =>", "old: () =>")
    text = text.replace("data.words.names", "['a', 'b']")
    page = put(text, sent)
    found = page.evaluate("recsysLive.figures.mmoe.compute({})")
    for key, expected in live.unpack(sent["numbers"]).items():
        assert np.asarray(found[key], float).tolist() == expected.tolist(), key


def test_the_arithmetic_is_that_of_torch(put):
    page = put(FIGURE, packed({"x": X}, {"names": NAMES}))
    x, b = torch.tensor([1.0, -2.0, 1.0]), torch.ones(2)
    W, h = torch.arange(6.0).view(2, 3), torch.tensor([0.5, -1.0])
    torch.manual_seed(0)
    cell = torch.nn.GRUCell(3, 2)
    found = page.evaluate(
        """([x, W, b, h, cell]) => { const m = recsysLive.math; return {
            linear: m.linear(W, b, x), transpose: m.transpose(W), relu: m.relu(x),
            prelu: m.prelu(x, [0.5, 0.5, 0.5]), softmax: m.softmax(x.map(v => 900 * v)),
            sigmoid: m.sigmoid(-2), order: m.order(x), plus: m.plus(x, x, x),
            scale: m.scale(x, 3), dot: m.dot(x, x), norm: m.norm(x), mean: m.mean(x),
            cosine: m.cosine(b, h), nowhere: m.cosine(b, [0, 0]),
            gru: m.gru(cell, x, h)}; }""",
        [
            *(values.tolist() for values in (x, W, b, h)),
            {name: values.tolist() for name, values in cell.named_parameters()},
        ],
    )
    expected = {
        "linear": W @ x + b,
        "transpose": W.T,
        "relu": x.relu(),
        "prelu": torch.tensor([1.0, -1.0, 1.0]),
        "softmax": (900 * x).softmax(0),
        "sigmoid": torch.tensor(-2.0).sigmoid(),
        "order": torch.tensor([0, 2, 1]),
        "plus": 3 * x,
        "scale": 3 * x,
        "dot": x @ x,
        "norm": x.norm(),
        "mean": x.mean(),
        "cosine": torch.cosine_similarity(b, h, dim=0),
        "nowhere": torch.tensor(0.0),
        "gru": cell(x, h).detach(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(torch.tensor(found[name]).float(), value.float())


def test_each_handle_is_a_control_with_a_label_and_moves_the_answer(started):
    page = started()
    said = page.locator(".said")
    expect(said).to_have_text("It is 1.5.")
    page.get_by_role("slider").press("ArrowRight")
    expect(said).to_have_text("It is 3.")
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "2 times"
    expect(page.locator(".told")).to_have_text("2 times")
    page.get_by_role("combobox").select_option("second")
    expect(said).to_have_text("It is -4.")
    page.get_by_label("negative").press("Space")
    expect(said).to_have_text("It is 4.")
    page.get_by_role("group", name="Also").get_by_label("second").check()
    expect(said).to_have_text("It is 5.")


def test_states_set_all_handles_and_reset_brings_the_first_back(started):
    page = started()
    once, twice = (page.get_by_role("button", name=name) for name in ("once", "twice"))
    expect(once).to_have_attribute("aria-pressed", "true")
    twice.click()
    expect(page.locator(".said")).to_have_text("It is -3.")
    expect(twice).to_have_attribute("aria-pressed", "true")
    expect(once).to_have_attribute("aria-pressed", "false")
    assert page.get_by_role("slider").input_value() == "2"
    expect(page.get_by_role("combobox")).to_have_value("1")
    page.get_by_role("button", name="Reset").click()
    expect(page.locator(".said")).to_have_text("It is 1.5.")
    expect(once).to_have_attribute("aria-pressed", "true")


def test_what_changed_is_heard_in_one_sentence_and_not_at_the_start(started):
    page = started()
    heard = page.get_by_role("status")
    page.wait_for_timeout(600)
    expect(heard).to_have_text("")
    page.get_by_role("slider").press("ArrowRight")
    page.get_by_role("slider").press("ArrowRight")
    expect(heard).to_have_text("It is 4.5.")


@pytest.mark.parametrize(
    ("edition", "question", "reset"),
    [
        ("zh", "几倍？", "复位"),
        ("en", "How many times?", "Reset"),
        ("both", "几倍？ How many times?", "复位 Reset"),
    ],
)
def test_it_speaks_the_language_of_the_page(started, edition, question, reset):
    page = started(edition)
    expect(page.locator(".question")).to_have_text(question)
    expect(page.locator(".reset")).to_have_text(reset)


def test_words_are_words_and_no_markup(started):
    page = started()
    expect(page.locator(".bars .name")).to_have_text("first <b>")
    assert page.locator(".live b").count() == 0


def test_a_drawing_says_what_it_shows(started):
    page = started()
    expect(page.locator("svg")).to_have_attribute("aria-label", "plot")
    expect(page.locator(".heat td").last).to_have_text("1.50")
    expect(page.locator(".heat th[scope=row]")).to_have_text("r")
    expect(page.locator(".legend")).to_have_text("value")
    expect(page.locator(".list small")).to_have_text("note")


def test_a_bar_below_zero_ends_where_others_begin(started):
    page = started()
    box = page.locator(".track i")
    style = "e => [parseFloat(e.style.left), parseFloat(e.style.width)]"
    left, wide = box.evaluate(style)
    assert (left, wide) == pytest.approx((50, 3.75))
    page.get_by_label("negative").check()
    left, wide = box.evaluate(style)
    assert left + wide == pytest.approx(50)


def test_two_figures_on_a_page_do_not_share_their_handles(started):
    page = started()
    page.evaluate(
        """() => {
            const second = document.createElement("div");
            second.className = "live";
            document.body.append(second);
            recsysLive.start(second, "mmoe");
        }"""
    )
    page.get_by_role("slider").nth(1).press("ArrowRight")
    expect(page.locator(".said").nth(0)).to_have_text("It is 1.5.")
    expect(page.locator(".said").nth(1)).to_have_text("It is 3.")
    ids = page.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert len(set(ids)) == len(ids)
