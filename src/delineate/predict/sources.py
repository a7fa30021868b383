"""From what a user names (files, folders, patterns) to image files, in the order people expect."""

import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from delineate.core.image import IMAGE_SUFFIXES
from delineate.errors import DataError

MOST_FOLDERS = 1000
"""Subfolders that are searched for pictures which were not asked for."""


def sources(paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Iterator[Path]:
    """Yield the image files that `paths` name, each once.

    A folder stands for the images directly in it, a pattern (``shots/**/*.png``) for the files it
    matches; both in natural order: ``2.jpg`` before ``10.jpg``. A file stands for itself, whatever
    its name; whether it can be read shows when it is read.

    Args:
        paths: One of these, or several.

    Raises:
        DataError: Something named does not exist, or holds no image. All is looked at before the
            first file is yielded.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    found = [file for path in paths for file in _expand(os.fspath(path))]
    if not found:
        raise DataError("expected at least one image to work on, got none: name a file or folder.")
    once: dict[str, Path] = {}
    for file in found:
        once.setdefault(os.path.abspath(file), file)
    yield from once.values()


def in_subfolders(folder: Path) -> list[Path]:
    """Return the images below a folder that are not directly in it, without what is hidden.

    No more than the first `MOST_FOLDERS` folders are looked at.
    """
    found: list[Path] = []
    for place, folders, files in itertools.islice(os.walk(folder), MOST_FOLDERS):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if Path(place) != folder:
            found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted((p for p in found if p.suffix.lower() in IMAGE_SUFFIXES), key=_natural)


def _expand(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        files = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if not files:
            raise DataError(
                f"{name}: expected a folder with images ({', '.join(IMAGE_SUFFIXES)}), found none "
                f"directly in it: name the folder that holds them, or a pattern like "
                f"'{path / '**' / '*.jpg'}'."
            )
        return sorted(files, key=_natural)
    if path.exists():
        return [path]
    if glob.has_magic(name):
        files = [Path(p) for p in glob.glob(name, recursive=True) if os.path.isfile(p)]
        if not files:
            raise DataError(f"{name}: expected files that match, found none: check the pattern.")
        return sorted(files, key=_natural)
    raise DataError(f"{name}: expected an image, a folder or a pattern, found nothing there.")


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """Return a sort key in which numbers count by value and letters without their case."""
    parts = re.split(r"([0-9]+)", str(path))
    return [(1, int(p), p) if p.isdigit() else (0, 0, p.casefold()) for p in parts]
