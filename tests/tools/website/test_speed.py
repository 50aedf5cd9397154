"""The page of speed: its tables are the stored runs, and nothing else."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
from docutils import nodes

from tools.website.ext import speed


def page(name, folder=None):
    """What the directive makes: the table or figure, and the line below it."""

    class Page(speed.Speed):
        arguments = (name,)
        env = SimpleNamespace(
            note_dependency=lambda path: None,
            docname="book/speed",
            doc2path=lambda name: folder / f"{name}.md",
            doctreedir=folder,
        )
        config = SimpleNamespace(edition="en")

        def __init__(self):
            pass

    return Page().run()


def cells(table):
    rows = table.findall(nodes.row)
    return [[entry.astext() for entry in row.findall(nodes.entry)] for row in rows][1:]


def test_rows_per_second_are_medians_and_ratios_are_taken_within_a_round():
    found, below = page("throughput")
    run = pd.read_csv(speed.RUNS / "throughput.csv")
    table = cells(found)
    pairs = run[["model", "contestant"]].drop_duplicates()
    assert len(table) == len(pairs)
    for model, contestant, rows, ratio, *_ in table:
        model = {name: key for key, name in speed.NAMES.items()}[model]
        one = run[(run["model"] == model) & (run["metric"] == "rows/s")]
        wide = one.pivot(index="round", columns="contestant", values="value")
        assert len(wide) >= 5
        assert rows == f"{wide[contestant].median():,.0f}"
        if contestant != speed.BOOK:
            r = wide[speed.BOOK] / wide[contestant]
            assert ratio.startswith(f"{r.median():.1f} [{r.min():.1f}, ")
    assert "torch-rechub" in below.astext()
    assert re.search(r"\d{4}-\d\d-\d\d$", below.astext())


@pytest.mark.parametrize("name", ["steps", "operators"])
def test_every_model_that_was_raced_has_its_profile(name):
    raced = pd.read_csv(speed.RUNS / "throughput.csv")["model"].unique()
    table = cells(page(name)[0])
    assert {row[0] for row in table} >= {speed.NAMES[model] for model in raced}


def test_the_notebooks_are_all_there_and_add_up():
    table = cells(page("notebooks")[0])
    run = pd.read_csv(speed.RUNS / "notebooks.csv")
    assert sorted(row[0] for row in table[:-1]) == sorted(run["notebook"])
    assert table[-1][1] == f"{run['seconds'].sum():,.0f}"
    seconds = [float(row[1]) for row in table[:-1]]
    assert seconds == sorted(seconds, reverse=True)


def test_what_was_tried_stands_beside_the_model_as_it_is():
    table = cells(page("attempts")[0])
    run = pd.read_csv(speed.RUNS / "attempts.csv")
    assert len(table) == len(run)
    for model, tried in run.groupby("model"):
        own = tried.set_index("attempt")["times"]
        assert own["as it is"] == 1
        assert len(own) == 4, f"{model}: expected three attempts"


@pytest.mark.parametrize("name", ["preparing", "building", "pages"])
def test_a_row_for_each_line_of_a_stored_run(name):
    run = pd.read_csv(speed.RUNS / f"{name}.csv")
    first = {"preparing": "task", "building": "edition", "pages": "page"}[name]
    assert {row[0] for row in cells(page(name)[0])} == set(run[first])


@pytest.mark.parametrize("name", speed.FIGURES)
def test_a_figure_says_in_words_what_it_shows(name, tmp_path):
    found, _ = page(name, tmp_path)
    (image,) = found
    assert image["alt"] == speed.FIGURES[name]
    assert image["uri"] == f"../{name}.svg"
    assert "<svg" in (tmp_path / f"{name}.svg").read_text()
