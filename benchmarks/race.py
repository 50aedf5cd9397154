"""Let several libraries train the same model in turns, and tabulate the medians.

Absolute figures drift with the machine and with what else runs on it; ratios between
contestants that take turns are far steadier. What the scripts share is here: the
options, the choice of the learning rates, the rounds, the table.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

import recsys_tutorial
from benchmarks.steps import profile
from benchmarks.store import save
from recsys_tutorial.data.tensors import minibatches, take
from recsys_tutorial.train import fit

RATES = (0.001, 0.003, 0.01)  # of Adam; each contestant gets the best one
BOOK = "this book"
LIBRARIES = {"torch-rechub": "torch-rechub", "DeepCTR-Torch": "deepctr-torch"}


class Trained(NamedTuple):
    """What a contestant returns."""

    model: nn.Module
    seconds: float  # training alone: no preparation of the data, no evaluation
    predict: Callable[[dict[str, Tensor]], Tensor]


class Contest(NamedTuple):
    """One model, and all who train it."""

    data: str  # where the rows are from, in words
    parts: tuple[dict[str, Tensor], ...]  # training, validation and test rows
    score: Callable[[dict[str, Tensor], Tensor], dict[str, float]]
    book: dict[str, Callable[[], nn.Module]]  # ours, by name; the first is the measure
    # Theirs: rows, epochs, learning rate and seed -> what came of it.
    peers: dict[str, Callable[[dict[str, Tensor], int, float, int], Trained]]
    batch: int
    epochs: int
    rates: tuple[float, ...] = RATES
    # Our model and a batch -> what is scored, where it is not the logits.
    output: Callable[[nn.Module, dict[str, Tensor]], Tensor] = nn.Module.__call__


class Clock:
    """``with Clock() as clock: ...``; afterwards ``clock.seconds``."""

    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *error):
        self.seconds = time.perf_counter() - self.start


def ours(build, batch, output):
    """A contestant of the book: `fit`, as in every chapter."""

    def train(rows, epochs, lr, seed):
        model = build()
        with Clock() as clock:
            fit(model, rows, epochs=epochs, batch_size=batch, lr=lr, seed=seed,
                progress=False)  # fmt: skip

        def predict(data):
            return torch.cat([output(model, part) for part in minibatches(data, 1024)])

        return Trained(model, clock.seconds, predict)

    return train


def race(contest: Contest, rounds: int, epochs: int) -> pd.DataFrame:
    """Choose the rates on the validation rows, then race on the test rows.

    What runs for the first time takes longer; the runs that choose are the warm-up.

    Returns
    -------
    DataFrame
        One row per contestant, round and ``metric``, with its ``value``, and beside it
        the contestant's ``lr`` and number of ``parameters``.
    """
    train, validation, test = contest.parts
    shared = contest.batch, contest.output
    runs = {name: ours(build, *shared) for name, build in contest.book.items()}
    runs |= contest.peers

    def run(name, rate, seed, rows):
        torch.manual_seed(seed)
        done = runs[name](train, epochs, rate, seed)
        with torch.no_grad():
            scores = contest.score(rows, done.predict(rows))
        speed = epochs * len(next(iter(train.values()))) / done.seconds
        size = sum(p.numel() for p in done.model.parameters())
        print(f"{name}, lr {rate:g}: {speed:,.0f} rows/s, {scores}", flush=True)
        return speed, scores, size

    best = {}
    for name in runs:
        tried = {rate: run(name, rate, 0, validation)[1] for rate in contest.rates}
        best[name] = max(tried, key=lambda rate: sum(tried[rate].values()))
    found = []
    for seed in range(rounds):
        print(f"round {seed + 1}/{rounds}")
        first = seed % len(runs)  # nobody always runs after the same one
        for name in list(runs)[first:] + list(runs)[:first]:
            speed, scores, size = run(name, best[name], seed, test)
            for metric, value in {"rows/s": speed, **scores}.items():
                found.append((name, seed, metric, value, best[name], size))
    columns = ["contestant", "round", "metric", "value", "lr", "parameters"]
    return pd.DataFrame(found, columns=columns)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Medians over the rounds, one row per contestant.

    The ``ratio`` is the first contestant's rows per second over one's own, within a
    round: at 2, the book trains twice as fast.
    """
    wide = found.pivot(index="round", columns=["contestant", "metric"], values="value")
    names, metrics = found["contestant"].unique(), found["metric"].unique()
    speed = wide.xs("rows/s", axis=1, level="metric")
    rows = {}
    for name in names:
        one = found[found["contestant"] == name].iloc[0]
        rows[name] = {
            "rows/s": round(speed[name].median()),
            "ratio": round((speed[names[0]] / speed[name]).median(), 2),
            **{m: round(wide[name, m].median(), 4) for m in metrics if m != "rows/s"},
            "lr": one["lr"],
            "parameters": one["parameters"],
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def main(doc: str, contests: dict[str, Callable[[], Contest]]) -> None:
    """Run a script: parse the options, race or profile, print, and save if asked to.

    Parameters
    ----------
    doc : str
        The script's docstring.
    contests : dict
        Model -> function that prepares the data and returns the `Contest`.
    """
    options = parse(doc, list(contests))
    warnings.filterwarnings("ignore")  # of the libraries
    torch.set_num_threads(options.threads)
    for model in options.model:
        contest = contests[model]()
        if options.rows:
            parts = (take(part, slice(options.rows)) for part in contest.parts)
            contest = contest._replace(parts=tuple(parts))
        print(f"\n{model}: {contest.data}, batches of {contest.batch}")
        if options.profile:
            profiles(model, contest, options.save)
            continue
        epochs = options.epochs or contest.epochs
        found = race(contest, options.rounds, epochs)
        print(f"\n{model}: {contest.data}, {epochs} epochs, medians\n")
        print(summary(found).to_string())
        if options.save:
            setting: dict[str, Any] = {
                "data": contest.data,
                "rows": len(next(iter(contest.parts[0].values()))),
                "epochs": epochs,
                "batch": contest.batch,
                "threads": options.threads,
            }
            found.insert(0, "model", model)
            found.insert(2, "version", found["contestant"].map(library_version))
            found = found.assign(**setting)
            save(Path(options.save) / "throughput.csv", found, "model")


def profiles(model: str, contest: Contest, folder: str | None) -> None:
    """Profile a training step of the book's models of one contest."""
    for name, build in contest.book.items():
        name = name.replace(BOOK, model)
        torch.manual_seed(0)
        table, step = profile(build(), contest.parts[0], contest.batch)
        print(f"\n{name}\n{table.round(3).to_string(index=False)}")
        print("\n".join(f"{key:14}{value}" for key, value in step._asdict().items()))
        if folder:
            table.insert(0, "model", name)
            save(Path(folder) / "operators.csv", table, "model")
            line = pd.DataFrame([{"model": name, **step._asdict()}])
            save(Path(folder) / "steps.csv", line, "model")


def library_version(contestant: str) -> str:
    """The version of a library; of the book, for any other name."""
    if contestant in LIBRARIES:
        return version(LIBRARIES[contestant])
    return recsys_tutorial.__version__


def parse(doc, models):
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    add = parser.add_argument
    add("--model", nargs="+", choices=models, default=models, metavar="MODEL",
        help=f"of {', '.join(models)}; all by default")  # fmt: skip
    add("--rounds", type=int, default=5)
    add("--epochs", type=int, help="instead of the model's own number")
    add("--threads", type=int, default=2)
    add("--rows", type=int, help="no more than so many, to try the script")
    add("--save", metavar="FOLDER",
        help="keep what was measured there: benchmarks/results")  # fmt: skip
    add("--profile", action="store_true", help="where the book's own time goes")
    return parser.parse_args()
