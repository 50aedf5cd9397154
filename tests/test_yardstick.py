import math

import pandas as pd
import pytest

from recsys_tutorial import plots
from recsys_tutorial.yardstick import (
    MODELS,
    UNITS,
    crossing,
    load_yardstick,
    plot_yardstick,
)


def times(a, b, lengths=(64, 256, 1024)):
    rows = [("A", n, t) for n, t in zip(lengths, a, strict=True)]
    rows += [("B", n, t) for n, t in zip(lengths, b, strict=True)]
    return pd.DataFrame(rows, columns=["model", "length", "milliseconds"])


def test_the_stored_run_is_whole():
    table = load_yardstick()
    assert set(table["model"]) == set(MODELS)
    assert sorted(table["length"].unique()) == [64, 256, 1024, 4096, 16_384]
    assert len(table) == len(MODELS) * 5
    assert (table[["milliseconds", "bytes"]] > 0).all(axis=None)
    assert table["auc"].between(0.4, 1).all()
    assert (table["auc_low"] <= table["auc"]).all()
    assert (table["auc"] <= table["auc_high"]).all()
    assert table[["auc_low", "auc_high"]].stack().between(0, 1).all()
    assert (table["trained_on"] <= table["length"]).all()
    assert "torch" in table.attrs["run"]


def test_what_the_chapters_say_of_it():
    """DIN grows with the history, the searches less; an index, MIMN, SDIM are flat."""
    time = load_yardstick().pivot(index="length", columns="model")["milliseconds"]
    growth = time.loc[16_384] / time.loc[1024]  # of 16 times the history
    assert growth["DIN"] > 8
    assert growth["DIEN"] > 8
    assert growth["MIMN"] < 2
    assert growth["SIM hard"] < 2
    assert growth["SDIM"] < 2
    for name in ("SIM hard", "SIM soft", "ETA", "TWIN", "MIMN", "SDIM"):
        assert time[name][16_384] < time["DIN"][16_384] / 5
    auc = load_yardstick().pivot(index="length", columns="model")["auc"]
    assert (auc.loc[:1024] > 0.78).all(axis=None)  # all have learnt the task
    for name in ("MIMN", "SDIM"):  # lower, and as flat as their times
        assert (auc[name] < auc["SIM hard"] - 0.03).all()
        assert auc[name].loc[256:].max() - auc[name].loc[256:].min() < 0.02
    for name in ("SIM soft", "ETA", "TWIN"):  # beyond the lengths of training
        assert auc[name][16_384] < auc[name][1024] - 0.05
    for name in ("SIM hard", "DIEN"):
        assert auc[name][16_384] > auc[name][1024] - 0.03
    kept = load_yardstick().pivot(index="length", columns="model")["bytes"]
    assert kept["MIMN"].nunique() == 1
    assert kept["DIN"].is_monotonic_increasing


def test_a_crossing_by_hand():
    # on logarithmic axes: straight lines that meet half way between 256 and 1024
    assert crossing(times([4, 4, 4], [1, 2, 8]), "A", "B") == pytest.approx(512)
    assert crossing(times([1, 1, 1], [2, 2, 2]), "A", "B") == 64
    assert crossing(times([2, 2, 2], [1, 1, 1]), "A", "B") == math.inf
    assert crossing(times([4, 4, 4], [1, 4, 8]), "A", "B") == pytest.approx(256)
    with pytest.raises(KeyError, match="no model 'C'; there are \\['A', 'B'\\]"):
        crossing(times([1, 1, 1], [2, 2, 2]), "A", "C")


@pytest.mark.parametrize("column", list(UNITS))
def test_the_plot_has_a_curve_per_model_and_says_its_unit(column):
    figure, axes = plots.canvas()
    plot_yardstick(axes, load_yardstick(), column)
    text = plots.figure_text(figure)
    assert all(name in text for name in MODELS)
    assert UNITS[column] in text
    assert "16,384" in text


def test_times_and_bytes_stand_on_logarithmic_axes():
    for column, scale in (("milliseconds", "log"), ("bytes", "log"), ("auc", "linear")):
        _, axes = plots.canvas()
        plot_yardstick(axes, load_yardstick(), column)
        assert axes.get_yscale() == scale
        assert axes.get_xscale() == "log"


def test_what_was_not_measured_is_not_drawn():
    table = times([1, math.nan, 3], [math.nan] * 3)
    _, axes = plots.canvas()
    plot_yardstick(axes, table)
    assert [(x.get_label(), len(x.get_xdata())) for x in axes.lines] == [("A", 2)]


def test_an_unknown_column():
    _, axes = plots.canvas()
    with pytest.raises(ValueError, match="column is 'speed'; expected one of"):
        plot_yardstick(axes, load_yardstick(), "speed")
