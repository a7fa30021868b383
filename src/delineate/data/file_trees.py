"""Formats in which a file tells of one picture, and a folder of such files is a data set."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, folders
from delineate.data.sample import ImageRecord
from delineate.errors import DataError

_A_FEW = 8  # files of a folder that are looked at
_MOST = 200  # files of a whole tree that are looked at
_AT_ONCE = 500  # files whose content is in memory


def find_tree(path: Path, suffix: str, is_one: Callable[[Path], bool]) -> Sources | None:
    """Find such a format; a few files are looked at, so that large folders take no time.

    A folder with files of the format is a data set with all that is below it. Else the folders of
    its splits are; else the folder is, if there are such files anywhere below it.

    Args:
        path: What the user named: a folder, or one file.
        suffix: ``.json``, in lower case.
        is_one: Whether a file is of the format.
    """
    if path.is_file():
        return {"train": Source(path)} if is_one(path) else None
    found = folders(path, lambda folder: _holds(folder, suffix, is_one, deep=folder != path))
    if found or not path.is_dir() or not _holds(path, suffix, is_one, deep=True):
        return found
    return {"train": Source(path)}


def tree_files(path: Path, suffix: str) -> list[Path]:
    """Return the files of a data set in the order of their names; hidden folders are passed over.

    Args:
        path: Its folder, or its only file.
        suffix: As for `find_tree`.
    """
    if not path.is_dir():
        return [path]
    return [
        Path(folder, name) for folder, names in _folders(path, suffix) for name in sorted(names)
    ]


class Page(Protocol):
    """What is read of a file."""

    @property
    def listed(self) -> Listed:
        """Its picture."""
        ...


AnyPage = TypeVar("AnyPage", bound=Page)


def read_tree(
    collector: Collector, path: Path, suffix: str, read: Callable[[Path], AnyPage]
) -> Iterator[tuple[AnyPage, ImageRecord]]:
    """Read the files of a data set and look at their pictures, some hundred at a time.

    Args:
        collector: Takes the pictures, and the problems.
        path: The data set's folder, or its only file.
        suffix: As for `find_tree`.
        read: Reads a file; it raises `Broken` or `DataError`.

    Yields:
        Each sound file with its sound picture; of files with the same picture the first.
    """
    top, found = folder_of(path), tree_files(path, suffix)
    for start in range(0, len(found), _AT_ONCE):
        pages: list[AnyPage] = []
        for file in found[start : start + _AT_ONCE]:
            where = f"file {file.relative_to(top).as_posix()!r}"
            with collector.judging(where, "the file left out"):
                try:
                    pages.append(read(file))
                except DataError as error:
                    raise DataError(str(error).removeprefix(f"{file}: ")) from None
        records = collector.pictures([page.listed for page in pages])
        for page in pages:
            if (record := records.pop(page.listed.name, None)) is not None:
                yield page, record


def folder_of(path: Path) -> Path:
    """Return the folder at which the names of pictures start."""
    return path if path.is_dir() else path.parent


def _holds(folder: Path, suffix: str, is_one: Callable[[Path], bool], *, deep: bool) -> bool:
    places = _folders(folder, suffix)
    few = (
        Path(place, name)
        for place, names in (places if deep else islice(places, 1))
        for name in sorted(names)[:_A_FEW]
    )
    return any(map(is_one, islice(few, _MOST)))


def _folders(top: Path, suffix: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder from `top` on, with the names of its files that end in `suffix`."""
    for folder, below, names in os.walk(top):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield folder, [name for name in names if name.lower().endswith(suffix)]
