"""Read data sets exported from Label Studio: as JSON, or as JSON-MIN.

A task is a picture with annotations of one or several people, each a list of regions. One is taken:
the first that was not cancelled. A task that nobody has annotated does not show nothing: nobody
knows what it shows, and it is left out.
https://labelstud.io/guide/export and https://labelstud.io/guide/task_format
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate.core.json_file import kind, read_json
from delineate.core.json_keys import first_mark, has_keys
from delineate.core.xml_file import read_xml
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco import picture_folders
from delineate.data.collect import ANNOTATION, Collector, Listed
from delineate.data.label_studio_pictures import address, picture
from delineate.data.label_studio_regions import (
    Region,
    class_of,
    is_crowd,
    regions_of,
    segmentation,
    stated_size,
)
from delineate.data.layouts import Source, Sources, files
from delineate.data.pictures import Broken
from delineate.errors import DataError

CONFIG = "label_config.xml"
"""The labeling interface of a project; where it lies beside an export, it lists the classes."""

JsonObject = Mapping[str, Any]

_CONTROLS = (
    *("Labels", "BrushLabels", "BitmaskLabels"),
    *("PolygonLabels", "RectangleLabels", "EllipseLabels"),
)
_EXPECTED = "an export of Label Studio (a list of tasks with their data and annotations)"


def find_label_studio(path: Path) -> Sources | None:
    """Find the splits of an export of Label Studio; see `delineate.data.formats.Format`."""
    return files(path, ".json", _is_export)


def _is_export(path: Path) -> bool:
    if first_mark(path) not in ("[", "{"):
        return False
    whole = has_keys(path, "data", "result") and (
        has_keys(path, "annotations") or has_keys(path, "completions")
    )
    return whole or has_keys(path, "annotation_id", "original_width")


def read_label_studio(
    source: Source, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> AnnotatedDataset:
    """Open an export of Label Studio.

    Args:
        source: Its JSON file.
        images: Folder of the pictures. By default each is looked for in `images/` beside the file,
            then beside the file itself.
        on_error: As for `delineate.data.formats.open_dataset`.

    Raises:
        DataError: The file is no such export, or see `delineate.data.collect.Collector.dataset`.
    """
    path = source.path
    tasks = _tasks(path)
    collector = Collector(path, classes=_classes(path.with_name(CONFIG)))
    folders = picture_folders(path, images)
    pictures: list[Listed] = []
    regions: dict[str, list[Region]] = {}
    for place, task in enumerate(tasks, start=1):
        where = f"task {_number(task, place)}"
        others: list[Any] = []
        with collector.judging(where, "the picture and its objects left out"):
            listed = picture(_address(task), folders)
            annotation, *others = _annotations(task)
            found = regions_of(_results(annotation))
            sizes = [size for region in found if (size := stated_size(region.result))]
            pictures.append(Listed(listed.name, listed.places, sizes[0] if sizes else None))
            regions.setdefault(listed.name, found)
        for number, other in enumerate(others, start=2):
            with collector.judging(f"{where}, annotation {_number(other, number)}", ANNOTATION):
                raise Broken("another annotation of its task is taken", "remove one of them")
    for name, record in collector.pictures(pictures).items():
        for region in regions[name]:
            with collector.judging(f"image {name!r}, region {region.number}"):
                crowd = is_crowd(region.result)
                mask = segmentation(region, record.size)
                collector.add(record, class_of(region.value), mask, crowd=crowd)
    return collector.dataset(f"{path.resolve().parent.name}/{path.stem}", on_error)


def _tasks(path: Path) -> list[Any]:
    content = read_json(path)
    tasks = [content] if isinstance(content, dict) else content  # one file a task, long ago
    if not isinstance(tasks, list) or not any(isinstance(task, dict) for task in tasks):
        raise DataError(f"{path}: expected {_EXPECTED}, got {kind(content)}: name such a file.")
    return tasks


def _address(task: object) -> str:
    """Return the address of a task's picture; JSON-MIN has the data in the task itself."""
    if not isinstance(task, dict):
        raise Broken(f"expected a task, got {kind(task)}", "export it again")
    data = task.get("data", task)
    if not isinstance(data, dict):
        raise Broken(f"expected an object as its 'data', got {kind(data)}", "export it again")
    return address(data)


def _annotations(task: JsonObject) -> list[Any]:
    """Return the annotations that were not cancelled, at least one."""
    if "data" not in task:  # JSON-MIN, which has the regions under the names of their tags
        lists = [value for value in task.values() if isinstance(value, list)]
        objects = [value for values in lists for value in values if isinstance(value, dict)]
        return [{"result": [{**value, "value": value, "id": None} for value in objects]}]
    made = task.get("annotations", task.get("completions"))
    if not isinstance(made, list):
        raise Broken(f"expected a list of 'annotations', got {kind(made)}", "export it again")
    left = [a for a in made if not (isinstance(a, dict) and a.get("was_cancelled"))]
    if not left:
        guessed = " (there are predictions, which nobody has confirmed)"
        raise Broken(
            f"nobody has annotated it{guessed if task.get('predictions') else ''}",
            "annotate it, or leave it out",
        )
    return left


def _results(annotation: object) -> list[Any]:
    """Return the results of an annotation."""
    if not isinstance(annotation, dict):
        raise Broken(f"expected an annotation, got {kind(annotation)}", "export it again")
    results = annotation.get("result")
    if not isinstance(results, list):
        raise Broken(f"expected a list as its 'result', got {kind(results)}", "export it again")
    return results


def _classes(config: Path) -> list[str] | None:
    """Return the labels that a labeling interface offers for shapes with an area."""
    if not config.is_file():
        return None
    names = {
        label.get("alias") or label.get("value") or "": None
        for control in read_xml(config).iter()
        if control.tag in _CONTROLS
        for label in control.iter("Label")
    }
    return [name for name in names if name.strip()] or None


def _number(record: object, place: int) -> object:
    number = record.get("id") if isinstance(record, dict) else None
    return number if isinstance(number, int) else place
