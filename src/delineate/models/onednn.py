"""Convolutions that add and activate in the same pass, for inference in float32 on a CPU.

A convolution writes its map, and a ReLU or the sum of a residual block reads and writes it again:
on a CPU that costs a good part of the time of a ResNet. oneDNN does it while the result is still in
the cache. The operators are those that torch's own compiler emits; on another device, in another
precision, or where torch was built without them, the same is computed in single steps.
"""

from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvReLU(nn.Module):
    """A convolution and the ReLU after it, as one.

    Args:
        conv: With zero padding; its parameters are shared, not copied.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        """Map as the convolution does; the result has no negative number."""
        conv = self.conv
        if _is_fusible(x):
            return torch.ops.mkldnn._convolution_pointwise(
                x, conv.weight, conv.bias, *_shape(conv), "relu", [], ""
            )
        return F.relu(conv(x), inplace=True)


class FusedResidual(nn.Module):
    """A residual block without norms: convolutions with ReLU, the last of which adds the shortcut.

    Args:
        convs: In order.
        shortcut: Projection of the input, or None where it is added as it is.
        overwrites: Nobody else reads the input, so that without a projection the result may be
            written over it.
    """

    def __init__(
        self, convs: Sequence[nn.Conv2d], shortcut: nn.Module | None, *, overwrites: bool = False
    ) -> None:
        super().__init__()
        self.overwrites = overwrites
        self.first = nn.Sequential(*map(ConvReLU, convs[:-1]))
        self.last = convs[-1]
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """See the block that it replaces."""
        hidden = self.first(x)
        if not _is_fusible(x):
            total = self.last(hidden)
            total += x if self.shortcut is None else self.shortcut(x)
            return F.relu(total, inplace=True)
        if self.shortcut is not None:
            total = self.shortcut(x)
        else:
            total = x if self.overwrites else x.clone()
        conv = self.last
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            total, hidden, conv.weight, conv.bias, *_shape(conv), "add", 1.0, "relu", [], ""
        )


def can_fuse(conv: nn.Module) -> bool:
    """Return whether a layer is a plain convolution with zero padding."""
    return (
        type(conv) is nn.Conv2d
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
    )


def _is_fusible(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype is torch.float32
        and x.numel() > 0
        and not torch.is_grad_enabled()
        and torch.backends.mkldnn.is_available()
        and _operators_work()
    )


@cache
def _operators_work() -> bool:
    """Try both operators once: they are torch's own, and may change with its version."""
    x, weight = torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    shape = [0, 0], [1, 1], [1, 1], 1  # no nn.Conv2d: its weights would be drawn at random
    single, double = "_convolution_pointwise", "_convolution_pointwise_"
    try:
        with torch.no_grad():
            one = getattr(torch.ops.mkldnn, single)(x, weight, None, *shape, "relu", [], "")
            two = getattr(torch.ops.mkldnn, double).binary(
                x.clone(), x, weight, None, *shape, "add", 1.0, "relu", [], ""
            )
    except (AttributeError, RuntimeError, TypeError):
        return False
    return one.item() == 1 and two.item() == 2


def _shape(conv: nn.Conv2d) -> tuple[object, ...]:
    return list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups
