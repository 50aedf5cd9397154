"""What a slide is made of: texts, formulas, tables, code, figures; and their heights.

Each function turns one cell of a notebook into `Piece`s, none of which is higher than a
slide has room. Heights are estimates, on the safe side: fonts differ between machines.
"""

import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from nbformat import NotebookNode, v4

from tools.course import excerpts, slide_tables
from tools.website.ext import mathml
from tools.workshop.notebook_files import CLAIMS, LIVE
from tools.workshop.rules.reading import tags

HINT = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>", re.S)
WIDTH, ROOM = 1150, 565  # of what is below a slide's title, in CSS pixels
CODE_SIZES = (26, 24, 22, 20, 19)
CODE_LINES = 16

markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
markdown.use(
    dollarmath_plugin,
    double_inline=True,
    renderer=lambda latex, options: mathml.formula(latex, options["display_mode"]),
)


class Piece(NamedTuple):
    """What is not divided between slides; `height` is an estimate in pixels."""

    kind: str  # lead, text, item, equation, code, output, table, figure, caption
    cell: NotebookNode
    height: float
    notes: str = ""


def prose(source: str, below_figure: bool, whole: bool) -> list[Piece]:
    """Turn a Markdown cell into pieces: what is shown, with all of it as notes."""
    hints = "".join(f"\n\n**{a}**: {b.strip()}" for a, b in HINT.findall(source))
    source = HINT.sub("", source).strip()
    lines, found = source.splitlines(), []
    tokens = [t for t in markdown.parse(source) if t.level == 0 and t.map]
    for i, token in enumerate(tokens):
        text = "\n".join(lines[slice(*token.map)]).strip()
        if token.type == "paragraph_open" and below_figure and not found:
            label = re.match(r"\*\*[^*]+\*\*：? ?", text)[0]
            shown = label + excerpts.sentences(text.removeprefix(label))[0]
            found.append(_text("caption", shown, text, 26))
        elif token.type == "paragraph_open" and whole:
            found.append(_text("text", text, text, 28))
        elif token.type == "paragraph_open":
            found.append(_text("lead", excerpts.lead(text), text, 30))
        elif token.type == "bullet_list_open":
            for item in re.split(r"^- ", text, flags=re.M)[1:]:
                item = item.strip()
                shown = item if whole else excerpts.lead(item)
                found.append(_text("item", f"- {shown}", f"- {item}", 28))
        elif token.type == "math_block":
            found.append(equation(text))
        elif token.type == "table_open":
            found += table(markdown.render(text), "table")
        elif token.type == "html_block":
            continue
        else:
            raise ValueError(
                f"no slide knows how to show a {token.type}: {text[:60]!r}"
            )
        if i == len(tokens) - 1 and found:
            found[-1] = found[-1]._replace(notes=found[-1].notes + hints)
    return found


def _text(kind: str, shown: str, notes: str, size: int) -> Piece:
    lines = -(-excerpts.ems(excerpts.plain(shown)) * size // (WIDTH - 40))
    height = lines * size * 1.55 + 16
    return Piece(kind, _markdown(shown, kind), height, notes)


def _markdown(source: str, kind: str, size: float = 0) -> NotebookNode:
    return v4.new_markdown_cell(source, metadata={"kind": kind, "size": size})


def equation(source: str) -> Piece:
    """Give a displayed formula, in letters as large as its width allows."""
    rows = re.split(r"\\\\", source)
    number = mathml.TAG.search(source.strip("$ \n"))
    room = WIDTH - 72 - 24 * max(2, excerpts.ems(number[1]) + 1 if number else 0)
    whole = [source] if "{cases}" in source else rows
    wide = max(len(excerpts.letters(row)) for row in whole)
    size = max(24, min(36, room / (0.66 * wide)))
    tall = re.search(r"\\(frac|sum|prod|int|max|min|begin|under)", source)
    return Piece(
        "equation",
        _markdown(source, "equation", size),
        len(rows) * size * (2.9 if tall else 1.7) + 24,
        source,
    )


def table(source: str, kind: str) -> list[Piece]:
    """Cut an HTML table into pieces that fit."""
    parts = slide_tables.cut(source, WIDTH, ROOM, claims=kind == "claims")
    return [
        Piece(kind, _markdown(part, kind, size), height) for part, size, height in parts
    ]


def code(cell: NotebookNode) -> list[Piece]:
    """Turn a code cell into pieces: its source, unless hidden, and its outputs."""
    source, label = cell.source, ""
    name = next((t for t in tags(cell) if t.startswith("source=")), "")
    if name:
        label = name.removeprefix("source=")
        source = excerpts.without_docstrings(source)
    hidden = "hide-input" in tags(cell) or re.search(r"\bClaim\(", source)
    found = []
    if not hidden and not excerpts.only_imports(source):
        parts = excerpts.pieces(source, CODE_LINES)
        for i, part in enumerate(parts, 1):
            count = f"{i}/{len(parts)}" if len(parts) > 1 else ""
            shown = v4.new_code_cell(part)
            shown.metadata.update(
                kind="code", label=" · ".join(filter(None, [label, count]))
            )
            high = code_height(part, CODE_SIZES[-2]) + 24 * bool(shown.metadata.label)
            found.append(Piece("code", shown, high))
    for output in cell.outputs:
        data = output.get("data", {})
        if CLAIMS in data:
            found += table(data["text/html"], "claims")
        elif LIVE in data:
            continue  # its picture is an output of its own
        elif hidden and "hide-input" not in tags(cell):
            continue  # a list of claims on its way to the table
        elif "image/svg+xml" in data:
            picture = v4.new_code_cell(outputs=[output])
            picture.metadata.update(kind="figure", alt=_alt(cell))
            found.append(Piece("figure", picture, ROOM - 100))
        elif "<tbody>" in data.get("text/html", ""):
            found += table(data["text/html"], "table")
        else:
            text = data.get("text/plain", output.get("text", "")).rstrip("\n")
            for part in excerpts.chunks(text, CODE_LINES):
                shown = v4.new_code_cell(outputs=[v4.new_output("stream", text=part)])
                shown.metadata.update(kind="output")
                found.append(Piece("output", shown, code_height(part, CODE_SIZES[-2])))
    return found


def _alt(cell: NotebookNode) -> str:
    return cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")


def code_height(text: str, size: float) -> float:
    """Give the height of code or of its output, in letters of a size."""
    fit = int((WIDTH - 48) / (0.605 * size))
    lines = sum(max(1, -(-len(line) // fit)) for line in text.splitlines() or [""])
    return lines * size * 1.45 + 40


def code_size(pieces: list[Piece]) -> float:
    """Choose the letters for the code on a slide, as large as fits."""
    texts = [
        p.cell.source or p.cell.outputs[0].text
        for p in pieces
        if p.kind in ("code", "output")
    ]
    other = sum(p.height for p in pieces if p.kind not in ("code", "output"))
    other += sum(24 for p in pieces if p.cell.metadata.get("label"))
    wide = max((len(line) for text in texts for line in text.splitlines()), default=0)
    for size in CODE_SIZES:
        high = other + sum(code_height(text, size) for text in texts)
        if high <= ROOM and wide * 0.605 * size + 48 <= WIDTH:
            return size
    return CODE_SIZES[-1]
