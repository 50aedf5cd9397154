"""One HTML document of several pages of the site: what `pdf.py` prints."""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from tools.website import contents, editions, links
from tools.website.ext.bilingual import pick
from tools.workshop import sync

LANGUAGES = {"zh": "zh-CN", "en": "en", "both": "zh-CN"}
LICENCE = "文字 CC BY 4.0 · 代码 MIT | Text CC BY 4.0 · code MIT"
ARTICLE = re.compile(r"<article>(.*)</article>", re.S)
HEADING = re.compile(r"<h1>(.*?)</h1>", re.S)
ADDRESS = re.compile(r'\s(id|href|src|aria-labelledby)="([^"]*)"|(url\(#)')
DOCUMENT = """\
<!DOCTYPE html>
<html lang="{lang}" data-edition="{edition}" data-theme="light">
<head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="{css}"><style>{style}</style></head>
<body><main>{body}</main></body></html>
"""


def document(names: list[str], edition: str, site: Path, numbers=None) -> str:
    """Make one HTML document of pages of the site.

    Parameters
    ----------
    names : list of str
        Pages, as `contents.pages` gives them. More than one become a book, which has a
        title page and a table of contents.
    edition : {"zh", "en", "both"}
        Which edition.
    site : Path
        The built site.
    numbers : list of int, optional
        For the table of contents: the printed page on which each of `names` starts.
    """
    folder = (site / edition).resolve()
    ids = {folder / f"{name}.html": f"p{k}" for k, name in enumerate(names)}
    titles, chapters, style = [], [], []
    for path, own in ids.items():
        text = ARTICLE.search(path.read_text(encoding="utf-8"))[1]
        title = re.sub(r"<a .*?</a>|<[^>]+>", "", HEADING.search(text)[1])
        titles.append(title)
        running = json.dumps(html.unescape(title), ensure_ascii=False)
        style.append(f"@page {own} {{ @bottom-left {{ content: {running} }} }}")
        style.append(f"#{own} {{ page: {own} }}")
        body = moved(text, path, ids)
        chapters.append(f'<article class="chapter" id="{own}">{body}</article>')
    front = ""
    if len(names) > 1:
        front = front_matter(dict(zip(names, titles, strict=True)), edition, numbers)
    return DOCUMENT.format(
        lang=LANGUAGES[edition],
        edition=edition,
        title=pick(contents.title(), edition) if front else titles[0],
        css=(folder / "_static" / "book.css").as_uri(),
        style="\n".join(style),
        body=front + "\n".join(chapters),
    )


def moved(text: str, page: Path, ids: dict[Path, str]) -> str:
    """Let a page's links, anchors and figures hold in the common document.

    A link to what is not printed leads to the published site, if there is one.
    """
    published = editions.site_url(sync.repository())

    def change(found: re.Match) -> str:
        name, value, reference = found.groups()
        if reference:
            return f"{reference}{ids[page]}-"
        if name in ("id", "aria-labelledby"):
            return f' {name}="{ids[page]}-{value}"'
        address, anchor = urldefrag(html.unescape(value))
        if urlsplit(address).scheme:
            return found[0]
        target = (page.parent / unquote(address)).resolve() if address else page
        if name == "src":
            return f' src="{target.as_uri()}"'
        anchor = html.escape(anchor)
        if target in ids:
            return f' href="#{ids[target]}{anchor and "-" + anchor}"'
        if not published or not target.is_relative_to(links.SITE):
            return ""
        path = target.relative_to(links.SITE).as_posix()
        return f' href="{published}{path}{anchor and "#" + anchor}"'

    return ADDRESS.sub(change, text)


def front_matter(titles: dict[str, str], edition: str, numbers=None) -> str:
    """Make title page and table of contents; `titles` by the names of their pages."""
    order = list(titles)
    rows = []
    for caption, pages in contents.parts():
        kept = [name for name in pages if name in titles]
        if kept and caption:
            rows.append(f"<p>{html.escape(pick(caption, edition))}</p>")
        for name in kept:
            k = order.index(name)
            number = numbers[k] if numbers else 0
            rows.append(
                f'<a href="#p{k}"><span>{titles[name]}</span><b>{number}</b></a>'
            )
    heading = pick("目录 | Contents", edition)
    zh, en = contents.title().split(" | ")
    first, second = (en, zh) if edition == "en" else (zh, en)
    return (
        f'<div class="cover"><p>{first}</p><p>{second}</p>'
        f"<p>{pick(LICENCE, edition)}</p></div>"
        f'<nav class="contents"><h1>{heading}</h1>{"".join(rows)}</nav>'
    )
