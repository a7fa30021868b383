"""ResNet (He et al., 2016): the backbones that published detection weights are made for.

Parameter names are torchvision's (``conv1``, ``bn1``, ``layer1.0.conv1``, ``downsample.0``), to
which those of detectron2 and YOLACT map one to one. All others but DarkNet-53 come from timm.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from delineate.models.api import FeatureSpec
from delineate.models.layers import FrozenBatchNorm2d, Norm, norm_layer


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18 and 34)."""

    expansion = 1

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        norm: Norm,
        eps: float,
        stride_in_1x1: bool,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = norm_layer(norm, width, eps)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = norm_layer(norm, width, eps)
        self.downsample = _shortcut(inputs, width, stride, norm, eps)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, inputs, h, w)`` to ``(b, width, h / stride, w / stride)``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up and a shortcut (ResNet-50 and deeper).

    The stride sits in the 3x3 convolution (torchvision), or, with ``stride_in_1x1``, in the first
    1x1 as in the original paper and the weights of MSRA that detectron2 uses.
    """

    expansion = 4
    groups = 1
    group_width = 64

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        norm: Norm,
        eps: float,
        stride_in_1x1: bool,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        outputs = width * self.expansion
        width = width * self.groups * self.group_width // 64
        self.conv1 = nn.Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = norm_layer(norm, width, eps)
        self.conv2 = nn.Conv2d(
            width, width, 3, second, dilation, dilation, groups=self.groups, bias=False
        )
        self.bn2 = norm_layer(norm, width, eps)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = norm_layer(norm, outputs, eps)
        self.downsample = _shortcut(inputs, outputs, stride, norm, eps)
        self.relu = nn.ReLU(inplace=True)

    def deform(self) -> None:
        """Let the 3x3 convolution learn where to read, from random weights."""
        conv = self.conv2
        self.conv2 = DeformableConv(conv.in_channels, conv.out_channels, conv.stride[0])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, inputs, h, w)`` to ``(b, 4 * width, h / stride, w / stride)``."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class DeformableConv(nn.Conv2d):
    """3x3 convolution that learns where to read (Zhu et al., Deformable ConvNets v2, 2019).

    A second convolution predicts, for each position, nine shifts (y, x) in pixels and nine factors.
    It starts at zero: no shift, each factor one half.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 3, stride, 1, bias=True)
        self.offsets = nn.Conv2d(inputs, 27, 3, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(b, inputs, h, w)`` to ``(b, outputs, h / stride, w / stride)``."""
        shifts, gains = self.offsets(x).split((18, 9), dim=1)
        with torch.autocast(x.device.type, enabled=False):
            moved = deform_conv2d(
                x.float().contiguous(),
                shifts.float().contiguous(),
                self.weight.contiguous(),
                self.bias,
                stride=self.stride,
                padding=self.padding,
                mask=gains.float().sigmoid().contiguous(),
            )
        return moved.to(x.dtype)


class ResNeXtBottleneck(Bottleneck):
    """32 groups of 8 channels at width 64 (Xie et al., ResNeXt, 2017, arXiv:1611.05431)."""

    groups = 32
    group_width = 8


Block = type[BasicBlock] | type[Bottleneck]
Dilated = Literal["rest", "whole"]

RESNETS: dict[str, tuple[Block, tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
    "resnext101_32x8d": (ResNeXtBottleneck, (3, 4, 23, 3)),
}
"""Name -> block and number of blocks in each of the four stages."""


class ResNet(nn.Module):
    """Stem and up to four stages; returns the maps of the wanted strides, finest first.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        depths: Blocks a stage.
        strides: Which maps to return, of 4, 8, 16, 32. Stages beyond the last are not built.
        widths: Width of the stem's output, then of each stage (before expansion).
        small_stem: Stem of one 3x3 convolution, and the first stage strides in place of the max
            pooling: for small objects and small networks. Otherwise the original 7x7 and pooling.
        norm: Normalisation after every convolution.
        eps: Of the normalisation. Torchvision's first Mask R-CNN weights need 0.
        stride_in_1x1: See `Bottleneck`.
        deformable_every: Blocks 0, n, 2 n ... of the stages after the first, which must be
            bottlenecks, have a `DeformableConv`; 0 for none.
        dilated: The fourth stage keeps the stride of the third, 16, and spreads its 3x3
            convolutions twofold (DC5): those of its ``"rest"``, all blocks but the first (DETR,
            torchvision), or of the ``"whole"`` stage (detectron2). It is still asked for as 32 in
            `strides`.
    """

    def __init__(
        self,
        block: Block,
        depths: Sequence[int],
        *,
        strides: Sequence[int] = (4, 8, 16, 32),
        widths: Sequence[int] = (64, 64, 128, 256, 512),
        small_stem: bool = False,
        norm: Norm = "frozen",
        eps: float = 1e-5,
        stride_in_1x1: bool = False,
        deformable_every: int = 0,
        dilated: Dilated | None = None,
    ) -> None:
        super().__init__()
        stem, *stage_widths = widths
        kernel = 3 if small_stem else 7
        self.conv1 = nn.Conv2d(3, stem, kernel, 2, kernel // 2, bias=False)
        self.bn1 = norm_layer(norm, stem, eps)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small_stem else nn.MaxPool2d(3, 2, 1)
        self._stages: dict[int, str] = {}
        channels = []
        inputs = stem
        for number, (width, depth) in enumerate(zip(stage_widths, depths, strict=True), start=1):
            stride = 2 ** (number + 1)
            if stride > max(strides):
                break
            dilate = dilated if number == 4 else None
            step = 1 if dilate or (number == 1 and not small_stem) else 2
            stage = residual_stage(
                block,
                inputs,
                width,
                depth,
                step,
                norm=norm,
                eps=eps,
                stride_in_1x1=stride_in_1x1,
                dilated=dilate,
            )
            if deformable_every and number > 1:
                for bottleneck in list(stage)[::deformable_every]:
                    bottleneck.deform()
            self.add_module(f"layer{number}", stage)
            self._stages[stride] = f"layer{number}"
            inputs = width * block.expansion
            if stride in strides:
                channels.append(inputs)
        self._wanted = frozenset(strides)
        actual = tuple(16 if dilated and stride == 32 else stride for stride in strides)
        self.features = FeatureSpec(channels=tuple(channels), strides=actual)
        initialise(self)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images ``(b, 3, h, w)`` to one ``(b, channels, h / stride, w / stride)`` a stride."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for stride, name in self._stages.items():
            x = self.get_submodule(name)(x)
            if stride in self._wanted:
                maps.append(x)
        return maps


def residual_stage(
    block: Block,
    inputs: int,
    width: int,
    depth: int,
    stride: int,
    *,
    norm: Norm,
    eps: float,
    stride_in_1x1: bool,
    dilated: Dilated | None = None,
) -> nn.Sequential:
    """Return ``depth`` residual blocks, the first of which strides; see `ResNet` for the others."""
    first, dilation = (2 if dilated == "whole" else 1), (2 if dilated else 1)
    blocks = [block(inputs, width, stride, norm, eps, stride_in_1x1, first)]
    for _ in range(1, depth):
        blocks.append(block(width * block.expansion, width, 1, norm, eps, stride_in_1x1, dilation))
    return nn.Sequential(*blocks)


def initialise(module: nn.Module) -> None:
    """Set random weights that keep activations in range at any depth.

    With frozen norms nothing rescales the sum of shortcut and branch, which would double its
    variance in every block: there each branch starts at a quarter.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, BasicBlock | Bottleneck):
            last = layer.bn3 if isinstance(layer, Bottleneck) else layer.bn2
            if isinstance(last, FrozenBatchNorm2d):
                nn.init.constant_(last.weight, 0.25)
    for layer in module.modules():
        if isinstance(layer, DeformableConv):
            nn.init.zeros_(layer.offsets.weight)


def _shortcut(
    inputs: int, outputs: int, stride: int, norm: Norm, eps: float
) -> nn.Sequential | None:
    """Return the projection a shortcut needs where the shape changes, or None."""
    if stride == 1 and inputs == outputs:
        return None
    conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(conv, norm_layer(norm, outputs, eps))
