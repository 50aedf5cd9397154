"""Every figure of the book in one hand: style, colours, and the few kinds of plot.

A plot cell makes its figure with `canvas`, fills the axes and ends with the figure::

    figure, axes = plots.canvas()
    plots.line(axes, x, y, "MMoE")
    figure
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib_inline.backend_inline import set_matplotlib_formats

from recsys_tutorial.metrics import Interval

# One colour per model through the whole book (Okabe and Ito's set, safe for
# colour-blind readers); whatever has no colour of its own draws from OTHERS.
COLORS = {
    "single task": "#7f7f7f",
    "shared bottom": "#d55e00",
    "one gate": "#009e73",
    "MMoE": "#0072b2",
    "clicks only": "#444444",
    "ESMM-NS": "#cc79a7",
    "ESMM": "#56b4e9",
    "unclicked as 0": "#e69f00",
    "division": "#a6761d",
    "ML-MMoE": "#66ccee",
    "CGC": "#ddaa33",
    "PLE": "#aa3377",
    "calibrator only": "#88ccee",
    "transfer only": "#882255",
    "AITM": "#cc6677",
    "product": "#999933",
}
OTHERS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"]
WIDTH = 6.8  # inches; a figure fills the column of a page

STYLE = {
    "axes.prop_cycle": mpl.cycler(color=OTHERS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "image.cmap": "viridis",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",  # letters stay letters: small files, found by search
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],  # of equal widths
    "svg.hashsalt": "recsys-tutorial",  # the same file on every run
}


def use_book_style() -> None:
    """Set matplotlib's defaults to the book's and draw figures as SVG."""
    plt.rcParams.update(STYLE)
    set_matplotlib_formats("svg", metadata={"Date": None})


def canvas(rows: int = 1, columns: int = 1, height: float = 2.8, **options):
    """A figure of the book's width and its axes, as `matplotlib.pyplot.subplots` gives.

    The figure is shown by being the last expression of its cell, and only there.

    Parameters
    ----------
    rows, columns : int
        Grid of axes.
    height : float
        Height of the figure in inches.
    **options
        Go to ``plt.subplots``: ``sharey``, ``width_ratios`` ...
    """
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), **options)
    plt.close(figure)
    return figure, axes


def color(name: str, position: int = 0) -> str:
    """The colour of a model, or the `position`-th of the others."""
    return COLORS.get(name, OTHERS[position % len(OTHERS)])


def line(axes: Axes, x, y, label: str, **options) -> None:
    """A curve; where `y` holds `Interval` values, with its 95 % band."""
    options = {"color": color(label, len(axes.lines)), "label": label} | options
    if all(isinstance(value, Interval) for value in y):
        low, high = [v.low for v in y], [v.high for v in y]
        axes.fill_between(x, low, high, color=options["color"], alpha=0.18, lw=0)
        y = [v.mean for v in y]
    axes.plot(x, y, marker="o", markersize=3.5, **options)


def strips(axes: Axes, groups: dict[str, np.ndarray], unit: str = "") -> None:
    """One row of dots per group, one dot per run, with the median as a bar."""
    for row, (name, values) in enumerate(groups.items()):
        values = np.asarray(values)
        # fixed jitter: a figure does not change from run to run
        jitter = 0.22 * np.sin(np.arange(len(values)) * 2.4)
        shade = color(name, row)
        axes.scatter(values, row + jitter, s=14, color=shade, alpha=0.6, lw=0)
        axes.plot(
            [np.median(values)] * 2, [row - 0.33, row + 0.33], color=shade, lw=2.4
        )
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)


def intervals(axes: Axes, rows: dict[str, Interval], unit: str = "") -> None:
    """Means with 95 % intervals, one row each, against a line at zero."""
    axes.axvline(0, color="#444444", lw=0.9)
    for row, (name, v) in enumerate(rows.items()):
        shade = color(name, row)
        axes.plot([v.low, v.high], [row, row], color=shade, lw=2)
        axes.plot(v.mean, row, "o", color=shade, markersize=5)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(unit)


def heat(axes: Axes, table: pd.DataFrame, unit: str = "", **options) -> None:
    """A table as colours, under its own row and column labels.

    The colour bar is drawn if `unit` is given, so that neighbours can share one.
    """
    image = axes.imshow(table.to_numpy(), aspect="auto", **options)
    axes.set_xticks(range(len(table.columns)), table.columns)
    axes.set_yticks(range(len(table.index)), table.index)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    if unit:
        axes.figure.colorbar(image, ax=axes, label=unit)


def figure_text(figure: Figure) -> str:
    """All text that is drawn in a figure, for checks."""
    figure.draw_without_rendering()
    return "\n".join(
        t.get_text() for t in figure.findobj(mpl.text.Text) if t.get_text()
    )
