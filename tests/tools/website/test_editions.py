"""Whatever happens while the site is built ends in one sentence; the old site stays."""

import os
import signal
import subprocess
import sys
from collections import namedtuple

import filelock
import pytest
from sphinx.util.matching import Matcher

from tools.website import contents, editions
from tools.workshop import notebook_files

ROOT = notebook_files.ROOT
Usage = namedtuple("Usage", "total used free")
HELD = (
    "import filelock, sys, time\n"
    "lock = filelock.FileLock(sys.argv[1]).acquire()\n"
    "print('held', flush=True)\n"
    "time.sleep(600)"
)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Make a folder with an old site; what it is made from has changed since."""
    page = tmp_path / "_build" / "site" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text("old")
    (tmp_path / "_build" / "stamp").write_text("old")
    monkeypatch.setattr(editions, "ROOT", tmp_path)
    monkeypatch.setattr(editions, "fingerprint", lambda url: "new")
    monkeypatch.setattr(editions, "assemble", assemble)
    monkeypatch.setattr(editions.shutil, "disk_usage", lambda _: Usage(0, 0, 9e9))
    return tmp_path


def assemble(target, url):
    """Stand in for what puts the editions together."""
    (target / "site.new").mkdir()
    (target / "site.new" / "index.html").write_text("new")
    editions.replace(target / "site", target / "site.new")


def builds(monkeypatch, code):
    """Let each edition be built by a piece of Python."""
    monkeypatch.setattr(
        editions, "command", lambda *_: [sys.executable, "-c", f"import sys; {code}"]
    )


def page(root):
    """Give the text of the site's page."""
    return (root / "_build" / "site" / "index.html").read_text()


def assert_one_sentence(told, expected):
    """Check that one line is told in each language, the English one as expected."""
    zh, en = told.splitlines()
    assert zh.endswith("。")
    assert expected in en


def test_a_new_site_takes_the_place_of_the_old(root, monkeypatch, capsys):
    builds(monkeypatch, "")
    assert editions.main(["--url", ""]) == 0
    assert page(root) == "new"
    assert {p.name for p in (root / "_build").iterdir()} <= {"lock", "site", "stamp"}
    assert "The book is ready, open: " in capsys.readouterr().out
    monkeypatch.setattr(editions, "make", None)
    assert editions.main(["--url", ""]) == 0


def test_a_failed_build_keeps_the_old_site(root, monkeypatch, capsys):
    builds(monkeypatch, "sys.exit('notebooks/a: something 书')")
    assert editions.main(["--url", ""]) == 1
    told = capsys.readouterr().err
    assert "zh: notebooks/a: something 书\n" in told
    assert told.endswith("The site could not be built.\n")
    assert page(root) == "old"


@pytest.mark.parametrize("status", [0, 1])
def test_output_that_is_no_text(status, root, monkeypatch):
    builds(monkeypatch, rf"sys.stdout.buffer.write(b'\xff'); sys.exit({status})")
    assert editions.main(["--url", ""]) == status


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "WARNING: cannot copy image file: [Errno 28] No space left on device",
            "needs 1 GB free",
        ),
        ("OSError: [Errno 122] Disk quota exceeded: '/x'", "The disk is full"),
        ("PermissionError: [Errno 13] Permission denied: '/x'", "no permission"),
        ("PermissionError: [WinError 32] 另一个程序正在使用此文件", "has it open"),
    ],
)
def test_an_accident_of_the_machine(output, expected, root, monkeypatch, capsys):
    builds(monkeypatch, f"sys.exit({output!r} * 3)")
    assert editions.main(["--url", ""]) == 1
    assert_one_sentence(capsys.readouterr().err, expected)
    assert page(root) == "old"


def test_a_full_disk_is_told_before_the_build(root, monkeypatch, capsys):
    monkeypatch.setattr(editions.shutil, "disk_usage", lambda _: Usage(0, 0, 1e6))
    monkeypatch.setattr(editions, "build", None)
    assert editions.main(["--url", ""]) == 1
    assert_one_sentence(capsys.readouterr().err, "The disk is full")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "The disk is full"),
        (OSError(5, "Input/output error"), "could not be built (OSError: [Errno 5]"),
    ],
)
def test_an_error_in_putting_it_together(error, expected, root, monkeypatch, capsys):
    def fails(target, url):
        raise error

    builds(monkeypatch, "")
    monkeypatch.setattr(editions, "assemble", fails)
    assert editions.main(["--url", ""]) == 1
    assert_one_sentence(capsys.readouterr().err, expected)
    assert page(root) == "old"
    assert not (root / "_build" / "stamp").exists()


def test_an_interrupt_ends_the_builds(root, monkeypatch, capsys):
    started = []
    popen = subprocess.Popen

    class Watched(popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

        def communicate(self, *_, **__):
            raise KeyboardInterrupt

    builds(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(editions.subprocess, "Popen", Watched)
    assert editions.main(["--url", ""]) == 130
    assert_one_sentence(capsys.readouterr().err, "the old site is as it was")
    assert len(started) == 3
    assert all(process.returncode for process in started)
    assert page(root) == "old"


@pytest.fixture
def holder(root):
    """Let another process hold the lock; it is ended afterwards."""
    lock = str(root / "_build" / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", HELD, lock], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held" + os.linesep.encode()
        yield process
        process.kill()


def test_a_second_build_says_that_it_waits(root, holder, monkeypatch, capsys):
    taken = filelock.FileLock.acquire

    def acquire(lock, **options):
        if not options:  # it has come to wait
            holder.send_signal(signal.SIGTERM)
        return taken(lock, **options)

    builds(monkeypatch, "")
    monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
    assert editions.main(["--url", ""]) == 0
    assert "Another make book is at work: waiting." in capsys.readouterr().out
    assert page(root) == "new"


def test_a_build_that_was_killed_holds_nothing(root, holder, monkeypatch, capsys):
    holder.kill()
    holder.wait()
    builds(monkeypatch, "")
    assert editions.main(["--url", ""]) == 0
    assert "Another" not in capsys.readouterr().out


def test_what_the_other_build_made_is_not_made_again(root, monkeypatch):
    class Lock:
        def __enter__(self):
            (root / "_build" / "stamp").write_text("new")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(editions, "alone", lambda target: Lock())
    monkeypatch.setattr(editions, "make", None)
    assert editions.main(["--url", ""]) == 0


def test_what_is_no_page_is_left_out_by_patterns_without_the_folder(tmp_path):
    out = Matcher(editions.unlisted(ROOT))
    for name in ("README.md", "CONTRIBUTING.md", "tools", "tests", ".github"):
        assert out(name), name
    for name in contents.pages():
        assert not out(f"{name}.md"), name
        assert not out(f"{name}.ipynb"), name
    for name in ("book/extra [1].md", "notebooks/a/Untitled.ipynb", "x [2].md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "book" / "references.bib").touch()
    out = Matcher(editions.unlisted(tmp_path))
    for name in ("book/extra [1].md", "notebooks/a/Untitled.ipynb", "x [2].md"):
        assert out(name), name
    assert not out("book/references.bib")


def test_a_path_in_another_alphabet_is_written_in_utf8():
    assert editions.in_utf8(ROOT / "书") == str(ROOT / "书")
    code = (
        "import sys; from tools.website import editions; "
        "print(ascii(editions.in_utf8(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "/书"],
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ascii("/书")
