"""The layers every network here is made of: frozen norm, convolution + norm + ReLU, map reader."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["none", "batch", "frozen"]

_LEAST_EPS = torch.finfo(torch.float32).tiny  # torch 2.11 refuses 0, which published models have


class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose statistics and affine parameters are constants (buffers, not parameters).

    Detectors train on a few large images a step, too few for batch statistics, and keep those of
    the classification network they start from.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``x (b, channels, h, w)``."""
        constants = (self.running_mean, self.running_var, self.weight, self.bias)
        return F.batch_norm(x, *constants, eps=max(self.eps, _LEAST_EPS))

    def extra_repr(self) -> str:
        """Show channels and eps when printed."""
        return f"{len(self.weight)}, eps={self.eps}"


def norm_layer(kind: Norm, channels: int, eps: float = 1e-5) -> nn.Module:
    """Return the normalisation layer of that name; ``"none"`` is the identity."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps=max(eps, _LEAST_EPS))
    if kind == "frozen":
        return FrozenBatchNorm2d(channels, eps=eps)
    return nn.Identity()


class ConvNorm(nn.Sequential):
    """Convolution that keeps the size (or divides it by the stride), then norm, then ReLU.

    The parts are numbered 0, 1, 2 as in torchvision, so that its published weights map by name.
    Without a norm the convolution has a bias.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        norm: Norm = "none",
        relu: bool = True,
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=norm == "none")
        nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        layers: list[nn.Module] = [conv]
        if norm != "none":
            layers.append(norm_layer(norm, outputs))
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class MapLinear(nn.Linear):
    """A linear layer that reads a whole ``(n, channels, h, w)`` map.

    Weights are ordered channel by channel, as in published checkpoints. Maps here are channels
    last in memory, so reading them in that order copies them; an inference copy has its weights
    reordered instead (`read_channels_last`).
    """

    def __init__(self, channels: int, size: int, outputs: int) -> None:
        super().__init__(channels * size * size, outputs)
        self.shape = (channels, size, size)
        self.channels_last = False

    def forward(self, maps: Tensor) -> Tensor:
        """Map ``(n, channels, h, w)`` to ``(n, outputs)``."""
        if self.channels_last:
            maps = maps.permute(0, 2, 3, 1)
        return super().forward(maps.flatten(1))

    @torch.no_grad()
    def read_channels_last(self) -> None:
        """Reorder the weights once; for inference copies, which are not saved."""
        if not self.channels_last:
            rows = self.weight.view(-1, *self.shape).permute(0, 2, 3, 1)
            self.weight = nn.Parameter(rows.reshape(self.weight.shape), requires_grad=False)
            self.channels_last = True
