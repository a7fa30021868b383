"""Every choice that makes one YOLACT or YOLACT++, as plain values."""

from dataclasses import dataclass
from typing import Literal

from delineate.errors import ConfigError
from delineate.models.option_rules import (
    ANCHORS,
    BACKBONE,
    STUFF,
    Rule,
    at_least,
    check,
    check_anchors,
    check_order,
    check_stuff,
    share,
    strides,
)
from delineate.models.options import StuffOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class YolactConfig(StuffOptions):
    """Plain values from which a `Yolact` is built; the defaults are the published ResNet-50.

    Sizes are in pixels of the network's input.

    Raises:
        ConfigError: A value is out of its range, or two contradict one another.
    """

    family: Literal["yolact"] = "yolact"

    # Backbone; see delineate.models.backbones.build_backbone. `deformable_every`: of the last three
    # stages of a ResNet, each n-th block has a deformable convolution (YOLACT++); 0 is none
    backbone: str = "resnet50"
    backbone_norm: Literal["batch", "frozen"] = "batch"
    backbone_norm_eps: float = 1e-5
    backbone_strides: tuple[int, ...] = (8, 16, 32)
    deformable_every: int = 0
    slim_widths: tuple[int, ...] = (24, 32, 64, 128, 192)
    slim_depths: tuple[int, ...] = (2, 2, 2, 2)

    # Feature pyramid with levels that strided convolutions add
    fpn_channels: int = 256
    fpn_norm: Literal["none", "batch"] = "none"
    fpn_extra_levels: int = 2

    # Anchors: one tuple of sizes a level; a ratio is width over height. `square_anchors` gives all
    # of them the height of their width: a mistake the published weights were trained with
    anchor_sizes: tuple[tuple[float, ...], ...] = ((24,), (48,), (96,), (192,), (384,))
    anchor_ratios: tuple[float, ...] = (1.0, 0.5, 2.0)
    anchor_spacing: Literal["stride", "grid"] = "grid"
    square_anchors: bool = True

    # Prediction head, one for all levels
    head_convs: int = 1
    head_channels: int = 256

    # Prototypes, from the finest level, enlarged `proto_scale` times
    prototypes: int = 32
    proto_convs: int = 3
    proto_channels: int = 256
    proto_norm: Literal["none", "batch"] = "none"
    proto_scale: Literal[1, 2] = 2

    # Rescoring by the predicted overlap of the mask (YOLACT++)
    mask_iou: bool = False

    # Losses; `class_prior` is the probability of an object at an anchor before training, 0 leaves
    # all classes and the background alike. `soft_masks` compares masks with the share of each cell
    # that an object covers, not with yes or no: edges then lie between cells
    match_high: float = 0.5
    match_low: float = 0.4
    class_loss: Literal["hard_negatives", "focal"] = "hard_negatives"
    class_prior: float = 0.0
    negatives_per_positive: int = 3
    focal_gamma: float = 2.0
    focal_alpha: float = 0.25
    class_weight: float = 1.0
    box_weight: float = 1.5
    mask_weight: float = 6.125
    semantic_weight: float = 1.0
    mask_iou_weight: float = 25.0
    mask_samples: int = 100
    soft_masks: bool = False

    # Detections. `pre_nms` and `pre_nms_traditional`: how many of each class, or with
    # "cross_class" of all, go into the fast ways and into the traditional one; of the latter 0 is
    # all, as published, whose time grows with their square
    score_threshold: float = 0.05
    nms: Literal["fast", "cross_class", "traditional"] = "fast"
    nms_iou: float = 0.5
    pre_nms: int = 200
    pre_nms_traditional: int = 0
    detections_per_image: int = 100

    def __post_init__(self) -> None:
        check(self, RULES)
        check_stuff(self)
        check_order(self, "match_low", "match_high")
        check_anchors(self.anchor_sizes, self.anchor_strides, levels_by="fpn_extra_levels")
        if self.deformable_every and not self.backbone.startswith("resnet"):
            raise ConfigError(
                "expected a ResNet as `backbone` where `deformable_every` is not 0, got "
                f"{self.backbone!r}: set `deformable_every` to 0, or change the backbone."
            )

    @property
    def anchor_strides(self) -> tuple[int, ...]:
        """Stride of each level of anchors."""
        last = self.backbone_strides[-1]
        extra = (last * 2**number for number in range(1, self.fpn_extra_levels + 1))
        return (*self.backbone_strides, *extra)

    @property
    def anchor_ratios_are_tall(self) -> bool:
        """They are width over height, as published."""
        return False

    @property
    def anchors_per_cell(self) -> int:
        """Anchors at each position of each level."""
        return len(self.anchor_sizes[0]) * len(self.anchor_ratios)


RULES: tuple[Rule, ...] = (
    at_least(
        1,
        *("fpn_channels", "head_channels", "prototypes", "proto_channels", "mask_samples"),
        *("negatives_per_positive", "pre_nms", "detections_per_image"),
    ),
    at_least(
        0,
        *("deformable_every", "fpn_extra_levels", "head_convs", "proto_convs", "focal_gamma"),
        "pre_nms_traditional",
        *("class_weight", "box_weight", "mask_weight", "semantic_weight", "mask_iou_weight"),
    ),
    share("match_high", "match_low", "focal_alpha", "score_threshold", "nms_iou"),
    ("from 0 to below 1", lambda value: 0 <= value < 1, ("class_prior",)),
    strides("backbone_strides"),
    *BACKBONE,
    *ANCHORS,
    *STUFF,
)
"""What is expected of the options, one by one."""
