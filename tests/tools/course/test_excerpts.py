"""What of texts, programs and tables goes on a slide, and where they are cut."""

import ast

import pytest

from tools.course import excerpts, slide_tables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一句。两句！三句？", ["一句。", "两句！", "三句？"]),
        ("他说：“好。”然后走了。", ["他说：“好。”", "然后走了。"]),
        ("One. Two! And three?", ["One.", "Two!", "And three?"]),
        (
            "Ma et al. 2018 say so. See Eq. (3).",
            ["Ma et al. 2018 say so.", "See Eq. (3)."],
        ),
        ("**Bold.** Then $f. A$ and `a. B`.", ["**Bold.**", "Then $f. A$ and `a. B`."]),
        ("About 0.5 of it", ["About 0.5 of it"]),
    ],
)
def test_sentences(text, expected):
    assert excerpts.sentences(text) == expected


def test_the_lead_is_the_sentence_with_bold_or_the_first():
    bold = "这一句里有**重点**，长得可以独自站住，不必再带上一句。"
    assert excerpts.lead(f"先说这个。{bold}完。") == bold
    first = "The first sentence is long enough to stand on a slide alone."
    assert excerpts.lead(f"{first} The second.") == first


def test_a_lead_that_is_a_mere_name_takes_the_next_sentence_along():
    assert (
        excerpts.lead("**错误一**。门控看错了输入。") == "**错误一**。门控看错了输入。"
    )
    assert excerpts.lead("**One.** No mask.") == "**One.** No mask."


PROGRAM = '''\
class Gate(nn.Module):
    """A gate."""

    def __init__(self, width):
        """Make it."""
        super().__init__()
        self.linear = nn.Linear(
            width,
            8,
        )

    def forward(self, x):
        """Weights that sum to one."""
        return self.linear(x).softmax(-1)
'''


def test_docstrings_go_and_nothing_else_does():
    found = excerpts.without_docstrings(PROGRAM)
    assert '"""' not in found
    assert found.splitlines()[:2] == [
        "class Gate(nn.Module):",
        "    def __init__(self, width):",
    ]
    kept = [line for line in PROGRAM.splitlines() if line and '"""' not in line]
    assert [line for line in found.splitlines() if line] == kept
    ast.parse(found)


def test_a_function_that_is_all_docstring_keeps_it():
    source = 'def f():\n    """Do nothing."""'
    assert excerpts.without_docstrings(source) == source


@pytest.mark.parametrize("limit", [3, 5, 8, 11])
def test_a_program_is_cut_without_loss(limit):
    source = excerpts.without_docstrings(PROGRAM)
    found = excerpts.pieces(source, limit)
    assert max(len(piece.splitlines()) for piece in found) <= limit
    lines = [line for piece in found for line in piece.splitlines() if line]
    assert lines == [line for line in source.splitlines() if line]


def test_a_program_is_cut_before_a_method():
    found = excerpts.pieces(excerpts.without_docstrings(PROGRAM), 9)
    assert [piece.split("(")[0].strip() for piece in found] == [
        "class Gate",
        "def forward",
    ]


def test_imports_alone_are_told_from_a_program():
    assert excerpts.only_imports("import torch\ntorch.set_num_threads(1)")
    assert not excerpts.only_imports("import torch\nx = torch.ones(1)")
    assert not excerpts.only_imports("print(1)")


def frame(rows):
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        "<table><thead><tr><th>seed</th><th>loss</th></tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def test_a_long_table_is_cut_each_part_with_the_head():
    rows = [f"<th>{i}</th><td>{i / 7:.3f}</td>" for i in range(40)]
    found = slide_tables.cut(frame(rows), width=1150, room=500, claims=False)
    assert len(found) > 1
    assert all("<th>loss</th>" in part for part, _, _ in found)
    assert all(height <= 500 + 20 for _, _, height in found)
    shown = "".join(part for part, _, _ in found)
    assert all(shown.count(row) == 1 for row in rows)


def test_a_cell_that_spans_rows_is_there_in_each_part():
    rows = ['<th rowspan="30">p = 0</th><td>0</td>']
    rows += [f"<td>{i}</td>" for i in range(1, 30)]
    found = slide_tables.cut(frame(rows), width=1150, room=400, claims=False)
    assert len(found) > 1
    assert all(part.count("p = 0") == 1 for part, _, _ in found)


def test_a_wide_table_gets_smaller_letters():
    cells = "".join(f"<td>{'x' * 12}</td>" for _ in range(8))
    (_, narrow, _), *_ = slide_tables.cut(frame(["<td>1</td>"]), 1150, 500, False)
    (_, wide, _), *_ = slide_tables.cut(
        f"<table><thead><tr>{cells}</tr></thead><tbody><tr>{cells}</tr></tbody></table>",
        1150,
        500,
        False,
    )
    assert slide_tables.SIZES[0] <= wide < narrow == slide_tables.SIZES[1]
