"""What the page template needs to know beyond what Sphinx tells it."""

import html
import re
import struct
from itertools import count
from pathlib import Path
from urllib.parse import unquote

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode

from tools.website.ext.bilingual import Block, pick
from tools.website.ext.shades import PICTURE

EDITIONS = {
    "zh": ("中文", "中", "zh-CN"),
    "en": ("English", "En", "en"),
    "both": ("双语", "双", "zh-CN"),  # Chinese with English below
}
DESCRIPTION_LENGTH = 150
IMAGE = re.compile(r'<img\b[^>]*\bsrc="(?P<address>[^":]*_images/[^"]+)"[^>]*>')
TABLE = re.compile(r'<table class="[^"]*docutils.*?</table>', re.S)


def add_context(app, pagename, templatename, context, doctree) -> None:
    """On ``html-page-context``: add to what the template can use.

    * ``say(zh, en)``: a phrase of the interface in the edition's language;
    * ``switch``: this page in the three editions; empty where there is one edition;
    * ``notebook``: the addresses of this notebook, if the page is one;
    * ``description``: the start of the text, for search engines and link previews.
    """
    edition = app.config.edition
    context["edition"] = edition
    context["editions"] = EDITIONS
    context["say"] = lambda zh, en: pick(f"{zh} | {en}", edition)
    context["title"] = re.sub("<[^>]+>", "", context.get("title") or "")
    context["html_lang"] = EDITIONS[edition][-1]
    context["description"] = description(doctree, edition) if doctree else ""
    options = app.config.html_theme_options
    if "body" in context:
        context["body"] = mended(context["body"], app.builder, context["say"])
    context["site_url"] = app.config.site_url
    context["repository"] = options.get("repository_url", "")
    branch = options.get("repository_branch", "main")

    up = "../" * (pagename.count("/") + 1)
    page = pagename + app.builder.out_suffix
    context["switch"] = (
        [
            {
                "edition": key,
                "name": name,
                "short": short,
                "lang": lang,
                "href": f"{up}{key}/{page}",
                "url": f"{app.config.site_url}{key}/{page}",
            }
            for key, (name, short, lang) in EDITIONS.items()
        ]
        if app.config.has_twins
        else []
    )
    source = context.get("sourcename") or ""
    if source.endswith(".ipynb"):
        _, _, name = context["repository"].rstrip("/").partition("github.com/")
        context["notebook"] = {
            "download": "_sources/" + source,
            "file": Path(source).name,
            "colab": name
            and f"https://colab.research.google.com/github/{name}/blob/{branch}/{source}",
        }


def mended(body: str, builder, say) -> str:
    """Let wide tables scroll, give images their size, speak the edition's language.

    The entries of a bibliography are no list items.
    """
    body = body.replace('role="list" class="citation', 'class="citation')
    body = body.replace(
        'title="Link to this heading"',
        f'title="{say("本节的链接", "Link to this section")}"',
    )
    body = TABLE.sub(r'<div class="wide-table">\g<0></div>', body)
    files = {name: Path(path) for path, name in builder.images.items()}
    number = count()
    return IMAGE.sub(lambda found: image(found, files, next(number)), body)


def image(found: re.Match, files: dict[str, Path], number: int) -> str:
    """Write an image with its size; it loads when it is near, and opens in full."""
    tag, address = found[0], found["address"]
    path = files.get(unquote(address.rpartition("/")[2]))
    size = dimensions(path) if path and path.exists() else None
    if size is None:
        return tag
    more = f' width="{size[0]}" height="{size[1]}"'
    more += ' loading="lazy"' if number else ""
    if path.suffix == ".svg":
        shaded = PICTURE in path.read_text(encoding="utf-8")
        more += f' class="{"shaded" if shaded else "drawn"}"'
    return f'<a class="zoom" href="{address}">{tag[:-1].rstrip("/ ")}{more}></a>'


def dimensions(path: Path) -> tuple[int, int] | None:
    """Give the width and height of an image in pixels; None if it does not say."""
    start = path.read_bytes()[:2000]
    if path.suffix == ".png":
        return struct.unpack(">II", start[16:24])
    sizes = re.findall(rb'\b(width|height)="([\d.]+)(?:pt|px)?"', start)
    told = {name.decode(): float(value) * 4 / 3 for name, value in reversed(sizes)}
    if len(told) < 2:
        return None
    return round(told["width"]), round(told["height"])


def description(doctree: nodes.document, edition: str) -> str:
    """Give the first sentences of a page, in the edition's first language."""
    other = "zh" if edition == "en" else "en"
    text = ""
    for paragraph in doctree.findall(nodes.paragraph):
        ancestors = [paragraph]
        while ancestors[-1].parent is not None:
            ancestors.append(ancestors[-1].parent)
        if any(isinstance(a, Block) and a["language"] == other for a in ancestors):
            continue
        if not any(isinstance(a, nodes.table) for a in ancestors):
            text += " " + " ".join(paragraph.astext().split())
        if len(text) > DESCRIPTION_LENGTH:
            return text.strip()[: DESCRIPTION_LENGTH - 1] + "…"
    return text.strip()


def _visit_hidden(self, node: HideCodeCellNode) -> None:
    """Fold a cell; MyST-NB would add an English label for screen readers."""
    show, hide = html.escape(node["prompt_show"]), html.escape(node["prompt_hide"])
    self.body.append(
        f'<details class="hide"><summary><span class="show">{show}</span>'
        f'<span class="hide">{hide}</span></summary>\n'
    )


def _depart_hidden(self, node: HideCodeCellNode) -> None:
    self.body.append("</details>\n")


def setup(app):
    """Register it, after the extensions whose work it changes."""
    app.add_config_value("site_url", "", "html")
    # Whether the editions lie beside each other, as `editions` builds them.
    app.add_config_value("has_twins", False, "html")
    app.add_node(HideCodeCellNode, override=True, html=(_visit_hidden, _depart_hidden))
    app.connect("html-page-context", add_context, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
