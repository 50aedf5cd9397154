"""What the live figures cost: bytes over the wire, time of an answer, distance.

``python -m benchmarks.live`` opens each figure alone in a browser and moves its handles
a hundred times; the time is that of the whole answer: arithmetic, drawing, layout. The
distance is the largest between the script, with the numbers that a page gets, and the
package with the numbers as trained, in parts of the range that is shown.
"""

import gzip
import shutil
import sys

from playwright.sync_api import sync_playwright

from recsys_tutorial import live
from tests.live import conftest, test_parity
from tools.workshop.sentences import show

MOVES = 100
TIME = """([name, moves]) => {
    const el = document.querySelector(".live"), times = [];
    recsysLive.start(el, name);
    const handles = [...el.querySelectorAll(".handles :is(input, select)")];
    for (let i = 0; i < moves; i += 1) {
        const handle = handles[i % handles.length], start = performance.now();
        if (handle.type === "checkbox") handle.checked = !handle.checked;
        else if (handle.tagName === "SELECT") {
            handle.selectedIndex = (handle.selectedIndex + 1) % handle.options.length;
        } else if (handle.value === handle.max) handle.value = handle.min;
        else handle.value = +handle.value + +handle.step;
        handle.dispatchEvent(new Event("input", {bubbles: true}));
        el.getBoundingClientRect();
        times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[moves >> 1];
}"""


def packed(text: str) -> int:
    """Give the bytes of a text over the wire, compressed as hosts do it."""
    return len(gzip.compress(text.encode()))


def measure(page, name: str) -> str:
    """Give a line of the table."""
    kept, states = conftest.kept()[name], test_parity.drawn(name)
    handed = live.handed(live.payload(kept))
    page.set_content(conftest.PAGE.format("zh"))
    for content in (conftest.script("frame"), conftest.script(name), handed):
        page.add_script_tag(content=content)
    page.add_style_tag(path=live.FOLDER / "frame.css")
    found = page.evaluate(test_parity.COMPUTE, [name, states])
    expected = test_parity.by_package(name, kept, states)
    apart = max(test_parity.distance(name, found, expected).values())
    took = page.evaluate(TIME, [name, MOVES])
    script = packed(conftest.script(name))
    return f"{name:16} {script:7} {packed(handed):8} {took:6.1f} {apart:9.1e}"


def main() -> None:
    """Print the table."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        sys.exit("there is no chromium: this looks at the figures in one")
    shared = sum(
        packed((live.FOLDER / file).read_text(encoding="utf-8"))
        for file in ("frame.js", "frame.css")
    )
    show(f"shared by all: {shared} bytes")
    show("figure           script  numbers     ms  distance")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox"]
        )
        page = browser.new_page()
        for name in test_parity.NAMES:
            show(measure(page, name))
        browser.close()


if __name__ == "__main__":
    main()
