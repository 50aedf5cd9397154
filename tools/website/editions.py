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
import os
import re
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from string import Template

import filelock
import yaml

from tools.website import contents
from tools.website.ext import mathml
from tools.workshop import sentences, sync
from tools.workshop.notebook_files import ROOT
from tools.workshop.sentences import Problem, say, show

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
PAGES = (".md", ".ipynb", ".rst", ".txt")  # what Sphinx would take for a page
SPACE_NEEDED = 3 * 10**8  # bytes, below which it is no use to begin
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
        name: in_utf8(ROOT / path) for name, path in sphinx["local_extensions"].items()
    }
    config["exclude_patterns"] += unlisted(ROOT)
    sphinx["config"] |= {
        "edition": edition,
        "language": LANGUAGES[edition],
        "site_url": url,
        "has_twins": True,
    }
    if url:
        config["html"]["baseurl"] = f"{url}{edition}/"
    return config


def in_utf8(path: Path) -> str:
    """Give a path as text, where the console's language does not know its letters."""
    return os.fsencode(path).decode("utf-8", "replace")


def unlisted(root: Path) -> list[str]:
    """Give the patterns of what is no page of the book.

    Jupyter Book looks for it with a pattern that holds the whole path, and finds
    nothing in a folder whose name has [brackets].
    """
    listed = set(contents.pages())
    patterns = [p.name for p in root.iterdir() if p.name not in ("book", "notebooks")]
    for folder in ("book", "notebooks"):
        for path in (root / folder).rglob("*"):
            name = path.relative_to(root)
            if path.suffix in PAGES and name.with_suffix("").as_posix() not in listed:
                patterns.append(name.as_posix())
    return sorted(re.sub(r"[\[*]", "?", pattern) for pattern in patterns)


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


def build(target: Path, url: str) -> None:
    """Build all editions below `target`, at the same time.

    Raises
    ------
    Problem
        If an edition could not be built: why.
    """
    running: dict[str, subprocess.Popen] = {}
    try:
        for edition in LANGUAGES:
            running[edition] = subprocess.Popen(
                command(edition, target / "editions" / edition, url),
                env=os.environ | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        outputs = {name: run.communicate()[0] for name, run in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
            process.stdout.close()
    failed = {name: outputs[name] for name, run in running.items() if run.returncode}
    if failed:
        known = sentences.find(sentences.SYSTEM, "\n".join(failed.values()), ROOT)
        for name, text in ({} if known else failed).items():
            show(f"{name}: {reason(text)}", sys.stderr)
        raise known or Problem("网站没有建成。", "The site could not be built.")


def reason(output: str) -> str:
    """Give the lines of a failed build that say why; without the tracebacks."""
    output = re.sub(r"\x1b\[[\d;]*m", "", output)
    noise = r"\s{2,}File |\s{4}|Traceback|Runtime|={9}|During|The above|$|.* Path:"
    noise += r"|.*Folder:|Running|There was an error in building|sphinx\.errors"
    lines = [x.strip() for x in output.splitlines() if not re.match(noise, x)]
    return "\n  ".join(dict.fromkeys(lines))


def assemble(target: Path, url: str) -> None:
    """Put the built editions together in `target`/site, in place of the old site."""
    site = target / "site.new"
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
        needed = {name for page in pages for name in STATIC.findall(page)}
        for later in ("search-*.js", "live/*"):  # what scripts ask for
            found = (built / "_static").glob(later)
            needed |= {str(path.relative_to(built / "_static")) for path in found}
        for name in needed:
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
    replace(target / "site", site)


def replace(old: Path, new: Path) -> None:
    """Put the folder `new` in the place of `old`, which stays until then."""
    aside = old.with_name(f"{old.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


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
    try:
        bring_up_to_date(target, url)
    except Problem as problem:
        say(problem.zh, problem.en, sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(
            "已中断；原来的网站没有动。",
            "Stopped; the old site is as it was.",
            sys.stderr,
        )
        return 130
    page = target / "site" / "index.html"
    say(f"已建好，请打开：{page}", f"The book is ready, open: {page}")
    return 0


def bring_up_to_date(target: Path, url: str) -> None:
    """Build the site below `target`, unless its stamp says that it is current.

    Raises
    ------
    Problem
        If it could not be built: why.
    """
    wanted = fingerprint(url)
    if is_current(target, wanted):
        return
    try:
        target.mkdir(exist_ok=True)
        with alone(target):
            if not is_current(target, wanted):
                make(target, url)
                (target / "stamp").write_text(wanted)
    except OSError as error:
        told = f"{type(error).__name__}: {error}"
        raise sentences.find(sentences.SYSTEM, told, ROOT) or Problem(
            f"网站没有建成（{told}）。", f"The site could not be built ({told})."
        ) from error


def is_current(target: Path, wanted: str) -> bool:
    """Whether the site below `target` is the one with this fingerprint."""
    stamp = target / "stamp"
    there = (target / "site" / "index.html").exists() and stamp.exists()
    return there and stamp.read_text() == wanted


def alone(target: Path) -> AbstractContextManager:
    """Take the lock of `target`; wait if another build has it.

    The system gives it back when its holder ends, however that comes about.
    """
    lock = filelock.FileLock(target / "lock")
    try:
        return lock.acquire(timeout=0)
    except filelock.Timeout:
        say(
            "另一个 make book 正在建站，等它结束。",
            "Another make book is at work: waiting.",
        )
        return lock.acquire()


def make(target: Path, url: str) -> None:
    """Build the editions afresh and put them together."""
    # Sphinx does not notice that an extension or a template changed.
    shutil.rmtree(target / "editions", ignore_errors=True)
    if shutil.disk_usage(target).free < SPACE_NEEDED:
        raise sentences.find(sentences.SYSTEM, "No space left on device", ROOT)
    build(target, url)
    (target / "stamp").unlink(missing_ok=True)
    assemble(target, url)


if __name__ == "__main__":
    sys.exit(main())
