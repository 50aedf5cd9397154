"""Print the book: ``make pdf``, or one page of it: ``make pdf NAME=multitask/mmoe``.

The pages of the built site become one document, with the site's own styles for paper,
and a browser prints it: the one that the tests use. A chapter is a hand-out, such as
``_build/pdf/zh/multitask/mmoe.pdf``; ``_build/pdf/recsys-book-zh.pdf`` is the whole
book, with a title page, a table of contents and bookmarks. Links within what is printed
stay links.

The site offers what was printed from it: the file is copied beside its page, the book
beside the home page, and the page gets a link to it. A site that is built anew starts
without, since its pages may say something else by now.

A hand-out is without solutions; ``SOLUTIONS=1`` prints them, and the site does not
offer those. Code that is folded on the site is left out, hints are printed.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

from tools.course.printed import LANGUAGES, document
from tools.website import contents, links
from tools.website.ext.bilingual import pick
from tools.workshop.notebook_files import ROOT
from tools.workshop.sentences import Problem, say, show

BUILD = ROOT / "_build" / "pdf"
HOME = "book/index"  # the page that offers the whole book
THE_BOOK = "整本书 PDF | The book as PDF"
THIS_PAGE = "本页 PDF | This page as PDF"
PLACE = "<!-- pdf -->"  # where a page has its links to what was printed
OFFER = '<a class="button" href="{}" type="application/pdf">{} · {:.1f} MB</a>'
# These collect what the chapters have already.
COLLECTIONS = ("book/teaching/exercises", "book/teaching/solutions")
# What is too wide for the paper gets smaller; what is folded opens, but for code; long
# code may be cut, since pushed to the next page it would leave half of this one empty.
PREPARE = """solutions => {
  for (const fold of document.querySelectorAll("details"))
    fold.open = !fold.classList.contains("hide")
      || (solutions && fold.closest(".tag_solution") !== null);
  for (const box of document.querySelectorAll("div.math, .wide-table, .output")) {
    const share = box.clientWidth / box.scrollWidth;
    if (share < 1) box.style.fontSize = `${Math.max(share * 0.98, 0.5)}em`;
  }
  for (const code of document.querySelectorAll(".cell_input"))
    if (code.offsetHeight > 320)
      for (const box of [code, ...code.querySelectorAll(".highlight")])
        box.style.breakInside = "auto";
}"""
WIDTH = 658  # what is between the margins of A4, in CSS pixels


def write(page: Page, text: str, target: Path, solutions: bool) -> PdfReader:
    """Print an HTML document to `target`; open the PDF."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".html")
    source.write_text(text, encoding="utf-8")
    try:
        page.goto(source.as_uri())
        page.evaluate("document.fonts.ready")
        page.evaluate(PREPARE, solutions)
        page.pdf(
            path=target,
            prefer_css_page_size=True,
            print_background=True,
            outline=True,
            tagged=True,
        )
    finally:
        source.unlink()
    return PdfReader(target)


def starts(pdf: PdfReader) -> list[int]:
    """Give the pages on which the bookmarks of the first level lead, from 1 on."""
    marks = [mark for mark in pdf.outline if not isinstance(mark, list)]
    return [pdf.get_destination_page_number(mark) + 1 for mark in marks]


def print_pages(
    page: Page,
    names: list[str],
    edition: str,
    target: Path,
    solutions: bool = False,
    site: Path = links.SITE,
) -> PdfReader:
    """Print pages of the site to one PDF; a book twice, to know its page numbers."""
    pdf = write(page, document(names, edition, site), target, solutions)
    if len(names) > 1:
        numbers = starts(pdf)[1:]  # the first is the table of contents
        text = document(names, edition, site, numbers)
        pdf = write(page, text, target, solutions)
    return pdf


def offer(pdf: Path, page: Path, what: str) -> None:
    """Put a PDF beside a page of the site, and a link to it on the page.

    One that was there under this name is replaced, with its link.

    Parameters
    ----------
    pdf : Path
        What was printed.
    page : Path
        The HTML of the page.
    what : str
        The words of the link, in the page's language.
    """
    shutil.copy2(pdf, page.with_name(pdf.name))
    link = OFFER.format(pdf.name, what, pdf.stat().st_size / 1e6)
    text = page.read_text(encoding="utf-8")
    text = re.sub(f'<a class="button" href="{re.escape(pdf.name)}".*?</a>', "", text)
    page.write_text(text.replace(PLACE, link + PLACE), encoding="utf-8")


@contextmanager
def browser() -> Iterator[Page]:
    """Open a page of the browser that lays out as on paper."""
    with sync_playwright() as playwright:
        program = start(playwright)
        page = program.new_page(viewport={"width": WIDTH, "height": 1000})
        page.emulate_media(media="print")
        page.set_default_timeout(600_000)
        yield page
        program.close()


def start(playwright) -> Browser:
    """Start the system's Chromium, or the one that Playwright has installed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    own = playwright.chromium.executable_path
    if found is None and not Path(own).exists():
        raise Problem(
            "打印需要 Chromium 浏览器，这里没有：请安装 chromium（Debian 或 Ubuntu："
            "apt install chromium），或运行 .venv/bin/playwright install chromium。",
            "Printing needs the browser Chromium, which is not here: install chromium "
            "(Debian or Ubuntu: apt install chromium), or run "
            ".venv/bin/playwright install chromium.",
        )
    return playwright.chromium.launch(
        executable_path=found or own, args=["--no-sandbox"]
    )


def chosen(name: str | None) -> list[str]:
    """Give the pages to print: all of the book, or the one that is called `name`."""
    if not (links.SITE / "index.html").exists():
        raise Problem(
            "还没有建好的站点可打印：请先运行 make book。",
            "There is no built site to print: run make book first.",
        )
    every = contents.pages()
    if not name:
        return [page for page in every if page not in COLLECTIONS]
    found = [page for page in every if page.partition("/")[2] == name or page == name]
    if not found:
        raise Problem(
            f"没有叫 {name} 的一页：NAME 要像 multitask/mmoe 那样写，见 _toc.yml。",
            f"There is no page {name}: NAME is written as in multitask/mmoe, see "
            "_toc.yml.",
        )
    return found


def main(arguments: list[str] | None = None) -> int:
    """Print what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", help="one page, such as multitask/mmoe")
    parser.add_argument("--edition", choices=LANGUAGES, help="without it: zh and en")
    parser.add_argument("--solutions", action="store_true", help="print these too")
    options = parser.parse_args(arguments)
    try:
        names = chosen(options.name)
        with browser() as page:
            for edition in [options.edition] if options.edition else ["zh", "en"]:
                if options.name:
                    target = BUILD / edition / f"{names[0].partition('/')[2]}.pdf"
                else:
                    target = BUILD / f"recsys-book-{edition}.pdf"
                pdf = print_pages(page, names, edition, target, options.solutions)
                show(f"{target}: {len(pdf.pages)}")
                if not options.solutions:
                    offered = names[0] if options.name else HOME
                    what = pick(THIS_PAGE if options.name else THE_BOOK, edition)
                    offer(target, links.SITE / edition / f"{offered}.html", what)
    except Problem as problem:
        say(problem.zh, problem.en, sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
