"""Find, read and save the book's notebooks: what the other scripts here share."""

import os
from collections.abc import Iterable
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHAPTER_FOLDERS = ("multitask", "sequence", "coldstart", "generative")

# What a committed notebook says about itself and its cells, and nothing else.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
CELL_METADATA = ("tags", "mystnb")
# What tools/workshop/fingerprint.py keeps beside it.
FINGERPRINT = "fingerprint"
FIRST_WORDS = 40  # characters of a cell that a message shows
# The outputs of the package's own kinds, as `recsys_tutorial.claims` and `live` call
# them: written down once more, since these take seconds to import.
CLAIMS = "application/vnd.recsys-tutorial.claims+json"
LIVE = "application/vnd.recsys-tutorial.live+json"


def find(paths: Iterable[str | Path] = ()) -> list[Path]:
    """List the notebooks among and below `paths`; without any, all of the book's.

    A path may be a chapter's name, too: ``multitask/mmoe``, or ``mmoe`` alone.

    Raises
    ------
    FileNotFoundError
        If a path does not exist, or is a file but not a notebook.
    """
    found = []
    for path in [Path(path) for path in paths] or [NOTEBOOKS]:
        if not path.exists() and not path.is_absolute():
            named = list(NOTEBOOKS.rglob(f"{path}.ipynb"))
            path = named[0] if len(named) == 1 else path
        if path.is_dir():
            below = sorted(path.rglob("*.ipynb"))
            found += [p for p in below if ".ipynb_checkpoints" not in p.parts]
        elif path.is_file() and path.suffix == ".ipynb":
            found.append(path)
        else:
            raise FileNotFoundError(
                f"{path} is neither a notebook (.ipynb) nor a folder of notebooks"
            )
    return list({path.resolve(): path for path in found}.values())


def read(path: Path) -> nbformat.NotebookNode:
    """Read a notebook just as it stands in the file: nothing is repaired on the way.

    Raises
    ------
    ValueError
        If the file is not a notebook of format 4.
    """
    try:
        notebook = nbformat.v4.reads(path.read_text(encoding="utf-8"))
        version, cells = notebook.nbformat, notebook.cells
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"{path} does not hold a Jupyter notebook") from None
    if version != 4 or not isinstance(cells, list):
        raise ValueError(f"{path} is of notebook format {version}, expected 4.5")
    return notebook


def text(notebook: nbformat.NotebookNode) -> str:
    """Give the one way a notebook is written: stable, readable in a diff."""
    return nbformat.v4.writes(notebook) + "\n"


def save(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook in one step: a reader sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text(notebook), encoding="utf-8", newline="\n")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def shown(path: Path) -> str:
    """Give the path to print: from the book's folder on, where it lies in there."""
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def place(index: int, cell: nbformat.NotebookNode) -> str:
    """Name a cell in a message, as all messages do: ``cell 12 (import torch)``.

    The number counts all cells, from 0; in brackets stand the cell's first words.
    """
    first = (cell.source.strip() or "empty").splitlines()[0]
    short = first if len(first) <= FIRST_WORDS else f"{first[: FIRST_WORDS - 1]}…"
    return f"cell {index} ({short})"


def is_chapter(path: Path) -> bool:
    """Say whether the notebook is a chapter: it lies in a folder of chapters."""
    return path.resolve().parent.name in CHAPTER_FOLDERS
