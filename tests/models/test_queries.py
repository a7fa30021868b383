"""What networks with queries return, and the sentence about queries that all say the same."""

import numpy as np
import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.errors import ModelError
from delineate.models.queries import (
    QueryMasks,
    collapse_warning,
    split_classes,
    to_instances,
    to_panoptic,
)

WHERE = [Geometry.resize((40, 60), (80, 120)), Geometry.resize((100, 100), (50, 50))]


def raw(count: int = 6, *, masks: bool = True, seed: int = 0) -> QueryMasks:
    random = torch.Generator().manual_seed(seed)
    image = torch.arange(count) % 2
    image = image.sort().values
    low = torch.rand(count, 2, generator=random) * 20
    high = low + 5 + torch.rand(count, 2, generator=random) * 20
    maps = torch.randn(count, 20, 30, generator=random) if masks else torch.zeros(count, 0, 0)
    labels = torch.arange(count) % 3
    return QueryMasks(
        image,
        torch.cat([low, high], 1),
        torch.rand(count),
        labels,
        torch.arange(count).flip(0),
        maps,
        torch.tensor([80, 120]),
    )


def test_comes_back_in_the_original_pixels():
    given = raw()
    first, second = to_instances(given, WHERE, things=None)
    assert (first.image_size, second.image_size) == ((40, 60), (100, 100))
    np.testing.assert_allclose(first.boxes, given.boxes[:3] / 2, rtol=1e-6)
    np.testing.assert_allclose(second.boxes, given.boxes[3:] * 2, rtol=1e-6)
    assert len(first.masks) == 3
    assert second.masks.areas.min() > 1000


def test_of_equal_stuff_the_first_query_stays_in_a_panoptic_image():
    given = raw(3)._replace(image=torch.zeros(3, dtype=torch.int64), scores=torch.ones(3))
    maps = torch.zeros(3, 20, 30)
    maps[0, :10], maps[1, 10:], maps[2, :, :1] = 1, 2, 3
    classes = ClassMap.from_names(["cat", "sky"])
    options = {"classes": split_classes(classes, 1), "score_threshold": 0.5}
    given = given._replace(maps=maps, labels=torch.tensor([1, 1, 0]), query=torch.tensor([7, 2, 4]))
    (found,) = to_panoptic(given, WHERE[:1], **options)
    assert [segment.label for segment in found.segments] == [1, 0]
    assert found.image_size == (40, 60)
    with pytest.raises(ModelError, match="boxes alone"):
        to_panoptic(raw(masks=False), WHERE, **options)


def test_stuff_is_left_out():
    first, second = to_instances(raw(), WHERE, things=2)
    assert first.labels.tolist() + second.labels.tolist() == [0, 1, 0, 1]


def test_boxes_alone_have_no_masks():
    found = to_instances(raw(masks=False), WHERE, things=None)
    assert [instances.masks for instances in found] == [None, None]


@pytest.mark.parametrize("masks", [True, False])
def test_different_answers_are_no_collapse(masks):
    assert collapse_warning(raw(masks=masks)) is None


def test_equal_boxes_or_masks_are_told():
    given = raw()
    boxes = given._replace(boxes=given.boxes[:1].expand(6, 4) + torch.rand(6, 4) * 0.01)
    assert "nearly the same boxes" in collapse_warning(boxes)
    masks = given._replace(maps=given.maps[:1].expand(6, -1, -1))
    assert "nearly the same masks" in collapse_warning(masks)
    empty = given._replace(maps=torch.full_like(given.maps, -1))
    assert "nearly the same masks" in collapse_warning(empty)


def test_one_image_whose_answers_differ_is_enough():
    given = raw()
    boxes = given.boxes.clone()
    boxes[:3] = boxes[0]
    maps = given.maps.clone()
    maps[:3] = maps[0]
    assert collapse_warning(given._replace(boxes=boxes, maps=maps)) is None


def test_single_detections_tell_nothing():
    given = raw(2)
    assert collapse_warning(given) is None
