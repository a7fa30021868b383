"""YOLACT's parts by hand: anchors, suppression, losses, quality of masks; and that it learns."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from builders import Scene, tiny_scenes
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import ConfigError, ModelError
from delineate.models.api import Target
from delineate.models.fuse import optimize_for_inference
from delineate.models.layers import FrozenBatchNorm2d
from delineate.models.resnet import DeformableConv
from delineate.models.yolact.config import RULES, YolactConfig
from delineate.models.yolact.detect import detect
from delineate.models.yolact.head import MaskIoUNet, PredictionHead
from delineate.models.yolact.losses import class_loss, hardest, match_priors, semantic_loss
from delineate.models.yolact.priors import cell_priors, place_priors
from delineate.models.zoo import build
from delineate.ops.matching import BACKGROUND, IGNORED

SIZE = (48, 64)
SIZES = ((12,), (24,), (48,), (96,))


def truth(scene: Scene) -> Instances:
    masks = Masks.from_bitmaps(scene.bitmaps, SIZE)
    return Instances(
        image_size=SIZE,
        boxes=masks.boxes(),
        labels=np.array(scene.labels),
        masks=masks,
        crowd=np.array(scene.crowd),
    )


@pytest.mark.parametrize("class_loss", ["focal", "hard_negatives"])
def test_nano_learns_a_scene(class_loss):
    torch.manual_seed(0)
    scenes = tiny_scenes(2, size=SIZE)
    model = build("yolact_nano", classes=2, anchor_sizes=SIZES, class_loss=class_loss).train()
    images, sizes, where = model.prepare([scene.image for scene in scenes])
    targets = [Target.from_instances(truth(scene)) for scene in scenes]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.losses(images, sizes, targets).values()).backward()
        optimizer.step()
    with torch.inference_mode():
        results = model.eval().to_instances(model(images, sizes), where)
    for result, scene in zip(results, scenes, strict=True):
        wanted = truth(scene)
        found = result[: len(wanted)]  # the best ones
        overlap = found.masks.iou(wanted.masks)
        assert sorted(overlap.argmax(axis=1).tolist()) == list(range(len(wanted)))
        assert overlap.max(axis=1).min() > 0.7
        assert found.labels.tolist() == wanted.labels[overlap.argmax(axis=1)].tolist()


@pytest.mark.parametrize(
    "changes",
    [{}, {"backbone_strides": (8, 16, 32), "fpn_extra_levels": 1}, {"backbone": "timm/vgg11"}],
    ids=["from stride 4", "from stride 8", "rounds down"],
)
def test_stuff_covers_pictures_of_any_size(changes):
    torch.manual_seed(0)
    stuff = {"stuff_names": ("sky", "road"), "stuff_ids": (8, 9), "stuff_area": 1}
    model = build("yolact_nano", classes=["cat"], **stuff, **changes)
    model.preprocess = replace(model.preprocess, divisor=1)
    picture = np.random.default_rng(0).integers(0, 256, (47, 71, 3), dtype=np.uint8)
    images, sizes, where = model.prepare([picture])
    assert images.shape[2:] == (47, 71)
    truth = Target.from_instances(Instances.empty((47, 71)), np.full((47, 71), 2, np.uint8))
    optimizer = torch.optim.AdamW(model.stuff.parameters(), lr=0.02)
    for _ in range(8):
        optimizer.zero_grad()
        model.train().losses(images, sizes, [truth])["stuff"].backward()
        optimizer.step()
    with torch.inference_mode():
        raw = model.eval()(images, sizes)
        [seen] = model.to_stuff_maps(raw, where)
        [whole] = model.to_panoptic(raw, where)
    assert (seen == 2).mean() > 0.9
    assert "road" in [whole.classes.name(s.label) for s in whole.segments]


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"match_low": 0.6}, "`match_low` to be at most `match_high`"),
        ({"anchor_sizes": ((8,),)}, "5 tuples"),
        ({"anchor_sizes": ((8,), (9,), (9,), (9,), (9, 10))}, "equally many"),
        ({"deformable_every": 1, "backbone": "darknet53"}, "a ResNet as `backbone`"),
        ({"mask_iuo": True}, "did you mean 'mask_iou'"),
    ],
)
def test_contradictions_are_named(changes, message):
    with pytest.raises(ConfigError, match=message):
        YolactConfig().replace(**changes)


@pytest.mark.parametrize("name", [name for _, _, names in RULES for name in names])
def test_every_range_is_checked(name):
    wrong = (-1,) if isinstance(getattr(YolactConfig(), name), tuple) else -1
    wrong = ((-1,),) * 5 if name == "anchor_sizes" else wrong
    with pytest.raises(ConfigError, match=f"`{name}`"):
        YolactConfig().replace(**{name: wrong})


def test_only_bottlenecks_are_deformed():
    with pytest.raises(ModelError, match="bottlenecks to deform"):
        build("yolact_plus_resnet50", classes=1, backbone="resnet18")
    with torch.device("meta"):
        model = build("yolact_plus_resnet101", classes=1)
    deformed = [name for name, m in model.named_modules() if isinstance(m, DeformableConv)]
    assert deformed[:4] == [f"backbone.layer{n}.conv2" for n in ("2.0", "2.3", "3.0", "3.3")]
    assert len(deformed) == 2 + 8 + 1


# -- anchors ---------------------------------------------------------------------------------------


def test_anchors_by_hand():
    sizes = ((10, 20), (40, 80))
    options = {"backbone_strides": (8, 16), "fpn_extra_levels": 0, "anchor_ratios": (1.0, 4.0)}
    cells = cell_priors(YolactConfig(anchor_sizes=sizes, square_anchors=False, **options))
    sides = (cells[:, :, 2:] - cells[:, :, :2]).tolist()
    assert sides[0] == [[10, 10], [20, 5], [20, 20], [40, 10]]
    square = cell_priors(YolactConfig(anchor_sizes=sizes, **options))
    assert (square[:, :, 2:] - square[:, :, :2])[1].tolist() == [[s, s] for s in (40, 80, 80, 160)]


def test_anchors_are_centred_on_cells_row_by_row():
    cells = torch.tensor([[[-1.0, -2.0, 1.0, 2.0]], [[-8.0, -8.0, 8.0, 8.0]]])
    placed = place_priors(cells, [(2, 3), (1, 1)], [(8, 8), (16, 24)])
    centres = ((placed[:, :2] + placed[:, 2:]) / 2).tolist()
    assert centres == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12], [12, 8]]


def test_nothing_is_known_before_training():
    """The share of the background is what `class_prior` leaves, on every level."""
    config = YolactConfig(class_prior=0.02, head_channels=8, fpn_channels=8)
    torch.manual_seed(0)
    head = PredictionHead(config, 8, 3)
    shares = head([torch.randn(1, 8, 4, 4), torch.randn(1, 8, 2, 2)]).logits.softmax(dim=2)
    assert shares.shape == (1, 3 * 20, 4)
    assert shares[:, :, 0].mean().item() == pytest.approx(0.98, abs=0.01)


# -- detections ------------------------------------------------------------------------------------

BOXES = torch.tensor([[0.0, 0, 10, 10], [0, 1, 10, 11], [40, 0, 50, 10]])
SHARES = torch.tensor([[0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.97, 0.02, 0.01]])


@pytest.mark.parametrize(
    ("nms", "labels", "scores"),
    [
        # Each candidate runs for each class: the first box again at 0.1, below the other's 0.6.
        ("fast", [0, 1], [0.8, 0.6]),
        ("cross_class", [0], [0.8]),
        ("traditional", [0, 1], [0.8, 0.6]),
    ],
)
def test_ways_to_suppress(nms, labels, scores):
    found = detect(BOXES, SHARES, torch.eye(3), YolactConfig(nms=nms))
    assert found.labels.tolist() == labels
    assert found.scores.tolist() == pytest.approx(scores)
    assert found.coefficients.tolist() == torch.eye(3)[: len(labels)].tolist()


def test_only_the_best_of_each_class_go_into_traditional_suppression():
    boxes = torch.tensor([[20.0 * i, 0, 20.0 * i + 10, 10] for i in range(6)])
    probabilities = torch.tensor(
        [[0.0, 0.9, 0.1], [0, 0.8, 0.2], [0, 0.7, 0.3], [0, 0.3, 0.7], [0, 0.2, 0.8], [0, 0.6, 0.4]]
    )
    config = YolactConfig(nms="traditional", pre_nms_traditional=2)
    found = detect(boxes, probabilities, torch.zeros(6, 1), config)
    chosen = sorted(
        zip((found.boxes[:, 0] / 20).int().tolist(), found.labels.tolist(), strict=True)
    )
    assert chosen == [(0, 0), (1, 0), (3, 1), (4, 1)]


@pytest.mark.parametrize("nms", ["fast", "cross_class", "traditional"])
def test_nothing_exceeds_the_threshold(nms):
    found = detect(BOXES, SHARES, torch.eye(3), YolactConfig(nms=nms, score_threshold=0.9))
    assert [len(part) for part in found] == [0] * 4


def test_masks_too_small_for_the_network_are_padded():
    torch.manual_seed(0)
    net = MaskIoUNet(3)
    masks, labels = torch.rand(2, 20, 70), torch.tensor([0, 2])
    padded = torch.zeros(2, 63, 70)
    padded[:, :20] = masks
    assert torch.equal(net(masks, labels), net(padded, labels))
    assert net(masks[:0], labels[:0]).shape == (0,)


# -- losses ----------------------------------------------------------------------------------------


def test_crowds_are_no_background():
    priors = torch.tensor([[0.0, 0, 10, 10], [20, 0, 30, 10], [24, 0, 34, 10], [60, 0, 70, 10]])
    target = Target(BOXES[:1], torch.tensor([1]), None, torch.tensor([[18.0, 0, 32, 12]]))
    matched = match_priors(priors, target, YolactConfig())
    # Of the third anchor 8 tenths lie in the crowd, of the last none.
    assert matched.tolist() == [0, IGNORED, IGNORED, BACKGROUND]
    without = match_priors(priors, target._replace(crowds=None), YolactConfig())
    assert without.tolist() == [0, BACKGROUND, BACKGROUND, BACKGROUND]


def test_from_instances_keeps_crowds_apart():
    (scene,) = tiny_scenes(1, size=SIZE, crowd=True)
    target = Target.from_instances(truth(scene)).to("cpu")
    assert len(target.boxes) == len(target.masks.crops) == 3
    assert target.crowds.tolist() == [[2, 45, 62, 48]]


def test_hard_negatives_are_three_to_one_and_look_like_objects():
    matched = torch.full((1, 9), BACKGROUND)
    matched[0, 0], matched[0, 1] = 0, IGNORED
    logits = torch.zeros(1, 9, 2)
    logits[0, :, 1] = torch.tensor([9.0, 9, 1, 5, 3, 4, 0, 2, -1])
    assert torch.where(hardest(logits, matched, 3)[0])[0].tolist() == [3, 4, 5]
    target = Target(BOXES[:1], torch.tensor([0]), None)
    loss = class_loss(logits, [target], matched, YolactConfig())
    expected = sum(math.log1p(math.exp(x)) for x in (-9, 5, 3, 4))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_semantics_of_two_classes():
    bitmap = np.zeros((8, 8), dtype=bool)
    bitmap[:4, :4] = True
    masks = Masks.from_bitmaps([bitmap], (8, 8))
    instances = Instances(image_size=(8, 8), boxes=masks.boxes(), labels=np.array([1]), masks=masks)
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1] = torch.tensor([[3.0, -3], [-3, -3]])
    loss = semantic_loss(logits, [Target.from_instances(instances)], (8, 8))
    assert loss.item() == pytest.approx(math.log(2) + math.log1p(math.exp(-3)), rel=1e-5)


def test_boxes_alone_can_be_trained():
    model = build("yolact_nano", classes=2, anchor_sizes=SIZES).train()
    target = Target(BOXES[:1], torch.tensor([1]), None)
    losses = model.losses(torch.randn(1, 3, 64, 64), torch.tensor([[64, 64]]), [target])
    assert set(losses) == {"box", "class"}


# -- inference copies ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["yolact_darknet53", "yolact_nano"])
def test_inference_copy_has_no_norm_left(name):
    copied = optimize_for_inference(build(name, classes=1))
    assert not [m for m in copied.modules() if isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d)]
