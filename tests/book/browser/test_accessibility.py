"""axe finds nothing serious on any page, in light and in dark."""

from pathlib import Path

import axe_playwright_python
import contents
import editions
import pytest

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
NAMES = contents.pages()
# A chapter has thousands of coloured bits of code, and axe weighs each against what is
# behind it. One of a kind is enough: the others become plain text.
ONE_OF_A_KIND = """() => {
    const seen = new Set();
    document.querySelectorAll("pre span[class]").forEach(element => {
        const cell = element.closest(".cell_input, .cell_output, details");
        const kind = `${element.className} in ${cell?.className}`;
        if (seen.has(kind)) element.replaceWith(element.textContent);
        seen.add(kind);
    });
}"""
PAGES = [f"{edition}/{name}.html" for edition in editions.LANGUAGES for name in NAMES]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [*PAGES, "index.html#choose", "404.html"])
def test_a_page_is_accessible(visit, name, theme):
    page = visit(name, color_scheme=theme)
    page.evaluate(ONE_OF_A_KIND)
    page.add_script_tag(path=AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        f"{violation['id']} ({violation['impact']}): {node['html'][:150]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert grave == []
