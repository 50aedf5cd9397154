"""What sync writes: the package's own text, the bootstrap cell, the Colab badge."""

import json
import textwrap
from pathlib import Path
from types import SimpleNamespace

import IPython.core.inputtransformer2
import pytest
from nbformat import v4

from tools.workshop import notebook_files, sync

PUBLISHED = sync.Repository("https://github.com/owner/name", "main")
UNPUBLISHED = sync.Repository("", "main")
PACKAGE = '''\
import functools
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A point."""

    x: int = 0

    def double(self):
        # twice
        return 2 * self.x


@functools.lru_cache(maxsize=None)
def cached(x):
    return x


constant = 3
'''
CLASS, FUNCTION = (
    part.strip("\n")
    for part in PACKAGE.removesuffix("\n\nconstant = 3\n").split("\n\n\n")[1:3]
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make a module of the given name importable."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name):
        (tmp_path / f"{name}.py").write_text(PACKAGE, encoding="utf-8")
        return name

    return write


@pytest.fixture
def notebook(tmp_path, package):
    """Write a notebook with a stale source cell and a bootstrap cell in order."""
    module = package("synced_package")
    cells = [
        v4.new_code_cell(
            sync.bootstrap_text(sync.repository()), metadata={"tags": ["bootstrap"]}
        ),
        v4.new_code_cell(
            "class Point: ...",
            id="old",
            execution_count=2,
            metadata={"tags": [f"source={module}.Point"]},
            outputs=[v4.new_output("execute_result", {"text/plain": "门控"})],
        ),
    ]
    path = tmp_path / "n.ipynb"
    notebook_files.save(v4.new_notebook(cells=cells), path)
    return path


def test_source_text_is_the_text_in_the_file(package):
    module = package("source_package")
    assert sync.source_text(f"{module}.Point") == CLASS
    assert sync.source_text(f"{module}.cached") == FUNCTION
    method = sync.source_text(f"{module}.Point.double")
    assert method == "def double(self):\n    # twice\n    return 2 * self.x"


@pytest.mark.parametrize(
    "name",
    ["wrong_package.constant", "wrong_package.none", "no_such_package.x", "x", "a b.c"],
)
def test_a_tag_that_names_no_source_is_an_error(package, name):
    package("wrong_package")
    with pytest.raises(ValueError, match=f"the tag source={name} must name"):
        sync.source_text(name)


def test_sync_writes_and_keeps_the_rest(notebook, capsys):
    assert sync.main([str(notebook)]) == 0
    told = capsys.readouterr().out
    assert "n.ipynb cell 1 (class Point: ...): source=synced_package.Point" in told
    assert "now run make run" in told
    cell = notebook_files.read(notebook).cells[1]
    assert cell.source == CLASS
    assert (cell.id, cell.execution_count, len(cell.outputs)) == ("old", 2, 1)
    text = notebook.read_text(encoding="utf-8")
    assert text == json.dumps(
        json.loads(text), ensure_ascii=False, indent=1, sort_keys=True
    ) + "\n"  # fmt: skip
    assert "门控" in text


def test_sync_does_nothing_twice(notebook, capsys):
    sync.main([str(notebook)])
    before = notebook.stat().st_mtime_ns, notebook.read_bytes()
    capsys.readouterr()
    assert sync.main([str(notebook)]) == 0
    assert capsys.readouterr().out == ""
    assert (notebook.stat().st_mtime_ns, notebook.read_bytes()) == before


def test_check_lists_and_changes_nothing(notebook, capsys):
    before = notebook.read_bytes()
    assert sync.main([str(notebook), "--check"]) == 1
    assert "cell 1 (class Point: ...): source=" in capsys.readouterr().out
    assert notebook.read_bytes() == before
    sync.main([str(notebook)])
    assert sync.main([str(notebook), "--check"]) == 0


def test_a_wrong_tag_is_told_with_its_notebook(notebook, capsys):
    found = notebook_files.read(notebook)
    found.cells[1].metadata.tags = ["source=math.nothing"]
    notebook_files.save(found, notebook)
    assert sync.main([str(notebook)]) == 1
    assert "n.ipynb: the tag source=math.nothing must" in capsys.readouterr().err


def run(text, monkeypatch, installed):
    """Run a bootstrap cell as IPython would; give the magic commands it used."""
    used = []
    shell = SimpleNamespace(run_line_magic=lambda *command: used.append(command))
    spec = object() if installed else None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    code = IPython.core.inputtransformer2.TransformerManager().transform_cell(text)
    exec(compile(code, "cell", "exec"), {"get_ipython": lambda: shell})
    return used


def test_bootstrap_installs_where_the_package_is_missing(monkeypatch):
    text = sync.bootstrap_text(PUBLISHED)
    assert run(text, monkeypatch, installed=True) == []
    assert run(text, monkeypatch, installed=False) == [
        ("pip", "install --quiet git+https://github.com/owner/name")
    ]


def test_bootstrap_asks_for_faiss_where_it_is_needed(monkeypatch):
    text = sync.bootstrap_text(PUBLISHED, faiss=True)
    assert run(text, monkeypatch, installed=False) == [
        (
            "pip",
            'install --quiet "recsys-tutorial[retrieval] @ '
            'git+https://github.com/owner/name"',
        )
    ]


def test_a_notebook_that_imports_the_retrieval_module_gets_the_extra(tmp_path):
    bootstrap = v4.new_code_cell("pass", metadata={"tags": ["bootstrap"]})
    for line, extra in (("retrieval", True), ("metrics", False)):
        imports = v4.new_code_cell(f"from recsys_tutorial.{line} import x")
        found = v4.new_notebook(cells=[bootstrap, imports])
        (change,) = sync.differences(found, tmp_path / "n.ipynb", PUBLISHED)
        assert ("[retrieval]" in change.text) == extra


def test_bootstrap_of_an_unpublished_book_says_so(monkeypatch):
    text = sync.bootstrap_text(UNPUBLISHED)
    assert run(text, monkeypatch, installed=True) == []
    with pytest.raises(ModuleNotFoundError) as told:
        run(text, monkeypatch, installed=False)
    zh, en = str(told.value).split(" | ")
    assert "没有写发布地址" in zh
    assert "does not say where it is published" in en
    assert all("`pip install .`" in half for half in (zh, en))


def test_badge():
    path = notebook_files.NOTEBOOKS / "multitask" / "mmoe.ipynb"
    assert sync.badge_text(PUBLISHED, path).endswith(
        "(https://colab.research.google.com/github/owner/name/blob/main/"
        "notebooks/multitask/mmoe.ipynb)"
    )
    elsewhere = sync.Repository("https://gitee.com/owner/name", "main")
    for where in (UNPUBLISHED, elsewhere):
        assert sync.badge_text(where, path).startswith("<!--")


def config(folder: Path, text: str) -> Path:
    """Write a configuration file."""
    path = folder / "_config.yml"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("title: x", UNPUBLISHED),
        ("repository:\n  url:", UNPUBLISHED),
        ('repository:\n  url: ""\n  branch: main', UNPUBLISHED),
        ("repository:\n  url: https://github.com/owner/name", PUBLISHED),
        ("repository:\n  url: https://github.com/owner/name.git/", PUBLISHED),
    ],
)
def test_the_address_is_read_from_the_configuration(tmp_path, text, expected):
    assert sync.repository(config(tmp_path, text)) == expected


@pytest.mark.parametrize("url", ["github.com/a/b", "https://x.org", "https://x/a/b c"])
def test_a_wrong_address_is_an_error(tmp_path, url):
    with pytest.raises(ValueError, match="repository: url: is"):
        sync.repository(config(tmp_path, f"repository:\n  url: {url}"))
