"""Slides for a teacher: ``make slides``, one reveal.js deck per chapter and language.

A deck is made by nbconvert from the committed notebook; nothing is executed. Of prose a
slide shows the lead, and the speaker notes (key S) hold the whole; formulas, code with
its output, figures and tables are shown, cut to what fits. Imports and solutions stay
out. All that a deck loads lies in ``_build/slides/assets``: the folder can be put on
any host, or be opened from a USB stick.

`laid_out` turns a notebook into one whose cells say which slide they are on. What a
slide is made of is in `slide_pieces.py` and `slide_tables.py`, how texts and programs
are cut in `excerpts.py`, the template and the style in ``templates/``.
"""

import argparse
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat import NotebookNode, v4

from tools.course.slide_pieces import ROOM, Piece, code, code_size, markdown, prose
from tools.website import language
from tools.website.editions import THEME
from tools.website.ext import mathml
from tools.website.ext.bilingual import LANGUAGES
from tools.workshop import notebook_files
from tools.workshop.notebook_files import NOTEBOOKS, ROOT
from tools.workshop.rules.reading import tags
from tools.workshop.sentences import show

BUILD = ROOT / "_build" / "slides"
TEMPLATES = ROOT / "tools" / "course" / "templates"
LEFT_OUT = {"bootstrap", "colab-badge", "hide-cell", "remove-cell", "solution", "check"}
REVEAL = ("LICENSE", "dist/reset.css", "dist/reveal.css", "dist/reveal.js")
REVEAL += ("plugin/notes/notes.js",)
WHOLE = ("练习 ", "Exercise ", "参考", "References")  # where texts are not cut
TEXT = ("lead", "text", "item")
CONTENT = ("code", "output", "table", "claims", "figure")


def parts(notebook: NotebookNode) -> Iterator[tuple[int, str, list[Piece]]]:
    """Iterate over what stands below each heading: level, title, pieces."""
    level, title, pieces = 0, "", []
    for cell in notebook.cells:
        if LEFT_OUT & set(tags(cell)):
            continue
        if cell.cell_type == "code":
            pieces += code(cell)
        elif cell.source.startswith("#"):
            if level:
                yield level, title, pieces
            marks, _, title = cell.source.partition(" ")
            level, pieces = len(marks), []
        else:
            below_figure = bool(pieces) and pieces[-1].kind == "figure"
            pieces += prose(cell.source, below_figure, title.startswith(WHOLE))
    yield level, title, pieces


def slides(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Divide pieces, in their order, between slides."""
    slide = []
    for piece, after in zip(pieces, [*pieces[1:], None], strict=True):
        need = piece.height
        if piece.kind == "code" and after and after.kind in ("output", "table"):
            both = need + after.height
            need = both if both <= ROOM else need
        if slide and not _joins(slide, piece, need):
            yield slide
            slide = []
        slide.append(piece)
    if slide:
        yield slide


def _joins(slide: list[Piece], piece: Piece, need: float) -> bool:
    """Say whether a piece goes on the slide being filled: one idea per slide."""
    kinds = [p.kind for p in slide]
    content = any(kind in CONTENT for kind in kinds)
    if piece.kind == "caption":
        return True  # the figure takes what is left
    if "figure" in kinds or piece.kind == "figure":
        return False
    if sum(p.height for p in slide) + need > ROOM:
        return False
    if piece.kind in TEXT:
        if piece.notes.rstrip().endswith(("：", ":")):  # it introduces what follows
            return not content and "equation" not in kinds
        if content or "equation" in kinds:  # one comment on what is shown
            return kinds[-1] not in TEXT and piece.kind != "item"
        return piece.kind != "lead" or kinds.count("lead") < 3
    if piece.kind == "equation":
        return not content and ("equation" not in kinds or kinds[-1] == "equation")
    if piece.kind in ("code", "output", "table") and kinds[-1] == "code":
        return True
    return not content or (piece.kind == kinds[-1] == "output")


def laid_out(notebook: NotebookNode, edition: str) -> NotebookNode:
    """Lay a chapter out: its cells in one language, cut, with notes, slide by slide.

    Parameters
    ----------
    notebook : NotebookNode
        A chapter; it is changed.
    edition : {"zh", "en"}
        The language of the deck.
    """
    language.keep(notebook, edition)
    cells, section, found = [], "", list(parts(notebook))
    for i, (level, title, pieces) in enumerate(found):
        kicker = ""
        if level == 2:
            section = title
        elif level == 3:
            kicker = f'<p class="kicker">{markdown.renderInline(section)}</p>\n\n'
        if level == 1:
            below = [pieces]
        elif not pieces:
            below = [agenda(found[i + 1 :])]
        else:
            below = list(slides(pieces))
        for k, slide in enumerate(below):
            marks = "#" * level if k == 0 else "###"
            opens = "slide" if level < 3 and k == 0 else "subslide"
            head = v4.new_markdown_cell(f"{kicker}{marks} {title}")
            head.metadata.update(kind="head", slideshow={"slide_type": opens})
            cells += [head, *shown(slide[:1] if level == 1 else slide)]
            notes = "\n\n".join(p.notes for p in slide if p.notes)
            if notes:
                aside = v4.new_markdown_cell(notes)
                aside.metadata.update(kind="notes", slideshow={"slide_type": "notes"})
                cells.append(aside)
    metadata = {
        "title": markdown.renderInline(found[0][1]),
        "language": LANGUAGES[edition],
        "language_info": {"name": "python"},
    }
    return v4.new_notebook(cells=cells, metadata=metadata)


def agenda(following: list[tuple[int, str, list[Piece]]]) -> list[Piece]:
    """Give the titles of a section's parts, for the slide that opens it."""
    found = []
    for level, title, _ in following:
        if level < 3:
            break
        cell = v4.new_markdown_cell(f"- {title}", metadata={"kind": "item"})
        found.append(Piece("item", cell, 60))
    return found


def shown(slide: list[Piece]) -> list[NotebookNode]:
    """Give the cells of a slide, with the size of its letters."""
    size = code_size(slide)
    alone = all(piece.kind == "lead" for piece in slide)
    alone = alone and 1.9 * sum(piece.height for piece in slide) + 70 < ROOM
    caption = sum(piece.height for piece in slide if piece.kind == "caption")
    for piece in slide:
        if piece.kind in ("code", "output"):
            piece.cell.metadata.size = size
        if piece.kind == "figure":
            piece.cell.metadata.high = ROOM - caption
        if alone:
            piece.cell.metadata.kind = "statement"
    return [piece.cell for piece in slide]


def deck(path: Path, edition: str) -> str:
    """Give the HTML of a chapter's deck in one language."""
    exporter = SlidesExporter(
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="slides",
        filters={"markdown": markdown.render},
    )
    notebook = laid_out(notebook_files.read(path), edition)
    made = exporter.from_notebook_node(notebook)[0]
    return re.sub(r'href="[^":]*?(\w+)\.ipynb', r'href="\1.html', made)


def share(folder: Path) -> None:
    """Put what all decks load into `folder`/assets: reveal.js, styles, a font."""
    assets = folder / "assets"
    assets.mkdir(parents=True, exist_ok=True)
    package = importlib.util.find_spec("sphinx_revealjs").submodule_search_locations[0]
    for name in REVEAL:
        shutil.copy2(Path(package) / "_static" / "revealjs" / name, assets)
    for name in ("book.css", "favicon.svg"):
        shutil.copy2(THEME / "static" / name, assets)
    shutil.copy2(TEMPLATES / "slides" / "slides.css", assets)
    pages = [page.read_text(encoding="utf-8") for page in folder.glob("*/*.html")]
    mathml.math_font(pages, assets / "math.woff")


def write(names: list[str], editions: list[str], build: Path = BUILD) -> list[Path]:
    """Write the decks of chapters (all, where none is named); give their paths.

    Raises
    ------
    FileNotFoundError
        If there is no chapter of that name.
    """
    paths = notebook_files.find([NOTEBOOKS / f"{name}.ipynb" for name in names])
    written = []
    for path in filter(notebook_files.is_chapter, paths):
        for edition in editions:
            target = build / edition / f"{path.stem}.html"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(deck(path, edition), encoding="utf-8")
            written.append(target)
    share(build)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Write the decks that the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="as in multitask/mmoe; without, all")
    parser.add_argument("--edition", choices=list(LANGUAGES))
    options = parser.parse_args(arguments)
    editions = [options.edition] if options.edition else list(LANGUAGES)
    try:
        written = write(options.names, editions)
    except FileNotFoundError as error:
        show(str(error), sys.stderr)
        return 1
    for path in written:
        show(notebook_files.shown(path))
    return 0


if __name__ == "__main__":
    sys.exit(main())
