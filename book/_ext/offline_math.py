"""MathJax that comes with the site: no page asks another host for it."""

import importlib.util
import shutil
from pathlib import Path

MATHJAX = "mathjax/tex-chtml.js"
# The script; its fonts; what it loads when a formula or its menu asks for more.
PARTS = (
    "tex-chtml.js",
    "output/chtml/fonts/woff-v2",
    "input/tex/extensions",
    "a11y",
    "sre",
)


def use_own(app, config) -> None:
    """On ``config-inited``: point Sphinx at the copy in ``_static``."""
    config.mathjax_path = MATHJAX
    config.mathjax_options.setdefault("defer", "defer")


def copy(app, exception) -> None:
    """On ``build-finished``: copy MathJax from the package that carries it."""
    if exception or app.builder.format != "html":
        return
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    source = Path(package.submodule_search_locations[0], "static", "mathjax")
    target = Path(app.outdir, "_static", "mathjax")
    if (target / "tex-chtml.js").exists():
        return
    for part in PARTS:
        place = source / part
        if place.is_dir():
            shutil.copytree(place, target / part, dirs_exist_ok=True)
        elif place.is_file():
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place, target / part)


def setup(app):
    """Register both steps."""
    app.connect("config-inited", use_own, priority=900)
    app.connect("build-finished", copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
