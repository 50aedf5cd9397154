"""The file of what was measured: one line per model, contestant, round and metric.

Columns: ``model``, ``contestant`` and the ``version`` of its library; ``round`` from 0,
``metric`` ("rows/s", or a score on the test rows) and ``value``; the learning rate
``lr`` and the number of ``parameters``; what all contestants share: ``data``, ``rows``
to train on, ``epochs``, ``batch``, ``threads``; and the machine: ``processor``,
``cores``, versions of ``torch`` and ``python``, the ``date``. A model that is measured
again replaces its old lines: all lines of one model are of one run, side by side.
"""

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch

import recsys_tutorial

LIBRARIES = {"torch-rechub": "torch-rechub", "DeepCTR-Torch": "deepctr-torch"}


def save(path, model: str, found: pd.DataFrame, setting: dict) -> None:
    """Put the values of one model, as `race.race` returns them, into the file."""
    path = Path(path)
    found = found.assign(model=model, **setting, **machine(), date=str(date.today()))
    found["version"] = found["contestant"].map(library_version)
    first = ["model", "contestant", "version", "round", "metric", "value"]
    found = found[first + [c for c in found if c not in first]]
    if path.exists():
        old = pd.read_csv(path)
        found = pd.concat([old[old["model"] != model], found])
        found = found.sort_values("model", kind="stable")
    path.parent.mkdir(parents=True, exist_ok=True)
    found.round({"value": 4}).to_csv(path, index=False)


def library_version(contestant: str) -> str:
    """The version of a library; of the book, for any other name."""
    try:
        return version(LIBRARIES[contestant])
    except (KeyError, PackageNotFoundError):
        return recsys_tutorial.__version__


def machine() -> dict:
    """Name of the processor, number of cores, versions of Python and torch."""
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        names = [
            value.strip() for key, _, value in lines if key.strip() == "model name"
        ]
        name = names[0] if names else name
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "torch": torch.__version__.split("+")[0],
        "python": platform.python_version(),
    }
