"""Two languages from one source.

What is written in one language stands in a cell tagged ``lang-zh`` or ``lang-en`` (in a
notebook) or between ``:::{zh}`` or ``:::{en}`` and ``:::`` (on a prose page); what is
shared is written once. Titles and part captions hold both, as in
``## 门控 | The gate``. This extension gives each language its element, with the class
and the ``lang`` attribute that style sheets, screen readers and hyphenation go by:

* `tag_cells` turns tagged cells into blocks before a notebook is parsed, and stops the
  build at a cell whose twin is missing;
* `SplitTitles` splits titles, and names the anchors after the English half, so that
  ``#the-gate`` stays when the Chinese title changes;
* `split_captions` splits the captions in the side bar.

The config value ``edition`` is "both". Each node carries its language in ``language``,
which is what an edition in one language has to look at.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from docutils.nodes import make_id
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

LANGUAGES = {"zh": "zh-CN", "en": "en"}
SEPARATOR = " | "
FENCE = ":" * 12  # longer than any fence inside a cell


class Block(nodes.General, nodes.Element):
    """Paragraphs in one language; ``language`` is "zh" or "en"."""


class Phrase(nodes.inline):
    """Part of a line in one language; ``language`` is "zh" or "en"."""


class Dot(nodes.inline):
    """What stands between the two halves of a title."""


def block(language: str, *children: nodes.Node) -> Block:
    """Wrap block-level nodes as text in one language."""
    return Block("", *children, language=language)


def phrase(language: str, *children: nodes.Node) -> Phrase:
    """Wrap inline nodes as text in one language."""
    return Phrase("", "", *children, language=language)


def both(zh: str, en: str) -> list[nodes.Node]:
    """Give plain text in both languages, as a title shows it."""
    dot = Dot("", " · ")
    return [phrase("zh", nodes.Text(zh)), dot, phrase("en", nodes.Text(en))]


class LanguageBlock(SphinxDirective):
    """``:::{zh}`` and ``:::{en}``: paragraphs in one language."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        node = block(self.name)
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


def tag_cells(notebook: dict, name: str) -> dict:
    """Put the Markdown cells tagged with a language between the directive's fences.

    Parameters
    ----------
    notebook : dict
        A notebook as `json.loads` gives it; changed in place.
    name : str
        What to call it in an error.

    Raises
    ------
    ExtensionError
        If a cell has two languages, or its twin does not stand beside it.
    """
    cells = notebook["cells"]
    languages = [_language(cell, f"{name}, cell {i}") for i, cell in enumerate(cells)]
    i = 0
    while i < len(cells):
        if languages[i] is None:
            i += 1
            continue
        if languages[i : i + 2] != ["zh", "en"]:
            found = "lang-" + languages[i]
            raise ExtensionError(
                f"{name}, cell {i}: this cell is tagged {found}; expected is a lang-zh "
                f"cell with its lang-en twin right below it: {_start(cells[i])!r}"
            )
        for k in (i, i + 1):
            text = _text(cells[k])
            cells[k]["source"] = f"{FENCE}{{{languages[k]}}}\n{text}\n{FENCE}"
        i += 2
    return notebook


def _language(cell: dict, where: str) -> str | None:
    tags = cell.get("metadata", {}).get("tags", [])
    found = [language for language in LANGUAGES if f"lang-{language}" in tags]
    if len(found) > 1:
        raise ExtensionError(f"{where}: a cell has one language, this one has {tags}")
    if found and cell["cell_type"] != "markdown":
        raise ExtensionError(f"{where}: only Markdown cells have a language")
    return found[0] if found else None


def _text(cell: dict) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _start(cell: dict) -> str:
    return " ".join(_text(cell).split())[:60]


def read_notebook(app, docname: str, source: list[str]) -> None:
    """On ``source-read``: edit a notebook before MyST-NB parses it."""
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        notebook = json.loads(source[0])
        source[0] = json.dumps(tag_cells(notebook, docname), ensure_ascii=False)


def split_nodes(children: list[nodes.Node]) -> tuple[list, list] | None:
    """Split the children of a title at the first `` | `` in its plain text.

    Code and formulas are left whole, whatever they hold.
    """
    for i, child in enumerate(children):
        if isinstance(child, nodes.Text) and SEPARATOR in child:
            left, right = child.split(SEPARATOR, 1)
            zh = children[:i] + ([nodes.Text(left)] if left else [])
            en = ([nodes.Text(right)] if right else []) + children[i + 1 :]
            return (zh, en) if zh and en else None
    return None


class SplitTitles(SphinxTransform):
    """Split titles at `` | ``, before Sphinx collects them for navigation."""

    default_priority = 300

    def apply(self) -> None:
        for title in self.document.findall(nodes.title):
            halves = split_nodes(list(title.children))
            if halves is None:
                continue
            zh, en = halves
            title.clear()
            title += [phrase("zh", *zh), Dot("", " · "), phrase("en", *en)]
            if isinstance(title.parent, nodes.section):
                self.name_anchor(title.parent, title.children[-1].astext())

    def name_anchor(self, section: nodes.section, english: str) -> None:
        """Name the section's first anchor after its English title, if that is free."""
        new, old = make_id(english), section["ids"][0]
        if not new or new in self.document.ids:
            return
        section["ids"][0] = new
        self.document.ids[new] = self.document.ids.pop(old)
        for name, anchor in self.document.nameids.items():
            if anchor == old:
                self.document.nameids[name] = new


CAPTION = re.compile(r'(<span class="caption-text">)([^<]*?) \| ([^<]*?)(</span>)')


def split_captions(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: split the captions of parts in the side bar."""
    make_toctree = context.get("generate_toctree_html")
    if make_toctree is None:
        return

    def bilingual_toctree(*args, **kwargs):
        found = make_toctree(*args, **kwargs)
        return CAPTION.sub(_caption, found) if isinstance(found, str) else found

    context["generate_toctree_html"] = bilingual_toctree


def _caption(match: re.Match) -> str:
    before, zh, en, after = match.groups()
    return f"{before}{_span('zh', zh)} {_span('en', en)}{after}"


def _span(language: str, text: str) -> str:
    tag = LANGUAGES[language]
    return f'<span class="lang-{language}" lang="{tag}">{text}</span>'


def _visitors(element: str):
    def visit(self, node):
        language = node["language"]
        attributes = {"CLASS": f"lang-{language}", "lang": LANGUAGES[language]}
        self.body.append(self.starttag(node, element, "", **attributes))

    def depart(self, node):
        self.body.append(f"</{element}>")

    return visit, depart


def _visit_dot(self, node):
    self.body.append('<span class="lang-dot">')


def _depart_dot(self, node):
    self.body.append("</span>")


def setup(app):
    """Register all of it."""
    app.add_config_value("edition", "both", "env")
    app.add_node(Block, html=_visitors("div"))
    app.add_node(Phrase, html=_visitors("span"))
    app.add_node(Dot, html=(_visit_dot, _depart_dot))
    for language in LANGUAGES:
        app.add_directive(language, LanguageBlock)
    app.add_transform(SplitTitles)
    app.connect("source-read", read_notebook)
    app.connect("html-page-context", split_captions, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
