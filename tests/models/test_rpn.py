"""Anchors, proposals and their losses."""

import math

import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from delineate.models.api import FeatureSpec, Target
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.rpn import RPN, Level, cell_anchors, place_anchors

CONFIG = MaskRCNNConfig(
    backbone_strides=(8, 16),
    fpn_extra_level=False,
    anchor_sizes=((16,), (32,)),
    anchor_ratios=(1.0,),
    anchor_spacing="stride",
    rpn_samples=8,
)


def rpn(config: MaskRCNNConfig = CONFIG) -> RPN:
    torch.manual_seed(0)
    return RPN(config, FeatureSpec((4, 4), (8, 16)))


def test_cell_anchors_by_hand():
    cells = cell_anchors((10, 20), (0.25, 1.0), rounded=False)
    expected = [[-10, -2.5, 10, 2.5], [-20, -5, 20, 5], [-5, -5, 5, 5], [-10, -10, 10, 10]]
    assert cells.tolist() == expected
    assert cell_anchors((10,), (0.25,), rounded=True).tolist() == [[-10, -2, 10, 2]]  # half to even


def test_anchors_lie_on_the_corners_of_cells_row_by_row():
    placed = place_anchors(torch.tensor([[-1.0, -2, 1, 2], [-3, -3, 3, 3]]), (2, 2), (10, 20))
    assert placed[0].tolist() == [-1, -2, 1, 2]
    assert placed[1].tolist() == [-3, -3, 3, 3]
    assert placed[2].tolist() == [19, -2, 21, 2]
    assert placed[4].tolist() == [-1, 8, 1, 12]
    assert placed.shape == (8, 4)


@pytest.mark.parametrize("padded", [(800, 1088), (96, 160), (64, 64)])
def test_anchors_equal_torchvision_with_its_rounded_grid(padded):
    """On 800 pixels the coarsest map has 13 rows, which torchvision spaces by 800 // 13 = 61."""
    config = MaskRCNNConfig()
    net = RPN(config, FeatureSpec((4,) * 5, (4, 8, 16, 32, 64)))
    maps = [torch.zeros(1, 4, *(math.ceil(side / s) for side in padded)) for s in net.strides]
    ours = torch.cat([level.anchors for level in net(maps, padded)])
    generator = AnchorGenerator(config.anchor_sizes, (config.anchor_ratios,) * 5)
    (theirs,) = generator(ImageList(torch.zeros(1, 3, *padded), [padded]), maps)
    assert torch.equal(ours, theirs)


def test_exact_spacing_is_the_stride_whatever_the_size():
    levels = rpn()([torch.zeros(1, 4, 13, 3), torch.zeros(1, 4, 7, 2)], (100, 20))
    assert levels[0].anchors[3 * 12].tolist() == [-8, 88, 8, 104]
    assert levels[1].anchors[2 * 6].tolist() == [-16, 80, 16, 112]


def test_predictions_belong_to_their_anchors():
    """Light up one position: the logit and deltas there stand where its anchor stands."""
    net = rpn(CONFIG.replace(anchor_ratios=(0.5, 2.0)))
    for layer in (net.conv[0][0], net.objectness, net.deltas):
        torch.nn.init.zeros_(layer.weight)
    net.conv[0][0].weight.data[0, 0, 1, 1] = 1
    net.objectness.weight.data[:, 0, 0, 0] = torch.tensor([1.0, 2])
    net.deltas.weight.data[:, 0, 0, 0] = torch.arange(8.0)
    fine = torch.zeros(2, 4, 3, 5)
    fine[1, 0, 2, 4] = 1
    level, _ = net([fine, torch.zeros(2, 4, 2, 3)], (24, 40))
    assert level.objectness.nonzero().tolist() == [[1, 28], [1, 29]]
    assert level.objectness[1, 28:].tolist() == [1, 2]
    assert level.deltas[1, 28:].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert level.anchors[28, :2].add(level.anchors[28, 2:]).div(2).tolist() == [32, 16]


def level(logits: list[float], anchors: list[list[float]]) -> Level:
    count = len(logits)
    return Level(
        torch.tensor([logits], dtype=torch.float32, requires_grad=True),
        torch.zeros(1, count, 4),
        torch.tensor(anchors, dtype=torch.float32),
    )


def test_proposals_best_first_suppressed_within_a_level_only():
    same, moved, far = [0.0, 0, 20, 20], [1.0, 0, 21, 20], [40.0, 40, 60, 60]
    levels = [level([3, 2, 1], [same, moved, far]), level([2.5], [same])]
    (boxes,) = rpn().propose(levels, torch.tensor([[100, 100]]), pre_nms=10, post_nms=10)
    assert boxes.tolist() == [same, same, far]
    assert not boxes.requires_grad


def test_pre_nms_counts_a_level_and_post_nms_an_image():
    apart = [[float(x), 0, x + 10, 10] for x in (0, 20, 40, 60)]
    levels = [level([4, 3, 2, 1], apart), level([0.5], [[0.0, 50, 10, 60]])]
    sizes = torch.tensor([[100, 100]])
    (boxes,) = rpn().propose(levels, sizes, pre_nms=2, post_nms=10)
    assert boxes[:, 0].tolist() == [0, 20, 0]
    (boxes,) = rpn().propose(levels, sizes, pre_nms=2, post_nms=1)
    assert boxes[:, 0].tolist() == [0]


def test_proposals_end_at_the_unpadded_image_and_empty_ones_go():
    levels = [level([2, 1], [[-5.0, 5, 50, 80], [45.0, 0, 60, 10]]), level([0], [[0.0, 0, 9, 9]])]
    (boxes,) = rpn().propose(levels, torch.tensor([[30, 40]]), pre_nms=10, post_nms=10)
    assert boxes.tolist() == [[0, 5, 40, 30], [0, 0, 9, 9]]


def target(*boxes: list[float]) -> Target:
    return Target(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.zeros(len(boxes)).long(),
        None,
    )


def test_losses_by_hand():
    anchors = [[0.0, 0, 10, 10], [100.0, 100, 110, 110]]
    levels = [level([2, -1], anchors), level([0], [[200.0, 0, 220, 20]])]
    losses = rpn().losses(levels, [target([1.0, 0, 11, 10])])
    # One positive (dx = 0.1, the quadratic part below 1/9), two negatives.
    logs = math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log(2)
    assert losses["rpn_objectness"].item() == pytest.approx(logs / 3)
    assert losses["rpn_box"].item() == pytest.approx(0.5 * 0.1**2 * 9 / 3)


def test_losses_without_objects_have_no_box_part():
    levels = [level([2, -1], [[0.0, 0, 10, 10], [50.0, 50, 60, 60]])]
    losses = rpn().losses(levels, [target()])
    assert losses["rpn_box"].item() == 0
    expected = (math.log1p(math.exp(2)) + math.log1p(math.exp(-1))) / 2
    assert losses["rpn_objectness"].item() == pytest.approx(expected)
    sum(losses.values()).backward()
    assert levels[0].objectness.grad.abs().sum() > 0
