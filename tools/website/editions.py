"""Build the site: three editions of the book beside each other in ``_build/site``.

``python -m tools.website.editions`` builds ``zh/``, ``en/`` and ``both/`` from one
``_config.yml``, at the same time, from the committed outputs of the notebooks. It adds
what the editions share: the page on which a reader arrives, the page for an address
that does not exist, the font of the formulas, the sitemap. The folder can be put on
any host, under any path, or be opened from a disk.

``--url`` says where the site will be published, if that is not the GitHub Pages of the
repository in ``_config.yml``; search engines and link previews want whole addresses.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Template

import yaml

from tools.website.ext import mathml
from tools.workshop import sync
from tools.workshop.notebook_files import ROOT

LANGUAGES = {"zh": "zh_CN", "en": "en", "both": "zh_CN"}
# What search engines and link previews want to know of the page of arrival.
ARRIVAL = """\
<link rel="canonical" href="{url}">
<link rel="alternate" hreflang="zh-CN" href="{url}zh/book/index.html">
<link rel="alternate" hreflang="en" href="{url}en/book/index.html">
<link rel="alternate" hreflang="x-default" href="{url}">
<meta property="og:image" content="{url}card.png">
<meta name="twitter:card" content="summary_large_image">
"""
THEME = ROOT / "tools" / "website" / "theme"
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
STATIC = re.compile(r'"(?:\.\./)*_static/([^"?#]+)')
NOT_PUBLISHED = ("objects.inv", ".buildinfo", "_sources/book", "_static")


def site_url(where: sync.Repository) -> str:
    """Give the address of a repository's GitHub Pages; empty if there are none."""
    found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", where.url)
    if not found:
        return ""
    owner, name = found.groups()
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def configuration(edition: str, url: str) -> dict:
    """Derive an edition's configuration from ``_config.yml``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    sphinx = config["sphinx"]
    sphinx["local_extensions"] = {
        name: str(ROOT / path) for name, path in sphinx["local_extensions"].items()
    }
    sphinx["config"] |= {
        "edition": edition,
        "language": LANGUAGES[edition],
        "site_url": url,
        "has_twins": True,
    }
    if url:
        config["html"]["baseurl"] = f"{url}{edition}/"
    return config


def command(edition: str, folder: Path, url: str) -> list[str]:
    """Give the command that builds an edition below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "_config.yml"
    text = yaml.safe_dump(configuration(edition, url), allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    return [
        *(sys.executable, "-c", JUPYTER_BOOK, "build", str(ROOT)),
        *("--config", str(path), "--toc", str(ROOT / "_toc.yml")),
        *("--path-output", str(folder), "-n", "-W", "--keep-going", "-q"),
    ]


def build(target: Path, url: str) -> int:
    """Build all editions below `target`, at the same time; give the exit status."""
    running = {
        edition: subprocess.Popen(
            command(edition, target / "editions" / edition, url),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        for edition in LANGUAGES
    }
    status = 0
    for edition, process in running.items():
        output, _ = process.communicate()
        if process.returncode:
            status = 1
            print(f"{edition}: {reason(output)}", file=sys.stderr)
    return status


def reason(output: str) -> str:
    """Give the lines of a failed build that say why; without the tracebacks."""
    output = re.sub(r"\x1b\[[\d;]*m", "", output)
    noise = r"\s{2,}File |\s{4}|Traceback|Runtime|={9}|During|The above|$|.* Path:"
    noise += r"|.*Folder:|Running|There was an error in building|sphinx\.errors"
    lines = [x.strip() for x in output.splitlines() if not re.match(noise, x)]
    return "\n  ".join(dict.fromkeys(lines))


def assemble(target: Path, url: str) -> None:
    """Put the built editions together in `target`/site."""
    site = target / "site"
    shutil.rmtree(site, ignore_errors=True)
    for edition in LANGUAGES:
        built = target / "editions" / edition / "_build" / "html"
        shutil.copytree(
            built, site / edition, ignore=lambda _, names: {*names} & {".doctrees"}
        )
        pages = [page.read_text(encoding="utf-8") for page in built.rglob("*.html")]
        for name in NOT_PUBLISHED:
            place = site / edition / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        for name in {name for page in pages for name in STATIC.findall(page)}:
            place = site / edition / "_static" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(built / "_static" / name, place)
        mathml.math_font(pages, site / edition / "_static" / "math.woff")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    zh, en = config["title"].split(" | ")
    links = ARRIVAL.format(url=url) if url else ""
    for name, file in (("landing", "index.html"), ("missing", "404.html")):
        page = Template((THEME / f"{name}.html").read_text(encoding="utf-8"))
        text = page.substitute(zh=zh, en=en, url=url, links=links)
        (site / file).write_text(text, encoding="utf-8")
    shutil.copy2(THEME / "static" / "favicon.svg", site)
    shutil.copy2(ROOT / "book" / "_static" / "card.png", site)
    (site / ".nojekyll").touch()  # GitHub Pages would leave out folders with _
    if url:
        (site / "sitemap.xml").write_text(sitemap(site, url), encoding="utf-8")
        (site / "robots.txt").write_text(f"Sitemap: {url}sitemap.xml\n")


def sitemap(site: Path, url: str) -> str:
    """List all pages, each with its twins in the other languages."""
    lines = []
    for page in sorted(site.glob("zh/**/*.html")):
        name = page.relative_to(site / "zh").as_posix()
        if name in ("index.html", "search.html"):
            continue
        twins = "".join(
            f'<xhtml:link rel="alternate" hreflang="{lang}" href="{url}{key}/{name}"/>'
            for key, lang in (("zh", "zh-CN"), ("en", "en"))
        )
        lines += [
            f"<url><loc>{url}{edition}/{name}</loc>{twins}</url>"
            for edition in LANGUAGES
        ]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        'xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
        + "\n".join(lines)
        + "\n</urlset>\n"
    )


def fingerprint(url: str, root: Path = ROOT) -> str:
    """Hash all that the site is made from."""
    digest = hashlib.sha256(url.encode())
    files = [root / name for name in ("_config.yml", "_toc.yml", "requirements.txt")]
    for folder in ("book", "notebooks", "tools"):
        files += sorted(p for p in (root / folder).rglob("*") if p.is_file())
    for path in files:
        if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Build the site; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="where the site will be published")
    options = parser.parse_args(arguments)
    url = site_url(sync.repository()) if options.url is None else options.url
    if url:
        url = url.rstrip("/") + "/"
    target = ROOT / "_build"
    stamp, wanted = target / "stamp", fingerprint(url)
    page = target / "site" / "index.html"
    current = page.exists() and stamp.exists() and stamp.read_text() == wanted
    if not current:
        stamp.unlink(missing_ok=True)
        # Sphinx does not notice that an extension or a template changed.
        shutil.rmtree(target / "editions", ignore_errors=True)
        if build(target, url):
            return 1
        assemble(target, url)
        stamp.write_text(wanted)
    print(f"已建好，请打开 | The book is ready, open: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
