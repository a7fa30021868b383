"""What other people's readers find in the files that `delineate data convert` writes.

    python benchmarks/foreign_readers.py DATA [DATA ...]

Each data set is written in every format for which a reader of somebody else's, often the tool's
own, can be installed here: pycocotools and supervision (COCO), the LVIS API, ultralytics and
supervision (YOLO), labelme, Label Studio's SDK (its brush) and datumaro, which comes from CVAT's
makers (CVAT, VOC, Open Images). Its objects are compared with ours, image by image: to each of ours
belongs the one of its class that overlaps it most. Only the validation split is written. Crowds are
left out, which half of the readers do not know. Readers of outlines fill them in their own way,
often a pixel wider at the right and the lower edge: the first row tells what comes of the outlines
that the source itself states, filled in that way. Writes ``results/foreign_readers.json``.

None is a dependency, and some do not get along: a folder of their own beside the project's
environment holds them, and what cannot be imported is left out, by name:

    python -m venv readers
    readers/bin/pip install --no-deps ultralytics supervision lvis labelme label-studio-sdk datumaro
    python -c "import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])" \
        > $(echo readers/lib/python3*/site-packages)/project.pth
    PYTHONPATH=src readers/bin/python benchmarks/foreign_readers.py DATA     # names what is missing
"""

import argparse
import json
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from delineate.data.conversion import convert
from delineate.data.formats import open_splits
from delineate.data.sample import Dataset
from machine import describe, save

Objects = dict[str, list[tuple[str, np.ndarray]]]
"""Name of a picture without suffix -> class and bitmap of each object."""

Found = Iterator[tuple[str, str, np.ndarray]]
"""Picture, class, bitmap."""


# -- the readers -----------------------------------------------------------------------------


def by_pycocotools(folder: Path) -> Found:
    """Read COCO."""
    from pycocotools.coco import COCO

    yield from _like_coco(COCO(folder / "val.json"), "annToMask")


def by_lvis(folder: Path) -> Found:
    """Read LVIS."""
    from lvis import LVIS

    yield from _like_coco(LVIS(str(folder / "val.json")), "ann_to_mask")


def _like_coco(held: Any, method: str) -> Found:  # noqa: ANN401 - of two libraries
    for annotation in held.dataset["annotations"]:
        if not annotation.get("iscrowd"):
            image = held.imgs[annotation["image_id"]]
            name = image.get("file_name") or image["coco_url"]
            category = held.cats[annotation["category_id"]]["name"]
            yield Path(name).stem, category, getattr(held, method)(annotation)


def by_supervision_from_coco(folder: Path) -> Found:
    """Read COCO."""
    import supervision as sv

    places = str(folder / "images"), str(folder / "val.json")
    yield from _of_supervision(sv.DetectionDataset.from_coco(*places, force_masks=True))


def by_supervision_from_yolo(folder: Path) -> Found:
    """Read YOLO."""
    import supervision as sv

    places = (str(folder / place) for place in ("images/val", "labels/val", "data.yaml"))
    yield from _of_supervision(sv.DetectionDataset.from_yolo(*places, force_masks=True))


def _of_supervision(held: Any) -> Found:  # noqa: ANN401
    for path, _, found in held:
        for mask, label in zip(found.mask if len(found) else (), found.class_id, strict=True):
            yield Path(path).stem, held.classes[int(label)], mask


def by_ultralytics(folder: Path) -> Found:
    """Read YOLO."""
    import yaml
    from ultralytics.data.dataset import YOLODataset

    content = yaml.safe_load((folder / "data.yaml").read_text()) | {"path": str(folder)}
    held = YOLODataset(str(folder / "images/val"), data=content, task="segment", augment=False)
    for image in held.labels:
        size = np.array(image["shape"])
        for label, outline in zip(image["cls"][:, 0], image["segments"], strict=True):
            bitmap = np.zeros(size, np.uint8)
            points = (outline * size[::-1]).astype(np.int32)  # as ultralytics' polygon2mask
            cv2.fillPoly(bitmap, [points], 1)
            yield Path(image["im_file"]).stem, content["names"][int(label)], bitmap


def by_labelme(folder: Path) -> Found:
    """Read the shapes of labelme; those of one group are an object."""
    from labelme._label_file import LabelFile
    from labelme.utils import shape_to_mask

    for path in sorted((folder / "val").glob("*.json")):
        held = LabelFile(str(path))
        content = json.loads(path.read_text())
        size = content["imageHeight"], content["imageWidth"]
        together: dict[Any, tuple[str, np.ndarray]] = {}
        for number, shape in enumerate(held.shapes):
            if shape["shape_type"] == "mask":
                bitmap = np.zeros(size, bool)
                (x, y), part = np.array(shape["points"][0], int), np.asarray(shape["mask"], bool)
                bitmap[y : y + part.shape[0], x : x + part.shape[1]] = part
            else:
                bitmap = shape_to_mask(size, shape["points"], shape["shape_type"])
            group = shape["group_id"]
            key = ("alone", number) if group is None else (shape["label"], group)
            before = together.get(key, (None, np.zeros(size, bool)))[1]
            together[key] = shape["label"], before | bitmap
        for label, bitmap in together.values():
            yield path.stem, label, bitmap


def by_label_studio(folder: Path) -> Found:
    """Read the brush of Label Studio."""
    from label_studio_sdk.converter.brush import decode_rle

    for task in json.loads((folder / "val.json").read_text()):
        stem = Path(task["data"]["image"]).stem
        for region in task["annotations"][0]["result"]:
            if region["type"] == "brushlabels":
                size = region["original_height"], region["original_width"]
                pixels = decode_rle(region["value"]["rle"]).reshape(*size, 4)
                yield stem, region["value"]["brushlabels"][0], pixels[..., 3] > 127


def by_datumaro(name: str, place: str) -> Callable[[Path], Found]:
    """Return a reader of one of its formats."""

    def read(folder: Path) -> Found:
        import datumaro

        held = datumaro.Dataset.import_from(str(folder / place), name)
        names = [item.name for item in held.categories()[datumaro.AnnotationType.label].items]
        if name == "open_images":  # it goes by the first column
            rows = (folder / "annotations" / "class-descriptions.csv").read_text().splitlines()
            shown = dict(row.split(",", 1) for row in rows)
            names = [shown[name] for name in names]
        for item in held:
            for annotation in item.annotations:
                if annotation.type is datumaro.AnnotationType.mask:
                    yield Path(item.id).name, names[annotation.label], annotation.image

    return read


READERS: dict[str, tuple[str, Callable[[Path], Found]]] = {
    "pycocotools": ("coco", by_pycocotools),
    "supervision, COCO": ("coco", by_supervision_from_coco),
    "lvis": ("lvis", by_lvis),
    "ultralytics": ("yolo", by_ultralytics),
    "supervision, YOLO": ("yolo", by_supervision_from_yolo),
    "labelme": ("labelme", by_labelme),
    "label-studio-sdk": ("label_studio", by_label_studio),
    "datumaro, CVAT": ("cvat", by_datumaro("cvat", "val/annotations.xml")),
    "datumaro, VOC": ("voc", by_datumaro("voc_segmentation", ".")),
    "datumaro, Open Images": ("open_images", by_datumaro("open_images", ".")),
}


PACKAGES = (
    *("pycocotools", "supervision", "lvis", "ultralytics", "labelme"),
    *("label-studio-sdk", "datumaro"),
)

# -- the comparison --------------------------------------------------------------------------


def own(dataset: Dataset) -> Objects:
    """Return the objects of a data set, without crowds."""
    objects: Objects = {}
    for index, record in enumerate(dataset.records):
        held = dataset.instances(index)
        crowd = np.zeros(len(held), bool) if held.crowd is None else held.crowd
        if Path(record.name).stem in objects:
            raise SystemExit(f"two pictures are called {Path(record.name).stem}: rename one.")
        objects[Path(record.name).stem] = [
            (dataset.classes.name(int(held.labels[k])), held.masks.bitmap(k))
            for k in np.flatnonzero(~crowd)
        ]
    return objects


def filled(dataset: Dataset) -> Found:
    """Fill the outlines that the source itself states, as ultralytics and supervision would."""
    for index, record in enumerate(dataset.records):
        stated = dataset.stated(index)
        for label, crowd, parts in zip(stated.labels, stated.crowd, stated.outlines, strict=True):
            if not crowd and parts is not None:
                bitmap = np.zeros(record.size, np.uint8)
                for part in parts:
                    cv2.fillPoly(bitmap, [part.astype(np.int32)], 1)
                yield Path(record.name).stem, dataset.classes.name(int(label)), bitmap


def compared(ours: Objects, found: Found) -> dict[str, Any]:
    """Return how many of our objects are among theirs, and how well they overlap."""
    theirs: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    count = 0
    for stem, name, bitmap in found:
        theirs[stem, name].append(np.asarray(bitmap, bool))
        count += 1
    overlaps = []
    for stem, objects in ours.items():
        for name, bitmap in objects:
            seen = theirs[stem, name]
            ious = [(bitmap & s).sum() / max((bitmap | s).sum(), 1) for s in seen]
            overlaps.append(max(ious, default=0.0))
    return {
        "objects": len(overlaps),
        "theirs": count,
        "exact": int(sum(iou == 1 for iou in overlaps)),
        "median_iou": round(float(np.median(overlaps or [1])), 4),
        "smallest_iou": round(float(min(overlaps, default=1)), 4),
    }


def main() -> None:
    """Write, let others read, compare, and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # theirs
    results: dict[str, dict[str, Any]] = {}
    for path in options.data:
        dataset = open_splits(path)["val"]
        ours = own(dataset)
        rows = results[path.name] = {}
        rows["the source's own outlines, filled"] = compared(ours, filled(dataset))
        with tempfile.TemporaryDirectory() as place:
            for reader, (name, read) in READERS.items():
                folder = Path(place) / name
                if not folder.exists():
                    convert({"val": dataset}, name, folder)
                try:
                    rows[reader] = compared(ours, read(folder))
                except ImportError as error:
                    rows[reader] = {"left_out": str(error)}
                print(f"{path.name}, {reader}: {rows[reader]}", flush=True)
        save("foreign_readers", {"machine": describe(*PACKAGES), "data": results})


if __name__ == "__main__":
    main()
