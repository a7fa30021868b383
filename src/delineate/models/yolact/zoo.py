"""The YOLACTs of the zoo: an explicit table from name to configuration."""

from dataclasses import replace

from delineate.core.preprocess import Preprocess
from delineate.models.options import OWN_SIZE, ZooEntry
from delineate.models.yolact.config import YolactConfig

SQUARE_550 = Preprocess(
    resize="square",
    min_size=550,
    scale=1.0,
    mean=(123.68, 116.78, 103.94),
    std=(58.40, 57.12, 57.38),
    divisor=1,
)
"""How images come into the published models: pressed into a square, 0..255, normalised."""
UNIT_550 = replace(SQUARE_550, scale=1 / 255, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
"""The same for DarkNet-53, which wants 0..1."""
SQUARE_700 = replace(SQUARE_550, min_size=700)

_R50 = YolactConfig()
_R101 = _R50.replace(backbone="resnet101")
_PLUS = {
    "anchor_sizes": tuple(
        tuple(size * 2 ** (third / 3) for third in range(3)) for size in (24, 48, 96, 192, 384)
    ),
    "square_anchors": False,
    "mask_iou": True,
}

MODELS: dict[str, ZooEntry] = {
    "yolact_resnet50": ZooEntry(
        config=_R50,
        preprocess=SQUARE_550,
        summary="The first YOLACT with ResNet-50, images of 550 pixels.",
    ),
    "yolact_resnet101": ZooEntry(
        config=_R101,
        preprocess=SQUARE_550,
        summary="The first YOLACT with ResNet-101, images of 550 pixels (its `base`).",
    ),
    "yolact_resnet101_700": ZooEntry(
        config=_R101.replace(anchor_sizes=((30,), (61,), (122,), (244,), (488,))),
        preprocess=SQUARE_700,
        summary="The first YOLACT with ResNet-101, images of 700 pixels (its `im700`).",
    ),
    "yolact_darknet53": ZooEntry(
        config=_R50.replace(backbone="darknet53"),
        preprocess=UNIT_550,
        summary="The first YOLACT with DarkNet-53, images of 550 pixels.",
    ),
    "yolact_plus_resnet50": ZooEntry(
        config=_R50.replace(deformable_every=1, **_PLUS),
        preprocess=SQUARE_550,
        summary="YOLACT++ with ResNet-50: deformable convolutions, masks rescored.",
    ),
    "yolact_plus_resnet101": ZooEntry(
        config=_R101.replace(deformable_every=3, **_PLUS),
        preprocess=SQUARE_550,
        summary="YOLACT++ with ResNet-101: deformable convolutions, masks rescored.",
    ),
    "yolact_vgg16_fpn": ZooEntry(
        config=_R50.replace(backbone="timm/vgg16", square_anchors=False),
        preprocess=SQUARE_550,
        summary="YOLACT with VGG-16 from timm.",
    ),
    "yolact_nano": ZooEntry(
        config=YolactConfig(
            backbone="slim",
            backbone_strides=(4, 8, 16, 32),
            slim_widths=(24, 32, 64, 128, 192),
            slim_depths=(1, 2, 2, 2),
            fpn_channels=64,
            fpn_norm="batch",
            fpn_extra_levels=0,
            anchor_sizes=((16,), (32,), (64,), (128,)),
            anchor_spacing="stride",
            square_anchors=False,
            head_channels=64,
            prototypes=32,
            proto_channels=64,
            proto_norm="batch",
            proto_scale=1,
            class_loss="focal",
            class_prior=0.01,
            soft_masks=True,
            nms="traditional",
            pre_nms_traditional=1000,
            detections_per_image=300,
        ),
        preprocess=OWN_SIZE,
        summary="Real time on a CPU; small objects, from random weights; ignores exposure.",
    ),
}
"""Name -> entry."""
