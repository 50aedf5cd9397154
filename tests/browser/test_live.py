"""Live figures on the pages of the site: by mouse, by key, by finger, and without."""

import pytest
from playwright.sync_api import expect

from recsys_tutorial import live
from tools.website import links
from tools.website.ext.live import records
from tools.workshop import notebook_files

PAGES = {  # name of a figure -> the page that it stands on
    kept["name"]: path.relative_to(notebook_files.ROOT).with_suffix("").as_posix()
    for path in notebook_files.find()
    for kept in records(notebook_files.read(path))
}
PAIRS = [(edition, name) for edition in ("zh", "en") for name in PAGES]
SMALL = {"width": 320, "height": 700}
FINGER = 24  # pixels, the least that a finger hits
# To a figure as a link leads there: what lies above is laid out on the way, and so the
# place is looked for again in the next frames.
COME = """async () => {
    const place = document.querySelector(".live");
    for (let frame = 0; place.isConnected && frame < 600; frame += 1) {
        if (frame < 30) place.scrollIntoView();
        if (place.matches("[data-ready]")) return;
        await new Promise(requestAnimationFrame);
    }
}"""


@pytest.fixture(scope="class")
def figure(chromium, address, edition, name):
    """Open the page of a figure and come near to it; give the page and its faults."""
    context = chromium.new_context(has_touch=True)
    page, problems = context.new_page(), []
    page.on("console", lambda m: problems.append(m.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}{edition}/{PAGES[name]}.html")
    page.early = [url for url in asked if "/live/" in url]
    page.evaluate(COME)
    page.wait_for_selector(f".live[data-ready={name}]")
    yield page, problems
    context.close()


@pytest.mark.parametrize(("edition", "name"), PAIRS, scope="class")
class TestFigure:
    """What is asked of every live figure, in a page that is opened once."""

    def test_it_comes_late_and_without_a_fault(self, figure):
        page, problems = figure
        assert page.early == []
        assert problems == []

    def test_every_handle_answers_to_the_keyboard(self, figure):
        page, _ = figure
        answer, handles = page.locator(".live .answer"), page.locator(".live .handles")
        for control in handles.locator("input, select").all()[:6]:
            before = answer.inner_html()
            control.focus()
            kind = control.evaluate("e => e.type")
            keys = ["ArrowRight", "ArrowDown", "End", "Home", "ArrowUp"]
            keys, seen = ["Space"] * 2 if kind == "checkbox" else keys, set()
            for key in keys:
                page.keyboard.press(key)
                seen.add(answer.inner_html())
            name = control.get_attribute("name")
            assert seen != {before} or kind == "checkbox", name
        page.locator(".live .reset").click()

    def test_the_named_states_differ(self, figure):
        page, _ = figure
        states = page.locator(".live [data-state]")
        assert states.count() == 3
        said = set()
        for button in states.all():
            button.tap()
            expect(button).to_have_attribute("aria-pressed", "true")
            said.add(page.locator(".live .said").inner_text())
        assert len(said) == 3
        heard = page.locator(".live [role=status]")
        expect(heard).to_have_text(page.locator(".live .said").inner_text())

    def test_it_speaks_one_language(self, figure, edition):
        page, _ = figure
        text = page.locator(".live").inner_text()
        chinese = page.locator(".live").evaluate(
            "e => /[\u4e00-\u9fff]/.test(e.innerText)"
        )
        assert chinese == (edition == "zh"), text
        assert "undefined" not in text
        assert "NaN" not in text

    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing(self, figure, grave, theme):
        page, _ = figure
        assert grave(page, theme, ".live") == []

    def test_it_fits_a_small_screen_and_a_finger(self, figure):
        page, _ = figure
        page.set_viewport_size(SMALL)
        page.wait_for_timeout(100)
        wide = page.locator(".live").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert wide[0] <= wide[1] + 1
        sizes = page.locator(".live :is(button, input, select)").evaluate_all(
            "all => all.map(e => e.closest('label') || e)"
            ".map(e => e.getBoundingClientRect().height)"
        )
        assert min(sizes) >= FINGER

    def test_paper_has_the_picture_alone(self, figure):
        page, _ = figure
        page.emulate_media(media="print")
        expect(page.locator(".live")).not_to_be_visible()
        picture = page.locator(".cell:has(.live) img").first
        expect(picture).to_be_visible()
        page.emulate_media(media="screen")


@pytest.fixture
def one():
    name = next(iter(PAGES))
    return name, f"both/{PAGES[name]}.html"


def test_without_javascript_the_picture_stands_alone(visit, one):
    page = visit(one[1], java_script_enabled=False)
    expect(page.locator(".live")).not_to_be_visible()
    assert page.locator(".cell:has(.live) img").first.get_attribute("alt")


def test_a_script_that_does_not_come_leaves_the_picture(chromium, address, one):
    page = chromium.new_page()
    page.route("**/live/frame.js", lambda route: route.abort())
    page.goto(address + one[1])
    place = page.locator(".live")
    page.evaluate(COME)
    expect(place).to_have_count(0)
    expect(page.locator("img").first).to_be_visible()
    page.close()


def test_it_moves_from_a_disk_too(visit, one):
    page = visit(one[1], base=f"{links.SITE.as_uri()}/")
    page.evaluate(COME)
    expect(page.locator(".live .said")).not_to_be_empty(timeout=20_000)


def test_a_strict_policy_lets_it_run(chromium, address, one):
    context = chromium.new_context()
    page, problems = context.new_page(), []
    page.on("console", lambda m: problems.append(m.text))

    def strictly(route):
        answer = route.fetch()
        policy = {"content-security-policy": "script-src 'self' 'unsafe-inline'"}
        route.fulfill(response=answer, headers=answer.headers | policy)

    page.route("**/*.html", strictly)
    page.goto(address + one[1])
    page.evaluate(COME)
    expect(page.locator(".live .said")).not_to_be_empty(timeout=20_000)
    assert problems == []
    context.close()


def test_what_a_page_gets_for_its_figure_weighs_little():
    folder = links.SITE / "zh" / "_static" / "live"
    shared = sum(links.sent(folder / file) for file in ("frame.js", "frame.css"))
    numbers = [links.sent(folder / f"{name}-numbers.js") for name in PAGES]
    for name in PAGES:
        assert shared + links.sent(folder / f"{name}.js") <= 15_000, name
    assert max(numbers) <= 120_000
    assert sum(numbers) / len(numbers) <= 40_000
    assert set(PAGES) == {p.stem for p in live.FOLDER.glob("*.js")} - {"frame"}
