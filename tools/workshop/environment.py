"""Make the folder ``.venv``, with everything that the book needs, once.

``python3 -m tools.workshop.environment`` creates the virtual environment, installs what
``requirements.txt`` pins, and the book's own package. A stamp remembers what was
installed, so that the next run ends at once. Whatever can go wrong on a reader's
machine ends in one sentence; what pip has to say is in ``.venv/install.log``.

Standard library only, and readable for Python 3.6: this file is what tells a reader
that their Python is too old.
"""

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.workshop.sentences import Problem, explain, printable, say

ROOT = Path(__file__).resolve().parents[2]
OLDEST, NEWEST = (3, 11), (3, 13)
# What an import needs first: a package's own file, a module alone, compiled code.
KEY_FILE = re.compile(
    r"(.*/)?__init__\.py$|[^/]+\.py$|.*\.(so|so\.[\d.]+|pyd|dll|dylib)$"
)
SPACE_NEEDED = 3 * 10**9  # bytes, below which it is no use to begin
STEPS = 3


def main():
    """Bring ``.venv`` up to date; return the exit status."""
    try:
        check_version(sys.version_info[:2])
        bring_up_to_date(ROOT)
    except Problem as problem:
        say(problem.zh, problem.en, sys.stderr)
        return 1
    except OSError as error:
        problem = explain(str(error), ROOT)
        say(problem.zh, problem.en, sys.stderr)
        return 1
    except KeyboardInterrupt:
        say(
            "已中断；再运行一次会接着装。",
            "Stopped; run this again to go on.",
            sys.stderr,
        )
        return 130
    return 0


def check_version(version):
    """Raise `Problem` unless the book is tested with this Python."""
    if not OLDEST <= version <= NEWEST:
        given = "{}.{}".format(*version)
        raise Problem(
            f"本书需要 Python 3.11、3.12 或 3.13，而这里是 {given}："
            "请用 make PYTHON=python3.12 book 指定一个。",
            f"The book needs Python 3.11, 3.12 or 3.13, and this is {given}: "
            "name one, as in make PYTHON=python3.12 book.",
        )


def bring_up_to_date(root):
    """Create or refresh the environment, unless its stamp says that it is current.

    Parameters
    ----------
    root : Path
        The book's folder, with ``requirements.txt`` and ``pyproject.toml``.

    Raises
    ------
    Problem
        If the reader has to do something first.
    """
    folder = root / ".venv"
    stamp = folder / "book-stamp"
    wanted = fingerprint(root)
    done, missing = read_stamp(folder)
    if done == wanted and not missing and python_in(folder).exists():
        return
    if is_something_else(folder):
        raise Problem(
            f"{folder} 不是虚拟环境：请把它移走或改名。",
            f"{folder} is not a virtual environment: move it away or rename it.",
        )
    free = shutil.disk_usage(str(root)).free
    fresh = bool(missing) or not is_usable(folder)
    if fresh and free < SPACE_NEEDED:
        raise explain("No space left on device", root)

    if fresh:
        announce(1, "建立 .venv", "making .venv")
        run([sys.executable, "-m", "venv", "--clear", str(folder)], root)
    python = str(python_in(folder))
    pip = [python, "-m", "pip", "install", "--no-input", "--progress-bar", "off"]
    pip.append("--disable-pip-version-check")
    announce(
        2, "安装软件包；首次约需几分钟", "installing packages; minutes the first time"
    )
    run([*pip, "-r", "requirements.txt"], root, Progress(count_requirements(root)))
    announce(3, "安装本书的包", "installing the book's own package")
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", "."], root)
    # What differs from the start (two packages with one file) is no damage later on.
    noted = [*sorted(modules_in(folder)), *("?" + x for x in sorted(damaged(folder)))]
    stamp.write_text("\n".join([wanted, *noted]), "utf-8")


def is_something_else(folder):
    """Whether in the environment's place there is what this script did not make."""
    if not folder.is_dir():
        return folder.exists() or folder.is_symlink()
    return not (folder / "pyvenv.cfg").exists() and any(folder.iterdir())


def read_stamp(folder):
    """Give what was installed, as a fingerprint, and what is gone since then."""
    stamp = folder / "book-stamp"
    lines = stamp.read_text("utf-8").splitlines() if stamp.is_file() else []
    noted = set(lines[1:])
    gone = {name for name in noted if not name.startswith("?")} - modules_in(folder)
    gone |= {name for name in damaged(folder) if "?" + name not in noted}
    return "".join(lines[:1]), gone


def modules_in(folder):
    """List what can be imported, by the names of files and folders alone.

    Names of a release (metadata, compiled files) stay out: packages may be upgraded.
    """
    return {
        name
        for place in site_packages(folder)
        for name in os.listdir(str(place))
        if re.match(r"(?!__)\w+(\.py)?$", name)
    }


def site_packages(folder):
    """List the folders that packages are installed in."""
    places = [folder / "Lib" / "site-packages", *folder.glob("lib/python3*/site-*")]
    return [place for place in places if place.is_dir()]


def damaged(folder):
    """List the key files that are gone or cut short, by what was noted of each package.

    An emptied folder or a lost library would show minutes later, as a failed import.
    Sizes of other files are not looked at: that would take long on a slow disk.
    """
    return {
        name
        for place in site_packages(folder)
        for record in place.glob("[!~]*.dist-info/RECORD")  # ~: what pip could not move
        for name, size in key_files(record)
        if size_of(place, name) != size
    }


def key_files(record):
    """List the key files of a package, and their sizes in bytes, as pip noted them."""
    with open(str(record), encoding="utf-8", newline="") as lines:
        return [
            (line[0], int(line[2]))
            for line in csv.reader(lines)
            if len(line) == 3 and line[2] and KEY_FILE.match(line[0])
        ]


def size_of(place, name):
    """Give the size of a file below `place` in bytes, None if it is gone."""
    try:
        # as bytes: a locale may have no letters for the name
        path = os.path.join(os.fsencode(str(place)), name.encode("utf-8"))
        return os.stat(path).st_size
    except OSError:
        return None


def fingerprint(root):
    """Hash what the environment depends on: pins, package, Python, place."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    digest.update(repr((this_python(), os.fsencode(str(root)))).encode())
    return digest.hexdigest()


def python_in(folder):
    """Path of the environment's interpreter."""
    if os.name == "nt":
        return folder / "Scripts" / "python.exe"
    return folder / "bin" / "python"


def this_python():
    """Give the version and the home of the Python behind this one."""
    home = os.path.realpath(sys.base_prefix)
    return [list(sys.version_info[:3]), os.fsencode(home)]


def is_usable(folder):
    """Whether there is an environment of this very Python, made here, with a pip."""
    code = (
        "import os, pip, sys; home = os.path.realpath(sys.base_prefix); print("
        "[list(sys.version_info[:3]), os.fsencode(home)], os.fsencode(sys.prefix))"
    )
    command = [str(python_in(folder)), "-X", "utf8", "-c", code]
    try:
        answer = subprocess.check_output(command, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        return False
    wanted = "{} {}".format(this_python(), os.fsencode(str(folder)))
    return answer.decode("ascii").strip() == wanted and was_made_here(folder)


def was_made_here(folder):
    """Whether the folder is where it was made: its scripts name that place."""
    lines = (folder / "pyvenv.cfg").read_bytes().splitlines()
    made = [line for line in lines if line.startswith(b"command = ")]
    return all(line.endswith(b" " + os.fsencode(str(folder))) for line in made)


def count_requirements(root):
    """Count the packages that pip will name on its way."""
    lines = (root / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.startswith("#") for line in lines)


class Progress:
    """One line that moves on while pip works; a few lines where nobody watches."""

    def __init__(self, total):
        self.total, self.seen, self.width = total, 0, 0
        self.live = sys.stdout.isatty()

    def feed(self, line):
        """Take one line of pip's output."""
        found = re.match(
            r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line
        )
        if found:
            self.seen += 1
            self.show(f"{min(self.seen, self.total)}/{self.total} {found.group(1)}")
        elif re.match(r"\s+Downloading .*\((\d{3,} MB|[\d.]+ GB)\)", line):
            self.show(f"{self.seen}/{self.total} {line.strip()}", always=True)
        elif line.startswith("Installing collected packages"):
            self.show("unpacking", always=True)

    def show(self, text, always=False):
        """Print `text` over the line before it, or below it if it is worth a line."""
        text = printable(text, sys.stdout)
        if self.live:
            text = text[:70]
            sys.stdout.write("\r      " + text.ljust(self.width))
            self.width = len(text)
        elif always or self.seen % 60 == 0:
            sys.stdout.write("      " + text + "\n")
        sys.stdout.flush()

    def close(self):
        """End the moving line."""
        if self.live:
            sys.stdout.write("\r" + " " * (self.width + 6) + "\r")


def run(command, root, progress=None):
    """Run a step; log its output, and raise `Problem` with the reason if it fails."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
    environment["PYTHONUTF8"] = "1"
    process = subprocess.Popen(
        command,
        cwd=str(root),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines = []
    try:
        for raw in process.stdout:
            lines.append(raw.decode("utf-8", "replace"))
            if progress:
                progress.feed(lines[-1])
        status = process.wait()
    except BaseException:
        process.kill()
        raise
    finally:
        if progress:
            progress.close()
        process.stdout.close()
        keep_log(root, command, lines)
    if status:
        raise explain("".join(lines), root)


def keep_log(root, command, lines):
    """Append to the log if there is a place for it; a full disk shows elsewhere."""
    try:
        with open(str(root / ".venv" / "install.log"), "ab") as log:
            text = "$ " + " ".join(command) + "\n" + "".join(lines)
            log.write(text.encode("utf-8", "surrogateescape"))
    except OSError:
        pass


def announce(step, zh, en):
    """Say which step begins."""
    say(f"[{step}/{STEPS}] {zh}", f"[{step}/{STEPS}] {en}", sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
