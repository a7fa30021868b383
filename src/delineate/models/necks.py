"""Necks: what lies between the maps of a backbone and the heads."""

import torch.nn.functional as F
from torch import Tensor, nn

from delineate.models.api import FeatureSpec
from delineate.models.layers import ConvNorm, Norm


class FPN(nn.Module):
    """Feature pyramid (Lin et al., 2017): coarse maps lend their meaning to fine ones.

    Args:
        features: What the backbone returns; each stride twice the one before.
        channels: Of every map that comes out.
        norm: Normalisation after each convolution.
        extra_level: Add a level of twice the coarsest stride by dropping every second pixel, for
            proposals of large objects.
    """

    def __init__(
        self, features: FeatureSpec, channels: int, *, norm: Norm, extra_level: bool
    ) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            ConvNorm(inputs, channels, 1, norm=norm, relu=False) for inputs in features.channels
        )
        self.output = nn.ModuleList(
            ConvNorm(channels, channels, 3, norm=norm, relu=False) for _ in features.channels
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
        self.extra_level = extra_level
        strides = features.strides
        if extra_level:
            strides = (*strides, 2 * strides[-1])
        self.features = FeatureSpec(channels=(channels,) * len(strides), strides=strides)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Map the backbone's maps, finest first, to as many of equal channels, and the extra."""
        merged = [lateral(features) for lateral, features in zip(self.lateral, maps, strict=True)]
        for fine, coarse in zip(reversed(merged[:-1]), reversed(merged[1:]), strict=True):
            fine += F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")
        levels = [output(features) for output, features in zip(self.output, merged, strict=True)]
        if self.extra_level:
            levels.append(levels[-1][:, :, ::2, ::2])
        return levels


class YolactFPN(nn.Module):
    """Feature pyramid as YOLACT has it (Bolya et al., 2019).

    It differs from `FPN`: coarse maps are enlarged bilinearly, every output has a ReLU, and the
    extra levels are strided convolutions of the level before, without one.

    Args:
        features: What the backbone returns; each stride twice the one before.
        channels: Of every map that comes out.
        norm: Normalisation after each convolution.
        extra_levels: How many levels, each of twice the stride before, to add.
    """

    def __init__(
        self, features: FeatureSpec, channels: int, *, norm: Norm, extra_levels: int
    ) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            ConvNorm(inputs, channels, 1, norm=norm, relu=False) for inputs in features.channels
        )
        self.output = nn.ModuleList(
            ConvNorm(channels, channels, 3, norm=norm) for _ in features.channels
        )
        self.extra = nn.ModuleList(
            ConvNorm(channels, channels, 3, stride=2, norm=norm, relu=False)
            for _ in range(extra_levels)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
        last = features.strides[-1]
        strides = (*features.strides, *(last * 2**n for n in range(1, extra_levels + 1)))
        self.features = FeatureSpec(channels=(channels,) * len(strides), strides=strides)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Map the backbone's maps, finest first, to as many of equal channels, and the extra."""
        merged = [lateral(features) for lateral, features in zip(self.lateral, maps, strict=True)]
        for fine, coarse in zip(reversed(merged[:-1]), reversed(merged[1:]), strict=True):
            fine += F.interpolate(
                coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False
            )
        levels = [output(features) for output, features in zip(self.output, merged, strict=True)]
        for down in self.extra:
            levels.append(down(levels[-1]))
        return levels
