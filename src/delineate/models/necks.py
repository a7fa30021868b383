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
