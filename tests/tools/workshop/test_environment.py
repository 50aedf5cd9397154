"""Whatever can go wrong in setting up ends in one sentence, in both languages."""

import ast
import io
import sys
from collections import namedtuple
from pathlib import Path

import pytest

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
        raise sentences.explain("No matching distribution found for torch==1", root)

    monkeypatch.setattr(environment, "run", run)
    assert environment.main() == 1
    assert not (root / ".venv" / "book-stamp").exists()
    assert_one_sentence(capsys.readouterr().err, "does not have torch==1")


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
