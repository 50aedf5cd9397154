"""Rules about code cells: their text, their order, what is synced into them."""

import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.workshop import sync
from tools.workshop.rules.reading import Problem, cells, tags

LINE_WIDTH = 88
CELL_LINES = 25
MACHINE_PATH = re.compile(r"""["'](~/|[A-Za-z]:[\\/]|(/[\w.-]+){2,})""")


def executed(notebook: NotebookNode) -> Iterator[Problem]:
    """The notebook was run from top to bottom, in one go, without an error."""
    code = [cell for _, cell in cells(notebook, "code") if cell.source.strip()]
    if code and all(cell.execution_count is None for cell in code):
        yield Problem(None, "it has never been executed: run make run")
        return
    expected = 0
    for index, cell in cells(notebook, "code"):
        if not cell.source.strip():
            yield Problem(index, "an empty code cell: remove it")
            continue
        expected += 1
        count = cell.execution_count
        if count != expected:
            yield Problem(
                index,
                f"execution count {count}, expected {expected}: run all cells in one "
                "go with python -m tools.workshop.execute",
            )
        for output in cell.outputs:
            if output.output_type == "error":
                yield Problem(index, f"the output is an error, {output.ename}: mend it")


def code_size(notebook: NotebookNode) -> Iterator[Problem]:
    """A code cell does one thing; only the source of the package may be longer."""
    for index, cell in cells(notebook, "code"):
        lines = cell.source.splitlines()
        for number, line in enumerate(lines, start=1):
            if len(line) > LINE_WIDTH:
                yield Problem(
                    index,
                    f"line {number} is {len(line)} characters long, at most "
                    f"{LINE_WIDTH} fit on the page",
                )
        synced = any(tag.startswith("source=") for tag in tags(cell))
        if len(lines) > CELL_LINES and not synced:
            yield Problem(
                index,
                f"{len(lines)} lines of code, at most {CELL_LINES}: split the cell",
            )


def machine_paths(notebook: NotebookNode) -> Iterator[Problem]:
    """Code names no place that exists on one machine only."""
    for index, cell in cells(notebook, "code"):
        if found := MACHINE_PATH.search(cell.source):
            yield Problem(
                index, f"the path {found[0][1:]} exists on one machine only: drop it"
            )


def bootstrap(notebook: NotebookNode) -> Iterator[Problem]:
    """The first code cell, and no other, installs the package where it is missing."""
    code = [index for index, _ in cells(notebook, "code")]
    tagged = [index for index, _ in cells(notebook, "code", "bootstrap")]
    if not tagged or tagged[0] != code[0]:
        yield Problem(
            code[0] if code else None,
            "the first code cell must be tagged bootstrap (its text is written by "
            "python -m tools.workshop.sync)",
        )
    for index in tagged[1:]:
        yield Problem(index, "a second bootstrap cell: remove it")


def synced(notebook: NotebookNode, path: Path) -> Iterator[Problem]:
    """Cells that show text from elsewhere show it as it is there."""
    try:
        for index, tag, _ in sync.differences(notebook, path, sync.repository()):
            yield Problem(
                index,
                f"differs from what {tag} stands for: run make sync",
            )
    except (ValueError, OSError) as error:
        yield Problem(None, str(error))
