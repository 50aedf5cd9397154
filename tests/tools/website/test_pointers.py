from types import SimpleNamespace

import docutils.frontend
import docutils.utils
import pytest
from docutils import nodes
from pybtex.database import parse_string

from tools.website.ext import citations, pointers, terms
from tools.website.ext.bilingual import Block, block


def caption(name, *more):
    return nodes.paragraph("", "", nodes.Text(""), nodes.strong("", name), *more)


def drawing():
    shown = nodes.container("", nodes.image(), classes=["cell_output"])
    return nodes.container("", shown, classes=["cell", "tag_hide-input"])


def figures(found):
    """The anchors of the figures, and what their captions say."""
    return [
        (figure["ids"], figure[-1].astext())
        for figure in found.findall(pointers.Figure)
    ]


def document(*children, name="notebooks/sequence/din", edition="zh"):
    settings = docutils.frontend.get_default_settings()
    found = docutils.utils.new_document("page", settings)
    found += nodes.section("", nodes.title("", "图 1"), *children, ids=["top"])
    env = SimpleNamespace(docname=name, note_dependency=lambda path: None)
    config = SimpleNamespace(edition=edition)
    found.settings.env = SimpleNamespace(
        docname=name, app=SimpleNamespace(config=config), config=config
    )
    return found, env, config


def transformed(kind, *children, **options):
    found, env, config = document(*children, **options)
    transform = kind.__new__(kind)
    transform.document = found
    type(transform).env = property(lambda self: env)
    type(transform).config = property(lambda self: config)
    transform.apply()
    return found


@pytest.fixture
def page(monkeypatch):
    for kind in (pointers.PointToThings, terms.LinkTerms, citations.TellCitations):
        monkeypatch.setattr(kind, "env", None)
        monkeypatch.setattr(kind, "config", None)
    return transformed


def links(found):
    return [(a.astext(), a["refid"]) for a in found.findall(nodes.reference)]


def test_a_figure_is_named_by_the_caption_below_it(page):
    said = nodes.paragraph("", "", nodes.Text("见图 2，也见图 7。"))
    found = page(
        pointers.PointToThings, said, drawing(), caption("图 2", nodes.Text("，完"))
    )
    assert figures(found) == [(["fig-2"], "图 2，完")]
    assert links(found) == [("图 2", "fig-2")]  # there is no figure 7
    assert said.astext() == "见图 2，也见图 7。"


def test_in_both_languages_a_figure_has_one_anchor(page):
    cell = drawing()
    found = page(
        pointers.PointToThings,
        cell,
        block("zh", caption("图 1")),
        block("en", caption("Figure 1", nodes.Text(" as Figure 1")), caption("2")),
        edition="both",
    )
    assert figures(found) == [(["fig-1"], "图 1\n\nFigure 1 as Figure 1")]
    (figure,) = cell
    shown, said = figure
    assert shown["classes"] == ["cell_output"]
    assert [part["language"] for part in said] == ["zh", "en"]
    assert links(found) == [("Figure 1", "fig-1")]
    rest = list(found.findall(Block))[2:]  # what the caption took is no longer there
    assert [part.astext() for part in rest] == ["2"]


def test_what_is_said_below_a_picture_of_a_page_is_its_caption(page):
    def picture():
        return nodes.paragraph("", "", nodes.image())

    def said(text):
        return nodes.paragraph("", text)

    two = [block("zh", said("甲"), said("乙")), block("en", said("A"), said("B"))]
    for below, captions, rest in (
        ([said("甲"), said("乙")], "甲", "乙"),
        (two, "甲\n\nA", "乙\n\nB"),
    ):
        found = page(pointers.PointToThings, picture(), *below, name="book/index")
        assert figures(found) == [([], captions)]
        assert found.astext().endswith(f"{captions}\n\n{rest}")
    table = nodes.table()
    for below in ([], [table]):
        alone = page(pointers.PointToThings, picture(), *below, name="book/index")
        assert figures(alone) == []


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("由式（3）得", [("式（3）", "eq-3")]),
        (
            "by Eq. (3), and Eqs. (3) to (5)",
            [("Eq. (3)", "eq-3"), ("Eqs. (3)", "eq-3")],
        ),
        ("式（9）", []),
        ("函数（3）", []),
    ],
)
def test_an_equation_is_named_by_its_number(page, said, shown):
    equation = nodes.math_block("", r"y = x \tag{3}")
    found = page(
        pointers.PointToThings, equation, nodes.paragraph("", "", nodes.Text(said))
    )
    assert equation["ids"] == ["eq-3"]
    assert links(found) == shown


def test_numbers_of_every_kind_are_anchors():
    assert [pointers.equation(n) for n in ("3", "2.1", "3'", "A1")] == [
        "eq-3",
        "eq-2-1",
        "eq-3p",
        "eq-a1",
    ]


def test_headings_code_and_other_pages_are_left_alone(page):
    code = nodes.literal("", "图 2")
    children = (drawing(), caption("图 2"), nodes.paragraph("", "", code))
    assert links(page(pointers.PointToThings, *children)) == []
    said = nodes.paragraph("", "", nodes.Text("图 2"))
    children = (drawing(), caption("图 2"), said)
    assert links(page(pointers.PointToThings, *children, name="book/index")) == []


def test_a_term_is_linked_once_and_not_where_it_is_explained(page, monkeypatch):
    place = terms.Place("notebooks/multitask/mmoe", "the-gate")
    monkeypatch.setattr(terms, "places", lambda: {"gate": place})
    words = [terms.Term("gate", "门控", "", "分配权重", "gives weights")]
    monkeypatch.setattr(terms, "glossary", lambda: words)

    def said():
        return [nodes.paragraph("", "", nodes.Text("门控与门控")) for _ in range(2)]

    found = page(terms.LinkTerms, *said())
    (link,) = found.findall(nodes.reference)
    assert link["refuri"] == "../../book/glossary.html#term-gate"
    assert link["reftitle"] == "分配权重"
    assert found.astext().count("门控与门控") == 2
    own = page(terms.LinkTerms, *said(), name="notebooks/multitask/mmoe")
    assert list(own.findall(nodes.reference)) == []


def test_a_term_of_one_character_is_part_of_too_many_words():
    term = terms.Term("tower", "塔", "", "", "")
    assert terms.pattern(term, "zh") is None
    assert terms.pattern(term, "en").search("two towers")[0] == "towers"
    assert not terms.pattern(term, "en").search("towering")


def test_every_term_is_explained_in_a_sentence_of_either_language():
    for term in terms.glossary():
        assert term.zh_says.endswith("。"), term
        assert term.en_says.endswith("."), term
        assert len(term.zh_says) < 60, term
        assert len(term.en_says.split()) < 30, term


def test_every_term_has_an_anchor_of_its_own():
    anchors = [terms.identifier(term.en) for term in terms.glossary()]
    assert len(set(anchors)) == len(anchors)


def test_a_term_whose_bare_name_is_another_is_not_linked_in_english():
    term = terms.Term("gate (of a recurrent cell)", "更新", "", "", "")
    assert terms.pattern(term, "en") is None
    assert terms.pattern(term, "zh").search("先更新")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            "author = {Ma, Xiao and Wu, Bo}, booktitle = {SIGIR}",
            "A ²: B · Xiao Ma, Bo Wu · SIGIR, 2018",
        ),
        (
            r"author = {Hidasi, Bal{\'a}zs and A, B and C, D and E, F}, journal = {Q}",
            "A ²: B · Balázs Hidasi, B A, D C et al. · Q, 2018",
        ),
        (
            "author = {van der Aa, Jan and Yu, Philip S.}, eprint = {1804.07931}",
            "A ²: B · Jan van der Aa, Philip S. Yu · arXiv:1804.07931, 2018",
        ),
    ],
)
def test_a_work_is_told_in_a_line_or_two(fields, says):
    bibliography = f"@misc{{key, title = {{{{A}} $^2$: B}}, year = 2018, {fields}}}"
    assert citations.note(parse_string(bibliography, "bibtex").entries["key"]) == says


def test_a_work_is_told_once_on_a_page_by_whichever_address(page, monkeypatch):
    told = {"doi:10.1145/1.2": "A · B", "arxiv:1804.07931": "A · B"}
    monkeypatch.setattr(citations, "works", lambda: told)
    addresses = [
        "https://doi.org/10.1145/1.2",
        "https://doi.org/10.1145/1.2",
        "https://arxiv.org/abs/1804.07931v2",
        "https://arxiv.org/abs/1703.03400",
        "https://example.org/",
    ]
    cited = [nodes.reference("", "x", refuri=address) for address in addresses]
    listed = nodes.reference("", "A", refuri=addresses[0])
    own = nodes.paragraph("", "", nodes.reference("", "2", refid="eq-2"))
    end = nodes.section("", nodes.paragraph("", "", listed), ids=["references"])
    page(citations.TellCitations, nodes.paragraph("", "", *cited), own, end)
    assert ["cites" in link["classes"] for link in cited] == [True] * 3 + [False] * 2
    notes = [link.get("reftitle") for link in cited]
    assert notes == ["A · B", None, "A · B", None, None]
    assert not listed["classes"]
    assert not own[0]["classes"]


def test_every_work_of_the_bibliography_can_be_told():
    for says in citations.works().values():
        title, authors, venue = says.split(" · ")
        assert title
        assert authors
        assert venue[-4:].isdigit()
        assert not set("{}$\\~\n") & set(says)
