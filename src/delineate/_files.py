"""Write a file, or a folder of files, whole or not at all."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from delineate.errors import InputError, OutputError

_ADVICE = {
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "choose a place whose parent is a folder",
    errno.EISDIR: "choose a name that is not a folder's",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room in your quota",
    errno.EFBIG: "raise the limit of file sizes",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.ENAMETOOLONG: "shorten the name",
    errno.EROFS: "choose a folder that you may write to",
}


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Make `path` hold `data`, replacing what was there; see `writing_whole`.

    Raises:
        OutputError: The folder is missing or may not be written to, or the disk is full.
    """
    with writing_whole(path) as file:
        file.write(data)


@contextlib.contextmanager
def writing_whole(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Give a file to write, which gets the name `path` when the block ends well.

    The bytes go to a new file in the same folder, to the disk, and only then get their name: who
    reads `path`, even after a crash, finds the old content or the new. On failure nothing is left.

    Raises:
        OutputError: The folder is missing or may not be written to, or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")  # `path` may have the longest name
    try:
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise output_error(path, error) from error


@contextlib.contextmanager
def writing_folder(path: str | os.PathLike[str], *, own: str | None = None) -> Iterator[Path]:
    """Give a folder to fill, which gets the name `path` when the block ends well.

    The folder is a new one beside `path`: who looks at `path`, even after a crash, finds nothing or
    everything. On failure nothing is left, and errors of the block name `path` for the new folder.

    Args:
        path: A place where there is nothing yet, or an empty folder.
        own: A file that tells an earlier result of the same kind. A folder that holds it may be
            there: files of the same names are replaced, each whole, and others are left.

    Raises:
        OutputError: There is something else, or the place cannot be written to.
    """
    path = Path(path).absolute()
    inside = own is not None and path.is_dir()
    temporary = (path if inside else path.parent) / f".{secrets.token_hex(8)}.tmp"
    try:
        check_free(path, own=own)
        missing = [folder for folder in temporary.parents if not folder.exists()]
        try:
            temporary.mkdir(parents=True)
            yield temporary
            _settle(temporary, path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            with contextlib.suppress(OSError):
                for folder in missing:
                    folder.rmdir()
            raise
    except InputError as error:
        if temporary.name not in str(error):
            raise
        told = str(error).replace(str(temporary), str(path)).replace(temporary.name, path.name)
        raise type(error)(told) from error
    except OSError as error:
        raise output_error(path, error) from error


def _settle(filled: Path, path: Path) -> None:
    """Give a filled folder its name; where it lies within that, move its files there."""
    if filled.parent == path:
        for file in sorted(filled.iterdir()):
            os.replace(file, path / file.name)
        filled.rmdir()
        return
    if path.is_dir():
        path.rmdir()
    os.replace(filled, path)


def check_free(path: str | os.PathLike[str], *, own: str | None = None) -> None:
    """Make sure that a folder is not there yet, is empty, or holds the file `own`.

    Raises:
        OutputError: It is not.
    """
    folder = Path(path)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if own is not None and (folder / own).is_file():
        return
    earlier = "" if own is None else f", or has the {own} of an earlier run"
    got = "one that holds something" + (" else" if own else "") if folder.is_dir() else "a file"
    raise OutputError(
        f"{folder}: expected a folder that is new or empty{earlier}, got {got}: choose another "
        "place."
    )


def check_own(path: str | os.PathLike[str], mark: bytes) -> None:
    """Make sure that a file is not there yet, or has what tells an earlier one of its kind.

    Raises:
        OutputError: It is another one.
    """
    file = Path(path)
    try:
        if file.is_file() and mark not in file.read_bytes():
            raise OutputError(
                f"{file}: expected a new file, or an earlier one of this kind to replace, got "
                "another file: choose another place."
            )
    except OSError as error:
        raise output_error(file, error) from error


def check_apart(source: Path, out: Path) -> None:
    """Make sure that a new folder may be made beside what it comes from.

    Raises:
        OutputError: It is not empty, or lies in the source.
    """
    check_free(out)
    if source.is_dir() and source.resolve() in (out.resolve(), *out.resolve().parents):
        raise OutputError(
            f"{out} lies in {source}, which is not to be touched: choose a place outside of it."
        )


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """Say in one sentence why `path` cannot be written and what to do."""
    advice = _ADVICE.get(error.errno or 0, "choose another place")
    return OutputError(
        f"{os.fspath(path)} cannot be written ({error.strerror or error}): {advice}."
    )


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder for results, with those above it, and return it.

    Raises:
        OutputError: It cannot be made, or nothing can be written in it.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{secrets.token_hex(4)}.tmp"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise output_error(folder, error) from error
    return folder
