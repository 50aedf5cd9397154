"""The directive ``terms``: the glossary as a table, from ``book/glossary.tsv``."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools.website.ext.bilingual import LANGUAGES
from tools.workshop.notebook_files import ROOT

GLOSSARY = ROOT / "book" / "glossary.tsv"
HEAD = {"zh": "中文", "en": "English"}


class Word(nodes.inline):
    """A word with a language of its own, in any edition."""


class Terms(SphinxDirective):
    """One row for each term: Chinese, English. Both stand in every edition."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(GLOSSARY))
        lines = GLOSSARY.read_text(encoding="utf-8").splitlines()[1:]
        group = nodes.tgroup("", cols=2)
        group += [nodes.colspec(colwidth=50), nodes.colspec(colwidth=50)]
        group += nodes.thead("", _row(HEAD["zh"], HEAD["en"]))
        rows = []
        for line in lines:
            en, zh = line.split("\t")[:2]
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
