"""The live figure of a new chapter: script, twin and cells, all to be replaced.

`new_chapter` lays them out. The placeholder works: it gives a film's score by the sum
of a history, with a handle for the number of steps that count.
"""

SCRIPT = """\
// {placeholder}: what moves, and what answers.
"use strict";

recsysLive.figure("{name}", (() => {{
  const {{ math }} = recsysLive;

  const compute = (data, {{ steps }}) => {{
    const user = math.plus(...data.history.slice(-steps));
    return {{ scores: math.times(data.candidates, user) }};
  }};

  return {{
    question: {{ zh: "一个问题？", en: "One question?" }},
    predict: {{ zh: "把手往右，会怎样？", en: "what will happen to the right?" }},
    source: {{ zh: "由……在网页里现算。", en: "Computed in this page by ..." }},
    handles: (data) => [
      {{
        name: "steps", kind: "range", min: 1, max: data.history.length,
        label: {{ zh: "步数", en: "Steps" }},
      }},
    ],
    states: [
      {{ label: {{ zh: "全部", en: "all" }}, state: {{ steps: 4 }} }},
      {{ label: {{ zh: "一半", en: "half" }}, state: {{ steps: 2 }} }},
      {{ label: {{ zh: "最后一步", en: "the last" }}, state: {{ steps: 1 }} }},
    ],
    compute,
    draw: ({{ scores }}, state, kit, data) => kit.bars(
      scores.map((value, i) => ({{ label: data.words.titles[i], value }})),
      {{ low: -3, high: 3 }},
    ),
    say: ({{ scores }}, {{ steps }}, kit, data) => {{
      const best = data.words.titles[math.order(scores)[0]];
      return {{
        zh: `最后 ${{steps}} 步，第一名是 ${{best}}。`,
        en: `Last ${{steps}}: ${{best}} comes first.`,
      }};
    }},
  }};
}})());
"""

TWIN = '''\
"""{placeholder}: the same scores by the package."""

SPAN = {{"scores": 6}}
ORDER = set()
BREAKS = {{
    "one step too few": ("slice(-steps)", "slice(1 - steps)"),
    "the first steps count": ("slice(-steps)", "slice(0, steps)"),
    "all scores are doubled": (", user)", ", math.scale(user, 2))"),
}}  # fmt: skip


def states(draw, kept):
    while True:
        yield {{"steps": draw.randint(1, 4)}}


def answer(numbers, words, state):
    user = numbers["history"][-state["steps"] :].sum(0)
    return {{"scores": numbers["candidates"] @ user}}
'''

HEADING = "### 动手试试 | Try it"
TEXT = (
    "一个问题，一个把手：读者动什么，看见什么？怎么做，见 CONTRIBUTING.md。",
    "One question and one handle: what does the reader move, what answers? "
    "CONTRIBUTING.md says how it is made.",
)
CELL = """\
history = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]])  # (L, D)
candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, -0.5]])           # (I, D)
shown = candidates @ history.sum(0)
figure, axes = plots.canvas()
axes.bar(["A", "B", "C"], shown.tolist())
live.show("{name}", figure, {{"scores": shown}},
          {{"history": history, "candidates": candidates}},
          {{"titles": ["A", "B", "C"]}})"""
IMPORTS = """\
import torch

from recsys_tutorial import live, plots

plots.use_book_style()"""
ALT = "打开时的样子。 | As it is when it opens."
CAPTION = (
    "**互动图**：打开时说明什么。",
    "**Live figure** What it says when it opens.",
)
