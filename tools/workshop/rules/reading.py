"""What the rules are written with: problems, cells, and Markdown taken apart."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode

# In the text of a block, one character stands for a code span or an inline formula.
CODE, MATH = "\ue000", "\ue001"
CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

FORMULA = re.compile(r"(?<!\\)(\$\$?)(?!\$)(.+?)(?<!\\)\1", flags=re.S)

_PARSER = MarkdownIt("commonmark").enable("table")
_PARSER.use(dollarmath_plugin, double_inline=True)


class Problem(NamedTuple):
    """What is wrong, and in which cell (None: in the notebook as a whole)."""

    cell: int | None
    reason: str


class Block(NamedTuple):
    """A block of Markdown, its text freed from formulas, code, addresses, emphasis.

    `kind` is heading, paragraph, item, table, equation, fence, image, comment, html
    or line; `level` is the heading's.
    """

    kind: str
    text: str
    level: int = 0
    links: tuple[str, ...] = ()


class Markdown(NamedTuple):
    """A Markdown text taken apart."""

    blocks: list[Block]
    formulas: list[str]
    code: list[str]
    links: list[str]
    images: list[tuple[str, str]]  # address, alternative text
    items: int
    folds: int

    def texts(self) -> list[str]:
        """Give the texts of the blocks that have one."""
        return [block.text for block in self.blocks if block.text]


@lru_cache(maxsize=4096)
def parse(source: str) -> Markdown:
    """Take a Markdown text apart."""
    parts = Markdown([], [], [], [], [], 0, 0)
    items = folds = level = 0
    where = []  # the list items and tables that we are in
    for token in _PARSER.parse(source):
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type in ("list_item_open", "table_open"):
            items += token.type == "list_item_open"
            where.append("item" if token.type == "list_item_open" else "table")
        elif token.type in ("list_item_close", "table_close"):
            where.pop()
        elif token.type == "inline":
            known = len(parts.links)
            text = _inline(token.children, parts)
            folds += sum(c.content.startswith("<details") for c in token.children)
            kind = "heading" if level else where[-1] if where else "paragraph"
            if kind == "paragraph" and not text.strip():
                pictures = any(c.type == "image" for c in token.children)
                kind = "image" if pictures else "equation"
            links = tuple(parts.links[known:])
            parts.blocks.append(Block(kind, text, level, links))
        elif token.type.startswith("math_block"):
            parts.formulas.append(_squeeze(token.content))
            parts.blocks.append(Block("equation", ""))
        elif token.type in ("fence", "code_block"):
            parts.code.append(token.content)
            parts.blocks.append(Block("fence", ""))
        elif token.type == "hr":
            parts.blocks.append(Block("line", ""))
        elif token.type == "html_block":
            folds += token.content.count("<details")
            text = re.sub(r"<!--.*?-->", "", token.content, flags=re.S)
            text = FORMULA.sub(lambda found: _formula(found, parts), text)
            text = re.sub(r"<[^>]*>", "", text).strip()
            comment = token.content.lstrip().startswith("<!--") and not text
            parts.blocks.append(Block("comment" if comment else "html", text))
    return parts._replace(items=items, folds=folds)


def _inline(children: list, parts: Markdown) -> str:
    """Collect code, formulas and links of one block, and give the text around them."""
    text = ""
    for child in children:
        if child.type == "code_inline":
            parts.code.append(child.content)
            text += CODE
        elif child.type.startswith("math_inline"):
            parts.formulas.append(_squeeze(child.content))
            text += MATH if child.type == "math_inline" else " "
        elif child.type == "softbreak":
            text += "\n"
        elif child.type == "hardbreak" or child.content.startswith("<br"):
            text += "\u2028"
        elif child.type == "link_open":
            parts.links.append(child.attrs["href"])
        elif child.type == "image":
            parts.links.append(child.attrs["src"])
            parts.images.append((child.attrs["src"], child.content))
        elif child.type == "text":
            text += child.content
    return text


def _formula(found: re.Match, parts: Markdown) -> str:
    """Collect a formula between HTML tags, where Markdown does not look for any."""
    parts.formulas.append(_squeeze(found[2]))
    return MATH


def _squeeze(formula: str) -> str:
    return re.sub(r"\s+", "", formula)


def tags(cell: NotebookNode) -> list[str]:
    """Give the tags of a cell."""
    return cell.metadata.get("tags", [])


def language(cell: NotebookNode) -> str:
    """Give the language that a cell is tagged with: zh, en or nothing."""
    found = [tag.removeprefix("lang-") for tag in tags(cell) if tag.startswith("lang-")]
    return found[0] if len(found) == 1 else ""


def cells(
    notebook: NotebookNode, kind: str, tag: str = ""
) -> Iterator[tuple[int, NotebookNode]]:
    """Iterate over the cells of a kind (and with a tag), with their indices."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == kind and (not tag or tag in tags(cell)):
            yield index, cell


def markdown_cells(
    notebook: NotebookNode, lang: str = ""
) -> Iterator[tuple[int, Markdown]]:
    """Iterate over the Markdown cells of a language ("": untagged), taken apart."""
    for index, cell in cells(notebook, "markdown"):
        if language(cell) == lang:
            yield index, parse(cell.source)


def pairs(notebook: NotebookNode) -> Iterator[tuple[int, Markdown, Markdown]]:
    """Iterate over the language pairs: index of the Chinese cell, Chinese, English."""
    for index, (cell, twin) in enumerate(
        zip(notebook.cells, notebook.cells[1:], strict=False)
    ):
        if language(cell) == "zh" and language(twin) == "en":
            yield index, parse(cell.source), parse(twin.source)


def headings(notebook: NotebookNode) -> Iterator[tuple[int, Block]]:
    """Iterate over the headings in untagged cells, with their cells' indices."""
    for index, markdown in markdown_cells(notebook):
        for block in markdown.blocks:
            if block.kind == "heading":
                yield index, block


def halves(text: str) -> tuple[str, str]:
    """Split `中文 | English`; without a bar, the second half is empty."""
    chinese, _, english = text.partition(" | ")
    return chinese.strip(), english.strip()


def sections(notebook: NotebookNode) -> list[str]:
    """Give for each cell the English title of the level-2 section that it is in."""
    starts = {i: halves(b.text)[1] for i, b in headings(notebook) if b.level == 2}
    found, current = [], ""
    for index in range(len(notebook.cells)):
        current = starts.get(index, current)
        found.append(current)
    return found


def output_texts(output: NotebookNode) -> Iterator[str]:
    """Iterate over the texts of an output, pictures left out."""
    yield output.get("text", "")
    for mime, data in output.get("data", {}).items():
        if not mime.startswith("image/"):
            yield data if isinstance(data, str) else str(data)
