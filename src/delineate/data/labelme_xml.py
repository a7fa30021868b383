"""Read the XML of LabelMe, the web tool of MIT (not labelme, which writes JSON): a file a picture.

The format: https://github.com/CSAILVision/LabelMeAnnotationTool and its toolbox. Pictures and masks
lie in the tool's own folders (``Annotations/``, ``Images/`` and ``Masks/`` side by side), or beside
the files, as Datumaro and CVAT write them. Parts of the same name as their whole are one object
with it; parts of another name are objects of their own. What is deleted is not there.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import numpy as np

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.foreign import check_size, short
from delineate.core.image import read_image
from delineate.core.xml_file import read_xml, xml_root
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.collect import Listed
from delineate.data.file_trees import Page, find_tree, read_tree
from delineate.data.layouts import Source, Sources
from delineate.data.parts import Part, Piece
from delineate.data.pictures import Broken, check_inside, lies_at

_HEAD = 1 << 16
_MOST_LEVELS = 20  # of parts of parts
_REDRAW = "draw its outline, or remove it"


def find_labelme_xml(path: Path) -> Sources | None:
    """Find the splits of a LabelMe data set; see `delineate.data.formats.Format`."""
    return find_tree(path, ".xml", is_labelme_xml)


def is_labelme_xml(path: Path) -> bool:
    """Tell by its first elements whether an XML file is LabelMe's, and not one of Pascal VOC."""
    if xml_root(path) != "annotation":
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return b"<bndbox>" not in head and any(
        mark in head for mark in (b"<sourceAnnotation>", b"<imagesize>", b"<pt>", b"<segm>")
    )


def read_labelme_xml(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a folder of LabelMe files, with those in folders below it, or one file.

    Args:
        source: The folder or file.
        images: Folder of the pictures; by default see the top of this file.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    return read_tree(source, ".xml", _read_page, images=images, on_error=on_error)


def _read_page(file: Path, top: Path, folders: Sequence[Path]) -> Page:
    root = read_xml(file)
    if root.tag != "annotation":
        raise Broken(
            f"expected a file of LabelMe (with the root annotation), got the root "
            f"{root.tag[:40]!r}",
            "put it elsewhere",
        )
    name = _text(root, "filename")
    if not name:
        raise Broken("it names no picture", "name it in <filename>")
    inside = file.parent.relative_to(top).parts
    inside = inside[1:] if inside[:1] == ("Annotations",) else inside
    relative = PurePosixPath(*inside, name)
    listed = Listed(
        relative.as_posix(),
        [
            place
            for folder in folders or (file.parent, _side_by_side(file, "Images"))
            for place in (folder / relative, folder / name)
        ],
        _size(root),
    )
    masks = [file.parent / "Masks", _side_by_side(file, "Masks")]
    return Page(listed, list(_pieces(root.findall("object"), masks)))


def _side_by_side(file: Path, kind: str) -> Path:
    """Return the tool's own folder for a file: of ``Annotations/a/b.xml`` it is ``Images/a``."""
    folder = file.parent.resolve()
    for above in (folder, *folder.parents):
        if above.name == "Annotations":
            return above.parent / kind / folder.relative_to(above)
    return folder / kind


def _size(root: Element) -> Size | None:
    sides = [_text(root, f"imagesize/{key}") for key in ("nrows", "ncols")]
    if not all(sides):
        return None
    return check_size(
        [int(side) if side.isdecimal() and len(side) < 10 else side for side in sides]
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


# -- objects -----------------------------------------------------------------------------------


def _pieces(objects: Sequence[Element], masks: Sequence[Path]) -> Iterator[Piece]:
    present = [
        (place, object_)
        for place, object_ in enumerate(objects, start=1)
        if _text(object_, "deleted") not in ("1", "true")
    ]
    wholes = _wholes([object_ for _, object_ in present])
    for place, object_ in present:
        yield Piece(
            where=f"object {place}",
            label=_text(object_, "name"),
            part=partial(_part, object_, masks),
            group=wholes.get(_text(object_, "id")),
            box=_is_box(object_),
        )


def _wholes(objects: Sequence[Element]) -> Mapping[str, str]:
    """Return the id of the uppermost whole for the ids of objects that have parts of their name."""
    names = {own: _text(object_, "name") for object_ in objects if (own := _text(object_, "id"))}
    above: dict[str, str] = {}
    for object_ in objects:
        own = _text(object_, "id")
        parts = [part.strip() for part in _text(object_, "parts/hasparts").split(",")]
        for part, whole in [
            *((part, own) for part in parts),
            (own, _text(object_, "parts/ispartof")),
        ]:
            if part != whole and part in names and names[part] == names.get(whole):
                above[part] = whole
    wholes = {own: own for own in (*above, *above.values())}
    for own in wholes:
        for _ in range(_MOST_LEVELS):
            wholes[own] = above.get(wholes[own], wholes[own])
    return wholes


def _is_box(object_: Element) -> bool:
    """Tell a box, which is written as a polygon."""
    return object_.find("segm") is None and _text(object_, "type") == "bounding_box"


def _part(object_: Element, masks: Sequence[Path], size: Size) -> Part:
    if _is_box(object_):
        raise Broken("a bounding box has no mask", _REDRAW)
    segm, polygon = object_.find("segm"), object_.find("polygon")
    if segm is not None:
        return _mask(_text(segm, "mask"), masks, size)
    if polygon is None:
        raise Broken("it has neither a polygon nor a mask", _REDRAW)
    return [_coordinate(point, axis) for point in polygon.iterfind("pt") for axis in ("x", "y")]


def _coordinate(point: Element, axis: str) -> float:
    text = _text(point, axis)
    try:
        return float(text)
    except ValueError:
        raise Broken(
            f"a point should have a number as {axis}, and has {short(text)}", _REDRAW
        ) from None


def _mask(name: str, folders: Sequence[Path], size: Size) -> rle.Runs:
    """Read a mask of the picture's size: where it is not black."""
    if not name:
        raise Broken("it names no mask", _REDRAW)
    check_inside(name, "the folder Masks")
    path = lies_at([folder / name for folder in folders])
    bitmap = np.asarray(read_image(path, max_pixels=size[0] * size[1]).any(axis=2))
    if bitmap.shape != size:
        height, width = bitmap.shape
        raise Broken(
            f"its mask has {width} x {height} pixels, and its picture {size[1]} x {size[0]}",
            "put back the mask of this picture",
        )
    return rle.from_bitmap(bitmap)
