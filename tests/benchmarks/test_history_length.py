import shutil
import sys

import pandas as pd

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

    def run(calls):
        return [{"validation": 0.9, length: aucs[seed]} for _, length, _, seed in calls]

    monkeypatch.setattr(history_length, "run", run)
    table = history_length.worth(["DIEN"])
    assert table["length"].tolist() == [64, 256]
    assert (table["auc_low"] > 0.1).all()
    assert (table["auc_high"] == 1).all()  # 1.27 by Student's t
