"""Figures and equations that can be pointed at, and the words that point to them.

In a notebook an equation has its number in ``\\tag{3}``, and the text below a figure
begins with its name in bold: **图 1** or **Figure 1**, **互动图** or **Live figure**.
Each gets an anchor, ``eq-3``, ``fig-1``, ``live``, the same in all editions; where the
text says 式（3）, Eq. (3), 图 1 or Figure 1, it becomes a link, which the page shows a
preview of.

What a cell draws becomes a ``figure`` together with the text below it, its
``figcaption``, which holds both languages where a page does; on a page of prose, a
picture does with the paragraph below it.
"""

import re
from itertools import takewhile

from docutils import nodes
from docutils.nodes import make_id
from sphinx.transforms import SphinxTransform

from tools.website.ext.bilingual import Block, block
from tools.website.ext.mathml import TAG

CAPTION = re.compile(r"(?:图|Figure) (\d+)$|互动图$|Live figure$")
MENTION = re.compile(
    r"(?:图|Figures?) (?P<figure>\d+)"
    r"|(?:式|Eqs?\.) ?[（(](?P<equation>[^（）()\s]{1,6})[）)]"
)
PLAIN = (nodes.literal, nodes.reference, nodes.title, nodes.raw, nodes.math)


class Figure(nodes.General, nodes.Element):
    """What is shown, and its `Caption`, which comes last."""


class Caption(nodes.General, nodes.Element):
    """Paragraphs about a figure, in one language or in both."""


class PointToThings(SphinxTransform):
    """Name figures and equations, and link what is said of them."""

    default_priority = 330  # when the other edition's text is gone

    def apply(self) -> None:
        if not self.env.docname.startswith("notebooks/"):
            self.frame_pictures()
            return
        for number, node in {**self.figures(), **self.equations()}.items():
            if number not in self.document.ids:
                node["ids"].append(number)
                self.document.ids[number] = node
        for text in list(self.document.findall(nodes.Text)):
            if not inside(text, PLAIN) and not self.is_name(text):
                self.link(text)

    def equations(self) -> dict[str, nodes.Element]:
        """Find the numbered formulas by their anchors, the first of each number."""
        found: dict[str, nodes.Element] = {}
        for node in self.document.findall(nodes.math_block):
            if number := TAG.search(node.astext().strip()):
                found.setdefault(equation(number[1]), node)
        return found

    def figures(self) -> dict[str, nodes.Element]:
        """Make a figure of each caption and what stands above it, by its anchor."""
        found: dict[str, nodes.Element] = {}
        for strong in list(self.document.findall(nodes.strong)):
            name = CAPTION.match(strong.astext())
            paragraph = strong.parent
            if name and isinstance(paragraph, nodes.paragraph) and begins(strong):
                drawn = drawn_above(paragraph)
                made = framed(drawn, paragraph) if drawn else paragraph
                found.setdefault(f"fig-{name[1]}" if name[1] else "live", made)
        return found

    def frame_pictures(self) -> None:
        """Make a figure of each picture on a page of prose and what is said below."""
        for picture in list(self.document.findall(nodes.image)):
            shown = picture.parent
            if isinstance(shown, nodes.paragraph) and len(shown.children) == 1:
                if "instead" in shown.parent.get("classes", []):  # of a live figure
                    shown = shown.parent
                below = shown.parent[shown.parent.index(shown) + 1 :]
                blocks = list(takewhile(lambda node: isinstance(node, Block), below))
                for said in [b[0] for b in blocks[:2]] or below[:1]:
                    if isinstance(said, nodes.paragraph):
                        framed(shown, said)

    def is_name(self, text: nodes.Text) -> bool:
        """Whether it is the name of a figure below it, or of an exercise."""
        return isinstance(text.parent, nodes.strong) and bool(CAPTION.match(text))

    def link(self, text: nodes.Text) -> None:
        """Put links in the place of what is mentioned, if it is on this page."""
        pieces: list[nodes.Node] = []
        end = 0
        for found in MENTION.finditer(text):
            anchor = (
                f"fig-{found['figure']}"
                if found["figure"]
                else equation(found["equation"])
            )
            if anchor not in self.document.ids:
                continue
            if found.start() > end:
                pieces.append(nodes.Text(text[end : found.start()]))
            said = found[0]
            pieces.append(
                nodes.reference(
                    "", said, refid=anchor, internal=True, classes=["points"]
                )
            )
            end = found.end()
        if pieces:
            if end < len(text):
                pieces.append(nodes.Text(text[end:]))
            parent, at = text.parent, text.parent.index(text)
            parent[at : at + 1] = pieces


def equation(number: str) -> str:
    """Name the anchor of an equation: (2.1) is ``eq-2-1``, (3') is ``eq-3p``."""
    return "eq-" + (
        make_id("n" + number.replace("'", "p").replace("′", "p"))[1:] or "x"
    )


def begins(node: nodes.Node) -> bool:
    """Whether a node is the first in its paragraph; MyST puts empty text before it."""
    before = node.parent.children[: node.parent.index(node)]
    return not "".join(child.astext() for child in before)


def inside(node: nodes.Node, kinds: tuple) -> bool:
    """Whether a node lies in another of these kinds."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def framed(shown: nodes.Element, paragraph: nodes.paragraph) -> Figure:
    """Put a paragraph into the caption of what is shown; the first makes the figure."""
    figure = shown.parent
    if not isinstance(figure, Figure):
        figure = Figure("", Caption())
        shown.parent[shown.parent.index(shown)] = figure
        figure.insert(0, shown)
    around = paragraph.parent
    around.remove(paragraph)
    if isinstance(around, Block):
        figure[-1] += block(around["language"], paragraph)
        if not around.children:
            around.parent.remove(around)
    else:
        figure[-1] += paragraph
    return figure


def drawn_above(paragraph: nodes.paragraph) -> nodes.Element | None:
    """Give what the cell right above a caption shows.

    The caption in the other language may stand between.
    """
    node: nodes.Node = paragraph
    while node.parent is not None and not isinstance(node.parent, nodes.section):
        node = node.parent
    if node.parent is None:
        return None
    before = node.parent.children[: node.parent.index(node)]
    for sibling in reversed(before):
        if isinstance(sibling, nodes.container) and "cell" in sibling["classes"]:
            parts = sibling.findall(nodes.container)
            return next((p for p in parts if "cell_output" in p["classes"]), None)
        if isinstance(sibling, nodes.section | nodes.title):
            return None
    return None


def _visitors(element: str):
    def visit(self, node):
        self.body.append(self.starttag(node, element, ""))

    def depart(self, node):
        self.body.append(f"</{element}>\n")

    return visit, depart


def setup(app):
    """Do it for each page."""
    app.add_node(Figure, html=_visitors("figure"))
    app.add_node(Caption, html=_visitors("figcaption"))
    app.add_transform(PointToThings)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
