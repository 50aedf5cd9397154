"""The races without a clock and without the libraries: what is chosen, and kept."""

import re
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn


def toy_contest(race, seconds, calls):
    """Two contestants that take the seconds told, and score what their rate is worth.

    On validation the book is best at 0.01 and the other one at 0.001; on test both
    are better at the other rate.
    """
    worth = {
        "validation": {0.01: 0.8, 0.003: 0.7, 0.001: 0.6},
        "test": {0.01: 0.5, 0.003: 0.7, 0.001: 0.9},
    }

    def contestant(name, sign):
        def train(rows, epochs, lr, seed):
            calls.append((name, lr, seed))
            took = seconds[name][seed] if len(calls) > 6 else 1.0

            def predict(data):
                value = worth[data["part"]][lr]
                return value if sign > 0 else 1 - value

            return race.Trained(nn.Linear(2, 1), took, predict)

        return train

    rows = {"features": torch.zeros(100, 2)}
    parts = rows, {"part": "validation"}, {"part": "test"}
    peers = {race.BOOK: contestant(race.BOOK, 1), "other": contestant("other", -1)}
    return race.Contest(
        "toy", parts, lambda rows, score: {"AUC": score}, {}, peers, 10, 1
    )


def test_rates_are_chosen_on_validation_rows_and_rounds_take_turns(script):
    race, calls = script("race"), []
    seconds = {race.BOOK: [1.0, 2.0, 1.0], "other": [2.0, 8.0, 3.0]}
    found = race.race(toy_contest(race, seconds, calls), rounds=3, epochs=1)
    assert calls[6:] == [
        (race.BOOK, 0.01, 0),
        ("other", 0.001, 0),
        ("other", 0.001, 1),  # each round, another one starts
        (race.BOOK, 0.01, 1),
        (race.BOOK, 0.01, 2),
        ("other", 0.001, 2),
    ]
    table = race.summary(found)
    assert list(table.index) == [race.BOOK, "other"]
    assert table["rows/s"].tolist() == [100, 33]  # of 100, 50, 100 and 50, 12.5, 33.3
    assert table["ratio"].tolist() == [1, 3]  # of 2, 4 and 3
    assert table["AUC"].tolist() == pytest.approx([0.5, 0.1])  # those of the test rows
    assert table["parameters"].tolist() == [3, 3]


def test_what_is_saved_again_replaces_its_own_lines_alone(script, tmp_path):
    store, path = script("store"), tmp_path / "new" / "throughput.csv"

    def save(model, value):
        store.save(path, pd.DataFrame([{"model": model, "value": value}]), "model")

    save("ple", 0.5), save("din", 0.6), save("ple", 0.7)
    table = pd.read_csv(path)
    assert table["model"].tolist() == ["din", "ple"]
    assert table["value"].tolist() == [0.6, 0.7]
    assert not table.isna().any(axis=None)
    run = set(table.columns) - {"model", "value"}
    assert run == set(re.findall(r"``(\w+)``", store.__doc__))


class Products(nn.Module):
    """A model whose products can be counted by hand."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(30, 10)

    def loss(self, batch):
        return self.layer(batch["x"]).square().mean()


def test_a_profile_holds_every_operator_and_its_shares_sum_to_one(script):
    rows = {"x": torch.randn(200, 30)}
    table, _ = script("steps").profile(Products(), rows, batch=50, most=4)
    assert table["operator"].iloc[-1] == "all others"
    assert len(table) == 5
    assert table["share"].sum() == pytest.approx(1)


def test_a_step_counts_the_operations_of_its_products(script):
    rows = {"x": torch.randn(200, 30)}
    _, step = script("steps").profile(Products(), rows, batch=50)
    # Two for each weight and row, forward and for the gradient of the weights; the
    # gradient of the input is not asked for.
    assert step.gflop == pytest.approx(2 * 2 * 50 * 30 * 10 / 1e9)
    assert step.largest == "50 x 30 @ 30 x 10" or step.largest == "10 x 50 @ 50 x 30"
    assert 0 < step.of_peak < step.products < 1
    assert step.rate <= step.peak


def events(users=8, each=20):
    """Films in sittings of ten, an hour apart; nobody has all of them."""
    draw = np.random.default_rng(0)
    minute = 60 * np.arange(1, each + 1) + 3600 * (np.arange(each) // 10)
    films = [1 + draw.permutation(60)[:each] for _ in range(users)]
    return pd.DataFrame(
        {
            "user": np.repeat(np.arange(1, users + 1), each),
            "item": np.concatenate(films),
            "time": np.tile(minute, users),
        }
    )


def toy_data(module, monkeypatch):
    """Give a script a few hundred rows for its data."""
    if hasattr(module, "load_movielens"):
        films = pd.DataFrame({"genres": [("Action",), ("Drama", "War")] * 841})
        monkeypatch.setattr(
            module, "load_movielens", lambda: Toy(events(), None, films)
        )
        return
    labels = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(100, 1)
    rows = {"features": torch.arange(900).view(300, 3) % 3 + 1, "labels": labels}
    sizes = dict.fromkeys("abc", 4)
    world = module.World("toy", (rows, rows, rows), sizes, ("one", "two"))
    monkeypatch.setattr(module, "census", lambda: world)
    for name, size in {"ROWS": 3000, "USERS": 50, "ITEMS": 30}.items():
        monkeypatch.setattr(module, name, size)


class Toy(NamedTuple):
    """In the place of `MovieLens`."""

    ratings: pd.DataFrame
    users: None
    films: pd.DataFrame


MODELS = [
    ("multitask_throughput", "mmoe"),
    ("multitask_throughput", "ple"),
    ("multitask_throughput", "esmm"),
    ("multitask_throughput", "aitm"),
    ("sequence_throughput", "din"),
    ("sequence_throughput", "dien"),
    ("next_item_throughput", "stamp"),
    ("next_item_throughput", "sasrec"),
]


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_the_books_models_still_run_the_race(script, monkeypatch, name, model):
    race, module = script("race"), script(name)
    toy_data(module, monkeypatch)
    contest = getattr(module, model)()
    assert "torch-rechub" in contest.peers
    alone = contest._replace(peers={})
    table = race.summary(race.race(alone, rounds=1, epochs=1))
    scores = table.drop(columns=["rows/s", "ratio", "lr", "parameters"])
    assert ((scores >= 0) & (scores <= 1)).all(axis=None)
    assert list(table.index) == list(contest.book)
