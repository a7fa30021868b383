"""Every choice that makes one Mask R-CNN, as plain values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from delineate.errors import ConfigError
from delineate.models.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskRCNNConfig(Options):
    """Plain values from which a `MaskRCNN` is built; the defaults are torchvision's first model.

    Sizes are in pixels of the network's input. A value for training and one for detection are
    told apart by ``_train``.

    Raises:
        ConfigError: A value is out of its range, or two contradict one another.
    """

    family: Literal["mask_rcnn"] = "mask_rcnn"

    # Backbone; see delineate.models.backbones.build_backbone
    backbone: str = "resnet50"
    backbone_norm: Literal["batch", "frozen"] = "frozen"
    backbone_norm_eps: float = 1e-5
    backbone_strides: tuple[int, ...] = (4, 8, 16, 32)
    stride_in_1x1: bool = False
    slim_widths: tuple[int, ...] = (24, 32, 64, 128, 192)
    slim_depths: tuple[int, ...] = (2, 2, 2, 2)

    # Neck: a feature pyramid; none (C4: the RoI head is the backbone's last stage); or none, and
    # the last stage dilated to stride 16 (DC5), still asked for as 32 in `backbone_strides`
    neck: Literal["fpn", "none", "dilated"] = "fpn"
    fpn_channels: int = 256
    fpn_norm: Literal["none", "batch"] = "none"
    fpn_extra_level: bool = True

    # Region proposals; anchors have one tuple of sizes a level
    anchor_sizes: tuple[tuple[float, ...], ...] = ((32,), (64,), (128,), (256,), (512,))
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    anchor_rounding: bool = True
    anchor_order: Literal["ratio", "size"] = "ratio"  # which of the two changes last
    anchor_spacing: Literal["stride", "grid"] = "grid"
    rpn_convs: int = 1
    rpn_match_high: float = 0.7
    rpn_match_low: float = 0.3
    rpn_samples: int = 256
    rpn_positive_fraction: float = 0.5
    rpn_pre_nms: int = 1000
    rpn_pre_nms_train: int = 2000
    rpn_post_nms: int = 1000
    rpn_post_nms_train: int = 2000
    rpn_nms_iou: float = 0.7
    rpn_smallest_side: float = 1e-3  # 0 keeps all that have an area
    rpn_rank: Literal["probability", "logit"] = "probability"  # large logits are equal as the first

    # Regions of interest
    background: Literal["first", "last"] = "first"
    roi_aligned: bool = False
    roi_sampling_ratio: int = 2
    roi_canonical_size: float = 224
    roi_level_margin: float = 1e-6
    roi_match_iou: float = 0.5
    roi_samples: int = 512
    roi_positive_fraction: float = 0.25

    # Box head
    box_pool_size: int = 7
    box_convs: int = 0
    box_conv_channels: int = 256
    box_norm: Literal["none", "batch"] = "none"
    box_fcs: int = 2
    box_fc_width: int = 1024
    box_class_agnostic: bool = False

    # Mask head
    mask_pool_size: int = 14
    mask_convs: int = 4
    mask_channels: int = 256
    mask_norm: Literal["none", "batch"] = "none"
    mask_targets: Literal["soft", "binary"] = "soft"
    smooth_l1_beta: float = 1 / 9  # of all boxes; 0 is plain L1

    # Stuff head (Panoptic FPN), where there are classes of stuff; their ids are none of the things'
    stuff_names: tuple[str, ...] = ()
    stuff_ids: tuple[int, ...] = ()
    stuff_channels: int = 128
    stuff_loss_weight: float = 0.5

    # Detections
    score_threshold: float = 0.05
    nms_iou: float = 0.5
    smallest_side: float = 1e-2
    detections_per_image: int = 100
    paste_rule: Literal["integer", "half_pixel"] = "integer"

    def __post_init__(self) -> None:
        for wanted, is_fine, names in _RANGES:
            for name in names:
                if not is_fine(value := getattr(self, name)):
                    raise ConfigError(
                        f"expected `{name}` to be {wanted}, got {value!r}: change it."
                    )
        if self.rpn_match_low > self.rpn_match_high:
            raise ConfigError(
                f"expected `rpn_match_low` to be at most `rpn_match_high`, got {self.rpn_match_low}"
                f" and {self.rpn_match_high}: swap the two."
            )
        levels = len(self.anchor_strides)
        if len(self.anchor_sizes) != levels:
            raise ConfigError(
                f"expected `anchor_sizes` to have {levels} tuples, one for each level of features, "
                f"got {len(self.anchor_sizes)}: change it, `backbone_strides` or `fpn_extra_level`."
            )
        if len({len(sizes) for sizes in self.anchor_sizes}) != 1:
            raise ConfigError(
                "expected `anchor_sizes` to have equally many sizes on each level, got "
                f"{[len(sizes) for sizes in self.anchor_sizes]}: one head serves all levels."
            )
        if self.neck == "none" and self.backbone_strides != (16,):
            raise ConfigError(
                "expected `backbone_strides` to be (16,) where `neck` is 'none' (C4), got "
                f"{self.backbone_strides}: set both."
            )
        if len(self.stuff_ids) != len(self.stuff_names):
            raise ConfigError(
                f"expected as many `stuff_ids` as `stuff_names`, {len(self.stuff_names)}, got "
                f"{len(self.stuff_ids)}: complete them."
            )
        if self.stuff_names and (self.neck != "fpn" or self.backbone_strides[0] != 4):
            raise ConfigError(
                "expected a pyramid from stride 4 on where there are `stuff_names`, got `neck` "
                f"{self.neck!r} and `backbone_strides` {self.backbone_strides}: change them."
            )
        if self.neck == "dilated" and self.backbone_strides != (32,):
            raise ConfigError(
                "expected `backbone_strides` to be (32,) where `neck` is 'dilated' (DC5), got "
                f"{self.backbone_strides}: set both."
            )

    @property
    def anchor_strides(self) -> tuple[int, ...]:
        """Stride of each level of anchors."""
        strides = (16,) if self.neck == "dilated" else self.backbone_strides
        extra = self.neck == "fpn" and self.fpn_extra_level
        return (*strides, 2 * strides[-1]) if extra else strides

    @property
    def anchors_per_cell(self) -> int:
        """Anchors at each position of each level."""
        return len(self.anchor_sizes[0]) * len(self.anchor_ratios)


def _all_positive(values: tuple[float, ...]) -> bool:
    return len(values) > 0 and all(value > 0 for value in values)


_STRIDES = {(4, 8, 16, 32)[first:last] for first in range(4) for last in range(first + 1, 5)}
_RANGES: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    (
        "at least 1",
        lambda value: value >= 1,
        (
            *("fpn_channels", "rpn_samples", "rpn_pre_nms", "rpn_pre_nms_train"),
            *("rpn_post_nms", "rpn_post_nms_train", "roi_samples", "box_pool_size"),
            *("box_conv_channels", "box_fcs", "box_fc_width", "mask_pool_size", "mask_channels"),
            "detections_per_image",
        ),
    ),
    (
        "at least 0",
        lambda value: value >= 0,
        (
            *("backbone_norm_eps", "rpn_convs", "roi_sampling_ratio", "box_convs", "mask_convs"),
            *("rpn_smallest_side", "smallest_side", "roi_level_margin", "smooth_l1_beta"),
            "stuff_loss_weight",
        ),
    ),
    (
        "a multiple of 32 from 32 on",
        lambda value: value >= 32 and value % 32 == 0,
        ("stuff_channels",),
    ),
    (
        "between 0 and 1",
        lambda value: 0 <= value <= 1,
        (
            *("rpn_match_high", "rpn_match_low", "rpn_nms_iou", "roi_match_iou"),
            *("score_threshold", "nms_iou"),
        ),
    ),
    (
        "above 0 and below 1",
        lambda value: 0 < value < 1,
        ("rpn_positive_fraction", "roi_positive_fraction"),
    ),
    ("above 0", lambda value: value > 0, ("roi_canonical_size",)),
    (
        "neighbours among (4, 8, 16, 32), in this order",
        lambda value: tuple(value) in _STRIDES,
        ("backbone_strides",),
    ),
    (
        "five numbers from 1 on, of the stem and four stages",
        lambda value: len(value) == 5 and min(value) >= 1,
        ("slim_widths",),
    ),
    (
        "four numbers from 1 on, one for each stage",
        lambda value: len(value) == 4 and min(value) >= 1,
        ("slim_depths",),
    ),
    ("one or more numbers above 0", _all_positive, ("anchor_ratios",)),
    (
        "one or more numbers above 0 on each level",
        lambda value: all(map(_all_positive, value)),
        ("anchor_sizes",),
    ),
)
"""What is expected, whether a value is so, and the options of which it is expected."""
