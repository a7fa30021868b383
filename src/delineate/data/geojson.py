"""Read GeoJSON files with outlines on a picture, as SpaceNet's footprints of buildings.

A file (RFC 7946) tells of one picture. Its coordinates are in the reference system of the picture,
a GeoTIFF, or in pixels. Rings after the first are holes. The class is a property called class,
label or category; where none is, all are buildings if properties or the file's name say so, else
of the class "object".
https://spacenet.ai/spacenet-buildings-dataset-v2/
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from delineate.core.boxes import Size
from delineate.core.bridges import bridged
from delineate.core.foreign import all_numbers
from delineate.core.image import image_size
from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.collect import Listed
from delineate.data.file_trees import Page, find_tree, read_tree
from delineate.data.geojson_pictures import Pictures
from delineate.data.geojson_place import Points, ground, to_pixels
from delineate.data.layouts import Source, Sources
from delineate.data.parts import Part, Piece
from delineate.data.pictures import Broken

_CLASS = ("class", "label", "category")
_PICTURE = "image_fname"  # what solaris calls it
_BUILDING, _OBJECT = "building", "object"
_HEAD = 1 << 16  # bytes in which the type of a file must stand
_FARTHEST = 1e12  # of the numbers that a coordinate may be

JsonObject = Mapping[str, Any]


def find_geojson(path: Path) -> Sources | None:
    """Find the splits of a data set of GeoJSON files; see `delineate.data.formats.Format`."""
    return find_tree(path, ".geojson", _is_geojson)


def _is_geojson(path: Path) -> bool:
    if first_mark(path) != "{" or not has_keys(path, "type", "features"):
        return False
    with path.open("rb") as file:
        return b'"FeatureCollection"' in file.read(_HEAD)


def read_geojson(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a folder of GeoJSON files, with those in folders below it, or one file.

    Args:
        source: The folder or file.
        images: Folder of the pictures. By default each lies beside its file, or in a folder beside
            that of its file, see `delineate.data.geojson_pictures`.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: As for `delineate.data.formats.open_dataset`.
    """
    found = Pictures([] if images is None else [Path(images)])
    read_page = partial(_read_page, found=found)
    return read_tree(source, ".geojson", read_page, images=images, on_error=on_error)


def _read_page(file: Path, top: Path, folders: Sequence[Path], found: Pictures) -> Page:
    content = read_json(file)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list):
        raise Broken(
            f"expected GeoJSON (an object with the list features), got {kind(content)}",
            "put it elsewhere",
        )
    picture = found.of(file, top, _named_picture(features))
    size = image_size(picture)
    shapes = [_Shape.of(feature) for feature in features]
    every = [ring for shape in shapes for polygon in shape.polygons for ring in polygon]
    placed = iter(to_pixels(every, size, ground(picture)))
    names = [_class(feature) for feature in features]
    default = _default_class(file, features) if not any(names) else ""
    pieces = [
        Piece(where=f"feature {i}", label=name or default, part=part, group=i)
        for i, (shape, name) in enumerate(zip(shapes, names, strict=True), start=1)
        for part in shape.parts(placed)
    ]
    name = picture.relative_to(top).as_posix() if picture.is_relative_to(top) else picture.name
    return Page(Listed(name, [picture]), pieces)


@dataclass(frozen=True, slots=True)
class _Shape:
    """The rings of each of a feature's polygons, or why there are none."""

    polygons: Sequence[Sequence[Points]] = ()
    broken: Broken | None = None

    @classmethod
    def of(cls, feature: object) -> "_Shape":
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        try:
            return cls(_polygons(geometry))
        except Broken as broken:
            return cls((), broken)

    def parts(self, placed: Iterator[Points]) -> list[Callable[[Size], Part]]:
        """Return what gives the parts, with their rings in pixels, which are taken in order."""
        if self.broken is not None:
            return [partial(_fail, self.broken)]
        return [partial(_outline, [next(placed) for _ in polygon]) for polygon in self.polygons]


def _polygons(geometry: object) -> list[list[Points]]:
    if not isinstance(geometry, dict):
        raise Broken(f"expected its 'geometry', got {kind(geometry)}", "draw it, or remove it")
    polygons = geometry.get("coordinates")
    match geometry.get("type"):
        case "Polygon":
            polygons = [polygons]
        case "MultiPolygon":
            pass
        case "Point" | "MultiPoint" | "LineString" | "MultiLineString" as name:
            raise Broken(f"it is a {name}, which has no area", "draw its outline, or remove it")
        case name:
            raise Broken(f"expected a Polygon or MultiPolygon, got {kind(name)}", "draw it anew")
    if not isinstance(polygons, list) or not all(isinstance(rings, list) for rings in polygons):
        raise Broken(f"expected lists of rings as its coordinates, got {kind(polygons)}", "mend it")
    outlined = [[_ring(ring) for ring in rings] for rings in polygons if rings]
    if not outlined:
        raise Broken("it has no outline", "draw it, or remove it")
    return outlined


def _ring(ring: object) -> Points:
    """Read a ring, of which the last point is the first; a third coordinate is the height."""
    points: list[Any] = ring if isinstance(ring, list) else [None]
    if not all(isinstance(p, list) and len(p) >= 2 and all_numbers(p[:2]) for p in points):
        raise Broken(f"expected a list of points as its outline, got {kind(ring)}", "draw it anew")
    if not all(abs(v) <= _FARTHEST for p in points for v in p[:2]):  # false for NaN
        raise Broken("its coordinates are not finite numbers", "draw it anew")
    closed = len(points) > 1 and points[0][:2] == points[-1][:2]
    read = np.array([p[:2] for p in (points[:-1] if closed else points)], dtype=np.float64)
    if len(read) < 3:
        raise Broken("its outline has fewer than 3 points", "complete it, or remove it")
    return read


def _fail(broken: Broken, size: Size) -> Part:
    raise broken


def _outline(rings: Sequence[Points], size: Size) -> Part:
    """Return a polygon in pixels, its outline and its holes as one."""
    outline: list[float] = bridged(rings).ravel().tolist()
    return outline


# -- what a feature is -------------------------------------------------------------------------


def _properties(feature: object) -> JsonObject:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    return properties if isinstance(properties, dict) else {}


def _class(feature: object) -> str:
    """Return what a feature's properties say it is; nothing where they do not."""
    for key, value in _properties(feature).items():
        if key.lower() in _CLASS and isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
    return ""


def _default_class(file: Path, features: Sequence[object]) -> str:
    if "building" in file.stem.lower() or any(_BUILDING in _properties(f) for f in features):
        return _BUILDING
    return _OBJECT


def _named_picture(features: Sequence[object]) -> str | None:
    values = [_properties(feature).get(_PICTURE) for feature in features]
    names = {value for value in values if isinstance(value, str) and value}
    if len(names) > 1:
        raise Broken(
            f"expected features of one picture, got {len(names)} as {_PICTURE!r}",
            "divide the file",
        )
    return next(iter(names), None)
