"""What a long history costs and what it is worth: the table that chapters share.

``benchmarks/history_length.py`` measures it and says how; here it is read and drawn.
"""

import math
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from recsys_tutorial import plots

PATH = Path(__file__).with_suffix(".csv")
MODELS = ["DIN", "DIEN", "MIMN", "SIM hard", "SIM soft", "ETA", "TWIN", "SDIM"]
UNITS = {
    "milliseconds": "milliseconds per request",
    "bytes": "bytes kept per user",
    "auc": "test AUC",
}


def load_yardstick(path: Path = PATH) -> pd.DataFrame:
    """The stored run, one row per model and length of the history.

    Returns
    -------
    DataFrame
        ``model``; ``length``, steps; ``milliseconds`` for a request of 100 candidates
        of one user, on one thread; ``bytes`` kept of a user between requests; ``auc``
        in the world of recurring interests, mean of three seeds, each with a world of
        its own, with the 95 % interval ``auc_low``, ``auc_high``, cut at 0 and 1; and
        ``trained_on``, the length of the histories in training, where that is less.
        ``attrs["run"]`` names date, machine and versions.
    """
    with Path(path).open() as file:
        run = file.readline().lstrip("# ").strip()
        table = pd.read_csv(file)
    table.attrs["run"] = run
    return table


def plot_yardstick(axes: Axes, table: pd.DataFrame, column: str = "milliseconds"):
    """A curve per model over the length of the history, which doubles along the axis.

    Parameters
    ----------
    axes : Axes
    table : DataFrame
        Of `load_yardstick`; rows without a value are left out.
    column : {"milliseconds", "bytes", "auc"}
        The first two on a logarithmic axis.
    """
    if column not in UNITS:
        raise ValueError(f"column is {column!r}; expected one of {list(UNITS)}")
    for name in table["model"].unique():
        rows = table[(table["model"] == name) & table[column].notna()]
        if len(rows):
            plots.line(axes, rows["length"], rows[column], name)
    axes.set_xscale("log", base=2)
    lengths = sorted(table["length"].unique())
    axes.set_xticks(lengths, [f"{n:,}" for n in lengths])
    if column != "auc":
        axes.set_yscale("log")
    axes.set_xlabel("steps of the history")
    axes.set_ylabel(UNITS[column])
    axes.legend()


def crossing(table: pd.DataFrame, model: str, other: str) -> float:
    """The length of history from which on `model` answers in less time than `other`.

    Between two measured lengths both times are taken to grow as powers of the length.

    Returns
    -------
    float
        Steps; the smallest measured length if `model` is the quicker all along, and
        infinity if it is not the quicker at the end.
    """
    times = table.pivot(index="length", columns="model", values="milliseconds")
    for name in (model, other):
        if name not in times:
            raise KeyError(f"no model {name!r}; there are {list(times)}")
    gap = (times[model] / times[other]).map(math.log)  # below 0: quicker
    slow = gap.index[gap >= 0]
    if not len(slow):
        return float(gap.index[0])
    if slow[-1] == gap.index[-1]:
        return math.inf
    a = slow[-1]
    b = gap.index[gap.index.get_loc(a) + 1]
    part = gap[a] / (gap[a] - gap[b])
    return float(a * (b / a) ** part)
