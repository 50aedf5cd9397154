"""What the book says when something is wrong with a reader's machine.

One sentence in each language, whatever pip and the system had to say about it. Standard
library only, and readable for Python 3.6, as `environment.py` is.
"""

import re
import sys
import sysconfig

# Gigabytes to advise: on Linux, torch usually brings NVIDIA's libraries with it.
SPACE_ADVISED = 10 if sys.platform.startswith("linux") else 4

# What the system says on any occasion, and what it means for the reader.
SYSTEM = [
    (
        r"No space left on device|Disk quota exceeded|Errno (28|122)\b|WinError 112\b"
        r"|not enough space on the disk",
        "磁盘已满：{root} 所在的盘至少要有 {space} GB 空闲，清理后再运行一次即可。",
        "The disk is full: the drive of {root} needs {space} GB free; make room and "
        "run this again.",
    ),
    (
        r"WinError (5|32)\b",
        "有文件动不了：它正被另一个程序打开（Jupyter、编辑器、杀毒软件），或者 {root} "
        "没有写权限。关掉那些程序，或换一个可写的文件夹，再运行一次。",
        "A file cannot be changed: another program has it open (Jupyter, an editor, a "
        "virus scanner), or {root} may not be written to. Close these programs, or "
        "move the folder, and run this again.",
    ),
    (
        r"Windows Long Path support|WinError 206\b",
        "路径太长：Windows 默认只许 260 个字符。把 {root} 移到名字短的文件夹（例如 "
        "C:\\book），再运行一次。",
        "A path is too long: Windows allows 260 characters unless told otherwise. Move "
        "{root} to a folder with a short name, such as C:\\book, and run this again.",
    ),
    (
        r"Permission denied|Read-only file system|Errno (13|30)\b|Access is denied",
        "没有写权限：请把 {root} 换到一个可写的文件夹。",
        "There is no permission to write: move {root} to a folder that you may write "
        "to.",
    ),
]
# What pip (or Python's own modules) print besides, the most telling first.
INSTALLING = [
    (
        r"ensurepip is not|No module named '?(ensurepip|venv)",
        "这个 Python 不带 venv 模块：Debian 或 Ubuntu 上请先运行 "
        "apt install python{version}-venv。",
        "This Python comes without the venv module: on Debian or Ubuntu, first run "
        "apt install python{version}-venv.",
    ),
    (
        r"Missing dependencies for SOCKS support",
        "设了 SOCKS 代理，pip 用不了它：请改填代理软件的 http 端口（例如 "
        "HTTPS_PROXY=http://127.0.0.1:端口），或先 unset ALL_PROXY all_proxy，"
        "再运行一次。",
        "A SOCKS proxy is set, which pip cannot use: give the proxy's http port "
        "instead (as in HTTPS_PROXY=http://127.0.0.1:PORT), or unset ALL_PROXY "
        "all_proxy, and run this again.",
    ),
    (
        r"\b(?P<pin>\d[\w.]*) Requires-Python (?P<wanted>[^;\n]+)(?s:.*)"
        r"No matching distribution found for (?P<package>[\w.-]+==(?P=pin))",
        "{package} 要求 Python {wanted}，而这里是 {full}：请用 "
        "make PYTHON=python3.12 book 指定另一个。",
        "{package} needs Python {wanted}, and this is {full}: name another, as in "
        "make PYTHON=python3.12 book.",
    ),
    (
        r"Package '(?P<package>[^']+)' requires a different Python: \S+ not in "
        r"'(?P<wanted>[^']+)'",
        "{package} 要求 Python {wanted}，而这里是 {full}：请用 "
        "make PYTHON=python3.12 book 指定另一个。",
        "{package} needs Python {wanted}, and this is {full}: name another, as in "
        "make PYTHON=python3.12 book.",
    ),
    (
        r"DO NOT MATCH THE HASHES|BadZipFile|Wheel '[^']+' located at .+ is invalid"
        r"|incomplete-download|not enough bytes were received",
        "下载的文件是坏的：再运行一次；若仍然如此，请换一个镜像。",
        "A download arrived damaged: run this again; should that not help, use "
        "another mirror.",
    ),
    (
        r"HTTP error (?P<code>\d{3}) while getting",
        "软件包源拒绝了下载（HTTP {code}）：稍后再运行一次，或换一个镜像。",
        "The package index refused a download (HTTP {code}): run this again later, or "
        "use another mirror.",
    ),
    (
        r"is not a trusted or secure host and is being ignored",
        "pip 不用明文 http 的软件包源：请在 pip 配置里把它写成 https://，再运行一次。",
        "pip does not use an index over plain http: write it with https:// in pip's "
        "configuration and run this again.",
    ),
    (
        r"Failed to establish a new connection|Temporary failure in name resolution"
        r"|Name or service not known|getaddrinfo failed|nodename nor servname"
        r"|Network is unreachable|Connection refused|Connection reset|ConnectTimeout"
        r"|Read timed out|ReadTimeoutError|ProxyError|Connection aborted"
        r"|IncompleteRead|SSLError|CERTIFICATE_VERIFY_FAILED|WinError 100\d\d",
        "连不上软件包源：首次安装需要网络（或在 pip 配置里指定可用的镜像），"
        "连上后再运行一次即可。",
        "The package index cannot be reached: the first run needs a network (or a "
        "mirror in pip's configuration); connect and run this again.",
    ),
    (
        r"No matching distribution found for (?P<package>torch==\S+)",
        "没有适合这台机器（{machine}，{bits} 位 Python）的 {package}：它只有 Linux"
        "（x86-64 或 ARM64，glibc 2.28 以上）、macOS（Apple 芯片）和 64 位 Windows "
        "的安装包。若这台机器属于其中之一，则是所用的镜像没有同步，请换一个再试。",
        "There is no {package} for this machine ({machine}, Python of {bits} bits): "
        "it exists for Linux (x86-64 or ARM64, glibc 2.28 or later), macOS on Apple "
        "silicon and 64-bit Windows. If this is one of them, a mirror is behind; try "
        "another.",
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
    """Find out from the output of an installation what the reader has to know."""
    found = find(SYSTEM + INSTALLING, output, root, SPACE_ADVISED)
    last = (output.strip().splitlines() or ["?"])[-1].strip()
    return found or Problem(
        f"安装没有成功（{last}）；详情见 {root / '.venv' / 'install.log'}。",
        f"The installation failed ({last}); see {root / '.venv' / 'install.log'}.",
    )


def find(reasons, output, root, space=1):
    """Give the problem of the first of `reasons` that `output` shows, or None.

    `space` is how many gigabytes to advise where the disk is full.
    """
    facts = {
        "root": root,
        "space": space,
        "version": "{}.{}".format(*sys.version_info),
        "full": "{}.{}.{}".format(*sys.version_info),
        "machine": sysconfig.get_platform(),
        "bits": 64 if sys.maxsize > 2**32 else 32,
    }
    for pattern, zh, en in reasons:
        found = re.search(pattern, output)
        if found:
            facts.update(found.groupdict())
            return Problem(zh.format(**facts), en.format(**facts))
    return None


def say(zh, en, stream=None):
    """Print both languages, or the English one where the console has no Chinese."""
    stream = stream or sys.stdout
    try:
        zh.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        pass
    else:
        show(zh, stream)
    show(en, stream)


def show(text, stream=None):
    """Print a line; a character that the console does not have is shown by its code."""
    stream = stream or sys.stdout
    try:
        stream.write(text + "\n")
    except UnicodeEncodeError:
        stream.write(printable(text, stream) + "\n")
    stream.flush()


def printable(text, stream):
    """Give `text` as the console can show it."""
    encoding = stream.encoding or "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)
