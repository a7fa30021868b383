"""The stuff head of Panoptic FPN (Kirillov et al., 2019): one class for each pixel."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.core.panoptic import VOID_STUFF
from delineate.models.api import FeatureSpec

STRIDE = 4
_GROUPS = 32


class StuffHead(nn.Module):
    """Bring every level of a pyramid to stride 4, sum, and classify.

    Each level has one 3x3 convolution, group norm and ReLU, and, above stride 4, one for each
    doubling of its size that follows.

    Args:
        features: The levels, finest first; the first has stride 4.
        classes: Number of outputs: 0 stands for all things, 1 + k for stuff k.
        channels: Of each convolution, a multiple of 32.
    """

    def __init__(self, features: FeatureSpec, *, classes: int, channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList()
        for inputs, stride in zip(features.channels, features.strides, strict=True):
            doublings = int(math.log2(stride // STRIDE))
            convs = nn.ModuleList()
            for number in range(max(1, doublings)):
                conv = nn.Conv2d(channels if number else inputs, channels, 3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                convs.append(nn.Sequential(conv, nn.GroupNorm(_GROUPS, channels)))
            self.levels.append(convs)
        self.predictor = nn.Conv2d(channels, classes, 1)
        nn.init.normal_(self.predictor.weight, std=0.01)
        nn.init.zeros_(self.predictor.bias)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map the levels to logits ``(b, classes, H / 4, W / 4)``."""
        sizes = [level.shape[-2:] for level in features]
        (first,), *coarser = self.levels
        total = F.relu(first(features[0]))
        for number, (convs, x) in enumerate(zip(coarser, features[1:], strict=True), start=1):
            for conv, size in zip(convs, reversed(sizes[:number]), strict=True):
                x = F.relu(conv(x), inplace=True)
                x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
            total = total + x
        return self.predictor(total)


def stuff_loss(logits: Tensor, truth: Sequence[Tensor | None]) -> Tensor:
    """Return the mean cross-entropy over the pixels of the network's input that count.

    Args:
        logits: ``(b, classes, H / 4, W / 4)``.
        truth: For each image ``(h, w)`` uint8, `VOID_STUFF` or what a pixel is; None counts for
            nothing. Padding counts for nothing.
    """
    full = F.interpolate(logits.float(), scale_factor=STRIDE, mode="bilinear", align_corners=False)
    wanted = torch.full(
        (len(full), *full.shape[-2:]), VOID_STUFF, dtype=torch.int64, device=full.device
    )
    for here, stuff in zip(wanted, truth, strict=True):
        if stuff is not None:
            here[: stuff.shape[0], : stuff.shape[1]] = stuff
    loss = F.cross_entropy(full, wanted, ignore_index=VOID_STUFF, reduction="sum")
    return loss / (wanted != VOID_STUFF).sum().clamp(min=1)
