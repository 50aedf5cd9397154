"""Every figure of the book in one hand: style, colours, and the few kinds of plot.

A plot cell makes its figure with `canvas`, fills the axes and ends with the figure::

    figure, axes = plots.canvas()
    plots.line(axes, x, y, "MMoE")
    figure
"""

from contextlib import suppress

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recsys_tutorial.metrics import Interval

# Any two of these can be told apart by colour-blind readers, too, except BLUE from SKY
# and WINE from BLACK; a line in each stands out from white (contrast of 3 and more).
GREY, BLACK, BLUE, NAVY, SKY = "#6e6e6e", "#222222", "#0072b2", "#003f66", "#3a98d6"
PURPLE, GREEN, GOLD, RUST = "#332288", "#00a36c", "#c28a00", "#ad4400"
PINK, WINE = "#cc79a7", "#6b1039"

# One colour per model through the whole book: grey for what others are measured by,
# one hue for variants; models that share a colour never meet in a figure.
COLORS = {
    # multi-task learning
    "single task": GREY,
    "single, two levels": BLACK,
    "shared bottom": RUST,
    "one gate": GREEN,
    "MMoE": BLUE,
    "ML-MMoE": NAVY,
    "CGC": GOLD,
    "PLE": PINK,
    "clicks only": GREY,
    "unclicked as 0": GOLD,
    "division": GREEN,
    "ESMM": PURPLE,
    "ESMM-NS": PINK,
    "ESCM2-IPS": BLUE,
    "ESCM2-DR": GREEN,
    "product": PURPLE,  # ESMM's, in the chapter on AITM
    "AITM": WINE,
    "transfer only": PINK,
    "calibrator only": GOLD,
    "shared network": GREY,
    "shared, wide": BLACK,
    "one per domain": PURPLE,
    "linear, crossed": NAVY,
    "EPNet": GOLD,
    "PPNet": GREEN,
    "PEPNet": RUST,
    "EBR": SKY,
    "cluster": GOLD,
    "global": GREY,
    # behaviour sequences
    "base": GREY,
    "base, sum": GREY,
    "base, average": GREY,
    "base, Dice": BLACK,
    "DIN": BLUE,
    "DIN, softmax": NAVY,
    "DIN, Dice": PURPLE,
    "GRU + attention": GREEN,
    "GRU + auxiliary": WINE,
    "AIGRU": PINK,
    "AGRU": PURPLE,
    "AUGRU": GOLD,
    "DIEN": RUST,
    "STAMP": WINE,
    "STAMP, no last": GOLD,
    "STAMP, sigmoid": BLUE,
    "STMP": PINK,
    "GRU": GREEN,
    "MIMN": GREEN,
    "+MUR": GREEN,
    "+MUR, sharp": GREEN,
    "plain": GREY,
    "plain, sharp": GREY,
    "SIM hard": PINK,
    "hard": PINK,
    "hard, time": WINE,
    "SIM soft": GOLD,
    "soft": GOLD,
    "recent": GREY,
    "ETA": PURPLE,
    "ETA, latest": GREY,
    "hash": PURPLE,  # ETA's search, in the chapter on TWIN
    "TWIN": WINE,
    "TWIN, independent": PINK,  # of the projections, at the start
    "everything": RUST,
    "everything, independent": GOLD,
    "inner product": BLUE,  # a first stage with nothing to learn
    "SDIM": NAVY,
    "random views": GREY,
    "CoSeRec": NAVY,
    "TiCoSeRec": SKY,
    # cold start
    "latent model": GREY,
    "popularity": GREY,
    "neighbours": PINK,
    "ridge": GOLD,
    "drop 0": WINE,
    "two models": PURPLE,
    "DropoutNet": RUST,
    "MeLU": BLUE,
    "first order": GOLD,
    "MAML": PINK,
    "fine-tuned": GREY,
    "ordinary": GREY,  # fine-tuned, before its tuning
    "random": GREY,
    "mean": SKY,
    "generated": WINE,
    # generative recommendation
    "SASRec": GREY,
    "GRU4Rec": GREEN,
    "HSTU": BLUE,
    "HSTU, softmax": PINK,
    "HSTU, no bias": NAVY,
    "HSTU, no gate": PURPLE,
    "HSTU, request": GOLD,
    "TIGER": RUST,
    "TIGER, hashed": BLUE,
    "TIGER, random": GOLD,
    "TIGER, shuffled": PURPLE,
    "OneRec": WINE,
    "best of 8": SKY,
}
# what is no model takes these in turn
OTHERS = [BLUE, "#d55e00", GREEN, PINK, PURPLE, GOLD, GREY]
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
    """Set matplotlib's defaults to the book's; draw figures as SVG and as PNG.

    Sites and printers take the SVG. JupyterLab hides it in a notebook that its reader
    has not signed, and shows the PNG, of two pixels for one. Where Jupyter is not
    installed, there are no cells to draw in, and the defaults alone are set.
    """
    plt.rcParams.update(STYLE)
    with suppress(ModuleNotFoundError):
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", "retina", metadata={"Date": None})


def canvas(rows: int = 1, columns: int = 1, height: float = 2.6, **options):
    """A figure of the book's width and its axes, as `matplotlib.pyplot.subplots` gives.

    The figure is shown by being the last expression of its cell, and only there.

    Parameters
    ----------
    rows, columns : int
        Grid of axes.
    height : float
        Height of the figure in inches: as it is for curves, 3.0 for scattered points
        or many curves, 4.4 for two rows of axes; for a list see `rows_high`.
    **options
        Go to ``plt.subplots``: ``sharey``, ``width_ratios`` ...
    """
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), **options)
    plt.close(figure)
    return figure, axes


def rows_high(n: int) -> float:
    """Height in inches of a figure that lists `n` rows; a title counts as one."""
    return 1.2 + 0.2 * n


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


def intervals(
    axes: Axes, rows: dict[str, Interval], unit: str = "", model: str = ""
) -> None:
    """Means with 95 % intervals, one row each, against a line at zero.

    Where the rows are cases of one `model`, all of them take its colour.
    """
    axes.axvline(0, color="#444444", lw=0.9)
    for row, (name, v) in enumerate(rows.items()):
        shade = color(model or name, row)
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
