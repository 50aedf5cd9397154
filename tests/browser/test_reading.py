"""What a reader does with the site, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tools.website import contents, editions
from tools.website.ext import papers
from tools.workshop import notebook_files

EDITIONS = tuple(editions.LANGUAGES)
CHAPTER = contents.chapters()[0]
PHONE = {"width": 390, "height": 844}


def test_the_switch_keeps_the_place_and_is_remembered(visit, address):
    page = visit(f"zh/{CHAPTER}.html")
    section = page.locator("article section section section").nth(2)
    place = section.get_attribute("id")
    section.evaluate("s => s.scrollIntoView({behavior: 'instant'})")
    page.locator(".editions a", has_text="English").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/en/{CHAPTER}.html#{place}")
    page.wait_for_function(
        "id => { const top = document.getElementById(id).getBoundingClientRect().top;"
        "return top >= 0 && top < 300; }",
        arg=place,
    )
    page.goto(f"{address}index.html")
    page.wait_for_url("**/en/book/index.html")


@pytest.mark.parametrize(
    ("locale", "edition"),
    [("zh-CN", "zh"), ("zh-TW", "zh"), ("en-GB", "en"), ("fr-FR", "en")],
)
def test_the_landing_page_follows_the_browser(visit, locale, edition):
    page = visit("index.html", locale=locale)
    page.wait_for_url(f"**/{edition}/book/index.html")


def test_without_javascript_there_is_all_that_is_needed(visit):
    page = visit("index.html", java_script_enabled=False)
    assert page.locator("a").count() == len(EDITIONS)
    page = visit(f"en/{CHAPTER}.html", java_script_enabled=False, viewport=PHONE)
    expect(page.locator("#chapters a").first).to_be_visible()
    expect(page.locator(".menu")).not_to_be_visible()


THEMES = {
    "zh": ("外观：跟随系统", "外观：深色", "外观：浅色"),
    "en": ("Theme: as the system", "Theme: dark", "Theme: light"),
    "both": (
        "外观：跟随系统 · Theme: as the system",
        "外观：深色 · Theme: dark",
        "外观：浅色 · Theme: light",
    ),
}
PAPER = "getComputedStyle(document.documentElement).backgroundColor"
DRAWN = """all => all.filter(e => getComputedStyle(e).display !== "none")
    .map(e => e.classList[0])"""
# What is worn when the page has been read, and no deferred script has run.
EARLY = """document.addEventListener("readystatechange", () => {
    if (document.readyState === "interactive")
        window.early = document.documentElement.dataset.theme;
})"""


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_theme_is_the_systems_or_a_readers_own_and_is_kept(visit, edition):
    page = visit(f"{edition}/book/index.html", color_scheme="light")
    page.add_init_script(EARLY)
    button, drawn = page.locator("button.theme"), page.locator("button.theme svg > *")
    system, dark, light = THEMES[edition]
    papers = {}
    button.focus()
    for name, icon, worn in (
        (system, "as-system", None),
        (dark, "as-dark", "dark"),
        (light, "as-light", "light"),
    ):
        expect(button).to_have_accessible_name(name)
        expect(button).to_have_attribute("title", name)
        papers[name] = page.evaluate(PAPER)
        page.reload()
        assert page.evaluate("window.early") == worn
        expect(button).to_have_accessible_name(name)
        assert page.evaluate(PAPER) == papers[name]
        assert drawn.evaluate_all(DRAWN) == [icon]
        button.focus()
        page.keyboard.press("Enter")
    expect(button).to_have_accessible_name(system)
    assert papers[system] == papers[light] != papers[dark]
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(PAPER) == papers[dark]
    page.keyboard.press("Space")  # in the dark it is the light that shows a difference
    expect(button).to_have_accessible_name(light)
    assert page.evaluate(PAPER) == papers[light]


def test_a_theme_that_is_none_is_not_worn(visit):
    page = visit("en/book/index.html")
    page.evaluate("localStorage.setItem('theme', 'auto')")
    page.reload()
    expect(page.locator("button.theme")).to_have_accessible_name("Theme: as the system")
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_the_chapters_unfold_on_a_phone(visit):
    page = visit("en/book/index.html", viewport=PHONE)
    menu, chapters = page.locator(".menu"), page.locator("#chapters")
    expect(chapters).not_to_be_visible()
    menu.click()
    expect(chapters).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(chapters).not_to_be_visible()
    expect(menu).to_be_focused()


def test_the_keyboard_reaches_the_text_and_the_search(visit):
    page = visit("en/book/index.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    expect(page.locator("dialog.search input")).to_be_focused()


def test_code_can_be_copied(visit):
    page = visit(
        f"en/{CHAPTER}.html", permissions=["clipboard-read", "clipboard-write"]
    )
    cell = page.locator(".cell_input:visible").first
    cell.hover()
    cell.get_by_role("button", name="Copy").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == cell.locator("pre").inner_text().rstrip()


def test_a_printed_page_holds_the_text_alone_dark_on_white(visit):
    page = visit(f"zh/{CHAPTER}.html", color_scheme="dark")
    page.emulate_media(media="print")
    for gone in (".bar", "#chapters", ".sections", ".tools", ".turn", ".foot"):
        expect(page.locator(gone)).not_to_be_visible()
    expect(page.locator("h1")).to_be_visible()
    for kind in ("h1", ".eqno", ".highlight .kn", "figcaption, p"):
        colour = page.locator(f"article :is({kind})").first.evaluate(
            "e => getComputedStyle(e).color.match(/\\d+/g).map(Number)"
        )
        assert sum(colour) < 400, f"{kind} is too pale on paper"


def test_the_buttons_lead_to_the_notebook(visit, address):
    page = visit(f"en/{CHAPTER}.html")
    tools = page.locator(".tools")
    with page.expect_download() as download:
        tools.get_by_role("link", name="Download").click()
    source = notebook_files.ROOT / f"{CHAPTER}.ipynb"
    assert download.value.suggested_filename == source.name
    assert Path(download.value.path()).read_bytes() == source.read_bytes()
    colab = tools.get_by_role("link", name="Colab")
    if colab.count():
        assert colab.get_attribute("href").endswith(f"/{CHAPTER}.ipynb")
    else:
        expect(tools).to_contain_text("once the book is published")


def test_the_map_leads_to_the_chapters(visit):
    page = visit("en/book/index.html")
    boxes = page.locator(".map a.paper")
    assert boxes.count() >= 1
    assert page.locator(".map .paper").count() == len(papers.read())
    boxes.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/notebooks/**")
