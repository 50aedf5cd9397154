"""Rules about the outline: headings, the fixed sections, the exercises."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from tools.workshop import answers, new_chapter
from tools.workshop.rules.reading import (
    CJK,
    Problem,
    cells,
    halves,
    headings,
    language,
    parse,
    sections,
    tags,
)

LAST_SECTIONS = [
    "论文与本章 | The paper and this chapter",
    "后来 | What came after",
    "小结 | Summary",
    "练习 | Exercises",
    "参考 | References",
]
EXERCISES = 4
TAG = re.compile(r"\\tag\*?\{([^}]*)\}")
PLACEHOLDERS = new_chapter.placeholders()


def bilingual_headings(notebook: NotebookNode) -> Iterator[Problem]:
    """A heading reads `中文 | English`; the English half makes an anchor of its own."""
    seen = set()
    for index, block in headings(notebook):
        chinese, english = halves(block.text)
        same = chinese == english != ""
        if not same and (
            not re.search(f"[{CJK}]", chinese)
            or not english
            or re.search(f"[{CJK}|]", english)
        ):
            yield Problem(
                index, f"the heading must read 中文 | English, not {block.text!r}"
            )
        anchor = re.sub(r"[^a-z0-9]+", "-", english.lower()).strip("-")
        if english and not anchor:
            yield Problem(index, f"{english!r} has no letter to make an anchor of")
        elif anchor in seen:
            yield Problem(index, f"the anchor #{anchor} is taken: name it differently")
        seen.add(anchor)


def heading_levels(notebook: NotebookNode) -> Iterator[Problem]:
    """One title, in the first cell, and no level left out below it."""
    level = 0
    for index, block in headings(notebook):
        if block.level == 1 and level:
            yield Problem(index, "a second title: use ## for sections")
        elif block.level > level + 1:
            yield Problem(
                index, f"level {block.level} after level {level}: a level is left out"
            )
        level = block.level
    titles = [index for index, block in headings(notebook) if block.level == 1]
    if titles[:1] != [0]:
        yield Problem(0, "the first cell must start with the title, # 中文 | English")


def equation_numbers(notebook: NotebookNode) -> Iterator[Problem]:
    """A number names one equation; a pair shows an equation twice and counts once."""
    seen: dict[str, int] = {}
    for index, cell in cells(notebook, "markdown"):
        if language(cell) == "en":
            continue
        for number in TAG.findall("\n".join(parse(cell.source).formulas)):
            if number in seen:
                yield Problem(
                    index,
                    f"the equation number ({number}) is taken by cell {seen[number]}: "
                    "give one of the two another",
                )
            seen.setdefault(number, index)


def written(notebook: NotebookNode) -> Iterator[Problem]:
    """Nothing is left of what `make chapter` said that belongs here."""
    section = sections(notebook)
    left = [
        section[index] or "the beginning"
        for index, cell in cells(notebook, "markdown")
        if language(cell) and cell.source in PLACEHOLDERS
    ]
    if left:
        yield Problem(None, f"still to be written: {', '.join(dict.fromkeys(left))}")


def last_sections(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter ends with what was found, what came after, and what there is to do."""
    found = [block.text for _, block in headings(notebook) if block.level == 2]
    last = found[-len(LAST_SECTIONS) :]
    if last != LAST_SECTIONS:
        yield Problem(
            None,
            f"the last five sections must be {', '.join(LAST_SECTIONS)}; they are "
            f"{', '.join(last) or 'missing'}",
        )


def exercises(notebook: NotebookNode) -> Iterator[Problem]:
    """Each exercise has a text in both languages, a folded hint and a solution."""
    section = sections(notebook)
    found = list(headings(notebook))
    starts = [
        (index, block.text)
        for index, block in found
        if block.level == 3 and section[index] == "Exercises"
    ]
    if len(starts) < EXERCISES:
        yield Problem(None, f"{len(starts)} exercises, at least {EXERCISES} expected")
    for number, (start, title) in enumerate(starts, start=1):
        end = min((index for index, _ in found if index > start), default=None)
        if not re.match(rf"练习 {number}\b.* \| Exercise {number}\b", title):
            yield Problem(
                start, f"expected ### 练习 {number} | Exercise {number}, not {title!r}"
            )
        body = notebook.cells[start:end]
        texts = [parse(cell.source) for cell in body if language(cell) == "zh"]
        if not any(text.folds for text in texts):
            yield Problem(
                start, f"exercise {number} has no hint: add <details> to its text"
            )
        if not any({"solution", "hide-cell"} <= set(tags(cell)) for cell in body):
            yield Problem(
                start,
                f"exercise {number} has no code cell tagged solution and hide-cell",
            )


def self_checked(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter has an exercise whose answer a student can check.

    An answer is one function with a docstring, and stands right above its check.
    """
    solved = [index for index, _ in cells(notebook, "code", "answer")]
    checks = [index for index, _ in cells(notebook, "code", "check")]
    if not solved:
        yield Problem(None, "no exercise is self-checked: tag one answer, one check")
    for index in solved:
        if index + 1 not in checks:
            yield Problem(index, "the cell below an answer must be tagged check")
        if not {"solution", "hide-cell"} <= set(tags(notebook.cells[index])):
            yield Problem(index, "an answer must be tagged solution and hide-cell too")
        try:
            answers.emptied(notebook.cells[index].source)
        except (SyntaxError, ValueError) as error:
            yield Problem(index, str(error))
    for index in checks:
        if index - 1 not in solved:
            yield Problem(index, "the cell above a check must be tagged answer")


def colab_badge(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter can be opened in Colab from where its file is shown.

    The site has a button of its own, and loads no picture from another host.
    """
    found = [tags(cell) for _, cell in cells(notebook, "markdown", "colab-badge")]
    if len(found) != 1 or "remove-cell" not in found[0]:
        yield Problem(
            None,
            "expected one Markdown cell tagged colab-badge and remove-cell (its text "
            "is written by python -m tools.workshop.sync)",
        )
