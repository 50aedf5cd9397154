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
from sphinx.util.docutils import SphinxDirective

from tools.website import contents
from tools.website.ext.bilingual import LANGUAGES, anchor
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


def glossary() -> list[tuple[str, str]]:
    """List the terms: English, Chinese."""
    lines = GLOSSARY.read_text(encoding="utf-8").splitlines()[1:]
    return [tuple(line.split("\t")[:2]) for line in lines]


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
    for en, zh in glossary():
        place = explained(names(en), names(zh), passages)
        if place:
            found[en] = place
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
    """One row for each term: Chinese, English. Both stand in every edition."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(GLOSSARY))
        group = nodes.tgroup("", cols=2)
        group += [nodes.colspec(colwidth=50), nodes.colspec(colwidth=50)]
        group += nodes.thead("", _row(HEAD["zh"], HEAD["en"]))
        rows = []
        for en, zh in glossary():
            rows.append(_row(zh, en))
        group += nodes.tbody("", *rows)
        return [nodes.table("", group, classes=["terms"])]


def _row(zh: str, en: str) -> nodes.row:
    cells = [
        nodes.entry("", nodes.paragraph("", "", Word("", text, language=language)))
        for language, text in (("zh", zh), ("en", en))
    ]
    return nodes.row("", *cells)


def _visit_word(self, node: Word) -> None:
    self.body.append(f'<span lang="{LANGUAGES[node["language"]]}">')


def _depart_word(self, node: Word) -> None:
    self.body.append("</span>")


def setup(app):
    """Register the directive."""
    app.add_node(Word, html=(_visit_word, _depart_word))
    app.add_directive("terms", Terms)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
