"""What the search goes through: the book, section by section.

When the pages are read, each section gives its heading, its text, the names in its code
and in its formulas. All of it goes into one script of the edition, which a page asks
for at the first search; the browser cuts text and queries into terms and ranks the
sections (``theme/static/search.js``). So there is one place that knows what a term is,
a found section can be shown with its text, and a search works from a disk as well.

Sphinx's own search is left out: its order is alphabetical, it wants every term of a
query to be on a page, and it knows nothing of sections.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import opencc
from docutils import nodes
from sphinx import addnodes

from tools.website import contents
from tools.website.ext import terms
from tools.website.ext.bilingual import Block, Dot, Phrase

HAN = re.compile(r"[\u3400-\u9fff]")
# What a page counts for: one that explains before one that lists, or repeats.
WEIGHTS = {
    "book/teaching/": 0.4,
    "book/api": 0.3,
    "book/glossary": 0.5,
    "book/index": 0.5,
    "book/": 0.8,
}
# sections that say again what the chapter explains elsewhere
AGAIN = re.compile("(练习|Exercise|参考|References|小结|Summary|记号|Notation)")
REPEATS = ("exercises", "solutions")  # pages made from the chapters
BRIEF = ("book/teaching/", "book/results")  # pages of what chapters tell at length
COMMON = 0.1  # share of the sections from which on a name in code says nothing
NAME = re.compile(r"\b(?=\w*[A-Z_])[A-Za-z][A-Za-z0-9_]{2,}")  # DIN, top_k
LATIN = re.compile(r"[A-Za-z]{4,}")  # of what is cut off, the words that are new
OPENING = 160  # bytes by which a section is found that repeats what others explain
PAIRS = range(0x80, 0x800)  # the letters that take two bytes
TEX = [  # of a formula, what can be typed: `\\mathcal{L}_{aux}` becomes L_aux
    (re.compile(r"\\(?:tag|text|textbf)\{([^{}]*)\}"), r" "),
    (re.compile(r"\\(?:mathcal|mathbb|mathbf|mathrm|operatorname|boldsymbol)\b"), ""),
    (re.compile(r"\\(?:hat|tilde|bar|widehat|vec|overline)\s*"), ""),
    (re.compile(r"\\(?:frac|left|right|sum|prod|quad|cdot|big|Big|qquad|in)\b"), " "),
    (re.compile(r"\\([A-Za-z]+)"), r"\1 "),
    (re.compile(r"([_^])\s*\{\s*([^{}]*)\}"), lambda m: m[1] + m[2].replace(" ", "")),
    (re.compile(r"[{}\\&]"), ""),
    (re.compile(r"\s+"), " "),
]
SYMBOL = re.compile(r"[A-Za-z]+(?:_[A-Za-z0-9]+)?")


class Part(NamedTuple):
    """A section of a page, without the sections in it."""

    anchor: str
    heading: str
    text: str
    code: str
    formulas: str


def parts(document: nodes.document, language: str) -> list[Part]:
    """Cut a page into its sections, in their order, as they are in one language."""
    return [part(section, language) for section in document.findall(nodes.section)]


def part(section: nodes.section, language: str) -> Part:
    """Gather what one section says."""
    text: list[str] = []
    names: Counter[str] = Counter()
    symbols: Counter[str] = Counter()
    heading = ""
    for child in section.children:
        if isinstance(child, nodes.title):
            heading = plain(child, language)
        elif not isinstance(child, nodes.section):
            for node in leaves(child, language):
                if isinstance(node, nodes.literal_block):
                    if "output" not in " ".join(node.parent.get("classes", [])):
                        names.update(NAME.findall(node.astext()))
                elif isinstance(node, nodes.math_block):
                    symbols.update(SYMBOL.findall(typed(node.astext())))
                else:
                    said = plain(node, language)
                    if re.search(r"[^\W\d_]", said):  # not the cells of mere numbers
                        text.append(said)
    return Part(
        section["ids"][0],
        heading,
        " ".join(" ".join(text).split()),
        " ".join(names),
        " ".join(s for s in symbols if len(s) > 1),
    )


def foreign(node: nodes.Node, language: str) -> bool:
    """Whether it is in the other language, or stands between the two."""
    if isinstance(node, Block | Phrase):
        return node["language"] != language
    return isinstance(node, Dot)


def leaves(node: nodes.Node, language: str) -> Iterator[nodes.Node]:
    """Give the pieces of text, code and formulas below a node, in their order."""
    skipped = nodes.section | nodes.raw | nodes.comment
    if isinstance(node, skipped) or foreign(node, language):
        return
    if isinstance(node, addnodes.desc):  # of the package, the names
        yield from node.findall(addnodes.desc_name)
        return
    if isinstance(node, nodes.TextElement | nodes.math_block):
        yield node
        return
    for child in node.children:
        yield from leaves(child, language)


def plain(node: nodes.Node, language: str) -> str:
    """Give a paragraph as it could be typed, formulas too."""
    if isinstance(node, nodes.math):
        return typed(node.astext())
    if isinstance(node, nodes.Text):
        return node.astext()
    if foreign(node, language):
        return ""
    return "".join(plain(child, language) for child in node.children)


def typed(latex: str) -> str:
    """Give a formula as somebody would type it: ``L_aux``, ``gamma``."""
    for pattern, instead in TEX:
        latex = pattern.sub(instead, latex)
    return latex.strip()


def weight(name: str) -> float:
    """Give what a page counts for in the order of what was found."""
    for start, counts in WEIGHTS.items():
        if name.startswith(start):
            return counts
    return 1.0


def traditional(simplified: set[str]) -> str:
    """List the traditional characters of those in the book, each with its own."""
    convert = opencc.OpenCC("t2s").convert
    every = [chr(n) for n in range(0x4E00, 0xA000)]
    plain = convert("\n".join(every)).split("\n")
    return "".join(
        a + b for a, b in zip(every, plain, strict=True) if a != b and b in simplified
    )


def opening(text: str) -> str:
    """Give the start of a text: of Chinese fewer letters, as each says more."""
    return text.encode()[:OPENING].decode(errors="ignore")


def pack(text: str) -> tuple[str, str]:
    """Write the letters outside of ASCII, of three bytes mostly, with two bytes each.

    Returns
    -------
    letters : str
        Those that are replaced, the most frequent first (gzip likes that): the first
        by U+0080, the second by U+0081, and so on. If there are too many, the rarest
        stay as they are, except those that would be mistaken for a replacement.
    packed : str
    """
    seen = Counter(c for c in text if "\x7f" < c < "\uffff")
    mistaken = [c for c in seen if ord(c) in PAIRS]
    common = [c for c, _ in seen.most_common(len(PAIRS) - len(mistaken))]
    letters = "".join(dict.fromkeys(common + mistaken))
    return letters, text.translate(dict(zip(map(ord, letters), PAIRS, strict=False)))


def script(language: str, told: dict) -> str:
    """Write down what the search goes through, small."""
    letters, packed = pack(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    return f'addToSearch("{language}","{letters}",{packed});\n'


def data(pages: dict[str, tuple[str, list[Part]]]) -> dict:
    """Give what the script of an edition holds.

    Parameters
    ----------
    pages : dict
        Name of the page -> its title and its parts, in the order of the book.
    """
    seen = Counter(
        name
        for _, found in pages.values()
        for one in found
        for name in set(one.code.split())
    )
    total = sum(len(found) for _, found in pages.values())
    dull = {name for name, times in seen.items() if times > COMMON * total}
    told: list[list] = []
    text = ""
    for number, (name, (title, found)) in enumerate(pages.items()):
        if name.endswith(REPEATS):
            found = found[:1]
        known = set(dull)  # of a page, a name counts where it stands first
        for one in found:
            short = name.startswith(BRIEF) or (
                name.startswith("notebooks/") and AGAIN.match(one.heading)
            )
            said = opening(one.text) if short else one.text
            names = one.code.split() + LATIN.findall(one.text[len(said) :].lower())
            code = [name for name in dict.fromkeys(names) if name not in known]
            known.update(code)
            row = [number, one.anchor, one.heading, said, " ".join(code), one.formulas]
            told.append(row)
            text += one.heading + one.text
        text += title
    return {
        "pages": [[name, title, weight(name)] for name, (title, _) in pages.items()],
        "parts": list(zip(*told, strict=True)),  # by column: alike beside alike
        "terms": concepts(list(pages)),
        "traditional": traditional({c for c in text if HAN.match(c)}),
    }


def concepts(order: list[str]) -> list[list]:
    """Give the terms of the glossary: names, number of the page, anchor."""
    found = terms.places()
    return [
        [
            terms.names(term.en) + terms.names(term.zh),
            order.index(found[term.en].page),
            found[term.en].anchor,
        ]
        for term in terms.glossary()
        if term.en in found and found[term.en].page in order
    ]


def languages(app) -> list[str]:
    """List the languages of an edition."""
    edition = app.config.edition
    return ["zh", "en"] if edition == "both" else [edition]


def gather(app, document: nodes.document) -> None:
    """On ``doctree-read``: keep the parts of a page, and its title, by language."""
    if not hasattr(app.env, "search_parts"):
        app.env.search_parts = {}
    found = {language: parts(document, language) for language in languages(app)}
    app.env.search_parts[app.env.docname] = found


def forget(app, env, docname: str) -> None:
    """On ``env-purge-doc``: a page is read again, or gone."""
    getattr(env, "search_parts", {}).pop(docname, None)


def merge(app, env, docnames, other) -> None:
    """On ``env-merge-info``: pages were read in another process."""
    env.search_parts = getattr(env, "search_parts", {}) | other.search_parts


def write(app, error: Exception | None) -> None:
    """On ``build-finished``: write the script of each language of this edition."""
    if error or app.builder.format != "html":
        return
    found = app.env.search_parts
    names = [name for name in contents.pages() if found.get(name)]
    for language in languages(app):
        pages = {
            name: (found[name][language][0].heading, found[name][language])
            for name in names
        }
        target = Path(app.outdir) / "_static" / f"search-{language}.js"
        target.write_text(script(language, data(pages)), encoding="utf-8")


def search_page(app):
    """On ``html-collect-pages``: the page with a field for a search."""
    return [("search", {}, "search.html")]


def leave_out(app) -> None:
    """On ``builder-inited``: Sphinx is to make no index of its own."""
    app.builder.search = False


def setup(app):
    """Use it for every edition."""
    app.connect("builder-inited", leave_out)
    app.connect("doctree-read", gather, priority=900)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", write)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
