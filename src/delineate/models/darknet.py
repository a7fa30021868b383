"""DarkNet-53 (Redmon and Farhadi, YOLOv3, 2018), as YOLACT's published weights have it."""

from collections.abc import Sequence

from torch import Tensor, nn

from delineate.models.api import FeatureSpec
from delineate.models.layers import Norm, norm_layer
from delineate.models.resnet import initialise

_STEM = 32
_DEPTHS = (1, 2, 8, 8, 4)  # blocks of the stages of strides 2, 4, 8, 16, 32


class DarkBlock(nn.Module):
    """1x1 to half the width, 3x3 back, and the input added after the last activation."""

    def __init__(self, width: int, norm: Norm, eps: float) -> None:
        super().__init__()
        self.conv1 = dark_conv(width, width // 2, 1, norm=norm, eps=eps)
        self.conv2 = dark_conv(width // 2, width, 3, norm=norm, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, width, h, w)`` to the same shape."""
        return x + self.conv2(self.conv1(x))


class DarkNet53(nn.Module):
    """Stem and up to five stages; returns the maps of the wanted strides, finest first.

    Args:
        strides: Which maps to return, of 2, 4, 8, 16, 32. Stages beyond the last are not built.
        norm: Normalisation after every convolution.
        eps: Of the normalisation.
    """

    def __init__(self, *, strides: Sequence[int], norm: Norm = "batch", eps: float = 1e-5) -> None:
        super().__init__()
        self.stem = dark_conv(3, _STEM, 3, norm=norm, eps=eps)
        self.stages = nn.ModuleList()
        width, channels = _STEM, []
        for number, depth in enumerate(_DEPTHS, start=1):
            if 2**number > max(strides):
                break
            down = dark_conv(width, 2 * width, 3, stride=2, norm=norm, eps=eps)
            width *= 2
            blocks = (DarkBlock(width, norm, eps) for _ in range(depth))
            self.stages.append(nn.Sequential(down, *blocks))
            if 2**number in strides:
                channels.append(width)
        self.features = FeatureSpec(channels=tuple(channels), strides=tuple(strides))
        initialise(self)
        for block in self.modules():  # or each of 23 sums would double the variance
            if isinstance(block, DarkBlock) and norm != "none":
                nn.init.constant_(block.conv2[1].weight, 0.25)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images ``(b, 3, h, w)`` to one ``(b, channels, h / stride, w / stride)`` a stride."""
        x, maps = self.stem(images), []
        for number, stage in enumerate(self.stages, start=1):
            x = stage(x)
            if 2**number in self.features.strides:
                maps.append(x)
        return maps


def dark_conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, norm: Norm, eps: float
) -> nn.Sequential:
    """Return convolution, norm and leaky ReLU, numbered 0, 1, 2."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        norm_layer(norm, outputs, eps),
        nn.LeakyReLU(0.1, inplace=True),
    )
