"""The search, in a real browser: it finds what is there, in both languages."""

import re

import contents
import links
import pytest
from playwright.sync_api import expect

CHAPTER = contents.chapters()[0]


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
        ("en", "sharing evenly", "notebooks/multitask/mmoe.html"),
        ("en", "目标注意力", "book/glossary.html"),
        ("both", "目标注意力", "book/glossary.html"),
        ("both", "logistic function", "book/notation.html"),
    ],
)
def test_the_search_finds_what_is_there(visit, edition, words, expected):
    found = search(visit(f"{edition}/book/index.html"), words)
    assert expected in found


@pytest.mark.parametrize("name", contents.pages())
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
