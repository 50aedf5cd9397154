"""The directive ``terms``: the glossary as a table, from ``book/glossary.tsv``.

Where a term is explained is not written down but found: the first place in the book
that gives it with its English in brackets, as CONTRIBUTING asks for; else the first
heading that has it; else the first text.
"""

import json
import re
from functools import lru_cache
from typing import NamedTuple

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

from tools.website import contents
from tools.website.ext.bilingual import (
    LANGUAGES,
    SEPARATOR,
    anchor,
    block,
    both,
    phrase,
)
from tools.website.ext.pointers import PLAIN, inside
from tools.workshop.notebook_files import ROOT

GLOSSARY = ROOT / "book" / "glossary.tsv"
HEAD = {"zh": "中文", "en": "English"}


class Place(NamedTuple):
    """A heading of a notebook: the name of its page, and its anchor."""

    page: str
    anchor: str


class Passage(NamedTuple):
    """A cell of text: where it stands, in which language, and its words."""

    place: Place
    language: str
    text: str


class Term(NamedTuple):
    """A line of the glossary: a concept's names, and what it is, in both languages."""

    en: str
    zh: str
    use: str  # "loose" if the Chinese text may also say it otherwise
    zh_says: str
    en_says: str


@lru_cache(maxsize=1)
def glossary() -> list[Term]:
    """List the terms, in the order of their first use."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()[1:]
    return [Term(*line.split("\t")) for line in lines]


def names(term: str) -> list[str]:
    """Give the names in a cell of the glossary: without brackets, one by one."""
    bare = re.sub(r"\s*[(（][^)）]*[)）]", "", term)
    short = re.findall(r"[(（]([^)）]*)[)）]", term)
    return [name.strip() for name in [*re.split(r" / |、|, ", bare), *short]]


@lru_cache(maxsize=1)
def places() -> dict[str, Place]:
    """Say where each term is explained, by its English; terms found nowhere are not."""
    passages = [p for name in contents.pages() for p in read(name)]
    found = {}
    for term in glossary():
        place = explained(names(term.en), names(term.zh), passages)
        if place:
            found[term.en] = place
    return found


def read(name: str) -> list[Passage]:
    """Give the cells of text of a notebook; of another page, nothing."""
    path = ROOT / f"{name}.ipynb"
    if not path.exists():
        return []
    place, found = Place(name, ""), []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] != "markdown":
            continue
        if heading := re.match("#+ (.*)", text):
            place = Place(name, anchor(heading[1]))
            found.append(Passage(place, "heading", heading[1]))
        elif "lang-zh" in cell["metadata"].get("tags", []):
            found.append(Passage(place, "zh", text))
    return found


def explained(en: list[str], zh: list[str], passages: list[Passage]) -> Place | None:
    """Give the first place that names both, or has it in a heading, or at all."""
    english = "|".join(re.escape(name[:8]) for name in en)
    chinese = "|".join(map(re.escape, zh))
    for language, pattern in (
        ("zh", rf"({chinese})\**（[^）]*({english})"),
        ("heading", rf"{chinese}|\b({'|'.join(map(re.escape, en))})"),
        ("zh", chinese),
    ):
        for passage in passages:
            if passage.language == language and re.search(pattern, passage.text, re.I):
                return passage.place
    return None


class Word(nodes.inline):
    """A word with a language of its own, in any edition."""


class Terms(SphinxDirective):
    """One row for each term: Chinese, English, and where it is explained.

    Both languages stand in every edition.
    """

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(GLOSSARY))
        found = places()
        head = nodes.row("", *(self.entry(HEAD[name]) for name in HEAD))
        head += nodes.entry("", nodes.paragraph("", "", *both("是什么", "What it is")))
        rows = []
        for term in glossary():
            row = nodes.row("", self.entry(term.zh, "zh"), self.entry(term.en, "en"))
            says = [
                block(language, nodes.paragraph("", "", *spoken(text)))
                for language, text in (("zh", term.zh_says), ("en", term.en_says))
            ]
            link = []
            if term.en in found:
                label = (
                    phrase("zh", nodes.Text("见 ")),
                    phrase("en", nodes.Text("See ")),
                )
                link = [*label, self.link(found[term.en])]
            row += nodes.entry("", *says, nodes.paragraph("", "", *link))
            row["ids"].append(identifier(term.en))
            rows.append(row)
        group = nodes.tgroup("", cols=3)
        group += [nodes.colspec(colwidth=width) for width in (22, 26, 52)]
        group += [nodes.thead("", head), nodes.tbody("", *rows)]
        return [nodes.table("", group, classes=["terms"])]

    def entry(self, text: str, language: str = "") -> nodes.entry:
        """Make a cell with a word in a language of its own."""
        word = Word("", text, language=language) if language else nodes.Text(text)
        return nodes.entry("", nodes.paragraph("", "", word))

    def link(self, place: Place) -> nodes.reference:
        """Link to where a term is explained, by the short name of the chapter."""
        uri = f"../{place.page}.html#{place.anchor}"
        name = short_name(place.page)
        words = both(*name) if len(name) > 1 else [nodes.Text(name[0])]
        return nodes.reference("", "", *words, refuri=uri)


def identifier(en: str) -> str:
    """Name the anchor of a term in the glossary."""
    return "term-" + nodes.make_id(en)


def spoken(text: str) -> list[nodes.Node]:
    """Give a text whose formulas stand between dollars as nodes."""
    parts = text.split("$")
    return [
        nodes.math("", part) if k % 2 else nodes.Text(part)
        for k, part in enumerate(parts)
        if part
    ]


class LinkTerms(SphinxTransform):
    """Link a term at its first use in a chapter to the glossary.

    Not in the chapter that explains it; and not a term of one Chinese character, which
    is a part of too many words.
    """

    default_priority = 331

    def apply(self) -> None:
        page = self.env.docname
        if not page.startswith("notebooks/"):
            return
        found, edition = places(), self.config.edition
        waiting = [t for t in glossary() if t.en in found and found[t.en].page != page]
        languages = ("zh", "en") if edition == "both" else (edition,)
        patterns = {
            (term, language): pattern(term, language)
            for term in waiting
            for language in languages
        }
        for text in list(self.document.findall(nodes.Text)):
            if not inside(text, (*PLAIN, nodes.strong, nodes.table)) and inside(
                text, (nodes.paragraph,)
            ):
                self.link(text, patterns)

    def link(self, text: nodes.Text, patterns: dict) -> None:
        """Link the terms in a text that are met for the first time."""
        said, hits = str(text), []
        up = "../" * self.env.docname.count("/")
        for (term, language), one in patterns.items():
            if one and (hit := one.search(said)):
                hits.append((hit.start(), -len(hit[0]), hit, term, language))
        pieces: list[nodes.Node] = []
        end = 0
        for start, _, hit, term, language in sorted(hits, key=lambda h: h[:2]):
            if start < end:
                continue
            pieces.append(nodes.Text(said[end:start]))
            link = nodes.reference(
                "",
                hit[0],
                refuri=f"{up}book/glossary.html#{identifier(term.en)}",
                reftitle=(term.zh_says if language == "zh" else term.en_says),
                internal=True,
                classes=["term"],
            )
            pieces.append(link)
            end = hit.end()
            patterns[term, language] = None
        if pieces:
            pieces.append(nodes.Text(said[end:]))
            parent, at = text.parent, text.parent.index(text)
            parent[at : at + 1] = [piece for piece in pieces if piece.astext()]


def pattern(term: Term, language: str) -> re.Pattern | None:
    """Give what a term looks like in a text; None if it is not to be linked."""
    if language == "zh":
        long = [re.escape(name) for name in names(term.zh) if len(name) > 1]
        return re.compile("|".join(long)) if long else None
    if "(of " in term.en:  # its bare name is a common word, or another term's
        return None
    words = "|".join(re.escape(name) for name in names(term.en))
    return re.compile(rf"\b(?:{words})s?\b")


def short_name(page: str) -> list[str]:
    """Give what stands before the colon in a notebook's title, once or by language."""
    notebook = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))
    halves = contents.heading(notebook).split(SEPARATOR)
    halves = [re.split("[：:]", half)[0].strip() for half in halves]
    return halves[:1] if len(set(halves)) == 1 else halves


def _visit_word(self, node: Word) -> None:
    self.body.append(f'<span lang="{LANGUAGES[node["language"]]}">')


def _depart_word(self, node: Word) -> None:
    self.body.append("</span>")


def setup(app):
    """Register the directive."""
    app.add_transform(LinkTerms)
    app.add_node(Word, html=(_visit_word, _depart_word))
    app.add_directive("terms", Terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
