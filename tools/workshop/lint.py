"""Lint the book's Chinese, and look up its English in a dictionary.

``python -m tools.workshop.lint [paths]`` prints one line for each slip and exits with 1
if there are any. Without paths it reads the notebooks, the pages, and what stands
around them. AutoCorrect knows how Chinese is spaced and punctuated. The dictionary is
the American one that comes with spylls; ``words.txt`` has what it lacks, and, behind a
``*``, what the book spells otherwise.

Text is read, and code is not: of Markdown what is neither code, nor a formula, nor an
address; of Python the docstrings and comments.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import autocorrect_py
import spylls.hunspell

from tools.workshop import notebook_files
from tools.workshop.notebook_files import ROOT
from tools.workshop.rules.reading import CJK, CODE, MATH, parse
from tools.workshop.sentences import show

DICTIONARY = Path(spylls.hunspell.__file__).parent / "data" / "en" / "en_US"
WORDS = ROOT / "book" / "words.txt"
OURS = ("tools", "benchmarks", "tests")
READ = (
    *("*.md", "book/**/*.md", "recsys_tutorial/**/*.py"),
    *(f"{folder}/**/*.{kind}" for folder in OURS for kind in ("md", "py")),
)
LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
# A name, not a word: what touches a digit, _, code or a formula, or has a dot inside.
NAME = rf"{LETTER}\d_{CODE}{MATH}"
WORD = re.compile(
    rf"(?<![{NAME}])(?<![{NAME}]\.)[{LETTER}]+(?:['’][a-z]+)?(?!\.?[{NAME}])"
)
# Off: it narrows a colon between digits, as in a time of day; "赢 0.1：1.5 分" is none.
autocorrect_py.load_config('{"rules": {"halfwidth-word": 0}}')


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Give the texts of a file, each with the place where it stands."""
    name = notebook_files.shown(path)
    if path.suffix != ".ipynb":
        read = markdown if path.suffix == ".md" else python
        yield from ((name, text) for text in read(path.read_text(encoding="utf-8")))
        return
    for index, cell in enumerate(notebook_files.read(path).cells):
        place = f"{name} {notebook_files.place(index, cell)}"
        read = markdown if cell.cell_type == "markdown" else python
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for text in (*read(cell.source), alt):
            yield place, text


def markdown(source: str) -> Iterator[str]:
    """Give the texts of Markdown: its blocks, and its pictures' alternative texts."""
    parts = parse(re.sub(r"^:::.*$", "", source, flags=re.M))
    yield from parts.texts()
    yield from (alt for _, alt in parts.images)


def python(source: str) -> Iterator[str]:
    """Give the docstrings and comments of Python, the code in them taken out."""
    source = re.sub(r"^ *[%!].*$", "", source, flags=re.M)  # Jupyter's own commands
    found = [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found += [
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(source))
        if isinstance(node, documented)
    ]
    for text in found:
        text = re.sub(r"(`+|\$).+?\1", CODE, text, flags=re.S)
        yield re.sub(r"^[\w*, ]+ : .*$", "", text, flags=re.M)  # a parameter's type


def misspelt(text: str) -> Iterator[str]:
    """Give the words of a text that are in no dictionary."""
    for word in WORD.findall(re.sub(r"https?://\S+", "", text)):
        if not known(re.sub("['’]s$", "", word)):
            yield f"{word} is not in the dictionary, nor in {WORDS.name}"


@cache
def known(word: str) -> bool:
    """Say whether a word is right; abbreviations are, and their plurals."""
    own = own_words()
    if word in own or word.lower() in own or word.removesuffix("s").isupper():
        return True
    return f"*{word}" not in own and dictionary().lookup(word)


@cache
def own_words() -> frozenset[str]:
    """Read the book's own words, and its authors' names from the bibliography."""
    bibliography = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    authors = re.findall(r"^ *author *= *(.*?)[}\"],?$", bibliography, re.M | re.S)
    names = WORD.findall(" ".join(authors))
    return frozenset([*WORDS.read_text(encoding="utf-8").split(), *names])


@cache
def dictionary() -> spylls.hunspell.Dictionary:
    """Read the dictionary, once."""
    return spylls.hunspell.Dictionary.from_files(str(DICTIONARY))


def mistyped(text: str) -> Iterator[str]:
    """Give the Chinese halves and lines that AutoCorrect would write otherwise."""
    for half in re.split(r" \| |\n", text):
        # An English sentence may quote a Chinese word, and keeps its own punctuation.
        if len(re.findall(f"[{CJK}]", half)) >= len(WORD.findall(half)):
            # Code and formulas stand as a letter, so that the space beside them counts.
            half = re.sub(f"[{CODE}{MATH}]", "x", half)
            for line in autocorrect_py.lint_for(half, "text").lines:
                yield f"{differ(line.old, line.new)} (AutoCorrect)"


def differ(old: str, new: str) -> str:
    """Show where two lines begin to differ."""
    pairs = enumerate(zip(old, new, strict=False))
    start = max(0, next((i for i, (a, b) in pairs if a != b), len(new)) - 8)
    return f"{old[start : start + 20]!r} should read {new[start : start + 20]!r}"


def main(arguments: list[str] | None = None) -> int:
    """Lint the files named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="files (default: all)")
    paths = parser.parse_args(arguments).paths
    if not paths:
        paths = [*notebook_files.find()]
        paths += [path for pattern in READ for path in sorted(ROOT.glob(pattern))]
    count = 0
    for path in paths:
        for place, text in texts(path):
            for slip in (*mistyped(text), *misspelt(text)):
                count += 1
                show(f"{place}: {slip}")
    show(f"{len(paths)} files, {count} slips")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
