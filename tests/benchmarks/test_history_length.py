import shutil
import sys

import pandas as pd
import pytest
import torch

from benchmarks import history_length
from recsys_tutorial import yardstick

COLUMNS = ["trained_on", "auc", "auc_low", "auc_high"]


def test_a_run_of_some_models_leaves_the_others_as_they_are_stored(
    tmp_path, monkeypatch
):
    def worth(names):
        assert names == ["MIMN"]
        rows = [("MIMN", n, 64, 0.6, 0.5, 0.7) for n in history_length.LENGTHS]
        return pd.DataFrame(rows, columns=[*history_length.KEYS, *COLUMNS])

    path = tmp_path / "yardstick.csv"
    shutil.copy(yardstick.PATH, path)
    old = yardstick.load_yardstick(path)
    monkeypatch.setattr(history_length, "worth", worth)
    options = f"--measure auc --models MIMN --output {path}"
    monkeypatch.setattr(sys, "argv", ["history_length", *options.split()])
    history_length.main()
    new = yardstick.load_yardstick(path)
    measured = new["model"] == "MIMN"
    pd.testing.assert_frame_equal(new[~measured], old[~measured])
    assert (new.loc[measured, "auc"] == 0.6).all()
    assert (new["milliseconds"] == old["milliseconds"]).all()
    assert new.attrs["run"].startswith(old.attrs["run"] + "; auc, MIMN: ")


def test_an_interval_covers_the_worlds_and_stays_within_its_bounds(monkeypatch):
    aucs = {0: 0.5, 1: 0.7, 2: 0.95}

    def run(work, calls):
        if work is history_length.train:
            return [{"validation": lr, "weights": None} for _, _, lr, _ in calls]
        assert {lr for _, lr, _, _ in calls} == {max(history_length.RATES)}
        return [{64: aucs[seed], 1024: aucs[seed]} for _, _, seed, _ in calls]

    monkeypatch.setattr(history_length, "run", run)
    table = history_length.worth(["DIEN"])
    assert table["length"].tolist() == [64, 1024]
    assert table["trained_on"].tolist() == [64, 256]
    assert (table["auc_low"] > 0.1).all()
    assert (table["auc_high"] == 1).all()  # 1.27 by Student's t


def test_training_goes_on_from_the_weights_given_and_ends_when_nothing_rises(
    monkeypatch,
):
    monkeypatch.setattr(
        history_length, "ROWS", {"train": 200, "validation": 200, "test": 200}
    )
    parts = torch.arange(600).split(200)
    parts = dict(zip(history_length.ROWS, parts, strict=True))
    monkeypatch.setattr(history_length, "PARTS", parts)
    first = history_length.train("SDIM", 64, 0.01, 0)
    assert 1 <= first["epoch"] <= history_length.FIRST[0]
    monkeypatch.setattr(history_length, "LATER", (1, 1))
    then = history_length.train("SDIM", 256, 1e-12, 0, first["weights"])
    for name, weight in first["weights"].items():
        torch.testing.assert_close(then["weights"][name], weight)


@pytest.mark.parametrize("name", yardstick.MODELS)
def test_a_server_answers_as_the_model_does(name):
    torch.manual_seed(0)
    server = history_length.Server(name, history_length.build(name, 64))
    ids = torch.randint(1, len(history_length.TOPICS), (64,))
    history_length.check(server, ids)
