"""The built site, as files: nothing missing, nothing foreign, nothing heavy."""

import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from recsys_tutorial import live
from tools.website import contents, editions, links
from tools.website.ext.live import records
from tools.workshop import notebook_files, sync

SITE = links.SITE
EDITIONS = tuple(editions.LANGUAGES)
CJK = re.compile("[\u3400-\u9fff]+")


@pytest.fixture(scope="module")
def pages():
    """All pages of the site."""
    found = links.read()
    assert found, "there is no site: run make book"
    return found


def names(edition):
    """List the files of an edition, but for what was printed from it afterwards."""
    return {
        path.relative_to(SITE / edition).as_posix()
        for path in (SITE / edition).rglob("*")
        if path.is_file() and path.suffix != ".pdf"
    }


def test_all_that_is_listed_is_there_in_each_edition():
    for edition in EDITIONS:
        assert {f"{name}.html" for name in contents.pages()} < names(edition)


def test_every_chapter_is_listed():
    found = {
        path.relative_to(notebook_files.ROOT).with_suffix("").as_posix()
        for path in notebook_files.find()
    }
    assert found == {name for name in contents.pages() if name.startswith("notebooks/")}


def test_editions_have_the_same_pages_with_the_same_anchors(pages):
    searched = {f"_static/search-{language}.js" for language in ("zh", "en")}
    assert names("zh") - searched == names("both") - searched == names("en") - searched
    for edition, languages in (("zh", ["zh"]), ("en", ["en"]), ("both", ["zh", "en"])):
        found = {f"_static/search-{language}.js" for language in languages}
        assert names(edition) & searched == found
    for name in names("zh"):
        if name.endswith(".html"):
            anchors = [
                {
                    anchor
                    for anchor in pages[(SITE / edition / name).resolve()].anchors
                    if not re.fullmatch(r"id\d+", anchor)
                }
                for edition in EDITIONS
            ]
            assert anchors[0] == anchors[1] == anchors[2], name


def test_no_internal_link_is_broken(pages):
    assert links.broken(pages) == []


def test_broken_links_would_be_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="b.html">1</a><a href="#x">2</a><a href="#y">3</a>'
        '<a href="a.html#x">4</a><a href="https://example.org/">5</a>'
        '<img src="c.png"><a href="a.html#z">6</a>'
    )
    pages = links.read(tmp_path)
    assert [found.split(": ")[1] for found in links.broken(pages)] == [
        "b.html",
        "#y",
        "c.png",
        "a.html#z",
    ]
    assert links.external(pages) == ["https://example.org/"]


def test_nothing_is_loaded_from_another_host():
    loads = re.compile(
        r"""(?:src|srcset|poster)=["'](?:https?:)?//|url\(["']?(?:https?:)?//"""
        r"""|<link[^>]+(?:stylesheet|preload|icon)[^>]+href=["'](?:https?:)?//"""
        r"""|@import|(?:fetch|import)\(["'](?:https?:)?//"""
    )
    for path in SITE.rglob("*"):
        if path.suffix in (".html", ".css", ".js", ".svg"):
            assert not loads.search(path.read_text("utf-8")), path


def test_an_edition_speaks_its_language():
    for name in contents.pages():
        for edition, lang in (("zh", "zh-CN"), ("en", "en"), ("both", "zh-CN")):
            text = (SITE / edition / f"{name}.html").read_text("utf-8")
            assert f'<html lang="{lang}"' in text
            for language in {"zh", "en"} - {edition}:
                found = f'class="lang-{language}"' in text
                assert found <= (edition == "both"), f"{edition}/{name}"
            title = re.search("<title>(.*?)</title>", text)[1]
            assert bool(CJK.search(title)) == (edition != "en")
            assert " | " not in title


def test_prompts_and_alternative_texts_speak_the_language():
    for name in contents.pages():
        if not name.startswith("notebooks/"):
            continue
        for edition in ("zh", "en"):
            text = (SITE / edition / f"{name}.html").read_text("utf-8")
            folds = re.findall('<span class="(?:show|hide)">(.*?)</span>', text)
            alts = re.findall('<img[^>]* alt="(.*?)"', text)
            assert folds
            assert all(alts)
            for phrase in folds + alts:
                assert bool(CJK.search(phrase)) == (edition == "zh"), phrase


def test_every_figure_has_its_caption():
    seen = 0
    for name in contents.pages():
        for edition in EDITIONS:
            text = (SITE / edition / f"{name}.html").read_text("utf-8")
            figures = re.findall("<figure(.*?)</figure>", text, re.S)
            assert len(figures) == text.count("<img") == text.count('class="zoom"')
            number = 0
            for figure in figures:
                shown, caption = figure.split("<figcaption>")
                assert shown.count("<img") == 1
                says = re.sub("<[^>]+>", "", caption)
                if not name.startswith("notebooks/"):
                    assert says.strip()
                    continue
                live_ = 'class="live"' in shown
                number += not live_
                assert f' id="{"live" if live_ else f"fig-{number}"}"' in shown
                names = ("互动图", "Live figure")
                if not live_:
                    names = (f"图 {number}", f"Figure {number}")
                for language, word in zip(("zh", "en"), names, strict=True):
                    there = edition in (language, "both")
                    assert (f"<strong>{word}</strong>" in caption) == there
                    assert (f"lang-{language}" in caption) == (edition == "both")
            seen += len(figures)
    assert seen > 200


def test_a_page_weighs_little():
    for edition in EDITIONS:
        for name in contents.pages():
            files = links.loaded(SITE / edition / f"{name}.html")
            assert sum(map(links.sent, files)) < 1_500_000, name


def test_what_is_told_of_papers_weighs_little():
    told = 0
    for name in contents.pages():
        for edition in EDITIONS:
            text = (SITE / edition / f"{name}.html").read_text("utf-8")
            notes = re.findall(r'<a class="cites [^>]*? title="([^"]*)"', text)
            told += len(notes)
            assert len("".join(notes).encode()) < 3_000, name
            assert len(set(notes)) == len(notes), f"{edition}/{name}: said twice"
    assert told > 200


def test_the_notebook_that_is_downloaded_is_the_notebook():
    for name in contents.pages():
        if name.startswith("notebooks/"):
            source = (notebook_files.ROOT / f"{name}.ipynb").read_bytes()
            for edition in EDITIONS:
                copy = SITE / edition / "_sources" / f"{name}.ipynb"
                assert copy.read_bytes() == source


@pytest.mark.parametrize(
    ("url", "site"),
    [
        ("https://github.com/Owner/Name", "https://owner.github.io/Name/"),
        ("https://github.com/o/o.github.io", "https://o.github.io/"),
        ("https://gitee.com/owner/name", ""),
        ("", ""),
    ],
)
def test_address_of_the_site(url, site):
    assert editions.site_url(sync.Repository(url, "main")) == site


def test_sitemap():
    url = "https://example.org/book/"
    tree = ET.fromstring(editions.sitemap(SITE, url))
    space = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}
    found = {loc.text for loc in tree.findall("s:url/s:loc", space)}
    assert found == {
        f"{url}{e}/{name}.html" for e in EDITIONS for name in contents.pages()
    }


def test_where_the_book_is_published_its_pages_say_so(tmp_path):
    url = "https://example.org/book/"
    done = subprocess.run(
        editions.command("en", tmp_path, url), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    page = tmp_path / "_build" / "html" / "book" / "data.html"
    text = page.read_text("utf-8")
    for line in (
        f'<link rel="canonical" href="{url}en/book/data.html">',
        f'<link rel="alternate" hreflang="zh-CN" href="{url}zh/book/data.html">',
        f'<link rel="alternate" hreflang="en" href="{url}en/book/data.html">',
        f'<link rel="alternate" hreflang="x-default" href="{url}">',
        f'<meta property="og:url" content="{url}en/book/data.html">',
        f'<meta property="og:image" content="{url}card.png">',
        '<meta property="og:title" content="Data and licences">',
    ):
        assert line in text


def test_what_the_editions_share_is_there():
    for name in ("index.html", "404.html", "favicon.svg", "card.png", ".nojekyll"):
        assert (SITE / name).is_file()


def test_the_site_is_built_again_when_something_changed(tmp_path):
    for name in ("_config.yml", "_toc.yml", "requirements.txt", "book/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = [editions.fingerprint("", tmp_path), editions.fingerprint("u", tmp_path)]
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "n.ipynb").write_text("x")
    found.append(editions.fingerprint("", tmp_path))
    (tmp_path / "book" / "a.md").write_text("y")
    found.append(editions.fingerprint("", tmp_path))
    assert len(set(found)) == 4
    assert editions.fingerprint("", tmp_path) == found[-1]


def test_why_a_build_failed_is_told_in_few_lines():
    output = (
        "Running Jupyter-Book v1\nSource Folder: x\n\x1b[91mExtension error:\x1b[0m\n"
        "notebooks/a, cell 3: this cell is tagged lang-zh\n"
        "Traceback (most recent call last):\n  File x\n    run()\nRuntimeError: \n"
        "=================\n\nThere was an error in building your book.\n"
    )
    assert editions.reason(output) == (
        "Extension error:\n  notebooks/a, cell 3: this cell is tagged lang-zh"
    )


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_site_hands_over_what_the_notebooks_keep(edition):
    folder = SITE / edition / "_static" / "live"
    found = 0
    for path in notebook_files.find():
        for kept in records(notebook_files.read(path)):
            numbers = (folder / f"{kept['name']}-numbers.js").read_text("utf-8")
            assert numbers == live.handed(live.payload(kept)) + "\n"
            found += 1
    assert found > 3
    for file in live.FOLDER.iterdir():
        assert (folder / file.name).read_bytes() == file.read_bytes()
