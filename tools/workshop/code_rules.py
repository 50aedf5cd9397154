"""Check the code with ruff, and name a notebook's cells as all other checks do.

Ruff counts cells from 1. ``python -m tools.workshop.code_rules [paths]`` prints one
line for each problem, and exits with 1 if there are any.
"""

import json
import subprocess
import sys
from pathlib import Path

from tools.workshop import notebook_files
from tools.workshop.notebook_files import ROOT
from tools.workshop.sentences import show


def told(problem: dict) -> str:
    """Say in a line what ruff says in JSON."""
    path = Path(problem["filename"])
    where = notebook_files.shown(path)
    row = (problem["location"] or {}).get("row", 1)
    if problem["cell"] is None:
        where += f" line {row}"
    else:
        index = problem["cell"] - 1
        cell = notebook_files.read(path).cells[index]
        where += f" {notebook_files.place(index, cell)} line {row}"
    return f"{where}: {problem['message']} ({problem['code']})"


def main(paths: list[str] | None = None) -> int:
    """Check the paths named on the command line, or all of the book."""
    paths = sys.argv[1:] if paths is None else paths
    command = [sys.executable, "-m", "ruff", "check", "--output-format", "json"]
    run = subprocess.run(
        [*command, *(paths or [str(ROOT)])], capture_output=True, encoding="utf-8"
    )
    if run.returncode not in (0, 1):
        show(run.stderr.strip(), sys.stderr)
        return 1
    problems = json.loads(run.stdout)
    for problem in problems:
        show(told(problem))
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
