"""The pages that collect all exercises, and all solutions with their outputs.

A page says ``<!-- exercises -->`` or ``<!-- solutions -->`` where they go. Before the
page is parsed, that line becomes text: a heading per chapter, below it one per exercise
with a link to its place in the chapter. All of it comes from the committed notebooks,
in the order of the table of contents.

An exercise is shown with its text and its hint; one that checks itself also with the
head of the function that is asked for. A solution is shown with its outputs and its
check.
"""

import base64
import html
import json
import posixpath
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.transforms import SphinxTransform

from tools.website import contents
from tools.website.ext.bilingual import anchor, pick
from tools.website.ext.tagged_cells import FENCE, keep_html, tidy_table
from tools.workshop import answers

MARKERS = {"<!-- exercises -->": "exercises", "<!-- solutions -->": "solutions"}
SECTION = "## 练习 | Exercises"
NAME = re.compile(r"-(exercise|solution)-\d+$")
# A link to a place in the book, as a notebook writes it.
LINK = re.compile(r"\]\((?=#|[^)\s:]+\.(?:ipynb|md)\b)([^)\s#]*)")


class Exercise(NamedTuple):
    """A heading without its marks, and the cells below it."""

    title: str
    cells: list[dict]


def exercises_in(notebook: dict) -> list[Exercise]:
    """List the exercises of a notebook, as `json.loads` gives it; there may be none."""
    found: list[Exercise] = []
    inside = False
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if source.startswith("## "):
            inside = source.strip() == SECTION
        elif inside and source.startswith("### "):
            found.append(Exercise(source[4:].strip(), []))
        elif inside and found:
            found[-1].cells.append(cell | {"source": source})
    return found


def chapter(notebook: dict, path: str, kind: str, edition: str) -> str:
    """Write the exercises, or the solutions, of one notebook as MyST text.

    Parameters
    ----------
    notebook : dict
        A notebook as `json.loads` gives it.
    path : str
        The notebook, as the page links to it.
    kind : {"exercises", "solutions"}
        What to write.
    edition : {"zh", "en", "both"}
        What to keep of outputs and alternative texts.

    Returns
    -------
    str
        Empty if the notebook has no exercises.
    """
    found = exercises_in(notebook)
    if not found:
        return ""
    parts = ["## " + linked(contents.heading(notebook), path, "")]
    for number, exercise in enumerate(found, start=1):
        # The name of the place: the titles of exercises recur.
        name = f"{Path(path).stem}-{kind[:-1]}-{number}".replace("_", "-")
        parts.append(f"({name})=")
        parts.append("### " + linked(exercise.title, path, anchor(exercise.title)))
        for cell in exercise.cells:
            tags = cell["metadata"].get("tags", [])
            if {"solution", "check"} & set(tags):
                if kind == "solutions":
                    parts += [code(cell["source"]), *outputs(cell, edition)]
                elif "answer" in tags:
                    parts.append(code(answers.emptied(cell["source"])))
            elif kind == "exercises":
                parts.append(given(cell, tags, path))
    return "\n\n".join(parts)


def linked(title: str, path: str, place: str) -> str:
    """Make both halves of a title links to a place in the notebook."""
    target = f"{path}#{place}" if place else path
    return " | ".join(f"[{half}]({target})" for half in title.split(" | "))


def given(cell: dict, tags: list[str], path: str) -> str:
    """Write a cell that an exercise consists of: text in one language, or shared."""
    if cell["cell_type"] == "code":
        return code(cell["source"])

    def moved(link: re.Match) -> str:
        target = link[1]
        if target:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        return f"]({target or path}"

    text = LINK.sub(moved, cell["source"])
    for language in ("zh", "en"):
        if f"lang-{language}" in tags:
            return f"{FENCE}{{{language}}}\n{text}\n{FENCE}"
    return text


def code(source: str, language: str = "python") -> str:
    """Fence code, or what it prints."""
    return f"``````{language}\n{source}\n``````"


def outputs(cell: dict, edition: str) -> list[str]:
    """Write what a cell shows: text, HTML, figures."""
    options = cell["metadata"].get("mystnb", {})
    alt = pick(options.get("image", {}).get("alt", ""), edition)
    found = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        # of a figure's two pictures the sharper: an SVG comes last by name
        if kind := max(
            (kind for kind in data if kind.startswith("image/")), default=""
        ):
            found.append(wide(image(kind, "".join(data[kind]), alt)))
        elif "text/html" in data:
            text = keep_html("".join(data["text/html"]), edition)
            found.append(wide(tidy_table(text)))
        else:
            text = "".join(data.get("text/plain", output.get("text", "")))
            found.append(code(text.rstrip("\n"), "text"))
    start, end = raw('<div class="cell_output">'), raw("</div>")
    return [f"{start}\n\n{text}\n\n{end}" for text in found]


def raw(text: str) -> str:
    """Fence HTML."""
    return f"``````{{raw}} html\n{text}\n``````"


def wide(text: str) -> str:
    """Fence HTML, in the element that lets wide tables scroll."""
    return raw(f'<div class="output">{text}</div>')


def image(kind: str, data: str, alt: str) -> str:
    """Write a figure into the page itself: the chapter's own file has no fixed name."""
    if kind == "image/svg+xml":
        data = base64.b64encode(data.encode()).decode()
    return (
        f'<img src="data:{kind};base64,{"".join(data.split())}" '
        f'alt="{html.escape(alt)}">'
    )


def collect(app, docname: str, source: list[str]) -> None:
    """On ``source-read``: put the exercises or solutions where a page asks for them."""
    marker = next((m for m in MARKERS if m in source[0].splitlines()), None)
    if marker is None:
        return
    parts = []
    for name in app.config.external_site_map:
        path = Path(app.env.doc2path(name))
        if path.suffix == ".ipynb" and name in app.env.found_docs:
            app.env.note_dependency(str(path))
            notebook = json.loads(path.read_text(encoding="utf-8"))
            here = posixpath.relpath(name + path.suffix, posixpath.dirname(docname))
            parts.append(chapter(notebook, here, MARKERS[marker], app.config.edition))
    source[0] = source[0].replace(marker, "\n\n".join(filter(None, parts)))


class NameExercises(SphinxTransform):
    """Let the name written above a heading be its first anchor, which links use."""

    default_priority = 301  # when `bilingual` has named the others

    def apply(self) -> None:
        for section in self.document.findall(nodes.section):
            named = [i for i in section["ids"] if NAME.search(i)]
            if named:
                rest = [i for i in section["ids"] if i not in named]
                section["ids"] = named + rest


def setup(app):
    """Register the pages' text, and the names of their places."""
    app.add_transform(NameExercises)
    app.connect("source-read", collect)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
