"""Detectron2's checkpoints: Mask R-CNN with a pyramid (and Panoptic FPN), on one map, dilated.

Its published files hold no trace of how images come in, nor of where a ResNet strides: what the
configurations of its model zoo say is assumed. Files that do state mean and deviation are believed.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import ModelError
from delineate.models.api import SegModel
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.zoo import (
    CONVENTIONS,
    DETECTRON2,
    DETECTRON2_GROUPED,
    ONE_MAP,
    PYRAMID,
)
from delineate.weights.coco import COCO_80, COCO_STUFF
from delineate.weights.keymap import Table, to_ours, to_theirs
from delineate.weights.layout import Identity, Layout, State

_SCORES = "roi_heads.box_predictor.cls_score.weight"
_STUFF_BIAS = "sem_seg_head.predictor.bias"
_RPN = "proposal_generator.rpn_head.conv.weight"


def _stage(theirs: str, ours: str) -> Table:
    """Return the rows of one stage of a ResNet, whose norms belong to convolutions over there."""
    return [
        (f"{theirs}{{i}}.conv{{k}}.weight", f"{ours}{{i}}.conv{{k}}.weight"),
        (f"{theirs}{{i}}.conv{{k}}.norm.{{norm}}", f"{ours}{{i}}.bn{{k}}.{{norm}}"),
        (f"{theirs}{{i}}.shortcut.weight", f"{ours}{{i}}.downsample.0.weight"),
        (f"{theirs}{{i}}.shortcut.norm.{{norm}}", f"{ours}{{i}}.downsample.1.{{norm}}"),
    ]


def _body(theirs: str, stages: int) -> Table:
    rows = [
        (f"{theirs}stem.conv1.weight", "backbone.conv1.weight"),
        (f"{theirs}stem.conv1.norm.{{norm}}", "backbone.bn1.{norm}"),
    ]
    for number in range(1, stages + 1):
        rows += _stage(f"{theirs}res{number + 1}.", f"backbone.layer{number}.")
    return rows


_HEADS: Table = (
    ("pixel_mean", None),
    ("pixel_std", None),
    ("proposal_generator.anchor_generator.cell_anchors.{i}", None),
    ("proposal_generator.rpn_head.conv.{wb}", "rpn.conv.0.0.{wb}"),
    ("proposal_generator.rpn_head.objectness_logits.{wb}", "rpn.objectness.{wb}"),
    ("proposal_generator.rpn_head.anchor_deltas.{wb}", "rpn.deltas.{wb}"),
    ("roi_heads.box_predictor.cls_score.{wb}", "roi_heads.box_predictor.scores.{wb}"),
    ("roi_heads.box_predictor.bbox_pred.{wb}", "roi_heads.box_predictor.deltas.{wb}"),
    ("roi_heads.mask_head.deconv.{wb}", "roi_heads.mask_head.deconv.{wb}"),
    ("roi_heads.mask_head.predictor.{wb}", "roi_heads.mask_head.logits.{wb}"),
)
_OWN_HEADS: Table = (
    ("roi_heads.box_head.fc1.{wb}", "roi_heads.box_head.fcs.0.{wb}"),
    ("roi_heads.box_head.fc2.{wb}", "roi_heads.box_head.fcs.1.{wb}"),
    *(
        (f"roi_heads.mask_head.mask_fcn{k + 1}.{{wb}}", f"roi_heads.mask_head.convs.{k}.0.{{wb}}")
        for k in range(4)
    ),
)
_PYRAMID: Table = tuple(
    (f"backbone.fpn_{theirs}{k + 2}.{{wb}}", f"neck.{ours}.{k}.0.{{wb}}")
    for k in range(4)
    for theirs, ours in (("lateral", "lateral"), ("output", "output"))
)

_STUFF: Table = (
    *(
        row
        for level, conv in ((2, 0), (3, 0), (4, 0), (4, 1), (5, 0), (5, 1), (5, 2))
        for row in (
            (
                f"sem_seg_head.p{level}.{2 * conv}.weight",
                f"stuff.levels.{level - 2}.{conv}.0.weight",
            ),
            (
                f"sem_seg_head.p{level}.{2 * conv}.norm.{{wb}}",
                f"stuff.levels.{level - 2}.{conv}.1.{{wb}}",
            ),
        )
    ),
    ("sem_seg_head.predictor.{wb}", "stuff.predictor.{wb}"),
)

FPN: Table = (*_body("backbone.bottom_up.", 4), *_PYRAMID, *_HEADS, *_OWN_HEADS, *_STUFF)
C4: Table = (
    *_body("backbone.", 3),
    *_stage("roi_heads.res5.", "roi_heads.box_head.layer4."),
    *_HEADS,
)
DC5: Table = (*_body("backbone.", 4), *_HEADS, *_OWN_HEADS)

_MODELS: Mapping[str, Mapping[tuple[int, bool], str]] = {
    "fpn": {
        (6, False): "maskrcnn_resnet50_fpn",
        (23, False): "maskrcnn_resnet101_fpn",
        (23, True): "maskrcnn_resnext101_fpn",
    },
    "none": {(6, False): "maskrcnn_resnet50_c4"},
    "dilated": {(6, False): "maskrcnn_resnet50_dc5"},
}
_DEPTH: Mapping[str, Mapping[int, str]] = {"none": {23: "resnet101"}, "dilated": {23: "resnet101"}}
_BLOCK = re.compile(r"backbone\.(?:bottom_up\.)?res4\.(\d+)\.conv2\.weight")


def identify(state: State, neck: str) -> Identity:
    """Tell which Mask R-CNN a state dict is of.

    Args:
        state: Under detectron2's names.
        neck: As in `MaskRCNNConfig`.

    Raises:
        ModelError: The backbone is none of ResNet-50, ResNet-101 and ResNeXt-101 32x8d.
    """
    blocks = {int(match[1]): state[k] for k in state if (match := _BLOCK.fullmatch(k))}
    first = blocks.get(0)
    grouped = first is not None and first.dim() == 4 and first.shape[0] != first.shape[1]
    options = {**CONVENTIONS, **(PYRAMID if neck == "fpn" else ONE_MAP)}
    options["stride_in_1x1"] = not grouped
    models, depth = _MODELS[neck], len(blocks)
    if neck != "fpn" and depth in _DEPTH[neck] and not grouped:
        options["backbone"], depth = _DEPTH[neck][depth], 6
    if (depth, grouped) not in models:
        raise ModelError(
            f"expected {' or '.join(models.values())}, got a backbone with {depth} "
            f"{'grouped ' if grouped else ''}blocks in its stage res4: choose another checkpoint."
        )
    model = models[depth, grouped]
    if (stuff := state.get(_STUFF_BIAS)) is not None:
        if grouped:
            raise ModelError(
                "expected a Panoptic FPN on ResNet-50 or ResNet-101, got one on a ResNeXt: choose "
                "another checkpoint."
            )
        model = f"panoptic_fpn_{model.split('_')[1]}"
        table = _stuff_classes(len(stuff) - 1)
        options |= {"stuff_names": table.names, "stuff_ids": table.source_ids}
    count = len(state[_SCORES]) - 1
    names = [f"class {number}" for number in range(1, count + 1)]
    return Identity(
        model=model,
        classes=COCO_80 if count == len(COCO_80) else ClassMap.from_names(names),
        preprocess=_preprocess(state, grouped=grouped, neck=neck),
        options=options,
    )


def _stuff_classes(count: int) -> ClassMap:
    """Return COCO's classes of stuff, or nameless ones whose ids no thing has."""
    if count == len(COCO_STUFF):
        return COCO_STUFF
    names = tuple(f"stuff {number}" for number in range(1, count + 1))
    return ClassMap(names, tuple(range(10_000, 10_000 + count)))


def _preprocess(state: State, *, grouped: bool, neck: str) -> Preprocess:
    known = DETECTRON2_GROUPED if grouped else DETECTRON2
    if neck != "fpn":
        known = replace(known, divisor=1)
    for field in ("mean", "std"):
        if (stated := state.get(f"pixel_{field}")) is not None:
            values = tuple(round(value, 4) for value in stated.flatten().tolist())
            known = replace(known, **{field: values})
    return known


def _layout(name: str, *, neck: str, marks: tuple[str, ...], table: Table) -> Layout:
    def write(model: SegModel) -> dict[str, Tensor]:
        config = model.config
        fits = isinstance(config, MaskRCNNConfig) and config.neck == neck
        if not fits or any(getattr(config, k) != CONVENTIONS[k] for k in _BAKED_IN):
            raise ModelError(
                f"expected a Mask R-CNN as detectron2 has it (neck {neck!r}, background last, "
                f"aligned pooling), got another {config.family}: build it with those options."
            )
        return to_theirs(model.state_dict(), table)

    return Layout(
        name=name,
        marks=(_SCORES, _RPN, "roi_heads.mask_head.predictor.weight", *marks),
        identify=lambda state: identify(state, neck),
        to_ours=lambda model, state: to_ours(state, table, model.state_dict().keys()),
        to_theirs=write,
    )


_BAKED_IN = ("background", "anchor_order", "anchor_rounding", "roi_aligned", "paste_rule")
"""What no option of detectron2 says otherwise."""

LAYOUTS: tuple[Layout, ...] = (
    _layout("detectron2_maskrcnn", neck="fpn", marks=("backbone.fpn_lateral2.weight",), table=FPN),
    _layout(
        "detectron2_maskrcnn_c4", neck="none", marks=("roi_heads.res5.0.conv1.weight",), table=C4
    ),
    _layout(
        "detectron2_maskrcnn_dc5",
        neck="dilated",
        marks=("backbone.res5.0.conv1.weight", "roi_heads.box_head.fc1.weight"),
        table=DC5,
    ),
)
"""With a pyramid, and perhaps a head for stuff; without; and dilated."""
