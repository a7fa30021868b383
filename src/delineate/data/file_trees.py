"""Formats in which a file tells of one picture, and a folder of such files is a data set."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from delineate.core.classes import ClassMap
from delineate.data.annotated import AnnotatedDataset, OnError, ReadPicture, check_on_error
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources
from delineate.data.layouts import folders as split_folders
from delineate.data.parts import Piece, add_pieces
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord
from delineate.data.unannotated import unannotated
from delineate.errors import DataError

_A_FEW = 8  # files of a folder that are looked at
_MOST = 200  # files and folders of a tree that are looked at
_DEEPEST = 2  # folders below the one named, in which files are looked for to know the format
_AT_ONCE = 500  # files whose content is in memory


def find_tree(path: Path, suffix: str, is_one: Callable[[Path], bool]) -> Sources | None:
    """Find such a format; a few files are looked at, so that large folders take no time.

    A folder with files of the format is a data set with all that is below it. Else the folders of
    its splits are; else the folder is, if there are such files in a folder not far below it.

    Args:
        path: What the user named: a folder, or one file.
        suffix: ``.json``, in lower case.
        is_one: Whether a file is of the format.

    Raises:
        DataError: There are such files both in the folder and in those of its splits, or a folder
            cannot be read.
    """
    if path.is_file():
        return {"train": Source(path)} if is_one(path) else None

    def holds(folder: Path, depth: int) -> bool:
        places = islice(_folders(folder, suffix, depth), _MOST)
        few = (Path(place, name) for place, names in places for name in sorted(names)[:_A_FEW])
        return any(map(is_one, islice(few, _MOST)))

    if not path.is_dir():
        return None
    found = split_folders(path, lambda folder: folder != path and holds(folder, _DEEPEST))
    if found and holds(path, 0):
        splits = " and ".join(f"{source.path.name}/" for source in found.values())
        raise DataError(
            f"{path}: expected annotations in the folders of its splits alone, got some beside "
            f"{splits}: move them into one of these, or name one of these."
        )
    if found:
        return found
    return {"train": Source(path)} if holds(path, _DEEPEST) else None


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


@dataclass(frozen=True, slots=True)
class Page:
    """What is read of a file: its picture, and the shapes in it."""

    listed: Listed
    pieces: Sequence[Piece]


ReadPage = Callable[[Path, Path, Sequence[Path]], Page]
"""Reads a file, given the folder at which the names of pictures start, and the folders in which
pictures are looked for instead of where its format has them. It raises `Broken` or `DataError`."""


def read_tree(
    source: Source,
    suffix: str,
    read_page: ReadPage,
    *,
    images: Path | str | None,
    on_error: OnError,
    classes: ClassMap | None = None,
    read_picture: ReadPicture | None = None,
) -> AnnotatedDataset:
    """Read a data set; the content of some hundred files is in memory at a time.

    Pictures in its folder of which no file tells are told and left out. Folders outside it may be
    those of other splits, too, and are not looked at.

    Args:
        source: Its folder, with all below it, or its only file.
        suffix: As for `find_tree`.
        read_page: Reads a file. Of several with the same picture the first counts.
        images: Folder of the pictures; None: where the format has them.
        on_error: What broken records do.
        classes: As for `delineate.data.collect.Collector`.
        read_picture: As for `delineate.data.collect.Collector.dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    check_on_error(on_error)
    path, top = source.path, folder_of(source.path)
    collector = Collector(path, classes=classes)
    folders = [] if images is None else picture_folders(path, images)
    files = tree_files(path, suffix)
    seen = _Seen(files)
    for start in range(0, len(files), _AT_ONCE):
        pages = []
        for file in files[start : start + _AT_ONCE]:
            where = f"file {file.relative_to(top).as_posix()!r}"
            with collector.judging(where, "the file left out"):
                try:
                    pages.append(read_page(file, top, folders))
                except DataError as error:
                    seen.unread.add(file.stem)
                    raise DataError(str(error).removeprefix(f"{file}: ")) from None
                except Broken:
                    seen.unread.add(file.stem)
                    raise
        records = collector.pictures([page.listed for page in pages])
        seen.add(pages, records.values())
        for page in pages:
            if (record := records.pop(page.listed.name, None)) is not None:
                add_pieces(collector, record, page.pieces)
    if path.is_dir():
        _tell_unannotated(collector, source, seen)
    name = path.resolve()
    return collector.dataset(f"{name.parent.name}/{name.stem}", on_error, read_picture)


def folder_of(path: Path) -> Path:
    """Return the folder at which the names of pictures start."""
    return path if path.is_dir() else path.parent


class _Seen:
    """What a reader has seen: where pictures lie, and of which of them a file tells."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.unread: set[str] = set()  # names without suffix of files that cannot be read
        self.places: set[str] = set()
        self.stems: dict[Path, set[str]] = {}  # of the files in each folder
        for file in files:
            self.stems.setdefault(Path(os.path.abspath(file.parent)), set()).add(file.stem)

    def add(self, pages: Iterable[Page], records: Iterable[ImageRecord]) -> None:
        """Add what some files tell of, and the sound ones among their pictures."""
        for page in pages:
            self.places.update(map(os.path.abspath, page.listed.places))
        for record in records:
            if record.path is not None:
                self.stems.setdefault(Path(os.path.abspath(record.path.parent)), set())


def _tell_unannotated(collector: Collector, source: Source, seen: _Seen) -> None:
    """Tell the pictures of which no file tells."""
    top = Path(os.path.abspath(source.path))
    for folder in sorted(seen.stems):
        if folder.is_relative_to(top):
            for picture in unannotated(folder, seen.places, seen.stems[folder] | seen.unread):
                collector.unannotated(picture.relative_to(top).as_posix())


def _folders(
    top: Path, suffix: str | tuple[str, ...], depth: int | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder from `top` on, with the names of its files that end in `suffix`.

    Links to folders are followed; a folder comes once, however many links lead to it.
    """
    seen: set[str] = set()
    for folder, below, names in os.walk(top, onerror=_refuse, followlinks=True):
        level = len(Path(folder).relative_to(top).parts)
        real = os.path.realpath(folder)
        further = (depth is None or level < depth) and real not in seen
        below[:] = sorted(name for name in below if further and not name.startswith("."))
        if real not in seen:
            yield folder, [name for name in names if name.lower().endswith(suffix)]
        seen.add(real)


def _refuse(error: OSError) -> None:
    raise DataError(
        f"{error.filename}: expected a folder of annotations, but it cannot be read "
        f"({error.strerror or error}): check its permissions, or move it away."
    )
