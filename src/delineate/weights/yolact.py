"""Checkpoints of dbolya/yolact: how their entries are called, and what they are called here.

The program counts the layers of its pyramid from the coarsest level down. Files from before version
1.1 hold the backbone twice, a second time as ``backbone.layer1`` and so on, and more layers for
coarse levels than are used: the program itself leaves these out when it reads them, and so does
`_OLD`.
"""

from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.errors import ModelError
from delineate.models.api import SegModel
from delineate.models.yolact.zoo import MODELS
from delineate.weights.coco import COCO_80
from delineate.weights.keymap import Table, to_ours, to_theirs
from delineate.weights.layout import Identity, Layout, State

# fmt: off
_PASCAL = ClassMap.from_names((
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
))
# fmt: on
_PASCAL_OPTIONS = {
    "anchor_sizes": ((32,), (64,), (128,), (256,), (512,)),
    "square_anchors": False,
}
"""What the program's only configuration of 20 classes does differently."""

_HEADS: Table = (
    ("fpn.lat_layers.0.{wb}", "neck.lateral.2.0.{wb}"),
    ("fpn.lat_layers.1.{wb}", "neck.lateral.1.0.{wb}"),
    ("fpn.lat_layers.2.{wb}", "neck.lateral.0.0.{wb}"),
    ("fpn.pred_layers.0.{wb}", "neck.output.2.0.{wb}"),
    ("fpn.pred_layers.1.{wb}", "neck.output.1.0.{wb}"),
    ("fpn.pred_layers.2.{wb}", "neck.output.0.0.{wb}"),
    ("fpn.downsample_layers.0.{wb}", "neck.extra.0.0.{wb}"),
    ("fpn.downsample_layers.1.{wb}", "neck.extra.1.0.{wb}"),
    ("proto_net.0.{wb}", "proto.before.0.0.{wb}"),
    ("proto_net.2.{wb}", "proto.before.1.0.{wb}"),
    ("proto_net.4.{wb}", "proto.before.2.0.{wb}"),
    ("proto_net.8.{wb}", "proto.after.0.{wb}"),
    ("proto_net.10.{wb}", "proto.output.{wb}"),
    ("prediction_layers.0.upfeature.0.{wb}", "head.shared.0.0.{wb}"),
    ("prediction_layers.0.bbox_layer.{wb}", "head.boxes.{wb}"),
    ("prediction_layers.0.conf_layer.{wb}", "head.classes.{wb}"),
    ("prediction_layers.0.mask_layer.{wb}", "head.coefficients.{wb}"),
    ("semantic_seg_conv.{wb}", "semantic.{wb}"),
)
_OLD: Table = (
    *((f"fpn.downsample_layers.{number}.{{wb}}", None) for number in (2, 3, 4, 5)),
    ("backbone.layer{n}.{i}.conv{k}.weight", None),
    ("backbone.layer{n}.{i}.bn{k}.{bn}", None),
    ("backbone.layer{n}.{i}.downsample.0.weight", None),
    ("backbone.layer{n}.{i}.downsample.1.{bn}", None),
)


def _resnet() -> Table:
    """Return the rows of a ResNet, whose stages they count from 0 and we from 1."""
    rows = [("backbone.conv1.weight", "backbone.conv1.weight")]
    rows += [("backbone.bn1.{bn}", "backbone.bn1.{bn}")]
    parts = ("conv{k}.weight", "bn{k}.{bn}", "downsample.0.weight", "downsample.1.{bn}")
    for stage in range(4):
        theirs, ours = f"backbone.layers.{stage}.{{i}}.", f"backbone.layer{stage + 1}.{{i}}."
        rows += [(theirs + part, ours + part) for part in parts]
    return rows


def _deformable() -> Table:
    """Return the rows of the convolutions that only YOLACT++ has in its ResNets."""
    parts = {"conv2.bias": "conv2.bias", "conv2.conv_offset_mask.{wb}": "conv2.offsets.{wb}"}
    return [
        (f"backbone.layers.{stage}.{{i}}.{theirs}", f"backbone.layer{stage + 1}.{{i}}.{ours}")
        for stage in (1, 2, 3)
        for theirs, ours in parts.items()
    ]


DARKNET: Table = (
    ("backbone._preconv.0.weight", "backbone.stem.0.weight"),
    ("backbone._preconv.1.{bn}", "backbone.stem.1.{bn}"),
    ("backbone.layers.{n}.0.0.weight", "backbone.stages.{n}.0.0.weight"),
    ("backbone.layers.{n}.0.1.{bn}", "backbone.stages.{n}.0.1.{bn}"),
    (
        "backbone.layers.{n}.{i}.conv{k}.0.weight",
        "backbone.stages.{n}.{i}.conv{k}.0.weight",
    ),
    ("backbone.layers.{n}.{i}.conv{k}.1.{bn}", "backbone.stages.{n}.{i}.conv{k}.1.{bn}"),
    *_HEADS,
    *_OLD[:4],
)
RESNET: Table = (
    *_resnet(),
    *_deformable(),
    *_HEADS,
    *(
        (f"maskiou_net.maskiou_net.{number}.{{wb}}", f"mask_iou.convs.{number}.{{wb}}")
        for number in (0, 2, 4, 6, 8)
    ),
    ("maskiou_net.maskiou_net.10.{wb}", "mask_iou.output.{wb}"),
    *_OLD,
)


def _layout(name: str, *, mark: str, models: dict[tuple[int, bool], str], table: Table) -> Layout:
    """Return a layout.

    Args:
        name: Of the layout.
        mark: An entry of the backbone by which it is known.
        models: Blocks in the backbone's third counted stage, and whether there is a network that
            tells the quality of masks (YOLACT++) -> name in the zoo.
        table: Renames all of them.
    """

    def identify(state: State) -> Identity:
        kind = _blocks(state), "maskiou_net.maskiou_net.0.weight" in state
        if kind not in models:
            raise ModelError(
                f"expected one of {', '.join(models.values())}, got a YOLACT with {kind[0]} blocks "
                "in `backbone.layers.2`: only the backbones of published models are known."
            )
        if "semantic_seg_conv.weight" not in state:
            raise ModelError(
                "expected the entry semantic_seg_conv.weight, which every YOLACT has, and it is "
                "missing: choose a file that the program saved itself."
            )
        return _identity(models[kind], len(state["semantic_seg_conv.weight"]))

    def ours(model: SegModel, state: State) -> dict[str, Tensor]:
        wanted = model.state_dict().keys()
        counts = any(key.endswith(".num_batches_tracked") for key in wanted)
        return to_ours(state, table if counts else _frozen(table), wanted)

    def theirs(model: SegModel) -> dict[str, Tensor]:
        if model.family != "yolact":
            raise ModelError(
                f"expected a YOLACT to write as {name}, got a model of the family "
                f"{model.family!r}: choose a layout of its own family."
            )
        return to_theirs(model.state_dict(), table)

    marks = ("prediction_layers.0.mask_layer.weight", "proto_net.10.weight", mark)
    return Layout(name=name, marks=marks, identify=identify, to_ours=ours, to_theirs=theirs)


def _frozen(table: Table) -> Table:
    """Return the rows for a model whose norms are constants, which count no batches."""
    rows = [
        (theirs.replace("{bn}", "{norm}"), ours and ours.replace("{bn}", "{norm}"))
        for theirs, ours in table
    ]
    counters = [theirs for theirs, _ in table if theirs.endswith("{bn}")]
    return [*rows, *((name.replace("{bn}", "num_batches_tracked"), None) for name in counters)]


def _blocks(state: State) -> int:
    """Return how many blocks the third stage of the backbone has."""
    parts = [key.split(".") for key in state if key.startswith("backbone.layers.2.")]
    return len({part[3] for part in parts})


def _identity(name: str, count: int) -> Identity:
    """Return what a model of the zoo with that many classes is taken for.

    The 700 pixel model has the entries of that for 550 and cannot be told from it.
    """
    preprocess = MODELS[name].preprocess
    if count == len(COCO_80):
        return Identity(model=name, classes=COCO_80, preprocess=preprocess)
    if name == "yolact_resnet50" and count == len(_PASCAL):
        return Identity(model=name, classes=_PASCAL, preprocess=preprocess, options=_PASCAL_OPTIONS)
    classes = ClassMap.from_names([f"class {number}" for number in range(1, count + 1)])
    return Identity(model=name, classes=classes, preprocess=preprocess)


LAYOUTS: tuple[Layout, ...] = (
    _layout(
        "yolact",
        mark="backbone.conv1.weight",
        models={
            (6, False): "yolact_resnet50",
            (23, False): "yolact_resnet101",
            (6, True): "yolact_plus_resnet50",
            (23, True): "yolact_plus_resnet101",
        },
        table=RESNET,
    ),
    _layout(
        "yolact_darknet",
        mark="backbone._preconv.0.weight",
        models={(9, False): "yolact_darknet53"},
        table=DARKNET,
    ),
)
"""The layouts of the program: with ResNets, YOLACT++ among them, and with DarkNet-53."""
