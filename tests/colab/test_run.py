"""What can be said of the run as in Colab without running it."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.colab import run as script
from tools.workshop import notebook_files, sync

HERE = Path(__file__).parent
PINS = (HERE / "requirements.txt").read_text(encoding="utf-8")


@pytest.fixture
def run():
    """Give the script under the name that it has here."""
    return script


def test_the_list_says_of_which_day_it_is():
    assert re.search(r"published on 20\d\d-\d\d-\d\d", PINS)


def test_the_package_asks_for_nothing_that_colab_lacks():
    ships = dict(re.findall(r"^([\w.-]+)==(.+)$", PINS, re.M))
    project = tomllib.loads((notebook_files.ROOT / "pyproject.toml").read_text())
    for text in project["project"]["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(ships[wanted.name]), text


@pytest.mark.parametrize("path", notebook_files.find(), ids=lambda path: path.stem)
def test_a_notebook_as_downloaded_installs_the_package_first(run, path):
    where = sync.Repository("file:///book.git", "main")
    notebook, own = run.downloaded(path, where), notebook_files.read(path)
    changed = [
        new for new, old in zip(notebook.cells, own.cells, strict=True) if new != old
    ]
    assert len(changed) == 1
    assert "%pip install" in changed[0].source
    assert "file:///book.git" in changed[0].source
