"""Two languages from one source.

What is written in one language stands in a cell tagged ``lang-zh`` or ``lang-en`` (in a
notebook) or between ``:::{zh}`` or ``:::{en}`` and ``:::`` (on a prose page); what is
shared is written once. Titles, part captions and alternative texts hold both, as in
``## 门控 | The gate``. The config value ``edition`` is "zh", "en" or "both", and says
what a page keeps:

* `tagged_cells.py` turns the cells of a notebook into such blocks;
* `CheckPairs` stops the build at a block whose twin is missing;
* `SplitTitles` splits titles, and names the anchors after the English half, so that
  ``#the-gate`` is the same place in all editions;
* `KeepEdition` drops what is in the other language;
* in the edition "both", each language gets its element, with the class and the ``lang``
  attribute that style sheets, screen readers and hyphenation go by.
"""

from docutils import nodes
from docutils.nodes import make_id
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxDirective

LANGUAGES = {"zh": "zh-CN", "en": "en"}
SEPARATOR = " | "


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


def pick(text: str, edition: str) -> str:
    """Give the edition's half of ``中文 | English``; both with a dot between them."""
    zh, separator, en = text.partition(SEPARATOR)
    if not separator:
        return text
    return {"zh": zh, "en": en}.get(edition, f"{zh} · {en}")


def anchor(title: str) -> str:
    """Name the anchor of a heading after its English half."""
    return make_id(title.rpartition(SEPARATOR)[2])


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
    """Split titles and captions at `` | ``, before Sphinx collects them."""

    default_priority = 300

    def apply(self) -> None:
        for title in self.document.findall(nodes.title):
            halves = split_nodes(list(title.children))
            heading = isinstance(title.parent, nodes.section)
            if halves is None and heading:
                raise ExtensionError(
                    f"{_where(self.env.docname, title)}: the heading must read "
                    f"中文 | English, not {title.astext()!r}"
                )
            if halves is None:
                continue
            zh, en = halves
            title.clear()
            title += [phrase("zh", *zh), Dot("", " · "), phrase("en", *en)]
            if heading:
                self.name_anchor(title.parent, title.children[-1].astext())
        for image in self.document.findall(nodes.image):
            image["alt"] = pick(image.get("alt", ""), self.config.edition)
        for toctree in self.document.findall(addnodes.toctree):
            if toctree["caption"]:
                toctree["caption"] = pick(toctree["caption"], self.config.edition)

    def name_anchor(self, section: nodes.section, english: str) -> None:
        """Name the section's first anchor after its English title, if that is free."""
        new, old = make_id(english), section["ids"][0]
        if not new or new in self.document.ids:
            return
        section["ids"][0] = new
        self.document.ids.pop(old, None)  # of a module: known to its section alone
        self.document.ids[new] = section
        for name, anchor in self.document.nameids.items():
            if anchor == old:
                self.document.nameids[name] = new
        slugs = getattr(self.document, "myst_slugs", {})  # what links of MyST go by
        for slug, (line, anchor, text) in slugs.items():
            if anchor == old:
                slugs[slug] = (line, new, text)


class CheckPairs(SphinxTransform):
    """Stop the build at a block in one language whose twin is not next to it."""

    default_priority = 299

    def apply(self) -> None:
        for node in self.document.findall(Block):
            step, twin = {"zh": (1, "en"), "en": (-1, "zh")}[node["language"]]
            k = node.parent.index(node) + step
            beside = node.parent[k] if 0 <= k < len(node.parent) else None
            if not isinstance(beside, Block) or beside["language"] != twin:
                order = "after" if step == 1 else "before"
                raise ExtensionError(
                    f"{_where(self.env.docname, node)}: the text in {node['language']} "
                    f"lacks its twin in {twin} right {order} it: "
                    f"{node.astext()[:60]!r}"
                )


def _where(docname: str, node: nodes.Node) -> str:
    """Give page and line, or notebook and cell: MyST-NB counts 10,000 lines a cell."""
    cell, line = divmod(node.line or 0, 10_000)
    return f"{docname}, cell {cell - 1}" if cell else f"{docname}, line {line}"


class KeepEdition(SphinxTransform):
    """Drop what is in the other language, and the wrapping that is no longer needed."""

    default_priority = 310

    def apply(self) -> None:
        edition = self.config.edition
        if edition == "both":
            return
        for node in list(self.document.findall(_in_one_language)):
            if isinstance(node, Dot) or node["language"] != edition:
                node.parent.remove(node)
            else:
                node.replace_self(node.children)


def _in_one_language(node: nodes.Node) -> bool:
    return isinstance(node, Block | Phrase | Dot)


def split_config(app, config) -> None:
    """On ``config-inited``: give the book its title, and hidden cells their label."""
    for name in ("html_title", "nb_code_prompt_show", "nb_code_prompt_hide"):
        config[name] = pick(config[name], config.edition)


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
    for transform in (CheckPairs, SplitTitles, KeepEdition):
        app.add_transform(transform)
    app.connect("config-inited", split_config, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
