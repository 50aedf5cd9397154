"""The directives ``results``, every chapter's claims, and ``yardstick``, one table.

A chapter's notebook ends with a cell whose output holds its claims as JSON
(`recsys_tutorial.claims`). They are read from the committed outputs, in the order of
the table of contents; nothing is listed twice by hand. The yardstick is a stored run,
which `recsys_tutorial.yardstick` describes; its file is read here without importing
the package, which would take longer than all else on the page.
"""

import csv
import json
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

from tools.website import contents
from tools.website.ext.bilingual import SEPARATOR, block, both, phrase
from tools.workshop.notebook_files import CLAIMS, ROOT

YARDSTICK = ROOT / "recsys_tutorial" / "yardstick.csv"
VERDICTS = {
    "holds": ("成立", "holds"),
    "not seen": ("未见", "not seen here"),
    "reversed": ("相反", "reversed"),
}
HEAD = [
    ("论文说", "The paper says"),
    ("本书测得", "We measured"),
    ("结论", "Verdict"),
]


def claims_in(path: Path) -> list[dict]:
    """Read the claims from a notebook's outputs; an empty list if there are none."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [
        record
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        for record in output.get("data", {}).get(CLAIMS, [])
    ]


def figure(record: dict) -> str:
    """Write a measurement as ``mean [low, high]``."""
    m = record["measured"]
    text = f"{m['mean']:+.3f} [{m['low']:+.3f}, {m['high']:+.3f}]"
    return text.replace("-", "\u2212")


class Results(SphinxDirective):
    """How many claims hold, then a section for each notebook that has some."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        every: list[dict] = []
        for docname in self.notebooks():
            self.env.note_dependency(self.env.doc2path(docname))
            records = claims_in(Path(self.env.doc2path(docname)))
            if records:
                every += records
                found.append(self.chapter(docname, table(records)))
        if found:
            return [tally(every), *found]
        return [
            block("zh", nodes.paragraph("", "还没有一章执行完毕。")),
            block("en", nodes.paragraph("", "No chapter has been run yet.")),
        ]

    def notebooks(self) -> list[str]:
        """Notebooks in the order of the table of contents."""
        site_map = self.config.external_site_map
        return [
            name
            for name in site_map
            if name in self.env.found_docs
            and self.env.doc2path(name).endswith(".ipynb")
        ]

    def chapter(self, docname: str, claims: nodes.table) -> nodes.section:
        """Make a chapter's section: its title, which leads there, and its table."""
        path = Path(self.env.doc2path(docname))
        notebook = json.loads(path.read_text(encoding="utf-8"))
        halves = contents.heading(notebook).split(SEPARATOR)
        title = nodes.title("", "", *(self.link(docname, half) for half in halves))
        title.insert(1, nodes.Text(SEPARATOR))
        section = nodes.section("", title, claims, names=[docname])
        section["ids"].append(nodes.make_id(docname.rpartition("/")[2]))
        self.state.document.note_implicit_target(section, section)
        return section

    def link(self, docname: str, words: str) -> addnodes.pending_xref:
        """Link to a chapter."""
        return addnodes.pending_xref(
            "",
            nodes.inline("", words),
            refdoc=self.env.docname,
            refdomain="std",
            reftype="doc",
            reftarget="/" + docname,
            refexplicit=True,
            refwarn=True,
        )


def tally(records: list[dict]) -> nodes.container:
    """Say how many claims hold, were not seen, are reversed; the page filters by it."""
    found = nodes.container("", classes=["tally"])
    for verdict, (zh, en) in VERDICTS.items():
        count = sum(record["verdict"] == verdict for record in records)
        words = [*both(zh, en), nodes.Text(f" {count}")]
        classes = ["verdict", verdict.replace(" ", "-")]
        found += nodes.paragraph("", "", nodes.inline("", "", *words, classes=classes))
    return found


class Yardstick(SphinxDirective):
    """A row per model, a column per length of history.

    The argument says of what: ``milliseconds``, or ``auc`` with its interval.
    """

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(YARDSTICK))
        with YARDSTICK.open(encoding="utf-8") as file:
            machine = file.readline().lstrip("# ").strip()
            stored: dict[str, dict[int, dict]] = {}
            for row in csv.DictReader(file):
                stored.setdefault(row["model"], {})[int(row["length"])] = row
        lengths = sorted({steps for found in stored.values() for steps in found})
        head = [both("模型", "Model"), *([nodes.Text(f"{n:,}")] for n in lengths)]
        cell = {"milliseconds": time_of, "auc": auc_of}[self.arguments[0]]
        body = [
            nodes.row(
                "",
                nodes.entry("", nodes.paragraph("", name)),
                *(nodes.entry("", *cell(found[n])) for n in lengths),
            )
            for name, found in stored.items()
        ]
        whole = grid(head, body, [20, *[16] * len(lengths)], "yardstick")
        return [whole, small(machine)]


def time_of(row: dict) -> list[nodes.paragraph]:
    """Milliseconds, as a cell."""
    return [nodes.paragraph("", f"{float(row['milliseconds']):,.2f}")]


def auc_of(row: dict) -> list[nodes.paragraph]:
    """Mean over its interval, as a cell."""
    mean, low, high = (float(row[name]) for name in ("auc", "auc_low", "auc_high"))
    return [nodes.paragraph("", f"{mean:.3f}"), small(f"[{low:.2f}, {high:.2f}]")]


def table(records: list[dict]) -> nodes.table:
    """Make the table of one chapter."""
    head = [both(*pair) for pair in HEAD]
    return grid(head, [row(record) for record in records], [50, 34, 16], "claims")


def grid(head: list, rows: list[nodes.row], widths: list[int], name: str):
    """Make a table of the class `name`; `head` has the nodes of each column's title."""
    group = nodes.tgroup("", cols=len(widths))
    group += [nodes.colspec(colwidth=width) for width in widths]
    titles = [nodes.entry("", nodes.paragraph("", "", *title)) for title in head]
    group += nodes.thead("", nodes.row("", *titles))
    group += nodes.tbody("", *rows)
    return nodes.table("", group, classes=[name])


def row(record: dict) -> nodes.row:
    """Make one row: what the paper says and where, our figure, the verdict."""
    verdict = record["verdict"]
    says = [
        block("zh", nodes.paragraph("", record["zh"])),
        block("en", nodes.paragraph("", record["en"])),
        small(record["source"]),
    ]
    what = small("")
    what += [
        *both(**record["quantity"]),
        nodes.Text(f"; n = {record['measured']['n']} ("),
        *both(**record["covers"]),
        nodes.Text(")"),
    ]
    measured = [nodes.paragraph("", figure(record)), what]
    zh, en = VERDICTS.get(verdict, (verdict, verdict))
    badge = nodes.inline(
        "",
        "",
        phrase("zh", nodes.Text(zh)),
        nodes.Text(" "),
        phrase("en", nodes.Text(en)),
        classes=["verdict", verdict.replace(" ", "-")],
    )
    cells = [says, measured, [nodes.paragraph("", "", badge)]]
    entries = [nodes.entry("", *cell) for cell in cells]
    return nodes.row("", *entries, classes=[verdict.replace(" ", "-")])


def small(text: str) -> nodes.paragraph:
    """Make a line in small print."""
    return nodes.paragraph("", text, classes=["small"])


def setup(app):
    """Register the directives."""
    app.add_directive("results", Results)
    app.add_directive("yardstick", Yardstick)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
