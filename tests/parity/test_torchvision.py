"""Our Mask R-CNN against torchvision's own, live: its weights, converted, and the same images.

Torchvision's models are built by its own functions on the path of their published weights
(``weights="COCO_V1"``), with random values in place of the download. Images are small and few
proposals are kept, for time; every other option is the published one. That the comparison notices a
wrong convention is tested too: the mutations at the end.
"""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import detection as tv
from torchvision.models._api import WeightsEnum
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.models.api import SegModel, Target
from delineate.models.fuse import optimize_for_inference
from delineate.models.zoo import MODELS, build
from delineate.ops import matching
from delineate.weights.hub import COCO_91, WEIGHTS
from delineate.weights.keymap import to_ours
from delineate.weights.layouts import fill_from, layout_named
from delineate.weights.torchvision import MASKRCNN, MASKRCNN_V2

V1, V2 = "maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2"
TABLES = {V1: MASKRCNN, V2: MASKRCNN_V2}
PARAMETERS = {V1: 44_401_393, V2: 46_359_409}  # as torchvision publishes them
MIN_SIZE, MAX_SIZE = 192, 320
BEFORE_NMS, PROPOSALS, PROPOSALS_TRAIN = 400, 200, 60
LOSSES = {
    "loss_objectness": "rpn_objectness",
    "loss_rpn_box_reg": "rpn_box",
    "loss_classifier": "class",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}


def random_state(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Return random values for every entry that keep activations and predictions in range."""
    random = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in model.state_dict().items():
        noise = torch.randn(value.shape, generator=random)
        if key.endswith("num_batches_tracked"):
            noise = torch.zeros_like(value)
        elif key.endswith("running_var"):
            noise = 0.5 + torch.rand(value.shape, generator=random)
        elif value.dim() > 1:
            noise *= ((1 if ".fpn." in key else 2) / value[0].numel()) ** 0.5
        elif key.endswith("weight"):  # of a norm; the last one of a residual branch is small
            noise = 0.75 + 0.5 * torch.rand(value.shape, generator=random)
            noise *= 0.25 if ".bn3." in key else 1
        else:
            noise *= 0.05
        state[key] = noise
    state["rpn.head.cls_logits.weight"] *= 0.3
    state["rpn.head.bbox_pred.weight"] *= 0.05
    state["roi_heads.box_predictor.cls_score.weight"] *= 0.2
    state["roi_heads.box_predictor.bbox_pred.weight"] *= 0.1
    state["roi_heads.box_predictor.cls_score.bias"][0] = 3  # where nothing is seen, nothing is
    return state


class Pair:
    """Torchvision's model, its weights, and ours to compare with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        make = getattr(tv, name)
        self.state = random_state(make(weights=None, weights_backbone=None), seed=0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: dict(self.state))
            self.theirs = make(
                weights="COCO_V1",
                min_size=MIN_SIZE,
                max_size=MAX_SIZE,
                rpn_pre_nms_top_n_test=BEFORE_NMS,
                rpn_pre_nms_top_n_train=BEFORE_NMS,
                rpn_post_nms_top_n_test=PROPOSALS,
                rpn_post_nms_top_n_train=PROPOSALS_TRAIN,
            ).eval()

    def ours(self, **changes: object) -> SegModel:
        """Return our model of the same name with the same weights, or a wrong one by `changes`."""
        preprocess = replace(MODELS[self.name].preprocess, min_size=MIN_SIZE, max_size=MAX_SIZE)
        options = {
            "classes": COCO_91,
            "preprocess": preprocess,
            "rpn_pre_nms": BEFORE_NMS,
            "rpn_pre_nms_train": BEFORE_NMS,
            "rpn_post_nms": PROPOSALS,
            "rpn_post_nms_train": PROPOSALS_TRAIN,
        }
        model = build(self.name, **options | changes)
        fill_from(model, self.state, layout_named(WEIGHTS[f"{self.name}:coco_v1"].layout))
        return model.eval()


def tensors(images: list[np.ndarray]) -> list[Tensor]:
    """Return images as torchvision wants them."""
    return [torch.from_numpy(image).permute(2, 0, 1) / 255 for image in images]


@torch.inference_mode()
def detect_theirs(model: nn.Module, images: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    return [{key: v.numpy() for key, v in found.items()} for found in model(tensors(images))]


@torch.inference_mode()
def detect_ours(model: SegModel, images: list[np.ndarray]) -> list[Instances]:
    batch, sizes, where = model.prepare(images)
    return model.to_instances(model(batch, sizes), where)


def compare(theirs: dict[str, np.ndarray], ours: Instances, classes: ClassMap) -> None:
    """Fail unless the detections are the same; near-equal scores may be in either order.

    Masks must agree in every pixel, but for those whose probability is the threshold itself.
    """
    assert len(ours) == len(theirs["boxes"])
    ids = np.array([classes.source_id(label) for label in ours.labels], dtype=np.int64)
    distance = np.abs(theirs["boxes"][:, None] - ours.boxes).max(axis=2, initial=0)
    distance[theirs["labels"][:, None] != ids] = np.inf
    order = distance.argmin(axis=1) if len(ours) else np.zeros(0, dtype=np.int64)
    assert sorted(order) == list(range(len(ours)))
    assert (distance[np.arange(len(order)), order] <= 1e-3).all()
    assert (np.abs(theirs["scores"] - ours.scores[order]) <= 1e-5).all()
    common = union = 0
    for soft, index in zip(theirs["masks"][:, 0], order, strict=True):
        a, b = soft >= 0.5, ours.masks.bitmap(int(index))
        assert (a == b)[np.abs(soft - 0.5) > 1e-4].all()
        common, union = common + (a & b).sum(), union + (a | b).sum()
    assert common >= 0.999 * union


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """Return soft random blots under a little noise: as much to see as in a photograph."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 246, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    large = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return large + rng.integers(0, 10, large.shape, dtype=np.uint8)


PORTRAIT = picture(404, 231, seed=0)
TINY = picture(9, 14, seed=1)
LANDSCAPE = picture(301, 403, seed=2)
PLAIN = np.full((160, 240, 3), (124, 116, 104), dtype=np.uint8)


@pytest.fixture(scope="module", params=[V1, V2])
def pair(request) -> Pair:
    return Pair(request.param)


@pytest.mark.parametrize(
    ("images", "counts"),
    [([PORTRAIT], [100]), ([TINY], [100]), ([PLAIN, LANDSCAPE], [0, 100])],
    ids=["portrait", "tiny", "batch of two sizes, one empty"],
)
def test_detections(pair, images, counts):
    theirs = detect_theirs(pair.theirs, images)
    assert [len(found["boxes"]) for found in theirs] == counts
    model = pair.ours()
    for expected, found in zip(theirs, detect_ours(model, images), strict=True):
        compare(expected, found, model.classes)


def test_inference_copy_detects_the_same(pair):
    (theirs,) = detect_theirs(pair.theirs, [PORTRAIT])
    model = optimize_for_inference(pair.ours())
    (found,) = detect_ours(model, [PORTRAIT])
    compare(theirs, found, model.classes)


def test_number_of_parameters(pair):
    ours = pair.ours()
    assert sum(parameter.numel() for parameter in ours.parameters()) == PARAMETERS[pair.name]


# -- training --------------------------------------------------------------------------------------


def objects(size: tuple[int, int], labels: list[int], seed: int) -> Instances:
    """Return ellipses on an image of the size at which the network sees it."""
    rng = np.random.default_rng(seed)
    height, width = size
    bitmaps = []
    for _ in labels:
        bitmap = np.zeros(size, dtype=np.uint8)
        centre = (int(rng.integers(20, width - 20)), int(rng.integers(20, height - 20)))
        axes = (int(rng.integers(12, 70)), int(rng.integers(12, 70)))
        cv2.ellipse(bitmap, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        bitmaps.append(bitmap.astype(bool))
    masks = Masks.from_bitmaps(bitmaps, size)
    return Instances(image_size=size, boxes=masks.boxes(), labels=np.array(labels), masks=masks)


def first_positives_and_negatives(
    sampler: BalancedPositiveNegativeSampler, matched: list[Tensor]
) -> tuple[list[Tensor], list[Tensor]]:
    """Choose as torchvision's sampler does, but the first in the order of indices."""
    chosen: tuple[list[Tensor], list[Tensor]] = ([], [])
    for match in matched:
        positive, negative = torch.where(match >= 1)[0], torch.where(match == 0)[0]
        positives = min(
            len(positive), int(sampler.batch_size_per_image * sampler.positive_fraction)
        )
        negatives = min(len(negative), sampler.batch_size_per_image - positives)
        for mask_of, indices in zip(
            chosen, (positive[:positives], negative[:negatives]), strict=True
        ):
            mask = torch.zeros_like(match, dtype=torch.uint8)
            mask[indices] = 1
            mask_of.append(mask)
    return chosen


def theirs_target(truth: Instances) -> dict[str, Tensor]:
    return {
        "boxes": torch.from_numpy(truth.boxes.copy()),
        "labels": torch.from_numpy(truth.labels + 1),
        "masks": torch.from_numpy(truth.masks.to_dense().astype(np.uint8)),
    }


def train(model: nn.Module) -> nn.Module:
    """Return the model ready to learn, but for batch norms.

    These keep their statistics: those of a few random maps would amplify rounding beyond any
    comparison (torchvision's own gradients change by 5 % with the memory layout of its weights).
    """
    model.train().requires_grad_(True)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return model


def test_losses_and_gradients(pair, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # its rounding is the processor's
    monkeypatch.setattr(BalancedPositiveNegativeSampler, "__call__", first_positives_and_negatives)
    monkeypatch.setattr(matching, "_choose", lambda indices, count, _: indices[:count])
    sizes = [(192, 256), (224, 192), (192, 192)]  # neither model resizes these
    truth = [
        objects(sizes[0], [0, 17, 17], 3),
        objects(sizes[1], [89], 4),
        objects(sizes[2], [], 5),
    ]
    images = [picture(*size, seed=number) for number, size in enumerate(sizes)]

    theirs = train(pair.theirs)
    expected = theirs(tensors(images), [theirs_target(one) for one in truth])
    sum(expected.values()).backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters()}
    theirs.eval()

    ours = train(pair.ours())
    batch, valid, _ = ours.prepare(images)
    losses = ours.losses(batch, valid, [Target.from_instances(one) for one in truth])
    sum(losses.values()).backward()
    found = {name: p.grad for name, p in ours.named_parameters()}

    assert losses.keys() == set(LOSSES.values())
    for name, value in expected.items():
        assert losses[LOSSES[name]].item() == pytest.approx(value.item(), rel=1e-4), name
    for name, gradient in to_ours(gradients, TABLES[pair.name], found.keys()).items():
        assert (found[name] - gradient).norm() <= 2e-3 * gradient.norm(), name


def test_batch_norms_learn_alike(pair):
    def options(model: nn.Module) -> list[tuple[float, float | None]]:
        norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
        return [(norm.eps, norm.momentum) for norm in norms]

    assert sorted(options(pair.ours())) == sorted(options(pair.theirs))


# -- what the comparison must notice ---------------------------------------------------------------


MUTATIONS: dict[str, dict[str, object]] = {
    "eps of batch norm": {"backbone_norm_eps": 1e-5},
    "aligned RoIAlign": {"roi_aligned": True},
    "adaptive sampling": {"roi_sampling_ratio": 1},
    "anchors not rounded": {"anchor_rounding": False},
    "half-pixel paste": {"paste_rule": "half_pixel"},
    "stride in 1x1": {"stride_in_1x1": True},
}


@pytest.fixture(scope="module")
def portrait() -> tuple[Pair, dict[str, np.ndarray]]:
    """The first model, and what torchvision's finds in the portrait."""
    pair = Pair(V1)
    return pair, detect_theirs(pair.theirs, [PORTRAIT])[0]


def assert_noticed(
    theirs: dict[str, np.ndarray], model: SegModel, image: np.ndarray = PORTRAIT
) -> None:
    (found,) = detect_ours(model, [image])
    with pytest.raises(AssertionError):
        compare(theirs, found, model.classes)


@pytest.mark.parametrize("name", MUTATIONS)
def test_wrong_option_is_noticed(portrait, name):
    pair, theirs = portrait
    assert_noticed(theirs, pair.ours(**MUTATIONS[name]))


def test_swapped_colours_are_noticed(portrait):
    pair, theirs = portrait
    assert_noticed(theirs, pair.ours(), np.ascontiguousarray(PORTRAIT[:, :, ::-1]))


def test_classes_off_by_one_are_noticed(portrait):
    pair, theirs = portrait
    model = pair.ours()
    model.classes = ClassMap(model.classes.names, tuple(range(90)))
    assert_noticed(theirs, model)


def antialiased(model: SegModel, batch: Tensor, size: tuple[int, int]) -> None:
    """Resize as PIL does, each pixel from all that it covers."""
    planes = torch.from_numpy(model.preprocess.normalise(PORTRAIT))[None]
    resized = functional.interpolate(planes, size=size, mode="bilinear", antialias=True)
    batch[:, :, : size[0], : size[1]] = resized


def padded_with_black(model: SegModel, batch: Tensor, size: tuple[int, int]) -> None:
    """Pad with the black of the image, as if before normalising."""
    black = -torch.tensor(model.preprocess.mean) / torch.tensor(model.preprocess.std)
    batch[:, :, size[0] :] = black[:, None, None]
    batch[:, :, :, size[1] :] = black[:, None, None]


@pytest.mark.parametrize("alter", [antialiased, padded_with_black])
def test_wrong_input_is_noticed(portrait, alter):
    pair, theirs = portrait
    model = pair.ours()
    batch, sizes, where = model.prepare([PORTRAIT])
    original = batch.clone()
    alter(model, batch, tuple(sizes[0].tolist()))
    assert not torch.equal(batch, original)
    with torch.inference_mode():
        (found,) = model.to_instances(model(batch, sizes), where)
    with pytest.raises(AssertionError):
        compare(theirs, found, model.classes)
