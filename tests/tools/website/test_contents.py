"""What the book consists of fits together; what does not is told in a sentence."""

import pytest
from nbformat import v4

from tools.website import contents
from tools.workshop import notebook_files

TOC = """\
root: book/index
parts:
  - caption: 多任务 | Tasks
    chapters:
      - file: notebooks/multitask/ple
      - file: book/how-to-read
"""
PAPERS = (
    "notebook\tname\tyear\tzh\ten\tafter\tpapers\nmultitask/ple\tPLE\t2020\t\t\t\t\n"
)
FILES = {
    "_toc.yml": TOC,
    "README.md": "[PLE](notebooks/multitask/ple.ipynb)",
    "book/papers.tsv": PAPERS,
    "book/index.md": "[读](how-to-read.md#a), [x](https://x.org/no.md)",
    "book/how-to-read.md": "# 读 | Read",
    "recsys_tutorial/models/ple.py": "",
    "recsys_tutorial/models/__init__.py": "",
    "tests/models/test_ple.py": "",
    "tests/mutants/models/ple.toml": "",
    "tests/tools/workshop/wrong_answers/ple.py": "",
}


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Write a book of one chapter in which all fits together; give its folder."""
    monkeypatch.setattr(contents, "ROOT", tmp_path)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    write(tmp_path / "notebooks/multitask/ple.ipynb")
    return tmp_path


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        v4.new_markdown_cell("[读](../../book/how-to-read.md)"),
        v4.new_code_cell("x", metadata={"tags": ["answer"]}),
    ]
    notebook_files.save(v4.new_notebook(cells=cells), path)


def swap(name, old, new):
    """Break the book: change the text of a file."""

    def breaker(book):
        text = (book / name).read_text(encoding="utf-8")
        assert old in text
        (book / name).write_text(text.replace(old, new), encoding="utf-8")

    return breaker


def remove(name):
    """Break the book: remove a file."""
    return lambda book: (book / name).unlink()


def test_a_book_that_fits_together(book, capsys):
    assert contents.main() == 0
    assert capsys.readouterr().out == ""


def test_the_book_fits_together():
    assert list(contents.misfits()) == []


@pytest.mark.parametrize(
    ("breaker", "told"),
    [
        (
            lambda book: write(book / "notebooks/Untitled.ipynb"),
            "notebooks/Untitled.ipynb is not in _toc.yml",
        ),
        (
            lambda book: write(book / "notebooks/multitask/cgc.ipynb"),
            "notebooks/multitask/cgc has no line in book/papers.tsv",
        ),
        (
            remove("notebooks/multitask/ple.ipynb"),
            "_toc.yml lists notebooks/multitask/ple, which is not there: put",
        ),
        (
            remove("notebooks/multitask/ple.ipynb"),
            "notebooks/multitask/ple.ipynb is not there: mend the links to it in",
        ),
        (remove("book/how-to-read.md"), "_toc.yml lists book/how-to-read, which is"),
        (
            remove("book/how-to-read.md"),
            "in book/index.md, notebooks/multitask/ple.ipynb",
        ),
        (
            swap("_toc.yml", "book/how-to-read", "notebooks/multitask/ple"),
            "_toc.yml lists notebooks/multitask/ple 2 times",
        ),
        (
            remove("tests/tools/workshop/wrong_answers/ple.py"),
            "three mistakes into tests/tools/workshop/wrong_answers/ple.py",
        ),
        (remove("tests/mutants/models/ple.toml"), "into tests/mutants/models/ple.toml"),
        (remove("tests/models/test_ple.py"), "no tests: write tests/models/test_ple"),
        (
            swap("recsys_tutorial/models/ple.py", "", contents.PLACEHOLDER),
            "recsys_tutorial/models/ple.py holds the placeholder",
        ),
        (
            swap("book/papers.tsv", "2020\t", "2020 "),
            "the line of multitask/ple has 6 columns, expected 7",
        ),
        (
            swap("book/papers.tsv", "2020\t\t\t\t", "2020\t\t\tsequence/no\t"),
            "multitask/ple comes after sequence/no, which has no line",
        ),
    ],
)
def test_what_does_not_fit_is_told(book, capsys, breaker, told):
    breaker(book)
    assert contents.main() == 1
    assert told in capsys.readouterr().out


def test_a_page_that_was_renamed_is_recognised(book):
    folder = book / "notebooks/multitask"
    (folder / "ple.ipynb").rename(folder / "ple2.ipynb")
    assert any("(is it now notebooks/multitask/ple2?)" in s for s in contents.misfits())
