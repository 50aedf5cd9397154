import itertools

import matplotlib as mpl
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


def test_cases_of_one_model_take_its_colour():
    _, axes = plots.canvas()
    gains = {"films": Interval(0.2, 0.1, 0.3, 4), "ids": Interval(0.1, 0.0, 0.2, 4)}
    plots.intervals(axes, gains, "gain", "AITM")
    shades = {drawn.get_color() for drawn in axes.lines[1:]}
    assert shades == {plots.COLORS["AITM"]}


def test_a_longer_list_is_higher():
    assert plots.rows_high(3) == pytest.approx(1.8)
    assert plots.rows_high(11) - plots.rows_high(10) == pytest.approx(0.2)


# models that stand in one figure of the book
MEETINGS = [
    ["recent", "hard", "soft", "inner product", "hash", "TWIN"],
    ["TWIN", "TWIN, independent", "everything", "everything, independent"],
    ["clicks only", "shared bottom", "ESMM-NS", "ESMM", "unclicked as 0"],
    ["shared bottom", "ESMM-NS", "ESMM", "unclicked as 0", "division"],
    ["ESMM", "ESCM2-IPS", "ESCM2-DR"],
    ["single task", "shared bottom", "one gate", "MMoE", "CGC", "ML-MMoE", "PLE"],
    [
        "single, two levels",
        "shared bottom",
        "one gate",
        "MMoE",
        "CGC",
        "ML-MMoE",
        "PLE",
    ],
    [
        "single task",
        "shared bottom",
        "MMoE",
        "product",
        "calibrator only",
        "transfer only",
        "AITM",
    ],
    [
        "shared, wide",
        "one per domain",
        "linear, crossed",
        "MMoE",
        "PLE",
        "EPNet",
        "PPNet",
        "PEPNet",
    ],
    ["shared network", "shared, wide", "EPNet", "PEPNet"],
    ["global", "cluster", "EBR"],
    ["base, average", "base, Dice", "DIN", "DIN, softmax", "DIN, Dice"],
    [
        "base",
        "DIN",
        "GRU + attention",
        "GRU + auxiliary",
        "AIGRU",
        "AGRU",
        "AUGRU",
        "DIEN",
    ],
    ["STMP", "STAMP", "STAMP, no last", "GRU"],
    ["STAMP", "STAMP, sigmoid"],
    ["plain", "+MUR"],
    ["DIN", "DIEN", "MIMN", "SIM hard", "SIM soft", "ETA", "TWIN", "SDIM"],
    ["DIN", "recent", "hard", "hard, time", "soft"],
    ["DIN", "SIM hard", "SIM soft", "ETA, latest"],
    ["random views", "CoSeRec", "TiCoSeRec"],
    ["latent model", "DropoutNet"],
    ["popularity", "neighbours", "ridge", "drop 0", "two models"],
    ["MeLU", "first order", "MAML", "fine-tuned"],
    ["random", "mean", "ridge", "generated"],
    ["TIGER, hashed", "TIGER, random", "TIGER, shuffled", "SASRec", "TIGER"],
    ["SASRec", "GRU4Rec", "HSTU", "HSTU, softmax"],
    [
        "SASRec",
        "GRU4Rec",
        "HSTU, softmax",
        "HSTU, no bias",
        "HSTU, no gate",
        "HSTU, request",
    ],
    ["best of 8", "OneRec"],
]
# linear RGB as it is seen without the long and without the medium cones (Machado,
# Oliveira and Fernandes 2009, severity 1)
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)


def linear(shade):
    value = np.array(mpl.colors.to_rgb(shade))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast_on_white(shade):
    return 1.05 / (XYZ[1] @ linear(shade) + 0.05)


def seen(shade, sight):
    """Lightness and the two opponent axes, CIE 1976."""
    xyz = XYZ @ np.clip(SIGHT[sight] @ linear(shade), 0, 1) / XYZ.sum(1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_measures_of_colour_by_hand():
    assert contrast_on_white("#000000") == pytest.approx(21)
    assert contrast_on_white("#ffffff") == pytest.approx(1)
    assert seen("#ffffff", "all cones") == pytest.approx([100, 0, 0], abs=0.1)
    red, green = (seen(shade, "protanopia") for shade in ("#a00000", "#3d3d00"))
    assert abs(red - green)[1] < 8  # no red left


@pytest.mark.parametrize("models", MEETINGS, ids=lambda models: models[-1])
@pytest.mark.parametrize("sight", SIGHT)
def test_models_that_meet_in_a_figure_can_be_told_apart(models, sight):
    for one, two in itertools.combinations(models, 2):
        apart = [seen(plots.COLORS[name], sight) for name in (one, two)]
        assert np.linalg.norm(apart[0] - apart[1]) > 17, (one, two)


def test_every_model_stands_out_from_white():
    faint = {n for n, shade in plots.COLORS.items() if contrast_on_white(shade) < 3}
    assert not faint


def test_two_names_of_one_model_share_its_colour():
    for one, two in (("hard", "SIM hard"), ("soft", "SIM soft"), ("product", "ESMM"),
                     ("ordinary", "fine-tuned"), ("hash", "ETA")):  # fmt: skip
        assert plots.COLORS[one] == plots.COLORS[two]


def test_what_is_no_model_takes_the_others_in_turn():
    assert plots.color("unknown", 1) == plots.OTHERS[1]
    assert plots.color("unknown", len(plots.OTHERS)) == plots.OTHERS[0]
    assert len(set(plots.OTHERS)) == len(plots.OTHERS)
