"""Read the masks of Open Images, versions 5 to 7, and of data sets in its format.

A CSV file has a row for each object, whose mask is a PNG of its own: what is not zero belongs to
it. A mask may have another resolution than its picture and is then brought to it, as all masks
here are, by `delineate.core.geometry`; the original documentation names no rule, others take the
nearest pixel. A region is a crowd where the box of the same picture, class and place is
``IsGroupOf``.

An image without masks is one that nobody has outlined, and is left out. It shows nothing where
people have verified so for every class (``Confidence`` 0 in the file of image labels).
https://storage.googleapis.com/openimages/web/download_v7.html
"""

from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.csv_file import csv_columns, read_csv
from delineate.core.geometry import Geometry
from delineate.core.image import stored_size
from delineate.core.maps import read_map
from delineate.core.masks import Masks
from delineate.core.rle import Runs
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, files
from delineate.data.open_images_layout import (
    BOXES_FILE,
    LABELS_FILE,
    Places,
    beside,
    class_names,
    places,
)
from delineate.data.pictures import Broken, check_inside, in_threads, lies_at
from delineate.errors import DataError

COLUMNS = ("MaskPath", "ImageID", "LabelName")
"""Those that every file of masks has."""

_ROUNDED = 6  # digits of the coordinates of boxes that the files have in common
_LARGEST = 16  # how many times as many pixels as its picture a mask may have
_SKEW = 0.02  # how much the proportions of a mask may differ from those of its picture

Row = Mapping[str, str]


def find_open_images(path: Path) -> Sources | None:
    """Find the splits of Open Images' masks; see `delineate.data.formats.Format`."""
    return files(path, ".csv", lambda file: set(COLUMNS) <= set(csv_columns(file)))


def read_open_images(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a split of Open Images' masks.

    Args:
        source: Its file of masks.
        images: Folder of the pictures. By default they are looked for in ``images/train`` and the
            like, beside the file or one folder above.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: A file cannot be read, or see `delineate.data.collect.Collector.dataset`.
    """
    path = source.path
    rows = list(read_csv(path, *COLUMNS))
    names = class_names(path)
    collector = Collector(path, classes=None if names is None else _table(path, names))
    elsewhere = None if images is None else picture_folders(path, images)[0]
    where = places(path, source.split, elsewhere)

    pictures = {row["ImageID"]: None for _, row in rows} | _verified_empty(path, names)
    found = {image: where.picture(image) for image in pictures}
    sound = collector.pictures([Listed(name, paths) for name, paths in found.values()])
    crowds = _Crowds(path, pictures)
    kept = [(line, row) for line, row in rows if found[row["ImageID"]][0] in sound]

    def look(numbered: tuple[int, Row]) -> Runs | DataError | Broken:
        _, row = numbered
        try:
            return _mask(row["MaskPath"], where, sound[found[row["ImageID"]][0]].size)
        except (DataError, Broken) as error:
            return error

    for (line, row), mask in zip(kept, in_threads(look, kept), strict=True):
        crowd = crowds.is_next(row)
        with collector.judging(f"line {line}, mask {row['MaskPath']!r}"):
            if isinstance(mask, Exception):
                raise mask
            record = sound[found[row["ImageID"]][0]]
            collector.add(record, _name(row["LabelName"], names), mask, crowd=crowd)
    return collector.dataset(f"{path.resolve().parent.name}/{path.stem}", on_error)


def _table(path: Path, names: Mapping[str, str]) -> ClassMap:
    try:
        return ClassMap.from_names(list(names.values()))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _name(mid: str, names: Mapping[str, str] | None) -> str:
    if names is None:
        return mid
    if mid not in names:
        raise Broken(
            f"its class {mid[:40]!r} is none of the {len(names)} that class-descriptions.csv names",
            "add it there",
        )
    return names[mid]


def _mask(name: str, where: Places, size: Size) -> Runs:
    """Read a mask and bring it to the size of its picture."""
    if not name.strip():
        raise Broken("expected the name of its mask, got nothing", "name its file")
    check_inside(name, "the folder of masks")
    path = lies_at(where.mask(name))
    (height, width), (h, w) = size, stored_size(path)
    if abs(w * height - h * width) > _SKEW * w * height + max(height, width):
        raise Broken(
            f"its mask has {w} x {h} pixels, and its picture {width} x {height}: another shape",
            "put back the picture that it was drawn on",
        )
    if h * w > _LARGEST * height * width:
        raise Broken(
            f"its mask has {w} x {h} pixels, far more than its picture of {width} x {height}",
            "put back the picture that it was drawn on",
        )
    masks = Masks.from_bitmaps([read_map(path) != 0], (h, w))
    return masks.runs[0] if (h, w) == size else masks.warp(Geometry.resize((h, w), size)).runs[0]


def _verified_empty(path: Path, names: Mapping[str, str] | None) -> dict[str, None]:
    """Return the pictures of which people have said of every class that it is not there."""
    file = beside(path, LABELS_FILE)
    if file is None or not names:
        return {}
    bit = {mid: 1 << i for i, mid in enumerate(names)}
    absent: dict[str, int] = {}  # a set of classes as bits: there may be millions of images
    for _, row in read_csv(file, "ImageID", "LabelName", "Confidence"):
        if row["Confidence"].strip() == "0" and row["LabelName"] in bit:
            absent[row["ImageID"]] = absent.get(row["ImageID"], 0) | bit[row["LabelName"]]
    every = (1 << len(names)) - 1
    return {image: None for image, classes in absent.items() if classes == every}


class _Crowds:
    """Tells which masks are crowds, by the boxes of the same picture, class and place.

    The boxes of equal masks come in the order of the masks.

    Args:
        path: The file of masks; that of the boxes may lie beside it.
        images: Those of which masks are asked.
    """

    def __init__(self, path: Path, images: Container[str]) -> None:
        self._flags: dict[tuple[str, ...], list[bool]] = {}
        file = beside(path, BOXES_FILE)
        for _, row in () if file is None else read_csv(file, "ImageID", "LabelName", "IsGroupOf"):
            for key in _keys(row, "") if row["ImageID"] in images else ():
                self._flags.setdefault(key, []).append(row["IsGroupOf"].strip() == "1")

    def is_next(self, row: Row) -> bool:
        """Tell of the next mask of its kind whether it is a crowd."""
        for key in _keys(row, "Box"):
            flags = self._flags.get(key, [])
            if flags:
                return flags.pop(0) if len(flags) > 1 else flags[0]
        return False


def _keys(row: Row, prefix: str) -> Iterator[tuple[str, ...]]:
    """Yield what a mask and its box have in common: the box's id, or its place."""
    owner = (row["ImageID"], row["LabelName"])
    if row.get("BoxID"):
        yield (*owner, row["BoxID"])
    try:
        edges = [float(row.get(prefix + edge, "")) for edge in ("XMin", "XMax", "YMin", "YMax")]
    except ValueError:
        return
    yield (*owner, *(f"{edge:.{_ROUNDED}f}" for edge in edges))
