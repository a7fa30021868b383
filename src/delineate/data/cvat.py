"""Read "CVAT for images 1.1" and "CVAT for video 1.1": one XML file, its pictures in ``images/``.

The format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/ and CVAT's
``dataset_manager/formats/cvat.py``. Shapes of the same label and group are one object. The subsets
of a project are splits. Of tracks, the frames that the file lists are taken: CVAT writes those in
between, too, and nothing is interpolated here.
"""

import mmap
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.foreign import check_size
from delineate.core.image import IMAGE_SUFFIXES
from delineate.core.xml_file import read_xml, whole_number, xml_root
from delineate.data.annotated import AnnotatedDataset, OnError, check_on_error
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector, Listed
from delineate.data.cvat_shapes import Shape, drawn
from delineate.data.layouts import Source, Sources, files, in_order, split_for, split_named
from delineate.data.parts import add_pieces
from delineate.data.pictures import Broken, of_any_suffix
from delineate.errors import DataError

_NO_SUBSET = "default"  # what CVAT calls it
_HEAD = 1 << 16
_CONTENT = re.compile(rb"<(?:meta|image|track)[\s>]")
_ELEMENT = re.compile(rb"<(?:image|track)\s[^<>]*>")
_SUBSET = re.compile(rb"""\ssubset\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_FRAME = re.compile(r"frame_(\d+)")


# -- where it is -------------------------------------------------------------------------------


def find_cvat(path: Path) -> Sources | None:
    """Find the splits of a CVAT data set; see `delineate.data.formats.Format`."""
    found = files(path, ".xml", is_cvat)
    if not found:
        return None
    subsets = {split: _subsets_in(source.path) for split, source in found.items()}
    if len(found) == 1:
        ((split, source),) = found.items()
        names = subsets[split]
        if len(names) > 1:
            splits = {split_for(source.path, name) for name in names}
            return in_order({split: Source(source.path, split) for split in splits})
        split = next(filter(None, map(split_named, names)), split)
        return {split: Source(source.path, split)}
    if several := [source.path for split, source in found.items() if len(subsets[split]) > 1]:
        raise DataError(
            f"{path}: expected one file with all subsets, or a file for each, got several files, "
            f"of which {several[0].name} has several subsets: name one of the files."
        )
    return found


def is_cvat(path: Path) -> bool:
    """Tell by its first elements whether an XML file is CVAT's."""
    if xml_root(path) != "annotations":
        return False
    with path.open("rb") as file:
        return _CONTENT.search(file.read(_HEAD)) is not None


def _subsets_in(path: Path) -> set[str]:
    """Return the subsets of a file, without parsing it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        found = (_SUBSET.search(element.group()) for element in _ELEMENT.finditer(text))
        names = {(name.group(1) or name.group(2) or b"") if name else b"" for name in found}
    return {name.decode("utf-8", "replace") or _NO_SUBSET for name in names}


# -- what is in it -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """A picture, and the shapes in it."""

    listed: Listed
    shapes: Sequence[Shape]


def read_cvat(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open an XML file of CVAT, or one of its subsets.

    Args:
        source: The file, and the split whose subset is wanted where it has several.
        images: Folder of the pictures. By default each is looked for in ``images/`` beside the
            file, then beside the file itself; in both in the folder of its subset first.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    check_on_error(on_error)
    path = source.path
    root = read_xml(path)
    if root.tag != "annotations":
        raise DataError(
            f"{path}: expected XML of CVAT (with the root annotations), got the root "
            f"{root.tag[:40]!r}: name such a file."
        )
    collector = Collector(path, classes=_classes(path, root))
    folders = picture_folders(path, images)
    listed = _of_split([*root.iterfind("image"), *root.iterfind("track")], source.split)
    frames = _images(collector, listed, folders)
    frames += _of_tracks(path, root, [e for e in listed if e.tag == "track"], folders)
    records = collector.pictures([frame.listed for frame in frames])
    for frame in frames:
        # A name that comes twice belongs to the first picture.
        if (record := records.pop(frame.listed.name, None)) is not None:
            add_pieces(collector, record, drawn(frame.shapes))
    return collector.dataset(f"{path.resolve().parent.name}/{path.stem}", on_error)


def _classes(path: Path, root: Element) -> ClassMap | None:
    """Return the labels in their order; those within a skeleton are none of their own."""
    labels = root.find("meta//labels")
    names = [
        label.findtext("name", "")
        for label in (() if labels is None else labels.iterfind("label"))
        if not label.findtext("parent", "").strip()
    ]
    try:
        return ClassMap.from_names(names) if names else None
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _subset(element: Element) -> str:
    return element.get("subset") or _NO_SUBSET


def _of_split(elements: Sequence[Element], split: str) -> list[Element]:
    """Return images and tracks of the subsets that are a split; all where there is one subset."""
    if len(set(map(_subset, elements))) < 2:
        return list(elements)
    return [element for element in elements if split_named(_subset(element)) == split]


def _images(
    collector: Collector, elements: Iterable[Element], folders: Sequence[Path]
) -> list[_Frame]:
    frames = []
    for place, element in enumerate((e for e in elements if e.tag == "image"), start=1):
        name = element.get("name") or ""
        where = f"image {name!r}" if name else f"image {place}"
        with collector.judging(where, "the image and its objects left out"):
            if not name:
                raise Broken("it names no picture", "name it")
            size = None
            if element.get("width") or element.get("height"):
                size = check_size([whole_number(element, key) for key in ("height", "width")])
            shapes = [Shape(f"shape {i}", shape, shape) for i, shape in enumerate(element, 1)]
            frames.append(_Frame(_listed(name, _places(element, folders), size), shapes))
    return frames


def _places(element: Element, folders: Sequence[Path]) -> list[Path]:
    """Return the folders in which the pictures of an image or track may be, the first first."""
    subset = element.get("subset")
    return [place for f in folders for place in ((f / subset, f) if subset else (f,))]


def _listed(name: str, folders: Sequence[Path], size: Size | None) -> Listed:
    """Say where a picture may be; that of a video's frame is named without its suffix."""
    if not name.lower().endswith(IMAGE_SUFFIXES) and (found := of_any_suffix(name, folders)):
        name += found.suffix
    return Listed(name, [folder / name for folder in folders], size)


# -- videos ------------------------------------------------------------------------------------


def _of_tracks(
    path: Path, root: Element, tracks: Sequence[Element], folders: Sequence[Path]
) -> list[_Frame]:
    """Return the frames of a video: those that have a picture, and those that tracks show."""
    if not tracks:
        return []
    if len({track.get("task_id") for track in tracks}) > 1:
        raise DataError(
            f"{path}: expected the tracks of one video, got those of several tasks, whose frames "
            "cannot be told apart: export each task on its own."
        )
    places, size = _places(tracks[0], folders), _video_size(path, root, tracks[0].get("task_id"))
    shapes = _shown(path, tracks)
    names = {frame: f"frame_{frame:06d}.png" for frame in shapes}
    for place in reversed(places):
        names |= _frames_in(place)
    return [
        _Frame(_listed(names[frame], places, size), shapes.get(frame, ()))
        for frame in sorted(names)
    ]


def _shown(path: Path, tracks: Iterable[Element]) -> dict[int, list[Shape]]:
    """Return what can be seen of the tracks in each frame."""
    shown: dict[int, list[Shape]] = {}
    for place, track in enumerate(tracks, start=1):
        where = f"track {track.get('id', place)}"
        for element in track:
            if element.tag == "track" or element.get("outside") == "1":
                continue  # the former is of a skeleton's point
            try:
                frame = whole_number(element, "frame")
            except DataError as error:
                raise DataError(f"{path}: {where}: {error}") from None
            shown.setdefault(frame, []).append(Shape(where, element, track))
    return shown


def _frames_in(folder: Path) -> dict[int, str]:
    found = {}
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES and (match := _FRAME.fullmatch(stem)):
            found[int(match[1])] = name
    return found


def _video_size(path: Path, root: Element, task: str | None) -> Size | None:
    """Return the size of a video's frames, if it is stated."""
    for about in root.iterfind("meta//task") if task else root.iterfind("meta/*"):
        stated = about.find("original_size")
        if stated is None or (task and about.findtext("id") != task):
            continue
        sides = [stated.findtext(key, "").strip() for key in ("height", "width")]
        try:
            return check_size([int(side) if side.isdecimal() else side for side in sides])
        except (DataError, ValueError) as error:
            raise DataError(f"{path}: original_size: {error}") from None
    return None
