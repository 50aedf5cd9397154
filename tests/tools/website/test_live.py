"""Where live figures stand on a page, and the files that come with them."""

import pytest
from nbformat import v4

from recsys_tutorial import live
from tools.website.ext import live as ext
from tools.website.ext.tagged_cells import tag_cells

KEPT = {"name": "mmoe", "shown": {}, "numbers": {}, "exact": [], "words": {}}


@pytest.fixture
def notebook():
    """Give a notebook whose second cell has a picture and a live figure."""
    outputs = [
        v4.new_output("display_data", data={"image/svg+xml": "<svg/>"}),
        v4.new_output("display_data", data={live.MIME: KEPT, "text/plain": "moves"}),
    ]
    cells = [v4.new_markdown_cell("# 章 | Chapter"), v4.new_code_cell(outputs=outputs)]
    return v4.new_notebook(cells=cells)


def test_what_a_notebook_keeps_is_found(notebook):
    assert list(ext.records(notebook)) == [KEPT]
    notebook.cells[1].outputs.pop()
    assert list(ext.records(notebook)) == []


@pytest.mark.parametrize("edition", ["zh", "en", "both"])
def test_a_page_has_an_empty_place_below_the_picture(notebook, edition):
    picture, figure = tag_cells(notebook, "sample", edition)["cells"][1]["outputs"]
    assert picture["data"] == {"image/svg+xml": "<svg/>"}
    assert figure["data"] == {
        "text/html": '<div class="live" data-live="mmoe"></div>',
    }
