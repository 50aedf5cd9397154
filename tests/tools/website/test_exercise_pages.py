"""The pages that collect the exercises and the solutions of all chapters."""

import json
import re

import pytest
from nbformat import v4

from tools.website import contents, links
from tools.website.ext import exercises
from tools.workshop import notebook_files

PATH = "../../notebooks/multitask/sample.ipynb"
PAGES = {"exercises": "exercise", "solutions": "solution"}


@pytest.fixture
def chapter(sample_path):
    """Give the sample chapter as the extension reads it."""
    return json.loads(sample_path.read_text(encoding="utf-8"))


def test_exercises_have_their_text_and_their_hints(chapter):
    text = exercises.chapter(chapter, PATH, "exercises", "zh")
    assert text.startswith(f"## [示例章]({PATH}) | [Sample chapter]({PATH})")
    place = f"{PATH}#exercise-1-a-shift"
    assert f"### [练习 1：平移]({place}) | [Exercise 1: a shift]({place})" in text
    assert "::{zh}\n分数都加 1，权重会变吗？" in text
    assert "::{en}\nAdd 1 to all scores." in text
    assert text.count("<details>") == 8
    assert "softmax([1.0" not in text, "a solution stands on the page of exercises"


def test_a_self_checked_exercise_shows_the_head_of_its_function_alone(chapter):
    text = exercises.chapter(chapter, PATH, "exercises", "zh")
    assert "def log_sum_exp(scores):" in text
    assert "raise NotImplementedError" in text
    assert "largest" not in text


def test_solutions_have_code_outputs_and_checks(chapter):
    text = exercises.chapter(chapter, PATH, "solutions", "zh")
    assert "``````python\nsoftmax([1.0, 1.0])\n``````" in text
    assert text.count("[0.5, 0.5]") == 3
    assert "largest + math.log" in text
    assert "先加再取对数" in text
    assert "all checks passed" in text
    assert "Hint" not in text, "only the titles of exercises stand with the solutions"


def test_a_chapter_without_a_self_checked_exercise_will_do(chapter):
    ends = [
        i
        for i, c in enumerate(chapter["cells"])
        if c["id"] in ("exercise-4", "check-4")
    ]
    del chapter["cells"][ends[0] : ends[1] + 1]
    for kind in PAGES:
        assert exercises.chapter(chapter, PATH, kind, "en").count("\n### ") == 3


def test_a_notebook_without_exercises_is_left_out():
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# 甲 | A")])
    assert exercises.chapter(notebook, PATH, "exercises", "zh") == ""


def solution(*outputs, **metadata):
    metadata["tags"] = ["solution", "hide-cell"]
    return v4.new_code_cell("x", outputs=list(outputs), metadata=metadata)


@pytest.mark.parametrize(("edition", "alt"), [("zh", "柱"), ("en", "Bars")])
def test_outputs_are_text_tables_or_figures_in_the_language(edition, alt):
    spans = '<td><span class="lang-zh">成</span> <span class="lang-en">yes</span></td>'
    cell = solution(
        v4.new_output("stream", text="printed\n"),
        v4.new_output("display_data", {"text/html": spans, "text/plain": "plain"}),
        v4.new_output("display_data", {"image/png": "aGk=", "image/svg+xml": "<svg/>"}),
        mystnb={"image": {"alt": "柱 | Bars"}},
    )
    text, table, figure = exercises.outputs(cell, edition)
    assert "``````text\nprinted\n``````" in text
    assert ("成" in table, "yes" in table) == (edition == "zh", edition == "en")
    assert "plain" not in table
    assert f'<img src="data:image/svg+xml;base64,PHN2Zy8+" alt="{alt}">' in figure


@pytest.mark.parametrize(
    ("link", "moved"),
    [
        ("(#the-gate)", "(../../notebooks/multitask/mmoe.ipynb#the-gate)"),
        ("(ple.ipynb)", "(../../notebooks/multitask/ple.ipynb)"),
        ("(../sequence/din.ipynb#x)", "(../../notebooks/sequence/din.ipynb#x)"),
        ("(../../book/data.md)", "(../../book/data.md)"),
        ("(https://example.org/a.md)", "(https://example.org/a.md)"),
    ],
)
def test_links_lead_to_the_same_place_from_another_page(link, moved):
    cell = {"cell_type": "markdown", "source": f"see [this]{link}, `a[0](b)`"}
    text = exercises.given(cell, [], "../../notebooks/multitask/mmoe.ipynb")
    assert text == f"see [this]{moved}, `a[0](b)`"


@pytest.mark.parametrize("kind", PAGES)
@pytest.mark.parametrize("edition", ["zh", "en", "both"])
def test_the_built_page_has_each_exercise_of_the_book_once(kind, edition):
    text = (links.SITE / edition / "book" / "teaching" / f"{kind}.html").read_text()
    expected = []
    for name in contents.pages():
        path = notebook_files.ROOT / f"{name}.ipynb"
        if not path.exists():
            continue  # a page of prose
        found = exercises.exercises_in(json.loads(path.read_text("utf-8")))
        stem = path.stem.replace("_", "-")
        expected += [f"{stem}-{PAGES[kind]}-{n + 1}" for n in range(len(found))]
    assert len(expected) >= 45
    article = text.partition("<article>")[2].partition("</article>")[0]
    assert re.findall(r'<section id="([^"]+-\d+)">', article) == expected
    assert ('class="dataframe"' in article) == (kind == "solutions")
