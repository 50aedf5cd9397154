"""The decks, in a real browser: what a class sees, and what its teacher reads."""

import re

import pytest

from tools.course import slides
from tools.website.ext.bilingual import pick
from tools.workshop import notebook_files
from tools.workshop.rules.reading import CODE, MATH, headings, language, parse, tags

DECKS = {"zh": "multitask/mmoe", "en": "sequence/din"}
CJK = re.compile("[\u4e00-\u9fff]")
# Shows each slide, and gives its title, the box around what is on it (in the slide's
# own pixels), the size of its figures, and its smallest letters.
LOOK = """() => Reveal.getSlides().map(slide => {
  const {h, v} = Reveal.getIndices(slide), scale = Reveal.getScale();
  Reveal.slide(h, v);
  const page = slide.getBoundingClientRect();
  const boxes = [...slide.querySelectorAll("*")]
    .filter(e => !e.closest("aside, annotation"))
    .map(e => e.getBoundingClientRect()).filter(b => b.width && b.height);
  return {
    h, v, title: slide.querySelector("h1, h2, h3").textContent.trim(),
    left: Math.min(...boxes.map(b => b.left - page.left)) / scale,
    right: Math.max(...boxes.map(b => b.right - page.left)) / scale,
    bottom: Math.max(...boxes.map(b => b.bottom - page.top)) / scale,
    figures: [...slide.querySelectorAll(".figure img")].map(i => {
      const b = i.getBoundingClientRect();
      return [i.naturalWidth, b.width / scale, b.height / scale, i.alt];
    }),
    letters: Math.min(...[...slide.querySelectorAll("pre, table, .lead, .item, .text")]
      .map(e => parseFloat(getComputedStyle(e).fontSize)), 99),
  };
})"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Make two decks."""
    folder = tmp_path_factory.mktemp("usb") / "slides"
    for edition, name in DECKS.items():
        slides.write([name], [edition], folder)
    return folder


@pytest.fixture(scope="module")
def pages(build, chromium):
    """Open both from the disk; complain of console errors and of foreign requests."""
    problems = []
    found = {}
    for edition, name in DECKS.items():
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        page.on("console", lambda m: problems.append(m.text) if m.type != "log" else 0)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("requestfailed", lambda r: problems.append(f"missing: {r.url}"))
        page.on(
            "request",
            lambda r: (
                None
                if r.url.startswith((build.as_uri(), "data:"))
                else problems.append(f"foreign: {r.url}")
            ),
        )
        path = build / edition / f"{name.rpartition('/')[2]}.html"
        page.goto(path.as_uri())
        page.wait_for_function("Reveal.isReady()")
        page.evaluate("document.fonts.load('16px \"Book Math\"')")
        found[edition] = page
    yield found
    for page in found.values():
        page.close()
    assert problems == []


@pytest.fixture(scope="module")
def seen(pages):
    """Look at each slide of both decks."""
    return {edition: page.evaluate(LOOK) for edition, page in pages.items()}


def chapter(edition):
    """Read the notebook that a deck was made of."""
    path = notebook_files.NOTEBOOKS / f"{DECKS[edition]}.ipynb"
    return notebook_files.read(path)


def words(text):
    """Free a text from all but its words: spaces differ between Markdown and a page."""
    return re.sub(r"\s+", "", text)


def text(page, selector):
    """Give the text of the elements of a selector, without their formulas."""
    return page.evaluate(
        """selector => [...document.querySelectorAll(selector)].map(e => {
          const copy = e.cloneNode(true);
          copy.querySelectorAll("math").forEach(m => m.remove());
          return copy.textContent; }).join("\\n")""",
        selector,
    )


def phrases(cell):
    """Give what stands between the formulas and the code of a text cell."""
    for block in parse(cell.source).texts():
        yield from (words(p) for p in re.split(f"[{CODE}{MATH}]", block) if words(p))


@pytest.mark.parametrize("edition", DECKS)
def test_a_deck_has_its_title_and_its_sections(pages, seen, edition):
    titles = [
        pick(block.text, edition)
        for _, block in headings(chapter(edition))
        if block.level <= 2
    ]
    shown = [slide["title"] for slide in seen[edition] if slide["v"] == 0]
    assert shown == titles
    assert max(slide["h"] for slide in seen[edition]) == len(titles) - 1
    language = pages[edition].evaluate("document.documentElement.lang")
    assert language == {"zh": "zh-CN", "en": "en"}[edition]
    assert pages[edition].title() == titles[0]


@pytest.mark.parametrize("edition", DECKS)
def test_no_slide_overflows_and_all_can_be_read(seen, edition):
    for slide in seen[edition]:
        where = f"slide {slide['h']}.{slide['v']}, {slide['title']}"
        assert slide["left"] >= 40, where
        assert slide["right"] <= 1240, where
        assert slide["bottom"] <= 695, where
        assert slide["letters"] >= 18, where


@pytest.mark.parametrize("edition", DECKS)
def test_figures_are_large_and_described(seen, edition):
    found = [figure for slide in seen[edition] for figure in slide["figures"]]
    wanted = [
        cell
        for cell in chapter(edition).cells
        if not slides.LEFT_OUT & set(tags(cell))
        for output in cell.get("outputs", [])
        if "image/svg+xml" in output.get("data", {})
    ]
    assert len(found) == len(wanted) > 5
    for natural, width, height, alt in found:
        assert natural > 0
        assert width > 800
        assert height > 300
        assert " | " not in alt
        assert bool(CJK.search(alt)) == (edition == "zh")


@pytest.mark.parametrize("edition", DECKS)
def test_formulas_are_drawn(pages, edition):
    page = pages[edition]
    assert page.locator("section math").count() > 30
    assert page.evaluate("document.fonts.check('16px \"Book Math\"')")
    assert not re.search(r"\$|\\[a-z]{2,}\b", text(page, "div:not(.code) > :is(p, ul)"))
    assert (
        page.locator("table").filter(has_text=re.compile(r"\\[a-z]{2,}\{")).count() == 0
    )


@pytest.mark.parametrize("edition", DECKS)
def test_a_deck_is_in_one_language(pages, edition):
    page = pages[edition]
    everything = words(text(page, ".slides"))
    for cell in chapter(edition).cells:
        if language(cell) not in ("", edition):
            long = [p for p in phrases(cell) if len(p) > 15 and "http" not in p]
            assert [p for p in long if p in everything] == []
    if edition == "en":
        assert CJK.findall(everything) == []


@pytest.mark.parametrize("edition", DECKS)
def test_the_notes_hold_the_whole_prose(pages, edition):
    notes = words(text(pages[edition], "aside.notes"))
    checked = 0
    for cell in chapter(edition).cells:
        if language(cell) != edition:
            continue
        rows = "|---" in cell.source  # a table is on its slide
        source = re.sub(r"^\|.*$", "", cell.source, flags=re.M) if rows else cell.source
        source = re.sub(r"</?(details|summary)>", "", source)
        for phrase in phrases(type(cell)(source=source)):
            checked += 1
            assert phrase in notes
    assert checked > 100


@pytest.mark.parametrize("edition", DECKS)
def test_exercises_stay_and_solutions_do_not(pages, seen, edition):
    page = pages[edition]
    everything = words(text(page, ".slides"))
    for cell in chapter(edition).cells:
        if {"solution", "bootstrap", "check"} & set(tags(cell)):
            line = max(cell.source.splitlines(), key=len)
            assert words(line) not in everything
    titles = {slide["title"] for slide in seen[edition]}
    exercises = [
        pick(block.text, edition)
        for _, block in headings(chapter(edition))
        if re.match("练习 [0-9]", block.text)
    ]
    assert len(exercises) >= 3
    assert titles >= set(exercises)


def test_a_teacher_gets_overview_notes_and_paper(pages, build):
    page = pages["en"]
    page.keyboard.press("o")
    assert page.evaluate("Reveal.isOverview()")
    page.keyboard.press("Escape")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    popup.value.wait_for_selector(".speaker-controls-notes")
    popup.value.close()
    assert page.locator(".slide-number").inner_text().strip()
    count = page.evaluate("Reveal.getTotalSlides()")
    page.goto(page.url.partition("?")[0].partition("#")[0] + "?print-pdf")
    page.wait_for_selector(".pdf-page")
    assert page.locator(".pdf-page").count() == count


def test_a_chapter_that_is_not_there(capsys):
    assert slides.main(["multitask/nothing"]) == 1
    assert "nothing.ipynb" in capsys.readouterr().err
