"""Every page of the built site, in a real browser."""

import re

import contents
import editions
import links
import pytest
from playwright.sync_api import expect

EDITIONS = tuple(editions.LANGUAGES)
CHAPTERS = contents.chapters()
PAGES = [f"{edition}/{name}.html" for edition in EDITIONS for name in contents.pages()]
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(
    "name", [*PAGES, "index.html#choose", "404.html", "both/search.html?q=gate"]
)
def test_a_page_opens_and_fits_a_phone(visit, name):
    page = visit(name, viewport=PHONE)
    page.wait_for_load_state("networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], "the page is wider than the phone"
    assert page.locator("h1").count() == 1
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize("edition", EDITIONS)
def test_formulas_are_drawn(visit, name, edition):
    page = visit(f"{edition}/{name}.html")
    formulas = page.locator("math")
    assert formulas.count() > 5
    assert page.evaluate("document.fonts.check('16px \"Book Math\"')")
    sizes = formulas.evaluate_all(
        "all => all.filter(m => m.checkVisibility())"
        ".map(m => [m.getBoundingClientRect().width, m.getBoundingClientRect().height])"
    )
    assert all(width > 2 and height > 2 for width, height in sizes)
    text = page.locator("article").evaluate(
        "a => { const c = a.cloneNode(true);"
        "c.querySelectorAll('pre, code, annotation').forEach(e => e.remove());"
        "return c.textContent; }"
    )
    assert not re.search(r"\$\$|\\[a-z]{2,}\b", text), "a formula was left as LaTeX"


@pytest.mark.parametrize("name", CHAPTERS)
def test_folded_code_opens_by_mouse_and_by_keyboard(visit, name):
    page = visit(f"zh/{name}.html")
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


@pytest.mark.parametrize("name", PAGES)
def test_the_switch_leads_to_the_same_page(visit, name):
    page = visit(name)
    edition, _, rest = name.partition("/")
    links_ = page.locator(".editions a")
    targets = links_.evaluate_all("all => all.map(a => a.pathname)")
    assert [target.partition(f"/{links.SITE.name}/")[2] for target in targets] == [
        f"{other}/{rest}" for other in EDITIONS
    ]
    current = page.locator(".editions [aria-current]")
    assert current.get_attribute("data-edition") == edition
