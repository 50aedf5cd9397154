"""Where the time of a training step goes, and how far it is from the peak."""

import time
from statistics import median
from typing import NamedTuple

import pandas as pd
import torch
from torch.profiler import ProfilerActivity

from recsys_tutorial.data.tensors import take
from recsys_tutorial.train import fit

PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")  # of matrices


class Step(NamedTuple):
    """A training step, measured.

    Attributes
    ----------
    milliseconds : float
        The whole step, without the profiler.
    products : float
        Share of the operators' time that goes into products of matrices.
    gflop : float
        Billions of multiplications and additions in these products.
    rate : float
        Billions of them per second, while a product runs.
    largest : str
        Shapes of the product with the most of them.
    largest_rate : float
        Its billions per second.
    peak : float
        The same for the product of two square matrices of 2048: what this processor
        can do at most, on the same threads.
    of_peak : float
        ``gflop`` per time of the whole step, over ``peak``: 1 would be a step without
        anything but products at full speed.
    """

    milliseconds: float
    products: float
    gflop: float
    rate: float
    largest: str
    largest_rate: float
    peak: float
    of_peak: float


def profile(model, rows, batch: int, steps: int = 20, most: int = 12):
    """Train for some steps under torch's profiler.

    Parameters
    ----------
    model : nn.Module
        Has ``loss(batch)``.
    rows : dict of tensors
        Training rows; the first ``steps * batch`` are used.
    batch, steps : int
        Rows of a step, and steps; as many again come before, to warm up.
    most : int
        Operators to name; the rest is one line.

    Returns
    -------
    DataFrame
        By ``operator``: ``calls`` and microseconds per step, and ``share`` of the time
        of all operators, each without the operators that it calls itself. The forward
        and the backward pass, Adam and the look-up of the batch are all in it; what
        Python does between the operators is not.
    Step
    """
    rows = take(rows, slice(steps * batch))
    count = -(-len(next(iter(rows.values()))) // batch)
    settings = {"epochs": 1, "batch_size": batch, "progress": False}
    fit(model, rows, **settings)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        fit(model, rows, **settings)
        seconds.append((time.perf_counter() - start) / count)
    options = {"record_shapes": True, "with_flops": True}
    with torch.profiler.profile(activities=[ProfilerActivity.CPU], **options) as run:
        fit(model, rows, **settings)
    table = pd.DataFrame(
        [(e.key, e.count / count, e.self_cpu_time_total / count)
         for e in run.key_averages()],
        columns=["operator", "calls", "microseconds"],
    )  # fmt: skip
    table = table.sort_values("microseconds", ascending=False)
    rest = table.iloc[most:][["calls", "microseconds"]].sum()
    rest = pd.DataFrame([{"operator": "all others", **rest}])
    table = pd.concat([table.iloc[:most], rest], ignore_index=True)
    whole = table["microseconds"].sum()
    table["share"] = table["microseconds"] / whole
    step = _step(run, median(seconds), whole * count / 1e6, count)
    return table, step


def _step(run, seconds, operators, count):
    """What the profiler saw of products, against the peak."""
    shapes = run.key_averages(group_by_input_shape=True)
    products = [e for e in shapes if e.key in PRODUCTS]
    flops = sum(e.flops for e in products) / count
    took = sum(e.self_cpu_time_total for e in products) / 1e6
    largest = max(products, key=lambda e: e.flops)
    factors = [shape for shape in largest.input_shapes if len(shape) > 1][-2:]
    best = peak()
    return Step(
        milliseconds=1e3 * seconds,
        products=took / operators,
        gflop=flops / 1e9,
        rate=flops * count / took / 1e9,
        largest=" @ ".join(" x ".join(map(str, shape)) for shape in factors),
        largest_rate=largest.flops / largest.self_cpu_time_total / 1e3,
        peak=best,
        of_peak=flops / 1e9 / seconds / best,
    )


def peak(size: int = 2048, rounds: int = 5) -> float:
    """Billions of operations per second of the quickest product of two squares."""
    a, b = torch.randn(2, size, size)
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9
