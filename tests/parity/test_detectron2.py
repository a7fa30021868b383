"""Our Mask R-CNN against recorded outputs of detectron2's (`../shared/goldens`), step by step.

Order among near-equal scores is not compared: detections are matched by class and box.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from goldens import Golden
from torch import Tensor
from torch.nn import functional

from delineate.core.decode import paste
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.errors import ModelError
from delineate.models.api import BoxMasks, SegModel, Target
from delineate.models.mask_rcnn.model import MaskRCNN
from delineate.models.zoo import build
from delineate.ops import matching
from delineate.ops.boxes import decode
from delineate.ops.roi import assign_levels, roi_align
from delineate.weights.layouts import build_from, fill_from, recognise

NAMES = ["d2_mask_rcnn_R_50_FPN", "d2_mask_rcnn_R_50_C4"]
LOSSES = {
    "loss_rpn_cls": "rpn_objectness",
    "loss_rpn_loc": "rpn_box",
    "loss_cls": "class",
    "loss_box_reg": "box",
    "loss_mask": "mask",
}


class Case:
    """One recorded model, ours with its weights, and the recorded images."""

    def __init__(self, path: Path) -> None:
        self.golden = Golden(path)
        self.state = self.golden.state()
        self.layout = recognise(self.state)
        self.model = self._with_limits(build_from(self.state, self.layout))
        self.images = [self.golden[f"image{i}_rgb_u8"] for i in range(2)]
        self.batch, self.sizes = self.prepared(self.model)
        outputs = self.golden["output_sizes_hw"].tolist()
        inputs = self.golden["input_sizes_hw"].tolist()
        self.where = [
            Geometry.resize(tuple(out), tuple(size))
            for out, size in zip(outputs, inputs, strict=True)
        ]

    def prepared(self, model: SegModel) -> tuple[Tensor, Tensor]:
        model.preprocess = replace(model.preprocess, resize="factor")
        batch, sizes, _ = model.prepare(self.images)
        return batch, sizes

    def _with_limits(self, model: SegModel) -> SegModel:
        """Apply what the recorder shortened for time: proposals and samples of C4."""
        if model.config.neck == "none":
            changed = model.config.replace(rpn_post_nms=200, roi_samples=128)
            model.config = model.rpn.config = model.roi_heads.config = changed
        return model

    def wrong(self, **changes: object) -> SegModel:
        """Return a model with the same weights and wrong options."""
        identity = self.layout.identify(self.state)
        options = dict(identity.options) | changes
        model = build(
            identity.model, classes=identity.classes, preprocess=identity.preprocess, **options
        )
        fill_from(model, self.state, self.layout)
        return self._with_limits(model).eval()

    def proposals(self) -> list[Tensor]:
        return [torch.from_numpy(self.golden[f"proposals{i}.boxes"]) for i in range(2)]


@cache
def case_of(path: Path) -> Case:
    return Case(path)


@pytest.fixture(params=NAMES)
def case(request, goldens) -> Case:
    return case_of(goldens / f"{request.param}.npz")


@pytest.fixture(autouse=True)
def layout_of_the_original(monkeypatch):
    """Keep maps contiguous, as detectron2 does.

    Channels last, convolutions round otherwise: two pairs of a thousand proposals that are equal to
    1e-6 change places before suppression, and other boxes stay.
    """
    monkeypatch.setattr(MaskRCNN, "_features", lambda model, x: model.neck(model.backbone(x)))


@pytest.fixture
def fpn(goldens) -> Case:
    return case_of(goldens / f"{NAMES[0]}.npz")


@torch.inference_mode()
def test_input_and_features(case):
    case.golden.close("net_input", case.batch, rtol=1e-6, atol=1e-4)
    features = case.model._features(case.batch)
    names = ["feat.res4"] if len(features) == 1 else [f"feat.p{n}" for n in range(2, 7)]
    for name, found in zip(names, features, strict=True):
        case.golden.close(name, found, rtol=1e-5, atol=1e-4)


@torch.inference_mode()
def test_proposals(case):
    model, golden = case.model, case.golden
    features = model._features(case.batch)
    levels = model.rpn(features, tuple(case.batch.shape[-2:]))
    for number, (level, features_of) in enumerate(zip(levels, features, strict=True)):
        b, (h, w) = len(level.objectness), features_of.shape[-2:]
        objectness = level.objectness.view(b, h, w, -1).permute(0, 3, 1, 2)
        deltas = level.deltas.view(b, h, w, -1).permute(0, 3, 1, 2)
        golden.close(f"rpn.objectness.{number}", objectness.contiguous(), rtol=0, atol=2e-3)
        golden.close(f"rpn.deltas.{number}", deltas.contiguous(), rtol=0, atol=2e-3)
        golden.close(f"anchors.{number}", level.anchors, rtol=0, atol=1e-3)
    config = model.config
    found = model.rpn.propose(
        levels, case.sizes, pre_nms=config.rpn_pre_nms, post_nms=config.rpn_post_nms
    )
    for ours, theirs in zip(found, case.proposals(), strict=True):
        assert ours.shape == theirs.shape
        distance = (ours[:, None] - theirs).abs().amax(dim=2)
        assert distance.amin(dim=0).max() <= 0.02
        assert distance.amin(dim=1).max() <= 0.02


@torch.inference_mode()
def test_heads(case):
    model, golden = case.model, case.golden
    heads, proposals = model.roi_heads, case.proposals()
    features = model._features(case.batch)[: model.pooled_levels]
    boxes = torch.cat(proposals)
    image = torch.arange(2).repeat_interleave(torch.tensor([len(p) for p in proposals]))
    size = 14 if heads.shared else 7
    pooled = heads._pool(features, boxes, image, size)
    golden.close("box.pooled", pooled.contiguous(), rtol=1e-5, atol=1e-4)
    logits, deltas = heads.box_predictor(heads._vectors(heads.box_head(pooled)))
    golden.close("box.cls_logits", logits, rtol=0, atol=2e-3)
    golden.close("box.deltas", deltas.flatten(1), rtol=0, atol=2e-3)


def ordered(raw: BoxMasks, golden: Golden, number: int) -> BoxMasks:
    """Return the detections of an image in the recorded order, all of them once."""
    here = torch.where(raw.image == number)[0]
    part = BoxMasks(*(value[here] for value in raw))
    boxes = torch.from_numpy(golden[f"inst{number}.pred_boxes_input_scale"])
    labels = torch.from_numpy(golden[f"inst{number}.pred_classes"])
    assert len(part.boxes) == len(boxes)
    distance = (boxes[:, None] - part.boxes).abs().amax(dim=2)
    distance[labels[:, None] != part.labels] = torch.inf
    order = distance.argmin(dim=1)
    assert sorted(order.tolist()) == list(range(len(order)))
    assert distance.amin(dim=1).max() <= 0.02
    return BoxMasks(*(value[order] for value in part))


@torch.inference_mode()
def compare_detections(model: SegModel, batch: Tensor, case: Case) -> None:
    golden = case.golden
    features = model._features(batch)[: model.pooled_levels]
    raw = model.roi_heads(features, case.proposals(), case.sizes)
    parts = [ordered(raw, golden, number) for number in range(2)]
    for number, part in enumerate(parts):
        assert np.abs(part.scores.numpy() - golden[f"inst{number}.scores"]).max() <= 5e-4
        golden.close(f"inst{number}.pred_masks_28", part.masks[:, None], rtol=0, atol=5e-4)
    joined = BoxMasks(*(torch.cat(values) for values in zip(*parts, strict=True)))
    for number, found in enumerate(model.to_instances(joined, case.where)):
        assert np.abs(found.boxes - golden[f"final{number}.pred_boxes"]).max() <= 0.03
        assert (found.labels == golden[f"final{number}.pred_classes"]).all()
        expected = golden.mask(f"final{number}.pred_masks")
        different = [int((found.masks.bitmap(k) != mask).sum()) for k, mask in enumerate(expected)]
        assert max(different) <= 4


def test_detections(case):
    compare_detections(case.model, case.batch, case)


@torch.inference_mode()
def test_whole_model(case):
    raw = case.model(case.batch, case.sizes)
    for number in range(2):
        here = torch.where(raw.image == number)[0]
        boxes = torch.from_numpy(case.golden[f"inst{number}.pred_boxes_input_scale"])
        labels = torch.from_numpy(case.golden[f"inst{number}.pred_classes"])
        distance = (boxes[:, None] - raw.boxes[here]).abs().amax(dim=2)
        distance[labels[:, None] != raw.labels[here]] = torch.inf
        assert distance.shape == (100, 100)
        assert distance.amin(dim=1).max() <= 0.02


# -- training --------------------------------------------------------------------------------------


def targets(golden: Golden) -> list[Target]:
    found = []
    for number in range(2):
        size = tuple(golden["input_sizes_hw"][number].tolist())
        bitmaps = golden.mask(f"target{number}.masks")
        truth = Instances(
            image_size=size,
            boxes=golden[f"target{number}.boxes_xyxy"],
            labels=golden[f"target{number}.classes"],
            masks=Masks.from_bitmaps(list(bitmaps), size),
        )
        found.append(Target.from_instances(truth))
    return found


def test_losses_and_gradients(case, monkeypatch):
    check_losses(case, targets(case.golden), LOSSES, monkeypatch)


def check_losses(
    case: Case, truth: list[Target], kinds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail unless losses and norms of gradients are the recorded ones, sampling as recorded."""
    monkeypatch.setattr(matching, "_choose", lambda indices, count, _: indices[:count])
    model, golden = case.model, case.golden
    model.train().requires_grad_(True)
    losses = model.losses(case.batch, case.sizes, truth)
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    norms = {name: value.double().norm() for name, value in gradients.items()}
    model.zero_grad(set_to_none=True)
    model.eval()
    assert losses.keys() == set(kinds.values())
    for theirs, ours in kinds.items():
        assert losses[ours].item() == pytest.approx(float(golden[f"train.loss.{theirs}"]), rel=1e-5)
    names, expected = golden.json("train.grad_l2.names"), golden["train.grad_l2"]
    ours = dict(zip(case.layout.to_ours(model, case.state), case.state, strict=False))
    back = {theirs: name for name, theirs in ours.items()}
    for name, norm in zip(names, expected.tolist(), strict=True):
        if norm >= 1e-4:
            assert norms[back[name]].item() == pytest.approx(norm, rel=1e-3), name


# -- stuff -----------------------------------------------------------------------------------------


@pytest.fixture
def panoptic(goldens) -> Case:
    return case_of(goldens / "d2_panoptic_fpn_R_50.npz")


@torch.inference_mode()
def test_panoptic_and_semantic(panoptic):
    golden, model = panoptic.golden, panoptic.model
    raw = model(panoptic.batch, panoptic.sizes)
    full = functional.interpolate(raw.stuff, scale_factor=4, mode="bilinear")
    maps = model.to_stuff_maps(raw, panoptic.where)
    answers = model.to_panoptic(raw, panoptic.where)
    labels = model.to_semantic(raw, panoptic.where)
    for number, logits in enumerate(full):
        golden.close(f"sem{number}.logits_input_scale", logits.contiguous(), rtol=0, atol=2e-3)
        ties = int(golden[f"sem{number}.near_tie_px"])
        wrong = np.count_nonzero(maps[number] != golden[f"sem{number}.argmax"])
        assert wrong <= max(4, 2 * ties)
        ids, segments = golden[f"panoptic{number}.id_map"], answers[number].segments
        assert np.mean(answers[number].ids != ids) <= 5e-4
        recorded = golden.json(f"panoptic{number}.segments_info")
        assert [s.id for s in segments] == [s["id"] for s in recorded]
        for ours, theirs in zip(segments, recorded, strict=True):
            # Over there stuff has labels of its own, in which 0 stands for all things.
            offset = 0 if theirs["isthing"] else len(model.classes) - 1
            assert ours.label == theirs["category_id"] + offset
            assert ours.area == pytest.approx(np.count_nonzero(ids == theirs["id"]), rel=1e-3)
            assert (labels[number][ids == theirs["id"]] == ours.label).mean() > 0.999


def test_loss_of_stuff(panoptic, monkeypatch):
    golden = panoptic.golden
    truth = [
        target._replace(stuff=torch.from_numpy(golden[f"target{number}.sem_seg"]))
        for number, target in enumerate(targets(golden))
    ]
    check_losses(panoptic, truth, LOSSES | {"loss_sem_seg": "stuff"}, monkeypatch)


# -- what the comparison must notice ---------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"roi_aligned": False},
        {"roi_sampling_ratio": 2},
        {"stride_in_1x1": False},
        {"paste_rule": "integer"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_wrong_option_is_noticed(fpn, changes):
    with pytest.raises(AssertionError):
        compare_detections(fpn.wrong(**changes), fpn.batch, fpn)


def test_swapped_colours_are_noticed(fpn):
    with pytest.raises(AssertionError):
        compare_detections(fpn.model, fpn.batch.flip(1), fpn)


def test_background_first_has_no_place(fpn):
    with pytest.raises(ModelError, match="should have"):
        fpn.wrong(background="first")


def test_class_table(fpn):
    classes = fpn.model.classes
    assert [classes.name(0), classes.name(79)] == ["person", "toothbrush"]
    assert [classes.source_id(0), classes.source_id(11), classes.source_id(79)] == [1, 13, 90]


# -- single steps ----------------------------------------------------------------------------------


def test_steps_on_tiny_inputs(goldens):
    golden = Golden(goldens / "units.npz")
    rois, features = (torch.from_numpy(golden[f"d2.roi.{n}"]) for n in ("rois", "feat"))
    for aligned in (0, 1):
        for ratio in (0, 2):
            found = roi_align(
                features,
                rois[:, 1:],
                rois[:, 0].long(),
                size=7,
                scale=0.5,
                sampling_ratio=ratio,
                aligned=bool(aligned),
            )
            name = f"d2.roi.out.aligned{aligned}.sr{ratio}"
            golden.close(name, found.contiguous(), rtol=1e-5, atol=1e-5)
    boxes = torch.from_numpy(golden["d2.levels.boxes"])
    levels = assign_levels(boxes, (4, 8, 16, 32), 224, margin=0)
    assert levels.tolist() == golden["d2.levels.out"].tolist()
    boxes = torch.from_numpy(golden["d2.boxes"])
    deltas = torch.from_numpy(golden["d2.deltas"]).view(len(boxes), 2, 4)
    for weights, name in (((10, 10, 5, 5), "10_10_5_5"), ((1, 1, 1, 1), "1")):
        found = decode(deltas, boxes[:, None], weights).flatten(1)
        golden.close(f"d2.apply_deltas_{name}", found, rtol=1e-5, atol=1e-4)
    size = tuple(golden["d2.image_hw"].tolist())
    masks = paste(golden["d2.masks28"], golden["d2.boxes"], size, rule="half_pixel")
    expected = golden.mask("d2.pasted")
    assert all((masks.bitmap(k) == mask).all() for k, mask in enumerate(expected))
