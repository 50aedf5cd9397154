"""What the book consists of, in its order: the pages that ``_toc.yml`` lists."""

import yaml

from tools.workshop import notebook_files
from tools.workshop.notebook_files import ROOT


def title() -> str:
    """Give the title of the book, as in ``中文 | English``."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return config["title"]


def parts() -> list[tuple[str, list[str]]]:
    """Give the caption of each part, and its pages; the home page has none."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [
        (part["caption"], [page["file"] for page in part["chapters"]])
        for part in toc["parts"]
    ]
    return [("", [toc["root"]]), *listed]


def pages() -> list[str]:
    """Give the names of all pages, as in ``notebooks/multitask/mmoe``."""
    return [name for _, names in parts() for name in names]


def chapters() -> list[str]:
    """Give the names of the pages that are chapters."""
    return [name for name in pages() if notebook_files.is_chapter(ROOT / name)]
