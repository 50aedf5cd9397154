"""Wall time and peak memory of the notebooks, each executed alone from top to bottom.

``python -m benchmarks.notebooks [notebooks/sequence/din.ipynb ...]``, with the book's
environment. What runs are copies, in a folder of their own; the notebooks stay as they
are. A time holds the start of the kernel and of the second process that shares the
training; the memory is the largest sum over all processes of a notebook, where what
they share counts once (the system's PSS; Linux alone tells it).

Saved columns: ``notebook``, ``seconds``, ``megabytes``, and the ``cell`` that takes
longest, by its first line, with its ``cell_seconds``.
"""

import argparse
import shutil
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil

from benchmarks.store import save
from tools.workshop import execute, notebook_files

ROOT = Path(__file__).resolve().parents[1]


class Memory(threading.Thread):
    """Look at the memory of all descendants, time and again; keep the largest sum."""

    def __init__(self):
        super().__init__(daemon=True)
        self.largest, self.done = 0, threading.Event()

    def run(self):
        while not self.done.wait(0.5):
            total = 0
            for process in psutil.Process().children(recursive=True):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has ended in between
                    continue
            self.largest = max(self.largest, total)

    def stop(self) -> float:
        """End, and give the largest sum in megabytes."""
        self.done.set()
        self.join()
        return self.largest / 1e6


def cost(path: Path) -> dict:
    """Execute a notebook; give its line of the table."""
    cells, start, memory = [], time.perf_counter(), Memory()
    memory.start()

    def finished(cell, seconds):
        if cell.cell_type == "code":
            cells.append((seconds, cell.source.splitlines()[0]))

    execute.execute(path, set(), finished)
    seconds = time.perf_counter() - start
    slowest, line = max(cells)
    return {
        "notebook": path.stem,
        "seconds": seconds,
        "megabytes": memory.stop(),
        "cell": line,
        "cell_seconds": slowest,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="notebooks or folders (default: all)")
    parser.add_argument("--save", metavar="FOLDER", help="keep notebooks.csv there")
    options = parser.parse_args()
    rows = []
    for path in notebook_files.find(options.paths):
        with TemporaryDirectory() as folder:
            rows.append(cost(Path(shutil.copy(path, folder))))
        print(f"{path.stem}: {rows[-1]['seconds']:.0f} s", flush=True)
        if options.save:
            save(
                Path(options.save) / "notebooks.csv",
                pd.DataFrame(rows[-1:]),
                "notebook",
            )
    table = pd.DataFrame(rows)
    print(table.round(1).to_string(index=False))
    print(f"all: {table['seconds'].sum():.0f} s")


if __name__ == "__main__":
    main()
