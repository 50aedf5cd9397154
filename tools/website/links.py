"""Check the links of the built site.

``python -m tools.website.links`` looks for internal links to pages, files and anchors
that do not exist. With ``--external`` it also asks for each address on other hosts;
that takes minutes and depends on others, so it is done weekly and not in the tests.
"""

import argparse
import gzip
import re
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from tools.workshop.notebook_files import ROOT
from tools.workshop.sentences import show

SITE = ROOT / "_build" / "site"
PACKED = (".png", ".woff", ".woff2", ".jpg")  # hosts send these as they are
# What says "too many requests" or "not for robots" is there all the same.
THERE = {401, 403, 405, 406, 418, 429, 503}


class Page(HTMLParser):
    """The anchors of a page and the addresses that it links to or loads."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src", "action") and value:
                self.links.append(value)


def read(site: Path = SITE) -> dict[Path, Page]:
    """Read all pages of a site."""
    return {
        path.resolve(): Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }


def loaded(page: Path) -> set[Path]:
    """List the files that a browser loads for a page, itself and its fonts included."""
    text = page.read_text(encoding="utf-8")
    found = {page.resolve()}
    for link in Page(re.sub("<a [^>]*>", "", text)).links:
        if link.startswith("data:"):  # a picture that is a part of the page
            continue
        target = (page.parent / link.partition("?")[0]).resolve()
        if target.is_file() and target.suffix != ".html":
            found.add(target)
    for sheet in [path for path in found if path.suffix == ".css"]:
        for name in re.findall(r'url\("([\w./-]+)"\)', sheet.read_text("utf-8")):
            found.add((sheet.parent / name).resolve())
    return found


def sent(file: Path) -> int:
    """Give the bytes that go over the wire for a file, compressed as hosts do it."""
    data = file.read_bytes()
    return len(data if file.suffix in PACKED else gzip.compress(data))


def broken(pages: dict[Path, Page]) -> list[str]:
    """List internal links to what does not exist: page, link, reason."""
    found = []
    for path, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if urlsplit(address).scheme or address.startswith("//"):
                continue
            target = path
            if address:
                target = (path.parent / unquote(urlsplit(address).path)).resolve()
            if not target.is_file():
                found.append(f"{path}: {link}: there is no such file")
            elif anchor and unquote(anchor) not in pages[target].anchors:
                found.append(f"{path}: {link}: there is no such anchor")
    return found


def external(pages: dict[Path, Page]) -> list[str]:
    """List the addresses on other hosts."""
    links = {urldefrag(link)[0] for page in pages.values() for link in page.links}
    return sorted(link for link in links if urlsplit(link).scheme in ("http", "https"))


def ask(address: str) -> str:
    """Ask for an address; give what is wrong with the answer, or an empty string."""
    request = urllib.request.Request(address, headers={"User-Agent": "Mozilla/5.0"})
    try:
        with urllib.request.urlopen(request, timeout=30):
            return ""
    except urllib.error.HTTPError as error:
        return "" if error.code in THERE else f"{address}: {error.code} {error.reason}"
    except (urllib.error.URLError, OSError) as error:
        return f"{address}: {error}"


def main(arguments: list[str] | None = None) -> int:
    """Print the broken links; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--external", action="store_true", help="ask other hosts too")
    options = parser.parse_args(arguments)
    pages = read()
    if not pages:
        show("There is no site in _build/site: run make book", sys.stderr)
        return 1
    found = broken(pages)
    if options.external:
        with ThreadPoolExecutor(8) as pool:
            found += filter(None, pool.map(ask, external(pages)))
    show("\n".join(found) or f"{len(pages)} pages, no broken link")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
