"""The rules that hold between the links in the book and ``references.bib``."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from nbformat import NotebookNode
from pybtex.database import parse_file

from tools.workshop.notebook_files import ROOT
from tools.workshop.rules.reading import Problem, cells, parse, sections

BIBLIOGRAPHY = ROOT / "book" / "references.bib"
CITE = re.compile(r"\{cite[:\w]*\}`([^`]+)`")
ADDRESS = re.compile(r"https?://[^\s)>\"'`\]]+(?:\([^\s)]*\)[^\s)>\"'`\]]*)?")


def load(path: Path = BIBLIOGRAPHY) -> dict[str, set[str]]:
    """Read the bibliography: key -> what `identity` makes of the entry's addresses."""
    entries = {}
    for key, entry in parse_file(str(path)).entries.items():
        fields = entry.fields
        addresses = [fields["url"]] if "url" in fields else []
        if "doi" in fields:
            addresses.append(f"https://doi.org/{fields['doi']}")
        if "eprint" in fields:
            addresses.append(f"https://arxiv.org/abs/{fields['eprint']}")
        entries[key] = {identity(address) for address in addresses}
    return entries


def identity(address: str) -> str:
    """Give one name to all addresses of the same thing.

    ``doi:10.1145/...`` and ``arxiv:1804.07931`` for papers, without version, else the
    address without scheme and final slash.
    """
    address = unquote(address).strip().lower()
    if found := re.search(
        r"arxiv[./](?:org/)?(?:abs/|pdf/)?(\d{4}\.\d+|[a-z-]+/\d{7})", address
    ):
        return f"arxiv:{found[1]}"
    if found := re.search(r"/(10\.\d{4,9}/[^\s?#]+)", address):
        return f"doi:{found[1]}"
    return re.sub(r"^https?://(www\.)?|/$", "", address)


def cited(notebook: NotebookNode, entries: dict[str, set[str]]) -> Iterator[Problem]:
    """Papers that a notebook links to, and its references, are in the bibliography."""
    known = set().union(*entries.values())
    section = sections(notebook)
    for index, cell in cells(notebook, "markdown"):
        markdown = parse(cell.source)
        for link in markdown.links:
            name = identity(link)
            if name.startswith(("doi:", "arxiv:")) and name not in known:
                yield Problem(index, f"{link} is not in book/references.bib: add it")
        for block in markdown.blocks:
            listed = section[index] == "References" and block.kind == "item"
            if listed and not known & {identity(link) for link in block.links}:
                yield Problem(
                    index,
                    f"the reference {block.text[:30]!r} does not link to an entry of "
                    "book/references.bib",
                )


def references(notebook: NotebookNode) -> Iterator[Problem]:
    """A chapter lists what it draws on."""
    section = sections(notebook)
    listed = [
        block
        for index, cell in cells(notebook, "markdown")
        if section[index] == "References"
        for block in parse(cell.source).blocks
        if block.kind == "item"
    ]
    if not listed:
        yield Problem(None, "no references: list the paper below 参考 | References")


def never_cited(
    entries: dict[str, set[str]],
    notebooks: Iterable[NotebookNode],
    pages: Iterable[str],
) -> Iterator[Problem]:
    """Each entry of the bibliography is cited by a notebook or a page of the book."""
    keys, names = set(), set()
    for page in pages:
        for group in CITE.findall(page):
            keys |= {key.strip() for key in group.split(",")}
        names |= {identity(address) for address in ADDRESS.findall(page)}
    for notebook in notebooks:
        for _, cell in cells(notebook, "markdown"):
            names |= {identity(link) for link in parse(cell.source).links}
    for key, own in entries.items():
        if key not in keys and not own & names:
            yield Problem(None, f"{key} is cited by no notebook and no page: remove it")
