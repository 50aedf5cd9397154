"""The committed results came out of the code that stands beside them."""

import ast
import copy
import re
import sys

import pytest
from nbformat import NotebookNode, v4

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
    assert list(kept["data"]) == [
        "checksums in package.data.films",
        "package/table.csv",
    ]
    assert [line.split()[0] for line in kept["cells"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert list(kept["versions"]) == list(fingerprint.LIBRARIES)


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
        ("table.csv", "2", "3", ["package/table.csv has changed"]),
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


@pytest.mark.parametrize("old", ['__version__ = "1"', '__version__: str = "1"'])
def test_a_new_release_changes_no_result(package, notebook, tmp_path, old):
    path = tmp_path / "package" / "__init__.py"
    for text in (old, old.replace("1", "2")):
        path.write_text(f'"""A package."""\n\n{text}\n')
        assert fingerprint.stale(notebook, package()) == []
    path.write_text(f"{old}\nVERSION = 1\n")
    assert fingerprint.stale(notebook, package()) == ["package has changed"]


def test_the_colour_of_one_more_model_changes_no_result(package, notebook, tmp_path):
    path = tmp_path / "package" / "__init__.py"
    for text in ('COLORS = {"one": 1}', 'COLORS = {"one": 1, "two": 2}'):
        path.write_text(f'"""A package."""\n\n{text}\n')
        assert fingerprint.stale(notebook, package()) == []
    path.write_text("COLOURS = {}\n")
    assert fingerprint.stale(notebook, package()) == ["package has changed"]


def test_a_release_in_a_cell_is_a_value(package, notebook):
    cell = notebook.cells[0]
    cell.source += "\n__version__ = 1"
    (told,) = fingerprint.stale(notebook, package())
    assert told.endswith("has changed")


LEFT_BEHIND = (
    *("table.py.orig", "table.pyi", "table.pyc", "table.py~", "table.py.save"),
    *("table.csv.orig", "table.csv~", "table.csv.bak", "table.cpython-311.so"),
)


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_is_left_beside_a_module_does_not_count(package, notebook, tmp_path, name):
    (tmp_path / "package" / name).write_text("x")
    assert fingerprint.stale(notebook, package()) == []


@pytest.mark.parametrize("name", ["table.d", "table.csv.d"])
def test_a_folder_beside_a_module_does_not_count(package, notebook, tmp_path, name):
    (tmp_path / "package" / name).mkdir()
    assert fingerprint.stale(notebook, package()) == []


@pytest.mark.parametrize("name", ["table.json", "table.csv.gz", "table.more.csv"])
def test_a_file_of_data_beside_a_module_counts(package, notebook, tmp_path, name):
    (tmp_path / "package" / name).write_text("x")
    told = [f"package/{name} is new"]
    assert fingerprint.stale(notebook, package()) == told


def test_files_of_one_name_are_told_apart(package, notebook, tmp_path):
    for folder in ("", "data/"):
        (tmp_path / "package" / f"{folder}__init__.csv").write_text("1")
    found = fingerprint.take(notebook, package())["data"]
    assert {"package/__init__.csv", "package/data/__init__.csv"} < set(found)


# Draw, fetch, keep, spread the work: no number depends on their versions.
NO_NUMBERS = {
    *("IPython", "matplotlib", "tqdm", "pooch", "joblib", "cloudpickle", "safetensors"),
    *("matplotlib_inline", "pyarrow", "requests"),
    # services and shards, whose numbers are compared with those of plain PyTorch
    *("fastapi", "httpx", "onnx", "onnxruntime", "prometheus_client", "pydantic"),
    *("torchrec", "uvicorn"),
}
IMPORTED_AS = {"scikit-learn": "sklearn", "faiss-cpu": "faiss"}


def test_the_libraries_that_compute_are_those_whose_pins_count():
    package = fingerprint.book_package()
    files = (package.root / package.name).rglob("*.py")
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    for path in notebook_files.find():
        cells = notebook_files.read(path).cells
        trees += [fingerprint.parse(c.source) for c in cells if c.cell_type == "code"]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {
        a.name for node in nodes if isinstance(node, ast.Import) for a in node.names
    }
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    found = {name.partition(".")[0] for name in names}
    counted = {IMPORTED_AS.get(name, name) for name in fingerprint.LIBRARIES}
    assert found - sys.stdlib_module_names - NO_NUMBERS == {*counted, package.name}


def change(number, old, new):
    """Give the function that changes the text of one cell."""

    def changed(notebook):
        cell = next(c for c in notebook.cells if c.id == f"c{number}")
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return changed


def with_id(name, cell):
    """Give a cell an id that no editor gives; None for none at all, as of old."""
    del cell["id"]
    return cell if name is None else NotebookNode(cell | {"id": name})


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
        (
            lambda n: n.cells.insert(1, v4.new_code_cell("1", id="c0")),
            r"^cell 1 \(1\) has the id of another cell, c0; its",
        ),
        (
            lambda n: n.cells.insert(0, v4.new_code_cell("1", id="c0")),
            r"^cell 0 \(1\) has changed; cell 1 \(.+\) has the id of another cell",
        ),
        (
            lambda n: n.cells.insert(1, with_id("c 0", v4.new_code_cell("1"))),
            r"^cell 1 \(1\) is new; its",
        ),
        (
            lambda n: n.cells.insert(1, with_id(None, v4.new_code_cell("1"))),
            r"^cell 1 \(1\) is new; its",
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
    pins = [f"{name}==1" for name in fingerprint.LIBRARIES if name != "pandas"]
    path.write_text("\n".join([*pins, "pandas>=3"]))
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
