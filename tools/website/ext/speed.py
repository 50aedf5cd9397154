"""The directive ``speed``: tables and figures of the stored runs of ``benchmarks/``.

The argument says which: a function below, or one of `FIGURES`. Under each stands the
machine, with the date and the versions. ``benchmarks/results`` holds the runs; what
their columns mean, the scripts there say that wrote them.
"""

import os
import re
from pathlib import Path

import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tools.website.ext.bilingual import both
from tools.website.ext.results import grid, small
from tools.workshop.notebook_files import ROOT

RUNS = ROOT / "benchmarks" / "results"
BOOK = "this book"
SPEED = "rows/s"
NAMES = {
    "mmoe": "MMoE", "ple": "PLE", "esmm": "ESMM", "aitm": "AITM", "din": "DIN",
    "din, Dice": "DIN, Dice", "dien": "DIEN", "stamp": "STAMP", "sasrec": "SASRec",
}  # fmt: skip
NUMBER = re.compile(r"[\d≤.,%/\[\] ]*")
OPERATORS = 4  # to name, of each model
FIGURES = {
    "races": "书中的训练比两个库快几倍 | how many times faster than two libraries",
    "minutes": "每本笔记本运行多少秒 | seconds that each notebook runs",
}


class Speed(SphinxDirective):
    """One table or figure, and what it was measured on."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        file = {"races": "throughput", "minutes": "notebooks"}.get(name, name)
        path = RUNS / f"{file}.csv"
        self.env.note_dependency(str(path))
        run = pd.read_csv(path)
        found = self.image(name, run) if name in FIGURES else globals()[name](run)
        return [found, small(machine(run))]

    def image(self, name: str, run: pd.DataFrame) -> nodes.paragraph:
        """Draw a figure, which the builder takes with the other pictures."""
        path = Path(self.env.doctreedir) / f"{name}.svg"
        save(name, run, path)
        page = Path(self.env.doc2path(self.env.docname))
        uri = Path(os.path.relpath(path, page.parent)).as_posix()
        return nodes.paragraph("", "", nodes.image("", uri=uri, alt=FIGURES[name]))


def machine(run: pd.DataFrame) -> str:
    """Name processor, cores, versions and dates of a stored run."""
    one = run.iloc[-1]
    dates = sorted(run["date"].unique())
    parts = [
        f"{one['processor']}, {one['cores']} cores",
        f"torch {one['torch']}",
        f"Python {one['python']}",
        *dict.fromkeys([dates[0], dates[-1]]),
    ]
    if "version" in run:
        libraries = run[["contestant", "version"]].drop_duplicates()
        libraries = libraries[~libraries["contestant"].str.startswith(BOOK)]
        parts[1:1] = [" ".join(pair) for pair in libraries.itertuples(index=False)]
    return "; ".join(parts)


def table(head: list[tuple[str, str]], rows: list[list[str]], widths: list[int]):
    """Make a table of plain text; the head in both languages, numbers to the right."""
    body = [
        nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in row))
        for row in rows
    ]
    whole = grid([both(*title) for title in head], body, widths, "speed")
    for column, values in enumerate(zip(*rows, strict=True)):
        if all(NUMBER.fullmatch(text) for text in values):
            for row in whole.findall(nodes.row):
                row[column]["classes"].append("number")
    return whole


def in_order(run: pd.DataFrame) -> list[str]:
    """The models of a run, in the order of `NAMES`."""
    return [name for name in NAMES if name in set(run["model"])]


def ratios(run: pd.DataFrame, model: str) -> pd.DataFrame:
    """How many times the book's rows per second: a row per round, a column per peer."""
    speed = run[(run["model"] == model) & (run["metric"] == SPEED)]
    speed = speed.pivot(index="round", columns="contestant", values="value")
    others = [name for name in speed if name != BOOK]
    return speed[others].rdiv(speed[BOOK], axis=0)


def throughput(run: pd.DataFrame) -> nodes.table:
    """Rows per second and scores: a row per model and contestant."""
    rows = []
    for model in in_order(run):
        own, faster = run[run["model"] == model], ratios(run, model)
        for name in own["contestant"].unique():
            one = own[own["contestant"] == name]
            medians = one.groupby("metric", sort=False)["value"].median()
            scores = medians.drop(SPEED)
            ratio = "1"
            if name != BOOK:
                r = faster[name]
                ratio = f"{r.median():.1f} [{r.min():.1f}, {r.max():.1f}]"
            rows.append(
                [
                    NAMES[model],
                    name,
                    f"{medians[SPEED]:,.0f}",
                    ratio,
                    " / ".join(f"{value:.3f}" for value in scores),
                ]
            )
    head = [
        ("模型", "Model"),
        ("谁来训练", "Trained by"),
        ("行/秒", "Rows/s"),
        ("本书快几倍", "Book's lead, times"),
        ("测试分数", "Test score"),
    ]
    return table(head, rows, [12, 24, 14, 24, 26])


def steps(run: pd.DataFrame) -> nodes.table:
    """A training step against the processor's peak: a row per model."""
    rows = []
    for model in in_order(run):
        one = run[run["model"] == model].iloc[0]
        rows.append(
            [
                NAMES[model],
                f"{one['milliseconds']:.1f}",
                f"{one['products']:.0%}",
                f"{one['rate']:.0f}",
                one["largest"].replace(" x ", "×"),
                f"{one['largest_rate']:.0f}",
                f"{one['peak']:.0f}",
                f"{one['of_peak']:.0%}",
            ]
        )
    head = [
        ("模型", "Model"),
        ("毫秒/步", "ms per step"),
        ("乘法占", "Products"),
        ("GFLOP/s", "GFLOP/s"),
        ("最大的乘法", "Largest product"),
        ("GFLOP/s", "GFLOP/s"),
        ("峰值", "Peak"),
        ("整步", "Step"),
    ]
    return table(head, rows, [12, 10, 10, 10, 30, 10, 8, 10])


def operators(run: pd.DataFrame) -> nodes.table:
    """Where the time of a step goes: the largest operators of each model."""
    rows = []
    for model in in_order(run):
        one = run[(run["model"] == model) & (run["operator"] != "all others")]
        one = one.nlargest(OPERATORS, "share")
        names = one["operator"].str.replace("aten::", "")
        shares = zip(names, one["share"], strict=True)
        rows.append([NAMES[model], ", ".join(f"{n} {s:.0%}" for n, s in shares)])
    head = [("模型", "Model"), ("最耗时的算子", "Operators that take longest")]
    return table(head, rows, [14, 86])


def attempts(run: pd.DataFrame) -> nodes.table:
    """What was tried to be quicker: a row per attempt."""
    rows = [
        [NAMES[one.model], one.attempt, f"{one.milliseconds:.1f}", f"{one.times:.2f}"]
        for one in run.itertuples()
    ]
    head = [
        ("模型", "Model"),
        ("试了什么", "What was tried"),
        ("毫秒/步", "ms per step"),
        ("快几倍", "Times faster"),
    ]
    return table(head, rows, [14, 50, 16, 16])


def preparing(run: pd.DataFrame) -> nodes.table:
    """Loading, batches, negatives, augmentation: a row per task."""
    rows = []
    for one in run.itertuples():
        other = ""
        if one.other == one.other:
            times = one.other_seconds / one.seconds
            other = f"{one.other}: {1000 * one.other_seconds:,.0f} ({times:.1f}×)"
        microseconds = 1e6 * one.seconds / one.rows
        rows.append(
            [
                one.task,
                f"{one.rows:,}",
                f"{1000 * one.seconds:,.0f}",
                f"{microseconds:.2f}",
                other,
            ]
        )
    head = [
        ("做什么", "What"),
        ("得到几行", "Rows out"),
        ("毫秒", "ms"),
        ("微秒/行", "µs per row"),
        ("常见做法，毫秒", "The usual way, ms"),
    ]
    return table(head, rows, [24, 14, 12, 14, 36])


def notebooks(run: pd.DataFrame) -> nodes.table:
    """Seconds and memory: a row per notebook, the longest first."""
    run = run.sort_values("seconds", ascending=False)
    rows = [
        [one.notebook, f"{one.seconds:.0f}", f"{one.megabytes:,.0f}", one.cell]
        for one in run.itertuples()
    ]
    total = run["seconds"].sum()
    rows.append(["=", f"{total:,.0f}", f"≤ {run['megabytes'].max():,.0f}", ""])
    head = [
        ("笔记本", "Notebook"),
        ("秒", "Seconds"),
        ("内存峰值，MB", "Peak memory, MB"),
        ("最久的单元，首行", "Longest cell, first line"),
    ]
    return table(head, rows, [18, 10, 16, 56])


def building(run: pd.DataFrame) -> nodes.table:
    """Build time of each edition."""
    rows = [
        [one.edition, f"{one.seconds:.0f}", str(one.pages), f"{one.megabytes:.1f}"]
        for one in run.itertuples()
    ]
    head = [
        ("版本", "Edition"),
        ("构建，秒", "Build, s"),
        ("页数", "Pages"),
        ("网页合计，MB", "All pages, MB"),
    ]
    return table(head, rows, [20, 16, 12, 20])


def pages(run: pd.DataFrame) -> nodes.table:
    """Weight of every page as it is sent, an edition per column."""
    wide = run.pivot(index="page", columns="edition", values="sent")
    order = wide.max(axis=1).sort_values(ascending=False).index
    editions = [name for name in ("zh", "en", "both") if name in wide]
    rows = [[page, *(f"{wide.loc[page, e]:.0f}" for e in editions)] for page in order]
    head = [("页面，KB", "Page, kB"), *[(e, e) for e in editions]]
    return table(head, rows, [46, *[18] * len(editions)])


def save(name: str, run: pd.DataFrame, path: Path) -> None:
    """Draw a figure in the book's style into a file."""
    import matplotlib.pyplot as plt  # and below, torch: not for tables

    from recsys_tutorial import plots

    with plt.rc_context(plots.STYLE):
        drawn = {"races": races, "minutes": minutes}[name](plots, run)
        drawn.savefig(path, metadata={"Date": None})


def races(plots, run: pd.DataFrame):
    """Draw the ratios: a line per model, a colour per library."""
    models = in_order(run)
    figure, axes = plots.canvas(height=0.34 * len(models) + 1)
    peers = [n for n in run["contestant"].unique() if not n.startswith(BOOK)]
    for position, peer in enumerate(peers):
        color = plots.color(peer, position)
        for row, model in enumerate(models):
            found = ratios(run, model)
            if peer in found:
                r, y = found[peer], row + 0.2 * (position - 0.5)
                axes.plot([r.min(), r.max()], [y, y], color=color, alpha=0.5)
                axes.plot(r.median(), y, "o", color=color)
        axes.plot([], [], "o", color=color, label=peer)
    axes.axvline(1, color="#7f7f7f", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes.set_yticks(range(len(models)), [NAMES[m] for m in models])
    axes.invert_yaxis()
    axes.set_xlabel("rows per second of this book, times the library's")
    axes.legend()
    return figure


def minutes(plots, run: pd.DataFrame):
    """Draw the seconds of each notebook, the longest first."""
    run = run.sort_values("seconds")
    figure, axes = plots.canvas(height=0.22 * len(run) + 0.8)
    axes.barh(run["notebook"], run["seconds"], height=0.7)
    axes.set_xlabel("seconds")
    axes.grid(axis="y", visible=False)
    return figure


def setup(app):
    """Register the directive."""
    app.add_directive("speed", Speed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
