"""Write down where the book is published, or check that it is written everywhere.

``python -m tools.website.address https://github.com/OWNER/NAME`` puts the repository's
address into ``_config.yml``, and from there into README.md, CITATION.cff and the
notebooks (their first code cell and their Colab badge). ``--check`` changes nothing,
and exits with 1 if README.md or CITATION.cff say something else than ``_config.yml``.
"""

import argparse
import re
import sys

from tools.website import editions
from tools.workshop import sync
from tools.workshop.notebook_files import ROOT
from tools.workshop.sentences import show

BLOCK = re.compile(r"(?<=<!-- address -->\n).*?(?=<!-- /address -->)", re.S)
UNPUBLISHED = (
    "- 本书尚未发布到网上；请在本机阅读。"
    "The book is not published yet; read it on your computer.\n"
)


def readme(text: str, where: sync.Repository) -> str:
    """Give README's text with the address in it.

    Raises
    ------
    ValueError
        If there are no marks to write between.
    """
    if not BLOCK.search(text):
        raise ValueError("README.md lacks <!-- address --> and <!-- /address -->")
    block = UNPUBLISHED
    if where.url:
        block = ""
        if site := editions.site_url(where):
            block += f"- **在线 · online**: <{site}>\n"
            block += (
                "- **Colab**: 每个笔记本的开头都有按钮 · "
                "each notebook has a button at its top\n"
            )
        block += f"- **源代码 · source**: `git clone {where.url}`\n"
    return BLOCK.sub(lambda _: block, text)


def citation(text: str, where: sync.Repository) -> str:
    """Give CITATION.cff's text with the address in it."""
    text = re.sub(r"^repository-code: .*\n", "", text, flags=re.M)
    line = f'repository-code: "{where.url}"\n' if where.url else ""
    return text.replace("license:\n", f"{line}license:\n", 1)


def configured(text: str, url: str) -> str:
    """Give the text of ``_config.yml`` with another address, and all else as it is."""
    return re.sub(
        r"^(repository:\n  url:) .*$", rf'\1 "{url}"', text, count=1, flags=re.M
    )


def main(arguments: list[str] | None = None) -> int:
    """Write or check the address; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", nargs="?", help="the repository's address")
    parser.add_argument("--check", action="store_true", help="change nothing")
    options = parser.parse_args(arguments)
    try:
        if options.url is not None:
            text = sync.CONFIG.read_text(encoding="utf-8")
            # What is no text must not reach the file; then it is no address either.
            url = options.url.encode("utf-8", "replace").decode("utf-8")
            new = configured(text, url)
            sync.CONFIG.write_text(new, encoding="utf-8")
            try:
                sync.repository()
            except ValueError:
                sync.CONFIG.write_text(text, encoding="utf-8")
                raise
        where = sync.repository()
        stale = 0
        for name, rewrite in (("README.md", readme), ("CITATION.cff", citation)):
            path = ROOT / name
            text = path.read_text(encoding="utf-8")
            new = rewrite(text, where)
            if new != text:
                stale += 1
                if options.check:
                    show(f"{name} says something else than _config.yml")
                else:
                    show(f"{name}: written")
                    path.write_text(new, encoding="utf-8")
    except ValueError as error:
        show(str(error), sys.stderr)
        return 1
    if options.check:
        return int(stale > 0)
    return sync.main([])


if __name__ == "__main__":
    sys.exit(main())
