"""Notebooks as one edition shows them: tagged cells become blocks in one language.

This happens before MyST-NB parses a notebook, on its JSON. A cell whose twin is missing
stops the build. For the blocks themselves see `bilingual.py`.
"""

import json
import re
from pathlib import Path

from sphinx.errors import ExtensionError

from tools.website.ext.bilingual import LANGUAGES, pick
from tools.website.ext.live import place
from tools.workshop.notebook_files import LIVE

FENCE = ":" * 12  # longer than any fence inside a cell


def tag_cells(notebook: dict, name: str, edition: str) -> dict:
    """Prepare a notebook for the parser, as one edition shows it.

    Markdown cells tagged with a language go between the directive's fences, or go
    altogether; so do the spans in one language inside of HTML outputs. Alternative
    texts keep the edition's half, live figures get their place, and folded solutions
    are called by their name.

    Parameters
    ----------
    notebook : dict
        A notebook as `json.loads` gives it; changed in place.
    name : str
        What to call it in an error.
    edition : {"zh", "en", "both"}
        What to keep.

    Raises
    ------
    ExtensionError
        If a cell has two languages, or its twin does not stand beside it.
    """
    cells = notebook["cells"]
    languages = [_language(cell, f"{name}, cell {i}") for i, cell in enumerate(cells)]
    i = 0
    while i < len(cells):
        if languages[i] is None:
            i += 1
            continue
        if languages[i : i + 2] != ["zh", "en"]:
            found = "lang-" + languages[i]
            raise ExtensionError(
                f"{name}, cell {i}: this cell is tagged {found}; expected is a lang-zh "
                f"cell with its lang-en twin right below it: {_start(cells[i])!r}"
            )
        for k in (i, i + 1):
            text = _text(cells[k])
            cells[k]["source"] = f"{FENCE}{{{languages[k]}}}\n{text}\n{FENCE}"
        i += 2
    for cell in cells:
        options = cell["metadata"].setdefault("mystnb", {})
        if "alt" in options.get("image", {}):
            options["image"]["alt"] = pick(options["image"]["alt"], edition)
        if "solution" in cell["metadata"].get("tags", []):
            options["code_prompt_show"] = pick("展开解答 | Show the solution", edition)
            options["code_prompt_hide"] = pick("收起解答 | Hide the solution", edition)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if LIVE in data:
                output["data"] = data = {"text/html": place(data[LIVE]["name"])}
            if "text/html" in data:
                text = keep_html("".join(data["text/html"]), edition)
                data["text/html"] = tidy_table(text)
        if is_imports(cell):
            tags = cell["metadata"].setdefault("tags", [])
            cell["metadata"]["tags"] = [*tags, "hide-input"]
    return notebook


def keep_html(text: str, edition: str) -> str:
    """Drop from an HTML output the spans in the other language, and the dots."""
    if edition == "both":
        return text
    other = {"zh": "en", "en": "zh"}[edition]
    dropped = rf'\s*<span class="lang-({other}|dot)"[^>]*>[^<]*</span>'
    return re.sub(dropped, "", text)


def tidy_table(text: str) -> str:
    """Say in the HTML of a pandas table what its cells are.

    Heads get their scope, an empty corner is no head, cells of words may be broken
    into lines, and the style that pandas adds to each table is left out.
    """
    text = re.sub(r"<style scoped>.*?</style>\s*", "", text, flags=re.S)
    if 'class="dataframe"' not in text:
        return text
    text = re.sub(r' halign="\w+"', "", text)  # a word that no browser knows
    head, found, body = text.partition("<tbody>")
    head = head.replace("<th></th>", "<td></td>").replace("<th>", '<th scope="col">')
    body = re.sub(r"<th\b(?! scope)", '<th scope="row"', body)
    body = re.sub(r"<(td|th)\b([^>]*)>([^<]*)", _cell_of_words, body)
    return head + found + body


def _cell_of_words(found: re.Match) -> str:
    """Mark a cell whose text is long, and can be broken into lines."""
    tag, more, text = found.groups()
    if len(text) > 16 and re.search("[ \u4e00-\u9fff]", text):
        more += ' class="words"'
    return f"<{tag}{more}>{text}"


def is_imports(cell: dict) -> bool:
    """Whether a cell imports what a chapter needs: of use to few of its readers."""
    if cell["cell_type"] != "code" or cell.get("outputs"):
        return False
    tags = cell["metadata"].get("tags", [])
    hidden = {"hide-input", "hide-cell", "solution", "check", "bootstrap"}
    lines = re.findall(r"^(?:import|from) \w", _text(cell), re.M)
    return len(lines) >= 5 and not hidden & set(tags)


def _language(cell: dict, where: str) -> str | None:
    tags = cell.get("metadata", {}).get("tags", [])
    found = [language for language in LANGUAGES if f"lang-{language}" in tags]
    if len(found) > 1:
        raise ExtensionError(f"{where}: a cell has one language, this one has {tags}")
    if found and cell["cell_type"] != "markdown":
        raise ExtensionError(f"{where}: only Markdown cells have a language")
    return found[0] if found else None


def _text(cell: dict) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _start(cell: dict) -> str:
    return " ".join(_text(cell).split())[:60]


def read_notebook(app, docname: str, source: list[str]) -> None:
    """On ``source-read``: edit a notebook before MyST-NB parses it."""
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        notebook = json.loads(source[0])
        tag_cells(notebook, docname, app.config.edition)
        source[0] = json.dumps(notebook, ensure_ascii=False)


def setup(app):
    """Edit each notebook as it is read."""
    app.connect("source-read", read_notebook)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
