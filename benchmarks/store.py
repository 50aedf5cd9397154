"""The stored runs, in ``results/``: how they are written, and on what machine.

Every table has the columns of its script, which says what they mean, and after them
those of the run: ``processor``, ``cores``, versions of ``torch`` and ``python``, the
``date``. What is measured again replaces its old lines; the rest of the file stays.
"""

import os
import platform
from datetime import date
from pathlib import Path

import pandas as pd
import torch


def save(path, found: pd.DataFrame, key: str) -> None:
    """Put lines into a file, in place of those with the same `key`.

    Parameters
    ----------
    path : path
        A CSV file; made, with its folder, if it is not there.
    found : DataFrame
        What was measured.
    key : str
        Column that names what was measured.
    """
    path = Path(path)
    found = found.assign(**machine(), date=str(date.today()))
    if path.exists():
        old = pd.read_csv(path)
        found = pd.concat([old[~old[key].isin(found[key])], found])
        found = found.sort_values(key, kind="stable")
    path.parent.mkdir(parents=True, exist_ok=True)
    found.round(4).to_csv(path, index=False)


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
