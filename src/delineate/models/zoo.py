"""The models there are: an explicit table from name to configuration."""

from dataclasses import dataclass
from types import MappingProxyType

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.errors import ModelError, nearest
from delineate.models.api import SegModel
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.model import MaskRCNN

FAMILIES = MappingProxyType({MaskRCNN.family: (MaskRCNNConfig, MaskRCNN)})
"""Name of a family -> the class of its configurations and the class of its models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """A model by name: how its network is built, and what images it wants."""

    config: MaskRCNNConfig
    preprocess: Preprocess
    summary: str


_DETECTION = Preprocess(min_size=800, max_size=1333)
_OWN_SIZE = Preprocess(resize="factor", factor=1.0, contrast="stretch")

_R50_FPN = MaskRCNNConfig()

_MODELS = {
    "maskrcnn_resnet50_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone_norm_eps=0.0),
        preprocess=_DETECTION,
        summary="The first Mask R-CNN of torchvision: ResNet-50, feature pyramid.",
    ),
    "maskrcnn_resnet50_fpn_v2": ZooEntry(
        config=_R50_FPN.replace(
            backbone_norm="batch",
            fpn_norm="batch",
            rpn_convs=2,
            box_convs=4,
            box_fcs=1,
            box_norm="batch",
            mask_norm="batch",
        ),
        preprocess=_DETECTION,
        summary="Torchvision's improved Mask R-CNN: deeper heads, batch norm everywhere.",
    ),
    "maskrcnn_resnet101_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="resnet101"),
        preprocess=_DETECTION,
        summary="Mask R-CNN with the deeper ResNet-101.",
    ),
    "maskrcnn_resnet50_c4": ZooEntry(
        config=_R50_FPN.replace(
            backbone_strides=(16,),
            neck="none",
            anchor_sizes=((32, 64, 128, 256, 512),),
            mask_convs=0,
        ),
        preprocess=_DETECTION,
        summary="The original Mask R-CNN without a pyramid: one map, the last stage as head.",
    ),
    "maskrcnn_resnet18_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="resnet18"),
        preprocess=_DETECTION,
        summary="Mask R-CNN with the small ResNet-18.",
    ),
    "maskrcnn_vgg16_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="timm/vgg16"),
        preprocess=_DETECTION,
        summary="Mask R-CNN with VGG-16 from timm.",
    ),
    "maskrcnn_nano": ZooEntry(
        config=MaskRCNNConfig(
            backbone="slim",
            backbone_norm="batch",
            slim_widths=(24, 32, 64, 128, 192),
            slim_depths=(1, 2, 2, 2),
            fpn_channels=64,
            fpn_norm="batch",
            fpn_extra_level=False,
            anchor_sizes=((16,), (32,), (64,), (128,)),
            anchor_rounding=False,
            anchor_spacing="stride",
            rpn_match_high=0.5,
            rpn_pre_nms=2000,
            rpn_pre_nms_train=500,
            rpn_post_nms_train=512,
            roi_aligned=True,
            roi_samples=128,
            box_fc_width=256,
            box_class_agnostic=True,
            mask_pool_size=10,
            mask_convs=2,
            mask_channels=64,
            detections_per_image=300,
            paste_rule="half_pixel",
        ),
        preprocess=_OWN_SIZE,
        summary="Small objects, from random weights on a CPU in minutes; ignores exposure.",
    ),
}

MODELS = MappingProxyType(_MODELS)
"""Name -> entry."""


def list_models() -> list[str]:
    """Return the names that `build` knows."""
    return sorted(MODELS)


def build(
    name: str | MaskRCNNConfig,
    *,
    classes: ClassMap | int,
    preprocess: Preprocess | None = None,
    **overrides: object,
) -> SegModel:
    """Build a model with random weights.

    Args:
        name: A name of the zoo, or a configuration.
        classes: The classes it shall know, or how many.
        preprocess: How images come in; the zoo entry's, or that of the published Mask R-CNNs for
            a configuration, where not given.
        **overrides: Values that replace those of the configuration.

    Raises:
        ModelError: The zoo has no such name.
        ConfigError: An override is no option, or contradicts another.
    """
    if isinstance(name, MaskRCNNConfig):
        config, default = name, _DETECTION
    else:
        if name not in MODELS:
            raise ModelError(f"expected a model of the zoo, got {name!r}: {nearest(name, MODELS)}")
        config, default = MODELS[name].config, MODELS[name].preprocess
    if isinstance(classes, int):
        classes = ClassMap.from_names([f"class {number}" for number in range(1, classes + 1)])
    return MaskRCNN(config.replace(**overrides), classes, preprocess or default)
