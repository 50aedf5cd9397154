"""The search, in a real browser: it finds what is there, in both languages.

That it finds each page by its own words is asked in `test_every_page.py`.
"""

import pytest
from playwright.sync_api import expect

from tools.website import contents, links

CHAPTER = contents.chapters()[0]
PHONE = {"width": 390, "height": 844}


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
        ("en", "sharing evenly", "notebooks/multitask/mmoe.html"),
        ("en", "目标注意力", "book/glossary.html"),
        ("both", "目标注意力", "book/glossary.html"),
        ("both", "logistic function", "book/notation.html"),
    ],
)
def test_the_search_finds_what_is_there(searching, edition, words, expected):
    assert expected in searching(edition, words)


def test_the_list_of_what_was_found_fits_a_phone(visit):
    page = visit("both/search.html?q=gate", viewport=PHONE)
    page.wait_for_load_state("networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], "the page is wider than the phone"
    assert page.locator("h1").count() == 1
    expect(page.locator("h1")).to_be_visible()


def test_from_a_disk_pages_open_and_the_search_works(visit, search):
    base = links.SITE.as_uri() + "/"
    page = visit(f"zh/{CHAPTER}.html", base=base)
    expect(page.locator("math").first).to_be_visible()
    assert "notation.html" in search(page, "候选物品")
