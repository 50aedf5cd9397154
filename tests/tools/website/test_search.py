import json
import re

import docutils.frontend
import docutils.utils
import pytest
from docutils import nodes

from tools.website import contents, links
from tools.website.ext import search, terms
from tools.website.ext.bilingual import block, both
from tools.website.ext.terms import Passage, Place


def section(anchor, zh, en, *children):
    found = nodes.section("", nodes.title("", "", *both(zh, en)), *children)
    found["ids"].append(anchor)
    return found


def paragraph(*children):
    return nodes.paragraph("", "", *children)


@pytest.fixture
def page():
    given = nodes.literal_block("", "class ItemEmbedding(nn.Module): x = top_k(x, 3)")
    cell = nodes.container("", given, classes=["cell_input"])
    result = nodes.container(
        "", nodes.literal_block("", "ItemTable"), classes=["output"]
    )
    inner = section(
        "the-loss",
        "损失",
        "The loss",
        paragraph(nodes.Text("两项："), nodes.math("", r"\mathcal{L}_{aux}")),
        nodes.math_block("", r"L = L_{target} + \alpha L_{aux} \tag{7}"),
        cell,
        result,
    )
    outer = section(
        "din",
        "兴趣",
        "Interest",
        block("zh", paragraph(nodes.Text("候选"), nodes.strong("", "决定"))),
        block("en", paragraph(nodes.Text("the candidate decides"))),
        inner,
    )
    settings = docutils.frontend.get_default_settings()
    document = docutils.utils.new_document("page", settings)
    document += outer
    return document


def test_a_page_is_cut_into_sections_with_what_stands_in_them(page):
    first, second = search.parts(page, "zh")
    assert first == ("din", "兴趣", "候选决定", "", "")
    assert second[:3] == ("the-loss", "损失", "两项：L_aux")
    assert second.code.split() == ["ItemEmbedding", "Module", "top_k"]
    assert second.formulas.split() == ["L_target", "alpha", "L_aux"]


def test_a_section_is_in_one_language(page):
    first, second = search.parts(page, "en")
    assert (first.heading, first.text) == ("Interest", "the candidate decides")
    assert second.heading == "The loss"


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"\mathcal{L}_{aux}", "L_aux"),
        (r"\hat{y}_{i}", "y_i"),
        (r"\gamma_k^{(t)}", "gamma _k^(t)"),
        (r"p = \frac{a}{b} \tag{3}", "p = ab"),
    ],
)
def test_a_formula_is_as_somebody_would_type_it(latex, expected):
    assert search.typed(latex) == expected


def test_traditional_characters_lead_to_those_of_the_book():
    found = search.traditional({"冷", "启", "动", "门"})
    pairs = dict(zip(found[::2], found[1::2], strict=True))
    assert pairs["啟"] == "启"
    assert pairs["動"] == "动"
    assert pairs["門"] == "门"
    assert set(pairs.values()) <= {"冷", "启", "动", "门"}


def part(anchor, text="", code=""):
    return search.Part(anchor, anchor, text, code, "")


def test_a_name_in_code_counts_where_it_stands_first_and_not_if_it_is_everywhere():
    pages = {
        "notebooks/sequence/din": (
            "DIN",
            [part("a", code="fit_it DIN_x"), part("b", code="DIN_x")],
        ),
        **{f"notebooks/{n}": (str(n), [part("c", code="fit_it")]) for n in range(20)},
    }
    code = search.data(pages)["parts"][4]
    assert code[:3] == ("DIN_x", "", "")


def test_pages_that_repeat_weigh_less_and_give_the_start_of_their_sections_alone():
    long = "字" * 2000
    pages = {
        "notebooks/sequence/din": ("DIN", [part("a", long), part("小结", long)]),
        "book/teaching/weeks-1-to-6": ("weeks", [part("b", long)]),
        "book/teaching/exercises": ("all", [part("c"), part("d")]),
        "book/results": ("results", [part("e", long)]),
    }
    found = search.data(pages)
    assert [weight for _, _, weight in found["pages"]] == [1, 0.4, 0.4, 0.8]
    _, anchors, _, texts, _, _ = found["parts"]
    assert anchors == ("a", "小结", "b", "c", "e")
    assert [len(text) for text in texts] == [2000, 53, 53, 0, 53]


def test_an_opening_ends_with_a_whole_letter():
    assert search.opening("a" + "字" * 200) == "a" + "字" * 53
    assert search.opening("short") == "short"


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "门控，gate：门，é × α",
        # more letters than have room, the rarest of them of two bytes themselves
        "".join(map(chr, range(0x4E00, 0x5600))) * 2 + "é×α",
    ],
)
def test_what_is_packed_can_be_unpacked(text):
    letters, packed = search.pack(text)
    assert unpack(letters, packed) == text
    assert len(packed.encode()) <= len(text.encode())


def test_chinese_is_packed_into_two_bytes_a_letter_the_most_frequent_first():
    letters, packed = search.pack("门控门")
    assert (letters, packed) == ("门控", "\x80\x81\x80")


def unpack(letters, packed):
    """Read what is packed, as search.js does."""
    return re.sub("[\x80-\u07ff]", lambda found: letters[ord(found[0]) - 0x80], packed)


def test_a_term_has_several_names():
    assert terms.names("click-through rate (CTR)") == ["click-through rate", "CTR"]
    assert terms.names("硬搜索 / 软搜索") == ["硬搜索", "软搜索"]
    assert terms.names("历史、行为序列") == ["历史", "行为序列"]


def test_a_term_is_explained_where_its_english_stands_in_brackets():
    a, b, c = (Place("p", anchor) for anchor in "abc")
    passages = [
        Passage(a, "zh", "这里先用了门控。"),
        Passage(b, "heading", "门控 | The gate"),
        Passage(c, "zh", "这叫**门控**（gate），每个任务一个。"),
    ]
    assert terms.explained(["gate"], ["门控"], passages) == c
    assert terms.explained(["gate"], ["门控"], passages[:2]) == b
    assert terms.explained(["gate"], ["门控"], passages[:1]) == a
    assert terms.explained(["tower"], ["塔"], passages) is None


def test_most_terms_have_a_place_and_it_is_there():
    found = terms.places()
    assert len(found) > 0.85 * len(terms.glossary())
    for place in found.values():
        assert place in {passage.place for passage in terms.read(place.page)}


def test_the_script_of_an_edition_is_small_and_holds_every_page():
    for edition, languages in (("zh", ["zh"]), ("en", ["en"]), ("both", ["zh", "en"])):
        for language in languages:
            path = links.SITE / edition / "_static" / f"search-{language}.js"
            text = path.read_text(encoding="utf-8")
            found = re.fullmatch(r'addToSearch\("(\w+)","(.*?)",(.*)\);\n', text, re.S)
            assert found[1] == language
            told = json.loads(unpack(found[2], found[3]))
            assert {name for name, _, _ in told["pages"]} == set(contents.pages())
