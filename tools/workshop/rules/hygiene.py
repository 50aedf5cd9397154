"""Rules about the file: what it may hold besides cells and outputs."""

import re
from collections import Counter
from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.validator import iter_validate

from tools.workshop import notebook_files
from tools.workshop.notebook_files import CELL_METADATA, FINGERPRINT, METADATA
from tools.workshop.rules.reading import Problem, tags

BYTES = 750_000
TAGS = re.compile(
    r"lang-(zh|en)|bootstrap|colab-badge|source=[\w.]+|solution|answer|check"
    r"|nbval-check-output"
    r"|(hide|remove)-(cell|input|output)"
)


def valid(notebook: NotebookNode) -> Iterator[Problem]:
    """The file is a notebook of format 4.5 in which each cell has its own id."""
    if notebook.get("nbformat_minor") != 5:
        yield Problem(
            None,
            f"notebook format 4.{notebook.get('nbformat_minor')}, expected 4.5: run "
            "python -m tools.workshop.execute",
        )
    for error in iter_validate(notebook, version=4, version_minor=5):
        reason = error.message.partition("\n")[0][:120]
        yield Problem(None, f"not a valid notebook: {reason}")
    count = Counter(cell.get("id") for cell in notebook.cells)
    for index, cell in enumerate(notebook.cells):
        if count[cell.get("id")] > 1:
            yield Problem(
                index, f"the cell id {cell.get('id')} is not its own: give it another"
            )


def metadata(notebook: NotebookNode) -> Iterator[Problem]:
    """Nothing about the editor, the run or the machine is kept."""
    for key in sorted((set(notebook.metadata) | set(METADATA)) - {FINGERPRINT}):
        if notebook.metadata.get(key) != METADATA.get(key):
            yield Problem(
                None,
                f"the notebook's metadata {key} must be {METADATA.get(key)}: run "
                "python -m tools.workshop.execute",
            )
    for index, cell in enumerate(notebook.cells):
        for key in set(cell.metadata) - set(CELL_METADATA):
            yield Problem(
                index, f"cell metadata {key}: only {' and '.join(CELL_METADATA)} stay"
            )


def known_tags(notebook: NotebookNode) -> Iterator[Problem]:
    """A misspelt tag would be ignored in silence."""
    for index, cell in enumerate(notebook.cells):
        for tag in tags(cell):
            if not TAGS.fullmatch(tag):
                yield Problem(index, f"unknown tag {tag}: see rules/hygiene.py")


def size(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter opens fast, also in a diff."""
    found = len(notebook_files.text(notebook).encode())
    if found > BYTES:
        yield Problem(
            None,
            f"{found // 1000} KB, at most {BYTES // 1000}: dense figures as PNG, "
            "fewer points, shorter outputs",
        )
