"""What is measured beside the races: notebooks, pages, the preparation of data."""

import gzip
import sys

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat import v4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory")
def test_a_notebook_costs_its_time_and_the_memory_of_all_its_processes(
    script, tmp_path
):
    child = "import time; x = b'1' * 150_000_000; time.sleep(2.5)"
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell("1 + 1"), v4.new_code_cell(code)]
    )
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    path = tmp_path / "small.ipynb"
    nbformat.write(notebook, path)
    found = script("notebooks").cost(path)
    assert found["notebook"] == "small"
    assert found["megabytes"] > 150
    assert found["seconds"] > found["cell_seconds"] > 2.5
    assert found["cell"] == "import subprocess, sys"


def test_a_page_weighs_its_text_and_its_pictures(script, tmp_path):
    (tmp_path / "book" / "images").mkdir(parents=True)
    (tmp_path / "_static").mkdir()
    picture, style = b"<svg/>" * 100, b"p { margin: 0 }"
    (tmp_path / "book" / "images" / "a.svg").write_bytes(picture)
    (tmp_path / "_static" / "book.css").write_bytes(style)
    page = (
        '<p>One</p><img alt="" src="images/a.svg"><img alt="" src="images/a.svg?v=1">'
    )
    (tmp_path / "book" / "one.html").write_text(page)
    (tmp_path / "book" / "two.html").write_text("<p>Two</p>")
    one, two, shared = script("building").weigh("en", tmp_path)
    assert (one["page"], one["id"]) == ("book/one", "en/book/one")
    assert one["kilobytes"] == (len(page) + len(picture)) / 1000
    sent = len(gzip.compress(page.encode())) + len(gzip.compress(picture))
    assert one["sent"] == sent / 1000
    assert two["kilobytes"] == len("<p>Two</p>") / 1000
    assert shared["kilobytes"] == len(style) / 1000


def test_both_ways_to_draw_negatives_avoid_what_a_user_has(script):
    preparing = script("preparing")
    events = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 7]})
    quick, _, usual = preparing.negatives(events["user"], events["item"])
    seen = {1: {5, 6}, 2: {7}}
    for drawn in (quick(), usual()):
        assert len(drawn) == 3
        assert all(
            1 <= i < preparing.FILMS and i not in seen[u]
            for u, i in zip(events["user"], np.asarray(drawn).tolist(), strict=True)
        )


def test_ways_take_turns_and_the_median_counts(script):
    preparing, calls = script("preparing"), []
    task = preparing.Task(
        7, lambda: calls.append("book"), "loop", lambda: calls.append("loop")
    )
    found = preparing.measure("toy", task, rounds=3)
    assert calls == ["book", "loop"] * 3
    assert (found["rows"], found["other"], found["repeats"]) == (7, "loop", 3)
    alone = preparing.measure("toy", preparing.Task(7, lambda: None), rounds=1)
    assert alone["other"] == ""
    assert np.isnan(alone["other_seconds"])
