"""Every format knows its own data sets, and no other format takes them for its own."""

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from delineate.data.format_table import FORMATS
from delineate.data.formats import find_sources
from delineate.errors import DataError
from rich_set import PLAIN, rich_set


def _picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)


def _text(text: str, suffix: str) -> Callable[[Path], None]:
    """A file that tells of the picture beside it."""

    def put(folder: Path) -> None:
        _picture(folder / "a.jpg")
        (folder / f"a{suffix}").write_text(text)

    return put


def _datumaro(folder: Path) -> None:
    _picture(folder / "images" / "train" / "a.jpg")
    labels = {"label": {"labels": [{"name": "x", "parent": "", "attributes": []}]}}
    item = {"id": "a", "annotations": [], "image": {"path": "a.jpg", "size": [8, 8]}}
    (folder / "annotations").mkdir()
    content = {"info": {}, "categories": labels, "items": [item]}
    (folder / "annotations" / "train.json").write_text(json.dumps(content))


def _mots(folder: Path) -> None:
    _picture(folder / "images" / "1" / "000001.png")
    (folder / "instances" / "1").mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 1001, np.uint16)).save(folder / "instances/1/000001.png")


def _mapillary(folder: Path) -> None:
    _picture(folder / "training" / "images" / "a.jpg")
    maps = folder / "training" / "v2.0" / "instances"
    maps.mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 257, np.uint16)).save(maps / "a.png")
    labels = [{"name": name, "instances": True} for name in ("a", "b")]
    (folder / "config_v2.0.json").write_text(json.dumps({"labels": labels}))


def _geojson(folder: Path) -> None:
    _picture(folder / "a.png")
    ring = [[1, 1], [5, 1], [5, 5], [1, 1]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    content = {"type": "FeatureCollection", "features": [feature]}
    (folder / "a.geojson").write_text(json.dumps(content))


ONLY_READ: dict[str, Callable[[Path], None]] = {
    "datumaro": _datumaro,
    "labelme_xml": _text(
        "<annotation><filename>a.jpg</filename><object><polygon><pt><x>1</x><y>1</y></pt>"
        "</polygon></object></annotation>",
        ".xml",
    ),
    "alto": _text('<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"/>', ".xml"),
    "page_xml": _text("<PcGts><Page/></PcGts>", ".xml"),
    "mots": _mots,
    "geojson": _geojson,
    "mapillary": _mapillary,
}
"""Writes a small data set of a format that has no writer; the others are written."""


def _put(name: str, folder: Path, original: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if (write := FORMATS[name].write) is not None:
        write(folder, rich_set(original, PLAIN))
    else:
        ONLY_READ[name](folder)


def _claimed(folder: Path) -> list[str]:
    return [name for name, format in FORMATS.items() if format.find(folder)]


def test_every_format_has_a_sample():
    assert set(ONLY_READ) == {name for name, format in FORMATS.items() if format.write is None}


@pytest.mark.parametrize("name", FORMATS)
def test_only_its_own_format_knows_a_data_set(tmp_path, name):
    _put(name, tmp_path / "data", tmp_path / "original")
    assert _claimed(tmp_path / "data") == [name]


RAW = {
    "datumaro_formats/tests/assets/cvat_dataset/for_images": "cvat",
    "datumaro_formats/tests/assets/cvat_dataset/for_video": "cvat",
    "datumaro_formats/tests/assets/datumaro_dataset/with_skeleton": "datumaro",
    "datumaro_formats/tests/assets/labelme_dataset": "labelme_xml",
    "gothic_prints_alto": "alto",
    "gothic_prints_alto/bpt6k15260973/f38.xml": "alto",
    "labelme_examples/examples/instance_segmentation/data_annotated": "labelme",
    "labelme_examples/examples/instance_segmentation/data_dataset_coco": "coco",
    "labelme_examples/examples/instance_segmentation/data_dataset_voc": "voc",
    "labelme_examples/examples/tutorial": "labelme",
    "labelme_examples/examples/video_annotation": "labelme",
    "labelme_examples/examples/video_annotation/data_annotated/00000100.json": "labelme",
    "datumaro_formats/tests/assets/open_images_dataset/v6": "open_images",
    "datumaro_formats/tests/assets/yolo_dataset/yolov8_segmentation": "yolo",
    "roboflow_coco/data/data.yaml": "yolo",
    "roboflow_size_mismatch": "coco",
    "sentinel2_via": "via",
    "sentinel2_via/train/via_region_data.json": "via",
    "spacenet_geojson/coco_sample_2.json": "coco",
    "spacenet_geojson/geotiff_labels.geojson": "geojson",
}


@pytest.mark.parametrize("place", RAW)
def test_only_its_own_format_knows_what_a_tool_wrote(shared_data, place):
    assert _claimed(shared_data / "raw" / place) == [RAW[place]]
    assert find_sources(shared_data / "raw" / place)[0].name == RAW[place]


def test_no_format_knows_what_is_none(tmp_path):
    rng = np.random.default_rng(0)
    _picture(tmp_path / "a.jpg")
    (tmp_path / "b.json").write_bytes(zlib.compress(rng.bytes(1000)))
    (tmp_path / "c.xml").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "d.txt").write_text("a dog\n")
    (tmp_path / "e.json").write_text('{"version": 1, "files": [{"name": "a.jpg"}]}')
    (tmp_path / "f.json").touch()
    (tmp_path / "g.xml").touch()
    for place in (tmp_path, *tmp_path.iterdir(), tmp_path / "none"):
        assert _claimed(place) == []
    with pytest.raises(DataError, match="expected data of a known format"):
        find_sources(tmp_path)


def test_files_far_below_do_not_make_a_data_set_of_a_folder(tmp_path):
    for depth, known in ((2, ["alto"]), (3, [])):
        folder = tmp_path / str(depth)
        deep = folder.joinpath(*"abc"[:depth])
        deep.mkdir(parents=True)
        ONLY_READ["alto"](deep)
        assert _claimed(folder) == known
