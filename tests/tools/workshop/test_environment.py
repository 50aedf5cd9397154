"""Whatever can go wrong in setting up ends in one sentence, in both languages."""

import ast
import io
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.workshop import environment, sentences

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Make a book's folder; no command runs there, and the disk has room."""
    (tmp_path / "requirements.txt").write_text("# pins\ntorch==1\n\npandas==2\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: Usage(0, 0, 9e9))
    return tmp_path


@pytest.fixture
def commands(monkeypatch):
    """Record the commands that would run; making the environment makes its folder."""
    done = []

    def run(command, root, progress=None):
        done.append(command)
        if "venv" in command:
            python = environment.python_in(root / ".venv")
            python.parent.mkdir(parents=True)
            python.touch()
            (root / ".venv" / "pyvenv.cfg").touch()

    monkeypatch.setattr(environment, "run", run)
    return done


def usable(monkeypatch, answer):
    """Say whether there is an environment that works."""
    monkeypatch.setattr(environment, "is_usable", lambda folder: answer)


def test_a_first_run_makes_the_environment_and_installs(root, commands, capsys):
    assert environment.main() == 0
    venv, pins, package = commands
    assert venv[1:4] == ["-m", "venv", "--clear"]
    assert pins[-2:] == ["-r", "requirements.txt"]
    assert package[-2:] == ["--editable", "."]
    told = capsys.readouterr().out
    assert "[1/3] 建立 .venv\n[1/3] making .venv\n" in told
    assert "[3/3]" in told


def test_a_second_run_does_nothing(root, commands, capsys):
    environment.main()
    commands.clear()
    capsys.readouterr()
    assert environment.main() == 0
    assert commands == []
    assert capsys.readouterr().out == ""


def test_new_pins_are_installed_into_the_old_environment(root, commands, monkeypatch):
    environment.main()
    commands.clear()
    usable(monkeypatch, True)
    (root / "requirements.txt").write_text("torch==2\n")
    environment.main()
    assert [command[-1] for command in commands] == ["requirements.txt", "."]


def test_an_environment_of_another_python_is_made_again(root, commands, monkeypatch):
    environment.main()
    commands.clear()
    usable(monkeypatch, False)
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))

    def run(command, root, progress=None):
        commands.append(command)

    monkeypatch.setattr(environment, "run", run)
    environment.main()
    assert "--clear" in commands[0]


def test_a_failed_installation_leaves_no_stamp(root, monkeypatch, capsys):
    def run(command, root, progress=None):
        raise sentences.explain("No matching distribution found for x==1", root)

    monkeypatch.setattr(environment, "run", run)
    assert environment.main() == 1
    assert not (root / ".venv" / "book-stamp").exists()
    assert_one_sentence(capsys.readouterr().err, "does not have x==1")


def assert_one_sentence(told, expected):
    """Check that one line is told in each language, the English one as expected."""
    zh, en = told.splitlines()
    assert zh.endswith("。")
    assert expected in en
    assert "Traceback" not in told


@pytest.mark.parametrize("version", [(3, 6), (3, 10), (3, 14)])
def test_a_python_that_is_not_tested(version, root, commands, monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (*version, 1))
    assert environment.main() == 1
    told = capsys.readouterr().err
    assert_one_sentence(told, "needs Python 3.11, 3.12 or 3.13")
    assert f"{version[0]}.{version[1]}" in told
    assert commands == []


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_a_python_that_is_tested(version):
    environment.check_version(version)


def test_an_old_python_can_read_the_script():
    for module in (environment, sentences):
        text = Path(module.__file__).read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 6))


def test_a_full_disk_is_told_before_anything_is_done(
    root, commands, monkeypatch, capsys
):
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: Usage(0, 0, 1e9))
    assert environment.main() == 1
    assert_one_sentence(capsys.readouterr().err, "GB free; make room")
    assert commands == []


def test_a_folder_that_is_no_environment_is_not_touched(root, commands, capsys):
    (root / ".venv").mkdir()
    (root / ".venv" / "thesis.txt").write_text("precious")
    assert environment.main() == 1
    assert_one_sentence(capsys.readouterr().err, "is not a virtual environment")
    assert (root / ".venv" / "thesis.txt").read_text() == "precious"
    assert commands == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: [WinError 112] There is not enough space", "The disk is full"),
        ("Error: No module named 'ensurepip'", "without the venv module"),
        ("The virtual environment was not created: ensurepip is not available", "apt"),
        ("Failed to establish a new connection: [Errno -2]", "cannot be reached"),
        ("ProxyError('Cannot connect to proxy.')", "cannot be reached"),
        ("ReadTimeoutError: Read timed out.", "cannot be reached"),
        ("PermissionError: [Errno 13] Permission denied", "no permission to write"),
        ("ERROR: No matching distribution found for x==9", "does not have x==9"),
        (
            "ERROR: Could not find a version that satisfies the requirement "
            "torch==2.13.0 (from versions: 2.2.1, 2.2.2)\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "it exists for Linux (x86-64 or ARM64",
        ),
        (
            "ERROR: Ignored the following versions that require a different python "
            "version: 4.1.2 Requires-Python >=3.11.5; 4.1.3 Requires-Python >=3.12\n"
            "ERROR: Could not find a version that satisfies the requirement "
            "soupsieve==4.1.2 (from versions: 2.9.2, 2.10)\n"
            "ERROR: No matching distribution found for soupsieve==4.1.2",
            "soupsieve==4.1.2 needs Python >=3.11.5, and this is "
            + "{}.{}.{}:".format(*sys.version_info),
        ),
        (
            "ERROR: Ignored the following versions that require a different python "
            "version: 2.0 Requires-Python >=3.12\n"
            "ERROR: No matching distribution found for x==9",
            "does not have x==9",
        ),
        (
            "ERROR: Package 'recsys-tutorial' requires a different Python: 3.10.1 "
            "not in '>=3.11'",
            "recsys-tutorial needs Python >=3.11",
        ),
        (
            "ERROR: Could not install packages due to an OSError: Missing "
            "dependencies for SOCKS support.",
            "A SOCKS proxy is set",
        ),
        (
            "pip._vendor.requests.exceptions.InvalidSchema: Missing dependencies for "
            "SOCKS support.",
            "A SOCKS proxy is set",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [WinError 5] "
            "拒绝访问。: 'C:\\\\ruff.exe'\nConsider using the `--user` option or check "
            "the permissions.",
            "another program has it open",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [WinError 32] "
            "另一个程序正在使用此文件，进程无法访问。: 'C:\\\\x'",
            "another program has it open",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 13] 权限不够: "
            "'/x'\nCheck the permissions.",
            "no permission to write",
        ),
        ("OSError: [Errno 30] 只读文件系统: '/x'", "no permission to write"),
        ("OSError: [Errno 122] 超出磁盘限额", "The disk is full"),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 2] No such "
            "file or directory: 'C:\\\\x'\nHINT: This error might have occurred since "
            "this system does not have Windows Long Path support enabled.",
            "A path is too long",
        ),
        ("OSError: [WinError 206] 文件名或扩展名太长。", "A path is too long"),
        (
            "ConnectionResetError(10054, '远程主机强迫关闭了一个现有的连接。', None, "
            "10054, None)) [WinError 10054]",
            "cannot be reached",
        ),
        (
            "  ERROR: HTTP error 403 while getting https://example.org/x.whl\n"
            "ERROR: Could not install requirement x==9 because of HTTP error 403 "
            "Client Error: Forbidden for url: https://example.org/x.whl",
            "refused a download (HTTP 403)",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS "
            "FILE. If you have updated the package versions, please update the "
            "hashes.\n    x==9 from https://example.org/x.whl:\n"
            "        Expected sha256 aaaa\n             Got        bbbb",
            "arrived damaged",
        ),
        (
            "ERROR: Wheel 'x' located at /tmp/x-9-py3-none-any.whl is invalid.",
            "arrived damaged",
        ),
        (
            "WARNING: The repository located at example.org is not a trusted or "
            "secure host and is being ignored.\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "write it with https://",
        ),
        (
            "Retrying: Failed to establish a new connection\n"
            "ERROR: No matching distribution found for x==9",
            "cannot be reached",
        ),
        ("first\nERROR: something new", "failed (ERROR: something new)"),
        ("", "failed (?)"),
    ],
)
def test_what_went_wrong_is_found_in_the_output(output, expected, tmp_path):
    problem = sentences.explain(output, tmp_path)
    assert expected in problem.en
    assert problem.zh.endswith("。")
    assert "{" not in problem.zh + problem.en


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "The disk is full"),
        (PermissionError(13, "Permission denied"), "no permission to write"),
    ],
)
def test_an_error_of_the_system(error, expected, root, monkeypatch, capsys):
    def fails(root):
        raise error

    monkeypatch.setattr(environment, "bring_up_to_date", fails)
    assert environment.main() == 1
    assert_one_sentence(capsys.readouterr().err, expected)


def test_an_interrupt(root, monkeypatch, capsys):
    def interrupted(root):
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "bring_up_to_date", interrupted)
    assert environment.main() == 130
    assert_one_sentence(capsys.readouterr().err, "run this again")


def test_a_step_that_fails_is_logged_and_explained(tmp_path):
    (tmp_path / ".venv").mkdir()
    code = "print('Collecting torch'); raise SystemExit('Read timed out.')"
    with pytest.raises(sentences.Problem, match="cannot be reached"):
        environment.run([sys.executable, "-c", code], tmp_path)
    log = (tmp_path / ".venv" / "install.log").read_text()
    assert "Collecting torch" in log
    assert "Read timed out." in log


def test_a_step_that_succeeds_says_nothing(tmp_path, capfd):
    environment.run([sys.executable, "-c", "print('noise')"], tmp_path)
    assert capfd.readouterr().out == ""


def test_progress_counts_packages(root, capsys):
    progress = environment.Progress(environment.count_requirements(root))
    assert progress.total == 2
    progress.live = True
    for line in ("Collecting torch==1", "noise", "Requirement already satisfied: a"):
        progress.feed(line)
    progress.close()
    assert capsys.readouterr().out.split("\r")[1:3] == [
        "      1/2 torch",
        "      2/2 a    ",
    ]


def test_a_console_without_chinese_gets_the_english_half():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    sentences.say("已中断", "Stopped", stream)
    assert stream.buffer.getvalue() == b"Stopped\n"


def test_this_environment_is_usable_and_another_folder_is_not(tmp_path):
    assert not environment.is_usable(tmp_path)


def test_what_a_console_does_not_have_is_shown_by_its_code():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    sentences.show("open é: /书", stream)
    assert stream.buffer.getvalue() == "open é: /\\u4e66\n".encode("cp1252")


def test_a_path_that_is_no_text_is_printed():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    sentences.say("打开 /\udce4", "open /\udce4", stream)
    assert stream.buffer.getvalue() == b"open /\\udce4\n"


PROMISED = ("3.11.0", "3.12.0", "3.13.0")


def refusals(wanted):
    """List the promised versions of Python that some Requires-Python refuses."""
    return [v for v in PROMISED if v not in SpecifierSet(wanted or "")]


def test_every_pin_takes_every_python_that_is_promised():
    lines = (environment.ROOT / "requirements.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and line[0] != "#"]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    assert len(here) > 100
    for pin in here:
        found = metadata.metadata(pin.name)
        assert refusals(found.get("Requires-Python")) == [], str(pin)


def test_a_pin_that_refuses_one_would_be_found():
    assert refusals(">=3.11.5") == ["3.11.0"]
    assert refusals(">=3.11,<3.13") == ["3.13.0"]
    assert refusals(None) == []


@pytest.fixture
def made(tmp_path):
    """Make a true environment below a folder with a name in Chinese; give both."""
    folder = tmp_path / "书" / ".venv"
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True)
    site = next(iter(folder.glob("[lL]ib/**/site-packages")))
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    return folder


def test_an_environment_is_usable_until_its_folder_is_moved(made):
    assert environment.is_usable(made)
    made.parent.rename(made.parents[1] / "moved")
    assert not environment.is_usable(made.parents[1] / "moved" / ".venv")


def test_another_python_cannot_use_the_environment(made, monkeypatch):
    version = (*sys.version_info[:2], sys.version_info[2] + 1)
    monkeypatch.setattr(sys, "version_info", version)
    assert not environment.is_usable(made)


def test_a_python_from_another_place_cannot_use_the_environment(made, monkeypatch):
    monkeypatch.setattr(sys, "base_prefix", str(made.parent))
    assert not environment.is_usable(made)


@pytest.mark.parametrize("change", ["version_info", "base_prefix"])
def test_the_fingerprint_knows_the_python(change, root, monkeypatch):
    before = environment.fingerprint(root)
    other = {"version_info": (3, 11, 99), "base_prefix": "/elsewhere"}[change]
    monkeypatch.setattr(sys, change, other)
    assert environment.fingerprint(root) != before


def make_it(root, monkeypatch):
    """Let the environment be made, as if for the first time."""
    (root / ".venv" / "pyvenv.cfg").touch()
    usable(monkeypatch, True)
    python = environment.python_in(root / ".venv")
    python.parent.mkdir()
    python.touch()
    assert environment.main() == 0


def test_an_environment_that_lost_a_package_is_made_again(root, commands, monkeypatch):
    site = root / ".venv" / "lib" / "python3.11" / "site-packages"
    for name in ("yaml", "six-1.dist-info", "__pycache__", "x.cpython-311.so"):
        (site / name).mkdir(parents=True)
    (site / "six.py").touch()
    make_it(root, monkeypatch)
    assert environment.modules_in(root / ".venv") == {"yaml", "six.py"}
    for name in ("six-1.dist-info", "__pycache__", "x.cpython-311.so"):
        (site / name).rmdir()
    commands.clear()
    environment.main()
    assert commands == []
    (site / "yaml").rmdir()
    monkeypatch.setattr(environment, "run", lambda *step: commands.append(step[0]))
    environment.main()
    assert "--clear" in commands[0]


FILES = {
    "grid/__init__.py": "x = 1",
    "grid/inner/__init__.py": "",
    "grid/fast.cpython-311.so": "machine code",
    "grid/fast.cp311-win_amd64.pyd": "machine code",
    "grid/libs/libfast.so.12": "machine code",
    "网/__init__.py": "x = 1",
    "alone.py": "x = 1",
    "grid/table.txt": "1",
}
RECORD = [f"{name},sha256=x,{len(text)}" for name, text in FILES.items()]
RECORD += ["grid-1.dist-info/RECORD,,", "grid/__pycache__/x.pyc,,"]


@pytest.fixture
def site(root, commands, monkeypatch):
    """Install one package, note that in the stamp, and give its folder."""
    site = root / ".venv" / "lib" / "python3.11" / "site-packages"
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (site / "grid-1.dist-info").mkdir()
    (site / "grid-1.dist-info" / "RECORD").write_text("\n".join(RECORD), "utf-8")
    make_it(root, monkeypatch)
    commands.clear()
    assert environment.main() == 0
    assert commands == []
    monkeypatch.setattr(environment, "run", lambda *step: commands.append(step[0]))
    return site


@pytest.mark.parametrize("name", [name for name in FILES if "table" not in name])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("cut")])
def test_a_key_file_that_is_lost_or_cut_is_noticed(name, harm, site, commands):
    if (site / name).read_text() == "":
        harm = Path.unlink
    harm(site / name)
    environment.main()
    assert "--clear" in commands[0]


def test_an_emptied_package_is_noticed(site, commands):
    shutil.rmtree(site / "grid")
    (site / "grid").mkdir()
    environment.main()
    assert "--clear" in commands[0]


@pytest.mark.parametrize("folder", ["grid-1.dist-info", "~rid-1.dist-info"])
def test_a_package_that_is_upgraded_or_half_removed_is_no_damage(
    folder, site, commands
):
    (site / "grid" / "__init__.py").write_text("x = 12345")
    record = [line.replace("init__.py,sha256=x,5", "init__.py,,9") for line in RECORD]
    record += ["grid/gone.so,sha256=x,9"] if folder[0] == "~" else []
    (site / "grid-1.dist-info").rename(site / folder)
    (site / folder / "RECORD").write_text("\n".join(record), "utf-8")
    (site / "网" / "__init__.py").write_text("x = 12345")
    (site / "grid" / "table.txt").unlink()
    environment.main()
    assert commands == []


def test_what_differed_from_the_start_is_no_damage(root, site, commands, monkeypatch):
    (site / "grid" / "__init__.py").write_text("of another package")
    (root / ".venv" / "book-stamp").unlink()
    assert environment.main() == 0
    commands.clear()
    assert environment.main() == 0
    assert commands == []
    (site / "alone.py").write_text("")
    environment.main()
    assert "--clear" in commands[0]


def test_this_environment_is_whole_and_that_is_soon_known():
    start = time.perf_counter()
    folder = Path(sys.prefix)
    assert environment.damaged(folder) == set()
    assert time.perf_counter() - start < 5  # a twentieth of a second, on a free machine
    places = environment.site_packages(folder)
    records = [path for place in places for path in place.glob("*.dist-info/RECORD")]
    noted = {name for record in records for name, _ in environment.key_files(record)}
    assert {"torch/__init__.py", "six.py"} < noted


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_something_else_in_its_place(kind, root, commands, capsys):
    place = root / ".venv"
    if kind == "file":
        place.write_text("precious")
    else:
        place.symlink_to(root / "nowhere")
    assert environment.main() == 1
    assert_one_sentence(capsys.readouterr().err, "is not a virtual environment")
    assert commands == []
    assert place.is_file() == (kind == "file")


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no such locale")
def test_a_locale_without_chinese_keeps_the_environment(made):
    code = (
        "from pathlib import Path; import sys; from tools.workshop import environment;"
        "folder = Path(sys.argv[1]); assert environment.is_usable(folder);"
        "environment.keep_log(folder.parent, [sys.argv[1]], ['x'])"
    )
    command = [sys.executable, "-c", code, str(made)]
    subprocess.run(command, check=True, env=os.environ | ASCII, cwd=environment.ROOT)
    log = (made / "install.log").read_text("utf-8")
    assert log == f"$ {made}\nx"
