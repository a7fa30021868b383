"""Find the file of a picture, and compare it with what its annotations say."""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

from delineate.core.boxes import Size
from delineate.core.image import IMAGE_SUFFIXES, check_file, stored_size
from delineate.data.sample import ImageRecord
from delineate.errors import DataError

FORBIDDEN = "forbidden_picture"
"""The kind of `Problem` that is a picture, or its folder, which this user may not read."""

_ABSOLUTE = re.compile(r"/|[A-Za-z]:/|[A-Za-z][A-Za-z0-9+.-]*://")
_LOWER = (".jpg", *(suffix for suffix in IMAGE_SUFFIXES if suffix != ".jpg"))
_SUFFIXES = (*_LOWER, *(suffix.upper() for suffix in _LOWER))  # the most frequent first
_THREADS = 8  # looking at files is waiting, most of all on network disks
_QUICK = 1e-3  # seconds an item, below which threads cost more than they save
_AT_ONCE = 64  # handing a task to a thread costs more than looking at a file that is in memory

In = TypeVar("In")
Out = TypeVar("Out")


class Broken(Exception):
    """A record is broken: why, what to do about it, and what sort of fault it is.

    `kind` and `got` are those of `delineate.data.sample.Problem`.
    """

    def __init__(
        self, why: str, fix: str, kind: str = "broken_record", got: int | None = None
    ) -> None:
        super().__init__(why)
        self.why, self.fix, self.kind, self.got = why, fix, kind, got

    @classmethod
    def by(cls, error: DataError, kind: str = "broken_record") -> "Broken":
        """Divide a sentence of core, which ends with the remedy after a colon."""
        why, _, fix = str(error).rpartition(": ")
        return cls(why, fix.rstrip("."), kind)


def in_threads(function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
    """Apply a function that waits for files to every item; keep the order.

    Several threads wait at once, unless the first items show that there is nothing to wait for:
    then threads would only be in one another's way.
    """
    waiting = iter(items)
    begun = time.perf_counter()
    done = [function(item) for item in itertools.islice(waiting, _AT_ONCE)]
    if time.perf_counter() - begun < _QUICK * len(done):
        return done + [function(item) for item in waiting]
    parts = iter(lambda: list(itertools.islice(waiting, _AT_ONCE)), [])
    with ThreadPoolExecutor(_THREADS) as pool:
        more = pool.map(lambda part: [function(item) for item in part], parts)
        return [*done, *itertools.chain.from_iterable(more)]


def found(record: ImageRecord, folders: Sequence[Path]) -> ImageRecord:
    """Find an image's file and compare it with what the annotations say of it.

    Args:
        record: Its name, relative to one of the folders, and its stated size.
        folders: Where it is looked for, in this order.

    Raises:
        Broken: It is missing, unreadable, truncated, or of another size.
    """
    image_id, name = record.image_id, record.name
    path = lies_at(folder / name for folder in folders)
    size = checked_size(path, record.size)
    return ImageRecord(image_id=image_id, name=name, path=path, size=size)


def check_folder(images: Path | str | None) -> None:
    """Make sure that the folder of the pictures is one, if it is named.

    Raises:
        DataError: It is none.
    """
    if images is not None and not os.path.isdir(images):
        raise DataError(
            f"{images}: expected the folder of the pictures, found no folder there: check --images."
        )


def of_any_suffix(stem: str, folders: Sequence[Path]) -> Path | None:
    """Return the picture that a name without suffix means: the first that there is, if any.

    Args:
        stem: The name, relative to a folder.
        folders: Where it is looked for, in this order.
    """
    places = (Path(f"{folder / stem}{suffix}") for folder in folders for suffix in _SUFFIXES)
    return next((place for place in places if os.path.lexists(place)), None)


def lies_at(places: Iterable[Path]) -> Path:
    """Return the first of several places at which there is something.

    Raises:
        Broken: There is nothing at any.
    """
    empty: list[Path] = []
    for place in places:
        if os.path.lexists(place):
            return place
        empty.append(place)
    folders = list(dict.fromkeys(place.parent for place in empty))
    if shut := [f for f in folders if f.is_dir() and not os.access(f, os.X_OK)]:
        why = f"this user may not look into {shut[0]}"
        raise Broken(why, "change its permissions", FORBIDDEN)
    raise Broken(
        f"its file is missing in {' and in '.join(map(str, folders[:2]))}"
        f"{f' and {len(folders) - 2} more folders' if len(folders) > 2 else ''}",
        "put it there, or name the folder of the pictures with --images",
        "missing_picture",
    )


def local_name(name: str) -> str:
    """Return a picture's name relative to some folder, with forward slashes.

    Of an absolute path, of whatever system, and of a URL only the last part is left.
    """
    plain = name.replace("\\", "/")
    if _ABSOLUTE.match(plain):
        return plain.rstrip("/").rpartition("/")[2]
    return PurePosixPath(plain).as_posix()


def check_inside(name: str, folder: str = "the folder of images") -> None:
    """Make sure that the name of a file, relative to a folder, stays inside it.

    Raises:
        Broken: It does not.
    """
    if "/" not in name and "\\" not in name and name != "..":  # most have no folder
        return
    path = PurePath(name)
    if path.is_absolute() or ".." in path.parts:
        raise Broken(
            f"its file's name leads out of {folder}", "write the name relative to that folder"
        )


def checked_size(path: Path | bytes, stated: Size | None) -> Size:
    """Return the (height, width) of a picture, of which the header and the end are read.

    Args:
        path: Its file, or what such a file holds.
        stated: What the annotations say; None: they say nothing.

    Raises:
        Broken: It is unreadable, forbidden, truncated, or of another size than stated.
    """
    try:
        size = check_file(path)
        stored = size if stated in (None, size) else stored_size(path)
    except DataError as error:
        name = "the encoded image" if isinstance(path, bytes) else str(path)
        sentence = type(error)(str(error).replace(name, "its file"))
        forbidden = isinstance(error.__cause__, PermissionError)
        raise Broken.by(sentence, FORBIDDEN if forbidden else "unreadable_picture") from None
    if stated in (None, size):
        return size
    if stored == stated:
        raise Broken(
            f"the labels were drawn on the unrotated picture: it is stored with {_sides(stored)}, "
            f"as the annotations say, but its EXIF orientation turns it to {_sides(size)}",
            "remove the orientation from the picture, or turn the labels",
            "exif_rotated",
        )
    raise Broken(
        f"the annotations say {_sides(stated)} pixels, its file has {_sides(size)}",
        "put back the picture that the labels were drawn on, or scale the labels to this one",
        "wrong_size",
    )


def _sides(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
