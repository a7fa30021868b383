"""Formats in which a file tells of one picture, and a folder of such files is a data set."""

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from delineate.data.layouts import Source, Sources, folders

_A_FEW = 8  # files of a folder that are looked at
_MOST = 200  # files of a whole tree that are looked at


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
