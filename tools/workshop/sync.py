"""Write into the notebooks what has its source elsewhere.

* A code cell tagged ``source=recsys_tutorial.models.mmoe.MMoE`` shows that object's
  source text.
* The code cell tagged ``bootstrap`` installs the package, from the address in
  ``_config.yml``, where it is missing.
* The Markdown cell tagged ``colab-badge`` links to this notebook in Colab.

``python -m tools.workshop.sync [paths]`` rewrites these cells; with ``--check`` it only
lists the cells that differ, and exits with 1 if there are any.
"""

import argparse
import inspect
import pkgutil
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from nbformat import NotebookNode

from tools.workshop import notebook_files
from tools.workshop.notebook_files import ROOT, place
from tools.workshop.sentences import show

CONFIG = ROOT / "_config.yml"
NOT_PUBLISHED = "<!-- The Colab badge stands here once the book is published. -->"
BADGE = """\
[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]\
(https://colab.research.google.com/github/{name}/blob/{branch}/{path})"""
BOOTSTRAP = """\
# In Colab this installs the book's package; at home it is installed already.
import importlib.util

if importlib.util.find_spec("recsys_tutorial") is None:
"""
INSTALL = "    %pip install --quiet git+{url}"
INSTALL_FAISS = '    %pip install --quiet "recsys-tutorial[retrieval] @ git+{url}"'
REFUSE = """\
    raise ModuleNotFoundError(
        "没有安装 recsys_tutorial，这份书里也没有写发布地址：请在书的文件夹里运行 "
        "`pip install .` | recsys_tutorial is not installed, and this copy of the "
        "book does not say where it is published: run `pip install .` in the book's "
        "folder"
    )"""


class Repository(NamedTuple):
    """Where the book is published; `url` is empty while it is not."""

    url: str
    branch: str


class Difference(NamedTuple):
    """A cell whose text is not what it should be."""

    cell: int
    tag: str
    text: str


def repository(config: Path = CONFIG) -> Repository:
    """Read the address from the ``repository`` part of ``_config.yml``.

    Raises
    ------
    ValueError
        If the address is not that of a public repository.
    """
    part = yaml.safe_load(config.read_text(encoding="utf-8")).get("repository") or {}
    url = (part.get("url") or "").strip().rstrip("/").removesuffix(".git")
    if url and not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w./-]+", url):
        raise ValueError(
            f"{config.name}: repository: url: is {url!r}, expected "
            "https://HOST/OWNER/NAME, or nothing while the book is not published"
        )
    return Repository(url, part.get("branch") or "main")


def bootstrap_text(where: Repository, faiss: bool = False) -> str:
    """Give the text of the first code cell, the same in all notebooks.

    Only one that searches with faiss, which Colab has not, asks for the extra.
    """
    install = INSTALL_FAISS if faiss else INSTALL
    return BOOTSTRAP + (install.format(url=where.url) if where.url else REFUSE)


def badge_text(where: Repository, path: Path) -> str:
    """Give the text of the Colab badge of the notebook at `path`.

    Colab opens notebooks from GitHub only; elsewhere the cell holds a comment.
    """
    host, _, name = where.url.removeprefix("https://").partition("/")
    if host != "github.com":
        return NOT_PUBLISHED
    path = notebook_files.shown(path)
    return BADGE.format(name=name, branch=where.branch, path=path)


def source_text(name: str) -> str:
    """Give the source text of a class or function.

    Parameters
    ----------
    name : str
        Module path and object name, as in ``recsys_tutorial.layers.MLP`` or
        ``recsys_tutorial.models.mmoe.MMoE.forward``.

    Raises
    ------
    ValueError
        If there is no such object, or it has no source text.
    """
    try:
        found = pkgutil.resolve_name(name)
        return textwrap.dedent(inspect.getsource(found)).rstrip("\n")
    except (ImportError, AttributeError, ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"the tag source={name} must name a class or function, module path and "
            f"all, whose source text there is ({error})"
        ) from None


def differences(
    notebook: NotebookNode, path: Path, where: Repository
) -> Iterator[Difference]:
    """Find the cells whose text is not what `sync` would write."""
    faiss = any("from recsys_tutorial.retrieval" in c.source for c in notebook.cells)
    for index, cell in enumerate(notebook.cells):
        for tag in cell.metadata.get("tags", []):
            if tag == "bootstrap":
                text = bootstrap_text(where, faiss)
            elif tag == "colab-badge":
                text = badge_text(where, path)
            elif tag.startswith("source="):
                text = source_text(tag.removeprefix("source="))
            else:
                continue
            if cell.source != text:
                yield Difference(index, tag, text)


def main(arguments: list[str] | None = None) -> int:
    """Sync or check the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="notebooks or folders (default: all)")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(arguments)
    found = 0
    try:
        published = repository()
        for path in notebook_files.find(options.paths):
            notebook = notebook_files.read(path)
            try:
                stale = list(differences(notebook, path, published))
            except ValueError as error:
                raise ValueError(f"{notebook_files.shown(path)}: {error}") from None
            found += len(stale)
            for index, tag, text in stale:
                cell = notebook.cells[index]
                where = f"{notebook_files.shown(path)} {place(index, cell)}"
                show(f"{where}: {tag}")
                cell.source = text
            if stale and not options.check:
                notebook_files.save(notebook, path)
                if any(tag.startswith("source=") for _, tag, _ in stale):
                    show("  its outputs are those of the old text; now run make run")
    except (ValueError, OSError) as error:
        show(str(error), sys.stderr)
        return 1
    if options.check and found:
        show("These cells differ from their source; run make sync")
    return int(options.check and found > 0)


if __name__ == "__main__":
    sys.exit(main())
