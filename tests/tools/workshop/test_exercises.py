"""Self-checked exercises: their solutions pass, nothing else does."""

import importlib.util
from pathlib import Path

import pytest

from tools.workshop import answers, notebook_files
from tools.workshop.rules.reading import cells

HERE = Path(__file__).parent / "wrong_answers"
PATHS = {path.stem: path for path in notebook_files.find()}


def pairs(name):
    """Give each answer of a notebook with its check: their source texts."""
    notebook = notebook_files.read(PATHS[name])
    answers = [cell.source for _, cell in cells(notebook, "code", "answer")]
    checks = [cell.source for _, cell in cells(notebook, "code", "check")]
    return list(zip(answers, checks, strict=True))


def wrong_answers():
    """Give the typical mistakes that are written down beside this file."""
    for path in sorted(HERE.glob("*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for mistake, (answer, message) in module.WRONG.items():
            yield pytest.param(path.stem, answer, message, id=f"{path.stem}-{mistake}")


CHECKED = [
    pytest.param(*pair, id=f"{name}-{number}")
    for name in PATHS
    for number, pair in enumerate(pairs(name), start=1)
]


@pytest.mark.parametrize(("answer", "check"), CHECKED)
def test_the_solution_passes(answer, check):
    names = {}
    exec(answer, names)
    exec(check, names)


@pytest.mark.parametrize(("answer", "check"), CHECKED)
def test_the_empty_version_fails(answer, check):
    names = {}
    exec(answers.emptied(answer), names)
    with pytest.raises(NotImplementedError, match="your answer"):
        exec(check, names)


WRONG = list(wrong_answers())


@pytest.mark.parametrize(("name", "answer", "message"), WRONG)
def test_a_typical_mistake_is_told(name, answer, message):
    """It fails the check of the function that it defines, and is told what is wrong."""
    names = {}
    exec(answer, names)
    used = [c for a, c in pairs(name) if answers.function_name(a) in names]
    assert len(used) == 1, "the wrong answer defines the function of no exercise"
    with pytest.raises(AssertionError) as raised:
        exec(used[0], names)
    chinese, _, english = str(raised.value).partition(" | ")
    assert message in english
    assert chinese.strip()


@pytest.mark.parametrize("name", [n for n in PATHS if pairs(n)])
def test_three_typical_mistakes_are_written_down(name):
    assert sum(case.values[0] == name for case in WRONG) >= 3
