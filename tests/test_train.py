from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from recsys_tutorial.metrics import mean_interval
from recsys_tutorial.train import Runs, fit, parallel, repeat


class Line(nn.Module):
    """y = w x, the smallest model there is."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(1))

    def loss(self, batch):
        return (self.w * batch["x"] - batch["y"]).square().mean()


def line_data(n=40):
    x = torch.linspace(-1, 1, n)
    return {"x": x, "y": 3 * x}


def trained(seed=0, **options):
    torch.manual_seed(seed)
    model = Line()
    history = fit(
        model,
        line_data(),
        **{"epochs": 5, "lr": 0.1, "batch_size": 8, "seed": seed, "progress": False}
        | options,
    )
    return model, history


def test_a_model_and_its_batches_are_where_they_are_told_to_be(device):
    model, history = trained(device=device)
    plain, expected = trained()
    assert model.w.device.type == torch.device(device).type
    assert plain.w.device.type == "cpu"
    assert history.loss.to_numpy() == pytest.approx(expected.loss.to_numpy(), rel=1e-4)


@pytest.mark.parametrize("told", [True, False])
def test_a_batch_follows_its_model(told):
    class Stop(Exception):
        pass

    class Meta(Line):
        def loss(self, batch):
            assert self.w.device.type == batch["x"].device.type == "meta"
            raise Stop

    model = Meta() if told else Meta().to("meta")
    with pytest.raises(Stop):
        fit(model, line_data(), epochs=1, device="meta" if told else None)


def test_fit_finds_the_slope():
    model, history = trained(epochs=60)
    assert model.w.item() == pytest.approx(3, abs=0.01)
    assert history.columns.tolist() == ["epoch", "loss"]
    assert history.epoch.tolist() == list(range(1, 61))


def test_the_loss_in_the_history_is_the_mean_over_rows():
    # 40 rows in batches of 39 and 1; with a learning rate of nearly nothing the
    # weights stand still, and the two batches must not count alike
    model, history = trained(epochs=1, lr=1e-12, batch_size=39)
    assert history.loss[0] == pytest.approx(model.loss(line_data()).item(), rel=1e-5)


def test_same_seed_same_digits():
    (a, one), (b, two) = trained(seed=7), trained(seed=7)
    assert torch.equal(a.w, b.w)
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert not torch.equal(a.w, trained(seed=8)[0].w)


def test_the_seed_decides_the_order_of_the_rows():
    def end(seed):
        torch.manual_seed(0)
        model = Line()
        fit(
            model,
            line_data(),
            epochs=1,
            lr=0.1,
            batch_size=8,
            seed=seed,
            progress=False,
        )
        return model.w.item()

    assert end(0) != end(1)


def test_evaluate_sees_evaluation_mode_without_gradients():
    seen = []

    def evaluate(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"w": model.w.item()}

    model, history = trained(epochs=3, evaluate=evaluate)
    assert seen == [(False, False)] * 3
    assert history.w.iloc[-1] == model.w.item()
    assert torch.is_grad_enabled()


def test_every_epoch_trains_in_training_mode():
    seen = []

    class Watched(Line):
        def loss(self, batch):
            seen.append(self.training)
            return super().loss(batch)

    fit(Watched(), line_data(), epochs=3, batch_size=40, progress=False)
    assert seen == [True] * 3


def test_a_progress_bar_is_shown_unless_refused(capsys):
    trained(progress=True)
    assert "/5 [" in capsys.readouterr().err
    trained(progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": float("nan")}, "lr is nan"),
    ],
)
def test_fit_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        trained(**options)


class Fussy(Line):
    """Lets no row in whose y is 5."""

    def loss(self, batch):
        if (batch["y"] == 5).any():
            row = int((batch["y"] == 5).nonzero()[0])
            raise ValueError(f"y is 5 in row {row}; expected another")
        return super().loss(batch)


@pytest.mark.parametrize("odd", [0, 17, 39])
def test_a_row_in_an_error_of_the_model_is_one_of_the_data(odd):
    data = line_data()
    data["y"][odd] = 5
    with pytest.raises(ValueError, match=rf"y is 5 in row \d; .* row {odd} of data\)$"):
        fit(Fussy(), data, epochs=1, batch_size=8, progress=False)
    if odd == 0:  # in one batch of all rows, too, they are shuffled
        with pytest.raises(ValueError, match="of the shuffled batch: row 0 of data"):
            fit(Fussy(), data, epochs=1, progress=False)


def test_an_error_that_names_no_row_stays_as_it_is():
    class Broken(Line):
        def loss(self, batch):
            raise ValueError("row 99 is far away")

    with pytest.raises(ValueError, match="^row 99 is far away$"):
        fit(Broken(), line_data(), epochs=1, progress=False)


def test_what_the_model_reads_and_the_data_lack_is_named():
    data = {"x": torch.ones(3)}
    with pytest.raises(ValueError, match=r"data lacks 'y', .* it has \['x'\]$"):
        fit(Line(), data, epochs=1, progress=False)

    class Other(Line):
        def loss(self, batch):
            return {1: 2}[3]

    with pytest.raises(KeyError, match="3"):
        fit(Other(), line_data(), epochs=1, progress=False)


def test_a_model_sees_what_the_data_hold_and_nothing_more():
    names = []

    class Curious(Line):
        def loss(self, batch):
            names.append(list(batch))
            return super().loss(batch)

    fit(Curious(), line_data(), epochs=1, progress=False)
    assert names == [["x", "y"]]


def test_a_loss_that_explodes_is_named():
    with pytest.raises(FloatingPointError, match="in epoch 1; try an lr below 1e"):
        trained(lr=1e30)


def draw(seed):
    return {"score": torch.rand(()).item() + seed, "error": float(seed)}


def test_repeat_seeds_each_run_and_leaves_the_generator_alone():
    torch.manual_seed(123)
    expected = torch.rand(1)
    torch.manual_seed(123)
    runs = repeat({"a": draw, "b": draw}, [0, 1, 2], progress=False, jobs=1)
    assert torch.equal(torch.rand(1), expected)
    assert runs.values("a", "score").equals(runs.values("b", "score"))
    assert runs.values("a", "score").index.tolist() == [0, 1, 2]
    drawn = runs.values("a", "score") - [0, 1, 2]
    assert drawn.nunique() == 3  # each seed draws numbers of its own


def test_two_processes_give_what_one_gives():
    alone, shared = (repeat({"a": draw}, [3, 4], False, jobs).table for jobs in (1, 2))
    assert alone.equals(shared)


class Sent:
    """Counts how often it crosses to another process."""

    times = 0

    def __reduce__(self):
        Sent.times += 1
        return Sent, ()


def test_processes_share_calls_in_order_and_get_their_data_once():
    data = Sent()
    calls = [partial(lambda data, k: 10 * k, data, k) for k in range(5)]
    assert list(parallel(calls)) == list(parallel(calls, jobs=1)) == [0, 10, 20, 30, 40]
    assert Sent.times == 1


def test_processes_work_where_the_temporary_folder_is_called_in_chinese(
    tmp_path, monkeypatch
):
    folder = tmp_path / "张三"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("JOBLIB_TEMP_FOLDER", str(folder))  # no shared memory
    data = list(range(1_000))
    calls = [partial(lambda data, k: k * len(data), data, k) for k in range(3)]
    assert list(parallel(calls)) == list(parallel(calls, jobs=1)) == [0, 1000, 2000]
    assert list(folder.iterdir()) == []  # and nothing is left in it


def test_an_error_in_another_process_comes_back():
    with pytest.raises(ZeroDivisionError):
        list(parallel([lambda: 1 / 0, lambda: 1]))


def test_summary_and_paired_differences():
    table = pd.DataFrame(
        [
            (m, s, "auc", v + 10 * s)
            for m, v in (("base", 1.0), ("new", 1.5))
            for s in (0, 1, 2)
        ],
        columns=["model", "seed", "metric", "value"],
    )
    runs = Runs(table)
    assert runs.summary().loc[("base", "auc"), "mean"] == 11
    # the runs lie far apart, the pairs do not: that is why pairs are compared
    assert runs.summary().loc[("base", "auc"), "high"] > 30
    difference = runs.paired("base").loc[("new", "auc")]
    assert difference[["mean", "low", "high"]].tolist() == pytest.approx([0.5] * 3)
    assert difference["n"] == 3


def test_pairs_are_made_by_seed_in_whatever_order_the_runs_stand():
    rows = [("base", s, "auc", 10.0 * s) for s in (0, 1, 2)]
    rows += [("new", s, "auc", 10.0 * s + 1) for s in (2, 0, 1)]
    runs = Runs(pd.DataFrame(rows, columns=["model", "seed", "metric", "value"]))
    assert runs.difference("new", "base", "auc")[:3] == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("seeds", [[], [1], [2, 2]])
def test_repeat_wants_two_seeds(seeds):
    with pytest.raises(ValueError, match="expected two or more, all different"):
        repeat({"a": draw}, seeds, progress=False)


def test_unknown_model_or_metric_is_named():
    runs = repeat({"a": draw}, [0, 1], progress=False)
    with pytest.raises(KeyError, match="no runs of model 'c'"):
        runs.values("c", "score")


def test_runs_say_what_their_seeds_drew():
    told = {"varied": ("seeds", "splits"), "held_out": 0.2}
    runs = repeat({"a": lambda s: {"auc": s / 10}}, [1, 2, 4], progress=False, **told)
    values = runs.values("a", "auc")
    assert runs.interval(values) == mean_interval(values, **told)
    assert runs.interval(values, bounds=(0, 0.3)).high == 0.3
    assert runs.difference("a", "a", "auc").varied == ("seeds", "splits")
    low, high = runs.interval(values)[1:3]
    assert tuple(runs.summary().loc[("a", "auc")]) == pytest.approx(
        (7 / 30, low, high, 3)
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_metric_may_come_as_a_value_per_test_user(jobs):
    users = np.array([0.0, 1, 5])
    runs = repeat(
        {
            "a": lambda seed: {"hit": users + seed, "loss": seed},
            "b": lambda seed: {"hit": 2 * users + seed, "loss": 0},
        },
        [3, 1],
        progress=False,
        jobs=jobs,
    )
    assert runs.values("a", "hit").to_dict() == {3: 5, 1: 3}
    assert runs.by_user("b", "hit").loc[3].tolist() == [3, 5, 13]
    assert runs.by_user("a", "loss").to_dict() == {3: 3, 1: 1}
    found = runs.difference("b", "a", "hit")
    assert found[:3] == pytest.approx(mean_interval(users)[:3])  # seeds cancel
    assert found.varied == ("seeds", "users")
    assert runs.difference("b", "a", "loss").varied == ("seeds",)
    assert runs.paired("a").loc[("b", "hit"), "mean"] == pytest.approx(2)
