"""Torchvision's checkpoints: how their entries are called, and what they are called here.

The names are those of torchvision's modules (0.29). The first Mask R-CNN is also read as its file
of 2019 has it, from before convolutions became `Conv2dNormActivation`.
"""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.api import SegModel
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.zoo import DETECTION
from delineate.weights.coco import COCO_91
from delineate.weights.file import fill
from delineate.weights.keymap import Table, to_ours, to_theirs
from delineate.weights.layout import Identity, Layout, State


def _stem(theirs: str, norm: str) -> Table:
    rest = ("conv1.weight", f"bn1.{norm}")
    return [(f"{theirs}{name}", f"backbone.{name}") for name in rest]


def _stage(theirs: str, number: int, ours: str | None, norm: str) -> Table:
    """Return the rows of one stage of a ResNet, whose parts have the same names here."""
    rest = ("conv{k}.weight", f"bn{{k}}.{norm}", "downsample.0.weight", f"downsample.1.{norm}")
    names = [f"layer{number}.{{i}}.{name}" for name in rest]
    return [(f"{theirs}{name}", None if ours is None else f"{ours}{name}") for name in names]


def _body(norm: str) -> Table:
    stages = [row for n in (1, 2, 3, 4) for row in _stage(_BODY, n, "backbone.", norm)]
    return [*_stem(_BODY, norm), *stages]


def _counters(theirs: str) -> Table:
    """Return rows that leave out the step counters of batch norms, which nothing here reads."""
    norms = ("bn1", "layer{n}.{i}.bn{k}", "layer{n}.{i}.downsample.1")
    return [(f"{theirs}{norm}.num_batches_tracked", None) for norm in norms]


_BODY = "backbone.body."
_PREDICTORS: Table = (
    ("rpn.head.cls_logits.{wb}", "rpn.objectness.{wb}"),
    ("rpn.head.bbox_pred.{wb}", "rpn.deltas.{wb}"),
    ("roi_heads.box_predictor.cls_score.{wb}", "roi_heads.box_predictor.scores.{wb}"),
    ("roi_heads.box_predictor.bbox_pred.{wb}", "roi_heads.box_predictor.deltas.{wb}"),
    ("roi_heads.mask_predictor.conv5_mask.{wb}", "roi_heads.mask_head.deconv.{wb}"),
    ("roi_heads.mask_predictor.mask_fcn_logits.{wb}", "roi_heads.mask_head.logits.{wb}"),
)
_TWO_FCS: Table = (
    ("roi_heads.box_head.fc6.{wb}", "roi_heads.box_head.fcs.0.{wb}"),
    ("roi_heads.box_head.fc7.{wb}", "roi_heads.box_head.fcs.1.{wb}"),
)

MASKRCNN: Table = (
    *_body("{norm}"),
    *_counters(_BODY),
    ("backbone.fpn.inner_blocks.{i}.0.{wb}", "neck.lateral.{i}.0.{wb}"),
    ("backbone.fpn.layer_blocks.{i}.0.{wb}", "neck.output.{i}.0.{wb}"),
    ("rpn.head.conv.{i}.0.{wb}", "rpn.conv.{i}.0.{wb}"),
    *_TWO_FCS,
    ("roi_heads.mask_head.{i}.0.{wb}", "roi_heads.mask_head.convs.{i}.0.{wb}"),
    *_PREDICTORS,
)
MASKRCNN_2019: Table = (
    *_body("{norm}"),
    *_counters(_BODY),
    ("backbone.fpn.inner_blocks.{i}.{wb}", "neck.lateral.{i}.0.{wb}"),
    ("backbone.fpn.layer_blocks.{i}.{wb}", "neck.output.{i}.0.{wb}"),
    ("rpn.head.conv.{wb}", "rpn.conv.0.0.{wb}"),
    *_TWO_FCS,
    ("roi_heads.mask_head.mask_fcn1.{wb}", "roi_heads.mask_head.convs.0.0.{wb}"),
    ("roi_heads.mask_head.mask_fcn2.{wb}", "roi_heads.mask_head.convs.1.0.{wb}"),
    ("roi_heads.mask_head.mask_fcn3.{wb}", "roi_heads.mask_head.convs.2.0.{wb}"),
    ("roi_heads.mask_head.mask_fcn4.{wb}", "roi_heads.mask_head.convs.3.0.{wb}"),
    *_PREDICTORS,
)
MASKRCNN_V2: Table = (
    *_body("{bn}"),
    ("backbone.fpn.inner_blocks.{i}.0.weight", "neck.lateral.{i}.0.weight"),
    ("backbone.fpn.inner_blocks.{i}.1.{bn}", "neck.lateral.{i}.1.{bn}"),
    ("backbone.fpn.layer_blocks.{i}.0.weight", "neck.output.{i}.0.weight"),
    ("backbone.fpn.layer_blocks.{i}.1.{bn}", "neck.output.{i}.1.{bn}"),
    ("rpn.head.conv.{i}.0.{wb}", "rpn.conv.{i}.0.{wb}"),
    ("roi_heads.box_head.{i}.0.weight", "roi_heads.box_head.convs.{i}.0.weight"),
    ("roi_heads.box_head.{i}.1.{bn}", "roi_heads.box_head.convs.{i}.1.{bn}"),
    ("roi_heads.box_head.5.{wb}", "roi_heads.box_head.fcs.0.{wb}"),
    ("roi_heads.mask_head.{i}.0.weight", "roi_heads.mask_head.convs.{i}.0.weight"),
    ("roi_heads.mask_head.{i}.1.{bn}", "roi_heads.mask_head.convs.{i}.1.{bn}"),
    *_PREDICTORS,
)


_STAGE_HOMES = ("backbone.", "roi_heads.box_head.")
"""Where a stage of a ResNet may be: the last one of a C4 model is the box head."""


def resnet_table(names: Collection[str]) -> Table:
    """Return the table of torchvision's ImageNet ResNets for a model with these entries.

    The classifier is left out, and so are stages that the model does not have.
    """
    rows = [*_stem("", "{norm}"), *_counters(""), ("fc.{wb}", None)]
    for number in (1, 2, 3, 4):
        homes = [h for h in _STAGE_HOMES if f"{h}layer{number}.0.conv1.weight" in names]
        rows += _stage("", number, homes[0] if homes else None, "{norm}")
    return rows


_DEFORMABLE = (".conv2.bias", ".offsets.weight", ".offsets.bias")


def fill_backbone(model: SegModel, state: Mapping[str, Tensor]) -> None:
    """Give the backbone of `model` the weights of torchvision's ImageNet classifier.

    Args:
        model: A model of any family with one of our own ResNets as backbone.
        state: Torchvision's state dict of the same ResNet. What a deformable convolution has
            beyond a plain one stays as it is.

    Raises:
        ModelError: An entry is missing, has no use, or has the wrong shape.
    """
    ours = model.state_dict()
    wanted = [
        name
        for name in ours
        if name.startswith(("backbone.", "roi_heads.box_head.layer4."))
        and not name.endswith((".num_batches_tracked", *_DEFORMABLE))
    ]
    fill(model, ours | to_ours(state, resnet_table(ours), wanted))


# -- layouts ---------------------------------------------------------------------------------------

_SCORES = "roi_heads.box_predictor.cls_score.weight"
_BLOCK = re.compile(r"backbone\.body\.layer3\.(\d+)\.conv(\d)\.weight")
_V1 = {(2, 2): "maskrcnn_resnet18_fpn", (6, 3): "maskrcnn_resnet50_fpn"}
_V1 |= {(23, 3): "maskrcnn_resnet101_fpn"}
_V2 = {(6, 3): "maskrcnn_resnet50_fpn_v2"}


def identify(state: State, models: Mapping[tuple[int, int], str]) -> Identity:
    """Tell which Mask R-CNN a state dict is of.

    No file tells the eps of its norms: a first model on ResNet-50 gets that of the published one.

    Args:
        state: Under torchvision's names.
        models: Blocks of the third stage, and convolutions of each -> name in the zoo.

    Raises:
        ModelError: The backbone is none of them.
    """
    found = [match.groups() for key in state if (match := _BLOCK.fullmatch(key))]
    shape = len({block for block, _ in found}), len({conv for _, conv in found})
    if shape not in models:
        raise ModelError(
            f"expected {' or '.join(models.values())}, got a backbone with {shape[0]} blocks of "
            f"{shape[1]} convolutions in its third stage: choose another checkpoint."
        )
    count = len(state[_SCORES]) - 1
    names = [f"class {number}" for number in range(1, count + 1)]
    return Identity(
        model=models[shape],
        classes=COCO_91 if count == len(COCO_91) else ClassMap.from_names(names),
        preprocess=DETECTION,
    )


def _read(model: SegModel, state: State) -> dict[str, Tensor]:
    table = MASKRCNN_2019 if "rpn.head.conv.weight" in state else MASKRCNN
    return to_ours(state, table, model.state_dict().keys())


def _write(model: SegModel, table: Table, *, norm: str) -> dict[str, Tensor]:
    """Rename, unless torchvision's module could not do with the weights what ours does."""
    config = model.config
    if (
        not isinstance(config, MaskRCNNConfig)
        or config.background != "first"
        or config.neck != "fpn"
        or config.fpn_norm != norm
        or config.box_class_agnostic
    ):
        raise ModelError(
            f"expected a Mask R-CNN as torchvision has it (background first, fpn_norm {norm!r}), "
            f"got another {config.family}: train one of {', '.join(_V1.values())}."
        )
    return to_theirs(model.state_dict(), table)


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        name="torchvision_maskrcnn",
        marks=(
            _SCORES,
            "roi_heads.box_head.fc6.weight",
            "roi_heads.mask_predictor.conv5_mask.bias",
        ),
        identify=lambda state: identify(state, _V1),
        to_ours=_read,
        to_theirs=lambda model: _write(model, MASKRCNN, norm="none"),
    ),
    Layout(
        name="torchvision_maskrcnn_v2",
        marks=(_SCORES, "roi_heads.box_head.5.weight", "rpn.head.conv.1.0.weight"),
        identify=lambda state: identify(state, _V2),
        to_ours=lambda model, state: to_ours(state, MASKRCNN_V2, model.state_dict().keys()),
        to_theirs=lambda model: _write(model, MASKRCNN_V2, norm="batch"),
    ),
)
"""Torchvision's two Mask R-CNNs; the first is read in both of its spellings, written in today's."""
