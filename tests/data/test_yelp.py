"""Yelp-B is optional: what needs the true files runs where they are at hand."""

import hashlib

import numpy as np
import pytest

from recsys_tutorial.data import yelp
from recsys_tutorial.data.fetch import DataError, Source, cache_folder
from recsys_tutorial.data.yelp import load_yelp

ITEM_LINES = "2 7 8 7\n1 5 6\n"
TIME_LINES = "2 30 10 10\n1 100 100\n"
FILES = [source.file for source in (yelp.ITEMS, yelp.TIMES)]


@pytest.fixture
def tiny(cache, monkeypatch):
    """Two users in the place of the true files; returns the folder."""
    for name, text in (("ITEMS", ITEM_LINES), ("TIMES", TIME_LINES)):
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        source = Source(file=f"{name}.txt", sha256=sha256, url="http://127.0.0.1:9/x")
        monkeypatch.setattr(yelp, name, source)
        (cache / source.file).write_text(text)
    return cache


def test_two_users_by_hand(tiny):
    events = load_yelp()
    assert events.to_numpy().tolist() == [
        [1, 5, 100],
        [1, 6, 100],
        [2, 8, 10],
        [2, 7, 10],
        [2, 7, 30],
    ]
    assert events.columns.tolist() == ["user", "item", "time"]
    assert (events.dtypes == np.int64).all()


@pytest.mark.parametrize("name", ["ITEMS.txt", "TIMES.txt"])
def test_a_missing_file_is_one_sentence(tiny, name):
    (tiny / name).unlink()
    with pytest.raises(DataError) as caught:
        load_yelp()
    message = str(caught.value)
    assert message.startswith("Yelp-B cannot be loaded")
    assert name in message
    assert "RECSYS_TUTORIAL_DATA" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("items", "times", "message"),
    [
        ("1 5 6\n2 7\n", "1 10 20\n3 30\n", "not in step in line 2"),
        ("1 5 6\n", "1 10\n", "not in step in line 1"),
        ("1 5\n2 6\n", "1 10\n", "not as many lines"),
    ],
)
def test_files_out_of_step(tmp_path, items, times, message):
    paths = tmp_path / "items", tmp_path / "times"
    for path, text in zip(paths, (items, times), strict=True):
        path.write_text(text)
    with pytest.raises(DataError, match=message):
        yelp.read_pair(*paths)


@pytest.mark.skipif(
    not all((cache_folder() / name).is_file() for name in FILES),
    reason="Yelp-B, which is optional, is not in the cache folder",
)
def test_the_true_files():
    events = load_yelp()
    assert len(events) == 207_045
    assert events.user.nunique() == events.user.max() == 19_855
    assert events["item"].nunique() == events["item"].max() == 14_541
    count = events.groupby("user").size()
    assert (count.min(), count.max()) == (5, 235)
    gaps = events.groupby("user").timestamp.diff().dropna()
    assert gaps.min() > 0
