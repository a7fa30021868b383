"""Fetch a file from the web once: resumed where it broke off, verified, kept in a cache folder.

Proxy variables (``https_proxy``, ``no_proxy``, ...) are honoured, ``DELINEATE_CACHE`` moves the
cache, ``DELINEATE_OFFLINE=1`` switches the network off.
"""

import contextlib
import errno
import hashlib
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit

from filelock import FileLock
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from delineate.errors import DownloadError, OutputError

PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds before each further attempt at a broken connection
TIMEOUT = 30.0  # seconds without a single byte after which a connection counts as broken
CHUNK = 1 << 20
RETRIED = {408, 429, 500, 502, 503, 504}  # answers that may be better a second later


class _Broken(Exception):
    """The connection failed in a way that another attempt may mend."""


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to http: eight digits of a hash stop no forger."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            reason = f"{msg}, but to {newurl}, which is not https"
            raise urllib.error.HTTPError(req.full_url, code, reason, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def cache_folder() -> Path:
    """Return where fetched files are kept; it may not exist yet.

    ``DELINEATE_CACHE`` if set, else ``delineate`` in ``XDG_CACHE_HOME``, else in ``~/.cache``; the
    environment is read at every call.
    """
    if chosen := os.environ.get("DELINEATE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "delineate"


def offline() -> bool:
    """Return whether ``DELINEATE_OFFLINE`` is set (and not to 0, no or false)."""
    return os.environ.get("DELINEATE_OFFLINE", "").lower() not in ("", "0", "no", "false")


def fetch(url: str, *, sha256: str, max_bytes: int = 4 << 30, folder: Path | None = None) -> Path:
    """Return the local copy of `url`, fetching it if there is none.

    What is interrupted continues where it stopped, now or at the next call. The file appears under
    its name only when it is whole and its hash is right; several processes may ask for it at once.

    Args:
        url: An http or https address whose path ends in the file's name.
        sha256: Hexadecimal digest of the file, or its first digits (at least 8), which is what the
            names of torch's published files contain: ``resnet18-f37072fd.pth``.
        max_bytes: A file that is larger is refused.
        folder: Where to look and store, `cache_folder` by default.

    Raises:
        DownloadError: The network is off, the server refuses or fails, or the hash is wrong.
        OutputError: The file cannot be stored.
    """
    assert url.startswith(("https://", "http://")), url
    assert re.fullmatch("[0-9a-f]{8,64}", sha256), sha256
    folder = cache_folder() if folder is None else folder
    target = folder / PurePosixPath(urlsplit(url).path).name
    try:
        if _is_good(target, sha256):
            return target
        if offline():
            raise DownloadError(
                f"{target} is missing or damaged and DELINEATE_OFFLINE forbids to download it: "
                f"unset the variable, or fetch {url} on another machine and put it there."
            )
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not _is_good(target, sha256):  # else another process fetched it while we waited
                part = target.with_name(target.name + ".part")
                _transfer(url, part, target, max_bytes)
                _move_if_good(part, target, url, sha256)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            target.with_name(target.name + ".part").unlink(missing_ok=True)
        raise OutputError(
            f"cannot store {target.name} in {folder} ({error.strerror or error}): make room there, "
            "or set DELINEATE_CACHE to a folder that can be written."
        ) from error
    return target


def _is_good(path: Path, sha256: str) -> bool:
    return path.is_file() and _digest(path).startswith(sha256)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move_if_good(part: Path, target: Path, url: str, sha256: str) -> None:
    """Give the finished `part` its name, or delete it if its hash is wrong."""
    digest = _digest(part)
    if not digest.startswith(sha256):
        size = part.stat().st_size
        part.unlink()
        raise DownloadError(
            f"{url} is not the published file: its SHA-256 should start with {sha256} and is "
            f"{digest} ({size} bytes, deleted); try again, and report it if this repeats."
        )
    os.replace(part, target)


def _transfer(url: str, part: Path, target: Path, max_bytes: int) -> None:
    """Complete `part`, with a few further attempts when the connection breaks."""
    for pause in (*PAUSES, None):
        try:
            response = _open(url, part, target)
            if response is not None:
                with response:
                    _copy(response, part, url, max_bytes)
            return
        except _Broken as error:
            if pause is None:
                raise DownloadError(
                    f"could not fetch {url} in {len(PAUSES) + 1} attempts ({error}): try again "
                    f"later (it continues where it stopped), or put the file at {target}."
                ) from error
            time.sleep(pause)


def _open(url: str, part: Path, target: Path) -> http.client.HTTPResponse | None:
    """Ask for what `part` still lacks; None if the server says that it lacks nothing."""
    start = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "delineate"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    opener = urllib.request.build_opener(_NoDowngrade)  # reads the proxy variables of this moment
    try:
        response: http.client.HTTPResponse = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        if error.code in RETRIED:
            raise _Broken(f"the server answered {error.code} {error.reason}") from error
        raise DownloadError(
            f"could not fetch {url} (the server answered {error.code} {error.reason}): check the "
            f"address and your proxy, or put the file at {target}."
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error
    return response


def _copy(response: http.client.HTTPResponse, part: Path, url: str, max_bytes: int) -> None:
    """Append the answer to `part`, or begin anew if the server sends everything.

    Raises:
        _Broken: The answer stops before its announced end, or is not the range we asked for.
        DownloadError: The file is larger than allowed.
    """
    have, total = _extent(response, part)
    with part.open("ab" if have else "wb") as file, _progress(part.stem, have, total) as show:
        while max(have, total or 0) <= max_bytes and (chunk := _read(response)):
            file.write(chunk)
            have += len(chunk)
            show(have)
        file.flush()
        os.fsync(file.fileno())
    if max(have, total or 0) > max_bytes:
        part.unlink()
        raise DownloadError(
            f"{url} is not the published file: it should have at most {max_bytes} bytes and has "
            f"{max(have, total or 0)} or more; report it if this repeats."
        )
    if total is not None and have != total:
        raise _Broken(f"the connection ended after {have} of {total} bytes")


def _extent(response: http.client.HTTPResponse, part: Path) -> tuple[int, int | None]:
    """Return at which byte the answer starts and the size of the whole file, if it is told."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if span is None or int(span[1]) != part.stat().st_size:
        part.unlink()
        raise _Broken("the server sent another part of the file than the one asked for")
    return int(span[1]), None if span[2] == "*" else int(span[2])


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)  # what has arrived, so that little is lost in a break
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error)) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", "") or error or type(error).__name__)


@contextlib.contextmanager
def _progress(name: str, have: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr if that is a terminal; yield what moves it to a number of bytes."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, completed=have, total=total)
        yield lambda done: progress.update(task, completed=done)
