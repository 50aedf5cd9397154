"""What the book consists of, in its order: the pages that ``_toc.yml`` lists.

``python -m tools.website.contents`` says what does not fit together: notebooks that are
listed nowhere, pages that are gone, links to them, and what a chapter still lacks
around its notebook. It exits with 1 if there is anything.
"""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urldefrag

import yaml

from tools.workshop import notebook_files
from tools.workshop.new_chapter import PLACEHOLDER
from tools.workshop.notebook_files import ROOT
from tools.workshop.rules.reading import cells, parse
from tools.workshop.sentences import show

WRONG_ANSWERS = "tests/tools/workshop/wrong_answers"
MODELS = "recsys_tutorial/models"
BREAKS = "tests/mutants/models"


def title() -> str:
    """Give the title of the book, as in ``中文 | English``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["title"]


def parts() -> list[tuple[str, list[str]]]:
    """Give the caption of each part, and its pages; the home page has none."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [
        (part["caption"], [page["file"] for page in part["chapters"]])
        for part in toc["parts"]
    ]
    return [("", [toc["root"]]), *listed]


def pages() -> list[str]:
    """Give the names of all pages, as in ``notebooks/multitask/mmoe``."""
    return [name for _, names in parts() for name in names]


def chapters() -> list[str]:
    """Give the names of the pages that are chapters."""
    return [name for name in pages() if notebook_files.is_chapter(ROOT / name)]


def notebooks() -> dict[str, Path]:
    """Give the notebooks that are there, by the names that ``_toc.yml`` uses."""
    return {_name(path): path for path in notebook_files.find([ROOT / "notebooks"])}


def heading(notebook: dict) -> str:
    """Give the title of a notebook, as `json.loads` gives it: 中文 | English."""
    first = "".join(notebook["cells"][0]["source"])
    return first.partition("\n")[0].lstrip("# ")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def misfits() -> Iterator[str]:
    """Say in a sentence each what does not fit together, and what to do about it."""
    there, listed = notebooks(), pages()
    yield from unlisted(there, listed)
    yield from gone(there, listed)
    yield from dead_links(there)
    yield from papers(there)
    for name, path in there.items():
        if not _answers(path):
            continue
        wrong = f"{WRONG_ANSWERS}/{path.stem}.py"
        if not (ROOT / wrong).is_file():
            yield f"{name} has no wrong answers: write three mistakes into {wrong}"
    yield from models()


def unlisted(there: dict[str, Path], listed: list[str]) -> Iterator[str]:
    """A notebook is a page of the book, or it does not belong there."""
    for name in sorted(set(there) - set(listed)):
        yield (
            f"{name}.ipynb is not in _toc.yml, and so in no edition of the book: list "
            f"{name} there, or remove the file"
        )


def gone(there: dict[str, Path], listed: list[str]) -> Iterator[str]:
    """A page that is listed is there, once."""
    for name in dict.fromkeys(listed):
        if listed.count(name) > 1:
            yield f"_toc.yml lists {name} {listed.count(name)} times: once is enough"
        if name in there or (ROOT / f"{name}.md").is_file():
            continue
        close = difflib.get_close_matches(name, set(there) - set(listed), n=1)
        moved = f" (is it now {close[0]}?)" if close else ""
        yield (
            f"_toc.yml lists {name}, which is not there{moved}: put the file back, or "
            "mend _toc.yml"
        )


def dead_links(there: dict[str, Path]) -> Iterator[str]:
    """What a page of the book links to, in the book, is there."""
    readme = [path for path in (ROOT / "README.md",) if path.is_file()]
    texts = {path: path.read_text(encoding="utf-8") for path in readme}
    for path in sorted((ROOT / "book").rglob("*.md")):
        texts[path] = path.read_text(encoding="utf-8")
    for path in there.values():
        markdown = cells(notebook_files.read(path), "markdown")
        texts[path] = "\n\n".join(cell.source for _, cell in markdown)
    lost: dict[str, list[str]] = {}
    for path, text in texts.items():
        for link in sorted({urldefrag(link).url for link in parse(text).links}):
            target = os.path.normpath(path.parent / unquote(link))
            local = re.search(r"\.(ipynb|md)$", link) and "://" not in link
            if local and not os.path.exists(target):
                name = Path(os.path.relpath(target, ROOT)).as_posix()
                lost.setdefault(name, []).append(path.relative_to(ROOT).as_posix())
    for target, where in lost.items():
        yield f"{target} is not there: mend the links to it in {', '.join(where)}"


def papers(there: dict[str, Path]) -> Iterator[str]:
    """Each chapter is on the map of the papers; a line may wait for its chapter."""
    table = (ROOT / "book" / "papers.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in table[1:]]
    known = {row[0] for row in rows}
    for name, path in there.items():
        chapter = name.removeprefix("notebooks/")
        if notebook_files.is_chapter(path) and chapter not in known:
            yield f"{name} has no line in book/papers.tsv: add {chapter}, its year, ..."
    columns = table[0].split("\t")
    for row in rows:
        if len(row) != len(columns):
            yield (
                f"book/papers.tsv: the line of {row[0]} has {len(row)} columns, "
                f"expected {len(columns)}, with tabs between them"
            )
            continue
        for before in row[columns.index("after")].split():
            if before not in known:
                yield (
                    f"book/papers.tsv: {row[0]} comes after {before}, which has no line"
                )


def models() -> Iterator[str]:
    """Each model has tests, a list of breaks, and is no longer the placeholder."""
    for path in sorted((ROOT / MODELS).glob("[!_]*.py")):
        name = f"{MODELS}/{path.name}"
        if PLACEHOLDER in path.read_text(encoding="utf-8"):
            yield f"{name} holds the placeholder: write the paper's model"
        test = f"tests/models/test_{path.name}"
        if not (ROOT / test).is_file():
            yield f"{name} has no tests: write {test}"
        breaks = f"{BREAKS}/{path.stem}.toml"
        if not (ROOT / breaks).is_file():
            yield (
                f"{name} has no list of mistakes: write five or more into {breaks} "
                "(tests/mutants/README.md says how)"
            )


def _answers(path: Path) -> bool:
    return any(cells(notebook_files.read(path), "code", "answer"))


def main() -> int:
    """Print what does not fit together; 1 if there is anything."""
    try:
        found = list(misfits())
    except (OSError, ValueError) as error:
        show(str(error), sys.stderr)
        return 1
    for sentence in found:
        show(sentence)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
