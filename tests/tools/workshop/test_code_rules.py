"""Ruff's findings, in the words and the numbers that all other checks use."""

import shutil
import subprocess

import pytest
from nbformat import v4

from tools.workshop import code_rules, notebook_files


@pytest.fixture
def notebook(tmp_path):
    cells = [
        v4.new_markdown_cell("# 题 | Title"),
        v4.new_code_cell("x = 1"),
        v4.new_markdown_cell("More."),
        v4.new_code_cell("# look\nprint(missing)"),
    ]
    path = tmp_path / "n.ipynb"
    notebook_files.save(v4.new_notebook(cells=cells), path)
    return path


def test_a_cell_of_a_notebook_counts_from_0_and_has_its_first_words(notebook, capsys):
    assert code_rules.main([str(notebook)]) == 1
    assert capsys.readouterr().out == (
        f"{notebook} cell 3 (# look) line 2: Undefined name `missing` (F821)\n"
    )


def test_a_module_has_lines(tmp_path, capsys):
    path = tmp_path / "m.py"
    path.write_text("x = 1\nprint(missing)\n")
    assert code_rules.main([str(path)]) == 1
    assert f"{path} line 2: Undefined name" in capsys.readouterr().out


def test_nothing_to_say(tmp_path, capsys):
    (tmp_path / "m.py").write_text("x = 1\n")
    assert code_rules.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""


def test_ruff_itself_fails(tmp_path, capsys):
    (tmp_path / "ruff.toml").write_text("select = 3")
    (tmp_path / "m.py").write_text("x = 1\n")
    assert code_rules.main([str(tmp_path)]) == 1
    assert "ruff.toml" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("failing", ["code_rules", "address", "nothing"])
def test_make_check_asks_all_parts_even_if_one_fails(tmp_path, failing):
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho "$2" >> "{tmp_path}/asked"\n'
        f'case "$2" in *.{failing}) exit 1;; esac\n'
    )
    python.chmod(0o755)
    command = ["make", "-o", "environment", f"BIN={tmp_path}", "check"]
    run = subprocess.run(command, cwd=notebook_files.ROOT, capture_output=True)
    assert (run.returncode == 0) == (failing == "nothing")
    asked = (tmp_path / "asked").read_text().split()
    assert [name.rpartition(".")[2] for name in asked] == [
        "code_rules",
        "contents",
        "notebook_rules",
        "lint",
        "sync",
        "address",
    ]
