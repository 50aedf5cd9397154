"""Every notebook of the book keeps every rule."""

import functools

import pytest

from tools.workshop import notebook_files, notebook_rules

NOTEBOOKS = {
    path.relative_to(notebook_files.NOTEBOOKS).with_suffix("").as_posix(): path
    for path in notebook_files.find()
}
read = functools.cache(notebook_files.read)


def test_the_book_has_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        pytest.param(name, rule, id=f"{name}-{rule}")
        for name, path in NOTEBOOKS.items()
        for rule in notebook_rules.rules(path)
    ],
)
def test_notebook(name, rule):
    path = NOTEBOOKS[name]
    assert list(notebook_rules.rules(path)[rule](read(path))) == []


def test_the_bibliography_holds_what_is_cited_and_no_more():
    assert notebook_rules.check_bibliography() == []
