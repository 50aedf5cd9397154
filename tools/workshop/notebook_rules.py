"""Check notebooks against the rules of the book.

``python -m tools.workshop.notebook_rules [paths]`` prints one line for each problem and
exits with 1 if there are any. Without paths it checks all notebooks, and that each
entry of the bibliography is cited. The rules themselves are in ``rules/``.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from nbformat import NotebookNode

from tools.workshop import notebook_files
from tools.workshop.rules import (
    cells,
    citations,
    glossary,
    hygiene,
    number_words,
    outputs,
    prose,
    structure,
)
from tools.workshop.rules.reading import Problem
from tools.workshop.sentences import show

Rule = Callable[[NotebookNode], Iterator[Problem]]

ALWAYS: dict[str, Rule] = {
    "executed": cells.executed,
    "full-run": outputs.full_run,
    "code-size": cells.code_size,
    "machine-paths": cells.machine_paths,
    "bootstrap": cells.bootstrap,
    "outputs": outputs.outputs,
    "exact-outputs": outputs.exact_outputs,
    "figures": outputs.figures,
    "captions": outputs.captions,
    "valid": hygiene.valid,
    "metadata": hygiene.metadata,
    "known-tags": hygiene.known_tags,
    "size": hygiene.size,
    "language-pairs": prose.language_pairs,
    "twins": prose.twins,
    "number-words": number_words.number_words,
    "chinese": prose.chinese,
    "english": prose.english,
    "prose-length": prose.prose_length,
    "portable": prose.portable,
    "bilingual-headings": structure.bilingual_headings,
    "heading-levels": structure.heading_levels,
    "equation-numbers": structure.equation_numbers,
}
CHAPTERS: dict[str, Rule] = {
    "written": structure.written,
    "last-sections": structure.last_sections,
    "exercises": structure.exercises,
    "self-checked": structure.self_checked,
    "live-figure": outputs.live_figure,
    "claims": outputs.claims,
    "references": citations.references,
    "colab-badge": structure.colab_badge,
}


def rules(path: Path) -> dict[str, Rule]:
    """Give the rules that hold for the notebook at `path`, by name."""
    return {
        **ALWAYS,
        "synced": partial(cells.synced, path=path),
        "glossary": partial(glossary.glossary, terms=glossary.load()),
        "cited": partial(citations.cited, entries=citations.load()),
        **(CHAPTERS if notebook_files.is_chapter(path) else {}),
    }


def check(notebook: NotebookNode, path: Path) -> list[Problem]:
    """Check the notebook at `path` against all rules that hold for it."""
    found = [p for rule in rules(path).values() for p in rule(notebook)]
    return sorted(found, key=lambda problem: problem.cell or 0)


def check_bibliography() -> list[Problem]:
    """Check that the book cites each entry of its bibliography."""
    notebooks = [notebook_files.read(path) for path in notebook_files.find()]
    book = notebook_files.ROOT / "book"
    pages = [*book.rglob("*.md"), book / "papers.tsv"]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    return list(citations.never_cited(citations.load(), notebooks, texts))


def main(arguments: list[str] | None = None) -> int:
    """Check the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", help="notebooks or folders (default: all)")
    options = parser.parse_args(arguments)
    count = 0
    try:
        paths = notebook_files.find(options.paths)
        for path in paths:
            notebook = notebook_files.read(path)
            for cell, reason in check(notebook, path):
                count += 1
                where = notebook_files.shown(path)
                if cell is not None:
                    where += f" {notebook_files.place(cell, notebook.cells[cell])}"
                show(f"{where}: {reason}")
        if not options.paths:
            for _, reason in check_bibliography():
                count += 1
                show(f"book/references.bib: {reason}")
    except (ValueError, OSError) as error:
        show(str(error), sys.stderr)
        return 1
    show(f"{len(paths)} notebooks, {count} problems")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
