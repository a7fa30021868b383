"""The pictures of a split of a YOLO data set, and where the labels of each are.

The labels of ``a/images/b.jpg`` are in ``a/labels/b.txt``; without a folder ``images``, they lie
beside it. A picture without labels shows nothing.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.core.image import IMAGE_SUFFIXES
from delineate.data.collect import Listed
from delineate.data.yolo_layout import CLASSES_FILE, YoloSet, plain, read_text
from delineate.errors import DataError

_LARGEST = 1 << 30  # bytes of a list of pictures
_PICTURES = {*IMAGE_SUFFIXES, ".dng", ".mpo", ".heic", ".pfm"}  # those that ultralytics takes


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture and the places at which its labels may be."""

    picture: Listed
    labels: Sequence[Path]


def label_of(picture: Path) -> Path:
    """Return where the labels of a picture are."""
    parts = list(picture.parent.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts, f"{picture.stem}.txt")


def pairs(found: YoloSet, split: str, images: Path | None) -> list[Pair]:
    """List the pictures of a split in the order of their paths, whether they have labels or not.

    Labels without a picture are listed, too, so that somebody will miss it.

    Args:
        found: The data set.
        split: One that it has.
        images: The folder in which the pictures are instead; then only those are listed that have
            labels or stand in a list of pictures.

    Raises:
        DataError: A folder or a list of pictures is not there, or the latter cannot be read.
    """
    entries: list[_Entry] = []
    for place in found.places[split]:
        if place.suffix.lower() in _PICTURES:
            entries.append(_on_list([place], images))
        elif place.suffix.lower() == ".txt":
            entries += (_on_list(places, images) for places in _listed(place, found))
        elif images is not None or place.is_dir():
            entries += _in_folder(place, images)
        else:
            raise DataError(
                f"{found.path}: expected the pictures of {split!r} in {place}, found no folder "
                "there: put them there, or correct the file's 'path'."
            )
    if not entries:
        return []
    entries.sort()
    top = os.path.commonpath([path.parent for path, _, _ in entries])
    return [
        Pair(Listed(Path(os.path.relpath(path, top)).as_posix(), places), labels)
        for path, places, labels in entries
    ]


_Entry = tuple[Path, list[Path], list[Path]]  # what names a picture, where it and its labels are


def _in_folder(folder: Path, images: Path | None) -> Iterator[_Entry]:
    """Yield each picture of a folder, and all labels that have none."""
    labels = label_of(folder / "_.jpg").parent
    stems = {}
    for file in _files(labels):
        if file.suffix.lower() == ".txt" and file.name != CLASSES_FILE:
            stems[file.relative_to(labels).with_suffix("")] = file
    pictures = [file for file in _files(images or folder) if file.suffix.lower() in _PICTURES]
    if images is None:
        for file in pictures:
            stems.pop(file.relative_to(folder).with_suffix(""), None)
            yield file, [file], [label_of(file)]
        if labels == folder:
            return  # what else lies there may be any text
    by_stem = {file.relative_to(images or folder).with_suffix(""): file for file in pictures}
    for stem, file in stems.items():
        picture = by_stem.get(stem) or by_stem.get(Path(stem.name)) or (images or folder) / stem
        yield folder / stem.with_name(picture.name), [picture], [file]


def _on_list(places: list[Path], images: Path | None) -> _Entry:
    labels = [label_of(place) for place in places]
    if images is not None:
        parts = places[0].parts[1:]
        return places[0], [images.joinpath(*parts[i:]) for i in range(len(parts))], labels
    return next(filter(Path.exists, places), places[0]), places, labels


def _listed(file: Path, found: YoloSet) -> Iterator[list[Path]]:
    """Yield the possible places of each picture that a text file lists."""
    text = read_text(file, _LARGEST)
    if text is None:
        raise DataError(
            f"{found.path}: expected a list of pictures in {file}, one a line, in UTF-8, and there "
            "is none: put it there, or correct the file's 'path'."
        )
    for line in filter(None, map(str.strip, text.splitlines())):
        # CVAT and Datumaro write "data/" before what is relative to the root.
        names = [line, line.removeprefix("data/")]
        tops = [file.parent, *found.roots]
        yield list(dict.fromkeys(plain(top / name) for name in names for top in tops))


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and those below, none of them hidden."""
    for top, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(top, name) for name in sorted(names) if not name.startswith("."))
