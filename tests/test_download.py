"""The downloader against a server on this machine that also behaves badly."""

import errno
import hashlib
import http.client
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from delineate import _download
from delineate._download import cache_folder, fetch, offline
from delineate.errors import DownloadError, OutputError

CONTENT = bytes(range(256)) * 2000  # 512 000 bytes
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = "weights.bin"


class Handler(BaseHTTPRequestHandler):
    """Answers each request as the next entry of the server's script says, then well."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers.get("Range")))
        script = self.server.script
        behave = script.pop(0) if script else Handler.serve
        behave(self)

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for key, value in ({"Content_Length": str(len(body))} | headers).items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self, content: bytes = CONTENT) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if not start:
            self.answer(200, content)
        elif start >= len(content):
            self.answer(416, b"", Content_Range=f"bytes */{len(content)}")
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206, content[start:], Content_Range=span)

    def break_off(self) -> None:
        self.answer(200, CONTENT[:200_000], Content_Length=str(len(CONTENT)))

    def break_off_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"20000\r\n" + CONTENT[:50_000])

    def ignore_range(self) -> None:
        self.answer(200, CONTENT)

    def send_other_range(self) -> None:
        self.answer(206, CONTENT[1000:], Content_Range=f"bytes 1000-511999/{len(CONTENT)}")

    def send_other_content(self) -> None:
        self.answer(200, CONTENT[::-1])

    def hang(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.server.released.wait(10)

    def hang_up(self) -> None:
        self.close_connection = True

    def send_without_end(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(20):
            self.wfile.write(CONTENT)

    def redirect(self) -> None:
        self.answer(302, b"", Location=f"/elsewhere/{NAME}")

    def redirect_to_file(self) -> None:
        self.answer(302, b"", Location="file:///etc/hostname")


def status(code: int) -> Callable[[Handler], None]:
    return lambda handler: handler.answer(code, b"no")


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Callable[[Handler], None]] = []
        self.seen: list[tuple[str, str | None]] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/files/{NAME}"

    def handle_error(self, *args: object) -> None:
        pass  # the client hung up, which is what some tests are about


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "DELINEATE_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(_download, "PAUSES", (0.0, 0.0))
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def names(folder: Path) -> set[str]:
    """What lies in the cache, without lock files."""
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}


def test_file_is_fetched_once_and_silently(server, tmp_path, capfd):
    folder = tmp_path / "made" / "on demand"
    path = fetch(server.url, sha256=SHA256, folder=folder)
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert fetch(server.url, sha256=SHA256, folder=folder) == path
    assert server.seen == [(f"/files/{NAME}", None)]
    assert names(folder) == {NAME}
    assert capfd.readouterr() == ("", "")


def test_first_digits_of_the_hash_are_enough(server, tmp_path):
    assert fetch(server.url, sha256=SHA256[:8], folder=tmp_path).read_bytes() == CONTENT


def test_query_is_no_part_of_the_name(server, tmp_path):
    assert fetch(server.url + "?download=true", sha256=SHA256, folder=tmp_path).name == NAME


def test_terminal_shows_a_bar_on_stderr(server, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes this for a terminal
    fetch(server.url, sha256=SHA256, folder=tmp_path)
    out, err = capfd.readouterr()
    assert out == ""
    assert NAME in err
    assert "512.0/512.0 kB" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", err)


@pytest.mark.parametrize("failure", [Handler.break_off, Handler.break_off_chunked])
def test_broken_connection_continues_where_it_stopped(server, tmp_path, failure):
    server.script = [failure]
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    (_, first), (_, second) = server.seen
    assert first is None
    assert re.fullmatch(r"bytes=\d{5,6}-", second)


def test_next_call_continues_too(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_download, "PAUSES", ())
    server.script = [Handler.break_off]
    with pytest.raises(DownloadError, match=r"ended after 200000 of 512000 bytes.*continues"):
        fetch(server.url, sha256=SHA256, folder=tmp_path)
    assert names(tmp_path) == {f"{NAME}.part"}
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.seen[1][1] == "bytes=200000-"
    assert names(tmp_path) == {NAME}


@pytest.mark.parametrize("answer", [Handler.ignore_range, Handler.send_other_range])
def test_range_that_is_not_granted_starts_anew(server, tmp_path, answer):
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 300_000)
    server.script = [answer]
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.seen[0][1] == "bytes=300000-"


def test_finished_part_is_only_renamed(server, tmp_path):
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT)
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.seen == [(f"/files/{NAME}", f"bytes={len(CONTENT)}-")]


@pytest.mark.parametrize("name", [NAME, f"{NAME}.part"])
def test_wrong_bytes_of_an_earlier_run_do_no_harm(server, tmp_path, name):
    (tmp_path / name).write_bytes(b"x" * 100)
    if name == NAME:
        assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    else:
        with pytest.raises(DownloadError, match="should start with"):
            fetch(server.url, sha256=SHA256, folder=tmp_path)
        assert names(tmp_path) == set()


def test_wrong_hash_deletes_the_file_and_says_both(server, tmp_path):
    server.script = [Handler.send_other_content]
    got = hashlib.sha256(CONTENT[::-1]).hexdigest()
    with pytest.raises(DownloadError, match=rf"start with {SHA256[:8]} and is {got}.*deleted"):
        fetch(server.url, sha256=SHA256[:8], folder=tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("code", [403, 404, 410])
def test_refusal_is_final(server, tmp_path, code):
    server.script = [status(code)] * 9
    with pytest.raises(DownloadError, match=rf"answered {code} .*put the file at .*{NAME}"):
        fetch(server.url, sha256=SHA256, folder=tmp_path)
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_failing_server_is_asked_again_but_not_for_ever(server, tmp_path, code):
    server.script = [status(code)]
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    (tmp_path / NAME).unlink()
    server.script = [status(code)] * 9
    server.seen.clear()
    with pytest.raises(DownloadError, match=rf"in 3 attempts \(the server answered {code} "):
        fetch(server.url, sha256=SHA256, folder=tmp_path)
    assert len(server.seen) == 3


@pytest.mark.parametrize("failure", [Handler.hang, Handler.hang_up])
def test_silence_counts_as_broken(server, tmp_path, monkeypatch, failure):
    monkeypatch.setattr(_download, "TIMEOUT", 0.2)
    server.script = [failure]
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert len(server.seen) == 2


def test_nobody_listens(server, tmp_path):
    with Server() as closed:
        url = closed.url
    with pytest.raises(DownloadError, match=r"in 3 attempts \(.*refused"):
        fetch(url, sha256=SHA256, folder=tmp_path)


def test_redirect_is_followed_to_the_web_only(server, tmp_path):
    server.script = [Handler.redirect]
    assert fetch(server.url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.seen[1][0] == f"/elsewhere/{NAME}"
    (tmp_path / NAME).unlink()
    server.script = [Handler.redirect_to_file]
    with pytest.raises(DownloadError, match="not allowed"):
        fetch(server.url, sha256=SHA256, folder=tmp_path)


def test_redirect_never_leaves_https():
    follow = _download._NoDowngrade().redirect_request
    secure = urllib.request.Request("https://a.org/x.pth")
    answer = (None, 302, "Found", http.client.HTTPMessage())
    assert follow(secure, *answer, "https://b.org/y.pth").full_url == "https://b.org/y.pth"
    with pytest.raises(urllib.error.HTTPError, match="which is not https"):
        follow(secure, *answer, "http://a.org/x.pth")
    plain = urllib.request.Request("http://127.0.0.1/x.pth")
    assert follow(plain, *answer, "http://127.0.0.1/y.pth").full_url == "http://127.0.0.1/y.pth"


@pytest.mark.parametrize("answer", [Handler.serve, Handler.send_without_end])
def test_oversized_file_is_refused(server, tmp_path, answer):
    server.script = [answer]
    with pytest.raises(DownloadError, match="at most 500000 bytes"):
        fetch(server.url, sha256=SHA256, max_bytes=500_000, folder=tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_offline_switch(server, tmp_path, monkeypatch, value):
    monkeypatch.setenv("DELINEATE_OFFLINE", value)
    with pytest.raises(DownloadError, match=rf"{tmp_path / NAME} is missing.*{server.url}"):
        fetch(server.url, sha256=SHA256, folder=tmp_path)
    assert server.seen == []
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch(server.url, sha256=SHA256, folder=tmp_path) == tmp_path / NAME


@pytest.mark.parametrize("value", ["", "0", "False", "no"])
def test_offline_switch_off(monkeypatch, value):
    monkeypatch.setenv("DELINEATE_OFFLINE", value)
    assert not offline()


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DELINEATE_CACHE", str(tmp_path / "a"))
    assert cache_folder() == tmp_path / "a"
    monkeypatch.delenv("DELINEATE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "delineate"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "delineate"


def test_proxy_variables_are_honoured(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("no_proxy", "")
    url = f"http://no-such-host.invalid/{NAME}"
    assert fetch(url, sha256=SHA256, folder=tmp_path).read_bytes() == CONTENT
    assert server.seen == [(url, None)]  # a whole address is asked of a proxy only


def test_full_disk_leaves_nothing(server, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"No space left.*DELINEATE_CACHE"):
        fetch(server.url, sha256=SHA256, folder=tmp_path)
    assert names(tmp_path) == set()


def test_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"Not a directory.*DELINEATE_CACHE"):
        fetch(server.url, sha256=SHA256, folder=tmp_path / "file" / "cache")


def test_three_processes_share_one_download(server, tmp_path):
    script = (
        "import sys; from delineate._download import fetch; fetch(sys.argv[1], sha256=sys.argv[2])"
    )
    command = [sys.executable, "-c", script, server.url, SHA256]
    environment = os.environ | {"DELINEATE_CACHE": str(tmp_path)}
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert len(server.seen) == 1
