"""The committed results came out of the code that stands beside them."""

import copy
import re

import pytest
from nbformat import v4

from tools.workshop import fingerprint, notebook_files

MODULE = '''\
"""Gates."""

from package.floor import ground


def gate(scores, sharp=1.0):
    """Weigh the scores."""
    return [sharp * score for score in ground(scores)]  # one each
'''
FILES = {
    "__init__.py": "",
    "gates.py": MODULE,
    "floor.py": "def ground(x):\n    return x\n",
    "other.py": "def other():\n    return 1\n",
    "data/__init__.py": "from package.data.films import load\n"
    "from package.data.people import ask\n",
    "data/films.py": f"SHA = '{'ab' * 32}'\n\n\ndef load():\n    return SHA\n",
    "data/people.py": "def ask():\n    return 1\n",
    "table.py": "def read():\n    return 1\n",
    "table.csv": "1,2\n",
}
CELLS = (
    "from package.gates import gate\nfrom package.data import load",
    "import package.table",
    'gate([0.5])  # by hand\n\n\ndef twice(x):\n    """Double."""\n    return 2 * x',
    '"a value, and no docstring"',
    "%matplotlib inline\nx = [1, 2];",
)


@pytest.fixture
def package(tmp_path):
    """Write a small package; give the function that reads it anew."""
    for name, text in FILES.items():
        path = tmp_path / "package" / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return lambda: fingerprint.Package(tmp_path, "package")


@pytest.fixture
def notebook(package):
    """Give a notebook that was executed with the package as it is."""
    output = v4.new_output("execute_result", {"text/plain": "[0.5, 1.0]"})
    cells = [v4.new_code_cell(text, id=f"c{n}") for n, text in enumerate(CELLS)]
    cells[2].outputs = [output]
    cells.insert(1, v4.new_markdown_cell("Some words."))
    made = v4.new_notebook(cells=cells)
    made.metadata.fingerprint = fingerprint.take(made, package())
    assert fingerprint.stale(made, package()) == []
    return made


@pytest.mark.parametrize("path", notebook_files.find(), ids=notebook_files.shown)
def test_the_results_are_of_this_code(path):
    reasons = fingerprint.stale(notebook_files.read(path))
    name = path.relative_to(notebook_files.NOTEBOOKS).with_suffix("").as_posix()
    assert not reasons, f"{'; '.join(reasons)}: make run NAMES={name}"


def test_what_a_notebook_depends_on(package, notebook):
    kept = notebook.metadata.fingerprint
    assert list(kept["modules"]) == [
        "package",
        "package.data",
        "package.data.films",
        "package.floor",
        "package.gates",
        "package.table",
    ]
    assert list(kept["data"]) == ["checksums in package.data.films", "table.csv"]
    assert [line.split()[0] for line in kept["cells"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert list(kept["versions"]) == ["torch", "numpy", "pandas", "scikit-learn"]


def test_who_imports_a_package_whole_depends_on_all_that_it_passes_on(package):
    tree = fingerprint.parse("import package.data\nfrom package.data.films import load")
    found = package().closure([tree])
    assert {"package.data.films", "package.data.people"} < set(found)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("gates.py", "sharp=1.0", "sharp=2.0", ["package.gates has changed"]),
        ("gates.py", "sharp * score", "score * sharp", ["package.gates has changed"]),
        ("floor.py", "return x", "return x[:]", ["package.floor has changed"]),
        (
            "gates.py",
            "from package.floor import ground",
            "from package.other import other as ground",
            ["package.floor is gone", "package.gates has changed"],
        ),
        (
            "data/films.py",
            "abab",
            "abac",
            ["checksums in package.data.films has changed"],
        ),
        ("table.csv", "2", "3", ["table.csv has changed"]),
        ("data/__init__.py", "films import", "people import", ["package.data has"]),
        ("__init__.py", "", "import math\n", ["package has changed"]),
    ],
)
def test_a_change_of_the_code_is_named(
    package, notebook, tmp_path, file, old, new, told
):
    path = tmp_path / "package" / file
    path.write_text(path.read_text().replace(old, new, 1))
    found = fingerprint.stale(notebook, package())
    for reason in told:
        assert any(reason in line for line in found), found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("gates.py", "# one each", "# each of them"),
        ("gates.py", '"""Weigh the scores."""', '"""Weigh them."""'),
        ("gates.py", '    """Weigh the scores."""\n', ""),
        ("gates.py", '"""Gates."""\n', "\n\n"),
        ("gates.py", "\n\n\n", "\n\n\n\n\n"),
        ("gates.py", "[sharp * score for", "[(sharp * score) for"),
        ("other.py", "1", "2"),
        ("data/people.py", "1", "2"),
    ],
)
def test_words_and_other_modules_do_not_count(
    package, notebook, tmp_path, file, old, new
):
    path = tmp_path / "package" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert fingerprint.stale(notebook, package()) == []


def change(number, old, new):
    """Give the function that changes the text of one cell."""

    def changed(notebook):
        cell = next(c for c in notebook.cells if c.id == f"c{number}")
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return changed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (change(2, "0.5", "0.6"), r"^cell 3 \(.+\) has changed"),
        (change(0, "import gate", "import gate as g"), r"^cell 0 \(.+\) has changed"),
        (change(3, "a value", "another"), r"^cell 4 \(.+\) has changed"),
        (change(4, "];", "]"), r"^cell 5 \(.+\) has changed"),
        (change(4, "];", "]  # a list;"), r"^cell 5 \(.+\) has changed"),
        (change(4, "inline", "agg"), r"^cell 5 \(.+\) has changed"),
        (lambda n: n.cells.append(n.cells.pop(3)), r"in another order"),
        (lambda n: n.cells.pop(3), r"the code cell c2 is gone; its outputs"),
        (
            lambda n: n.cells.append(v4.new_code_cell("1", id="new")),
            r"^cell 6 \(1\) is",
        ),
        (lambda n: n.cells[3].outputs.clear(), r"^its outputs are not those"),
        (lambda n: n.metadata.pop("fingerprint"), r"^it has no fingerprint"),
    ],
)
def test_a_change_of_a_cell_is_named(package, notebook, changed, told):
    changed(notebook)
    assert re.search(told, "; ".join(fingerprint.stale(notebook, package())))


@pytest.mark.parametrize("kept", [{}, "none", {"cells": ["c0 1"]}])
def test_a_fingerprint_that_cannot_be_read(package, notebook, kept):
    notebook.metadata.fingerprint = kept
    assert fingerprint.stale(notebook, package()) == ["its fingerprint cannot be read"]


def test_none_and_false_are_two_cases():
    trees = [fingerprint.parse(f"match x:\n    case {v}: 1") for v in ("None", "False")]
    assert len(set(map(fingerprint.canonical, trees))) == 2


def test_the_book_s_package_is_read_anew_each_time(tmp_path, notebook, monkeypatch):
    monkeypatch.setattr(notebook_files, "ROOT", tmp_path)
    monkeypatch.setattr(fingerprint.Package.__init__, "__defaults__", ("package",))
    before = fingerprint.take(notebook)
    (tmp_path / "package" / "floor.py").write_text("def ground(x):\n    return -x\n")
    after = fingerprint.take(notebook)
    assert before["modules"]["package.floor"] != after["modules"]["package.floor"]


@pytest.mark.parametrize(
    "changed",
    [
        change(2, "# by hand", "# by heart"),
        change(2, '"""Double."""', '"""Two."""'),
        change(2, "\n\n\n", "\n\n"),
        change(4, "];", "];  # a list"),
        lambda n: n.cells.insert(0, v4.new_markdown_cell("More words.")),
        lambda n: n.cells.pop(1),
    ],
)
def test_words_in_a_notebook_do_not_count(package, notebook, changed):
    changed(notebook)
    assert fingerprint.stale(notebook, package()) == []


def test_the_bootstrap_may_hold_another_address(package, notebook):
    cell = v4.new_code_cell("REPO = 'a'", id="boot", metadata={"tags": ["bootstrap"]})
    notebook.cells.insert(0, cell)
    assert fingerprint.stale(notebook, package()) == []


def test_a_pin_that_changes_is_named(package, notebook, monkeypatch):
    now = fingerprint.pins() | {"numpy": "9.0"}
    monkeypatch.setattr(fingerprint, "pins", lambda: now)
    assert fingerprint.stale(notebook, package()) == ["the pin of numpy has changed"]


def test_a_pin_that_is_missing_is_told(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("torch==1\nnumpy==2\npandas>=3\nscikit-learn==4\n")
    with pytest.raises(ValueError, match="does not pin pandas"):
        fingerprint.pins(path)


def test_results_are_kept_with_the_pinned_versions_alone(monkeypatch):
    monkeypatch.setattr(fingerprint.metadata, "version", lambda name: "0.1+cpu")
    monkeypatch.setattr(fingerprint, "pins", lambda: {"torch": "0.1"})
    fingerprint.check_versions()
    monkeypatch.setattr(fingerprint, "pins", lambda: {"torch": "0.2"})
    with pytest.raises(ValueError, match=r"torch 0.1 is installed, .* has 0.2"):
        fingerprint.check_versions()


def test_all_versions_of_python_write_the_same():
    tree = fingerprint.parse("def f(x): return f'{x!r:>4}', None, 0, b'1'")
    again = copy.deepcopy(tree)
    again.body[0].type_params = []  # as newer versions have it
    assert fingerprint.canonical(tree) == fingerprint.canonical(again)
    assert fingerprint.digest(fingerprint.canonical(tree)) == "67ecccf917"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("from . import a", "relative"),
        ("import package.none", "no module package.none"),
        ("import package.wrong", r"^package.wrong is no Python: .+ \(line 2\)$"),
        ("x = (", r"^the cell is no Python: '\(' was never closed \(line 1\)$"),
    ],
)
def test_what_cannot_be_followed_is_told(package, tmp_path, source, told):
    (tmp_path / "package" / "wrong.py").write_text("x = 1\nx = (\n")
    with pytest.raises(ValueError, match=told):
        package().closure([fingerprint.parse(source)])
