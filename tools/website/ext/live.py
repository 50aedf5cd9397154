"""Figures that move: where they stand on a page, and the files that come with them.

A notebook keeps the numbers of its live figure in an output of its own kind, below the
picture (`recsys_tutorial.live`). A page gets an empty place for it; ``book.js`` fetches
the scripts when the place is near. They lie beside the pages, in ``_static/live``. On
a page of prose the directive `Instead` asks for the figure of a chapter.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools.workshop import notebook_files
from tools.workshop.notebook_files import LIVE


class Instead(SphinxDirective):
    """``{live} mmoe``: on a page of prose, a chapter's figure in place of a picture."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.assert_has_content()
        box = nodes.container(classes=["instead"])
        self.state.nested_parse(self.content, self.content_offset, box)
        box += nodes.raw("", place(self.arguments[0]), format="html")
        return [box]


def place(name: str) -> str:
    """Give the HTML that a page has in the place of a live figure."""
    return f'<div class="live" data-live="{name}"></div>'


def records(notebook: dict) -> Iterator[dict]:
    """Iterate over what a notebook keeps of its live figures."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if LIVE in output.get("data", {}):
                yield output["data"][LIVE]


def write(app, error: Exception | None) -> None:
    """On ``build-finished``: write the scripts and the numbers of all live figures."""
    if error or app.builder.format != "html":
        return
    from recsys_tutorial import live  # and with it torch: not before a build needs it

    target = Path(app.outdir) / "_static" / "live"
    target.mkdir(parents=True, exist_ok=True)
    for file in live.FOLDER.iterdir():
        shutil.copy2(file, target)
    for path in notebook_files.find():
        for kept in records(notebook_files.read(path)):
            handed = live.handed(live.payload(kept)) + "\n"
            numbers = target / f"{kept['name']}-numbers.js"
            numbers.write_text(handed, encoding="utf-8")


def setup(app):
    """Do it for each edition."""
    app.add_directive("live", Instead)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
