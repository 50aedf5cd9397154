"""What README promises of the package, done to the letter."""

import re

import numpy as np
import pandas as pd

from tools.workshop.notebook_files import ROOT


def test_the_program_in_readme_recommends(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    log = pd.DataFrame(
        {
            "customer": draw.choice(["张三", "Ann", "Bob", "007"], 400),
            "product": draw.choice([f"sku-{n}" for n in range(60)], 400),
            "clicked_at": pd.date_range("2026-01-01", periods=400, freq="h"),
        }
    ).drop_duplicates(["customer", "product"])
    log.to_csv(tmp_path / "clicks.csv", index=False)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    *steps, last = program.strip().splitlines()
    space = {}
    exec("\n".join(steps), space)
    best = eval(last, space)
    bought = log[log["customer"] == space["log"].users.decode([1])[0]]["product"]
    assert len(set(best)) == 5
    assert set(best) <= set(log["product"]) - set(bought)
