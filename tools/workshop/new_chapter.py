"""Lay out a new chapter: ``make chapter NAME=sequence/bst``.

Five files come into being: the notebook with every section a chapter has, each saying
what belongs there; the model's module, a small model that works and is to be replaced;
its test, which passes from the first minute; the script of its live figure, and the
twin that the script is compared with. What is still missing is then said by
``make check``. Nothing that exists is overwritten.
"""

import argparse
import keyword
import re
import sys
from pathlib import Path

from nbformat import v4

from tools.workshop import new_figure, notebook_files
from tools.workshop.notebook_files import CHAPTER_FOLDERS, METADATA, ROOT
from tools.workshop.sentences import Problem, say, show

TAKEN = {"F", "Inside", "ItemEmbedding", "NamedTuple", "Tensor"}  # in the module
LONGEST = 22  # letters of a name, for its imports to fit on a line
SECTIONS = [  # heading, then what belongs there, in both languages
    (
        "先看结果 | A first look",
        "哪篇论文、作者、会议、链接，用什么数据，要跑多久。然后放上本章要讲明白的那一张图。",
        "Which paper, by whom, where, with a link; which data; how long it runs. Then "
        "the one picture that this chapter will earn.",
    ),
    (
        "问题 | The problem",
        "这篇论文之前，线上出了什么毛病？举一个能口算的小例子。",
        "What went wrong in production before this paper? A toy case whose numbers are "
        "small enough to do in the head.",
    ),
    (
        "记号 | Notation",
        "符号、形状、代码里的名字，列成一张表。",
        "A table of symbols, shapes, and names in the code.",
    ),
    (
        "推导 | Derivation",
        "沿用论文的顺序和公式编号。每个公式之后，马上用手算得出的数字验一遍；"
        "说清每一项为什么在那里，去掉会怎样。",
        "In the paper's order, with its equation numbers. After each equation a cell "
        "that evaluates it on numbers a reader can check by hand; why each term is "
        "there, and what breaks without it.",
    ),
    (
        "模型 | The model",
        "程序包里的类，一字不差；再验证它与上面的手算一致。",
        "The package's class, word for word; then a check that it equals the "
        "derivation by hand.",
    ),
    (
        "数据 | Data",
        "训练之前，先看几行数据。",
        "Look at the rows before training on them.",
    ),
    (
        "训练 | Training",
        "论文的基线和本章的模型预算相同，学习率都在验证集上选；至少三个种子，"
        "给出均值和区间。",
        "The paper's baseline and the model, on the same budget, their rates chosen on "
        "validation data; at least three seeds, means with intervals.",
    ),
    (
        "看见 | Looking inside",
        "门控、注意力、记忆：一张图只讲一件事，图注说清该看哪里。",
        "Gates, attention, memory: one claim per figure, and a caption that says what "
        "to see.",
    ),
    (
        "一个旋钮 | One knob",
        "论文里最说明问题的那个消融实验，画成曲线。",
        "The paper's most telling ablation, as a curve.",
    ),
    (
        "论文与本章 | The paper and this chapter",
        "用 `claims` 逐条对照，量的是什么，两种语言都写明；再写我们与论文不同之处、"
        "官方代码与论文不同之处，以及常见的错误，每个错误用一行结果说明后果。",
        "Claim by claim, from `claims`, with what was measured in both languages; then "
        "where we depart from the paper, where its code does, and common mistakes, "
        "each with a line that shows the consequence.",
    ),
    (
        "后来 | What came after",
        "半页：站得住的批评、如今在用的后继、现在的做法，每条都有查证过的出处。",
        "Half a page: the criticism that held, the successors in use today, what "
        "practice does now, each with a checked citation.",
    ),
    (
        "小结 | Summary",
        "三五条，读者一周后还讲得出来。",
        "Three to five lines that a reader can still explain a week later.",
    ),
]
EXERCISES = [
    ("纸笔题。", "One on paper."),
    ("改一处代码。", "One that changes the code."),
    ("故意弄坏模型，看后果。", "One that breaks the model on purpose."),
]
CHECKED = ("一道自检题：下面的单元格会检查。", "A function that the cell below checks.")
HINT = "\n\n<details><summary>{}</summary>\n\n…\n\n</details>"

ANSWER = '''\
import torch

def weighted_sum(weights, history):
    """Give sum_j w_j e_j: weights (B, L) and history (B, L, D) to (B, D)."""
    return torch.einsum("bl,bld->bd", weights, history)'''
CHECK = """\
found = weighted_sum(torch.tensor([[1.0, 2.0]]), torch.eye(2)[None])
assert found.shape == (1, 2), "形状应为 (B, D) | the shape should be (B, D)"
assert found.tolist() == [[1.0, 2.0]], "权重乘错了步 | a weight met the wrong step"
"全部通过 | all checks passed\""""

IMPORTS = """\
import torch.nn.functional as F
from torch import nn

from recsys_tutorial.layers import check_labels
{own}"""  # all that the model's source needs

PLACEHOLDER = "A placeholder that works"  # make check asks for it to be replaced
MODULE = '''\
"""`{title}`: the idea in one line.

Authors, "Title", venue, year. Dimension letters: ``B`` batch, ``L`` history length,
``D`` width of an item's embedding.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from recsys_tutorial.layers import check_labels
from recsys_tutorial.models.din import ItemEmbedding, check_batch


class Inside(NamedTuple):
    """What `explain` returns."""

    user: Tensor  # (B, D)
    candidate: Tensor  # (B, D)


class {title}(nn.Module):
    """{placeholder}: the sum of the history, times the candidate.

    A batch is that of `BaseModel`.

    Parameters
    ----------
    items : ItemEmbedding
        The table of items.
    """

    def __init__(self, items: ItemEmbedding):
        super().__init__()
        self.items = items

    def explain(self, batch):
        table = self.items()  # (I, D)
        check_batch(batch, len(table))
        user = F.embedding(batch["history"], table).sum(1)  # (B, D)
        return Inside(user, F.embedding(batch["candidate"], table))

    def forward(self, batch):
        inside = self.explain(batch)
        return (inside.user * inside.candidate).sum(1)  # (B,)

    def loss(self, batch):
        logits = self(batch)
        label = check_labels("label", batch["label"], logits.shape)
        return F.binary_cross_entropy_with_logits(logits, label)
'''

TEST = """\
import pytest
import torch

{own}
from recsys_tutorial.train import fit

ITEMS, L, D = 13, 5, 6


def build():
    torch.manual_seed(0)
    return {title}(ItemEmbedding(ITEMS, D))


def batch(rows=8):
    g = torch.Generator().manual_seed(0)
    long = torch.randint(1, L + 1, (rows, 1), generator=g)
    history = torch.randint(1, ITEMS, (rows, L), generator=g) * (torch.arange(L) < long)
    return {{
        "history": history,
        "candidate": torch.randint(1, ITEMS, (rows,), generator=g),
        "label": torch.arange(rows).remainder(2).float(),
    }}


def test_padding_changes_nothing():
    b, model = batch(), build()
    longer = torch.cat([b["history"], torch.zeros(8, 3, dtype=torch.int64)], 1)
    torch.testing.assert_close(model(b | {{"history": longer}}), model(b))


def test_a_batch_of_one():
    b, model = batch(), build()
    one = {{name: values[:1] for name, values in b.items()}}
    torch.testing.assert_close(model(one), model(b)[:1])


def test_every_parameter_gets_a_gradient():
    model = build()
    model.loss(batch()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_eight_samples_can_be_learnt_by_heart():
    history = fit(build(), batch(), epochs=300, lr=0.05, progress=False)
    assert history["loss"].iloc[-1] < 0.05


def test_an_unknown_item():
    with pytest.raises(IndexError, match="candidate holds ids from"):
        build()(batch() | {{"candidate": torch.full((8,), ITEMS)}})
"""


def placeholders() -> set[str]:
    """Give the texts that `make check` asks to be replaced."""
    texts = [text for _, *both in SECTIONS for text in both]
    texts += [*new_figure.TEXT, *new_figure.CAPTION]
    for zh, en in [*EXERCISES, CHECKED]:
        texts += [zh + HINT.format("提示"), en + HINT.format("Hint")]
    return set(texts)


def both_imports(name: str, own: str, of_din: str) -> str:
    """Import from the chapter's module and from that of DIN, in ruff's order."""
    names = {name: own, "din": of_din}
    return "\n".join(
        f"from recsys_tutorial.models.{module} import {names[module]}"
        for module in sorted(names)
    )


def notebook(name: str, title: str):
    """The notebook's cells: headings, and what belongs below them."""

    def markdown(source, *tags):
        return v4.new_markdown_cell(
            source, metadata={"tags": list(tags)} if tags else {}
        )

    def code(source, *tags):
        return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})

    cells = [
        markdown(f"# {title}：一句话说清 | {title}: its idea in one line"),
        markdown("", "colab-badge", "remove-cell"),
        code("", "bootstrap", "hide-cell"),
    ]
    for heading, zh, en in SECTIONS:
        cells += [markdown(f"## {heading}"), markdown(zh, "lang-zh")]
        cells += [markdown(en, "lang-en")]
        if heading.startswith("先看结果"):
            drawn = code(new_figure.CELL.format(name=name), "hide-input")
            drawn.metadata["mystnb"] = {"image": {"alt": new_figure.ALT}}
            cells += [
                markdown(new_figure.HEADING),
                markdown(new_figure.TEXT[0], "lang-zh"),
                markdown(new_figure.TEXT[1], "lang-en"),
                code(new_figure.IMPORTS),
                drawn,
                markdown(new_figure.CAPTION[0], "lang-zh"),
                markdown(new_figure.CAPTION[1], "lang-en"),
            ]
        if heading.startswith("模型"):
            own = both_imports(name, f"{title}, Inside", "ItemEmbedding, check_batch")
            cells += [
                code(IMPORTS.format(own=own)),
                code("", f"source=recsys_tutorial.models.{name}.{title}"),
            ]
    cells += [markdown("## 练习 | Exercises")]
    for number, (zh, en) in enumerate(EXERCISES, start=1):
        cells += [
            markdown(f"### 练习 {number} | Exercise {number}"),
            markdown(zh + HINT.format("提示"), "lang-zh"),
            markdown(en + HINT.format("Hint"), "lang-en"),
            code("...", "solution", "hide-cell"),
        ]
    number = len(EXERCISES) + 1
    cells += [
        markdown(f"### 练习 {number} | Exercise {number}"),
        markdown(CHECKED[0] + HINT.format("提示"), "lang-zh"),
        markdown(CHECKED[1] + HINT.format("Hint"), "lang-en"),
        code(ANSWER, "solution", "answer", "hide-cell"),
        code(CHECK, "check", "nbval-check-output"),
        markdown("## 参考 | References"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03}"
    return v4.new_notebook(cells=cells, metadata=METADATA)


def lay_out(place: str, root: Path = ROOT) -> list[Path]:
    """Write the five files of a new chapter; give their paths.

    Parameters
    ----------
    place : str
        ``folder/name``: a folder of chapters, and a name fit for a module.
    root : Path
        The book's folder.

    Raises
    ------
    Problem
        If `place` is not of that form, or one of the files exists.
    """
    name, title = _names(place)
    page = root / "notebooks" / f"{place}.ipynb"
    module = root / "recsys_tutorial" / "models" / f"{name}.py"
    test = root / "tests" / "models" / f"test_{name}.py"
    script = root / "recsys_tutorial" / "live_figures" / f"{name}.js"
    twin = root / "tests" / "live" / "twins" / f"{name}.py"
    texts = {
        module: MODULE,
        test: TEST,
        script: new_figure.SCRIPT,
        twin: new_figure.TWIN,
    }
    for path in (page, *texts):
        if path.exists():
            there = path.relative_to(root).as_posix()
            raise Problem(f"已有 {there}，不覆盖。", f"{there} exists already.")
    own = both_imports(name, title, "ItemEmbedding")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = text.format(name=name, title=title, own=own, placeholder=PLACEHOLDER)
        path.write_text(text, encoding="utf-8", newline="\n")
    page.parent.mkdir(parents=True, exist_ok=True)
    notebook_files.save(notebook(name, title), page)
    return [page, *texts]


def _names(place: str) -> tuple[str, str]:
    """Give the module's name and the class's: `bst` and `BST`."""
    match = re.fullmatch(r"(\w+)/([a-z][a-z0-9_]*)", place)
    if not match or match[1] not in CHAPTER_FOLDERS:
        folders = ", ".join(CHAPTER_FOLDERS)
        raise Problem(
            f"NAME 是 {place!r}；应为 {folders} 之一、斜线和小写的名字，"
            "例如 sequence/bst。",
            f"NAME is {place!r}; expected a folder of {folders}, a slash and a name in "
            "small letters, such as sequence/bst.",
        )
    name = match[2]
    title = "".join(part.capitalize() for part in name.split("_"))
    title = title.upper() if len(name) <= 5 else title
    if keyword.iskeyword(name) or title in TAKEN:
        raise Problem(
            f"{name} 在 Python 里另有含义，请换一个名字。",
            f"{name} means something else in Python: choose another name.",
        )
    if len(name) > LONGEST:
        raise Problem(
            f"{name} 有 {len(name)} 个字母，最多 {LONGEST} 个。",
            f"{name} has {len(name)} letters, at most {LONGEST} fit.",
        )
    return name, title


def main() -> int:
    """Lay the chapter out and say what comes next; 1 if that cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("place", help="such as sequence/bst")
    place = parser.parse_args().place
    try:
        paths = lay_out(place)
    except Problem as problem:
        say(problem.zh, problem.en, sys.stderr)
        return 1
    for path in paths:
        show(notebook_files.shown(path))
    say(
        f"下一步：make sync，make run NAMES={place}；make check 会逐条说还缺什么。",
        f"Next: make sync, make run NAMES={place}; then make check says item by item "
        "what is still missing.",
        sys.stdout,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
