"""The book on paper: what is in a PDF, and that all of it can be read."""

import re
import unicodedata
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from pypdf.generic import ContentStream

from tools.course import pdf, printed
from tools.website import contents, links
from tools.workshop.sentences import Problem

CHAPTER = "notebooks/multitask/mmoe"
SHOW = (b"Tj", b"TJ", b"'", b'"')
TITLES = {"zh": "每个任务一个门控", "en": "a gate for every task"}
PHRASES = {"zh": "大家共用一批专家", "en": "negative transfer"}
ENDS = {"zh": "参考", "en": "References"}


@pytest.fixture(scope="module")
def sheet(chromium):
    """Open a page of the browser as the script does."""
    page = chromium.new_page(viewport={"width": pdf.WIDTH, "height": 1000})
    page.emulate_media(media="print")
    page.set_default_timeout(120_000)
    yield page
    page.close()


@pytest.fixture(scope="module", params=["zh", "en"])
def chapter(request, sheet, tmp_path_factory):
    """Print a chapter; give its edition and the PDF."""
    target = tmp_path_factory.mktemp("pdf") / f"{request.param}.pdf"
    return request.param, pdf.print_pages(sheet, [CHAPTER], request.param, target)


def text_of(*pages):
    """Give all text without spaces: these depend on where lines end.

    In a PDF a character may stand as the radical that looks the same.
    """
    text = "".join("".join(page.extract_text() for page in pages).split())
    return unicodedata.normalize("NFKC", text).replace("\u2ed4", "门")


def part(resources, kind):
    """Give one kind of a page's resources, by name."""
    return resources[kind].get_object() if kind in resources else {}


def fonts(page):
    """Give the fonts of a page, and of the drawings on it."""
    waiting, found = [page["/Resources"]], []
    while waiting:
        resources = waiting.pop().get_object()
        drawings = part(resources, "/XObject").values()
        waiting += [
            x.get_object()["/Resources"]
            for x in drawings
            if "/Resources" in x.get_object()
        ]
        fonts = part(resources, "/Font").values()
        found += [font.get_object() for font in fonts]
    return found


def missing(found):
    """Count the characters that no font had: they are shown as glyph 0, an empty box.

    Chromium writes the numbers of glyphs into the text, two bytes each.
    """
    count, seen = 0, set()
    for page in found.pages:
        waiting = [(page.get_contents(), page["/Resources"])]
        while waiting:
            stream, resources = waiting.pop()
            resources = resources.get_object()
            for drawing in part(resources, "/XObject").values():
                mark = (drawing.idnum, drawing.generation)
                form = drawing.get_object()
                if form.get("/Subtype") == "/Form" and mark not in seen:
                    seen.add(mark)
                    waiting.append((form, form.get("/Resources", resources)))
            count += zeros(ContentStream(stream, found), resources)
    return count


def zeros(stream, resources):
    """Count glyph 0 in what one stream shows."""
    count, step = 0, 2
    kinds = part(resources, "/Font")
    for operands, operator in stream.operations:
        if operator == b"Tf":
            step = 2 if kinds[operands[0]]["/Subtype"] == "/Type0" else 1
        elif operator in SHOW:
            shown = operands[-1] if isinstance(operands[-1], list) else [operands[-1]]
            for run in shown:
                if isinstance(run, str | bytes):
                    codes = getattr(run, "original_bytes", run)
                    pieces = [codes[i : i + step] for i in range(0, len(codes), step)]
                    count += sum(not any(piece) for piece in pieces)
    return count


def test_a_chapter_is_whole(chapter):
    edition, found = chapter
    text = text_of(*found.pages)
    assert 12 <= len(found.pages) <= 45
    for phrase in (TITLES[edition], PHRASES[edition]):
        assert "".join(phrase.split()) in text
    assert ENDS[edition] in text_of(*found.pages[-2:])


def test_paper_is_a4_and_each_page_has_its_number(chapter):
    for number, page in enumerate(chapter[1].pages, start=1):
        assert [round(float(x)) for x in page.mediabox[2:]] == pytest.approx(
            [595, 842], abs=1
        )
        assert page.extract_text().startswith(str(number))


def test_fonts_come_with_the_file(chapter):
    for page in chapter[1].pages:
        for font in fonts(page):
            if font["/Subtype"] == "/Type3":
                continue  # is drawn by the file itself
            inner = font.get("/DescendantFonts", [font])[0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            assert any(f"/FontFile{k}" in descriptor for k in ("", 2, 3)), font


def test_no_character_is_missing(chapter):
    assert missing(chapter[1]) == 0


def test_a_missing_character_would_be_found(sheet, tmp_path):
    text = "<!DOCTYPE html><meta charset='utf-8'><p>门控 gate \ue123</p>"
    assert missing(pdf.write(sheet, text, tmp_path / "a.pdf", False)) == 1
    text = text.replace("\ue123", "")
    assert missing(pdf.write(sheet, text, tmp_path / "b.pdf", False)) == 0


def test_a_hand_out_has_hints_and_no_solutions(chapter, sheet, tmp_path):
    edition, found = chapter
    text = text_of(*found.pages)
    assert "gates.flip(1)沿" in text or "gates.flip(1)turns" in text
    assert "defswapped(model)" not in text
    if edition == "en":
        target = tmp_path / "solved.pdf"
        solved = pdf.print_pages(sheet, [CHAPTER], edition, target, solutions=True)
        assert "defswapped(model)" in text_of(*solved.pages)


def test_a_book_has_title_contents_bookmarks_and_links(sheet, tmp_path):
    names = ["book/how-to-read", "book/notation"]
    found = pdf.print_pages(sheet, names, "zh", tmp_path / "book.pdf")
    assert "推荐系统论文精读" in text_of(found.pages[0])
    titles = [mark.title for mark in found.outline if not isinstance(mark, list)]
    assert titles == ["目录", "怎样读", "记号"]
    pages = pdf.starts(found)
    assert pages[:2] == [2, 3]
    assert pages[2] > 3
    listed = text_of(found.pages[1])
    assert f"怎样读{pages[1]}" in listed
    assert f"记号{pages[2]}" in listed
    assert not list(tmp_path.glob("*.html"))


def test_links_stay_inside_or_lead_to_the_published_site(monkeypatch):
    folder = (links.SITE / "en").resolve()
    here, there = (
        folder / f"{x}.html" for x in ("book/data", "notebooks/multitask/mmoe")
    )
    ids = {here: "p0", there: "p1"}
    text = (
        '<a id="x" href="#x">1</a><a href="../notebooks/multitask/mmoe.html#g">2</a>'
        '<a href="results.html#r">3</a><a href="https://example.org/#y">4</a>'
        '<g marker-end="url(#tip)"></g>'
    )
    start = '<a id="p0-x" href="#p0-x">1</a><a href="#p1-g">2</a>'
    end = '<a href="https://example.org/#y">4</a><g marker-end="url(#p0-tip)"></g>'
    monkeypatch.setattr(printed.editions, "site_url", lambda where: "")
    assert printed.moved(text, here, ids) == f"{start}<a>3</a>{end}"
    monkeypatch.setattr(printed.editions, "site_url", lambda where: "https://b.io/")
    link = '<a href="https://b.io/en/book/results.html#r">3</a>'
    assert printed.moved(text, here, ids) == start + link + end


def test_the_site_offers_what_was_printed_from_it(monkeypatch, tmp_path):
    site, build = tmp_path / "site", tmp_path / "pdf"
    for edition in ("zh", "en"):
        for name in (CHAPTER, "book/index"):
            page = site / edition / f"{name}.html"
            page.parent.mkdir(parents=True)
            page.write_text(f'<div class="tools">{pdf.PLACE}</div>')
    sizes = iter([1_000, 2_500_000, 3_140_000, 4_000_000, 5_000_000, 6_000_000])

    def print_pages(page, names, edition, target, solutions):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(bytes(next(sizes)))
        return SimpleNamespace(pages=[])

    def offered(name):
        text = (site / name).read_text("utf-8")
        return re.findall('<a [^>]*href="(.*?)".*?>(.*?)</a>', text)

    (site / "index.html").touch()
    monkeypatch.setattr(links, "SITE", site)
    monkeypatch.setattr(pdf, "BUILD", build)
    monkeypatch.setattr(pdf, "browser", nullcontext)
    monkeypatch.setattr(pdf, "print_pages", print_pages)
    one = ["--name", "multitask/mmoe", "--edition", "en"]
    assert pdf.main([*one, "--solutions"]) == 0
    assert offered(f"en/{CHAPTER}.html") == []
    for size in ("2.5", "3.1"):  # printed again: one link, to the new file
        assert pdf.main(one) == 0
        words = f"This page as PDF · {size} MB"
        assert offered(f"en/{CHAPTER}.html") == [("mmoe.pdf", words)]
    assert pdf.main([]) == 0
    assert offered("zh/book/index.html") == [
        ("recsys-book-zh.pdf", "整本书 PDF · 4.0 MB")
    ]
    assert offered("en/book/index.html") == [
        ("recsys-book-en.pdf", "The book as PDF · 5.0 MB")
    ]
    assert offered(f"zh/{CHAPTER}.html") == []
    assert links.broken(links.read(site)) == []
    assert len(list(site.rglob("*.pdf"))) == 3


def test_every_page_has_a_place_for_what_is_printed():
    for edition in printed.LANGUAGES:
        for name in contents.pages():
            text = (links.SITE / edition / f"{name}.html").read_text("utf-8")
            assert text.count(pdf.PLACE) == 1


def test_what_is_printed():
    assert pdf.chosen("multitask/mmoe") == [CHAPTER]
    assert pdf.chosen("teaching/solutions") == ["book/teaching/solutions"]
    assert set(contents.pages()) - set(pdf.chosen(None)) == set(pdf.COLLECTIONS)


@pytest.mark.parametrize(("site", "says"), [(True, "no page"), (False, "make book")])
def test_what_cannot_be_printed_is_said(monkeypatch, tmp_path, site, says):
    if not site:
        monkeypatch.setattr(links, "SITE", tmp_path)
    with pytest.raises(Problem, match=says):
        pdf.chosen("multitask/none")


def test_without_a_browser_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pdf.shutil, "which", lambda name: None)
    nothing = SimpleNamespace(executable_path="/nowhere/chromium")
    with pytest.raises(Problem, match="apt install chromium"):
        pdf.start(SimpleNamespace(chromium=nothing))
