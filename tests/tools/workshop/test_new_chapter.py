"""A new chapter's five files: whole, working from the start, and never overwritten."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

from recsys_tutorial import live
from tools.workshop import (
    code_rules,
    new_chapter,
    notebook_files,
    notebook_rules,
    sentences,
    sync,
)
from tools.workshop.rules import reading, structure


@pytest.fixture
def laid_out(tmp_path):
    return new_chapter.lay_out("sequence/bst", tmp_path)


def test_five_files_in_their_places(laid_out, tmp_path):
    assert [path.relative_to(tmp_path).as_posix() for path in laid_out] == [
        "notebooks/sequence/bst.ipynb",
        "recsys_tutorial/models/bst.py",
        "tests/models/test_bst.py",
        "recsys_tutorial/live_figures/bst.js",
        "tests/live/twins/bst.py",
    ]


def test_the_outline_is_that_of_a_chapter(laid_out):
    notebook = notebook_files.read(laid_out[0])
    for rule in (
        structure.bilingual_headings,
        structure.heading_levels,
        structure.last_sections,
        structure.exercises,
        structure.self_checked,
        structure.colab_badge,
    ):
        assert list(rule(notebook)) == [], rule.__name__


def test_the_tests_pass_from_the_first_minute(laid_out, tmp_path):
    _, module, test, *_ = laid_out
    # the module stands outside of the package here: lend it its name
    (test.parent / "conftest.py").write_text(
        "import importlib.util, sys\n"
        "name = 'recsys_tutorial.models.bst'\n"
        f"spec = importlib.util.spec_from_file_location(name, {str(module)!r})\n"
        "sys.modules[name] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(sys.modules[name])\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        cwd=test.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "5 passed" in run.stdout


def test_a_long_name_is_written_as_a_class(tmp_path):
    _, module, *_ = new_chapter.lay_out("coldstart/warm_start", tmp_path)
    assert "class WarmStart(nn.Module)" in module.read_text()


def test_nothing_is_overwritten(laid_out, tmp_path):
    laid_out[0].unlink()
    laid_out[1].write_text("mine")
    with pytest.raises(sentences.Problem, match="recsys_tutorial/models/bst.py exists"):
        new_chapter.lay_out("sequence/bst", tmp_path)
    assert laid_out[1].read_text() == "mine"
    assert not laid_out[0].exists()


@pytest.mark.parametrize("name", ["class", "tensor", "inside", "f", "item_embedding"])
def test_names_that_python_or_the_module_uses(name, tmp_path):
    with pytest.raises(sentences.Problem, match=f"{name} means something else"):
        new_chapter.lay_out(f"sequence/{name}", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_makes_a_line_too_long(tmp_path):
    with pytest.raises(sentences.Problem, match="has 23 letters, at most 22 fit"):
        new_chapter.lay_out(f"sequence/{23 * 'a'}", tmp_path)


# One before "din" in the alphabet, one after it, and the longest that may be.
NAMES = ["bst", "hstu", f"{10 * 'a'}_{11 * 'b'}"]


@pytest.fixture(params=NAMES)
def synced(request, tmp_path, monkeypatch):
    """Lay a chapter out and sync it, its module being lent a name in the package."""
    page, module, test, script, twin = new_chapter.lay_out(
        f"sequence/{request.param}", tmp_path
    )
    for shared in ("frame.js", "frame.css"):
        shutil.copy(live.FOLDER / shared, script.parent)
    monkeypatch.setattr(live, "FOLDER", script.parent)
    name = f"recsys_tutorial.models.{module.stem}"
    specification = importlib.util.spec_from_file_location(name, module)
    loaded = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, name, loaded)
    specification.loader.exec_module(loaded)
    notebook = notebook_files.read(page)
    for index, _, text in sync.differences(notebook, page, sync.repository()):
        notebook.cells[index].source = text
    notebook_files.save(notebook, page)
    return page, module, test, twin


def test_all_its_cells_run(synced):
    names = {}
    for _, cell in reading.cells(notebook_files.read(synced[0]), "code"):
        exec(cell.source, names)


def test_ruff_has_nothing_to_say(synced, tmp_path, capsys):
    shutil.copy(notebook_files.ROOT / "pyproject.toml", tmp_path)
    assert code_rules.main([str(tmp_path)]) == 0, capsys.readouterr().out
    code = [str(path) for path in synced[1:]]
    command = [sys.executable, "-m", "ruff", "format", "--check", *code]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_the_rules_list_what_is_still_to_be_written_and_nothing_else(synced):
    page = synced[0]
    problems = notebook_rules.check(notebook_files.read(page), page)
    assert [problem.reason.partition(":")[0] for problem in problems] == [
        "it has never been executed",
        "still to be written",
        "no live figure",
        "no cell ends with claims",
        "no references",
    ]
    written = next(p.reason for p in problems if p.reason.startswith("still"))
    assert written.count(", ") == len(new_chapter.SECTIONS)  # and the exercises


@pytest.mark.parametrize("place", ["bst", "music/bst", "sequence/BST", "sequence/a-b"])
def test_bad_names(place, tmp_path):
    with pytest.raises(
        sentences.Problem, match="expected a folder of multitask, sequence"
    ):
        new_chapter.lay_out(place, tmp_path)


def test_the_command_says_what_is_wrong_in_both_languages(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["new_chapter", "music/bst"])
    assert new_chapter.main() == 1
    zh, en = capsys.readouterr().err.splitlines()
    assert "NAME 是 'music/bst'" in zh
    assert "NAME is 'music/bst'" in en
