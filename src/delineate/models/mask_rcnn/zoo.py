"""The Mask R-CNNs of the zoo: an explicit table from name to configuration."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from delineate.core.preprocess import Preprocess
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.options import OWN_SIZE, ZooEntry

DETECTION = Preprocess(min_size=800, max_size=1333)
"""How images come into the published Mask R-CNNs."""

_R50_FPN = MaskRCNNConfig()

DETECTRON2 = Preprocess(
    rounding="nearest",
    resample="pillow",
    colour="bgr",
    scale=1.0,
    mean=(103.53, 116.28, 123.675),
    std=(1.0, 1.0, 1.0),
)
"""How images come into detectron2's models on MSRA's ResNets."""
DETECTRON2_GROUPED = replace(DETECTRON2, std=(57.375, 57.12, 58.395))
"""How they come into those on its ResNeXt."""
CONVENTIONS: Mapping[str, object] = MappingProxyType(
    {
        "backbone_norm_eps": 1e-5,
        "stride_in_1x1": True,
        "anchor_rounding": False,
        "anchor_order": "size",
        "anchor_spacing": "stride",
        "rpn_smallest_side": 0.0,
        "rpn_rank": "logit",
        "background": "last",
        "roi_aligned": True,
        "roi_sampling_ratio": 0,
        "roi_level_margin": 0.0,
        "mask_targets": "binary",
        "smooth_l1_beta": 0.0,
        "smallest_side": 0.0,
        "paste_rule": "half_pixel",
    }
)
"""What detectron2 does otherwise than torchvision, in every one of its Mask R-CNNs."""
PYRAMID: Mapping[str, object] = MappingProxyType({"rpn_post_nms_train": 1000})
"""The proposals of its models with a pyramid."""
ONE_MAP: Mapping[str, object] = MappingProxyType(
    {
        "anchor_sizes": ((32, 64, 128, 256, 512),),
        "rpn_pre_nms": 6000,
        "rpn_pre_nms_train": 12000,
    }
)
"""The anchors and proposals of its models without a pyramid."""
_PANOPTIC = _R50_FPN.replace(**CONVENTIONS, **PYRAMID, stuff_names=("stuff",), stuff_ids=(10_000,))
"""All stuff as one class, until somebody names more."""

MODELS: dict[str, ZooEntry] = {
    "maskrcnn_resnet50_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone_norm_eps=0.0),
        preprocess=DETECTION,
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
        preprocess=DETECTION,
        summary="Torchvision's improved Mask R-CNN: deeper heads, batch norm everywhere.",
    ),
    "maskrcnn_resnet101_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="resnet101"),
        preprocess=DETECTION,
        summary="Mask R-CNN with the deeper ResNet-101.",
    ),
    "maskrcnn_resnet50_c4": ZooEntry(
        config=_R50_FPN.replace(
            backbone_strides=(16,),
            neck="none",
            anchor_sizes=((32, 64, 128, 256, 512),),
            mask_convs=0,
        ),
        preprocess=DETECTION,
        summary="The original Mask R-CNN without a pyramid: one map, the last stage as head.",
    ),
    "maskrcnn_resnet50_dc5": ZooEntry(
        config=_R50_FPN.replace(**CONVENTIONS, **ONE_MAP, backbone_strides=(32,), neck="dilated"),
        preprocess=replace(DETECTRON2, divisor=1),
        summary="One map without a pyramid, of a last stage dilated to stride 16 (detectron2).",
    ),
    "maskrcnn_resnext101_fpn": ZooEntry(
        config=_R50_FPN.replace(
            **{**CONVENTIONS, **PYRAMID, "stride_in_1x1": False}, backbone="resnext101_32x8d"
        ),
        preprocess=DETECTRON2_GROUPED,
        summary="Mask R-CNN with ResNeXt-101 32x8d, detectron2's largest.",
    ),
    "panoptic_fpn_resnet50": ZooEntry(
        config=_PANOPTIC,
        preprocess=DETECTRON2,
        summary="Panoptic FPN (detectron2): Mask R-CNN and a head for stuff, see `stuff_names`.",
    ),
    "panoptic_fpn_resnet101": ZooEntry(
        config=_PANOPTIC.replace(backbone="resnet101"),
        preprocess=DETECTRON2,
        summary="Panoptic FPN with the deeper ResNet-101.",
    ),
    "maskrcnn_resnet18_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="resnet18"),
        preprocess=DETECTION,
        summary="Mask R-CNN with the small ResNet-18.",
    ),
    "maskrcnn_vgg16_fpn": ZooEntry(
        config=_R50_FPN.replace(backbone="timm/vgg16"),
        preprocess=DETECTION,
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
        preprocess=OWN_SIZE,
        summary="Small objects, from random weights on a CPU in minutes; ignores exposure.",
    ),
}
"""Name -> entry."""
