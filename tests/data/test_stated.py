"""What sources state, as data sets hand it out: nothing computed, nothing rasterised."""

import numpy as np
import pytest

from builders import edited, tiny_coco
from delineate.data.annotated import AnnotatedDataset
from delineate.data.coco import read_coco
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.sample import StatedDataset
from delineate.data.synthetic_panoptic import PanopticScenes


def test_numbers_and_outlines_as_the_file_has_them(tmp_path, monkeypatch):
    path = tiny_coco(tmp_path, 2, spelling="polygons", crowd=True)
    with edited(path) as content:
        first, second, third, crowd = content["annotations"][:4]
        first["bbox"] = [1.5, 2, 3, 4]
        del second["bbox"], second["area"]
        third["area"] = 12.5
    monkeypatch.setattr(AnnotatedDataset, "instances", lambda *_: pytest.fail("rasterised"))
    dataset = read_coco(path)
    assert isinstance(dataset, StatedDataset)
    stated = dataset.stated(0)
    assert stated.labels.tolist() == [0, 1, 0, 0]
    assert stated.crowd.tolist() == [False, False, False, True]
    np.testing.assert_array_equal(stated.boxes[:2], [[1.5, 2, 3, 4], [np.nan] * 4])
    np.testing.assert_array_equal(stated.areas[1:3], [np.nan, 12.5])
    (outline,) = stated.outlines[0]
    np.testing.assert_array_equal(outline.ravel(), first["segmentation"][0])
    assert stated.outlines[3] is None
    assert isinstance(crowd["segmentation"], dict)


def test_things_of_a_panoptic_file(tmp_path):
    scenes = PanopticScenes(2, size=(64, 64))
    write_coco_panoptic(tmp_path / "val.json", scenes)
    dataset = read_coco_panoptic(tmp_path / "val.json")
    assert isinstance(dataset, StatedDataset)
    for index in range(2):
        stated, instances = dataset.stated(index), dataset.instances(index)
        assert stated.labels.tolist() == instances.labels.tolist()
        assert stated.areas.tolist() == instances.masks.areas.tolist()
        assert np.isnan(stated.boxes).all()
        assert stated.outlines == (None,) * len(instances)


def test_broken_records_tell_their_kind_and_place(tmp_path):
    path = tiny_coco(tmp_path)
    (tmp_path / "images" / "train_03.png").unlink()
    with edited(path) as content:
        content["annotations"][4]["category_id"] = 99
        content["annotations"][5]["image_id"] = 77
        del content["annotations"][3]["segmentation"]
    problems = {p.kind: p for p in read_coco(path, on_error="skip").problems}
    missing, no_mask = problems["missing_picture"], problems["no_mask"]
    assert (missing.image_id, missing.name, missing.annotation_id) == (40, "train_03.png", None)
    assert (no_mask.image_id, no_mask.annotation_id, no_mask.got) == (20, 110, None)
    unknown = problems["unknown_category"]
    assert (unknown.image_id, unknown.annotation_id, unknown.got) == (20, 113, 99)
    stray = problems["unknown_image"]
    assert (stray.image_id, stray.annotation_id, stray.got) == (None, 116, 77)
