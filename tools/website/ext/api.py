"""The pages on the package: Sphinx makes them from the docstrings.

Of a class of results, a named tuple, the fields stand in the head of its entry; Sphinx
would list them once more, each as "Alias for field number 0". Formulas stand between
dollars in docstrings, as in the notebooks, where their source is shown.
"""

import re

FORMULA = re.compile(r"\$([^$]+)\$")


def leave_out_fields(app, what, name, found, skip, options) -> bool | None:
    """On ``autodoc-skip-member``: a field of a named tuple says nothing of its own."""
    said = getattr(found, "__doc__", None) or ""
    return True if said.startswith("Alias for field number") else None


def typeset(app, what, name, found, options, lines: list[str]) -> None:
    """On ``autodoc-process-docstring``: formulas, as Sphinx wants them."""
    lines[:] = FORMULA.sub(r":math:`\1`", "\n".join(lines)).split("\n")


def setup(app):
    """Use it for every edition."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("autodoc-skip-member", leave_out_fields)
    app.connect("autodoc-process-docstring", typeset)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
