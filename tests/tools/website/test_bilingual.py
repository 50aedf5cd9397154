"""One source, three editions: what each keeps, and what stops the build."""

import io
import json
import re

import pytest
from nbformat import v4
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from recsys_tutorial.claims import Claim, Claims
from recsys_tutorial.metrics import Interval
from tools.website.ext import bilingual, mathml, results, tagged_cells
from tools.workshop.notebook_files import METADATA

EDITIONS = ("zh", "en", "both")
EXTENSIONS = ("bilingual", "tagged_cells", "mathml")
PAGE = """\
# 门控 | The gate

:::{zh}
门控把分数变成权重：

- 先取指数 $e^{x}$；
  - 嵌套的一条；
- 再归一。
:::
:::{en}
The gate turns scores into weights:

- powers first, $e^{x}$;
  - a nested item;
- then their sum.
:::

$$ g(x) = \\sum_j e^{x_j} \\tag{3} $$

## 用 `a | b` 合并 | Merge with `a | b`

```python
x = a | b
```

### DIN | DIN
"""


def cell(text, *tags, **metadata):
    """Make a Markdown cell."""
    return v4.new_markdown_cell(text, metadata={"tags": list(tags), **metadata})


def build(folder, edition, **pages):
    """Build pages (text) and notebooks (cells); give the body of each as HTML."""
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for name, content in pages.items():
        if isinstance(content, str):
            (source / f"{name}.md").write_text(content, encoding="utf-8")
        else:
            cells = [cell | {"id": f"cell-{i}"} for i, cell in enumerate(content)]
            text = json.dumps(v4.new_notebook(cells=cells, metadata=METADATA))
            (source / f"{name}.ipynb").write_text(text, encoding="utf-8")
    settings = {
        "extensions": ["myst_nb", *(f"tools.website.ext.{x}" for x in EXTENSIONS)],
        "edition": edition,
        "master_doc": next(iter(pages)),
        "html_title": "书 | Book",
        "nb_execution_mode": "off",
        "suppress_warnings": ["mystnb.unknown_mime_type"],
        "myst_enable_extensions": ["colon_fence", "dollarmath"],
        "myst_heading_anchors": 4,
        "myst_heading_slug_func": "tools.website.ext.bilingual.anchor",
    }
    warnings = io.StringIO()
    with docutils_namespace():
        app = Sphinx(
            source,
            None,
            folder / edition,
            folder / "doctrees" / edition,
            "html",
            settings,
            status=None,
            warning=warnings,
            freshenv=True,
        )
        app.build()
    assert warnings.getvalue() == ""
    found = {}
    for name in pages:
        html = (folder / edition / f"{name}.html").read_text(encoding="utf-8")
        found[name] = html.partition('role="main">')[2].partition("sphinxsidebar")[0]
    return found


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_page_keeps_its_language(tmp_path, edition):
    html = build(tmp_path, edition, page=PAGE)["page"]
    assert ("门控把分数" in html) == (edition != "en")
    assert ("turns scores" in html) == (edition != "zh")
    # what is shared is there once
    assert html.count('<span class="eqno">(3)</span>') == 1
    assert len(re.findall(r"<div class=\"highlight-python", html)) == 1
    # a formula in the text, once in each language
    assert html.count("<math>") == (2 if edition == "both" else 1)
    assert html.count("<ul") == (4 if edition == "both" else 2)
    # only where both languages meet is the text marked
    assert ('<div class="lang-zh" lang="zh-CN">' in html) == (edition == "both")


@pytest.mark.parametrize("edition", EDITIONS)
def test_headings_keep_their_language_and_share_their_anchors(tmp_path, edition):
    html = build(tmp_path, edition, page=PAGE)["page"]
    assert re.findall(r'<section[^>]* id="([^"]+)"', html) == [
        "the-gate",
        "merge-with-a-b",
        "din",
    ]
    heading = re.search(r"<h2>(.*?)<a", html, re.S)[1]
    code = r"<code.*?>a \| b</code>|<code.*?a</span> <span.*?b</span></code>"
    assert len(re.findall(code, heading)) == (2 if edition == "both" else 1)
    assert ("合并" in heading) == (edition != "en")
    assert ("Merge" in heading) == (edition != "zh")


def test_a_link_to_a_heading_uses_the_shared_anchor(tmp_path):
    pages = {
        "one": "# 甲 | One\n\n```{toctree}\ntwo\n```",
        "two": "# 乙 | Two\n\n[x](one.md#the-end)\n[y](one.md#dins-unit)\n",
    }
    pages["one"] += "\n\n## 结尾 | The end\n\n## DIN 的单元 | DINs unit\n"
    for edition in EDITIONS:
        html = build(tmp_path, edition, **pages)["two"]
        assert 'href="one.html#the-end"' in html
        assert 'href="one.html#dins-unit"' in html


def test_a_link_finds_a_heading_with_latin_letters_in_both_halves(tmp_path):
    pages = {
        "one": "# 甲 | One\n\n```{toctree}\ntwo\n```\n\n[x](#gauc-first)",
        "two": "# 乙 | Two\n\n[x](one.md#gauc-first)\n",
    }
    pages["one"] += "\n\n## GAUC：先看 | GAUC first\n"
    for edition in EDITIONS:
        built = build(tmp_path, edition, **pages)
        assert 'id="gauc-first"' in built["one"]
        assert 'href="#gauc-first"' in built["one"]
        assert 'href="one.html#gauc-first"' in built["two"]


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_notebook_keeps_its_language(tmp_path, edition):
    spans = '<td><span class="lang-zh" lang="zh-CN">成立</span> '
    spans += '<span class="lang-en" lang="en">holds</span></td>'
    table = v4.new_output("display_data", {"text/html": spans})
    svg = v4.new_output("display_data", {"image/svg+xml": "<svg/>"})
    alt = {"mystnb": {"image": {"alt": "两根柱 | Two bars"}}}
    cells = [
        cell("# 章 | Chapter"),
        cell("正文 $x_1$，`a | b`。", "lang-zh"),
        cell("The text, $x_1$, `a | b`.", "lang-en"),
        cell("$$ y = 1 $$"),
        v4.new_code_cell("a | b", outputs=[table]),
        v4.new_code_cell("plot()", outputs=[svg], metadata=alt),
    ]
    html = build(tmp_path, edition, chapter=cells)["chapter"]
    for zh, en in (("正文", "The text"), ("成立", "holds"), ("两根柱", "Two bars")):
        assert (zh in html) == (edition != "en")
        assert (en in html) == (edition != "zh")
    assert html.count('display="block"') == 1
    expected = {"zh": "两根柱", "en": "Two bars", "both": "两根柱 · Two bars"}
    assert f'alt="{expected[edition]}"' in html


@pytest.mark.parametrize("edition", EDITIONS)
def test_what_a_claim_measured_keeps_its_language(tmp_path, monkeypatch, edition):
    monkeypatch.setitem(globals(), "EXTENSIONS", (*EXTENSIONS, "results"))
    monkeypatch.setattr(results.Results, "notebooks", lambda self: ["chapter"])
    interval = Interval(0.1, 0.05, 0.15, 5)
    quantity = ("损失之差", "difference of losses")
    claim = Claim("甲", "One", "A 2018", interval, quantity, "above zero", (0, 1))
    shown = v4.new_output("display_data", Claims(claim)._repr_mimebundle_())
    cells = [cell("# 章 | Chapter"), v4.new_code_cell("claims", outputs=[shown])]
    page = "# 结果 | Results\n\n```{results}\n```\n\n```{toctree}\nchapter\n```\n"
    pages = {"page": page, "chapter": cells}
    expected = {
        "zh": "损失之差; n = 5 (种子)",
        "en": "difference of losses; n = 5 (seeds)",
        "both": "损失之差 · difference of losses; n = 5 (种子 · seeds)",
    }
    for html in build(tmp_path, edition, **pages).values():
        text = re.sub("<[^>]*>", "", html)
        assert expected[edition] in text
        assert ("损失之差" in text) == (edition != "en")
        assert ("difference of losses" in text) == (edition != "zh")


ZH, EN = cell("甲", "lang-zh"), cell("One", "lang-en")
CODE = v4.new_code_cell("x", metadata={"tags": ["lang-zh"]})


@pytest.mark.parametrize(
    ("cells", "where", "reason"),
    [
        ([ZH], 1, "lang-zh; expected is a lang-zh cell with its lang-en twin"),
        ([EN], 1, "lang-en; expected is"),
        ([EN, ZH], 1, "lang-en; expected is"),
        ([ZH, cell("---"), EN], 1, "lang-zh; expected is"),
        ([ZH, EN, ZH], 3, "lang-zh; expected is"),
        ([ZH, EN, EN], 3, "lang-en; expected is"),
        ([cell("甲", "lang-zh", "lang-en"), EN], 1, "a cell has one language"),
        ([CODE, EN], 1, "only Markdown cells have a language"),
        ([ZH, EN, cell("## 标题")], 3, "the heading must read 中文 | English"),
    ],
)
@pytest.mark.parametrize("edition", ["zh", "both"])
def test_a_broken_notebook_stops_the_build(tmp_path, cells, where, reason, edition):
    with pytest.raises(ExtensionError) as error:
        build(tmp_path, edition, chapter=[cell("# 章 | Chapter"), *cells])
    assert f"chapter, cell {where}: " in str(error.value)
    assert reason in str(error.value)


ZH_BLOCK, EN_BLOCK = ":::{zh}\n甲。\n:::\n", ":::{en}\nOne.\n:::\n"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (ZH_BLOCK, 3, "the text in zh lacks its twin in en right after it: '甲。'"),
        (EN_BLOCK, 3, "the text in en lacks its twin in zh right before it: 'One.'"),
        (EN_BLOCK + ZH_BLOCK, 3, "the text in en lacks its twin in zh"),
        (ZH_BLOCK + "\nbetween\n\n" + EN_BLOCK, 3, "the text in zh lacks its twin"),
        (ZH_BLOCK + EN_BLOCK + ZH_BLOCK, 9, "the text in zh lacks its twin"),
        ("## 标题\n", 3, "the heading must read 中文 | English, not '标题'"),
        ("## Gate `a | b`\n", 3, "the heading must read 中文 | English"),
        ("## | Gate\n", 3, "the heading must read 中文 | English"),
    ],
)
@pytest.mark.parametrize("edition", ["en", "both"])
def test_a_broken_page_stops_the_build(tmp_path, text, line, reason, edition):
    with pytest.raises(ExtensionError) as error:
        build(tmp_path, edition, page=f"# 页 | Page\n\n{text}")
    assert f"page, line {line}: " in str(error.value)
    assert reason in str(error.value)


def test_pairs_inside_of_a_list_and_an_admonition(tmp_path):
    text = "# 页 | Page\n\n"
    text += "- x\n\n  :::{zh}\n  甲\n  :::\n  :::{en}\n  One\n  :::\n\n"
    text += "::::{admonition} 注意 | Note\n" + ZH_BLOCK + EN_BLOCK + "::::\n"
    html = build(tmp_path, "en", page=text)["page"]
    assert "One" in html
    assert "Note" in html
    assert "甲" not in html
    assert "注意" not in html


@pytest.mark.parametrize(
    ("text", "zh", "en", "two"),
    [
        ("甲 | A", "甲", "A", "甲 · A"),
        ("甲 | A | B", "甲", "A | B", "甲 · A | B"),
        ("DIN", "DIN", "DIN", "DIN"),
        ("a|b", "a|b", "a|b", "a|b"),
    ],
)
def test_pick(text, zh, en, two):
    assert [bilingual.pick(text, edition) for edition in EDITIONS] == [zh, en, two]


def test_captions_of_parts_are_split(tmp_path):
    pages = {"one": "# 甲 | One\n\n```{toctree}\n:caption: 上 | Up\n\ntwo\n```"}
    pages["two"] = "# 乙 | Two"
    for edition, caption in zip(EDITIONS, ("上", "Up", "上 · Up"), strict=True):
        html = build(tmp_path, edition, **pages)["one"]
        assert re.search(r'caption-text">(.*?)<', html)[1] == caption


def test_formulas():
    html = mathml.formula(r"a < b \tag{2'}", True)
    assert '<span class="eqno">(2&#x27;)</span>' in html
    assert r"\tag" not in html
    assert "<math>" in mathml.formula("x_i", False)


def test_a_formula_with_an_error_shows_its_source():
    html = mathml.formula(r"\nonsense{<}", True)
    assert html == r"<code>\nonsense{&lt;}</code>"


def test_a_pandas_table_says_what_its_cells_are():
    table = tagged_cells.tidy_table(
        "<div>\n<style scoped>\n .dataframe {}\n</style>\n"
        '<table border="1" class="dataframe"><thead><tr><th></th><th>said</th></tr>'
        "</thead><tbody><tr><th>a</th><td>0.1</td></tr>"
        "<tr><th>b</th><td>a long cell that may be broken</td></tr></tbody></table>"
    )
    assert "<style" not in table
    assert '<td></td><th scope="col">said</th>' in table
    assert '<th scope="row">a</th><td>0.1</td>' in table
    assert '<td class="words">a long cell' in table
    assert tagged_cells.tidy_table("<p>one</p>") == "<p>one</p>"


def test_imports_are_folded_and_nothing_else():
    lines = "\n".join(
        f"import {name}" for name in ("os", "re", "json", "torch", "math")
    )
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": lines}
    assert tagged_cells.is_imports(cell)
    assert not tagged_cells.is_imports(cell | {"source": "import os\nx = 1"})
    assert not tagged_cells.is_imports(cell | {"outputs": [{}]})
    assert not tagged_cells.is_imports(cell | {"metadata": {"tags": ["hide-cell"]}})
    assert not tagged_cells.is_imports(cell | {"cell_type": "markdown"})


def test_no_line_begins_with_the_mark_that_follows_a_formula(tmp_path):
    text = "# 一 | One\n\n:::{zh}\n由 $a$，得 $b$。再说 $c$ 与 $d$\n:::\n" + EN_BLOCK
    html = build(tmp_path, "zh", page=text)["page"]
    kept = re.findall(r'<span class="whole-line"><math.*?</math>(.*?)</span>', html)
    assert kept == ["，", "。"]
    assert "</span>得 <span" in html


def test_alternative_texts_of_pages_keep_the_editions_half(tmp_path):
    (tmp_path / "source").mkdir()
    drawing = tmp_path / "source" / "a.svg"
    drawing.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    for edition, alt in (("zh", "图"), ("en", "picture"), ("both", "图 · picture")):
        html = build(tmp_path, edition, page="# 一 | One\n\n![图 | picture](a.svg)\n")[
            "page"
        ]
        assert f'alt="{alt}"' in html
