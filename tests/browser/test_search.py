"""The search, in a real browser: the right page first, and a dialog to find it by."""

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tools.website import contents, links

CHAPTER = contents.chapters()[0]
PHONE = {"width": 390, "height": 844}
QUERIES = Path(__file__).with_name("queries.tsv")
PAGES_OF = """queries => queries.map(query => {
    const hits = bookSearch.find(query, bookSearch.indexes[LANGUAGE], 30);
    return [...new Set(hits.map(hit => hit.part.page.name))];
})"""


@pytest.fixture(scope="module")
def asked():
    """The queries of each edition, each with the pages that are right for it."""
    with QUERIES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        edition: [
            (r["query"], r["pages"].split()) for r in rows if r["edition"] == edition
        ]
        for edition in ("zh", "en")
    }


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("edition", ["alone", "both"])
def test_the_right_page_comes_first(visit, asked, edition, language):
    page = visit(f"{language if edition == 'alone' else edition}/search.html")
    page.locator("#search input").fill("门控" if language == "zh" else "gate")
    expect(page.locator(".hits a").first).to_be_visible()
    queries = [query for query, _ in asked[language]]
    found = page.evaluate(PAGES_OF.replace("LANGUAGE", repr(language)), queries)
    places = [
        next(
            (n for n, name in enumerate(order, 1) if name.endswith(tuple(right))), None
        )
        for order, (_, right) in zip(found, asked[language], strict=True)
    ]
    wrong = [q for q, place in zip(queries, places, strict=True) if place != 1]
    late = [q for q, n in zip(queries, places, strict=True) if n is None or n > 5]
    assert len(queries) >= 40
    assert len(wrong) <= len(queries) * 4 / 30, wrong
    assert len(late) <= 1, late


@pytest.mark.parametrize(
    ("edition", "words", "expected"),
    [
        ("zh", "学到的是不是论文", "book/how-to-read.html"),
        ("zh", "列在记号一页", "book/how-to-read.html"),  # across a link
        ("zh", "activation unit", "sequence/din.html"),
        ("en", "reimplementations", ""),
        ("en", "目标注意力", "book/glossary.html"),
        ("en", "GATE Weights", "multitask/mmoe.html"),
        ("both", "目标注意力", "sequence/din.html"),
        ("both", "logistic function", "book/notation.html"),
    ],
)
def test_the_search_finds_what_is_there(searching, edition, words, expected):
    assert expected in searching(edition, words)


def test_a_dialog_finds_while_the_reader_types(visit):
    page = visit(f"zh/{CHAPTER}.html")
    page.keyboard.press("/")
    field = page.locator("dialog.search input")
    expect(field).to_be_focused()
    page.keyboard.type("记忆利用正则")
    first = page.locator(".hits a").first
    expect(first).to_contain_text("记忆利用正则")
    expect(first.locator("mark").first).to_be_visible()
    expect(page.locator("dialog.search [role=status]")).to_contain_text("找到")
    page.keyboard.press("ArrowDown")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/sequence/mimn.html#*")
    expect(page.locator("dialog.search")).to_have_count(0)


def test_the_dialog_opens_by_click_and_by_keys_and_gives_the_place_back(visit):
    page = visit("en/book/index.html")
    button, dialog = page.locator(".ask"), page.locator("dialog.search")
    button.focus()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect(button).to_be_focused()
    page.keyboard.press("Control+k")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close the search").click()
    expect(dialog).not_to_be_visible()
    button.click()
    expect(dialog.locator("input")).to_be_focused()


def test_where_nothing_is_found_the_nearest_headings_are_offered(visit):
    page = visit("zh/search.html?q=鲲鹏塔")
    page.goto(page.url.replace("%E9%B2%B2%E9%B9%8F%E5%A1%94", "鲲鹏展翅门"))
    expect(page.locator("[role=status]")).to_contain_text("门")
    page = visit("en/search.html?q=zzzgatezzz")
    expect(page.locator("[role=status]")).to_contain_text("Nothing found")
    expect(page.locator(".hits a").first).to_be_visible()


def test_a_search_sends_no_more_than_a_picture(visit):
    """The whole text, section by section, once a visit: it grows with the book."""
    for edition in ("zh", "en", "both"):
        page, sent = visit(f"{edition}/book/index.html"), []
        page.on("request", lambda request, sent=sent: sent.append(request.url))
        page.keyboard.press("/")
        expect(page.locator("dialog.search input")).to_be_focused()
        page.keyboard.type("gate")
        expect(page.locator(".hits a").first).to_be_visible()
        names = [url.partition(f"/{links.SITE.name}/")[2] for url in sent]
        names = [name for name in names if "/live/" not in name]  # the page's figure
        weight = sum(links.sent(links.SITE / name) for name in names)
        assert 1 <= len(names) <= 3
        assert weight < 300_000, (edition, names)


def test_the_list_of_what_was_found_fits_a_phone(visit):
    page = visit("both/search.html?q=gate", viewport=PHONE)
    expect(page.locator(".hits a").first).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], "the page is wider than the phone"
    assert page.locator("h1").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dialog_can_be_used_by_everybody(visit, grave, theme):
    page = visit("both/book/index.html", viewport=PHONE)
    page.locator(".ask").click()
    page.locator("dialog.search input").fill("gate")
    expect(page.locator(".hits a").first).to_be_visible()
    assert grave(page, theme) == []


def test_without_scripts_the_field_leads_to_a_page_that_says_so(visit):
    page = visit("en/book/index.html", java_script_enabled=False)
    page.locator(".ask").click()
    expect(page.locator("#search")).to_contain_text("needs JavaScript")


def test_from_a_disk_pages_open_and_the_search_works(visit, search):
    base = links.SITE.as_uri() + "/"
    page = visit(f"zh/{CHAPTER}.html", base=base)
    expect(page.locator("math").first).to_be_visible()
    assert "notation.html" in search(page, "候选物品")
