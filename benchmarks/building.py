"""How long the site takes to build, and how heavy its pages are.

``python -m benchmarks.building``, with the book's environment. Each edition is built
alone, from nothing; ``make book`` builds all three at once. The weight of a page is
that of its HTML and of the pictures that are a part of it, as they lie on a disk and
as a server sends them (gzip); style, scripts and font, which all pages share and a
browser keeps, are in a line of their own.

Saved columns, in ``building.csv``: ``edition``, ``seconds``, number of ``pages``, their
``megabytes``. In ``pages.csv``: ``page``, ``edition``, ``kilobytes``, ``sent`` (also
kilobytes), and the ``id`` that joins page and edition.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.store import save
from tools.website import editions, links

ROOT = Path(__file__).resolve().parents[1]

SHARED = (".css", ".js", ".woff", ".woff2")


def weigh(edition: str, site: Path) -> list[dict]:
    """Weigh every page of an edition, and what they share."""
    rows = []
    for page in sorted(site.rglob("*.html")):
        name = str(page.relative_to(site).with_suffix(""))
        own = {file for file in links.loaded(page) if file.suffix not in SHARED}
        rows.append(line(name, edition, own))
    shared = {f for f in (site / "_static").rglob("*") if f.suffix in SHARED}
    return [*rows, line("(shared by all)", edition, shared)]


def line(page: str, edition: str, files: set[Path]) -> dict:
    return {
        "id": f"{edition}/{page}",
        "page": page,
        "edition": edition,
        "kilobytes": sum(file.stat().st_size for file in files) / 1000,
        "sent": sum(map(links.sent, files)) / 1000,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", metavar="FOLDER", help="keep both tables there")
    options = parser.parse_args()
    built, pages = [], []
    with TemporaryDirectory() as folder:
        target = Path(folder)
        for edition in editions.LANGUAGES:
            start = time.perf_counter()
            command = editions.command(edition, target / "editions" / edition, "")
            done = subprocess.run(command, capture_output=True, encoding="utf-8")
            if done.returncode:
                sys.exit(f"{edition}: {editions.reason(done.stdout + done.stderr)}")
            seconds = time.perf_counter() - start
            built.append({"edition": edition, "seconds": seconds})
            print(f"{edition}: {seconds:.0f} s", flush=True)
        editions.assemble(target, "")
        for row in built:
            found = weigh(row["edition"], target / "site" / row["edition"])
            row["pages"] = len(found) - 1
            row["megabytes"] = sum(page["kilobytes"] for page in found) / 1000
            pages += found
    built, pages = pd.DataFrame(built), pd.DataFrame(pages)
    print(built.round(1).to_string(index=False))
    print(pages.sort_values("sent").tail(12).round(0).to_string(index=False))
    if options.save:
        save(Path(options.save) / "building.csv", built, "edition")
        save(Path(options.save) / "pages.csv", pages, "id")


if __name__ == "__main__":
    main()
