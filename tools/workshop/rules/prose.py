"""Rules about Markdown cells: language pairs, punctuation, length, portability."""

import re
from collections import Counter
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.workshop.rules.reading import (
    CJK,
    CODE,
    MATH,
    Markdown,
    Problem,
    language,
    markdown_cells,
    pairs,
    parse,
    sections,
    tags,
)

ZH_CHARACTERS, EN_WORDS = 200, 120
SHARED = {"heading", "equation", "table", "image", "comment"}
WIDE = "，。；：？！（）、《》〈〉「」『』【】"
LATIN = f"A-Za-z0-9%\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff{CODE}{MATH}"
NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:\s?%)?")
FULL_WIDTH = str.maketrans("０１２３４５６７８９％．", "0123456789%.")

CHINESE_SLIPS = {
    rf'[{CJK}] ?[,;:?!()"]|[,;:?!()"] ?[{CJK}]|[{CJK}]\.': (
        "half-width punctuation beside Chinese: use ，；：？！（）“”。"
    ),
    f"[{CJK}][{LATIN}]|[{LATIN}][{CJK}]": (
        "put one space between Chinese and Latin letters, digits, code or formulas"
    ),
    f" [{WIDE}]|[{WIDE}] ": "no space beside full-width punctuation",
    f"[{CJK}] +[{CJK}]": "no space inside Chinese",
    r"\S {2,}\S": "one space is enough",
    "\n": "a line break inside a paragraph shows as a space: join the lines",
}
# Looked for in the text of a block, code and formulas apart.
NOT_PORTABLE = {
    r"\{[a-zA-Z][\w:.+-]*\}" + CODE: "a MyST role: write a plain link or text",
    r"^:::": "a MyST directive: write plain Markdown",
    r"^\([\w-]+\)=$": "a MyST label: link to a heading's anchor",
    r"^(\+\+\+|%)": "a MyST block break or comment: remove it",
    r"\{\{.*?\}\}": "a MyST substitution: write the value",
    r"^\\begin\{": "a bare LaTeX environment: put it between $$ and $$",
    r"\[\^[\w-]+\]": "a footnote, which Colab does not show: use brackets or a link",
    r"https?://\S{,30}": "a bare address: write [text](address)",
    r"\$\$.{,20}": "not shown as a formula: close it with $$, no empty line inside",
    r"\*\*.{,20}": "not shown as bold: keep punctuation and spaces outside the stars",
}
# Looked for in the source of a cell.
NOT_PORTABLE_SOURCE = {
    r"^ *(```+|~~~+) *\{[\w-]+\}": "a MyST directive: write plain Markdown",
    r"\$\$ *\([\w:-]+\) *$": "a labelled equation: use \\tag alone",
    r"(?<!!)\[\]\(": "a link without a text: Colab shows nothing",
}


def language_pairs(notebook: NotebookNode) -> Iterator[Problem]:
    """Prose comes in pairs, Chinese then English; what both share is untagged."""
    cells = notebook.cells
    section = sections(notebook)
    for index, cell in enumerate(cells):
        tagged = [tag for tag in tags(cell) if tag.startswith("lang-")]
        lang = language(cell)
        if not tagged:
            if cell.cell_type == "markdown":
                references = section[index] == "References"
                allowed = SHARED | {"item"} if references else SHARED
                yield from _shared(index, parse(cell.source), allowed)
        elif len(tagged) > 1 or cell.cell_type != "markdown":
            yield Problem(
                index, f"tagged {' and '.join(tagged)}: one tag, on Markdown cells only"
            )
        elif lang == "zh" and (
            index + 1 == len(cells) or language(cells[index + 1]) != "en"
        ):
            yield Problem(index, "lang-zh without its lang-en twin directly after it")
        elif lang == "en" and (index == 0 or language(cells[index - 1]) != "zh"):
            yield Problem(index, "lang-en without its lang-zh twin directly before it")
        elif any(block.kind == "heading" for block in parse(cell.source).blocks):
            yield Problem(
                index, "a heading in a language cell: put it in an untagged cell"
            )


def _shared(index: int, markdown: Markdown, allowed: set[str]) -> Iterator[Problem]:
    for block in markdown.blocks:
        if block.kind not in allowed:
            what = _shorten(block.text) or block.kind
            yield Problem(
                index,
                f"prose without a language tag ({what}): untagged cells hold headings, "
                "$$ equations $$, tables, images and the list of references",
            )
            return


def twins(notebook: NotebookNode) -> Iterator[Problem]:
    """Both halves of a pair have the same formulas, numbers, links, code and lists."""
    for index, zh, en in pairs(notebook):
        for what, left, right in (
            ("formulas", zh.formulas, en.formulas),
            ("numbers", numbers(zh), numbers(en)),
            ("links", zh.links, en.links),
            ("code", zh.code, en.code),
            ("list items", ["item"] * zh.items, ["item"] * en.items),
            ("folds", ["<details>"] * zh.folds, ["<details>"] * en.folds),
        ):
            only_zh, only_en = Counter(left), Counter(right)
            only_zh.subtract(right)
            only_en.subtract(left)
            if +only_zh or +only_en:
                yield Problem(
                    index,
                    f"{what} differ in the pair: only in Chinese {_listed(only_zh)}, "
                    f"only in English {_listed(only_en)}",
                )


def _listed(count: Counter) -> str:
    return ", ".join(sorted((+count).elements())) or "none"


def numbers(markdown: Markdown) -> list[str]:
    """List the numbers in a text, outside formulas, code and addresses."""
    return [
        re.sub(r"[,\s]", "", number)
        for text in markdown.texts()
        for number in NUMBER.findall(text.translate(FULL_WIDTH))
    ]


def chinese(notebook: NotebookNode) -> Iterator[Problem]:
    """Chinese cells are Chinese, with its punctuation and spacing; so are headings."""
    for index, markdown in markdown_cells(notebook, "zh"):
        if not any(re.search(f"[{CJK}]", text) for text in markdown.texts()):
            yield Problem(index, "tagged lang-zh, but there is no Chinese in it")
        for text in markdown.texts():
            yield from (Problem(index, slip) for slip in chinese_slips(text))
    for index, markdown in markdown_cells(notebook):
        for block in markdown.blocks:
            if block.kind == "heading":
                half = block.text.partition(" | ")[0]
                yield from (Problem(index, slip) for slip in chinese_slips(half))


def chinese_slips(text: str) -> Iterator[str]:
    """Find what is typed wrong in a Chinese text, one of each kind."""
    for pattern, advice in CHINESE_SLIPS.items():
        if found := re.search(pattern, text):
            around = text[max(0, found.start() - 6) : found.end() + 6]
            yield f"{advice} (at {_shorten(around)})"


def _shorten(text: str) -> str:
    text = text.replace(CODE, "`…`").replace(MATH, "$…$").replace("\n", "⏎")
    return text if len(text) <= 40 else text[:39] + "…"


def english(notebook: NotebookNode) -> Iterator[Problem]:
    """English cells hold neither Chinese nor its punctuation."""
    for index, cell in enumerate(notebook.cells):
        if language(cell) == "en":
            found = re.search(f"[{CJK}\u3000-\u303f\uff00-\uffef]+", cell.source)
            if found:
                yield Problem(index, f"Chinese in an English cell: {found[0][:20]}")


def prose_length(notebook: NotebookNode) -> Iterator[Problem]:
    """Prose cells are short; exercises may be twice as long, folds have no limit."""
    section = sections(notebook)
    for lang, pattern, limit, unit in (
        ("zh", f"[{CJK}]", ZH_CHARACTERS, "Chinese characters"),
        ("en", r"\S*[A-Za-z0-9]\S*", EN_WORDS, "words"),
    ):
        for index, markdown in markdown_cells(notebook, lang):
            most = 2 * limit if section[index] == "Exercises" else limit
            count = sum(
                len(re.findall(pattern, block.text))
                for block in markdown.blocks
                if block.kind != "table"
            )
            if count > most and not markdown.folds:
                yield Problem(
                    index, f"{count} {unit}, at most {most}: shorten or split it"
                )


def portable(notebook: NotebookNode) -> Iterator[Problem]:
    """Markdown is what Colab, Jupyter and the site all understand."""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        markdown = parse(cell.source)
        for patterns, texts in (
            (NOT_PORTABLE, markdown.texts()),
            (NOT_PORTABLE_SOURCE, [cell.source]),
        ):
            for pattern, advice in patterns.items():
                for found in re.finditer(pattern, "\n".join(texts), flags=re.M):
                    yield Problem(index, f"{_shorten(found[0].strip())} is {advice}")
        for address, alt in markdown.images:
            if not alt.strip():
                yield Problem(index, f"the image {address} has no alternative text")
