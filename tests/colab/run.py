"""Run the notebooks as Colab does: ``make colab``.

Colab cannot be reached from a test. This comes as close as possible: Python 3.13 with
the versions that Colab ships (``requirements.txt`` beside this file says of which day);
a module ``google.colab`` that can be imported; the book's repository behind an address,
so that the first cell of each notebook installs the package with pip, as it does once
the book is published. Each notebook is run as downloaded, from top to bottom, without a
manual step, on a machine of its own: an environment to which nothing was added yet, an
empty home, an empty working folder. The quick start runs twice, as after a restart.

In the end pip must have added the book's package, the index of the retrieval chapter,
and nothing else: what Colab has stays as it is.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.workshop import notebook_files, sync

ROOT = Path(__file__).resolve().parents[2]

BUILD = ROOT / "_build" / "colab"
ADDED = {"recsys-tutorial", "faiss-cpu"}
CELL_SECONDS = 600


def python_313() -> str:
    """Find the Python that Colab has.

    Raises
    ------
    RuntimeError
        If there is none on this machine.
    """
    pyenv = Path.home() / ".pyenv" / "versions"
    beside = sorted(map(str, pyenv.glob("3.13*/bin/python")))
    for name in (sys.executable, "python3.13", "python3", *beside):
        if found := shutil.which(name):
            code = "import sys; print(*sys.version_info[:2])"
            answer = subprocess.run([found, "-c", code], capture_output=True, text=True)
            if answer.stdout.split() == ["3", "13"]:
                return found
    raise RuntimeError("there is no Python 3.13 here, which is what Colab has")


def environment() -> Path:
    """Make the environment, unless it is there; give its interpreter."""
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = BUILD / "environment"
    python = folder / "bin" / "python"
    wanted = Path(__file__).with_name("requirements.txt")
    stamp = folder / "stamp"
    if not stamp.is_file() or stamp.read_text() != wanted.read_text():
        subprocess.run([python_313(), "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--no-input"]
        with (BUILD / "install.log").open("w") as log:
            subprocess.run([*pip, "-r", wanted], check=True, stdout=log, stderr=log)
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "google" / "colab").mkdir(parents=True)
        (packages / "google" / "colab" / "__init__.py").touch()
        stamp.write_text(wanted.read_text())
    return python


def installed(python: Path) -> set[str]:
    """Give what pip finds in an environment: ``name==version``."""
    command = [python, "-m", "pip", "list", "--format=json", "--no-input"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return {f"{row['name']}=={row['version']}" for row in json.loads(listed.stdout)}


def machine(name: str, base: Path) -> Path:
    """Set up an environment that has all of `base`'s packages; give its interpreter."""
    folder = BUILD / "machines" / name
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    shared = next((BUILD / "environment").glob("lib/python*/site-packages"))
    (packages / "colab.pth").write_text(f"{shared}\n")
    (folder / "home").mkdir()
    (folder / "content").mkdir()
    python = folder / "bin" / "python"
    kernel = BUILD / "machines" / "kernels" / name
    kernel.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    specification = {
        "argv": command,
        "display_name": name,
        "language": "python",
        "env": {"HOME": str(folder / "home")},
    }
    (kernel / "kernel.json").write_text(json.dumps(specification))
    return python


def published() -> sync.Repository:
    """Put the repository, as last committed, behind an address."""
    bare = BUILD / "book.git"
    shutil.rmtree(bare, ignore_errors=True)
    clone = ["git", "clone", "--quiet", "--bare", str(ROOT), str(bare)]
    subprocess.run(clone, check=True)
    return sync.Repository(bare.as_uri(), "main")


def downloaded(path: Path, where: sync.Repository) -> nbformat.NotebookNode:
    """Give a notebook as it would be downloaded from that address."""
    notebook = notebook_files.read(path)
    for index, tag, text in sync.differences(notebook, path, where):
        if tag == "bootstrap":
            notebook.cells[index].source = text
    return notebook


def run(path: Path, where: sync.Repository, base: Path) -> str:
    """Run a notebook on a machine of its own; say what is wrong, or nothing."""
    name = path.stem
    python = machine(name, base)
    content = BUILD / "machines" / name / "content"
    for _ in range(2 if name == "quickstart" else 1):
        notebook = downloaded(path, where)
        client = NotebookClient(
            notebook,
            kernel_name=name,
            timeout=CELL_SECONDS,
            resources={"metadata": {"path": str(content)}},
        )
        try:
            client.execute()
        except CellExecutionError as error:
            return f"{error.ename}: {error.evalue}".splitlines()[0]
        for number, cell in enumerate(notebook.cells):
            for output in cell.get("outputs", []):
                if output.get("name") == "stderr" and "Warning" in output.text:
                    return f"cell {number} warns: {output.text.strip()[:300]}"
    if left := [item.name for item in content.iterdir()]:
        return f"it leaves files behind: {left}"
    changed = installed(python) ^ installed(base)
    foreign = [item for item in changed if item.partition("==")[0] not in ADDED]
    return f"pip changed what Colab has: {foreign}" if foreign else ""


def main(arguments: list[str] | None = None) -> int:
    """Run the notebooks named on the command line, or all; 1 if one fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="notebooks or folders (default: all)")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(arguments)
    paths = notebook_files.find(options.paths)
    try:
        base = environment()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        print(f"There is no environment like Colab's: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(BUILD / "machines", ignore_errors=True)
    os.environ["JUPYTER_PATH"] = str(BUILD / "machines")
    for name in ("RECSYS_TUTORIAL_DATA", "PYTHONPATH", "MPLBACKEND", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    where = published()

    def report(path: Path) -> bool:
        start = time.perf_counter()
        wrong = run(path, where, base)
        seconds = time.perf_counter() - start
        print(f"{path.stem}: {wrong or f'{seconds:.0f} s'}", flush=True)
        return not wrong

    pool = ThreadPoolExecutor(options.jobs)
    try:
        return int(not all(list(pool.map(report, paths))))
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
