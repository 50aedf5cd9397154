"""What is generated on pages: the map of papers, the results."""

import json
import re
from types import SimpleNamespace

import pytest
from nbformat import v4

from recsys_tutorial.yardstick import load_yardstick
from tools.website.ext import page, papers, results

PAPERS = papers.read()


def test_each_paper_has_all_that_is_needed():
    names = [paper.notebook for paper in PAPERS]
    assert len(set(names)) == len(names)
    for paper in PAPERS:
        assert paper.notebook.split("/")[0] in papers.PARTS
        assert re.fullmatch("20[0-9]{2}", paper.year)
        assert re.search("[\u4e00-\u9fff]", paper.zh)
        assert paper.en.isascii()
        assert set(paper.after.split()) <= set(names)
        assert all(x.startswith("https://") for x in paper.papers.split())


def test_a_paper_comes_after_those_that_it_builds_on():
    year = {paper.notebook: paper.year for paper in PAPERS}
    for paper in PAPERS:
        assert all(year[name] <= paper.year for name in paper.after.split())


def test_no_two_papers_have_the_same_place():
    placed = papers.place(PAPERS)
    assert len(set(placed.values())) == len(PAPERS)
    rows = {part: {placed[p.notebook][1] for p in PAPERS if part in p.notebook}
            for part in papers.PARTS}  # fmt: skip
    assert len(set.union(*rows.values())) == sum(map(len, rows.values()))


def test_a_paper_goes_below_if_something_stands_between():
    line = [
        papers.Paper(f"multitask/{name}", name, year, "", "", after, "")
        for name, year, after in [
            ("a", "2001", ""),
            ("b", "2002", "multitask/a"),
            ("c", "2003", "multitask/a"),
            ("d", "2002", "multitask/b"),
        ]
    ]
    places = papers.place(line)
    assert [places[paper.notebook] for paper in line] == [
        (0, 0),
        (1, 0),
        (2, 1),
        (1, 1),
    ]


@pytest.mark.parametrize("edition", ["zh", "en", "both"])
def test_only_chapters_that_are_written_are_links(edition):
    svg = papers.draw(PAPERS, {"multitask/ple": "ple.html"}, edition)
    assert svg.count("<a ") == 1
    assert '<a class="paper multitask" href="ple.html"' in svg
    assert svg.count('<g class="paper planned') == len(PAPERS) - 1
    assert svg.count('class="arrow"') == sum(len(p.after.split()) for p in PAPERS)
    assert ("多任务学习" in svg) == (edition != "en")
    assert ("Cold start" in svg) == (edition != "zh")


RECORD = {
    "zh": "门控更稳",
    "en": "gates are steadier",
    "source": "Ma et al. 2018, Fig. 4",
    "measured": {"mean": -0.25, "low": -0.5, "high": 0.125, "n": 10},
    "quantity": {"zh": "损失之差", "en": "loss difference"},
    "covers": {"zh": "种子、划分", "en": "seeds, splits"},
    "verdict": "not seen",
}


def test_claims_are_read_from_outputs(tmp_path):
    output = v4.new_output("display_data", {results.CLAIMS: [RECORD]})
    cells = [v4.new_markdown_cell("x"), v4.new_code_cell("y", outputs=[output])]
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(v4.new_notebook(cells=cells)))
    assert results.claims_in(path) == [RECORD]


def test_a_claim_in_the_table():
    text = results.table([RECORD]).astext()
    for part in (
        "门控更稳",
        "gates are steadier",
        "Ma et al. 2018, Fig. 4",
        "\u22120.250 [\u22120.500, +0.125]",
        "损失之差 · loss difference; n = 10 (种子、划分 · seeds, splits)",
        "未见 not seen here",
    ):
        assert part in text


def test_the_tally_counts_each_verdict():
    records = [RECORD, RECORD, RECORD | {"verdict": "holds"}]
    found = [paragraph.astext() for paragraph in results.tally(records)]
    assert found == ["成立 · holds 1", "未见 · not seen here 2", "相反 · reversed 0"]


def test_a_row_can_be_found_by_its_verdict():
    assert results.row(RECORD)["classes"] == ["not-seen"]


def test_an_image_has_its_size_and_opens_in_full(tmp_path):
    drawing, photo = tmp_path / "a.svg", tmp_path / "b.png"
    drawing.write_text('<?xml version="1.0"?><svg width="300pt" height="150pt">')
    photo.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\0\x80")
    assert page.dimensions(drawing) == (400, 200)
    assert page.dimensions(photo) == (256, 128)
    builder = SimpleNamespace(images={str(drawing): "a.svg", str(photo): "b.png"})
    body = '<img alt="A" src="../_images/a.svg" /><img src="../_images/b.png">'
    found = page.mended(body, builder, lambda zh, en: en)
    assert found == (
        '<a class="zoom" href="../_images/a.svg"><img alt="A" src="../_images/a.svg"'
        ' width="400" height="200" class="drawn"></a>'
        '<a class="zoom" href="../_images/b.png"><img src="../_images/b.png"'
        ' width="256" height="128" loading="lazy"></a>'
    )
    drawing.write_text('<svg width="300pt" height="150pt"><image/></svg>')
    assert ' class="shaded"></a>' in page.mended(body, builder, lambda zh, en: en)
    other = '<img src="other.svg">'
    assert page.mended(other, builder, lambda zh, en: en) == other


def yardstick(column):
    class Page(results.Yardstick):
        arguments = (column,)
        env = SimpleNamespace(note_dependency=lambda path: None)

        def __init__(self):
            pass

    return Page().run()


def test_the_yardstick_has_a_row_per_model_and_a_column_per_length():
    whole, machine = yardstick("milliseconds")
    stored = load_yardstick()
    for name in stored["model"].unique():
        assert name in whole.astext()
    for steps, milliseconds in zip(
        stored["length"], stored["milliseconds"], strict=True
    ):
        assert f"{steps:,}" in whole.astext()
        assert f"{milliseconds:,.2f}" in whole.astext()
    assert machine.astext() == stored.attrs["run"]


def test_the_yardstick_gives_each_auc_with_its_interval():
    whole, _ = yardstick("auc")
    for row in load_yardstick().itertuples():
        assert f"{row.auc:.3f}" in whole.astext()
        assert f"[{row.auc_low:.2f}, {row.auc_high:.2f}]" in whole.astext()
