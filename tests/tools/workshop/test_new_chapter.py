"""A new chapter's three files: whole, working from the start, and never overwritten."""

import subprocess
import sys

import pytest

from tools.workshop import new_chapter, notebook_files
from tools.workshop.rules import structure


@pytest.fixture
def laid_out(tmp_path):
    return new_chapter.lay_out("sequence/bst", tmp_path)


def test_three_files_in_their_places(laid_out, tmp_path):
    assert [path.relative_to(tmp_path).as_posix() for path in laid_out] == [
        "notebooks/sequence/bst.ipynb",
        "recsys_tutorial/models/bst.py",
        "tests/models/test_bst.py",
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
    _, module, test = laid_out
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
    _, module, _ = new_chapter.lay_out("coldstart/warm_start", tmp_path)
    assert "class WarmStart(nn.Module)" in module.read_text()


def test_nothing_is_overwritten(laid_out, tmp_path):
    laid_out[0].unlink()
    laid_out[1].write_text("mine")
    with pytest.raises(ValueError, match="recsys_tutorial/models/bst.py exists"):
        new_chapter.lay_out("sequence/bst", tmp_path)
    assert laid_out[1].read_text() == "mine"
    assert not laid_out[0].exists()


@pytest.mark.parametrize("place", ["bst", "music/bst", "sequence/BST", "sequence/a-b"])
def test_bad_names(place, tmp_path):
    with pytest.raises(ValueError, match="expected a folder of multitask, sequence"):
        new_chapter.lay_out(place, tmp_path)
