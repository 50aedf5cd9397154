"""Fit one model; repeat over seeds; let two processes share the work."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cloudpickle
import pandas as pd
import torch
from joblib import Parallel, delayed
from torch import Tensor, nn
from tqdm.auto import tqdm

from recsys_tutorial.budget import is_quick, quick_run
from recsys_tutorial.data.tensors import check_data, minibatches, told_of_data
from recsys_tutorial.layers import positive
from recsys_tutorial.metrics import Interval, mean_interval

ROW = "number of the row"  # what `fit` adds to a batch for itself


def fit(
    model: nn.Module,
    data: dict[str, Tensor],
    *,
    epochs: int,
    batch_size: int = 512,
    lr: float = 1e-3,
    seed: int = 0,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    progress: bool = True,
    device: str | torch.device | None = None,
) -> pd.DataFrame:
    """Train `model` on `data` with Adam.

    Parameters
    ----------
    model : nn.Module
        Has ``loss(batch)``, a scalar.
    data : dict of tensors
        All training rows, equal in their first dimension; no NaN.
    epochs, batch_size : int
        At least 1.
    lr : float
        Learning rate of Adam, above 0.
    seed : int
        Order of the rows. The model was drawn before; see `repeat`.
    evaluate : callable, optional
        Called after each epoch in evaluation mode without gradients; what it
        returns joins the history.
    progress : bool
        Show a bar.
    device : str or torch.device, optional
        Where to train, ``"cuda"`` for example: the model moves there, and stays; each
        batch follows. By default the model is trained where it is.

    Returns
    -------
    DataFrame
        One row per epoch: ``epoch`` (from 1), ``loss`` (mean over the training rows,
        taken while the weights move), and the columns of `evaluate`.

    Raises
    ------
    ValueError
        If `data` is not as told, or lacks what the model reads. An error of the model
        that names a row of its batch says which row of `data` that is.
    FloatingPointError
        If the loss is NaN or infinite at the end of an epoch.
    """
    n_rows = check_data(data)
    positive("epochs", epochs), positive("batch_size", batch_size)
    if not lr > 0:
        raise ValueError(f"lr is {lr}; expected a learning rate above 0")
    if device is None:
        device = next(model.parameters(), torch.empty(0)).device
    model.to(device)
    every_row = torch.arange(n_rows)
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    history = []
    for epoch in tqdm(range(1, epochs + 1), disable=not progress, leave=False):
        model.train()
        total = torch.zeros((), device=device)
        for batch in minibatches({**data, ROW: every_row}, batch_size, order):
            rows = batch.pop(ROW)
            batch = {name: values.to(device) for name, values in batch.items()}
            with told_of_data(data, rows):
                loss = model.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        if not torch.isfinite(total):
            raise FloatingPointError(
                f"the loss is {float(total)} in epoch {epoch}; try an lr below {lr:g}"
            )
        model.eval()
        row = {"epoch": epoch, "loss": float(total) / n_rows}
        if evaluate is not None:
            with torch.no_grad():
                row |= evaluate(model)
        history.append(row)
    model.eval()
    return pd.DataFrame(history)


@dataclass(frozen=True)
class Runs:
    """Results of several models over the same seeds.

    Attributes
    ----------
    table : DataFrame
        One row per run and metric: ``model``, ``seed``, ``metric``, ``value``.
    varied, held_out
        What the seeds drew, as `mean_interval` takes it.
    users : dict
        ``(model, metric)`` -> DataFrame ``(seeds, test users)``, of metrics that come
        as a value per test user.
    """

    table: pd.DataFrame
    varied: tuple[str, ...] = ("seeds",)
    held_out: float = 0.0
    users: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict)

    def values(self, model: str, metric: str) -> pd.Series:
        """The metric of one model, indexed by seed."""
        t = self.table
        found = t[(t.model == model) & (t.metric == metric)]
        if found.empty:
            raise KeyError(
                f"no runs of model {model!r} with metric {metric!r}; there are models "
                f"{list(t.model.unique())} and metrics {list(t.metric.unique())}"
            )
        return found.set_index("seed").value

    def by_user(self, model: str, metric: str) -> pd.Series | pd.DataFrame:
        """The same by seed and test user, where the runs gave it; else `values`."""
        values = self.values(model, metric)
        return self.users.get((model, metric), values)

    def interval(self, values, **options) -> Interval:
        """`Interval` of what was computed from `values` or `by_user` of these runs.

        It covers what the runs varied; `options` go to `mean_interval`.
        """
        told = {"varied": self.varied, "held_out": self.held_out}
        return mean_interval(values, **told, **options)

    def summary(self, **options) -> pd.DataFrame:
        """Mean and 95 % interval by model and metric."""
        names = self.table[["model", "metric"]].drop_duplicates()
        return _rows(
            {
                name: self.interval(self.by_user(*name), **options)
                for name in names.itertuples(index=False, name=None)
            }
        )

    def difference(self, model: str, baseline: str, metric: str) -> Interval:
        """`Interval` of model minus baseline, paired by seed, and by test user."""
        pair = self.by_user(model, metric) - self.by_user(baseline, metric)
        return self.interval(pair)

    def paired(self, baseline: str) -> pd.DataFrame:
        """Every model minus `baseline`, paired by seed: mean and 95 % interval."""
        names = self.table[["model", "metric"]].drop_duplicates()
        return _rows(
            {
                (model, metric): self.difference(model, baseline, metric)
                for model, metric in names.itertuples(index=False)
                if model != baseline
            }
        )


def _rows(intervals: dict[tuple[str, str], Interval]) -> pd.DataFrame:
    rows = {name: v._asdict() for name, v in intervals.items()}
    return pd.DataFrame(rows).T.drop(columns="varied").astype(float).astype({"n": int})


def repeat(
    runs: dict[str, Callable[[int], dict[str, float]]],
    seeds: Iterable[int],
    progress: bool = True,
    jobs: int = 2,
    varied: tuple[str, ...] = ("seeds",),
    held_out: float = 0.0,
) -> Runs:
    """Call every run with every seed.

    Before each call torch's global generator is seeded with the run's seed, so that
    the weights of a model built inside are the seed's; afterwards it is as before.

    Parameters
    ----------
    runs : dict
        Model name -> function of the seed that trains and returns its metrics: numbers,
        or arrays ``(U,)`` with a value per test user, the same users for every seed.
    seeds : iterable of int
        At least two, all different.
    progress : bool
        Show a bar.
    jobs : int
        Processes that share the runs, on one thread each; 1 stays in this process.
        The results are the same.
    varied, held_out
        What a run draws from its seed, as `mean_interval` takes it: ``("seeds",
        "splits")`` with a `held_out` of 0.2 if each splits the data for itself.
    """
    seeds = list(seeds)
    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds is {seeds}; expected two or more, all different")
    order = [(seed, name) for seed in seeds for name in runs]
    calls = [partial(_seeded, runs[name], seed) for seed, name in order]
    rows, users = [], {}
    bar = tqdm(
        parallel(calls, jobs), total=len(order), disable=not progress, leave=False
    )
    for (seed, name), metrics in zip(order, bar, strict=True):
        for metric, value in metrics.items():
            if getattr(value, "ndim", 0):
                users.setdefault((name, metric), {})[seed] = value
                value = value.mean()
            rows.append((name, seed, metric, float(value)))
    table = pd.DataFrame(rows, columns=["model", "seed", "metric", "value"])
    frames = {name: pd.DataFrame(by_seed).T for name, by_seed in users.items()}
    return Runs(table, varied, held_out, frames)


def _seeded(run: Callable[[int], dict[str, float]], seed: int) -> dict[str, float]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return run(seed)


def parallel(calls: Iterable[Callable[[], Any]], jobs: int = 2) -> Iterator[Any]:
    """Results of the calls, in their order, each as soon as it is there.

    Parameters
    ----------
    calls : iterable of callable
        They take no argument. What they refer to, data above all, is sent to each
        process once, however many calls share it.
    jobs : int
        Processes, on one thread each; 1 stays in this process.
    """
    calls = list(calls)
    if positive("jobs", jobs) == 1:
        yield from (call() for call in calls)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calls"
        path.write_bytes(cloudpickle.dumps(calls))
        # joblib keeps nothing in its own folder here, and never makes it. But the name
        # has to be ASCII, and the temporary folder of a user called 张三 is not.
        nowhere = {"temp_folder": "/", "max_nbytes": None}
        pool = Parallel(n_jobs=jobs, return_as="generator", **nowhere)
        with warnings.catch_warnings():
            # A process that has loaded the data looks to joblib like one that leaks
            # memory: it is replaced, which changes no result.
            warnings.filterwarnings("ignore", message="A worker stopped while some")
            quick = is_quick()
            yield from pool(delayed(_call)(path, n, quick) for n in range(len(calls)))


def _call(path: Path, n: int, quick: bool) -> Any:
    quick_run(quick)  # the process may be older than the switch
    return _calls(path)[n]()


@lru_cache(maxsize=1)
def _calls(path: Path) -> list[Callable[[], Any]]:
    return cloudpickle.loads(path.read_bytes())
