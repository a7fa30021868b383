"""What the battery must know of each family: small options, names, and how to make it speak."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from delineate.models.api import SegModel
from delineate.models.resnet import Bottleneck

LIMIT = 5
"""Most detections an image of the small models."""


@dataclass(frozen=True)
class Family:
    """How one family's models are made small and what their losses are called."""

    small: dict[str, Any]
    """Options that make a model small, its threshold 0 and its detections `LIMIT`."""
    spread: Callable[[SegModel], None]
    """Spreads the scores and boxes of a random model: no two are nearly equal."""
    silence: Callable[[SegModel], None]
    """Makes a model find nothing."""
    losses: frozenset[str]
    idle: frozenset[str]
    """Losses that are 0 where there are no objects."""
    first: dict[str, float]
    """What a loss is at most before anything is learnt."""
    draws: bool
    """Whether losses choose examples at random, in evaluation mode too."""
    once: frozenset[str] = frozenset()
    """Parts of the result of which there is not one a detection."""
    of_part: frozenset[str] = frozenset()
    """Losses of the models that have a part of that name, and of no others."""

    def losses_of(self, model: SegModel) -> set[str]:
        """Return the names of a model's losses."""
        return {n for n in self.losses if n not in self.of_part or getattr(model, n) is not None}


@torch.no_grad()
def _spread_mask_rcnn(model: SegModel) -> None:
    for layer in (model.rpn.objectness, model.roi_heads.box_predictor.scores):
        layer.weight *= 30
    model.rpn.deltas.weight *= 10


@torch.no_grad()
def _silence_mask_rcnn(model: SegModel) -> None:
    heads = model.roi_heads
    heads.box_predictor.scores.bias[heads.background] += 1e4


@torch.no_grad()
def _spread_detr(model: SegModel) -> None:
    for layer in (model.class_head, model.box_head[-1]):
        layer.weight *= 5
    for layer in model.transformer.decoder:  # the first attends to zeros and has but its biases
        layer.self_attention.in_proj_bias.normal_(0, 0.1)


@torch.no_grad()
def _silence_detr(model: SegModel) -> None:
    model.class_head.bias[-1] += 1e4


@torch.no_grad()
def _spread_mask_query(model: SegModel) -> None:
    model.tokens.scores.weight *= 50
    model.tokens.reach.weight *= 20


@torch.no_grad()
def _silence_mask_query(model: SegModel) -> None:
    model.decoder.stages[-1].scores.bias -= 1e4


@torch.no_grad()
def _spread_yolact(model: SegModel) -> None:
    model.head.classes.weight *= 30
    for block in model.modules():  # 33 of them, each doubling the variance, drown the rest
        if isinstance(block, Bottleneck):
            block.bn3.weight *= 0.25


@torch.no_grad()
def _silence_yolact(model: SegModel) -> None:
    model.config = model.config.replace(score_threshold=1.0)


FAMILIES = {
    "mask_rcnn": Family(
        small={
            "rpn_pre_nms": 60,
            "rpn_pre_nms_train": 60,
            "rpn_post_nms": 12,
            "rpn_post_nms_train": 24,
            "roi_samples": 12,
            "rpn_samples": 4096,  # all anchors, so that every level learns
            "detections_per_image": LIMIT,
            "score_threshold": 0.0,
        },
        spread=_spread_mask_rcnn,
        silence=_silence_mask_rcnn,
        losses=frozenset({"rpn_objectness", "rpn_box", "class", "box", "mask", "stuff"}),
        idle=frozenset({"rpn_box", "box", "mask"}),
        first={
            "rpn_objectness": 1.0,  # log 2 = 0.69 for a fair coin
            "class": 2.5,  # one of three classes, or, more probably, background
            "mask": 1.0,
        },
        draws=True,
        once=frozenset({"stuff"}),
        of_part=frozenset({"stuff"}),
    ),
    "detr": Family(
        small={
            "queries": LIMIT,
            "channels": 128,
            "encoder_layers": 1,
            "decoder_layers": 2,
            "feedforward": 32,
            "score_threshold": 0.0,
        },
        spread=_spread_detr,
        silence=_silence_detr,
        losses=frozenset({"class", "box", "giou", "auxiliary", "mask", "dice"}),
        idle=frozenset({"box", "giou", "mask", "dice"}),
        first={"class": 2.5, "mask": 1.0, "dice": 1.0, "giou": 4.0},
        draws=False,
        once=frozenset({"padded"}),
    ),
    "mask_query": Family(
        small={
            "queries": 20,
            "queries_train": 20,
            "detections_per_image": LIMIT,
            "score_threshold": 0.0,
        },
        spread=_spread_mask_query,
        silence=_silence_mask_query,
        losses=frozenset(
            {
                *("token_class", "token_box", "token_mask", "token_dice"),
                *("class", "box", "mask", "dice", "class_1", "box_1", "mask_1", "dice_1"),
            }
        ),
        idle=frozenset(
            {
                *("token_box", "token_mask", "token_dice"),
                *("box", "mask", "dice", "box_1", "mask_1", "dice_1"),
            }
        ),
        first={"token_box": 4.0, "box": 4.0, "token_dice": 2.0, "dice": 2.0},
        draws=False,
        once=frozenset({"logits"}),
    ),
    "yolact": Family(
        small={
            "class_loss": "focal",  # with hard negatives, pictures without objects teach nothing
            "class_prior": 0.01,
            "pre_nms": 40,
            "detections_per_image": LIMIT,
            "score_threshold": 0.0,
        },
        spread=_spread_yolact,
        silence=_silence_yolact,
        losses=frozenset({"box", "class", "mask", "semantic", "mask_iou", "stuff"}),
        idle=frozenset({"box", "mask", "mask_iou"}),
        first={"class": 3.0, "semantic": 12.0},
        draws=False,
        once=frozenset({"prototypes", "cell", "stuff"}),
        of_part=frozenset({"mask_iou", "stuff"}),
    ),
}
"""Name of a family -> what the battery must know of it."""
