"""Each rule lets the sample chapter pass, and says what is wrong with a broken one."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from recsys_tutorial import claims, live
from tools.workshop import new_chapter, notebook_files, notebook_rules
from tools.workshop.rules import (
    citations,
    glossary,
    number_words,
    outputs,
    prose,
    reading,
    structure,
)

CHAPTER = Path("multitask/sample.ipynb")


def cell(notebook, name):
    """Find a cell of the sample by its id."""
    return next(cell for cell in notebook.cells if cell.id == name)


def swap(name, old, new):
    """Break a chapter: change the text of a cell."""

    def breaker(notebook):
        found = cell(notebook, name)
        assert old in found.source
        found.source = found.source.replace(old, new)

    return breaker


def add(name, text):
    """Break a chapter: add to the text of a cell."""
    return lambda notebook: cell(notebook, name).update(
        source=cell(notebook, name).source + text
    )


def displayed(formula, left, right):
    """Break a chapter: add a displayed formula to one half of a pair, or to both."""

    def breaker(notebook):
        for name, text in (("list-zh", left), ("list-en", right)):
            add(name, text and formula.format(text))(notebook)

    return breaker


def tag(name, *tags):
    """Break a chapter: tag a cell differently."""
    return lambda notebook: cell(notebook, name).metadata.update(tags=list(tags))


def drop(name):
    """Break a chapter: leave a cell out."""
    return lambda notebook: notebook.cells.remove(cell(notebook, name))


def put(name, **fields):
    """Break a chapter: set fields of a cell."""
    return lambda notebook: cell(notebook, name).update(fields)


def output(where, kind, **fields):
    """Break a chapter: give a cell another output."""
    return put(where, outputs=[v4.new_output(kind, **fields)])


def show(name, **data):
    """Break a chapter: add an output of the given types to a cell."""
    kinds = {"svg": "image/svg+xml", "png": "image/png", "text": "text/plain"}
    data = {kinds.get(key, key): value for key, value in data.items()}
    return lambda notebook: cell(notebook, name).outputs.append(
        v4.new_output("display_data", data=data)
    )


def alt(text):
    """Break a chapter: give the figure another alternative text."""
    return lambda nb: cell(nb, "figure").metadata.update(
        mystnb={"image": {"alt": text}}
    )


def never_run(notebook):
    """Break a chapter: take the outputs of all its cells away."""
    for code in (c for c in notebook.cells if c.cell_type == "code"):
        code.update(execution_count=None, outputs=[])


# rule, cell in which the problem is to be found (None: the notebook), how to break the
# sample, what the reason must say
BROKEN = [
    ("executed", "exact", put("exact", execution_count=9), "count 9, expected 4"),
    ("executed", "exact", put("exact", execution_count=None), "count None"),
    ("executed", "import", put("import", source=" \n"), "empty code cell"),
    ("executed", None, never_run, "never been executed: run make run"),
    ("full-run", "import", add("import", "\nquick_run()"), "asks for a quick run"),
    (
        "full-run",
        "import",
        add("import", "\nos.environ['RECSYS_TUTORIAL_QUICK'] = '1'"),
        "asks for a quick run",
    ),
    (
        "full-run",
        "exact",
        show("exact", **{outputs.CLAIMS: [{"verdict": "quick run"}]}),
        "no verdict, being of a quick run",
    ),
    (
        "executed",
        "exact",
        output("exact", "error", ename="ValueError", evalue="", traceback=[]),
        "an error, ValueError",
    ),
    ("code-size", "import", add("import", "# " + 88 * "x"), "line 1 is 101 characters"),
    ("code-size", "import", add("import", 25 * "\nx"), "26 lines of code, at most 25"),
    ("machine-paths", "import", add("import", "\n'/home/a/b'"), "the path /home/a/b"),
    ("machine-paths", "import", add("import", "\nf'~/data'"), "the path ~/"),
    ("machine-paths", "import", add("import", "\n'C:\\\\x'"), r"the path C:"),
    ("bootstrap", "bootstrap", tag("bootstrap", "hide-cell"), "tagged bootstrap"),
    ("bootstrap", "import", tag("import", "bootstrap"), "second bootstrap"),
    ("synced", "bootstrap", add("bootstrap", "#"), "what bootstrap stands for"),
    ("synced", "source", add("source", "#"), "what source=sample_package.softmax"),
    ("synced", "badge", add("badge", "!"), "what colab-badge stands for"),
    ("synced", None, tag("import", "source=math.nothing"), "source=math.nothing must"),
    (
        "outputs",
        "exact",
        output("exact", "stream", name="stderr", text="UserWarning: hot\nmore"),
        r"stderr \(UserWarning: hot\)",
    ),
    (
        "outputs",
        "exact",
        output("exact", "stream", name="stderr", text="Glyph 38376 missing"),
        "use English labels",
    ),
    ("outputs", "exact", show("exact", text="<A at 0x7f3a>"), "address"),
    ("outputs", "exact", show("exact", text="in /home/a/b.py"), "/home/a/b.py"),
    ("outputs", "exact", show("exact", widget="w"), "output of type widget"),
    ("exact-outputs", "exact", put("exact", outputs=[]), "there is no output"),
    ("figures", "figure", tag("figure"), "tag it hide-input"),
    ("figures", "figure", show("figure", png="aGk="), "2 images in one cell"),
    ("figures", "figure", show("figure", svg="<text>门控</text>"), "in an SVG"),
    ("figures", "figure", show("figure", svg="<svg/>"), "an SVG without a PNG"),
    ("figures", "figure", alt(""), "needs alternative text"),
    ("figures", "figure", alt("门控"), "needs alternative text"),
    ("figures", "figure", alt("gate | gate"), "needs alternative text"),
    ("figures", "figure", alt("门控 | 门控"), "English half holds Chinese"),
    ("figures", "figure", alt("门控x | gate"), "alternative text: put one space"),
    ("figures", "figure", put("figure", outputs=[]), "but no image output"),
    ("captions", "figure", swap("caption-zh", "图 1", "图 2"), r"with \*\*图 1"),
    ("captions", "figure", swap("caption-en", "ure 1", "ure 12"), r"\*\*Figure 1$"),
    ("captions", "figure", drop("caption-zh"), "the language pair after"),
    ("valid", "title", put("exact", id="title"), "the cell id title"),
    ("valid", None, lambda nb: nb.update(nbformat_minor=4), "format 4.4"),
    ("valid", None, put("exact", id="a b"), "not a valid notebook"),
    ("metadata", None, lambda nb: nb.metadata.update(widgets={}), "metadata widgets"),
    ("metadata", None, lambda nb: nb.metadata.pop("kernelspec"), "kernelspec must be"),
    (
        "metadata",
        None,
        lambda nb: nb.metadata.language_info.update(version="3"),
        "language_info must be",
    ),
    ("metadata", "exact", put("exact", metadata={"execution": {}}), "execution: only"),
    ("known-tags", "exact", tag("exact", "hide_input"), "unknown tag hide_input"),
    ("known-tags", "hook-zh", tag("hook-zh", "lang-cn"), "unknown tag lang-cn"),
    ("size", None, show("exact", text=750_000 * "x"), r"[78]\d\d KB, at most 750"),
    ("language-pairs", "hook-zh", drop("hook-en"), "lang-zh without its lang-en"),
    ("language-pairs", "hook-en", drop("hook-zh"), "lang-en without its lang-zh"),
    ("language-pairs", "entries", tag("entries", "lang-zh"), "lang-zh without"),
    ("language-pairs", "hook-zh", tag("hook-zh", "lang-zh", "lang-en"), "one tag"),
    ("language-pairs", "import", tag("import", "lang-en"), "on Markdown cells only"),
    ("language-pairs", "equation", add("equation", "\n\nHello."), "prose .*Hello"),
    ("language-pairs", "table", add("table", "\n\n- Hello."), "prose .*Hello"),
    ("language-pairs", "hook-en", add("hook-en", "\n\n## H"), "a heading in a lang"),
    ("twins", "list-zh", swap("list-en", "$x_i$", "$x_j$"), "formulas.*x_i.*x_j"),
    *[
        ("twins", "list-zh", displayed(formula, left, right), f"formulas.*{told}")
        for formula in ("\n\n$$\n{}\n$$", " $${}$$", "\n\n<details>$${}$$</details>")
        for left, right, told in [
            ("p^a < 1", "p^b < 1", r"p\^a<1.*p\^b<1"),
            ("p^a", "", r"Chinese p\^a, only in English none"),
            ("", "p^b", r"Chinese none, only in English p\^b"),
        ]
    ],
    ("twins", "list-zh", swap("list-en", "2", "3"), "numbers.*2, only in English 3"),
    ("twins", "caption-zh", swap("caption-en", "50%", "50"), "Chinese 50%,.*50$"),
    ("twins", "hook-zh", swap("hook-en", "10.1145", "10.1"), "links differ"),
    ("twins", "list-zh", swap("list-en", "`softmax`", "softmax"), "code differ"),
    ("twins", "list-zh", swap("list-en", "\n- then", " and"), "list items differ"),
    (
        "twins",
        "exercise-1-zh",
        swap("exercise-1-en", "<details>", "<span>"),
        "folds differ",
    ),
    (
        "number-words",
        "hook-zh",
        lambda nb: (
            swap("hook-zh", "一个门控", "三个门控")(nb),
            swap("hook-en", "one gate", "four gates")(nb),
        ),
        "3 in Chinese, 4 in English",
    ),
    ("chinese", "hook-zh", swap("hook-zh", "，", ","), "half-width punctuation"),
    ("chinese", "hook-zh", put("hook-zh", source="MMoE"), "no Chinese in it"),
    ("chinese", "gate", swap("gate", "门控", "门控x"), "put one space"),
    ("english", "hook-en", add("hook-en", " 门控"), "Chinese in an English cell: 门控"),
    ("english", "hook-en", swap("hook-en", ".", "。"), "Chinese in an English cell"),
    ("prose-length", "hook-zh", add("hook-zh", 200 * "字"), "at most 200"),
    ("prose-length", "hook-en", add("hook-en", 120 * " word"), "words, at most 120"),
    ("portable", "hook-en", add("hook-en", " {cite}`ma`"), "MyST role"),
    ("portable", "hook-en", add("hook-en", "\n\n:::{note}\nx\n:::"), "directive"),
    ("portable", "hook-en", add("hook-en", "\n\n```{note}\nx\n```"), "directive"),
    ("portable", "gate", add("gate", "\n\n(here)=\n"), "MyST label"),
    ("portable", "gate", add("gate", "\n\n% remark"), "comment"),
    ("portable", "hook-en", add("hook-en", " {{ x }}"), "substitution"),
    ("portable", "equation", add("equation", " (eq)"), "labelled equation"),
    ("portable", "gate", add("gate", "\n\n\\begin{align}\nx\n"), "bare LaTeX"),
    ("portable", "hook-en", add("hook-en", " x[^1]"), "footnote"),
    ("portable", "hook-en", add("hook-en", "\n$$\np\n\nq\n$$"), "not shown as a form"),
    ("portable", "hook-en", add("hook-en", "\n\n<p>$$p^a</p>"), "not shown as a form"),
    ("portable", "hook-en", add("hook-en", " [](x.md)"), "without a text"),
    ("portable", "hook-en", add("hook-en", " https://a.org"), "bare address"),
    (
        "portable",
        "list-zh",
        swap("list-zh", "权重**，", "权重，**"),
        "not shown as bold",
    ),
    ("portable", "gate", add("gate", "\n\n![](a.png)"), "no alternative text"),
    ("bilingual-headings", "gate", swap("gate", " | ", " "), "中文 | English"),
    ("bilingual-headings", "gate", swap("gate", "门控", "Gate"), "中文 | English"),
    ("bilingual-headings", "gate", swap("gate", "The", "门"), "中文 | English"),
    ("bilingual-headings", "gate", add("gate", " | x"), "中文 | English"),
    ("bilingual-headings", "gate", swap("gate", "The gate", "?!"), "no letter"),
    (
        "bilingual-headings",
        "summary",
        swap("summary", "Summary", "The gate!"),
        "#the-gate is taken",
    ),
    ("heading-levels", "gate", swap("gate", "##", "###"), "level 3 after level 1"),
    ("heading-levels", "gate", swap("gate", "##", "#"), "second title"),
    ("heading-levels", "title", swap("title", "#", "##"), "must start with the title"),
    ("heading-levels", "title", add("title", "\n\n# 二 | Two"), "second title"),
    (
        "equation-numbers",
        "table",
        add("table", "\n\n$$\nx \\tag{1}\n$$"),
        r"equation number \(1\) is taken by cell 6",
    ),
    (
        "written",
        None,
        put("hook-zh", source=new_chapter.SECTIONS[0][1]),
        "still to be written: the beginning",
    ),
    ("references", None, drop("entries"), "no references"),
    *[
        ("last-sections", None, drop(name), r"must be 论文与本章 \| .*they are")
        for name in ("paper", "after", "summary", "exercises", "references")
    ],
    (
        "last-sections",
        None,
        lambda nb: nb.cells.append(v4.new_markdown_cell("## 附录 | Appendix")),
        r"must be .*后来 \| What came after, .*they are 后来 .*, 附录 \| Appendix$",
    ),
    ("exercises", None, swap("exercise-3", "###", "####"), "3 exercises, at least 4"),
    ("exercises", "exercise-2", swap("exercise-2", "2", "5"), "练习 2 | Exercise 2"),
    ("exercises", "exercise-1", drop("exercise-1-zh"), "1 has no hint"),
    ("exercises", "exercise-3", drop("solution-3"), "3 has no code cell"),
    ("exercises", "exercise-1", tag("solution-1", "solution"), "1 has no code cell"),
    ("self-checked", None, tag("answer-4", "solution", "hide-cell"), "no exercise is"),
    ("self-checked", "answer-4", tag("check-4"), "below an answer must be tagged"),
    ("self-checked", "answer-4", tag("answer-4", "answer"), "solution and hide-cell"),
    ("self-checked", "answer-4", swap("answer-4", "def ", "class "), "one function"),
    ("self-checked", "answer-4", swap("answer-4", '"""', "# "), "needs a docstring"),
    ("self-checked", "answer-4", swap("answer-4", "scores):", "scores)"), "expected"),
    ("self-checked", "solution-3", tag("solution-3", "check"), "above a check must be"),
    ("captions", "live", swap("live-zh", "互动图", "图 2"), r"with \*\*互动图\*\*"),
    ("live-figure", None, drop("live"), "no live figure"),
    ("live-figure", "live", show("live", **{outputs.LIVE: {}}), "a second live"),
    ("claims", None, drop("claims"), "no cell ends with claims"),
    ("colab-badge", None, drop("badge"), "tagged colab-badge and remove-cell"),
    ("colab-badge", None, tag("badge", "colab-badge"), "and remove-cell"),
    (
        "glossary",
        "list-zh",
        swap("list-zh", "门控", "它"),
        "'gate'.* should say .*门控",
    ),
    ("cited", "hook-en", swap("hook-en", "10.1145", "10.1146"), "add it"),
    ("cited", "entries", add("entries", "\n- B. [x](https://x.org)."), "'B. x.'"),
]


@pytest.mark.parametrize("rule", notebook_rules.rules(CHAPTER))
def test_the_sample_chapter_keeps_the_rule(sample_path, sample, rule):
    assert list(notebook_rules.rules(sample_path)[rule](sample)) == []


@pytest.mark.parametrize(("rule", "where", "breaker", "reason"), BROKEN)
def test_a_broken_chapter_is_told_why(
    sample_path, sample, rule, where, breaker, reason
):
    breaker(sample)
    names = [cell.id for cell in sample.cells]
    index = None if where is None else names.index(where)
    problems = notebook_rules.rules(sample_path)[rule](sample)
    found = [p.reason for p in problems if p.cell == index]
    assert any(re.search(reason, text) for text in found), found


def test_outputs_are_called_as_the_package_calls_them():
    assert (outputs.CLAIMS, outputs.LIVE) == (claims.MIME, live.MIME)


def test_each_rule_can_be_broken():
    assert {rule for rule, *_ in BROKEN} == set(notebook_rules.rules(CHAPTER))


def test_only_chapters_need_the_fixed_sections():
    assert set(notebook_rules.rules(CHAPTER)) - set(
        notebook_rules.rules(Path("quickstart.ipynb"))
    ) == set(notebook_rules.CHAPTERS)


GOOD_CHINESE = [
    "DIN 的回答只有一句：让候选来决定。",
    "候选（candidate）与历史无关；其权重是 0.5，占 95%。",
    "见 [MMoE](https://doi.org/10.1/x) 一文，以及[附录](a.ipynb)。",
    "张量 `x` 的形状是 $(B, L)$，**不是** `(L, B)`！",
    "他说：“目标注意力”……真的——吗？",
    "第 1 步\n\n- 取 `x`；\n- 取 $y$、$z$",
    "MMoE (KDD 2018)",
    "范围是 0–1，比例 3:1",
]
BAD_CHINESE = [
    ("候选,历史", "half-width"),
    ("候选, 历史", "half-width"),
    ("候选: `x`", "half-width"),
    ("`x`: 候选", "half-width"),
    ("候选 (candidate)", "half-width"),
    ("**候选**:历史", "half-width"),
    ("这是候选.", "half-width"),
    ('这是"候选"', "half-width"),
    ("真的?", "half-width"),
    ("用DIN", "put one space"),
    ("DIN的", "put one space"),
    ("第2层", "put one space"),
    ("占 5%的", "put one space"),
    ("张量`x`", "put one space"),
    ("$x$是", "put one space"),
    ("参数α", "put one space"),
    ("见[MMoE](https://a.org)", "put one space"),
    ("用 DIN ，然后", "no space beside"),
    ("好， DIN", "no space beside"),
    ("候选 历史", "no space inside"),
    ("用  DIN", "one space is enough"),
    ("候选\n历史", "a line break"),
]


def slips(text):
    """Collect what is wrong with a Chinese Markdown text."""
    return [
        slip
        for block in reading.parse(text).texts()
        for slip in prose.chinese_slips(block)
    ]


@pytest.mark.parametrize("text", GOOD_CHINESE)
def test_well_typed_chinese_passes(text):
    assert slips(text) == []


@pytest.mark.parametrize(("text", "advice"), BAD_CHINESE)
def test_badly_typed_chinese_is_found(text, advice):
    assert any(slip.startswith(advice) for slip in slips(text)), slips(text)


WORDS = st.one_of(
    st.text(alphabet="候选历史门控专家", min_size=1),
    st.from_regex(
        r"[A-Za-z][A-Za-z0-9]{0,5}|[0-9]{1,4}|`[a-z]{1,5}`|\$[a-z]\$", fullmatch=True
    ),
)


@given(st.lists(WORDS, min_size=2, max_size=8))
def test_spacing_of_any_mixed_sentence(words):
    """One space between scripts is right; the same text without spaces never is."""
    scripts = ["zh" if word[0] > "\u3400" else "latin" for word in words]
    text = words[0]
    for word, script, before in zip(words[1:], scripts[1:], scripts, strict=False):
        text += ("" if script == before == "zh" else " ") + word
    assert slips(f"{text}。") == []
    if len(set(scripts)) == 2:
        assert slips(text.replace(" ", ""))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 and 0.5", ["1000", "0.5"]),
        ("95 % or ９５％", ["95%", "95%"]),
        ("64, 128 and 2018.", ["64", "128", "2018"]),
        ("$x_1$ `y2` [z](https://a.org/3) MMoE", []),
        ("三 seeds", []),
    ],
)
def test_numbers_of_a_text(text, expected):
    assert prose.numbers(reading.parse(text)) == expected


@given(st.integers(0, 10**9))
def test_a_number_is_the_same_with_and_without_separators(number):
    texts = [f"x {number} y", f"共 {number:,} 次", f"{number:,}, z"]
    assert {tuple(prose.numbers(reading.parse(text))) for text in texts} == {
        (str(number),)
    }


def test_long_exercises_and_folds_are_allowed(sample):
    cell(sample, "exercise-1-en").source = 200 * "word "
    cell(sample, "hook-en").source = 200 * "word " + "\n\n<details>\n\n</details>"
    assert list(prose.prose_length(sample)) == []


def test_a_heading_of_formulas_may_read_the_same_twice(sample):
    cell(sample, "gate").source = "## DIN | DIN"
    assert list(structure.bilingual_headings(sample)) == []


@pytest.mark.parametrize(
    "source",
    [
        "$$\n\\begin{aligned}\nx &= {{y}} \\\\\n% z\n\\end{aligned}\n$$",
        "`{x}` and `**y` and `https://z.org`",
        "<details><summary>Hint</summary>\n\n**bold**\n\n</details>",
        "> a quotation with $y{=}1$ and `code`",
        "```python\n% not a comment of MyST\n```",
    ],
)
def test_plain_markdown_is_portable(sample, source):
    cell(sample, "hook-en").source = source
    assert list(prose.portable(sample)) == []


@pytest.mark.parametrize(
    ("chinese", "english", "told"),
    [
        ("共五万行", "Sixty thousand rows", ({50_000}, {60_000})),
        ("共五万行", "Fifty thousand rows", None),
        ("三个种子", "Four seeds", ({3}, {4})),
        ("三个种子", "Three seeds", None),
        ("二十五步", "twenty-six steps", ({25}, {26})),
        ("两百五十条", "two hundred and forty rows", ({250}, {240})),
        ("两个模型都好", "Both models are good", None),
        ("三四百人", "three or four hundred users", None),
        ("两章", "The second of 2 chapters", None),
        ("结果一致，统一为第三版", "Four agree", None),
        ("只差千分之几", "Five lie close", None),
        ("不到五万的人里约四成", "about four in ten of them", None),
        ("路人占八成，三种", "four fifths are passers-by", None),
        ("三个", "the one that wins", None),
    ],
)
def test_numbers_in_words(chinese, english, told):
    found = number_words.differing(chinese, english)
    assert (found if all(found) else None) == told


def test_an_equation_shown_in_both_languages_counts_once(sample):
    for name in ("hook-zh", "hook-en"):
        add(name, "\n\n$$\nx \\tag{2}\n$$")(sample)
    assert list(structure.equation_numbers(sample)) == []


TERMS = {"gate": {"门控"}, "shared-bottom": {"共享底层"}, "history": {"历史"}}


@pytest.mark.parametrize(
    ("chinese", "english", "told"),
    [
        ("门控", "Two gates.", None),
        ("两个 gate", "Two gates.", None),
        ("它", "Gated units delegate.", None),
        ("它", "Two Gates.", "gate"),
        ("它", "A shared bottom.", "shared-bottom"),
        ("它", "Histories.", "history"),
    ],
)
def test_glossary_terms(chinese, english, told):
    cells = [
        v4.new_markdown_cell(chinese, metadata={"tags": ["lang-zh"]}),
        v4.new_markdown_cell(english, metadata={"tags": ["lang-en"]}),
    ]
    found = list(glossary.glossary(v4.new_notebook(cells=cells), TERMS))
    assert [f"'{told}': the" in problem.reason for problem in found] == (
        [True] if told else []
    )


def test_the_glossary_is_read_line_by_line(tmp_path):
    path = tmp_path / "glossary.tsv"
    lines = [
        "en\tzh",
        "history, behaviour sequence\t历史、行为序列",
        "crop / mask\t裁剪 / 掩码",
        "mask (of padding)\t遮罩",
        "interest\t兴趣\tloose",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert glossary.load(path) == {
        "history": {"历史"},
        "behaviour sequence": {"行为序列"},
        "crop": {"裁剪"},
        "mask": {"掩码", "遮罩"},
    }


@pytest.mark.parametrize("line", ["gate", "a / b\t甲", "gate\t"])
def test_a_glossary_line_without_its_translation_is_an_error(tmp_path, line):
    path = tmp_path / "glossary.tsv"
    path.write_text(f"en\tzh\n{line}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"glossary\.tsv line 2: expected as many"):
        glossary.load(path)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://arxiv.org/abs/1804.07931", "arxiv:1804.07931"),
        ("http://www.arxiv.org/pdf/1804.07931v2", "arxiv:1804.07931"),
        ("https://doi.org/10.48550/arXiv.1804.07931", "arxiv:1804.07931"),
        ("https://doi.org/10.1145/3219819.3220007", "doi:10.1145/3219819.3220007"),
        ("https://dl.acm.org/doi/10.1145/ABC", "doi:10.1145/abc"),
        ("https://www.example.org/a/", "example.org/a"),
    ],
)
def test_identity_of_an_address(address, name):
    assert citations.identity(address) == name


def test_an_entry_that_nobody_cites_is_told(tmp_path, sample):
    path = tmp_path / "references.bib"
    path.write_text(
        "@article{ma, title={A}, doi={10.1145/3219819.3220007}}\n"
        "@article{key, title={B}, eprint={1804.07931}}\n"
        "@article{link, title={C}, url={https://c.org/}}\n"
        "@article{nobody, title={D}, eprint={1904.07931}}\n",
        encoding="utf-8",
    )
    pages = ["See {cite:p}`key, other`.", "See [C](https://c.org)."]
    found = list(citations.never_cited(citations.load(path), [sample], pages))
    assert [problem.reason.split()[0] for problem in found] == ["nobody"]


def test_command_line(sample_path, sample, tmp_path, capsys):
    assert notebook_rules.main([str(sample_path)]) == 0
    assert capsys.readouterr().out == "1 notebooks, 0 problems\n"
    broken = tmp_path / "broken.ipynb"
    cell(sample, "exact").execution_count = 9
    notebook_files.save(sample, broken)
    assert notebook_rules.main([str(tmp_path)]) == 1
    index = [cell.id for cell in sample.cells].index("exact")
    told = capsys.readouterr().out
    assert f"broken.ipynb cell {index} (softmax([0.0, 0.0])): execution count 9" in told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no JSON", "does not hold a Jupyter notebook"),
        ("{}", "does not hold a Jupyter notebook"),
        (
            '{"nbformat": 3, "cells": [], "metadata": {}}',
            "of notebook format 3, expected 4.5",
        ),
    ],
)
def test_a_file_that_is_no_notebook(tmp_path, capsys, text, reason):
    path = tmp_path / "x.ipynb"
    path.write_text(text, encoding="utf-8")
    assert notebook_rules.main([str(path)]) == 1
    assert reason in capsys.readouterr().err


def test_a_path_that_is_not_there(tmp_path, capsys):
    assert notebook_rules.main([str(tmp_path / "no.ipynb")]) == 1
    assert "neither a notebook" in capsys.readouterr().err
