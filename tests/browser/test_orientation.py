"""Where a reader is, what there is more of, what points where: in a real browser."""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from tools.website import contents

CHAPTER = "notebooks/sequence/din"
PHONE = {"width": 390, "height": 844}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("e => { e.style.minWidth = '700px'; }", "leaves the column: p"),
        ("() => document.querySelector('.more').classList.remove('more')", "no sign"),
        ("() => document.querySelector('.more').removeAttribute('tabindex')", "no key"),
        ("() => { document.querySelector('.more').style.overflow = 'clip' }", "scroll"),
    ],
)
def test_what_is_cut_is_found(visit, cut, change, fault):
    page = visit(f"en/{CHAPTER}.html", viewport=PHONE)
    assert cut(page) == []
    page.locator("article section > p").first.evaluate(change)
    assert fault in " ".join(cut(page))


def test_what_is_far_away_is_measured_again_in_another_width(visit, cut):
    page = visit(f"en/{CHAPTER}.html", viewport={"width": 1440, "height": 900})
    assert cut(page) == []
    wide = page.locator("pre.more").count()
    page.set_viewport_size(PHONE)
    assert cut(page) == []
    assert page.locator("pre.more").count() > wide


def test_the_end_of_what_is_wide_has_no_fade(visit):
    page = visit(f"en/{CHAPTER}.html", viewport=PHONE)
    box = page.locator("pre.more, div.math.more, .highlight pre").first
    box.scroll_into_view_if_needed()
    wide = page.locator(".more").first
    wide.evaluate("box => { box.classList.add('tried'); box.scrollLeft = 10 ** 5; }")
    expect(page.locator(".tried:not(.more)")).to_have_count(1)


@pytest.mark.parametrize("edition", ["zh", "en", "both"])
def test_the_marked_section_stays_in_sight_to_the_end(visit, edition):
    page = visit(f"{edition}/{CHAPTER}.html", viewport={"width": 1440, "height": 700})
    last = page.locator("article section[id]").last
    last.evaluate("s => s.scrollIntoView()")
    marked = page.locator(".sections a[aria-current]")
    expect(marked).to_have_count(1)
    expect(marked).to_be_in_viewport()
    expect(page.locator(".chapters .current > a")).to_be_in_viewport()
    depth = "all => new Set(all.map(a => getComputedStyle(a).paddingLeft)).size"
    assert page.locator(".sections ul ul a").evaluate_all(depth) > 1


@pytest.mark.parametrize("width", [320, 360, 390, 820, 896, 1024])
@pytest.mark.parametrize("edition", ["en", "both"])
def test_the_bar_is_one_row_and_covers_no_heading(visit, edition, width):
    page = visit(
        f"{edition}/{CHAPTER}.html#the-model", viewport={"width": width, "height": 800}
    )
    heading = page.locator("#the-model > :is(h2, h3)").first
    expect(heading).to_be_in_viewport()
    page.wait_for_timeout(300)
    bar = page.locator(".bar").bounding_box()
    assert bar["height"] < 64
    assert heading.bounding_box()["y"] >= bar["height"] - 1
    for part in page.locator(".bar > :visible").all():
        box = part.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width + 1


def test_on_a_phone_the_sections_unfold_and_lead_there(visit):
    page = visit(f"en/{CHAPTER}.html", viewport=PHONE)
    where = page.locator(".where")
    where.click()
    sheet = page.locator("#on-this-page")
    expect(sheet.locator("a").nth(3)).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(sheet).not_to_be_visible()
    expect(where).to_be_focused()
    where.click()
    sheet.get_by_role("link", name="The model", exact=True).click()
    page.wait_for_url("**#the-model")
    expect(sheet).not_to_be_visible()
    page.mouse.wheel(0, 300)
    expect(where).to_contain_text("The model")


def test_another_edition_opens_at_the_very_place(visit):
    page = visit(f"zh/{CHAPTER}.html", viewport={"width": 1280, "height": 800})
    page.locator("#the-model .cell").nth(3).evaluate("c => c.scrollIntoView()")
    page.mouse.wheel(0, 40)
    page.wait_for_timeout(200)
    page.locator(".editions a", has_text="English").click()
    page.wait_for_url(f"**/en/{CHAPTER}.html#the-model")
    page.wait_for_timeout(500)
    top = page.locator("#the-model .cell").nth(3).bounding_box()["y"]
    assert -400 < top < 400


def test_a_link_to_a_figure_and_an_equation_shows_it(visit):
    page = visit(f"zh/{CHAPTER}.html")
    equation = page.locator("a.points[href^='#eq-']").first
    equation.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    equation.hover()
    expect(page.locator(".preview math")).to_be_visible()
    figure = page.locator("a.points[href^='#fig-']").first
    figure.focus()
    expect(page.locator(".preview img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".preview")).to_have_count(0)
    page.keyboard.press("Enter")
    target = figure.get_attribute("href")
    expect(page.locator(f"{target} img").first).to_be_in_viewport()


def test_a_term_says_what_it_is_and_leads_to_the_glossary(visit):
    page = visit(f"en/{CHAPTER}.html")
    term = page.locator("a.term").first
    term.focus()
    expect(page.locator(".preview")).to_contain_text(".")
    page.keyboard.press("Enter")
    page.wait_for_url("**/book/glossary.html#term-*")
    expect(page.locator("tr:target")).to_be_in_viewport()


@pytest.mark.parametrize("edition", ["zh", "en", "both"])
def test_a_citation_says_which_paper_it_is(visit, edition):
    page = visit(f"{edition}/{CHAPTER}.html")
    cited = page.locator("article a.cites")
    address = cited.first.get_attribute("href")
    says = (
        "Deep Interest Network for Click-Through Rate Prediction\n"
        "Guorui Zhou, Xiaoqiang Zhu, Chengru Song et al. · KDD, 2018"
    )
    preview = page.get_by_role("tooltip")
    for link in page.locator(f"article a.cites[href='{address}']").all():
        link.focus()
        assert preview.inner_text() == says
        expect(link).to_have_accessible_description(says.replace("\n", " "))
        page.keyboard.press("Escape")
        expect(preview).to_have_count(0)
        expect(link).to_have_accessible_description("")
    other = cited.nth(-1)
    other.scroll_into_view_if_needed()
    page.wait_for_timeout(300)
    other.hover()
    expect(preview).to_be_visible()
    expect(preview).not_to_have_text("Deep Interest Network")
    page.mouse.move(0, 0)
    expect(preview).to_have_count(0)
    assert page.locator("#references a.cites").count() == 0


def test_the_list_of_papers_says_which_they_are(visit):
    page = visit("zh/book/index.html")
    for link in page.locator(".papers a.source").all():
        link.focus()
        expect(page.get_by_role("tooltip")).to_contain_text(", 20")


def test_the_glossary_can_be_filtered(visit):
    page = visit("both/book/glossary.html")
    rows = page.locator("table.terms tbody tr:visible")
    every = rows.count()
    page.locator(".filter").fill("Gate")
    assert 0 < rows.count() < every / 4


def test_the_results_are_counted_and_filtered_by_verdict(visit):
    page = visit("en/book/results.html")
    buttons = page.locator(".tally button")
    counts = [int(text.split()[-1]) for text in buttons.all_inner_texts()]
    rows = page.locator("table.claims tbody tr:visible")
    assert sum(counts) == rows.count()
    for button, count in zip(buttons.all(), counts, strict=True):
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        assert rows.count() == count
        button.click()
    assert rows.count() == sum(counts)
    chapters = [n for n in contents.chapters() if n.count("/") == 2]
    assert page.locator("article h2").count() == len(chapters) + 1


def test_a_figure_has_its_size_and_opens_in_full(visit):
    page = visit(f"en/{CHAPTER}.html", viewport=PHONE)
    images = page.locator("article a.zoom img")
    assert images.count() > 3
    for image in images.all():
        assert int(image.get_attribute("width")) > 200
        assert int(image.get_attribute("height")) > 50
    assert images.nth(2).get_attribute("loading") == "lazy"
    page.locator("a.zoom").first.focus()
    page.keyboard.press("Enter")
    large = page.locator("dialog.zoomed img")
    expect(large).to_be_visible()
    assert large.bounding_box()["width"] > 600
    page.keyboard.press("Escape")
    expect(large).not_to_be_visible()


@pytest.mark.parametrize("kind", ["drawn", "shaded"])
def test_a_figure_is_at_home_in_the_light_and_in_the_dark(visit, kind):
    page = visit("en/notebooks/multitask/mmoe.html", color_scheme="dark")
    shown = page.locator(f"img.{kind}").nth(1)  # below what is laid out at first
    shown.evaluate("img => img.scrollIntoView({block: 'center'})")

    def look():
        """Say what the page's ground is, and see the figure in grey and in colour."""
        page.wait_for_timeout(300)
        paper = page.evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        picture = Image.open(io.BytesIO(shown.screenshot())).convert("RGB")
        return tuple(map(int, re.findall(r"\d+", paper))), picture

    def labels(picture):
        """Of the axis on the left, the darkest and the lightest shade."""
        return picture.crop((0, 0, 50, picture.height)).convert("L").getextrema()

    paper, dark = look()
    assert dark.getpixel((1, 1)) == paper
    assert max(paper) < 30
    assert labels(dark)[1] > 180
    page.get_by_role("button", name="Theme").click()
    paper, light = look()
    assert light.getpixel((1, 1)) == paper
    assert min(paper) > 250
    assert labels(light)[0] < 80
    if kind == "shaded":
        cell = (dark.width // 5, dark.height // 2)
        assert dark.getpixel(cell) == light.getpixel(cell)


def test_in_both_languages_a_title_takes_two_lines_at_most(visit):
    page = visit(f"both/{CHAPTER}.html", viewport={"width": 1440, "height": 900})
    for place in (".chapters", ".sections"):
        entries = page.locator(f"{place} a:visible").evaluate_all(
            """all => all.map(a => [a.textContent, a.title, a.clientHeight
                / parseFloat(getComputedStyle(a).lineHeight)])"""
        )
        assert len(entries) > 15
        for text, told, lines in entries:
            assert told == text
            assert lines < 3, text
    title = page.locator("h1 .lang-en").bounding_box()
    link = page.locator("h1 .headerlink").bounding_box()
    middle = link["y"] + link["height"] / 2
    assert middle < title["y"] + title["height"], "the link has a line to itself"


def test_copy_buttons_are_seen_where_nothing_hovers(visit):
    page = visit(
        f"en/{CHAPTER}.html",
        viewport=PHONE,
        has_touch=True,
        is_mobile=True,
        permissions=["clipboard-read", "clipboard-write"],
    )
    button = page.locator(".cell_input .copy:visible").first
    assert button.evaluate("b => getComputedStyle(b).opacity") == "1"
    assert button.get_attribute("aria-label").startswith("Copy ")
    sign = page.locator("a.zoom").first.evaluate(
        "a => { const sign = getComputedStyle(a, '::after');"
        "return [sign.content, sign.opacity]; }"
    )
    assert sign == ['""', "1"], "a figure does not say that it opens"


def test_a_page_that_is_missing_leads_home(visit, address):
    page = visit("404.html")
    home = page.get_by_role("link", name="home page")
    assert home.evaluate("link => link.href") == f"{address}en/book/index.html"
