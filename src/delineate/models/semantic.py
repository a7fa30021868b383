"""The stuff head of Panoptic FPN (Kirillov et al., 2019), and what a model that has one can say."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.core.decode_semantic import best_class
from delineate.core.geometry import Geometry
from delineate.core.panoptic import VOID_STUFF, Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.panoptic_fusion import fuse
from delineate.models.api import FeatureSpec, SegModel, Target
from delineate.models.options import StuffOptions

_GROUPS = 32


class StuffHead(nn.Module):
    """Bring every level of a pyramid to the stride of the finest, sum, and classify.

    Each level has one 3x3 convolution, group norm and ReLU, and, above the finest stride, one for
    each doubling of its size that follows. The published head begins at stride 4.

    Args:
        features: The levels, finest first.
        classes: Number of outputs: 0 stands for all things, 1 + k for stuff k.
        channels: Of each convolution, a multiple of 32.
    """

    def __init__(self, features: FeatureSpec, *, classes: int, channels: int) -> None:
        super().__init__()
        self.stride = features.strides[0]
        self.levels = nn.ModuleList()
        for inputs, stride in zip(features.channels, features.strides, strict=True):
            doublings = int(math.log2(stride // self.stride))
            convs = nn.ModuleList()
            for number in range(max(1, doublings)):
                conv = nn.Conv2d(channels if number else inputs, channels, 3, padding=1, bias=False)
                nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
                convs.append(nn.Sequential(conv, nn.GroupNorm(_GROUPS, channels)))
            self.levels.append(convs)
        self.predictor = nn.Conv2d(channels, classes, 1)
        nn.init.normal_(self.predictor.weight, std=0.01)
        nn.init.zeros_(self.predictor.bias)

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return float32 logits ``(b, classes, h, w)`` at the stride of the finest level.

        Args:
            features: The levels.
            size: (height, width) of the padded input, which they cover: where a backbone rounds
                down, its last cells are repeated.
        """
        grids = [level.shape[-2:] for level in features]
        (first,), *coarser = self.levels
        total = F.relu(first(features[0]))
        for number, (convs, x) in enumerate(zip(coarser, features[1:], strict=True), start=1):
            for conv, grid in zip(convs, reversed(grids[:number]), strict=True):
                x = F.relu(conv(x), inplace=True)
                x = F.interpolate(x, size=grid, mode="bilinear", align_corners=False)
            total = total + x
        logits = self.predictor(total).float()
        height, width = (math.ceil(side / self.stride) for side in size)
        missing = (0, max(0, width - logits.shape[3]), 0, max(0, height - logits.shape[2]))
        return F.pad(logits, missing, mode="replicate") if any(missing) else logits


class StuffSegModel(SegModel):
    """Base of the families upon whose feature pyramid a stuff head may stand."""

    config: StuffOptions
    stuff: StuffHead | None

    def add_stuff_head(self, pyramid: FeatureSpec) -> None:
        """Build the head where the options name classes of stuff."""
        self.stuff = None
        if self.config.stuff_names:
            classes, channels = 1 + len(self.config.stuff_names), self.config.stuff_channels
            self.stuff = StuffHead(pyramid, classes=classes, channels=channels)

    @property
    def panoptic_classes(self) -> PanopticClasses:
        """Its things, and the classes of its stuff head, of which there may be none."""
        return PanopticClasses(self.classes, self.config.stuff)

    def stuff_losses(
        self, pyramid: Sequence[Tensor], size: tuple[int, int], targets: Sequence[Target]
    ) -> dict[str, Tensor]:
        """Return stuff where there is a head, else nothing.

        Args:
            pyramid: See `StuffHead.forward`, as for `size`.
            size: Of the padded input.
            targets: One an image.
        """
        if self.stuff is None:
            return {}
        truth = [target.stuff for target in targets]
        loss = stuff_loss(self.stuff(pyramid, size), truth, stride=self.stuff.stride)
        return {"stuff": self.config.stuff_loss_weight * loss}

    def to_panoptic(self, raw: tuple[Tensor, ...], where: Sequence[Geometry]) -> list[Panoptic]:
        """Give every pixel of the original images to a segment, by the rules of Panoptic FPN.

        Without a stuff head there are things only, their overlaps resolved by score.
        """
        if self.stuff is None:
            return super().to_panoptic(raw, where)
        classes, instances = self.panoptic_classes, self.to_instances(raw, where)
        return [
            fuse(found, stuff, classes, stuff_area=self.config.stuff_area)
            for found, stuff in zip(instances, self.to_stuff_maps(raw, where), strict=True)
        ]

    def to_stuff_maps(
        self, raw: tuple[Tensor, ...], where: Sequence[Geometry]
    ) -> list[npt.NDArray[np.int32]]:
        """Return what the stuff head says of each pixel, ``(h, w)``: 0 is a thing, 1 + k stuff k.

        Args:
            raw: Result of `forward`; its last part are the logits of the head.
            where: The geometries that `prepare` returned.
        """
        assert self.stuff is not None
        logits, stride = raw[-1].detach().cpu().numpy(), self.stuff.stride
        return [
            best_class(planes, stride=stride, size=geometry.target, target=geometry.source)
            for planes, geometry in zip(logits, where, strict=True)
        ]


def stuff_loss(logits: Tensor, truth: Sequence[Tensor | None], *, stride: int) -> Tensor:
    """Return the mean cross-entropy over the pixels of the network's input that count.

    Args:
        logits: ``(b, classes, h, w)``, which cover the input.
        truth: For each image ``(h, w)`` uint8, `VOID_STUFF` or what a pixel is; None counts for
            nothing. Padding counts for nothing.
        stride: Pixels of the network's input a cell.
    """
    full = F.interpolate(logits, scale_factor=stride, mode="bilinear", align_corners=False)
    wanted = torch.full(
        (len(full), *full.shape[-2:]), VOID_STUFF, dtype=torch.int64, device=full.device
    )
    for here, stuff in zip(wanted, truth, strict=True):
        if stuff is not None:
            here[: stuff.shape[0], : stuff.shape[1]] = stuff
    loss = F.cross_entropy(full, wanted, ignore_index=VOID_STUFF, reduction="sum")
    return loss / (wanted != VOID_STUFF).sum().clamp(min=1)
