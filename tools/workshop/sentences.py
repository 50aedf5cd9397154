"""What the book says when something is wrong with a reader's machine.

One sentence in each language, whatever pip and the system had to say about it. Standard
library only, and readable for Python 3.6, as `environment.py` is.
"""

import re
import sys

# Gigabytes to advise: on Linux, torch usually brings NVIDIA's libraries with it.
SPACE_ADVISED = 10 if sys.platform.startswith("linux") else 4

# What pip (or Python's own modules) print, and what it means for the reader.
REASONS = [
    (
        r"No space left on device|Errno 28\b|Disk quota exceeded|WinError 112"
        r"|not enough space on the disk",
        "磁盘已满：{root} 所在的盘至少要有 {space} GB 空闲，清理后再运行一次即可。",
        "The disk is full: the drive of {root} needs {space} GB free; make room and "
        "run this again.",
    ),
    (
        r"ensurepip is not|No module named '?(ensurepip|venv)",
        "这个 Python 不带 venv 模块：Debian 或 Ubuntu 上请先运行 "
        "apt install python{version}-venv。",
        "This Python comes without the venv module: on Debian or Ubuntu, first run "
        "apt install python{version}-venv.",
    ),
    (
        r"Failed to establish a new connection|Temporary failure in name resolution"
        r"|Name or service not known|getaddrinfo failed|nodename nor servname"
        r"|Network is unreachable|Connection refused|Connection reset|ConnectTimeout"
        r"|Read timed out|ReadTimeoutError|ProxyError|Connection aborted"
        r"|IncompleteRead|SSLError|CERTIFICATE_VERIFY_FAILED",
        "连不上软件包源：首次安装需要网络（或在 pip 配置里指定可用的镜像），"
        "连上后再运行一次即可。",
        "The package index cannot be reached: the first run needs a network (or a "
        "mirror in pip's configuration); connect and run this again.",
    ),
    (
        r"Permission denied|Read-only file system|Access is denied",
        "没有写权限：请把 {root} 换到一个可写的文件夹。",
        "There is no permission to write: move {root} to a folder that you may write "
        "to.",
    ),
    (
        r"No matching distribution found for (?P<package>[^\s]+)",
        "软件包源里没有 {package}：所用的镜像可能没有同步，请换一个再试。",
        "The package index does not have {package}: a mirror may be behind; try "
        "another.",
    ),
]


class Problem(Exception):
    """Something that the reader has to know, in both languages."""

    def __init__(self, zh, en):
        super().__init__(en)
        self.zh, self.en = zh, en


def explain(output, root):
    """Find out from a step's output what the reader has to know."""
    facts = {
        "root": root,
        "space": SPACE_ADVISED,
        "version": "{}.{}".format(*sys.version_info),
    }
    for pattern, zh, en in REASONS:
        found = re.search(pattern, output)
        if found:
            facts.update(found.groupdict())
            return Problem(zh.format(**facts), en.format(**facts))
    last = (output.strip().splitlines() or ["?"])[-1].strip()
    return Problem(
        f"安装没有成功（{last}）；详情见 {root / '.venv' / 'install.log'}。",
        f"The installation failed ({last}); see {root / '.venv' / 'install.log'}.",
    )


def say(zh, en, stream):
    """Print both languages, or the English one where the console has no Chinese."""
    for text in (zh, en):
        try:
            text.encode(stream.encoding or "ascii")
        except UnicodeEncodeError:
            continue
        stream.write(text + "\n")
    stream.flush()
