"""Every choice that makes one DETR, as plain values."""

from dataclasses import dataclass
from typing import Literal

from delineate.errors import ConfigError
from delineate.models.option_rules import BACKBONE, Rule, at_least, check, share
from delineate.models.options import Options

GROUPS = 8
"""Of every group norm in the mask head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DETRConfig(Options):
    """Plain values from which a `DETR` is built; the defaults are the published model's.

    The paper trains in two steps: first boxes (``masks=False``), then, from these weights, the
    mask head alone (``freeze_boxes=True``). Without either, everything is trained in one step.

    Raises:
        ConfigError: A value is out of its range, or two contradict one another.
    """

    family: Literal["detr"] = "detr"

    # Backbone; see delineate.models.backbones.build_backbone
    backbone: str = "resnet50"
    backbone_norm: Literal["batch", "frozen"] = "frozen"
    backbone_norm_eps: float = 1e-5
    dilated: bool = False
    slim_widths: tuple[int, ...] = (24, 32, 64, 128, 192)
    slim_depths: tuple[int, ...] = (2, 2, 2, 2)

    # Transformer
    queries: int = 100
    channels: int = 256
    heads: int = 8
    encoder_layers: int = 6
    decoder_layers: int = 6
    feedforward: int = 2048
    dropout: float = 0.1

    # Masks
    masks: bool = True
    freeze_boxes: bool = False
    things: int | None = None
    """Labels below are things, the others stuff; None: all are things."""

    # Training: costs of the matching, which are also the weights of the losses
    class_weight: float = 1.0
    box_weight: float = 5.0
    giou_weight: float = 2.0
    mask_weight: float = 1.0
    dice_weight: float = 1.0
    no_object_weight: float = 0.1

    # Detections
    score_threshold: float = 0.0
    """Queries must exceed it; 0 answers with all, as published figures were measured."""

    def __post_init__(self) -> None:
        check(self, RULES)
        if self.channels % self.heads or self.channels % 4:
            raise ConfigError(
                "expected `channels` to be a multiple of 4 and of `heads`, got "
                f"{self.channels!r}: change it."
            )
        if self.masks and (self.channels % (16 * GROUPS) or self.heads % GROUPS):
            raise ConfigError(
                f"expected `channels` to be a multiple of {16 * GROUPS} and `heads` of {GROUPS} "
                f"where there are masks, got {self.channels} and {self.heads}: the mask head "
                "normalises in groups; change them, or set `masks` to false."
            )
        if self.freeze_boxes and not self.masks:
            raise ConfigError(
                "expected `masks` where `freeze_boxes` is set, got neither: nothing would be left "
                "to train; set `masks`, or do not freeze."
            )


RULES: tuple[Rule, ...] = (
    at_least(1, "queries", "channels", "heads", "decoder_layers", "feedforward"),
    at_least(
        0,
        *("encoder_layers", "class_weight", "box_weight", "giou_weight", "mask_weight"),
        *("dice_weight", "no_object_weight"),
    ),
    share("score_threshold"),
    ("from 0 to below 1", lambda value: 0 <= value < 1, ("dropout",)),
    ("at least 1, or none", lambda value: value is None or value >= 1, ("things",)),
    *BACKBONE,
)
"""What is expected of the options, one by one."""
