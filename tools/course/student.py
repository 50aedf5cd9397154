"""Copies of the notebooks for a course: ``make student`` and ``make nbgrader``.

``_build/student/<edition>/`` holds every notebook as a student gets it: the exercises
stand there without their solutions, each with an empty cell to answer in. Exercises
with a check keep the head of the function that is asked for, and the cell that checks
it. ``_build/nbgrader/<edition>/`` is a course folder for nbgrader: one assignment per
notebook that has exercises, and nothing but these, so that a class is graded in seconds
a head. Checks are graded by themselves, all else by hand.

Nothing is executed. In a notebook a solution is tagged ``solution``; one that can be
checked is tagged ``answer`` as well, holds one function, and is followed by the cell
tagged ``check``.
"""

import argparse
import sys
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode, v4

from tools.website import language
from tools.website.ext.bilingual import pick
from tools.workshop import answers, notebook_files
from tools.workshop.notebook_files import METADATA, NOTEBOOKS, ROOT
from tools.workshop.rules.reading import headings, sections, tags
from tools.workshop.sentences import show

BUILD = ROOT / "_build"
HERE = "在这里写你的答案。 | Write your answer here."
POINTS = 5
CONFIG = '''\
"""nbgrader's settings for this course: see its documentation for databases, names."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "recsys"
c.ClearSolutions.code_stub = {{"python": {stub!r}}}
c.ClearSolutions.text_stub = {here!r}
c.ExecutePreprocessor.timeout = 120
'''


def student(notebook: NotebookNode, edition: str) -> NotebookNode:
    """Make a student's copy: the whole chapter, its exercises unsolved."""
    copy = language.keep(deepcopy(notebook), edition)
    for cell in copy.cells:
        if "answer" in tags(cell):
            cell.source = answers.emptied(cell.source)
        elif "solution" in tags(cell):
            cell.source = "# " + pick(HERE, edition)
        if {"solution", "check"} & set(tags(cell)):
            cell.update(outputs=[], execution_count=None)
    return copy


def assignment(notebook: NotebookNode, edition: str) -> NotebookNode:
    """Make nbgrader's source version: the exercises of a chapter, with their marks.

    What can be checked is graded by its check. The answers to the other exercises are
    given in words and figures, in a text cell, and graded by hand.
    """
    inside = sections(notebook)
    title = next(block.text for _, block in headings(notebook))
    cells = [v4.new_markdown_cell(f"# {title}", id="title")]
    number = 0
    for section, cell in zip(inside, notebook.cells, strict=True):
        if "bootstrap" in tags(cell):
            cells.append(_plain(cell))
        if section != "Exercises":
            continue
        if cell.source.startswith("### "):
            number += 1
        if "answer" in tags(cell):
            code = v4.new_code_cell(answers.marked(cell.source), id=cell.id)
            cells.append(_graded(code, f"answer-{number}", solution=True))
        elif "check" in tags(cell):
            # nbgrader would take a value at the end for the points
            *lines, last = cell.source.split("\n")
            text = "\n".join([*lines, f"print({last})"])
            code = v4.new_code_cell(text, id=cell.id)
            cells.append(_graded(code, f"check-{number}", grade=True))
        elif "solution" in tags(cell):
            text = f"```python\n{cell.source}\n```"
            answer = v4.new_markdown_cell(text, id=cell.id)
            cells.append(_graded(answer, f"answer-{number}", solution=True, grade=True))
        else:
            cells.append(_plain(cell))
    made = v4.new_notebook(cells=cells, metadata=deepcopy(METADATA))
    return language.keep(made, edition)


def _plain(cell: NotebookNode) -> NotebookNode:
    copy = deepcopy(cell)
    if copy.cell_type == "code":
        copy.update(outputs=[], execution_count=None)
    return copy


def _graded(cell: NotebookNode, name: str, *, grade=False, solution=False):
    """Give a cell the metadata that nbgrader goes by."""
    cell.metadata["nbgrader"] = {
        "schema_version": 3,
        "grade_id": name,
        "grade": grade,
        "solution": solution,
        "locked": not solution,
        "task": False,
        **({"points": POINTS} if grade else {}),
    }
    return cell


def write(kind: str, editions: list[str]) -> list[Path]:
    """Write the copies of all chapters; give their paths.

    Parameters
    ----------
    kind : {"student", "nbgrader"}
        Which copies.
    editions : list of str
        Of "zh", "en", "both".
    """
    written = []
    for edition in editions:
        folder = BUILD / kind / edition
        for path in notebook_files.find():
            notebook = notebook_files.read(path)
            if kind == "student":
                target = folder / path.relative_to(NOTEBOOKS)
                made = student(notebook, edition)
            elif "Exercises" not in sections(notebook):
                continue
            else:
                target = folder / "source" / path.stem / path.name
                made = assignment(notebook, edition)
            target.parent.mkdir(parents=True, exist_ok=True)
            notebook_files.save(made, target)
            written.append(target)
        if kind == "nbgrader":
            config = CONFIG.format(stub=answers.STUB, here=pick(HERE, edition))
            (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    return written


def main(arguments: list[str] | None = None) -> int:
    """Write the copies that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=["student", "nbgrader"])
    parser.add_argument("--edition", choices=language.EDITIONS)
    options = parser.parse_args(arguments)
    editions = [options.edition] if options.edition else ["zh", "en"]
    for path in write(options.kind, editions):
        show(notebook_files.shown(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
