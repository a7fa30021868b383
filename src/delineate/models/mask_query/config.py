"""Every choice that makes one mask-query model, as plain values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from delineate.errors import ConfigError
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
        for wanted, is_fine, names in _RANGES:
            for name in names:
                if not is_fine(value := getattr(self, name)):
                    raise ConfigError(
                        f"expected `{name}` to be {wanted}, got {value!r}: change it."
                    )
        if self.channels % self.heads:
            raise ConfigError(
                f"expected `channels` to be a multiple of `heads`, got {self.channels} and "
                f"{self.heads}: change one of them."
            )


_STRIDES = {(4, 8, 16, 32)[first:last] for first in range(4) for last in range(first + 1, 5)}
_RANGES: tuple[tuple[str, Callable[[Any], bool], tuple[str, ...]], ...] = (
    (
        "at least 1",
        lambda value: value >= 1,
        (
            *("channels", "mask_channels", "token_matches", "queries", "queries_train"),
            *("candidates", "heads", "feedforward", "window_points", "mask_points"),
            "detections_per_image",
        ),
    ),
    (
        "at least 0",
        lambda value: value >= 0,
        (
            *("backbone_norm_eps", "token_convs", "decoder_layers", "class_weight", "box_weight"),
            *("mask_weight", "dice_weight"),
        ),
    ),
    ("between 0 and 1", lambda value: 0 <= value <= 1, ("distinct_iou", "score_threshold")),
    ("above 0", lambda value: value > 0, ("canonical_size",)),
    (
        "neighbours among (4, 8, 16, 32), in this order",
        lambda value: tuple(value) in _STRIDES,
        ("token_strides",),
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
)
"""What is expected, whether a value is so, and the options of which it is expected."""
