"""Write data sets as tasks that Label Studio imports, with brush masks.

    label_config.xml                the labeling interface, which lists the classes
    train.json                      images/a.jpg

Pictures are addressed as files of a local storage: start Label Studio with its document root at the
folder. https://labelstud.io/guide/storage#Local-storage and https://labelstud.io/guide/predictions
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from delineate._files import write_whole, writing_whole
from delineate.core.classes import colour
from delineate.data import label_studio_rle
from delineate.data.label_studio import CONFIG
from delineate.data.label_studio_regions import CROWD
from delineate.data.sample import Dataset
from delineate.data.writing import check_names, common_classes, masks_of, put_images

_IMAGE, _LABEL = "image", "label"  # names of the tags of the labeling interface


def write_label_studio(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a file of tasks for each split; see `delineate.data.formats.Writer`."""
    check_names(splits)
    write_whole(folder / CONFIG, _config(common_classes(splits).names).encode())
    for split, dataset in splits.items():
        put_images(dataset, folder / "images")
        with writing_whole(folder / f"{split}.json") as file:
            for index in range(len(dataset)):
                file.write(b",\n" if index else b"[\n")
                file.write(json.dumps(_task(dataset, index)).encode())
            file.write(b"\n]\n")
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def _config(names: Sequence[str]) -> str:
    labels = "".join(
        f"    <Label value={quoteattr(name)} background={_hex(label)}/>\n"
        for label, name in enumerate(names)
    )
    return (
        f'<View>\n  <Image name="{_IMAGE}" value="${_IMAGE}" zoom="true"/>\n'
        f'  <BrushLabels name="{_LABEL}" toName="{_IMAGE}">\n{labels}  </BrushLabels>\n</View>\n'
    )


def _hex(label: int) -> str:
    red, green, blue = colour(label)
    return f'"#{red:02x}{green:02x}{blue:02x}"'


def _task(dataset: Dataset, index: int) -> dict[str, Any]:
    name = dataset.records[index].name
    return {
        "data": {_IMAGE: f"/data/local-files/?d={quote(f'images/{name}')}"},
        "annotations": [{"result": list(_results(dataset, index))}],
    }


def _results(dataset: Dataset, index: int) -> Iterator[dict[str, Any]]:
    found, masks, crowd = masks_of(dataset, index)
    height, width = masks.size
    for i, (label, runs) in enumerate(zip(found.labels.tolist(), masks.runs, strict=True)):
        yield {
            "id": f"{index}_{i}",
            "type": "brushlabels",
            "from_name": _LABEL,
            "to_name": _IMAGE,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": label_studio_rle.encode(runs, masks.size),
                "brushlabels": [dataset.classes.name(label)],
            },
            **({"meta": {"text": [CROWD]}} if crowd[i] else {}),
        }
