"""A notebook in one language: what is handed to students and shown on slides."""

import re

from nbformat import NotebookNode

from tools.website.ext.bilingual import pick
from tools.website.ext.tagged_cells import keep_html

EDITIONS = ("zh", "en", "both")
HEADING = re.compile(r"^(#+ )(.*)$", re.M)


def keep(notebook: NotebookNode, edition: str) -> NotebookNode:
    """Keep one language of a notebook, in place: its cells, headings and outputs.

    Parameters
    ----------
    notebook : NotebookNode
        A notebook of the book.
    edition : {"zh", "en", "both"}
        What to keep; "both" changes nothing.
    """
    if edition == "both":
        return notebook
    other = {"zh": "en", "en": "zh"}[edition]
    notebook.cells = [
        cell
        for cell in notebook.cells
        if f"lang-{other}" not in cell.metadata.get("tags", [])
    ]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = HEADING.sub(
                lambda found: found[1] + pick(found[2], edition), cell.source
            )
        image = cell.metadata.get("mystnb", {}).get("image", {})
        if "alt" in image:
            image["alt"] = pick(image["alt"], edition)
        for output in cell.get("outputs", []):
            if "text/html" in output.get("data", {}):
                output.data["text/html"] = keep_html(output.data["text/html"], edition)
    return notebook
