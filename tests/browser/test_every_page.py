"""Every page of the built site, in a real browser.

Opening a page and looking at it take long, so a page is opened once and stays open for
all questions about it, in the order below: `name` is a parameter of the whole class,
and `pytest` asks all of a class about one page before it turns to the next. With
`--dist loadscope` a class runs in one worker, so chapters and other pages share two.
"""

import re

import pytest
from playwright.sync_api import expect

from tools.website import contents, editions, links

EDITIONS = tuple(editions.LANGUAGES)
# How the figures of an edition are opened.
WAYS = {
    "zh": lambda figure: figure.tap(),
    "en": lambda figure: figure.press("Enter"),
    "both": lambda figure: figure.click(),
}
CHAPTERS = contents.chapters()
OTHERS = [name for name in contents.pages() if name not in CHAPTERS]
# What a page says of itself: some words from the middle of it.
PHRASE = {"zh": "[\u4e00-\u9fff]{6,9}", "en": r"[a-z]{5,}(?: [a-z]+){3} [a-z]{5,}"}


def in_all_editions(names):
    """Ask a class about these pages of each edition, one after the other."""
    pages = [f"{edition}/{name}.html" for edition in EDITIONS for name in names]
    return pytest.mark.parametrize("name", pages, scope="class")


class Page:
    """What is asked of every page."""

    def test_a_page_opens_without_errors(self, opened):
        problems, opened.problems[:] = opened.problems[:], []
        assert problems == []

    @pytest.mark.parametrize("width", [390, 820, 1440])
    def test_what_is_wide_fits_or_shows_that_there_is_more(self, opened, cut, width):
        opened.page.set_viewport_size({"width": width, "height": 900})
        assert cut(opened.page) == []
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width

    def test_a_page_has_one_heading(self, phone):
        assert phone.locator("h1").count() == 1
        expect(phone.locator("h1")).to_be_visible()

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_a_page_is_accessible_on_a_phone(self, phone, grave, theme):
        assert grave(phone, theme) == []

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_a_page_is_accessible_at_a_desk(self, page, grave, theme):
        assert grave(page, theme) == []


class PageOfAnEdition(Page):
    """What is asked of every page that there is in several languages."""

    def test_the_switch_leads_to_the_same_page(self, page, name):
        edition, _, rest = name.partition("/")
        links_ = page.locator(".editions a")
        targets = links_.evaluate_all("all => all.map(a => a.pathname)")
        assert [target.partition(f"/{links.SITE.name}/")[2] for target in targets] == [
            f"{other}/{rest}" for other in EDITIONS
        ]
        current = page.locator(".editions [aria-current]")
        assert current.get_attribute("data-edition") == edition

    def test_each_figure_opens_in_full(self, phone, name):
        large = phone.locator("dialog.zoomed img")
        for figure in phone.locator("a.zoom:visible").all():  # a live one hides some
            WAYS[name.partition("/")[0]](figure)
            expect(large).to_be_visible()
            width, drawn = large.evaluate(
                "img => img.decode().then(() => [img.clientWidth, img.currentSrc])"
            )
            assert drawn == figure.evaluate("a => a.href")
            svg = phone.evaluate("url => fetch(url).then(file => file.text())", drawn)
            whole = float(re.search(r'viewBox="0 0 ([\d.]+)', svg)[1])
            sizes = re.findall(r"\bfont(?:-size)?: (?:[a-z]+ )*([\d.]+)px", svg)
            assert min(map(float, sizes)) * width / whole >= 11, "the letters are small"
            phone.keyboard.press("Escape")
            expect(large).not_to_be_visible()

    def test_the_search_finds_a_page_by_its_own_words(self, page, searching, name):
        edition, _, rest = name.partition("/")
        target = page.locator(".ask").evaluate("link => link.pathname")
        assert target.endswith(f"/{links.SITE.name}/{edition}/search.html")
        if rest.startswith("book/"):  # these stand below the chapters
            words = page.locator("h1").evaluate(
                "h => (h.querySelector('.lang-zh') || h).innerText.replace('¶', '')"
            )
        else:  # what is no table and moves not: that alone is in the index
            text = page.locator("article").evaluate(
                "a => [...a.querySelectorAll('section > *')]"
                ".filter(e => !e.matches('section, :has(.live, .claims)'))"
                ".map(e => e.innerText).join('\\n')"
            )
            phrases = re.findall(PHRASE.get(edition, PHRASE["zh"]), text)
            assert phrases, "the page has no text in this language"
            words = phrases[len(phrases) // 2]
        assert f"/{edition}/{rest}" in searching(edition, words)


@in_all_editions(CHAPTERS)
class TestChapter(PageOfAnEdition):
    """What is asked of every chapter, too."""

    def test_formulas_are_drawn(self, page):
        formulas = page.locator("math")
        assert formulas.count() > 5
        assert page.evaluate("document.fonts.check('16px \"Book Math\"')")
        for _ in range(2):  # what is far away is laid out when it is first asked
            sizes = formulas.evaluate_all(
                "all => all.filter(m => m.checkVisibility()).map(m => "
                "[m.getBoundingClientRect().width, m.getBoundingClientRect().height])"
            )
        assert all(width > 2 and height > 2 for width, height in sizes)
        text = page.locator("article").evaluate(
            "a => { const c = a.cloneNode(true);"
            "c.querySelectorAll('pre, code, annotation').forEach(e => e.remove());"
            "return c.textContent; }"
        )
        assert not re.search(r"\$\$|\\[a-z]{2,}\b", text), "a formula was left as LaTeX"

    def test_folded_code_opens_by_mouse_and_by_keyboard(self, page):
        folds = page.locator("details.hide")
        first, last = folds.first, folds.last
        expect(first.locator("pre").first).not_to_be_visible()
        first.locator("summary").click()
        expect(first.locator("pre").first).to_be_visible()
        expect(first.locator("summary .hide")).to_be_visible()
        last.locator("summary").focus()
        page.keyboard.press("Enter")
        expect(last.locator("pre").first).to_be_visible()
        page.keyboard.press("Enter")
        expect(last.locator("pre").first).not_to_be_visible()


@in_all_editions(OTHERS)
class TestOtherPage(PageOfAnEdition):
    """What is asked of the pages that are no chapters."""


@pytest.mark.parametrize("name", ["index.html#choose", "404.html"], scope="class")
class TestPageOutside(Page):
    """What is asked of the pages that belong to no edition."""
