"""Pages of the built site in a real browser, the search, and axe."""

from pathlib import Path
from types import SimpleNamespace

import axe_playwright_python
import pytest
from playwright.sync_api import expect

from tests import browsing

address, chromium = browsing.address, browsing.chromium

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 720}
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
# A chapter has thousands of coloured bits of code. One of a kind is enough: the others
# become plain text.
ONE_OF_A_KIND = """() => {
    const seen = new Set();
    document.querySelectorAll("pre span[class]").forEach(element => {
        const cell = element.closest(".cell_input, .cell_output, details");
        const kind = `${element.className} in ${cell?.className}`;
        if (seen.has(kind)) element.replaceWith(element.textContent);
        seen.add(kind);
    });
}"""
# There remain thousands of bits of text, and axe weighs each against what is behind
# it: nine tenths of its time. Three of a kind are enough: the first, and the longest
# two, as axe gives no verdict on single letters. Of a kind are texts of one colour,
# size, weight and shadow on the same ground: the ground is every element around them
# that paints, is see-through, or is moved from its place. A kind is weighed but once:
# of a page seen before, only what is new in another width or theme remains. In
# drawings, where a text may lie on any shape, and in fields, which hold no text, each
# is weighed.
MARK_KINDS = """() => {
    const grounds = new Map(), kinds = new Map();
    const weighed = window.weighed ||= new Set();
    const ground = element => {
        if (!element) return "";
        if (!grounds.has(element)) {
            const {backgroundColor, backgroundImage, opacity, filter, position}
                = getComputedStyle(element);
            const own = [backgroundColor, backgroundImage, opacity, filter, position];
            const plain = own.join() === "rgba(0, 0, 0, 0),none,1,none,static";
            const more = plain ? "" : [element.className, ...own].join() + " / ";
            grounds.set(element, more + ground(element.parentElement));
        }
        return grounds.get(element);
    };
    const text = element => [...element.childNodes]
        .map(node => node.nodeType === Node.TEXT_NODE ? node.data.trim() : "").join("");
    for (const element of document.querySelectorAll("body *")) {
        delete element.dataset.weigh;
        if (element.closest("svg, input, select, textarea")) {
            element.dataset.weigh = "";
        } else if (text(element) && element.checkVisibility()) {
            const {color, fontSize, fontWeight, textShadow} = getComputedStyle(element);
            const look = [color, fontSize, fontWeight, textShadow].join();
            const kind = look + " on " + ground(element);
            if (weighed.has(kind)) continue;
            if (!kinds.has(kind)) kinds.set(kind, []);
            kinds.get(kind).push({element, size: text(element).length});
        }
    }
    for (const [kind, [first, ...others]] of kinds) {
        weighed.add(kind);
        others.sort((a, b) => b.size - a.size);
        for (const {element} of [first, ...others.slice(0, 2)]) {
            element.dataset.weigh = "";
        }
    }
}"""
# A page notices a new width in the next frame, and then measures what is wide.
MEASURED = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    const scripted = document.querySelector("script[src$='book.js']");
    while (scripted && !("measured" in document.documentElement.dataset)) await frame();
}"""
# What is wider than its place, and does not say so. A box that scrolls says it by a
# fade, and to the keyboard; nothing else may leave the column.
CUT = """() => {
    const folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach(fold => { fold.open = true; });
    const boxes = "pre, div.math, .map, .wide-table, .cell_output .output";
    const column = document.querySelector("article")
        || document.querySelector("main") || document.body;
    const {left, right} = column.getBoundingClientRect();
    const faults = [];
    const note = (fault, element) => faults.push(
        `${fault}: ${element.localName} ${element.textContent.trim().slice(0, 80)}`);
    for (const element of column.querySelectorAll("*")) {
        const box = element.closest(boxes);
        const place = element.getBoundingClientRect();
        if (!place.width || !element.checkVisibility()) continue;
        if (!box || !box.parentElement.closest(boxes) && element === box) {
            const out = place.left < left - 1 || place.right > right + 1;
            if (out) note("leaves the column", element);
        }
        if (element !== box || box.scrollWidth <= box.clientWidth + 2) continue;
        const {overflowX, maskImage} = getComputedStyle(box);
        if (!/auto|scroll/.test(overflowX)) note("does not scroll", box);
        if (box.tabIndex !== 0) note("no key reaches it", box);
        if (maskImage === "none") note("no sign of more", box);
    }
    folded.forEach(fold => { fold.open = false; });
    return faults;
}"""
# The enhanced rule is one that axe leaves out by itself, but not where tags are named.
COLOURS = {
    "runOnly": ["cat.color"],
    "rules": {"color-contrast-enhanced": {"enabled": False}},
}
RUN_AXE = """([part, options]) => {
    const weighed = {id: "color-contrast", selector: "[data-weigh]"};
    axe.configure({rules: [weighed]});
    return axe.run(part || document, {resultTypes: ["violations"], ...options})
        .then(found => found.violations);
}"""


def watch(page, base, problems):
    """Note console errors and foreign requests of a page among the problems."""
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


@pytest.fixture
def visit(chromium, address):
    """Open pages of the site; complain of console errors and foreign requests."""
    contexts, problems = [], []

    def open_page(name, **options):
        base = options.pop("base", address)
        context = chromium.new_context(base_url=base, **options)
        contexts.append(context)
        page = context.new_page()
        watch(page, base, problems)
        page.goto(base + name)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture(scope="class")
def context(chromium):
    """Keep one window with a cache for all pages of a class."""
    context = chromium.new_context(viewport=PHONE, has_touch=True)
    yield context
    context.close()


@pytest.fixture(scope="class")
def opened(context, address, name):
    """Open a page on a phone, in the light; give it and the problems it has."""
    page, problems = context.new_page(), []
    watch(page, address, problems)
    page.emulate_media(color_scheme="light")
    page.goto(address + name)
    page.evaluate("document.fonts.ready.then(() => true)")
    page.evaluate(MEASURED)
    yield SimpleNamespace(page=page, problems=problems)
    page.close()


def attend(opened, size):
    """Give the open page in a size; complain of new errors and foreign requests."""
    opened.page.set_viewport_size(size)
    opened.page.evaluate(MEASURED)
    yield opened.page
    problems, opened.problems[:] = opened.problems[:], []
    assert problems == []


@pytest.fixture
def phone(opened):
    """Give the open page as it is on a phone."""
    yield from attend(opened, PHONE)


@pytest.fixture
def page(opened):
    """Give the open page as it is at a desk."""
    yield from attend(opened, DESK)


@pytest.fixture(scope="session")
def cut():
    """List what is cut on a page, in what is folded, too, and does not say so."""

    def look(page):
        page.evaluate(MEASURED)
        return page.evaluate(CUT)

    return look


@pytest.fixture(scope="session")
def search():
    """Search in the dialog of a page; give the addresses that are found."""

    def find(page, words):
        dialog = page.locator("dialog.search")
        if not dialog.is_visible():
            page.keyboard.press("/")
        dialog.locator("input").fill(words)
        expect(dialog.locator(".hits")).to_have_attribute(
            "data-query", words.strip(), timeout=20_000
        )
        found = dialog.locator(".hits a")
        return " ".join(found.evaluate_all("all => all.map(a => a.pathname)"))

    return find


@pytest.fixture(scope="module")
def searching(chromium, address, search):
    """Search an edition, always in the same page; then complain as `visit` does."""
    pages, problems = {}, []
    context = chromium.new_context()

    def find(edition, words):
        if edition not in pages:
            pages[edition] = context.new_page()
            watch(pages[edition], address, problems)
            pages[edition].goto(f"{address}{edition}/book/index.html")
        found = search(pages[edition], words)
        new, problems[:] = problems[:], []
        assert new == []
        return found

    yield find
    context.close()


@pytest.fixture(scope="session")
def grave():
    """Let axe look at a page in a theme; give the serious and the critical faults.

    In the light all of axe's rules are asked. Of these only the rules on colours can
    answer otherwise in the dark, where nothing changes but the colours; so only they,
    which axe itself tags as `cat.color`, are asked there. With a selector, axe looks
    at that part of the page alone.
    """

    def look(page, theme, part=None):
        page.emulate_media(color_scheme=theme)
        if not page.evaluate("'axe' in window"):
            page.evaluate(ONE_OF_A_KIND)
            page.add_script_tag(path=AXE)
        page.evaluate(MARK_KINDS)
        options = COLOURS if theme == "dark" else {}
        return [
            f"{violation['id']} ({violation['impact']}): {node['html'][:150]}"
            for violation in page.evaluate(RUN_AXE, [part, options])
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return look
