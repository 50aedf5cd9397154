"""Logs of strangers go through the chapter by a change of its first cell alone."""

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

from tools.workshop.notebook_files import NOTEBOOKS

NOTEBOOK = NOTEBOOKS / "practice" / "your_data.ipynb"
NAMES = """
FILE = {file!r}
USER, ITEM, TIME = {user!r}, {item!r}, {time!r}
LABELS = {labels!r}
RATING, LIKED = {rating!r}, 4
LEAVE_OUT = []
READ = {read!r}
TIME_FORM = None
"""
NOTHING = dict.fromkeys(["user", "item", "time", "labels", "rating"]) | {"read": {}}
SKIPPED = "is skipped:"


def events(n=2500):
    """Clicks of users who keep to their own fifth of the items, mostly."""
    draw = np.random.default_rng(0)
    user = (300 * draw.random(n) ** 2).astype(int)
    item = draw.integers(0, 30, n) * 5 + np.where(draw.random(n) < 0.8, user % 5, 0)
    time = 1_700_000_000 + np.sort(draw.integers(0, 30 * 86_400, n))
    return draw, user, item, time


def shop(folder):
    """Clicks alone: semicolons, GBK, Chinese names, ISO times, holes, resent rows."""
    draw, user, item, time = events()
    table = pd.DataFrame({"会员": [f"U-{k:04}" for k in user], "商品": item})
    table["时间"] = pd.to_datetime(time, unit="s").strftime("%Y-%m-%d %H:%M:%S")
    table.loc[draw.random(len(table)) < 0.02, "会员"] = None
    table = pd.concat([table, table.head(50)])
    table.to_csv(folder / "shop.csv", sep=";", index=False, encoding="gbk")
    return {"file": "shop.csv", "user": "会员", "item": "商品", "time": "时间"}


def ratings(folder):
    """Stars without a header, tabs, Unix milliseconds, users of one event."""
    draw, user, item, time = events()
    user[:100] = 10**6 + np.arange(100)
    stars = draw.integers(1, 6, len(user))
    table = pd.DataFrame({"u": user, "i": item, "r": stars, "t": time * 1000})
    table.to_csv(folder / "u.data", sep="\t", index=False, header=False)
    names = {"read": {"names": ["u", "i", "r", "t"]}, "rating": "r"}
    return {"file": "u.data", "user": "u", "item": "i", "time": "t"} | names


def impressions(folder):
    """Two labels, no time, UTF-16, missing values, and a column that tells too much."""
    draw, user, item, _ = events()
    price = np.exp(draw.normal(3, 1, len(user))).round(2)
    click = draw.random(len(user)) < 0.2 + 0.4 * (user % 5 == item % 5)
    buy = click & (draw.random(len(user)) < 0.4)
    table = pd.DataFrame({"uid": user + 10**9, "ad": item, "price": price})
    table["os"] = draw.choice(["ios", "android", "?"], len(user))
    table = table.assign(click=click, buy=buy, paid=np.where(buy, price, 0))
    table.loc[draw.random(len(table)) < 0.2, "price"] = None
    table.to_csv(folder / "ads.tsv", sep="\t", index=False, encoding="utf-16")
    return {"file": "ads.tsv", "user": "uid", "item": "ad", "labels": ["click", "buy"]}


def people(folder):
    """No user, item or time; two labels in words, neither of which needs the other."""
    draw = np.random.default_rng(0)
    age = draw.integers(18, 80, 2000)
    rich, single = draw.random(2000) < age / 150, draw.random(2000) < 20 / age
    table = pd.DataFrame({"age": age, "job": draw.choice(["a", "b", None], 2000)})
    table["income"] = np.where(rich, " >50K", " <=50K")
    table["status"] = np.where(single, "Never-married", "Married")
    table.to_csv(folder / "people.csv", index=False)
    labels = {"income": ">50K", "status": "Never-married"}
    return {"file": "people.csv", "labels": labels}


def run(folder, log, monkeypatch):
    """Run the chapter on a log; give the texts that its cells printed or showed."""
    monkeypatch.setenv("RECSYS_TUTORIAL_QUICK", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[1].source.startswith("FILE = ")
    code[1].source = NAMES.format(**NOTHING | log(folder))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [output for cell in code for output in cell.outputs]
    return "\n".join(
        o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs
    )


@pytest.mark.parametrize(
    ("log", "says", "says_not"),
    [
        (shop, ["gb18030", "SASRec", "Road B is skipped: it needs"], ["Road A is"]),
        (ratings, ["events to train on", "DIN", "Road B is skipped"], ["Road A is"]),
        (
            impressions,
            ["Road A is skipped: it needs", "utf-16", "tells buy alone", "ESMM"],
            ["Road B is", "ESMM is skipped"],
        ),
        (people, ["Road A is skipped", "MMoE", "ESMM is skipped"], ["Road B is"]),
    ],
    ids=["shop", "ratings", "impressions", "people"],
)
def test_a_log_of_another_shape(tmp_path, monkeypatch, log, says, says_not):
    said = run(tmp_path, log, monkeypatch)
    assert [text for text in says if text not in said] == []
    assert [text for text in says_not if text in said] == []
    assert said.count("the same bits: True") == 1
