"""Fit one model; repeat over seeds; let two processes share the work."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
from recsys_tutorial.data.tensors import check_data, minibatches
from recsys_tutorial.layers import positive
from recsys_tutorial.metrics import mean_interval


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
    """
    n_rows = check_data(data)
    positive("epochs", epochs), positive("batch_size", batch_size)
    if not lr > 0:
        raise ValueError(f"lr is {lr}; expected a learning rate above 0")
    if device is None:
        device = next(model.parameters(), torch.empty(0)).device
    model.to(device)
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, fused=True)
    history = []
    for epoch in tqdm(range(1, epochs + 1), disable=not progress, leave=False):
        model.train()
        total = torch.zeros((), device=device)
        for batch in minibatches(data, batch_size, order):
            batch = {name: values.to(device) for name, values in batch.items()}
            loss = model.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(next(iter(batch.values())))
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
    """

    table: pd.DataFrame

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

    def summary(self) -> pd.DataFrame:
        """Mean and 95 % interval by model and metric."""
        groups = self.table.groupby(["model", "metric"], sort=False).value
        return pd.DataFrame(
            {k: mean_interval(v)._asdict() for k, v in groups}
        ).T.astype({"n": int})

    def difference(self, model: str, baseline: str, metric: str):
        """`Interval` of model minus baseline, paired by seed."""
        pair = self.values(model, metric) - self.values(baseline, metric)
        return mean_interval(pair)

    def paired(self, baseline: str) -> pd.DataFrame:
        """Every model minus `baseline`, paired by seed: mean and 95 % interval."""
        names = self.table[["model", "metric"]].drop_duplicates()
        rows = {
            (model, metric): self.difference(model, baseline, metric)._asdict()
            for model, metric in names.itertuples(index=False)
            if model != baseline
        }
        return pd.DataFrame(rows).T.astype({"n": int})


def repeat(
    runs: dict[str, Callable[[int], dict[str, float]]],
    seeds: Iterable[int],
    progress: bool = True,
    jobs: int = 2,
) -> Runs:
    """Call every run with every seed.

    Before each call torch's global generator is seeded with the run's seed, so that
    the weights of a model built inside are the seed's; afterwards it is as before.

    Parameters
    ----------
    runs : dict
        Model name -> function of the seed that trains and returns its metrics.
    seeds : iterable of int
        At least two, all different.
    progress : bool
        Show a bar.
    jobs : int
        Processes that share the runs, on one thread each; 1 stays in this process.
        The results are the same.
    """
    seeds = list(seeds)
    if len(set(seeds)) < 2 or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds is {seeds}; expected two or more, all different")
    order = [(seed, name) for seed in seeds for name in runs]
    calls = [partial(_seeded, runs[name], seed) for seed, name in order]
    rows = []
    bar = tqdm(
        parallel(calls, jobs), total=len(order), disable=not progress, leave=False
    )
    for (seed, name), metrics in zip(order, bar, strict=True):
        rows += [(name, seed, key, float(value)) for key, value in metrics.items()]
    return Runs(pd.DataFrame(rows, columns=["model", "seed", "metric", "value"]))


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
