"""Write a file, or a folder of files, whole or not at all."""

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from delineate.errors import InputError, OutputError

_LOOKED_AT = 1 << 16  # bytes at either end of a file, where its kind is told

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
def writing_folder(
    path: str | os.PathLike[str], *, own: Mapping[str, bytes] | None = None
) -> Iterator[Path]:
    """Give a folder to fill, which gets the name `path` when the block ends well.

    The folder is a new one beside `path`: who looks at `path`, even after a crash, finds nothing or
    everything. Only with `own`, where `path` is there already, it is a new one within, whose files
    are moved to `path` at the end: whole each, and all or, should one fail, none of them. On
    failure nothing is left, and errors of the block name `path` for the new folder.

    Args:
        path: A place where there is nothing yet, or an empty folder.
        own: The files that are written, as for `check_free`. A folder with earlier ones may be
            there: they are replaced, and others are left.

    Raises:
        OutputError: There is something else, or the place cannot be written to.
    """
    path = Path(path).absolute()
    check_free(path, own=own)
    name = f".{secrets.token_hex(8)}.tmp"
    try:
        temporary = (path if own and path.is_dir() else path.parent) / name
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
        if name not in str(error):
            raise
        told = str(error).replace(str(temporary), str(path)).replace(name, path.name)
        raise type(error)(told) from error
    except OSError as error:
        raise output_error(path, error) from error


def _settle(filled: Path, path: Path) -> None:
    """Give a filled folder its name; where it lies within that, move its files there."""
    if filled.parent == path:
        _move_out(filled, path)
        return
    was_there = path.is_dir()
    if was_there:
        path.rmdir()
    try:
        os.replace(filled, path)
    except BaseException:
        if was_there:
            path.mkdir()
        raise


def _move_out(filled: Path, path: Path) -> None:
    """Move the files of a folder to the one above, all or none; what they replace is deleted."""
    replaced = filled.with_suffix(".old")
    replaced.mkdir()
    moves: list[tuple[Path, Path]] = []
    for file in sorted(filled.iterdir()):
        if os.path.lexists(path / file.name):
            moves.append((path / file.name, replaced / file.name))
        moves.append((file, path / file.name))
    begun: list[tuple[Path, Path]] = []
    try:
        for move in moves:
            begun.append(move)
            os.replace(*move)
    except BaseException:
        for old, new in reversed(begun):
            with contextlib.suppress(OSError):  # the last has not been moved
                os.replace(new, old)
        with contextlib.suppress(OSError):
            replaced.rmdir()
        raise
    shutil.rmtree(replaced, ignore_errors=True)
    filled.rmdir()


def check_free(path: str | os.PathLike[str], *, own: Mapping[str, bytes] | None = None) -> None:
    """Make sure that a folder is not there yet, is empty, or holds an earlier result.

    Args:
        path: The folder.
        own: Name of a file that will be replaced -> pattern of what tells an earlier one, found
            within 64 KiB of its beginning or its end. Of the names that are in the folder, and at
            least one must be, each needs its own.

    Raises:
        OutputError: It is not, or cannot be looked at.
    """
    folder, own = Path(path), own or {}
    if _broken_link(folder) is not None:
        raise output_error(folder, FileNotFoundError())
    try:
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return
        there = [name for name in own if os.path.lexists(folder / name)]
        others = [name for name in there if not _has(folder / name, own[name])]
    except OSError as error:
        raise output_error(folder, error) from error
    if there and not others:
        return
    earlier = f", or has the {' and '.join(own)} of an earlier run" if own else ""
    got = "a file"
    if folder.is_dir():
        got = f"one with another {others[0]}" if others else "one that holds something"
        got += " else" * (not others and bool(own))
    raise OutputError(
        f"{folder}: expected a folder that is new or empty{earlier}, got {got}: choose another "
        "place."
    )


def check_own(path: str | os.PathLike[str], mark: bytes) -> None:
    """Make sure that a file is not there yet, or has what tells an earlier one of its kind.

    Args:
        path: The file.
        mark: Pattern of that, as for `check_free`.

    Raises:
        OutputError: It is another one, or cannot be read.
    """
    file = Path(path)
    try:
        other = file.is_file() and not _has(file, mark)
    except OSError as error:
        raise output_error(file, error) from error
    if other:
        raise OutputError(
            f"{file}: expected a new file, or an earlier one of this kind to replace, got "
            "another file: choose another place."
        )


def _has(path: Path, pattern: bytes) -> bool:
    """Tell whether a file has a pattern at its beginning or at its end."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        ends = file.read(_LOOKED_AT)
        if re.search(pattern, ends, re.DOTALL):
            return True
        file.seek(max(path.stat().st_size - _LOOKED_AT, 0))
        return bool(re.search(pattern, file.read(), re.DOTALL))


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
    why, advice = error.strerror or error, _ADVICE.get(error.errno or 0, "choose another place")
    if (link := _broken_link(Path(path))) is not None:
        why, advice = f"{link} is a link that leads nowhere", "remove it, or choose another place"
    elif error.errno == errno.ENOENT and Path(path).parent.is_dir():  # as in /proc
        advice = _ADVICE[errno.EACCES]
    return OutputError(f"{os.fspath(path)} cannot be written ({why}): {advice}.")


def _broken_link(path: Path) -> Path | None:
    """Return a symbolic link on the way to a place, or there, behind which there is nothing."""
    way = (path, *path.parents)
    return next((p for p in way if os.path.islink(p) and not os.path.exists(p)), None)


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
