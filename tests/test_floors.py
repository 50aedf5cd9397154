"""The floors of the house: imports go down only."""

import ast
from pathlib import Path

import pytest

from tools.workshop import notebook_files

ROOT = notebook_files.ROOT
# What the code in a place may import of the house, besides what is in the same place.
MAY = {
    "recsys_tutorial": [],  # the modules below, when nothing more is said of them
    "recsys_tutorial.data": ["layers", "metrics"],
    "recsys_tutorial.models": ["data", "layers", "als"],
    "recsys_tutorial.als": ["layers"],
    "recsys_tutorial.augment": ["layers"],
    "recsys_tutorial.claims": ["budget", "metrics"],
    "recsys_tutorial.correlation": ["layers"],
    "recsys_tutorial.distributed": ["checkpoints", "layers", "sharding"],
    "recsys_tutorial.next_items": ["data", "layers", "metrics", "scoring"],
    "recsys_tutorial.pipeline": ["data", "layers"],
    "recsys_tutorial.plots": ["metrics"],
    "recsys_tutorial.retrieval": ["layers"],
    "recsys_tutorial.roads": ["budget", "data", "next_items"],
    "recsys_tutorial.saved": ["data"],
    "recsys_tutorial.scoring": ["data", "layers"],
    "recsys_tutorial.serving": ["pipeline"],
    "recsys_tutorial.sharding": ["layers"],
    "recsys_tutorial.train": ["budget", "data", "layers", "metrics"],
    "recsys_tutorial.two_labels": ["layers", "scoring"],
    "recsys_tutorial.yardstick": ["plots"],
    "tools": [],
    "tools.workshop": ["recsys_tutorial"],
    "tools.website": ["recsys_tutorial", "tools.workshop"],
    "tools.course": ["recsys_tutorial", "tools.workshop", "tools.website"],
    "notebooks": ["recsys_tutorial"],
}
HOUSE = ("recsys_tutorial", "tools", "tests", "benchmarks", "notebooks")


def imported(tree):
    """List the modules that some code imports, as far as they are of the house."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import: name the package"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in HOUSE)


def place(module):
    """Give the place of a module: the longest name in `MAY` that it begins with."""
    found = [name for name in MAY if f"{module}.".startswith(f"{name}.")]
    return max(found, key=len, default=None)


def upward(module, tree):
    """List the imports of a module that do not go down."""
    home = place(module)
    floors = MAY[home] if home in ("recsys_tutorial", "tools") else [home, *MAY[home]]
    allowed = [
        f"{name if name.partition('.')[0] in HOUSE else f'recsys_tutorial.{name}'}."
        for name in floors
    ]
    return [x for x in imported(tree) if not f"{x}.".startswith(tuple(allowed))]


def modules():
    """Yield the name and the tree of each module, and of each notebook's code."""
    for folder in ("recsys_tutorial", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), ast.parse(path.read_text("utf-8"))
    for path in notebook_files.find():
        cells = notebook_files.read(path).cells
        code = [c.source for c in cells if c.cell_type == "code"]
        lines = "\n".join(code).splitlines()
        text = "\n".join("" if line.startswith(("%", "!")) else line for line in lines)
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield name, ast.parse(text)


@pytest.mark.parametrize(
    ("module", "tree"), [pytest.param(*pair, id=pair[0]) for pair in modules()]
)
def test_imports_go_down(module, tree):
    assert upward(module, tree) == []


@pytest.mark.parametrize(
    ("module", "code", "found"),
    [
        ("tools.workshop.lint", "from tools.website import links", "tools.website"),
        ("tools.website.ext.page", "import tools.course.slides", "tools.course"),
        (
            "recsys_tutorial.data.census",
            "from recsys_tutorial.models import din",
            "din",
        ),
        ("recsys_tutorial.models.din", "from recsys_tutorial import train", "train"),
        ("recsys_tutorial.layers", "import recsys_tutorial.metrics", "metrics"),
        ("recsys_tutorial.train", "from tools.workshop import sync", "tools.workshop"),
        ("notebooks.quickstart", "def f():\n    from tools import course", "tools"),
    ],
)
def test_an_import_upwards_is_found(module, code, found):
    assert any(found in name for name in upward(module, ast.parse(code)))


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("tools.course.pdf", "from tools.website import links"),
        ("recsys_tutorial.models.ple", "from recsys_tutorial.models import mmoe"),
        ("recsys_tutorial.models.ple", "import torch, recsys_tutorial.layers"),
    ],
)
def test_an_import_downwards_may_be(module, code):
    assert upward(module, ast.parse(code)) == []


def test_no_path_is_edited_and_no_bare_module_is_found_by_chance():
    for folder in ("tools", "recsys_tutorial"):
        for path in (ROOT / folder).rglob("*.py"):
            assert "sys.path" not in path.read_text("utf-8"), path
    assert not list((ROOT / "book").rglob("*.py"))


def test_each_place_is_there():
    for name in MAY:
        path = Path(ROOT, *name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
