"""What the book consists of, in its order: the pages that ``_toc.yml`` lists."""

import notebook_files
import yaml
from notebook_files import ROOT


def pages() -> list[str]:
    """Give the names of all pages, as in ``notebooks/multitask/mmoe``."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [page["file"] for part in toc["parts"] for page in part["chapters"]]
    return [toc["root"], *listed]


def chapters() -> list[str]:
    """Give the names of the pages that are chapters."""
    return [name for name in pages() if notebook_files.is_chapter(ROOT / name)]
