"""A file appears whole or not at all, whatever the disk says."""

import errno
import os
import resource
import subprocess
import sys

import pytest

from delineate._files import check_free, check_own, write_whole, writing_folder
from delineate.errors import ConfigError, DataError, OutputError


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    write_whole(path, b"old and longer")
    write_whole(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_missing_folder(tmp_path):
    with pytest.raises(OutputError, match=r"a\.bin cannot be written \(No such .*make its folder"):
        write_whole(tmp_path / "none" / "a.bin", b"x")
    assert os.listdir(tmp_path) == []


def test_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(OutputError, match="whose parent is a folder"):
        write_whole(tmp_path / "file" / "a.bin", b"x")
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_folder_in_the_way(tmp_path):
    (tmp_path / "a.bin").mkdir()
    with pytest.raises(OutputError, match="not a folder's"):
        write_whole(tmp_path / "a.bin", b"x")
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.ENOSPC, "make room"), (errno.EACCES, "may write to"), (5, "another")],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failure_keeps_the_old_file_and_no_other(tmp_path, monkeypatch, code, advice, call):
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "a.bin"
    write_whole(path, b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError, match=advice):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_disk_that_is_really_full(tmp_path):
    """A limit on the size of files fails in the same system call as a full disk."""
    program = (
        "import sys; from delineate._files import write_whole, writing_folder\n"
        "try: write_whole(sys.argv[1], bytes(100_000))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.bin")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert run.stdout.startswith("OutputError")
    assert "File too large" in run.stdout
    assert os.listdir(tmp_path) == []


def test_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.bin", b"x")
    assert os.listdir(tmp_path) == []


# -- folders -----------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_appears_when_it_is_full(tmp_path, there):
    target = tmp_path / "sub" / "out"
    if there:
        target.mkdir(parents=True)
    with writing_folder(target) as folder:
        (folder / "a.txt").write_text("a")
        assert not target.exists() or not os.listdir(target)
    assert os.listdir(target) == ["a.txt"]
    assert os.listdir(target.parent) == ["out"]


def test_a_folder_that_fails_leaves_nothing(tmp_path):
    def fill(error):
        with writing_folder(tmp_path / "out") as folder:
            (folder / "a.txt").write_text("a")
            raise error

    for error in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fill(error)
        assert os.listdir(tmp_path) == []
    with pytest.raises(OutputError, match="make room"):
        fill(OSError(errno.ENOSPC, "No space left on device"))
    assert os.listdir(tmp_path) == []


def test_errors_in_a_folder_name_the_place_that_was_asked_for(tmp_path):
    def fill(error):
        with writing_folder(tmp_path / "out") as folder:
            raise error(f"{folder / 'a.png'}: expected less")

    for error in (DataError, ConfigError):
        with pytest.raises(error) as caught:
            fill(error)
        assert str(caught.value) == f"{tmp_path / 'out' / 'a.png'}: expected less"
    with pytest.raises(KeyError):
        fill(KeyError)


def test_a_place_that_cannot_be_looked_at(tmp_path):
    place = tmp_path / ("a" * 300)
    for own in (None, {"a.txt": b"a"}):
        with pytest.raises(OutputError, match="shorten the name"), writing_folder(place, own=own):
            pass
    assert os.listdir(tmp_path) == []


def test_an_empty_folder_stays_where_it_gets_no_name(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.EACCES, "no")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OutputError), writing_folder(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_put_back_is_not_lost(tmp_path, monkeypatch):
    replace = os.replace

    def fail(old, new):
        if ".old" not in str(new):
            raise OSError(errno.EIO, "broken")
        replace(old, new)

    (tmp_path / "a.txt").write_text("a, old")
    monkeypatch.setattr(os, "replace", fail)
    with (
        pytest.raises(OutputError, match="broken"),
        writing_folder(tmp_path, own={"a.txt": b"^a"}) as folder,
    ):
        (folder / "a.txt").write_text("a, new")
    (kept,) = tmp_path.rglob("*.txt")
    assert kept.read_text() == "a, old"


def test_only_the_ends_of_a_file_are_looked_at(tmp_path):
    for before, after, known in ((0, 10**6, True), (10**6, 0, True), (10**6, 10**6, False)):
        (tmp_path / "a").write_bytes(bytes(before) + b"mark" + bytes(after))
        if known:
            check_own(tmp_path / "a", b"mark")
            check_free(tmp_path, own={"a": b"mark"})
            continue
        with pytest.raises(OutputError, match="another file"):
            check_own(tmp_path / "a", b"mark")
        with pytest.raises(OutputError, match="with another a:"):
            check_free(tmp_path, own={"a": b"mark"})


@pytest.mark.parametrize("name", ["full", "file"])
def test_a_folder_with_something_in_it_is_left_alone(tmp_path, name):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="new or empty"), writing_folder(tmp_path / name):
        pass
    assert sorted(os.listdir(tmp_path)) == ["file", "full"]
    assert os.listdir(tmp_path / "full") == ["mine.txt"]
