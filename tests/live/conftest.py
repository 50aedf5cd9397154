"""Live figures in a browser, alone: the shared script, a figure's, and its numbers."""

from functools import cache

import pytest

from recsys_tutorial import live
from tests import browsing
from tools.website.ext.live import records
from tools.workshop import notebook_files

chromium = browsing.chromium
PAGE = """<!DOCTYPE html>
<html lang='en' data-edition='{}'><div class='live'></div></html>"""


@cache
def kept() -> dict[str, dict]:
    """Give what the notebooks keep of their live figures, by name."""
    notebooks = map(notebook_files.read, notebook_files.find())
    return {each["name"]: each for notebook in notebooks for each in records(notebook)}


def script(name: str) -> str:
    """Give the text of a script in the folder of live figures."""
    return (live.FOLDER / f"{name}.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def window(chromium):
    """Open a page with the shared script; a figure may be put into it again."""
    page = chromium.new_page()
    yield page
    page.close()


@pytest.fixture
def put(window):
    """Put a figure into an empty page, by its script and what it is handed."""

    def into(text, packed, edition="en"):
        window.set_content(PAGE.format(edition))
        for content in (script("frame"), text, live.handed(packed)):
            window.add_script_tag(content=content)
        return window

    return into
