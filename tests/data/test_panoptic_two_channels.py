"""panopticapi's two-channel maps against the three-byte ones of the same pictures."""

import numpy as np
import pytest

from delineate.core.image import write_image
from delineate.data.coco_panoptic import read_coco_panoptic
from delineate.data.panoptic_two_channels import read_two_channels
from delineate.errors import DataError, ImageError
from panoptic_cases import CLASSES


def test_the_sample_of_panopticapi_in_both_forms(shared_data):
    folder = shared_data / "evalpairs" / "panopticapi_sample"
    dataset = read_coco_panoptic(folder / "panoptic_examples.json", with_pictures=False)
    for i, record in enumerate(dataset.records):
        name = record.name.replace(".jpg", ".png")
        path = folder / "panoptic_examples_2ch_format" / name
        ours, theirs = read_two_channels(path, dataset.panoptic_classes), dataset.panoptic(i)
        pairs = np.unique(np.stack([ours.ids.ravel(), theirs.ids.ravel()]), axis=1).T.tolist()
        assert len(pairs) == len(theirs.segments) + 1  # void to void, and one to one
        for mine, other in pairs:
            if not mine or not other:
                assert mine == other
                continue
            a, b = ours.segment(mine), theirs.segment(other)
            assert (a.label, a.area, a.crowd) == (b.label, b.area, b.crowd)


def test_by_hand(tmp_path):
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0] = [(3, 0, 0), (3, 1, 0), (3, 255, 0)]
    pixels[1, :2] = (92, 0, 0)
    pixels[1, 2] = (0, 7, 0)  # void, whatever its instance
    write_image(tmp_path / "a.png", pixels)
    value = read_two_channels(tmp_path / "a.png", CLASSES)
    assert value.ids.tolist() == [[1, 2, 3], [4, 4, 0]]
    assert [(s.label, s.crowd) for s in value.segments] == [
        (0, False),
        (0, False),
        (0, True),
        (3, False),
    ]
    write_image(tmp_path / "b.png", pixels[:1])
    assert read_two_channels(tmp_path / "b.png", CLASSES).ids.tolist() == [[1, 2, 3]]


def test_what_is_none_is_refused(tmp_path):
    write_image(tmp_path / "a.png", np.full((2, 2, 3), 4, np.uint8))
    with pytest.raises(DataError, match="in the red channel, got 4"):
        read_two_channels(tmp_path / "a.png", CLASSES)
    with pytest.raises(ImageError, match="does not exist"):
        read_two_channels(tmp_path / "none.png", CLASSES)
