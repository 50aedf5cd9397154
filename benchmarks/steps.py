"""Where the time of a training step goes, by operator."""

import pandas as pd
import torch

from recsys_tutorial.data.tensors import take
from recsys_tutorial.train import fit


def profile(model, rows, batch: int, steps: int = 20, most: int = 12) -> pd.DataFrame:
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
        By operator: ``calls`` and microseconds per step, and ``share`` of the time
        of all operators, each without the operators that it calls itself. The forward
        and the backward pass, Adam and the look-up of the batch are all in it; what
        Python does between the operators is not.
    """
    rows = take(rows, slice(steps * batch))
    count = -(-len(next(iter(rows.values()))) // batch)
    settings = {"epochs": 1, "batch_size": batch, "progress": False}
    fit(model, rows, **settings)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as p:
        fit(model, rows, **settings)
    table = pd.DataFrame(
        [(e.key, e.count / count, e.self_cpu_time_total / count)
         for e in p.key_averages()],
        columns=["operator", "calls", "microseconds"],
    ).set_index("operator")  # fmt: skip
    table = table.sort_values("microseconds", ascending=False)
    rest = table.iloc[most:].sum()
    table = pd.concat([table.iloc[:most], rest.to_frame("all others").T])
    table["share"] = table["microseconds"] / table["microseconds"].sum()
    return table.round({"calls": 1, "microseconds": 0, "share": 3})
