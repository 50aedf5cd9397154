"""Rules about the outputs that are committed with a notebook."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

from recsys_tutorial.budget import VARIABLE
from tools.workshop.notebook_files import CLAIMS, LIVE
from tools.workshop.rules.prose import chinese_slips
from tools.workshop.rules.reading import (
    CJK,
    Problem,
    cells,
    halves,
    language,
    output_texts,
    tags,
)

PICTURES = {"image/png", "image/jpeg", "image/svg+xml"}
TEXTS = {"text/plain", "text/html", "text/latex", "text/markdown"}
KINDS = PICTURES | TEXTS | {CLAIMS, LIVE}
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+|\b0x7f[0-9a-f]+")
QUICK = re.compile(rf"\bquick_run\b|{VARIABLE}")
MACHINE_PATH = re.compile(r"(/home/|/Users/|/root/|/tmp/|[A-Z]:\\Users)\S*")


def outputs(notebook: NotebookNode) -> Iterator[Problem]:
    """An output says nothing about the machine and the run that it comes from."""
    for index, cell in cells(notebook, "code"):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                first = output.text.strip().partition("\n")[0][:80]
                glyph = "Glyph" in output.text and "missing" in output.text
                advice = "use English labels" if glyph else "mend what it warns of"
                yield Problem(index, f"output on stderr ({first}): {advice}")
            for mime in set(output.get("data", {})) - KINDS:
                yield Problem(
                    index,
                    f"output of type {mime}: run make run",
                )
            for text in output_texts(output):
                if found := ADDRESS.search(text):
                    yield Problem(
                        index,
                        f"the output holds an object's address ({found[0]}): end the "
                        "cell with a value worth reading, or with a semicolon",
                    )
                if found := MACHINE_PATH.search(text):
                    yield Problem(
                        index, f"the output holds a path of one machine ({found[0]})"
                    )


def full_run(notebook: NotebookNode) -> Iterator[Problem]:
    """What is committed comes from a run at the full budget."""
    for index, cell in cells(notebook, "code"):
        if QUICK.search(cell.source):
            yield Problem(
                index,
                "asks for a quick run, which is for trying: take it out, and run the "
                "notebook in full with make run",
            )
        records = [r for o in cell.outputs for r in o.get("data", {}).get(CLAIMS, [])]
        if any(record.get("verdict") == "quick run" for record in records):
            yield Problem(
                index, "its claims have no verdict, being of a quick run: make run"
            )


def exact_outputs(notebook: NotebookNode) -> Iterator[Problem]:
    """A cell whose output is compared has one."""
    for index, cell in cells(notebook, "code", "nbval-check-output"):
        if cell.execution_count and not cell.outputs:
            yield Problem(index, "tagged nbval-check-output, but there is no output")


def figures(notebook: NotebookNode) -> Iterator[Problem]:
    """A cell draws one figure, folds its code and has alternative text."""
    for index, cell in cells(notebook, "code"):
        drawn = pictures(cell)
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if not drawn:
            if image and cell.execution_count:
                yield Problem(index, "has alternative text, but no image output")
            continue
        if len(drawn) > 1:
            yield Problem(
                index, f"{len(drawn)} images in one cell: one cell, one claim"
            )
        if not {"hide-input", "solution"} & set(tags(cell)):
            yield Problem(index, "draws a figure: tag it hide-input")
        chinese, english = halves(image.get("alt", ""))
        if not re.search(f"[{CJK}]", chinese) or not english:
            yield Problem(
                index,
                "a figure needs alternative text in the cell's metadata: "
                '"mystnb": {"image": {"alt": "中文 | English"}}',
            )
        elif re.search(f"[{CJK}]", english):
            yield Problem(index, "the alternative text's English half holds Chinese")
        for slip in chinese_slips(chinese):
            yield Problem(index, f"alternative text: {slip}")
        for bundle in drawn:
            if re.search(f"[{CJK}]", bundle.get("image/svg+xml", "")):
                yield Problem(
                    index, "Chinese in an SVG figure needs a font: use English labels"
                )
            if "image/svg+xml" in bundle and "image/png" not in bundle:
                yield Problem(
                    index,
                    "an SVG without a PNG beside it cannot be seen where the notebook "
                    "is not signed: plots.use_book_style() draws both",
                )


def pictures(cell: NotebookNode) -> list[dict[str, str]]:
    """Give the figures among a code cell's outputs: each as type -> data."""
    found = [
        {k: v for k, v in output.get("data", {}).items() if k in PICTURES}
        for output in cell.outputs
    ]
    return list(filter(None, found))


def captions(notebook: NotebookNode) -> Iterator[Problem]:
    """A caption in both languages follows each figure; figures are numbered.

    The live figure has no number: a chapter has one.
    """
    number = 0
    for index, cell in cells(notebook, "code"):
        if not pictures(cell) or "solution" in tags(cell):
            continue
        if any(LIVE in output.get("data", {}) for output in cell.outputs):
            starts = {"zh": "**互动图**", "en": "**Live figure**"}
        else:
            number += 1
            starts = {"zh": f"**图 {number}", "en": f"**Figure {number}"}
        after = notebook.cells[index + 1 : index + 3]
        if [language(twin) for twin in after] != list(starts) or not all(
            re.match(re.escape(starts[language(twin)]) + r"(?!\d)", twin.source)
            for twin in after
        ):
            yield Problem(
                index,
                f"the language pair after this figure must start with {starts['zh']} "
                f"and {starts['en']}",
            )


def live_figure(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter has one figure that its reader can move."""
    found = [
        index
        for index, cell in cells(notebook, "code")
        for output in cell.outputs
        if LIVE in output.get("data", {})
    ]
    if not found:
        yield Problem(
            None,
            "no live figure: CONTRIBUTING.md says how one is made, and make run draws "
            "it",
        )
    for index in found[1:]:
        yield Problem(index, "a second live figure: a chapter has one")


def claims(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter says what the paper claims and what was measured."""
    if not any(
        CLAIMS in output.get("data", {})
        for _, cell in cells(notebook, "code")
        for output in cell.outputs
    ):
        yield Problem(
            None,
            "no cell ends with claims: collect what the paper says and what was "
            "measured in a recsys_tutorial.claims.Claims",
        )
