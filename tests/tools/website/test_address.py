"""The address of the repository stands in one place, and one command writes it."""

import pytest

from tools.website import address
from tools.workshop import notebook_files, sync

URL = "https://github.com/owner/name"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """Copy what holds the address, without notebooks, to a folder of its own."""
    for name in ("_config.yml", "README.md", "CITATION.cff"):
        text = (notebook_files.ROOT / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(address, "ROOT", tmp_path)
    monkeypatch.setattr(sync, "CONFIG", tmp_path / "_config.yml")
    monkeypatch.setattr(sync.repository, "__defaults__", (tmp_path / "_config.yml",))
    monkeypatch.setattr(notebook_files, "find", lambda paths=(): [])
    address.main([""])
    return tmp_path


def texts(book):
    return {path.name: path.read_text(encoding="utf-8") for path in book.iterdir()}


def test_it_is_written_everywhere_and_taken_back(book, capsys):
    before = texts(book)
    assert "The book is not published yet" in before["README.md"]
    assert address.main([URL]) == 0
    after = texts(book)
    assert f'url: "{URL}"\n' in after["_config.yml"]
    assert f'repository-code: "{URL}"' in after["CITATION.cff"]
    assert "<https://owner.github.io/name/>" in after["README.md"]
    assert f"git clone {URL}" in after["README.md"]
    assert "not published yet" not in after["README.md"]
    assert address.main([URL]) == 0
    assert texts(book) == after
    assert address.main([""]) == 0
    assert texts(book) == before


def test_all_else_in_the_configuration_stays(book):
    before = texts(book)["_config.yml"].splitlines()
    address.main([URL])
    after = texts(book)["_config.yml"].splitlines()
    assert [x for x, y in zip(before, after, strict=True) if x != y] == ['  url: ""']


def test_a_wrong_address_changes_nothing(book, capsys):
    before = texts(book)
    assert address.main(["owner/name"]) == 1
    assert "repository: url: is 'owner/name'" in capsys.readouterr().err
    assert texts(book) == before


def test_an_address_that_is_no_text_changes_nothing(book, capsys):
    before = texts(book)
    assert address.main(["https://github.com/o/\udce4"]) == 1
    assert "repository: url: is" in capsys.readouterr().err
    assert texts(book) == before


def test_a_difference_is_told_and_not_mended(book, capsys):
    address.main([URL])
    text = texts(book)["README.md"].replace("owner", "somebody")
    (book / "README.md").write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert address.main(["--check"]) == 1
    assert capsys.readouterr().out == "README.md says something else than _config.yml\n"
    assert texts(book)["README.md"] == text


def test_elsewhere_than_on_github_there_is_a_clone_and_no_colab(book):
    address.main(["https://gitee.com/owner/name"])
    text = texts(book)["README.md"]
    assert "git clone https://gitee.com/owner/name" in text
    assert "**Colab**" not in text


def test_what_is_committed_agrees():
    assert address.main(["--check"]) == 0
