"""The directive ``papers``: a map of the papers, and the list of them.

``book/papers.tsv`` has a line for each paper: its notebook, its name, its year, its
idea in both languages, the notebooks it builds on, its addresses. On the map time runs
to the right and an arrow leads from a paper to the one that builds on it. A paper
whose chapter is in the table of contents is a link to it.
"""

import csv
import html
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools.website.ext.bilingual import both, phrase, pick
from tools.workshop.notebook_files import ROOT

TABLE = ROOT / "book" / "papers.tsv"
PARTS = {
    "multitask": ("多任务学习", "Multi-task learning"),
    "sequence": ("用户行为序列", "Sequences of behaviour"),
    "coldstart": ("冷启动", "Cold start"),
    "generative": ("生成式推荐", "Generative recommendation"),
}
COLUMN, ROW, WIDTH, HEIGHT, TOP, MARGIN = 140, 60, 122, 44, 20, 4


class Paper(NamedTuple):
    """A line of the table; `after` and `papers` hold names separated by spaces."""

    notebook: str
    name: str
    year: str
    zh: str
    en: str
    after: str
    papers: str


def read() -> list[Paper]:
    """Read the table of papers."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()[1:]
    return [Paper(*row) for row in csv.reader(lines, delimiter="\t")]


def place(papers: list[Paper]) -> dict[str, tuple[int, int]]:
    """Give each paper its column, a year, and a row below its part's title.

    A paper goes to the right of one that it builds on if nothing stands between the
    two, else below it.
    """
    years = sorted({paper.year for paper in papers})
    taken, placed, top = set(), {}, 0
    for part in PARTS:
        for paper in papers:
            if not paper.notebook.startswith(part):
                continue
            column = years.index(paper.year)
            row = top
            for start, beside in [placed[name] for name in paper.after.split()]:
                between = {(c, beside) for c in range(start + 1, column + 1)}
                if start < column and not between & taken:
                    row = beside
                    break
                row = beside + 1
            while (column, row) in taken:
                row += 1
            taken.add((column, row))
            placed[paper.notebook] = column, row
        top = 1 + max(row for _, row in taken)
    return placed


def draw(papers: list[Paper], addresses: dict[str, str], edition: str) -> str:
    """Draw the map.

    Parameters
    ----------
    papers : list of Paper
        In the order of the table.
    addresses : dict
        Notebook -> address of its page; papers without one are drawn without a link.
    edition : {"zh", "en", "both"}
        The language of the captions.
    """
    placed = place(papers)
    lanes = list(PARTS)

    def corner(notebook: str) -> tuple[int, int]:
        column, row = placed[notebook]
        lane = lanes.index(notebook.split("/")[0])
        return MARGIN + column * COLUMN, TOP + row * ROW + (lane + 1) * 34

    width = 2 * MARGIN + WIDTH + max(c for c, _ in placed.values()) * COLUMN
    height = max(corner(name)[1] for name in placed) + HEIGHT + MARGIN
    label = pick(
        "论文地图：箭头指向后来者 | Map of the papers: arrows lead to later ones",
        edition,
    )
    out = [
        f'<div class="map"><svg viewBox="0 0 {width} {height}" role="group" '
        f'aria-label="{label}"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" '
        'refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z"/></marker></defs>'
    ]
    for column, year in enumerate(sorted({paper.year for paper in papers})):
        x = MARGIN + column * COLUMN + WIDTH / 2
        out.append(f'<text class="year" x="{x:g}" y="18">{year}</text>')
    for part, (zh, en) in PARTS.items():
        y = min(corner(n)[1] for n in placed if n.startswith(part)) - 10
        text = html.escape(pick(f"{zh} | {en}", edition))
        out.append(f'<text class="part" x="{MARGIN}" y="{y}">{text}</text>')
    for paper in papers:
        for name in paper.after.split():
            out.append(_arrow(corner(name), corner(paper.notebook)))
    for paper in papers:
        out.append(_box(paper, corner(paper.notebook), addresses, edition))
    return "".join(out) + "</svg></div>"


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    (x, y), (u, v) = start, end
    if x == u:  # straight down
        path = f"M{x + WIDTH / 2:g} {y + HEIGHT}V{v - 2}"
    elif y == v:
        path = f"M{x + WIDTH} {y + HEIGHT // 2}H{u - 2}"
    else:  # down in the gap behind the first, then along
        path = f"M{x + WIDTH} {y + HEIGHT // 2}q8 0 8 8V{v + HEIGHT // 2 - 8}"
        path += f"q0 8 8 8H{u - 2}"
    return f'<path class="arrow" d="{path}" marker-end="url(#tip)"/>'


def _box(
    paper: Paper, corner: tuple[int, int], addresses: dict[str, str], edition: str
) -> str:
    x, y = corner
    idea = html.escape(pick(f"{paper.zh} | {paper.en}", edition))
    lines = paper.name.split(" · ")
    words = "".join(
        f'<text x="{x + WIDTH / 2:g}" y="{y + 27 + 16 * (k - (len(lines) - 1) / 2):g}">'
        f"{html.escape(line)}</text>"
        for k, line in enumerate(lines)
    )
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>{words}'
    box = f"<title>{idea}</title>{box}"
    part = paper.notebook.split("/")[0]
    if paper.notebook not in addresses:
        return f'<g class="paper planned {part}">{box}</g>'
    label = html.escape(f"{paper.name}, {paper.year}: ") + idea
    href = addresses[paper.notebook]
    return f'<a class="paper {part}" href="{href}" aria-label="{label}">{box}</a>'


class Papers(SphinxDirective):
    """The map, and below it a list for each part of the book."""

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(TABLE))
        self.env.note_reread()  # a chapter may have come since
        papers = read()
        builder = self.env.app.builder
        addresses = {
            paper.notebook: builder.get_relative_uri(self.env.docname, docname)
            for paper in papers
            if (docname := f"notebooks/{paper.notebook}") in self.env.found_docs
        }
        found: list[nodes.Node] = [
            nodes.raw("", draw(papers, addresses, self.config.edition), format="html")
        ]
        for part, title in PARTS.items():
            items = [
                self.item(paper, addresses.get(paper.notebook))
                for paper in papers
                if paper.notebook.startswith(part)
            ]
            found.append(nodes.paragraph("", "", *both(*title), classes=["part"]))
            found.append(nodes.bullet_list("", *items, classes=["papers"]))
        return found

    def item(self, paper: Paper, written: str | None) -> nodes.list_item:
        """Make a line of the list: chapter, year, idea, links to the papers."""
        name = nodes.strong("", paper.name)
        line = nodes.paragraph()
        if written:
            line += nodes.reference("", "", name, refuri=written, internal=True)
        else:
            line += name
        line += nodes.inline("", f" {paper.year} ", classes=["year"])
        line += [phrase("zh", nodes.Text(paper.zh)), nodes.Text(" ")]
        line += phrase("en", nodes.Text(paper.en))
        for address in paper.papers.split():
            line += nodes.Text(" ")
            text = pick("论文 | paper", self.config.edition)
            line += nodes.reference("", text, refuri=address, classes=["source"])
        if not written:
            line += nodes.Text(" ")
            line += phrase("zh", nodes.Text("（待写）"))
            line += phrase("en", nodes.Text("(to come)"))
        return nodes.list_item("", line)


def setup(app):
    """Register the directive."""
    app.add_directive("papers", Papers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
