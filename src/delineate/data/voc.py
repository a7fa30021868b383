"""Read Pascal VOC's segmentations: a map of objects and a map of classes for each picture.

The format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc. `SegmentationObject/` numbers
the objects of a picture, `SegmentationClass/` says what each pixel is, `ImageSets/Segmentation/`
lists the pictures of the splits, `JPEGImages/` holds them. Maps are palette PNGs whose indices
count, or show the palette's colours. The pale border that nobody labelled (255) belongs to nothing.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from delineate.core.foreign import short
from delineate.core.maps import IdMap, shows_colours
from delineate.core.panoptic import runs_by_id
from delineate.core.text_file import read_lines
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coded_maps import sized_map
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, folders, in_order, split_named
from delineate.data.pictures import Broken, of_any_suffix
from delineate.data.sample import ImageRecord
from delineate.errors import DataError

OBJECTS, CLASSES, PICTURES = "SegmentationObject", "SegmentationClass", "JPEGImages"
SETS = "ImageSets/Segmentation"
LABELS = "labelmap.txt"
"""Names and colours of the classes, as CVAT writes them: ``name:red,green,blue:parts:actions``."""
VOID = 255
"""The index of pixels that belong to nothing."""
VOID_COLOUR = (224, 224, 192)

NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""Pascal VOC's own classes, by their index."""

_COLOUR = re.compile(r"\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*", re.ASCII)
_VOID_PACKED = int(np.array(VOID_COLOUR) @ (1, 256, 65536))  # as `read_map` gives it
_NO_CLASS = {"background", "_background_", "ignored", "void", "__ignore__"}


def find_voc(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    if not _is_voc(path):
        return folders(path, _is_voc)
    sets = path / SETS
    found: dict[str, Source] = {}
    for file in sorted(sets.glob("*.txt")) if sets.is_dir() else ():
        split = split_named(file.stem)
        if split is not None and split not in found:
            found[split] = Source(path, split)
    return in_order(found) or {"train": Source(path)}


def _is_voc(path: Path) -> bool:
    return (path / OBJECTS).is_dir() and (path / CLASSES).is_dir()


def read_voc(source: Source, *, images: Path | str | None, on_error: OnError) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`."""
    root = source.path
    names, colours = _classes(root)
    pictures = Path(images) if images is not None else root / PICTURES
    stems = _stems(root, source.split)
    collector = Collector(root, classes=[n for n in names.values() if n not in _NO_CLASS])
    files = {stem: of_any_suffix(stem, [pictures]) for stem in stems}
    names_of = {stem: f"{stem}{file.suffix if file else '.jpg'}" for stem, file in files.items()}
    sound = collector.pictures([Listed(name, (pictures / name,)) for name in names_of.values()])
    for stem, name in names_of.items():
        if (record := sound.get(name)) is None:
            continue
        with collector.judging_picture(record):
            objects = _objects(root / OBJECTS / f"{stem}.png", record)
            kinds = _kinds(root / CLASSES / f"{stem}.png", record, colours)
            most = _most_shown(objects, kinds)
            for number, runs in sorted(runs_by_id(objects).items()):
                with collector.judging(f"image {record.name!r}, object {number}"):
                    collector.add(record, _name(names, most.get(number)), runs)
    return collector.dataset(f"{root.resolve().name}/{source.split}", on_error)


def palette(count: int = 256) -> npt.NDArray[np.uint8]:
    """Return the ``(count, 3)`` RGB of VOC's indices: their bits, dealt out from the top."""
    index = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((index >> (3 * bit + channel)) & 1) << (7 - bit)).astype("u1")
    return colours


def _classes(root: Path) -> tuple[dict[int, str], dict[int, int]]:
    """Return the name of each index, and the index of each colour as `read_map` gives it."""
    names = dict(enumerate(NAMES))
    colours = palette().astype(np.int64)
    if (root / LABELS).is_file():
        fields = [line.split(":") for line in read_lines(root / LABELS) if not line.startswith("#")]
        names = {i: field[0] for i, field in enumerate(fields)}
        stated = [_colour(root / LABELS, field) for field in fields if len(field) > 1 and field[1]]
        if len(stated) == len(fields):
            colours = np.array(stated, np.int64).reshape(-1, 3)
    elif (root / "class_names.txt").is_file():  # labelme's converter
        names = dict(enumerate(read_lines(root / "class_names.txt")))
    packed = colours @ (1, 256, 65536)
    return names, {int(colour): i for i, colour in enumerate(packed)}


def _colour(path: Path, field: Sequence[str]) -> list[int]:
    match = _COLOUR.fullmatch(field[1])
    values = [int(value) for value in match.groups()] if match else [256]
    if max(values) > 255:
        raise DataError(
            f"{path}: expected lines such as 'road:128,64,128::', got {short(':'.join(field))}: "
            "correct the colour."
        )
    return values


def _stems(root: Path, split: str) -> list[str]:
    for file in sorted((root / SETS).glob("*.txt")) if (root / SETS).is_dir() else ():
        if split_named(file.stem) == split:
            lines = read_lines(file)
            whole = [os.path.exists(root / OBJECTS / f"{line}.png") for line in lines]
            # Some lists have a 1 or -1 behind the name.
            names = [k if w else k.split()[0] for k, w in zip(lines, whole, strict=True)]
            return list(dict.fromkeys(PurePosixPath(name).as_posix() for name in names))
    return sorted(file.stem for file in (root / OBJECTS).glob("*.png"))


def _objects(path: Path, record: ImageRecord) -> IdMap:
    """Return the objects of a picture's pixels, 0 where there is none."""
    objects = sized_map(path, record)
    if shows_colours(path):
        objects[objects == _VOID_PACKED] = 0
    elif objects.max(initial=0) <= VOID:
        objects[objects == VOID] = 0
    return objects


def _kinds(path: Path, record: ImageRecord, colours: Mapping[int, int]) -> IdMap:
    """Return the indices of the classes of a picture's pixels."""
    kinds = sized_map(path, record)
    return _indices(kinds, colours) if shows_colours(path) else kinds


def _indices(colours: IdMap, known: Mapping[int, int]) -> IdMap:
    values, places = np.unique(colours, return_inverse=True)
    indices = [known.get(int(v), VOID if v == _VOID_PACKED else -1) for v in values]
    if -1 in indices:
        value = int(values[indices.index(-1)])
        raise DataError(
            f"its map of classes shows the colour {(value & 255, value >> 8 & 255, value >> 16)}, "
            f"which is no class's: add it to {LABELS}."
        )
    return np.array(indices, np.int32)[places].reshape(colours.shape)


def _most_shown(objects: IdMap, kinds: IdMap) -> dict[int, int]:
    """Return the class that most of each object's pixels show, void and background apart."""
    counted = (objects != 0) & (kinds != VOID) & (kinds != 0)
    pairs = objects[counted].astype(np.int64) << 32 | kinds[counted]
    found, counts = np.unique(pairs, return_counts=True)
    rising = found[np.argsort(counts, kind="stable")]
    return {int(pair >> 32): int(pair & 0xFFFFFFFF) for pair in rising}


def _name(names: Mapping[int, str], index: int | None) -> str:
    if index is None:
        raise Broken("its pixels are of no class", f"draw it in {CLASSES} too, or remove it")
    if index not in names:
        raise Broken(
            f"its class has the number {index}, for which there is no name",
            f"add it to {LABELS}",
        )
    return names[index]
