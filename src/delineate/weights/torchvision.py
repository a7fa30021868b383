"""Torchvision's checkpoints: how their entries are called, and what they are called here.

The names are those of torchvision's modules (0.29). The first Mask R-CNN is also read as its file
of 2019 has it, from before convolutions became `Conv2dNormActivation`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor

from delineate.errors import ModelError
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.model import MaskRCNN
from delineate.weights.file import fill
from delineate.weights.keymap import Table, to_ours


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

LAYOUTS: Mapping[str, Mapping[str, Table]] = MappingProxyType(
    {
        "torchvision_maskrcnn": {
            "rpn.head.conv.0.0.weight": MASKRCNN,
            "rpn.head.conv.weight": MASKRCNN_2019,
        },
        "torchvision_maskrcnn_v2": {"rpn.head.conv.1.0.weight": MASKRCNN_V2},
    }
)
"""Name of a layout -> the entry by which a spelling of it is known -> that spelling's table."""


def resnet_table(config: MaskRCNNConfig) -> Table:
    """Return the table of torchvision's ImageNet ResNets for the backbone of a Mask R-CNN.

    The classifier is left out, and so are stages that the backbone does not have. In a C4 model the
    last stage is the box head.
    """
    rows = [*_stem("", "{norm}"), *_counters(""), ("fc.{wb}", None)]
    for number in (1, 2, 3, 4):
        ours = "backbone." if 2 ** (number + 1) <= max(config.backbone_strides) else None
        if number == 4 and config.neck == "none":
            ours = "roi_heads.box_head."
        rows += _stage("", number, ours, "{norm}")
    return rows


def fill_model(model: MaskRCNN, state: Mapping[str, Tensor], layout: str) -> None:
    """Give `model` the weights of one of torchvision's Mask R-CNNs.

    Args:
        model: The model of the same name, with as many classes (90 for COCO).
        state: Torchvision's state dict.
        layout: A key of `LAYOUTS`.

    Raises:
        ModelError: An entry is missing, has no use, or has the wrong shape.
    """
    tables = [table for entry, table in LAYOUTS[layout].items() if entry in state]
    if len(tables) != 1:
        raise ModelError(
            f"expected a checkpoint of the layout {layout}, which has one of the entries "
            f"{', '.join(LAYOUTS[layout])}, and got {len(state)} others: choose the file that "
            "belongs to this model."
        )
    fill(model, to_ours(state, tables[0], model.state_dict().keys()))


def fill_backbone(model: MaskRCNN, state: Mapping[str, Tensor]) -> None:
    """Give the backbone of `model` the weights of torchvision's ImageNet classifier.

    Args:
        model: A model with one of our own ResNets as backbone.
        state: Torchvision's state dict of the same ResNet.

    Raises:
        ModelError: An entry is missing, has no use, or has the wrong shape.
    """
    ours = model.state_dict()
    wanted = [
        name
        for name in ours
        if name.startswith(("backbone.", "roi_heads.box_head.layer4."))
        and not name.endswith(".num_batches_tracked")
    ]
    fill(model, ours | to_ours(state, resnet_table(model.config), wanted))
