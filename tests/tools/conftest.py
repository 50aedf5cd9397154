"""A small but complete chapter that keeps every rule, and a browser."""

import os

import pytest
from nbformat import v4

from tests import browsing
from tools.workshop import execute, notebook_files, sync

address, chromium = browsing.address, browsing.chromium

PACKAGE = '''\
"""What the sample chapter shows."""

import math


def softmax(scores):
    """Turn scores into weights that sum to one."""
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]
'''
ANSWER = """\
import math

def log_sum_exp(scores):
    \"\"\"Give the logarithm of the sum of the powers of `scores`, a list.\"\"\"
    largest = max(scores)
    return largest + math.log(sum(math.exp(score - largest) for score in scores))"""
CHECK = """\
both = log_sum_exp([0.0, 0.0])
assert math.isclose(both, math.log(2)), "先加再取对数 | first add, then take the log"
assert log_sum_exp([900.0]) == 900, "先减去最大值 | subtract the largest first"
"全部通过 | all checks passed\""""
PAPER = "https://doi.org/10.1145/3219819.3220007"
CLAIMS = """\
from IPython.display import display

kind = "application/vnd.recsys-tutorial.claims+json"
display({kind: [{"paper": "weights sum to 1"}], "text/plain": "1 claim"}, raw=True)"""
PLOT = """\
%config InlineBackend.figure_formats = ["svg", "retina"]
import matplotlib.pyplot as plt

plt.bar(["first", "second"], softmax([0.0, 0.0]))
plt.ylabel("weight");"""
LIVE = """\
from recsys_tutorial import live, plots

figure, axes = plots.canvas()
axes.bar(["first", "second"], [0.5, 0.5])
live.show("mmoe", figure, {"gates": [0.5, 0.5]})"""
FIGURE = {"mystnb": {"image": {"alt": "两根等高的柱 | Two bars of the same height"}}}
FOLD = "\n\n<details><summary>{}</summary>\n\n{}\n\n</details>"


def _cells():
    """Yield name, tags, text (code where it is a tuple) and metadata of each cell."""
    yield "title", "", "# 示例章 | Sample chapter"
    yield "badge", "colab-badge remove-cell", ""
    yield (
        "hook-zh",
        "lang-zh",
        f"这一章只有一个门控，用来检验规则。论文见 [MMoE]({PAPER})（Ma 等，2018）。",
    )
    yield (
        "hook-en",
        "lang-en",
        "This chapter has one gate, and is there to test the rules. The paper is "
        f"[MMoE]({PAPER}) (Ma et al., 2018).",
    )
    yield "bootstrap", "bootstrap hide-cell", ("",)
    yield "gate", "", "## 门控 | The gate"
    yield "equation", "", "$$\ng(x)_i = e^{x_i} / \\sum_j e^{x_j} \\tag{1}\n$$"
    yield (
        "list-zh",
        "lang-zh",
        "门控把 2 个分数 $x_i$ 变成**权重**，总和为 1：\n\n"
        "- `softmax` 取指数；\n- 再除以总和。",
    )
    yield (
        "list-en",
        "lang-en",
        "The gate turns 2 scores $x_i$ into **weights** that sum to 1:\n\n"
        "- `softmax` takes powers;\n- then it divides by their sum.",
    )
    yield "table", "", "| | $x_1$ | $x_2$ |\n|---|---|---|\n| `scores` | 0 | 0 |"
    yield "import", "", ("import math",)
    yield "source", "source=sample_package.softmax", ("",)
    yield "exact", "nbval-check-output", ("softmax([0.0, 0.0])",)
    yield "figure", "hide-input", (PLOT, FIGURE)
    yield "caption-zh", "lang-zh", "**图 1** 分数相等时，每个权重都是 50%。"
    yield "caption-en", "lang-en", "**Figure 1** Equal scores give weights of 50%."
    yield "live", "hide-input", (LIVE, FIGURE)
    yield "live-zh", "lang-zh", "**互动图**：分数相等时的样子。"
    yield "live-en", "lang-en", "**Live figure** As it is for equal scores."
    yield "paper", "", "## 论文与本章 | The paper and this chapter"
    yield "claims", "", (CLAIMS,)
    yield "after", "", "## 后来 | What came after"
    yield "after-zh", "lang-zh", f"[MMoE]({PAPER}) 至今仍在用。"
    yield "after-en", "lang-en", f"[MMoE]({PAPER}) is still in use."
    yield "summary", "", "## 小结 | Summary"
    yield "summary-zh", "lang-zh", "权重由分数决定。"
    yield "summary-en", "lang-en", "The scores decide on the weights."
    yield "exercises", "", "## 练习 | Exercises"
    for n in (1, 2, 3):
        yield f"exercise-{n}", "", f"### 练习 {n}：平移 | Exercise {n}: a shift"
        yield (
            f"exercise-{n}-zh",
            "lang-zh",
            f"分数都加 {n}，权重会变吗？" + FOLD.format("提示", "约分。"),
        )
        yield (
            f"exercise-{n}-en",
            "lang-en",
            f"Add {n} to all scores. Do the weights change?"
            + FOLD.format("Hint", "Cancel."),
        )
        yield f"solution-{n}", "solution hide-cell", (f"softmax([{n}.0, {n}.0])",)
    yield "exercise-4", "", "### 练习 4：自检 | Exercise 4: check yourself"
    yield (
        "exercise-4-zh",
        "lang-zh",
        "写 `log_sum_exp`。" + FOLD.format("提示", "先减。"),
    )
    yield (
        "exercise-4-en",
        "lang-en",
        "Write `log_sum_exp`." + FOLD.format("Hint", "Subtract first."),
    )
    yield "answer-4", "solution answer hide-cell", (ANSWER,)
    yield "check-4", "check nbval-check-output", (CHECK,)
    yield "references", "", "## 参考 | References"
    yield "entries", "", f"- Ma, J. et al. (2018). [Task relationships]({PAPER}). KDD."


@pytest.fixture(scope="session")
def sample_path(tmp_path_factory):
    """Give the path of the sample chapter, written, synced and executed."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "sample_package.py").write_text(PACKAGE, encoding="utf-8")
    path = folder / "multitask" / "sample.ipynb"
    path.parent.mkdir()
    notebook = v4.new_notebook()
    for name, tags, content in _cells():
        if isinstance(content, tuple):
            cell = v4.new_code_cell(content[0], metadata=dict(*content[1:]))
        else:
            cell = v4.new_markdown_cell(content)
        cell.id = name
        if tags:
            cell.metadata.tags = tags.split()
        notebook.cells.append(cell)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{notebook_files.ROOT}")
        for index, _, text in sync.differences(notebook, path, sync.repository()):
            notebook.cells[index].source = text
        notebook_files.save(notebook, path)
        execute.execute(path, set())
    return path


@pytest.fixture
def sample(sample_path):
    """Give the sample chapter, to be broken at will."""
    return notebook_files.read(sample_path)


@pytest.fixture
def tiny(tmp_path):
    """Write a notebook of code cells, and give its path."""

    def write(name, *sources):
        cells = [
            v4.new_code_cell(source, id=f"cell-{number}")
            for number, source in enumerate(sources)
        ]
        path = tmp_path / name
        notebook_files.save(v4.new_notebook(cells=cells), path)
        return path

    return write
