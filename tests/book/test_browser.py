"""The built site, in a real browser: what a reader sees and does."""

import functools
import http.server
import re
import shutil
import threading
from pathlib import Path

import editions
import links
import notebook_files
import pytest
import yaml

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if CHROMIUM is None:
    pytest.skip(
        "there is no chromium: these tests look at the site in one",
        allow_module_level=True,
    )

import axe_playwright_python  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
EDITIONS = tuple(editions.LANGUAGES)
TOC = yaml.safe_load((notebook_files.ROOT / "_toc.yml").read_text("utf-8"))
NAMES = [TOC["root"]] + [c["file"] for part in TOC["parts"] for c in part["chapters"]]
CHAPTERS = [
    name for name in NAMES if notebook_files.is_chapter(notebook_files.ROOT / name)
]
PAGES = [f"{edition}/{name}.html" for edition in EDITIONS for name in NAMES]
PHONE = {"width": 390, "height": 844}
CHAPTER = CHAPTERS[0]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    """Serve the site below a path, as GitHub Pages does; give its address."""
    handler = functools.partial(Quiet, directory=links.SITE.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{links.SITE.name}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium():
    """Start the browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """Open pages of the site; complain of console errors and foreign requests."""
    contexts, problems = [], []

    def open_page(name, **options):
        base = options.pop("base", address)
        context = chromium.new_context(base_url=base, **options)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda m: problems.append(m.text) if m.type in ("error", "warning") else 0,
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((base, "data:"))
                else problems.append(f"foreign: {request.url}")
            ),
        )
        page.goto(base + name)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


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


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "index.html#choose", "404.html"])
def test_a_page_is_accessible(visit, name, theme):
    page = visit(name, color_scheme=theme)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        f"{violation['id']} ({violation['impact']}): {node['html'][:150]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert grave == []


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


def search(page, words):
    """Search from the bar on top; give the addresses that are found."""
    page.locator(".bar [type=search]").fill(words)
    page.locator(".bar [type=search]").press("Enter")
    page.wait_for_url("**/search.html?q=**")
    # the line below the heading says how many pages were found
    expect(page.locator("#search-results > p.search-summary")).to_have_text(
        re.compile(r"\d|没有|did not"), timeout=10_000
    )
    page.wait_for_timeout(200)
    found = page.locator("ul.search > li > a")
    return " ".join(found.evaluate_all("all => all.map(a => a.pathname)"))


@pytest.mark.parametrize(
    ("edition", "words", "expected"),
    [
        ("zh", "目标注意力", "book/glossary.html"),
        ("zh", "激活单元", "book/glossary.html"),
        ("zh", "候选物品", "book/notation.html"),
        ("zh", "置信区间", "book/how-to-read.html"),
        ("zh", "学到的是不是论文", "book/how-to-read.html"),
        ("zh", "列在记号一页", "book/how-to-read.html"),  # across a link
        ("zh", "塔", "book/glossary.html"),
        ("zh", "activation unit", "book/glossary.html"),
        ("en", "gate weights", "notebooks/multitask/mmoe.html"),
        ("en", "confidence interval", "book/how-to-read.html"),
        ("en", "reimplementations", ""),
        ("en", "目标注意力", "book/glossary.html"),
        ("both", "目标注意力", "book/glossary.html"),
        ("both", "logistic function", "book/notation.html"),
    ],
)
def test_the_search_finds_what_is_there(visit, edition, words, expected):
    found = search(visit(f"{edition}/book/index.html"), words)
    assert expected in found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edition", ["zh", "en"])
def test_the_search_finds_each_page_by_its_own_words(visit, name, edition):
    page = visit(f"{edition}/{name}.html")
    text = page.locator("article").inner_text()
    pattern = {"zh": "[\u4e00-\u9fff]{6,9}", "en": r"[a-z]{5,} (?:of )?[a-z]{5,}"}
    phrases = re.findall(pattern[edition], text)
    if not phrases:
        pytest.fail(f"{name} has no text in {edition}")
    assert f"{name}.html" in search(page, phrases[len(phrases) // 2])


def test_from_a_disk_pages_open_and_the_search_works(visit):
    base = links.SITE.as_uri() + "/"
    page = visit(f"zh/{CHAPTER}.html", base=base)
    expect(page.locator("math").first).to_be_visible()
    assert "notation.html" in search(page, "候选物品")


def test_the_theme_is_kept(visit):
    page = visit("en/book/index.html", color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.get_by_role("button", name="Light or dark").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark


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
    expect(page.locator(".bar [type=search]")).to_be_focused()


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
    assert page.locator(".map .paper").count() == 15
    boxes.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/en/notebooks/**")
