"""Sampling, slots of classes, and selection in the second stage."""

import math

import pytest
import torch

from delineate.models.api import FeatureSpec, MaskCrops, Target
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.roi_heads import RoIHeads

CLASSES = 3
SIZES = torch.tensor([[64, 96], [64, 96]])
CONFIG = MaskRCNNConfig(
    box_fc_width=8,
    mask_convs=0,
    mask_channels=4,
    roi_samples=8,
    roi_positive_fraction=0.5,
    score_threshold=0.3,
    detections_per_image=3,
)


def heads(**changes) -> RoIHeads:
    torch.manual_seed(0)
    return RoIHeads(CONFIG.replace(**changes), FeatureSpec((4, 4), (4, 8)), CLASSES)


def features(batch: int = 1) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    sizes = ((16, 24), (8, 12))
    return [torch.randn(batch, 4, *size, generator=random) for size in sizes]


def target(boxes: list[list[float]], labels: list[int], *, masks: bool = True) -> Target:
    crops = tuple(
        torch.ones(int(y1 - y0), int(x1 - x0), dtype=torch.uint8) for x0, y0, x1, y1 in boxes
    )
    where = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    cut = MaskCrops(crops, where[:, :2].long()) if masks else None
    return Target(where, torch.tensor(labels, dtype=torch.int64), cut)


def test_the_true_boxes_are_proposals_too():
    truth = target([[10, 10, 30, 30]], [2])
    examples = heads().sample([torch.zeros(0, 4)], [truth])
    assert examples.boxes.tolist() == [[10, 10, 30, 30]]
    assert examples.labels.tolist() == [2]
    assert examples.deltas.abs().sum() == 0


def test_examples_know_their_image_object_and_way_to_it():
    proposals = [
        torch.tensor([[60.0, 40, 80, 60]]),
        torch.tensor([[12.0, 10, 32, 30], [50.0, 50, 60, 60]]),
    ]
    truths = [target([], []), target([[40, 0, 50, 10], [10, 10, 30, 30]], [0, 1])]
    examples = heads().sample(proposals, truths)
    assert examples.image.tolist() == [0, 1, 1, 1, 1]
    # In the second image: the near proposal, both true boxes, then the background.
    assert examples.labels.tolist() == [-1, 1, 0, 1, -1]
    assert examples.owner.tolist() == [0, 1, 0, 1, 0]
    expected = torch.zeros(5, 4)
    expected[1, 0] = 10 * -2 / 20
    torch.testing.assert_close(examples.deltas, expected)


@pytest.mark.parametrize(
    ("background", "agnostic", "slots"),
    [
        ("first", False, {"scores": 4, "deltas": 16, "masks": 4}),  # torchvision
        ("last", False, {"scores": 4, "deltas": 12, "masks": 3}),  # detectron2
        ("last", True, {"scores": 4, "deltas": 4, "masks": 3}),
        ("first", True, {"scores": 4, "deltas": 4, "masks": 4}),
    ],
)
def test_slots(background, agnostic, slots):
    net = heads(background=background, box_class_agnostic=agnostic)
    found = {
        "scores": net.box_predictor.scores.out_features,
        "deltas": net.box_predictor.deltas.out_features,
        "masks": net.mask_head.logits.out_channels,
    }
    assert found == slots


def rig(net: RoIHeads, scores: dict[int, float], shift: dict[int, float]) -> None:
    """Make every box get these logits, x shifts (in boxes) and, as mask logit, its slot."""
    predictor = net.box_predictor
    for layer in (predictor.scores, predictor.deltas, net.mask_head.logits):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    for slot, value in scores.items():
        predictor.scores.bias.data[slot] = value
    for slot, value in shift.items():
        predictor.deltas.bias.data[4 * slot] = 10 * value
    count = len(net.mask_head.logits.bias)
    net.mask_head.logits.bias.data = torch.arange(count, dtype=torch.float32)


@pytest.mark.parametrize(("background", "first"), [("first", 1), ("last", 0)])
def test_the_background_shifts_scores_boxes_and_masks_alike(background, first):
    net = heads(background=background)
    rig(net, scores={1 + first: 3.0}, shift={1 + first: 0.5, first: 99.0})
    with torch.no_grad():
        found = net(features(), [torch.tensor([[10.0, 10, 30, 30]])], SIZES[:1])
    assert found.labels.tolist() == [1]
    torch.testing.assert_close(found.boxes, torch.tensor([[20.0, 10, 40, 30]]))
    assert found.scores.item() == pytest.approx(math.exp(3) / (math.exp(3) + 3))
    slot_logit = torch.tensor(float(1 + first))
    assert found.masks.shape == (1, 28, 28)
    torch.testing.assert_close(found.masks, slot_logit.sigmoid().expand(1, 28, 28))


def test_selection_per_image_best_first_limited_and_clipped():
    net = heads(score_threshold=0.1)
    rig(net, scores={1: 1.0, 2: 2.0}, shift={})
    proposals = [
        torch.tensor([[0.0, 0, 20, 20], [1.0, 0, 21, 20], [40.0, 0, 60, 20]]),
        torch.tensor([[80.0, 50, 120, 90]]),
    ]
    with torch.no_grad():
        found = net(features(2), proposals, SIZES)
    # First image: of each class two survive suppression, three of four the limit.
    assert found.image.tolist() == [0, 0, 0, 1, 1]
    assert found.labels.tolist() == [1, 1, 0, 1, 0]
    assert found.boxes[:3, 0].tolist() == [0, 40, 0]
    assert found.boxes[3].tolist() == [80, 50, 96, 64]
    assert (found.scores[:3].diff() <= 0).all()


def test_nothing_above_the_threshold_and_nothing_proposed():
    net = heads()
    rig(net, scores={0: 9.0}, shift={})
    for proposals in ([torch.tensor([[0.0, 0, 20, 20]])], [torch.zeros(0, 4)]):
        with torch.no_grad():
            found = net(features(), proposals, SIZES[:1])
        assert [len(part) for part in found] == [0] * 5
        assert found.masks.shape[1:] == (28, 28)


def test_losses_by_hand():
    net = heads(background="last")
    rig(net, scores={0: 1.0}, shift={0: 0.1})
    truths = [target([[10, 10, 30, 30]], [0])]
    losses = net.losses(features(), [torch.tensor([[60.0, 40, 80, 60]])], truths)
    total = math.e + 3
    expected = -(math.log(math.e / total) + math.log(1 / total)) / 2
    assert losses["class"].item() == pytest.approx(expected)
    # One positive of two examples; its dx is off by 1, in the linear part.
    assert losses["box"].item() == pytest.approx((1 - 0.5 / 9) / 2)
    # All mask logits are 0 (the slot), the mask fills its box: -log(1/2) wherever it is 1 or 0.
    assert losses["mask"].item() == pytest.approx(math.log(2))


def test_images_without_masks_train_boxes_only():
    proposals = [torch.zeros(0, 4)] * 2
    boxes, labels = [[10, 10, 30, 30]], [1]
    both = [target(boxes, labels), target(boxes, labels, masks=False)]
    net = heads()
    mixed = net.losses(features(2), proposals, both)
    alone = net.losses([f[:1] for f in features(2)], proposals[:1], both[:1])
    torch.testing.assert_close(mixed["mask"], alone["mask"])
    assert set(net.losses(features(2), proposals, both[1:] * 2)) == {"class", "box"}


def test_no_examples_at_all():
    net = heads()
    losses = net.losses(features(), [torch.zeros(0, 4)], [target([], [])])
    assert {name: loss.item() for name, loss in losses.items()} == {"class": 0, "box": 0, "mask": 0}
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.abs().sum() == 0 for p in net.parameters())
