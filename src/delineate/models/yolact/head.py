"""The networks of YOLACT behind its pyramid: predictions, prototypes, the quality of masks."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.models.layers import ConvNorm
from delineate.models.yolact.config import YolactConfig

_MASK_IOU_WIDTHS = (8, 16, 32, 64, 128)
_SMALLEST = 2 ** (len(_MASK_IOU_WIDTHS) + 1) - 1
"""Side of the smallest map that five unpadded convolutions of stride 2 can read."""


class Predictions(NamedTuple):
    """What the head says of n anchors of each image."""

    deltas: Tensor
    """``(b, n, 4)`` from anchors to boxes, see `delineate.ops.boxes.decode`."""
    logits: Tensor
    """``(b, n, 1 + C)``, the background first."""
    coefficients: Tensor
    """``(b, n, k)`` in -1..1, one factor a prototype."""


class PredictionHead(nn.Module):
    """Boxes, classes and mask coefficients of every anchor; one head serves all levels.

    Args:
        config: All choices.
        channels: Of each level.
        classes: Number of classes, without the background.
    """

    def __init__(self, config: YolactConfig, channels: int, classes: int) -> None:
        super().__init__()
        anchors, width = config.anchors_per_cell, config.head_channels
        self.shared = nn.Sequential(
            *(ConvNorm(width if n else channels, width, 3) for n in range(config.head_convs))
        )
        inputs = width if config.head_convs else channels
        self.boxes = nn.Conv2d(inputs, 4 * anchors, 3, padding=1)
        self.classes = nn.Conv2d(inputs, (1 + classes) * anchors, 3, padding=1)
        self.coefficients = nn.Conv2d(inputs, config.prototypes * anchors, 3, padding=1)
        xavier(self)
        if config.class_prior > 0:
            rest = (1 - config.class_prior) / config.class_prior
            with torch.no_grad():
                self.classes.weight.mul_(0.1)
                self.classes.bias[:: 1 + classes] = math.log(classes * rest)

    def forward(self, levels: Sequence[Tensor]) -> Predictions:
        """Predict on every level, ``(b, channels, h, w)`` each; anchors are in their order."""
        parts = []
        for level in levels:
            hidden = self.shared(level)
            boxes, classes = self.boxes(hidden), self.classes(hidden)
            coefficients = self.coefficients(hidden)
            anchors = boxes.shape[1] // 4
            parts.append([_by_anchor(maps, anchors) for maps in (boxes, classes, coefficients)])
        deltas, logits, coefficients = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return Predictions(deltas, logits, coefficients.tanh())


class ProtoNet(nn.Module):
    """The masks of which every mask is made: ``(b, channels, h, w)`` to ``(b, k, s h, s w)``.

    Args:
        config: All choices.
        channels: Of the level it reads.
    """

    def __init__(self, config: YolactConfig, channels: int) -> None:
        super().__init__()
        width, norm = config.proto_channels, config.proto_norm
        self.before = nn.Sequential(
            *(
                ConvNorm(width if n else channels, width, 3, norm=norm)
                for n in range(config.proto_convs)
            )
        )
        self.scale = config.proto_scale
        self.after = ConvNorm(width if config.proto_convs else channels, width, 3, norm=norm)
        self.output = nn.Conv2d(width, config.prototypes, 1)
        xavier(self)

    def forward(self, level: Tensor) -> Tensor:
        """Return prototypes of at least 0."""
        x = self.before(level)
        if self.scale != 1:
            x = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return F.relu(self.output(self.after(x)))


class MaskIoUNet(nn.Module):
    """How well a mask fits its object, seen from the mask alone (YOLACT++, 2020).

    Args:
        classes: It gives one guess for each.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (1, *_MASK_IOU_WIDTHS)
        self.convs = nn.Sequential()
        for inputs, outputs in itertools.pairwise(widths):
            self.convs.append(nn.Conv2d(inputs, outputs, 3, 2))
            self.convs.append(nn.ReLU(inplace=True))
        self.output = nn.Conv2d(widths[-1], classes, 1)
        xavier(self)

    def forward(self, masks: Tensor, labels: Tensor) -> Tensor:
        """Return the expected overlap ``(n,)`` of masks ``(n, h, w)`` in 0..1 with their objects.

        Maps smaller than what the convolutions need are padded with background.
        """
        if not len(masks):
            return masks.new_zeros(0)
        missing = [max(_SMALLEST - side, 0) for side in masks.shape[1:]]
        padded = F.pad(masks, (0, missing[1], 0, missing[0]))
        guesses = F.relu(self.output(self.convs(padded[:, None]))).amax(dim=(2, 3))
        return guesses.gather(1, labels[:, None])[:, 0]


def crop(masks: Tensor, boxes: Tensor) -> Tensor:
    """Set to 0 what lies more than one cell outside its box.

    Whether a cell is inside is told by its number, as in the original: a box from 2.5 to 4.5, grown
    to 1.5 and 5.5, keeps the cells 2 to 5.

    Args:
        masks: ``(n, h, w)``.
        boxes: ``(n, 4)`` xyxy in cells; may be turned inside out.
    """
    height, width = masks.shape[1:]
    x, y = (torch.arange(side, device=masks.device, dtype=boxes.dtype) for side in (width, height))
    low = torch.minimum(boxes[:, :2], boxes[:, 2:]) - 1
    high = torch.maximum(boxes[:, :2], boxes[:, 2:]) + 1
    across = (x >= low[:, :1]) & (x < high[:, :1])
    down = (y >= low[:, 1:]) & (y < high[:, 1:])
    return masks * (down[:, :, None] & across[:, None, :])


def xavier(module: nn.Module) -> None:
    """Set the random weights of all convolutions, and biases of 0, as the paper's program does."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _by_anchor(maps: Tensor, anchors: int) -> Tensor:
    """Turn ``(b, anchors * values, h, w)`` into ``(b, h * w * anchors, values)``."""
    rows = maps.permute(0, 2, 3, 1)
    return rows.reshape(len(maps), -1, maps.shape[1] // anchors)
