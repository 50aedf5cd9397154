import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from recsys_tutorial import plots
from recsys_tutorial.metrics import Interval


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        plots.use_book_style()
        yield


def test_a_canvas_is_shown_once_as_the_cell_s_last_expression():
    before = plt.get_fignums()
    figure, axes = plots.canvas(1, 2)
    assert plt.get_fignums() == before  # pyplot will not show it again
    assert len(axes) == 2
    assert figure.get_figwidth() == plots.WIDTH


def test_a_curve_of_intervals_has_a_band_that_covers_them():
    _, axes = plots.canvas()
    plots.line(
        axes, [0, 1], [Interval(1, 0.5, 1.5, 3), Interval(2, 1.0, 4.0, 3)], "MMoE"
    )
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert axes.lines[0].get_ydata().tolist() == [1, 2]
    assert (band.min(), band.max()) == (0.5, 4.0)
    assert axes.lines[0].get_color() == plots.COLORS["MMoE"]


def test_a_curve_of_numbers_has_no_band():
    _, axes = plots.canvas()
    plots.line(axes, [0, 1], [1.0, 2.0], "anything")
    assert not axes.collections


def test_strips_draw_every_run_the_same_way_twice():
    def offsets():
        figure, axes = plots.canvas()
        plots.strips(axes, {"a": np.arange(5.0), "b": np.arange(3.0)}, "loss")
        return [c.get_offsets() for c in axes.collections], plots.figure_text(figure)

    (one, text), (two, _) = offsets(), offsets()
    assert [len(points) for points in one] == [5, 3]
    assert all(np.array_equal(p, q) for p, q in zip(one, two, strict=True))
    assert {"a", "b", "loss"} <= set(text.split("\n"))


def test_intervals_stand_against_zero():
    _, axes = plots.canvas()
    plots.intervals(axes, {"MMoE": Interval(0.2, 0.1, 0.3, 4)}, "difference")
    zero, bar, mean = axes.lines
    assert zero.get_xdata() == [0, 0]
    assert list(bar.get_xdata()) == [0.1, 0.3]
    assert mean.get_xdata() == [0.2]


def test_heat_names_rows_and_columns_and_has_a_bar():
    figure, axes = plots.canvas()
    table = pd.DataFrame(np.eye(2), ["r1", "r2"], ["c1", "c2"])
    plots.heat(axes, table, "weight")
    assert {"r1", "c2", "weight"} <= set(plots.figure_text(figure).split("\n"))
    assert len(figure.axes) == 2


def test_colours_differ_between_models():
    assert len(set(plots.COLORS.values())) == len(plots.COLORS)
    assert plots.color("unknown", 8) in plots.OTHERS
