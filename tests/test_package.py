"""The package alone: it needs what pyproject.toml declares, and nothing else."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "recsys_tutorial"
DISTRIBUTIONS = packages_distributions()  # import -> its homes
# Never asked for: Jupyter brings them. Without it, figures are of one kind, and a live
# figure, which is an output of a cell, has no place.
WITH_JUPYTER = {"matplotlib-inline", "ipython"}
# In no extra: it asks for GPU wheels of half a gigabyte. The chapter on more than one
# machine, which goes without it, tells how it is installed by hand.
BY_HAND = {"torchrec"}

MORE = WITH_JUPYTER | BY_HAND


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    """Names of distributions, as they are written in a list of requirements."""
    return {canonical(Requirement(text).name) for text in requirements}


def declared() -> tuple[set[str], set[str]]:
    """What is always installed with the package, and what its extras add."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return names(project["dependencies"]), names([r for extra in extras for r in extra])


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Each module that code imports, and whether by merely being imported itself."""
    tree = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    later = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, functions)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found = [PACKAGE.name if node.level else node.module]
        else:
            continue
        yield from ((name.partition(".")[0], id(node) not in later) for name in found)


def undeclared(source: str, always: set[str], extras: set[str]) -> list[str]:
    """A sentence for each import that an installed package might not find."""
    slips = []
    for module, at_once in imports(source):
        if module in sys.stdlib_module_names or module == PACKAGE.name:
            continue
        homes = {canonical(d) for d in DISTRIBUTIONS.get(module, [module])}
        if not homes & (always if at_once else always | extras | MORE):
            slips.append(f"{module} of {'/'.join(sorted(homes))} is not declared")
    return slips


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_a_module_imports_what_is_declared(path):
    assert undeclared(path.read_text("utf-8"), *declared()) == []


BROKEN = """
import os, sklearn.metrics
import yaml
from . import layers
from IPython.display import display

def search():
    import faiss
    import nbformat
"""


def test_an_import_that_is_not_declared_is_told():
    always, extras = {"scikit-learn"}, {"faiss-cpu"}
    slips = undeclared(BROKEN, always, extras)
    assert [slip.split()[0] for slip in slips] == ["yaml", "IPython", "nbformat"]
    # what an extra brings may be imported in a function, and not at the top
    assert undeclared("import faiss", always, extras) == [
        "faiss of faiss-cpu is not declared"
    ]


def needed(requirements: set[str]) -> set[str]:
    """These distributions, and what they need in their turn, without extras."""
    found, waiting = set(), list(requirements)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            asked = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # for another system or another Python
            continue
        waiting += [
            canonical(r.name)
            for r in asked
            if r.marker is None or r.marker.evaluate({"extra": ""})
        ]
    return found


ALONE = """
import importlib, pkgutil, sys

missing = set(sys.argv[1:])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import recsys_tutorial

count = 0
for module in pkgutil.walk_packages(recsys_tutorial.__path__, "recsys_tutorial."):
    importlib.import_module(module.name)
    count += 1

from recsys_tutorial import plots

plots.use_book_style()
print(count, plots.plt.rcParams["font.size"])
"""


def test_every_module_is_imported_where_only_the_declared_is_installed():
    present = needed(declared()[0])
    missing = [
        module
        for module, homes in DISTRIBUTIONS.items()
        if not {canonical(d) for d in homes} & (present | {"recsys-tutorial"})
    ]
    assert {"IPython", "matplotlib_inline", "sphinx"} <= set(missing)
    command = [sys.executable, "-c", ALONE, *missing]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    modules = [p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py"]
    assert done.stdout.split() == [str(len(modules)), "9.5"]


def test_what_an_installation_builds_is_ignored_by_git():
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"/build/", "/_build/", "*.egg-info/"} <= set(ignored)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["distutils"]["build"]["build_base"].startswith("_build/")


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_clean_removes_what_an_installation_builds(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in ("build/lib", "_build/package", "a.egg-info", ".venv/b.egg-info"):
        (tmp_path / folder).mkdir(parents=True)
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"Makefile", ".venv"}
    assert (tmp_path / ".venv/b.egg-info").is_dir()
