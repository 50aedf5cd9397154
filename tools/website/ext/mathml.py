r"""Formulas, typeset when the site is built.

LaTeX becomes MathML, which browsers draw themselves: a page needs no script for its
formulas, they are there at once, can be copied, and are read aloud. ``\tag{...}`` at
the end of a displayed formula becomes its number. `math_font` cuts the font down to
the characters that the site uses.
"""

import html
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from fontTools import subset
from math_core import LatexError, LatexToMathML
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)
converter = LatexToMathML(annotation=True, fancy_error=False)
TAG = re.compile(r"\\tag\{([^{}]*)\}\s*$")
MARKS = re.compile("[，。、；：！？）」』”’]+")
FORMULA = re.compile(r"<math\b.*?</math>", re.S)


def formula(
    latex: str,
    display: bool,
    location: nodes.Node | None = None,
    anchor: str = "",
) -> str:
    """Give the HTML of a formula; if it has an error, warn and show its source text."""
    latex = latex.strip()
    number = TAG.search(latex) if display else None
    if number:
        latex = latex[: number.start()].strip()
    try:
        mathml = converter.convert_with_local_state(latex, displaystyle=display)
    except LatexError as error:
        logger.warning("formula %r: %s", latex, error, location=location)
        return f"<code>{html.escape(latex)}</code>"
    mathml = re.sub(r'(<mtable\b[^>]*?) scriptlevel="0"', r"\1", mathml)
    if not display:
        return mathml
    label = f'<span class="eqno">({html.escape(number[1])})</span>' if number else ""
    name = f' id="{anchor}"' if anchor else ""
    return f'<div class="math"{name} tabindex="0">{mathml}{label}</div>\n'


def _visit_inline(self, node: nodes.math) -> None:
    self.body.append(formula(node.astext(), False, node))
    raise nodes.SkipNode


def _visit_block(self, node: nodes.math_block) -> None:
    anchor = next(iter(node["ids"]), "")
    self.body.append(formula(node.astext(), True, node, anchor))
    raise nodes.SkipNode


class KeepPunctuation(SphinxTransform):
    """Let no line begin with the mark that follows a formula."""

    default_priority = 340

    def apply(self) -> None:
        for formula in list(self.document.findall(nodes.math)):
            parent, at = formula.parent, formula.parent.index(formula)
            after = parent[at + 1] if at + 1 < len(parent) else None
            mark = MARKS.match(after) if isinstance(after, nodes.Text) else None
            if mark:
                rest = nodes.Text(str(after)[mark.end() :])
                both = nodes.inline(
                    "",
                    "",
                    formula.deepcopy(),
                    nodes.Text(mark[0]),
                    classes=["whole-line"],
                )
                parent[at : at + 2] = [both, rest] if rest else [both]


def math_font(pages: Iterable[str], target: Path) -> None:
    """Write the part of STIX Two Math that the formulas on `pages` need."""
    used = {
        ord(character)
        for page in pages
        for found in FORMULA.findall(page)
        for character in html.unescape(
            re.sub(r"<annotation.*?</annotation>", "", found)
        )
    }
    package = importlib.util.find_spec("ziamath").submodule_search_locations[0]
    options = subset.Options(flavor="woff", hinting=False, notdef_outline=True)
    font = subset.load_font(f"{package}/fonts/STIXTwoMath-Regular.ttf", options)
    subsetter = subset.Subsetter(options)
    root = {0x221A}  # an element in MathML, not a character
    subsetter.populate(unicodes=used | root | set(range(0x20, 0x7F)))
    subsetter.subset(font)
    subset.save_font(font, str(target), options)
    font.close()


def setup(app):
    """Register the renderer, and choose it."""
    app.add_transform(KeepPunctuation)
    app.add_html_math_renderer(
        "mathml",
        inline_renderers=(_visit_inline, None),
        block_renderers=(_visit_block, None),
    )
    app.connect(
        "config-inited",
        lambda app, config: config.__setattr__("html_math_renderer", "mathml"),
    )
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
