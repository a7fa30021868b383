"""Write data sets as projects of the VGG Image Annotator (VIA), version 2.

    train.json                      images/a.jpg

Each object is one polygon along the edges of its pixels; parts and holes are joined by bridges
without width. Classes are the options of the attribute ``class``; a crowd has ``iscrowd``.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from delineate._files import writing_whole
from delineate.core.bridges import bridged
from delineate.data.sample import Dataset
from delineate.data.via_regions import CROWD
from delineate.data.writing import masks_of, put_images

_SETTINGS = {
    "ui": {
        "annotation_editor_height": 25,
        "annotation_editor_fontsize": 0.8,
        "leftsidebar_width": 18,
        "image_grid": {
            "img_height": 80,
            "rshape_fill": "none",
            "rshape_fill_opacity": 0.3,
            "rshape_stroke": "yellow",
            "rshape_stroke_width": 2,
            "show_region_shape": True,
            "show_image_policy": "all",
        },
        "image": {
            "region_label": "class",
            "region_color": "class",
            "region_label_font": "10px Sans",
            "on_image_annotation_editor_placement": "NEAR_REGION",
        },
    },
    "core": {"buffer_size": 18, "filepath": {}, "default_filepath": "images/"},
}


def write_via(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a project for each split; see `delineate.data.formats.Writer`."""
    for split, dataset in splits.items():
        put_images(dataset, folder / "images")
        with writing_whole(folder / f"{split}.json") as file:
            for text in _text(split, dataset, folder / "images"):
                file.write(text.encode())
    return {split: [r.name for r in dataset.records] for split, dataset in splits.items()}


def _text(split: str, dataset: Dataset, images: Path) -> Iterator[str]:
    """Yield the project's JSON, picture by picture."""
    keys = [f"{r.name}{(images / r.name).stat().st_size}" for r in dataset.records]
    attributes = {
        "class": {
            "type": "dropdown",
            "description": "",
            "options": dict.fromkeys(dataset.classes.names, ""),
            "default_options": {},
        },
        CROWD: {
            "type": "dropdown",
            "description": "a region of many objects, to be ignored",
            "options": {"1": "yes"},
            "default_options": {},
        },
    }
    around = {
        "_via_settings": _SETTINGS | {"project": {"name": split}},
        "_via_attributes": {"region": attributes, "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": keys,
    }
    yield json.dumps(around)[:-1] + ', "_via_img_metadata": {'
    for index, (key, record) in enumerate(zip(keys, dataset.records, strict=True)):
        picture = {
            "filename": record.name,
            "size": int(key[len(record.name) :]),
            "regions": list(_regions(dataset, index)),
            "file_attributes": {},
        }
        yield f"{',' if index else ''}\n{json.dumps(key)}: {json.dumps(picture)}"
    yield "\n}}\n"


def _regions(dataset: Dataset, index: int) -> Iterator[dict[str, Any]]:
    found, masks, crowd = masks_of(dataset, index)
    for i, label in enumerate(found.labels.tolist()):
        if rings := masks.polygons(i):
            xs, ys = bridged(rings).astype(int).T.tolist()
            attributes = {"class": dataset.classes.name(label)} | ({CROWD: "1"} if crowd[i] else {})
            yield {
                "shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
                "region_attributes": attributes,
            }
