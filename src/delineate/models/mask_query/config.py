"""Every choice that makes one mask-query model, as plain values."""

from dataclasses import dataclass
from typing import Literal

from delineate.errors import ConfigError
from delineate.models.option_rules import (
    BACKBONE,
    Rule,
    at_least,
    check,
    positive,
    share,
    strides,
)
from delineate.models.options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskQueryConfig(Options):
    """Plain values from which a `MaskQuery` is built; the defaults are the zoo's ``detr_nano``.

    Sizes are in pixels of the network's input. A value for training and one for detection are
    told apart by ``_train``.

    Raises:
        ConfigError: A value is out of its range, or two contradict one another.
    """

    family: Literal["mask_query"] = "mask_query"

    # Backbone; see delineate.models.backbones.build_backbone
    backbone: str = "slim"
    backbone_norm: Literal["batch", "frozen"] = "batch"
    backbone_norm_eps: float = 1e-5
    stride_in_1x1: bool = False
    slim_widths: tuple[int, ...] = (24, 32, 64, 128, 192)
    slim_depths: tuple[int, ...] = (1, 2, 2, 2)

    # Pixel decoder: a feature pyramid; its finest map carries the mask features
    channels: int = 64
    neck_norm: Literal["none", "batch"] = "batch"
    mask_channels: int = 16

    # Dense tokens, one a cell, and which of them become queries
    token_strides: tuple[int, ...] = (8, 16, 32)
    token_convs: int = 2
    token_matches: int = 6
    queries: int = 300
    queries_train: int = 150
    candidates: int = 1000
    distinct_iou: float = 0.5

    # Decoder
    decoder_layers: int = 2
    heads: int = 4
    feedforward: int = 256
    window_points: int = 5
    canonical_size: float = 64

    # Losses; see delineate.models.mask_query.losses
    class_weight: float = 1.0
    box_weight: float = 2.0
    mask_weight: float = 2.0
    dice_weight: float = 2.0
    mask_points: int = 16

    # Detections
    score_threshold: float = 0.05
    detections_per_image: int = 300

    def __post_init__(self) -> None:
        check(self, RULES)
        if self.channels % self.heads:
            raise ConfigError(
                f"expected `channels` to be a multiple of `heads`, got {self.channels} and "
                f"{self.heads}: change one of them."
            )


RULES: tuple[Rule, ...] = (
    at_least(
        1,
        *("channels", "mask_channels", "token_matches", "queries", "queries_train"),
        *("candidates", "heads", "feedforward", "window_points", "mask_points"),
        "detections_per_image",
    ),
    at_least(
        0,
        *("token_convs", "decoder_layers", "class_weight", "box_weight", "mask_weight"),
        "dice_weight",
    ),
    share("distinct_iou", "score_threshold"),
    positive("canonical_size"),
    strides("token_strides"),
    *BACKBONE,
)
"""What is expected of the options, one by one."""
