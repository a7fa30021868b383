"""Read Datumaro's own format: a JSON file a subset, in ``annotations/`` beside ``images/``.

The format: https://openvinotoolkit.github.io/datumaro/latest/docs/data-formats/datumaro_format.html
and CVAT's export of it. Annotations of the same label and group are one object; what is told of a
whole picture (labels, captions) is none. Ellipses are written by the corners of their boxes.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.curves import ellipse_polygon
from delineate.core.foreign import all_numbers, check_size, is_list, short
from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.core.polygons import MAX_COORDINATE
from delineate.data.annotated import AnnotatedDataset, OnError, check_on_error
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, files
from delineate.data.parts import Part, Piece, add_pieces
from delineate.data.pictures import Broken
from delineate.errors import DataError

_EXPECTED = "a file of Datumaro (an object with categories and the list items)"
_OF_PICTURES = ("label", "caption", "hash_key", "feature_vector")
_REDRAW = "draw its outline or its mask, or remove it"


def find_datumaro(path: Path) -> Sources | None:
    """Find the subsets of a Datumaro data set; see `delineate.data.formats.Format`."""
    return files(path, ".json", is_datumaro)


def is_datumaro(path: Path) -> bool:
    """Tell by its keys whether a JSON file is Datumaro's."""
    return (
        first_mark(path) == "{"
        and has_keys(path, "categories", "items", "label")
        and not has_keys(path, "images")
    )


def read_datumaro(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a subset of a Datumaro data set.

    Args:
        source: Its file.
        images: Folder of the pictures. By default they are in ``images/`` beside the file, or
            beside the folder ``annotations`` that holds it; in either in the subset's folder first.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    check_on_error(on_error)
    path = source.path
    items, classes = _content(path)
    collector = Collector(path, classes=classes)
    folder = path.resolve().parent
    top = folder.parent if folder.name == "annotations" else folder
    around = picture_folders(top / path.name, images)
    folders = [place for folder in around for place in (folder / path.stem, folder)]
    listed: list[tuple[Listed, Sequence[Any]]] = []
    for place, item in enumerate(items, start=1):
        id_ = item.get("id") if isinstance(item, dict) else None
        where = f"item {id_[:80]!r}" if isinstance(id_, str) else f"item {place}"
        with collector.judging(where, "the image and its objects left out"):
            listed.append(_item(item, folders))
    records = collector.pictures([picture for picture, _ in listed])
    for picture, annotations in listed:
        # A name that comes twice belongs to the first item.
        if (record := records.pop(picture.name, None)) is not None:
            add_pieces(collector, record, _pieces(annotations, classes.names))
    return collector.dataset(f"{top.name}/{path.stem}", on_error)


def _content(path: Path) -> tuple[list[Any], ClassMap]:
    content = read_json(path)
    match content:
        case {"categories": {"label": {"labels": [*labels]}}, "items": [*items]}:
            names: list[Any] = [x.get("name") if isinstance(x, dict) else x for x in labels]
        case {"categories": {"label": _}, "items": [*_]}:
            raise DataError(f"{path}: expected a list of labels, got none: export it again.")
        case _:
            raise DataError(f"{path}: expected {_EXPECTED}, got {kind(content)}: name such a file.")
    try:
        return items, ClassMap.from_names(names)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _item(item: Any, folders: Sequence[Path]) -> tuple[Listed, list[Any]]:  # noqa: ANN401
    """Return the picture of an item and its annotations."""
    if not isinstance(item, dict):
        raise Broken(f"it should be an object, and is {kind(item)}", "remove it")
    picture, annotations = item.get("image"), item.get("annotations", [])
    if not isinstance(picture, dict):
        raise Broken("it has no picture", "export it with its pictures, or remove it")
    if not isinstance(annotations, list):
        raise Broken(f"its annotations should be a list, and are {kind(annotations)}", "remove it")
    name = picture.get("path") or f"{item.get('id')}.jpg"
    if not isinstance(name, str):
        raise Broken(f"its picture's path should be text, and is {kind(name)}", "correct it")
    size = None if picture.get("size") is None else check_size(picture["size"])
    return Listed(name, [folder / name for folder in folders], size), annotations


# -- annotations -------------------------------------------------------------------------------


def _pieces(annotations: Sequence[Any], names: Sequence[str]) -> Iterator[Piece]:
    """Yield the annotations of a picture that are objects, or should be, the lowest first."""
    numbered = sorted(enumerate(annotations, start=1), key=lambda pair: _layer(pair[1]))
    for number, annotation in numbered:
        known = annotation if isinstance(annotation, dict) else {}
        type_, label = known.get("type"), known.get("label_id")
        if type_ in _OF_PICTURES:
            continue
        group, attributes = known.get("group"), known.get("attributes")
        crowd = attributes.get("is_crowd") if isinstance(attributes, dict) else False
        yield Piece(
            where=f"annotation {number}",
            label=_name(label, names),
            part=partial(_part, annotation, names),
            group=group if isinstance(group, int) and group else None,
            crowd=crowd in (True, 1, "true", "True", "1"),
            box=type_ == "bbox",
        )


def _layer(annotation: Any) -> float:  # noqa: ANN401 - a stranger's JSON
    layer = annotation.get("z_order") if isinstance(annotation, dict) else 0
    return layer if isinstance(layer, int) else 0


def _name(label: Any, names: Sequence[str]) -> str | None:  # noqa: ANN401 - a stranger's JSON
    known = isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(names)
    return names[label] if known else None


def _part(annotation: Any, names: Sequence[str], size: Size) -> Part:  # noqa: ANN401
    if not isinstance(annotation, dict):
        raise Broken(f"it should be an object, and is {kind(annotation)}", "remove it")
    label = annotation.get("label_id")
    if label is not None and _name(label, names) is None:
        raise Broken(
            f"its label_id should be a number from 0 to {len(names) - 1}, and is {short(label)}",
            "add the label, or correct it",
        )
    match annotation.get("type"):
        case "polygon":
            return _numbers(annotation)
        case "mask":
            mask = annotation.get("rle")
            if not isinstance(mask, Mapping):
                raise Broken(f"its rle should be an object, and is {kind(mask)}", _REDRAW)
            return rle.from_segmentation(mask, size)
        case "ellipse":
            return _ellipse(_numbers(annotation))
        case "bbox":
            raise Broken("a bbox has no mask", _REDRAW)
        case str(type_):
            raise Broken(f"the type {type_[:40]!r} has no area", _REDRAW)
        case type_:
            raise Broken(f"its type should be text, and is {kind(type_)}", "remove it")


def _numbers(annotation: Mapping[str, Any]) -> list[Any]:
    points = annotation.get("points")
    if not is_list(points) or not all_numbers(points):
        raise Broken(f"its points should be a list of numbers, and are {kind(points)}", _REDRAW)
    return list(points)


def _ellipse(corners: Sequence[Any]) -> list[float]:
    if len(corners) != 4 or not all(abs(value) <= MAX_COORDINATE for value in corners):
        raise Broken(
            f"an ellipse has the 4 numbers x1, y1, x2, y2, and here are {short(corners)}", _REDRAW
        )
    x1, y1, x2, y2 = corners
    outline = ellipse_polygon(((x1 + x2) / 2, (y1 + y2) / 2), ((x2 - x1) / 2, (y2 - y1) / 2))
    points: list[float] = outline.ravel().tolist()
    return points
