"""The linter finds what is misspelt or mistyped, wherever it stands, and only that."""

import gc
import warnings

import pytest
from nbformat import v4

from tools.workshop import lint, notebook_files


@pytest.fixture(scope="module", autouse=True)
def dictionary():
    """Read the dictionary once; spylls leaves its files to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        lint.dictionary()
        gc.collect()


def slips(tmp_path, name, text):
    """Lint a file; give what is wrong with it."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [
        slip
        for _, text in lint.texts(path)
        for slip in (*lint.mistyped(text), *lint.misspelt(text))
    ]


@pytest.fixture
def notebook(tmp_path):
    """Write a notebook whose cells each have a slip; give its path."""
    cells = [
        v4.new_markdown_cell("# 门控 | The gate"),
        v4.new_markdown_cell("The gate wieghs the experts, see `wieghts`."),
        v4.new_markdown_cell("门控给每个专家一个权重,总和为 1。"),
        v4.new_code_cell("%time\nwieght = 1  # the wrong wieght, but for `wieght`"),
        v4.new_code_cell("1"),
    ]
    cells[4].metadata = {"mystnb": {"image": {"alt": "两根柱 | Two barss"}}}
    path = tmp_path / "gate.ipynb"
    notebook_files.save(v4.new_notebook(cells=cells), path)
    return path


def test_the_report_names_file_cell_and_word(notebook, capsys):
    assert lint.main([str(notebook)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    place = f"{notebook_files.shown(notebook)} cell"
    assert [line.partition(" is ")[0] for line in lines if "words.txt" in line] == [
        f"{place} 1 (The gate wieghs the experts, see `wiegh…): wieghs",
        f"{place} 3 (%time): wieght",
        f"{place} 4 (1): barss",
    ]
    (typed,) = (line for line in lines if "AutoCorrect" in line)
    assert typed.startswith(f"{place} 2 (")
    assert "权重,总和" in typed
    assert "权重，总和" in typed
    assert last == "1 files, 4 slips"


PAGE = """\
# 门控 | The gate

:::{zh}
门控是softmax，给专家[加权](softmax-addrress.md)；`w`权重。
:::
:::{en}
A gate wieghs 中文 experts, in any case.
:::

| 中文 | English |
|---|---|
| 塔 | a towr |
"""


def test_a_page_is_read_in_both_languages_and_in_its_tables(tmp_path):
    typed, *spelt = slips(tmp_path, "page.md", PAGE)
    assert "'门控是softmax，" in typed
    assert "'门控是 softmax，" in typed
    assert [slip.split()[0] for slip in spelt] == ["wieghs", "towr"]


@pytest.mark.parametrize(
    "text", ["专家`w`", "专家 `w`得分", "`w`与 $x$", "[分1](a.md)的"]
)
def test_the_space_beside_code_formulas_and_links_counts(tmp_path, text):
    assert len(slips(tmp_path, "page.md", text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`teh` and $teh_{teh}$, teh_teh, teh1 and teh.teh",
        "$$\nteh \\tag{1}\n$$",
        "```python\nteh = 1 # 中文,teh\n```",
        "[the paper](https://example.org/teh) <https://example.org/teh>",
        "把 `x,y` 与 $a,b$ 相加，输给 0.8，赢 0.1：1.5 分。",
        "Switch to 中文, English or 双语 (both).",
        "Kang, McAuley's SASRec, AUCs, a neighbour’s colour",
    ],
)
def test_code_formulas_addresses_and_names_are_left_alone(tmp_path, text):
    assert slips(tmp_path, "page.md", text) == []


SOURCE = '''\
"""Teh module."""


def normalize(teh):
    """Give ``teh`` and `teh`, in $teh$ of https://example.org/teh.

    Parameters
    ----------
    teh : Tehnsor
        The tensr.
    """
    return "teh"  # the vlue
'''


def test_of_python_docstrings_and_comments_are_read(tmp_path):
    found = [slip.split()[0] for slip in slips(tmp_path, "module.py", SOURCE)]
    assert sorted(found) == ["Teh", "tensr", "vlue"]


def test_american_spellings_are_not_the_books(tmp_path):
    assert len(slips(tmp_path, "page.md", "a neighbor learned")) == 2
    assert slips(tmp_path, "page.md", "User Behavior Modeling, a title") == []


def test_the_words_are_sorted_and_each_is_needed():
    words = lint.WORDS.read_text(encoding="utf-8").split()
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))
    forbidden = {word[1:] for word in words if word.startswith("*")}
    assert all(lint.dictionary().lookup(word) for word in forbidden)
    assert not any(lint.dictionary().lookup(w) for w in words if w[0] != "*")


def test_the_book_has_no_slips(capsys):
    assert lint.main([]) == 0, capsys.readouterr().out
