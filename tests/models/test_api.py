"""The contract's tensors: truth going in, detections coming out."""

import numpy as np
import pytest
import torch

from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.preprocess import Preprocess
from delineate.errors import DataError
from delineate.models.api import BoxMasks, SegModel, Target, box_masks_to_instances
from delineate.models.options import Options

SIZE = (20, 30)


def bitmap(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def truth(*bitmaps: np.ndarray, crowd: list[bool] | None = None) -> Instances:
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    return Instances(
        image_size=SIZE,
        boxes=masks.boxes(),
        labels=np.arange(len(bitmaps)),
        masks=masks,
        crowd=None if crowd is None else np.array(crowd),
    )


@pytest.mark.parametrize(
    ("place", "origin", "shape"),
    [
        ((5, 6, 9, 12), (4, 5), (8, 6)),  # a margin of one pixel on all sides
        ((0, 0, 3, 4), (0, 0), (5, 4)),  # none at the image's border
        ((25, 15, 30, 20), (24, 14), (6, 6)),
        ((0, 0, 30, 20), (0, 0), (20, 30)),
        ((7, 8, 8, 9), (6, 7), (3, 3)),  # one pixel
    ],
)
def test_crops_have_a_margin_except_at_the_border(place, origin, shape):
    target = Target.from_instances(truth(bitmap(*place)))
    assert target.boxes.tolist() == [list(map(float, place))]
    (crop,), origins = target.masks
    assert crop.dtype == torch.uint8
    assert tuple(crop.shape) == shape
    assert origins.tolist() == [list(origin)]
    back = np.zeros(SIZE, dtype=bool)
    back[origin[1] : origin[1] + shape[0], origin[0] : origin[0] + shape[1]] = crop.numpy()
    assert (back == bitmap(*place)).all()


def test_crowds_are_left_out_of_every_field():
    target = Target.from_instances(
        truth(
            bitmap(1, 1, 4, 4),
            bitmap(0, 0, 30, 20),
            bitmap(9, 9, 12, 12),
            crowd=[False, True, False],
        )
    )
    assert target.labels.tolist() == [0, 2]
    assert target.boxes.tolist() == [[1, 1, 4, 4], [9, 9, 12, 12]]
    assert len(target.masks.crops) == 2
    assert target.masks.origins.tolist() == [[0, 0], [8, 8]]


def test_boxes_without_area_are_left_out():
    boxes = np.array([[3.0, 3, 3, 9], [1, 1, 4, 4]])
    instances = Instances(image_size=SIZE, boxes=boxes, labels=np.array([0, 1]))
    assert Target.from_instances(instances).labels.tolist() == [1]


def test_no_objects():
    target = Target.from_instances(Instances.empty(SIZE))
    assert target.boxes.shape == (0, 4)
    assert target.labels.shape == (0,)
    assert target.masks.crops == ()
    assert target.masks.origins.shape == (0, 2)


def test_an_empty_mask_has_a_crop_too():
    instances = Instances(
        image_size=SIZE,
        boxes=np.array([[3.0, 3, 9, 9]]),
        labels=np.array([0]),
        masks=Masks.from_bitmaps([np.zeros(SIZE)], SIZE),
    )
    (crop,), _ = Target.from_instances(instances).masks
    assert crop.numel() > 0
    assert crop.sum() == 0


def test_boxes_without_masks():
    instances = truth(bitmap(1, 1, 4, 4)).replace(masks=None)
    assert Target.from_instances(instances).masks is None


def test_moving_a_target_moves_every_tensor():
    target = Target.from_instances(truth(bitmap(1, 1, 4, 4))).to("meta")
    tensors = [target.boxes, target.labels, target.masks.origins, *target.masks.crops]
    assert {t.device.type for t in tensors} == {"meta"}


def raw(boxes: list[list[float]], image: list[int], masks: torch.Tensor) -> BoxMasks:
    return BoxMasks(
        image=torch.tensor(image),
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.linspace(0.9, 0.5, len(image)),
        labels=torch.arange(len(image)),
        masks=masks,
    )


def test_detections_return_to_their_own_images():
    full = torch.ones(3, 4, 4)
    detections = raw([[0, 0, 20, 20], [10, 20, 30, 40], [0, 0, 61, 40]], [0, 1, 1], full)
    where = [Geometry.resize((20, 20), (40, 40)), Geometry.resize((20, 30), (40, 60))]
    first, second = box_masks_to_instances(detections, where, rule="half_pixel")
    assert (first.image_size, second.image_size) == ((20, 20), (20, 30))
    assert first.boxes.tolist() == [[0, 0, 10, 10]]
    assert second.boxes.tolist() == [[5, 10, 15, 20], [0, 0, 30, 20]]  # the last one clipped
    assert second.labels.tolist() == [1, 2]
    assert second.scores.tolist() == pytest.approx([0.7, 0.5])
    assert first.masks.boxes().tolist() == first.boxes.tolist()
    assert second.masks.boxes().tolist() == second.boxes.tolist()


def test_an_image_without_detections_has_none():
    nothing = raw([], [], torch.zeros(0, 28, 28))
    (instances,) = box_masks_to_instances(nothing, [Geometry.identity(SIZE)], rule="integer")
    assert len(instances) == 0
    assert instances.image_size == SIZE
    assert instances.scores.shape == (0,)


class OneWeight(SegModel):
    """The least a model can be."""

    family = "test"

    def __init__(self) -> None:
        super().__init__(None, ClassMap.from_names(["a"]), Preprocess(resize="factor", divisor=16))
        self.weight = torch.nn.Parameter(torch.zeros(1))


def test_prepare_pads_a_batch_of_two_sizes():
    pictures = [np.full((20, 30, 3), 255, np.uint8), np.zeros((33, 10, 3), np.uint8)]
    images, sizes, where = OneWeight().prepare(pictures)
    assert images.shape == (2, 3, 48, 32)
    assert images.dtype == torch.float32
    assert sizes.tolist() == [[20, 30], [33, 10]]
    assert [g.source for g in where] == [(20, 30), (33, 10)]
    assert images[0, :, :20, :30].min() > 2  # white, normalised
    assert images[0, :, 20:].abs().max() == 0
    assert images[0, :, :, 30:].abs().max() == 0


def test_prepare_needs_images():
    with pytest.raises(DataError, match="at least one image"):
        OneWeight().prepare([])


def test_the_base_promises_and_does_nothing():
    model = OneWeight()
    for call in (
        lambda: model(torch.zeros(1, 3, 8, 8), torch.tensor([[8, 8]])),
        lambda: model.losses(torch.zeros(1, 3, 8, 8), torch.tensor([[8, 8]]), []),
        lambda: model.to_instances((), []),
    ):
        with pytest.raises(NotImplementedError):
            call()


class Fixed(SegModel):
    """A model that finds what it is told."""

    def __init__(self, found: Instances) -> None:
        super().__init__(
            Options(family="fixed"), ClassMap.from_names(["cell", "dirt"]), Preprocess()
        )
        self.found = found

    def to_instances(self, raw, where):
        return [self.found]


def test_a_model_without_stuff_answers_with_things_the_better_in_front():
    bitmaps = np.zeros((3, 6, 8), bool)
    bitmaps[0, :4, :4] = bitmaps[1, :, 3:] = bitmaps[2, :2, 6:] = True
    masks = Masks.from_bitmaps(list(bitmaps), (6, 8))
    found = Instances(
        image_size=(6, 8),
        boxes=masks.boxes(),
        labels=np.array([0, 1, 0]),
        scores=np.array([0.9, 0.8, 0.3], np.float32),
        masks=masks,
    )
    model = Fixed(found)
    (panoptic,) = model.to_panoptic((), [])
    assert [(s.label, s.area) for s in panoptic.segments] == [(0, 16), (1, 26)]
    expected = np.full((6, 8), -1)
    expected[:, 3:], expected[:4, :4] = 1, 0
    assert model.to_semantic((), [])[0].tolist() == expected.tolist()
