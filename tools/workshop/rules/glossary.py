"""The rule that the Chinese text uses the glossary's terms."""

import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from tools.workshop.notebook_files import ROOT
from tools.workshop.rules.reading import Problem, pairs

GLOSSARY = ROOT / "book" / "glossary.tsv"


def load(path: Path = GLOSSARY) -> dict[str, set[str]]:
    """Read the glossary: English term -> the Chinese terms that may stand for it.

    Each line has English, Chinese and, optionally, the word ``loose``: a term that is
    also an everyday word is listed, but not checked. An entry may hold several terms
    that belong together, separated alike in both columns (``a / b``, ``a, b``), and an
    abbreviation or a remark in brackets.

    Raises
    ------
    ValueError
        If a line does not have as many Chinese as English terms.
    """
    terms: dict[str, set[str]] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines[1:], start=2):
        columns = line.split("\t")
        english = re.split(r" / |, ", re.sub(r" *\(.*?\)", "", columns[0]))
        chinese = re.split(r" / |、", columns[1]) if len(columns) > 1 else []
        if len(english) != len(chinese) or "" in english + chinese:
            raise ValueError(
                f"{path.name} line {number}: expected as many Chinese as English "
                f"terms with a tab between them, found {line!r}"
            )
        if "loose" in columns[2:]:
            continue
        for term, translation in zip(english, chinese, strict=True):
            terms.setdefault(term.lower(), set()).add(translation)
    return terms


def glossary(notebook: NotebookNode, terms: dict[str, set[str]]) -> Iterator[Problem]:
    """Where the English half uses a term, the Chinese half uses the glossary's."""
    patterns = {
        term: _pattern(term) for term in sorted(terms, key=lambda term: -len(term))
    }
    for index, zh, en in pairs(notebook):
        chinese, english = "\n".join(zh.texts()), "\n".join(en.texts())
        for term, pattern in patterns.items():  # the longest first
            english, used = pattern.subn(" ", english)
            known = any(translation in chinese for translation in terms[term])
            if used and not known and not pattern.search(chinese):
                expected = " or ".join(sorted(terms[term]))
                yield Problem(
                    index,
                    f"the English cell says {term!r}: the Chinese twin should say "
                    f"{expected}, or {term!r}",
                )


def _pattern(term: str) -> re.Pattern:
    """Match a term in either number, with spaces or hyphens, in any case."""
    words = r"[\s-]".join(re.escape(word) for word in re.split("[ -]", term))
    if words.endswith("y"):
        words = f"{words[:-1]}(?:y|ies)"
    return re.compile(rf"(?<![A-Za-z]){words}(?:s|es)?(?![A-Za-z])", re.IGNORECASE)
