"""Our YOLACTs against the recorded outputs of dbolya/yolact, with its weights by name.

The bounds are those of the goldens' README: maps 1e-5 of their maximum and 1e-4, scores,
coefficients and prototypes 1e-4, boxes 1e-5 of the image, losses 1e-5, gradient norms 1e-3, masks
4 pixels or twice as many as are near the threshold. That they are tight enough to notice a wrong
convention is tested at the end.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from goldens import Golden
from torch import Tensor, nn

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.models.api import Target
from delineate.models.timm_backbone import TimmBackbone
from delineate.models.yolact.config import YolactConfig
from delineate.models.yolact.detect import detect
from delineate.models.yolact.head import crop
from delineate.models.yolact.losses import DELTA_WEIGHTS, match_priors
from delineate.models.yolact.model import Yolact
from delineate.models.zoo import build
from delineate.ops.boxes import decode, encode
from delineate.ops.matching import BACKGROUND
from delineate.weights.hub import COCO_80
from delineate.weights.keymap import Table, to_theirs
from delineate.weights.yolact import DARKNET, LAYOUTS, RESNET

NAMES = ("yolact_resnet50", "yolact_darknet53", "yolact_plus_resnet50")
SIDE = 550
NMS = {"fast": "fast", "cc": "cross_class", "trad": "traditional"}
LOSSES = {"box": "B", "class": "C", "mask": "M", "semantic": "S", "mask_iou": "I"}
LAYOUT = {layout.name: layout for layout in LAYOUTS}


class Case:
    """One golden, our model with its weights, and what it makes of the recorded picture."""

    def __init__(self, name: str, folder: Path) -> None:
        self.golden = Golden(folder / f"{name}.npz")
        self.first = 2 if name == "yolact_darknet53" else 1  # the first map that the pyramid reads
        self.table: Table = DARKNET if name == "yolact_darknet53" else RESNET
        layout = LAYOUT["yolact_darknet" if name == "yolact_darknet53" else "yolact"]
        state = self.golden.state()
        identity = layout.identify(state)
        assert identity.model == name
        self.model = build(name, classes=identity.classes, preprocess=identity.preprocess).eval()
        assert isinstance(self.model, Yolact)
        self.model.load_state_dict(layout.to_ours(self.model, state))
        self.image = self.golden["image_rgb_u8"]
        with torch.inference_mode():
            self.input, self.sizes, self.where = self.model.prepare([self.image])
            self.maps = self.model.backbone(self.input)
            self.levels = self.model.neck(self.maps)
            self.predictions = self.model.head(self.levels)
            self.priors = self.model.priors(self.levels, (SIDE, SIDE))
            self.prototypes = self.model.proto(self.levels[0])

    def target(self, number: int) -> Target:
        """Return the truth of a training picture, crowds among it, at the network's size."""
        rows = self.golden[f"train.target{number}"]
        crowd = rows[:, 4] < 0
        masks = Masks.from_bitmaps(self.golden.mask(f"train.masks{number}"), (SIDE, SIDE))
        truth = Instances(
            image_size=(SIDE, SIDE),
            boxes=rows[:, :4] * np.float32(SIDE),
            labels=np.maximum(rows[:, 4], 0).astype(np.int64),
            masks=masks,
            crowd=crowd,
        )
        return Target.from_instances(truth)

    def pictures(self) -> list[np.ndarray]:
        return [self.image, self.golden["train.image1_rgb_u8"]]


@pytest.fixture(scope="module")
def cases(goldens) -> Callable[[str], Case]:
    return cache(lambda name: Case(name, goldens))


@pytest.fixture(scope="module", params=NAMES)
def case(request, cases) -> Case:
    return cases(request.param)


@pytest.fixture(autouse=True)
def one_config(request):
    """Put back what a test changes in a model that is shared."""
    if not {"case", "resnet"} & set(request.fixturenames):
        yield
        return
    name = "case" if "case" in request.fixturenames else "resnet"
    model = request.getfixturevalue(name).model
    config, state = model.config, {k: v.clone() for k, v in model.state_dict().items()}
    yield
    model.config = config
    model.load_state_dict(state)
    model.eval().zero_grad()


@pytest.fixture(scope="module")
def resnet(cases) -> Case:
    return cases("yolact_resnet50")


@pytest.fixture(scope="module")
def units(goldens) -> Golden:
    return Golden(goldens / "units.npz")


# -- what the network gives ----------------------------------------------------------------------


def test_input_backbone_and_pyramid(case):
    case.golden.close("net_input", case.input, rtol=0, atol=1e-5)
    for number, features in enumerate(case.maps, start=case.first):
        case.golden.close(f"backbone.{number}", features, rtol=1e-5, atol=1e-4)
    for number, features in enumerate(case.levels):
        case.golden.close(f"fpn.{number}", features, rtol=1e-5, atol=1e-4)


def test_anchors(case):
    low, high = case.priors[:, :2], case.priors[:, 2:]
    placed = torch.cat([(low + high) / 2, high - low], dim=1) / SIDE
    case.golden.close("priors", placed, rtol=0, atol=1e-6)


def test_head_and_prototypes(case):
    deltas, logits, coefficients = (part[0] for part in case.predictions)
    probabilities = logits.softmax(dim=1)
    case.golden.close("loc", deltas, rtol=1e-5, atol=1e-4)
    case.golden.close("conf_softmax", probabilities, rtol=0, atol=1e-4)
    case.golden.close("conf_fg_max", probabilities[:, 1:].amax(dim=1), rtol=0, atol=1e-4)
    case.golden.close("mask_coeff", coefficients, rtol=0, atol=1e-4)
    case.golden.close("proto", case.prototypes[0].permute(1, 2, 0), rtol=1e-5, atol=1e-4)
    boxes = decode(deltas, case.priors, DELTA_WEIGHTS) / SIDE
    case.golden.close("decoded_boxes", boxes, rtol=0, atol=1e-5)


# -- detections ------------------------------------------------------------------------------------


def with_nms(model: Yolact, tag: str) -> None:
    """Let a model suppress as that part of the record did; `cc` was not cut to 100."""
    limit = 200 if tag == "cc" else 100
    model.config = model.config.replace(nms=NMS[tag], detections_per_image=limit)


@pytest.mark.parametrize("tag", NMS)
def test_detections(case, tag):
    with_nms(case.model, tag)
    (found,) = case.model.detections(case.predictions, case.priors)
    assert found.labels.tolist() == case.golden[f"{tag}.det.class"].tolist()
    case.golden.close(f"{tag}.det.box", found.boxes / SIDE, rtol=0, atol=1e-5)
    case.golden.close(f"{tag}.det.score", found.scores, rtol=0, atol=1e-4)
    case.golden.close(f"{tag}.det.mask_coeff", found.coefficients, rtol=0, atol=1e-4)


@pytest.mark.parametrize("tag", NMS)
def test_masks_and_boxes_in_the_original_image(case, tag, monkeypatch):
    with_nms(case.model, tag)
    if tag != "fast":  # once from the picture on; then from the same pyramid
        monkeypatch.setattr(case.model, "features", lambda images: case.levels)
    with torch.inference_mode():
        raw = case.model(case.input, case.sizes)
    (found,) = case.model.to_instances(raw, case.where)
    compare(case.golden, tag, found)


def compare(golden: Golden, tag: str, found: Instances) -> None:
    """Assert that what was found is what was recorded, in the order of our scores."""
    name = f"{tag}.post"
    rescored = f"{name}.score_mask" in golden
    scores = golden[f"{name}.score_mask" if rescored else f"{name}.score"]
    order = np.argsort(-scores, kind="stable")
    assert len(found) == len(order)
    np.testing.assert_allclose(found.scores, np.minimum(scores[order], 1), atol=1e-4)
    boxes = golden[f"{name}.box"][order]
    near = np.abs(found.boxes - np.rint(found.boxes)) < 1e-3  # the original cuts to whole pixels
    assert ((np.trunc(found.boxes) == boxes) | near).all()
    assert found.labels.tolist() == golden[f"{name}.class"][order].tolist()
    wrong = (found.masks.to_dense() != golden.mask(f"{name}.mask")[order]).sum(axis=(1, 2))
    unsure = golden[f"{tag}.mask_near_threshold_px"][order]
    assert (wrong <= np.maximum(4, 2 * unsure)).all()


# -- learning --------------------------------------------------------------------------------------


def test_matching(case):
    for number in (0, 1):
        target = case.target(number)
        matched = match_priors(case.priors, target, case.model.config)
        slots = torch.where(matched == BACKGROUND, 0, -1)
        slots[matched >= 0] = target.labels[matched[matched >= 0]] + 1
        positive = torch.where(matched >= 0)[0]
        owner, record = matched[positive], f"train.match{number}"
        assert slots.tolist() == case.golden[f"{record}.conf_t"].tolist()
        assert positive.tolist() == case.golden[f"{record}.pos_index"].tolist()
        assert owner.tolist() == case.golden[f"{record}.pos_gt"].tolist()
        deltas = encode(target.boxes[owner], case.priors[positive], DELTA_WEIGHTS)
        case.golden.close(f"{record}.pos_loc_t", deltas, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["bn_eval", "bn_train"])
def test_losses_and_their_gradients(case, mode, monkeypatch):
    """Batch statistics amplify rounding a hundredfold, so memory is laid out as the original's."""
    model, golden = case.model.train(mode == "bn_train"), case.golden
    if mode == "bn_train":
        monkeypatch.setattr(
            model, "features", lambda images: model.neck(model.backbone(images.contiguous()))
        )
    images, sizes, _ = model.prepare(case.pictures())
    losses = model.losses(images, sizes, [case.target(0), case.target(1)])
    sum(losses.values()).backward()
    for name, value in losses.items():
        recorded = float(golden[f"train.{mode}.loss.{LOSSES[name]}"])
        bound = 2e-4 if name == "mask_iou" else 1e-5
        assert value.item() == pytest.approx(recorded, rel=bound), name
    assert len(losses) == (5 if model.mask_iou else 4)
    ours = to_theirs({name: name for name in model.state_dict()}, case.table)
    parameters = dict(model.named_parameters())
    names, norms = golden.json(f"train.{mode}.grad_l2.names"), golden[f"train.{mode}.grad_l2"]
    bound = 1e-2 if mode == "bn_train" else 1e-3
    found = [parameters[ours[name]].grad.norm().item() for name in names]
    large = norms > 1e-4
    np.testing.assert_allclose(np.array(found)[large], norms[large], rtol=bound)


# -- functions on tiny inputs ----------------------------------------------------------------------


@pytest.mark.parametrize("tag", [*NMS, "fast_topk30_max20"])
def test_suppression_of_given_predictions(units, tag):
    config = YolactConfig(nms=NMS[tag.partition("_")[0]])
    if "topk" in tag:
        config = config.replace(pre_nms=30, detections_per_image=20)
    boxes, scores, coefficients = (
        torch.from_numpy(units[f"yolact.{name}"]) for name in ("boxes", "conf", "coeff")
    )
    found = detect(boxes * SIDE, scores, coefficients, config)
    assert found.labels.tolist() == units[f"yolact.{tag}.class"].tolist()
    units.close(f"yolact.{tag}.box", found.boxes / SIDE, rtol=0, atol=1e-6)
    units.close(f"yolact.{tag}.score", found.scores, rtol=0, atol=1e-6)
    units.close(f"yolact.{tag}.mask", found.coefficients, rtol=0, atol=1e-6)


def corners(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], dim=1)


def test_deltas(units):
    priors, deltas = (torch.from_numpy(units[f"yolact.{n}"]) for n in ("priors", "loc"))
    boxes = decode(deltas, corners(priors), DELTA_WEIGHTS)
    units.close("yolact.decode", boxes, rtol=1e-6, atol=1e-6)
    given = torch.from_numpy(units["yolact.boxes"][: len(priors)].copy())
    given[:, 2:] += 0.02  # so they were encoded, as the recorded deltas tell
    again = encode(given, corners(priors), DELTA_WEIGHTS)
    units.close("yolact.encode", again, rtol=1e-5, atol=1e-5)


def test_cutting_masks_off(units):
    """What is recorded was cut by the boxes of the same file, in parts of the picture."""
    masks = torch.from_numpy(units["yolact.crop.in"]).permute(2, 0, 1)
    height, width = masks.shape[1:]
    boxes = torch.from_numpy(units["yolact.boxes"][: len(masks)])
    cut = crop(masks, boxes * torch.tensor([width, height, width, height]))
    units.close("yolact.crop.out", cut.permute(1, 2, 0), rtol=0, atol=0)


def test_matching_with_crowds_and_twins(units):
    target = Target(
        boxes=torch.from_numpy(units["yolact.match.gt"]),
        labels=torch.from_numpy(units["yolact.match.gt_label"]),
        masks=None,
        crowds=torch.from_numpy(units["yolact.match.crowd"]),
    )
    priors = corners(torch.from_numpy(units["yolact.match.priors"]))
    matched = match_priors(priors, target, YolactConfig())
    slots = torch.where(matched == BACKGROUND, 0, -1)
    slots[matched >= 0] = target.labels[matched[matched >= 0]] + 1
    assert slots.tolist() == units["yolact.match.conf_t"].tolist()
    here = (matched >= 0).numpy()
    assert matched.numpy()[here].tolist() == units["yolact.match.idx_t"][here].tolist()


def test_vgg16_of_timm_but_for_a_pooling_and_a_norm(goldens):
    """The original pools 75 pixels to 38, timm to 37, and it has a norm after stride 8."""
    golden = Golden(goldens / "yolact_vgg16_backbone.npz")
    backbone = TimmBackbone("vgg16", strides=(1, 2, 4, 8, 16), frozen_norm=False).eval()
    state, layers = golden.state(), {}
    theirs = [key for key in state if key.split(".")[0] == "layers" and int(key[7]) < 5]
    ours = backbone.net.state_dict()
    for name, key in zip(ours, theirs, strict=True):
        layers[name] = state[key]
    backbone.net.load_state_dict(layers)
    pools = [layer for layer in backbone.modules() if isinstance(layer, nn.MaxPool2d)]
    pools[2].ceil_mode = True
    norm = [state[f"norms.0.{n}"] for n in ("running_mean", "running_var", "weight", "bias")]
    pools[3].register_forward_pre_hook(lambda _, inputs: F.batch_norm(*inputs, *norm))
    image = torch.from_numpy(golden["image_rgb_u8"].copy()).permute(2, 0, 1)[None].float()
    image = (image - torch.tensor([123.68, 116.78, 103.94]).view(3, 1, 1)) * 0.02
    golden.close("net_input", image, rtol=0, atol=1e-5)
    with torch.inference_mode():
        maps = backbone(image)
    maps[3] = F.batch_norm(maps[3], *norm)
    for number, features in enumerate(maps):
        golden.close(f"backbone.{number}", features, rtol=1e-5, atol=1e-4)


# -- a wrong convention is noticed -----------------------------------------------------------------


def test_swapped_colours_are_noticed(resnet):
    swapped, _, _ = resnet.model.prepare([np.ascontiguousarray(resnet.image[:, :, ::-1])])
    with pytest.raises(AssertionError, match="net_input differs"):
        resnet.golden.close("net_input", swapped, rtol=0, atol=1e-5)


def test_anchors_that_are_not_square_are_noticed(resnet):
    model = build("yolact_resnet50", classes=COCO_80, square_anchors=False)
    model.load_state_dict(resnet.model.state_dict())
    priors = model.priors(resnet.levels, (SIDE, SIDE))
    boxes = decode(resnet.predictions.deltas[0], priors, DELTA_WEIGHTS) / SIDE
    with pytest.raises(AssertionError, match="decoded_boxes differs"):
        resnet.golden.close("decoded_boxes", boxes, rtol=0, atol=1e-5)


def test_classes_off_by_one_are_noticed(resnet):
    """The names and the ids of COCO that labels stand for, whose ids have gaps."""
    classes = resnet.model.classes
    names = [classes.name(int(label)) for label in (0, 11, 12, 79)]
    assert names == ["person", "stop sign", "parking meter", "toothbrush"]
    assert [classes.source_id(label) for label in (0, 11, 12, 79)] == [1, 13, 14, 90]
    (found,) = resnet.model.detections(resnet.predictions, resnet.priors)
    shifted = resnet.predictions._replace(logits=resnet.predictions.logits.roll(1, dims=2))
    (wrong,) = resnet.model.detections(shifted, resnet.priors)
    assert found.labels.tolist() == resnet.golden["fast.det.class"].tolist()
    assert wrong.labels.tolist() != resnet.golden["fast.det.class"].tolist()


def test_nearest_upsampling_in_the_pyramid_is_noticed(resnet, monkeypatch):
    plain = F.interpolate

    def nearest(x: Tensor, size=None, **_: object) -> Tensor:
        return plain(x, size=size, mode="nearest")

    monkeypatch.setattr(F, "interpolate", nearest)
    with torch.inference_mode():
        levels = resnet.model.neck(resnet.maps)
    with pytest.raises(AssertionError, match=r"fpn\.0 differs"):
        resnet.golden.close("fpn.0", levels[0], rtol=1e-5, atol=1e-4)
