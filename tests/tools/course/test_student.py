"""What students and graders are given: the exercises, and not their solutions."""

import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import v4, validate

from tools.course import student
from tools.workshop import answers, notebook_files
from tools.workshop.rules.reading import cells, tags

NOTEBOOKS = {path.stem: path for path in notebook_files.find()}
ANSWER = '''\
import math

def root(x):
    """Give the root of `x`."""
    return math.sqrt(x)

ONE = 1'''


def run(*sources):
    """Run cells in a fresh kernel."""
    notebook = v4.new_notebook(cells=[v4.new_code_cell(text) for text in sources])
    NotebookClient(notebook, extra_arguments=["--log-level=ERROR"]).execute()


def cell(notebook, name):
    return next(cell for cell in notebook.cells if cell.id == name)


def test_an_answer_keeps_its_head_and_what_stands_around_it():
    emptied = answers.emptied(ANSWER)
    assert emptied.startswith('import math\n\ndef root(x):\n    """Give the root')
    assert emptied.endswith("ONE = 1")
    assert "sqrt" not in emptied
    with pytest.raises(NotImplementedError, match="your answer"):
        exec(emptied + "\nroot(4)", {})


def test_nbgraders_marks_change_nothing():
    marked = answers.marked(ANSWER)
    names = {}
    exec(marked, names)
    assert names["root"](9) == 3
    inside = marked.partition("### BEGIN SOLUTION\n")[2].partition("### END")[0]
    assert inside.strip() == "return math.sqrt(x)"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x = 1", "holds 0"),
        ('def f():\n    """F."""\n    return 1\ndef g():\n    pass', "holds 2"),
        ("def f():\n    return 1", "needs a docstring"),
        ('def f():\n    """F."""', "a body below it"),
    ],
)
def test_an_answer_that_cannot_be_emptied(source, reason):
    with pytest.raises(ValueError, match=reason):
        answers.emptied(source)


def test_a_students_copy_runs_up_to_the_check(sample):
    copy = student.student(sample, "zh")
    assert cell(copy, "solution-1").source == "# 在这里写你的答案。"
    assert cell(copy, "check-4").outputs == []
    texts = [cell(copy, name).source for name in ("answer-4", "check-4")]
    with pytest.raises(CellExecutionError, match="your answer"):
        run(*texts)
    run(cell(sample, "answer-4").source, texts[1])  # what the student is to find


def test_a_students_copy_is_in_one_language(sample):
    chinese = student.student(sample, "zh")
    english = student.student(sample, "en")
    both = student.student(sample, "both")
    assert cell(chinese, "gate").source == "## 门控"
    assert cell(english, "gate").source == "## The gate"
    assert cell(both, "gate").source == "## 门控 | The gate"
    assert "lang-en" not in {tag for c in chinese.cells for tag in tags(c)}
    assert "lang-zh" not in {tag for c in english.cells for tag in tags(c)}
    assert len(both.cells) == len(sample.cells)
    assert cell(sample, "gate").source == "## 门控 | The gate"  # the original stays


def test_an_assignment_holds_the_exercises_with_nbgraders_metadata(sample):
    made = student.assignment(sample, "en")
    validate(made)
    graded = {c.id: c.metadata.nbgrader for c in made.cells if "nbgrader" in c.metadata}
    assert list(graded) == [
        "solution-1",
        "solution-2",
        "solution-3",
        "answer-4",
        "check-4",
    ]
    names = [g.grade_id for g in graded.values()]
    assert len(set(names)) == len(names)
    assert all(g.schema_version == 3 and g.task is False for g in graded.values())
    for name in ("solution-1", "solution-2", "solution-3"):
        assert cell(made, name).cell_type == "markdown"
        assert graded[name].grade
        assert graded[name].solution
    assert not graded["answer-4"].grade  # its points come from the check
    assert graded["check-4"].locked
    assert graded["check-4"].points > 0
    assert cell(made, "check-4").source.endswith('all checks passed")')
    run(*(c.source for _, c in cells(made, "code") if c.source))


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize("edition", ["zh", "en"])
def test_no_solution_of_the_book_is_left_in_a_students_copy(name, edition):
    notebook = notebook_files.read(NOTEBOOKS[name])
    copy = student.student(notebook, edition)
    assert not validate(copy)
    text = "\n".join(c.source for c in copy.cells)
    for _, solved in cells(notebook, "code", "solution"):
        left = solved.source
        if "answer" in tags(solved):
            left = answers.marked(left).partition("### BEGIN SOLUTION")[2]
            left = left.partition("### END SOLUTION")[0].strip()
        assert left not in text


def test_the_command_writes_files_of_both_languages(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(student, "BUILD", tmp_path)
    assert student.main(["student", "--edition", "en"]) == 0
    assert student.main(["nbgrader"]) == 0
    assert len(list(tmp_path.glob("student/en/**/*.ipynb"))) == len(NOTEBOOKS)
    assert not (tmp_path / "student" / "zh").exists()
    for edition in ("zh", "en"):
        folder = tmp_path / "nbgrader" / edition
        assert "ClearSolutions" in (folder / "nbgrader_config.py").read_text("utf-8")
        for path in folder.glob("source/*/*.ipynb"):
            assert path.stem == path.parent.name
    assert "mmoe.ipynb" in capsys.readouterr().out
