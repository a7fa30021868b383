"""Read data sets of the VGG Image Annotator (VIA), versions 1 and 2.

A project, the annotations of a project, or a list of them: each picture has regions with a shape
and attributes, of which one is the class.
https://www.robots.ox.ac.uk/~vgg/software/via/
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco import picture_folders
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, files
from delineate.data.pictures import Broken, local_name
from delineate.data.via_regions import (
    JsonObject,
    class_attribute,
    class_of,
    is_crowd,
    outline,
)
from delineate.errors import DataError

_EXPECTED = "a VIA project or its annotations (a record for each picture, with its regions)"


def find_via(path: Path) -> Sources | None:
    """Find the splits of a VIA data set; see `delineate.data.formats.Format`."""
    return files(path, ".json", _is_via)


def _is_via(path: Path) -> bool:
    return (
        first_mark(path) in ("{", "[")
        and has_keys(path, "filename", "regions")
        and (has_keys(path, "shape_attributes") or has_keys(path, "_via_img_metadata"))
    )


def read_via(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open a VIA data set.

    The class is the attribute that all regions share, or the one that is called label, class, name,
    type or category. Where no region has any, all are of the class "object". Classes come in the
    order in which the project lists them, else in that of the alphabet.

    Args:
        source: Its JSON file.
        images: Folder of the pictures. By default each is looked for in the project's own folder,
            in `images/` beside the file, then beside the file itself.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: The file is no VIA data set, several attributes may be the class, or see
            `delineate.data.collect.Collector.dataset`.
    """
    path = source.path
    content = read_json(path)
    listed = _listed(path, content)
    regions = [region for record in listed for region in _regions(record) if _is_object(region)]
    try:
        attribute = class_attribute(regions)
        collector = Collector(path, classes=_options(content, attribute))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    folders = picture_folders(path, images)
    default = _inside(content, "_via_settings", "core", "default_filepath")
    if images is None and isinstance(default, str):
        folders.insert(0, path.parent / default)

    named: dict[str, JsonObject] = {}
    pictures = []
    for number, record in enumerate(listed, start=1):
        with collector.judging(f"record {number}", "the picture and its objects left out"):
            picture = _picture(record, folders)
            pictures.append(picture)
            named.setdefault(picture.name, record)
    for name, image in collector.pictures(pictures).items():
        for number, region in enumerate(_regions(named[name]), start=1):
            with collector.judging(f"image {name!r}, region {number}"):
                if not isinstance(region, dict):
                    raise Broken(f"expected an object, got {kind(region)}", "draw it anew")
                collector.add(
                    image, class_of(region, attribute), [outline(region)], crowd=is_crowd(region)
                )
    return collector.dataset(f"{path.resolve().parent.name}/{path.stem}", on_error)


def _listed(path: Path, content: Any) -> list[Any]:  # noqa: ANN401 - a stranger's JSON
    """Return the records of pictures: in a project, in an object by name and size, or in a list."""
    if isinstance(content, dict):
        content = content.get("_via_img_metadata", content)
    listed = list(content.values()) if isinstance(content, dict) else content
    if not isinstance(listed, list) or not any(_is_object(r) and "regions" in r for r in listed):
        raise DataError(f"{path}: expected {_EXPECTED}, got {kind(content)}: name such a file.")
    return listed


def _picture(record: Any, folders: Sequence[Path]) -> Listed:  # noqa: ANN401 - a stranger's JSON
    if not isinstance(record, dict):
        raise Broken(f"expected a record of a picture, got {kind(record)}", "export it again")
    text = record.get("filename")
    if not isinstance(text, str) or not text.strip():
        raise Broken(f"expected a name as 'filename', got {kind(text)}", "name its file")
    if not isinstance(record.get("regions", []), list | dict):
        raise Broken(
            f"expected a list of 'regions', got {kind(record['regions'])}", "export it again"
        )
    name = local_name(text)
    size = None
    match record.get("height"), record.get("width"):  # some programs write them, VIA does not
        case int(height), int(width):
            size = height, width
    return Listed(name, [folder / name for folder in folders], size)


def _regions(record: Any) -> list[Any]:  # noqa: ANN401 - a stranger's JSON
    regions = record.get("regions") if isinstance(record, dict) else None
    if isinstance(regions, dict):  # of version 1
        return list(regions.values())
    return regions if isinstance(regions, list) else []


def _options(content: object, attribute: str | None) -> list[str] | None:
    """Return the classes between which a project lets people choose."""
    options = _inside(content, "_via_attributes", "region", attribute or "", "options")
    names = [name for name in options if name.strip()] if isinstance(options, dict) else []
    return names or None


def _inside(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
