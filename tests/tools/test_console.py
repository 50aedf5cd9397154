"""On a console without Chinese every command ends as it would elsewhere."""

import ast
import os
import subprocess
import sys

import pytest

from tools.workshop import notebook_files

ROOT = notebook_files.ROOT
CONSOLES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def run(module, *arguments, console, cwd=ROOT):
    """Run a module as `make` does, on some console."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUTF8"}
    environment |= CONSOLES[console] | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", f"tools.{module}", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
    )


@pytest.fixture
def faulty(tiny):
    """Write a notebook of which the rules and the lint have something to say."""
    path = tiny("书.ipynb", "x = 1")
    notebook = notebook_files.read(path)
    notebook.cells[0].cell_type = "markdown"
    del notebook.cells[0]["outputs"], notebook.cells[0]["execution_count"]
    notebook.cells[0].source = "推荐系统,第 1 章 | 中文"
    notebook_files.save(notebook, path)
    return path


@pytest.mark.parametrize("console", CONSOLES)
@pytest.mark.parametrize("module", ["workshop.notebook_rules", "workshop.lint"])
def test_what_is_wrong_with_a_notebook(module, console, faulty):
    done = run(module, faulty, console=console)
    # Where the language is unknown, the name of a file is printed as the disk has it.
    told = done.stdout.decode("cp1252" if console == "cp1252" else "utf-8")
    assert done.returncode == 1, done.stderr
    assert done.stderr == b""
    assert len(told.splitlines()) > 1
    assert "1 files" in told or "1 notebooks" in told


@pytest.mark.parametrize("console", CONSOLES)
@pytest.mark.parametrize(
    ("module", "arguments", "status"),
    [
        ("workshop.sync", ["--check", "书.ipynb"], 1),
        ("workshop.execute", ["书.ipynb"], 2),
        ("workshop.new_chapter", ["书"], 1),
        ("website.address", ["--check"], 0),
        ("website.contents", [], None),
        ("website.links", ["--help"], 0),
        ("website.editions", ["--help"], 0),
        ("course.slides", ["书"], 1),
        ("course.student", ["--help"], 0),
        ("course.pdf", ["--name", "书"], 1),
    ],
)
def test_a_command_ends_without_a_traceback(module, arguments, status, console):
    done = run(module, *arguments, console=console)
    assert b"Traceback" not in done.stderr
    assert status in (None, done.returncode), done.stderr


def test_nothing_prints_past_the_console():
    for path in (ROOT / "tools").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{path}:{node.lineno}: use show or say"
