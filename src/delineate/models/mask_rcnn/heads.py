"""The networks that look at pooled features: what is in a box, and which of its pixels."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.errors import ConfigError, nearest
from delineate.models.layers import ConvNorm, MapLinear, Norm
from delineate.models.resnet import RESNETS, BasicBlock, initialise, residual_stage


class BoxHead(nn.Module):
    """Convolutions, then fully connected layers: ``(n, c, s, s)`` to ``(n, width)``.

    Args:
        channels: Of the pooled features.
        size: Their side.
        convs: Number of 3x3 convolutions (0 in the first Mask R-CNN).
        conv_channels: Of each convolution.
        norm: After each convolution.
        fcs: Number of fully connected layers, at least 1.
        width: Of each.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        *,
        convs: int,
        conv_channels: int,
        norm: Norm,
        fcs: int,
        width: int,
    ) -> None:
        super().__init__()
        self.convs = conv_stack(channels, conv_channels, convs, norm)
        first = MapLinear(conv_channels if convs else channels, size, width)
        self.fcs = nn.ModuleList([first, *(nn.Linear(width, width) for _ in range(1, fcs))])
        for layer in self.fcs:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        self.channels = width

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled features to one vector a box."""
        x = self.convs(pooled)
        for layer in self.fcs:
            x = F.relu(layer(x), inplace=True)
        return x


class StageHead(nn.Module):
    """The last stage of a ResNet as RoI head (C4): ``(n, c, s, s)`` to ``(n, channels, s/2, s/2)``.

    Args:
        backbone: ``slim`` or the name of one of our ResNets.
        norm: Of the backbone, like the others.
        eps: Of the norm.
        stride_in_1x1: See `delineate.models.resnet.Bottleneck`.
        slim_widths: See `delineate.models.backbones.build_backbone`.
        slim_depths: As well.

    Raises:
        ConfigError: The backbone is none of our own.
    """

    def __init__(
        self,
        backbone: str,
        *,
        norm: Norm,
        eps: float,
        stride_in_1x1: bool,
        slim_widths: Sequence[int],
        slim_depths: Sequence[int],
    ) -> None:
        super().__init__()
        known = {**RESNETS, "slim": (BasicBlock, slim_depths)}
        if backbone not in known:
            raise ConfigError(
                "expected `backbone` to be a ResNet where `neck` is 'none' (C4), whose last stage "
                f"is the head, got {backbone!r}: {nearest(backbone, known)}"
            )
        block, depths = known[backbone]
        before, width = slim_widths[-2:] if backbone == "slim" else (256, 512)
        self.layer4 = residual_stage(
            block,
            before * block.expansion,
            width,
            depths[3],
            2,
            norm=norm,
            eps=eps,
            stride_in_1x1=stride_in_1x1,
        )
        self.channels = width * block.expansion
        initialise(self)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled features to features that box and mask predictors share."""
        return self.layer4(pooled)


class BoxPredictor(nn.Module):
    """Class logits and box deltas from one vector a box.

    Args:
        channels: Length of the vectors.
        slots: Number of logits: the classes and the background.
        delta_slots: Number of boxes predicted: one for all classes, or one a class.
        background: Index of the background's logit.
        prior: Probability of the background before training, so that the first loss is small.
    """

    def __init__(
        self, channels: int, *, slots: int, delta_slots: int, background: int, prior: float
    ) -> None:
        super().__init__()
        self.scores = nn.Linear(channels, slots)
        self.deltas = nn.Linear(channels, 4 * delta_slots)
        nn.init.normal_(self.scores.weight, std=0.01)
        nn.init.normal_(self.deltas.weight, std=0.001)
        nn.init.zeros_(self.deltas.bias)
        with torch.no_grad():
            self.scores.bias.fill_((1 - prior) / (slots - 1)).log_()
            self.scores.bias[background] = torch.tensor(prior).log()

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``(n, channels)`` to logits ``(n, slots)`` and deltas ``(n, delta_slots, 4)``."""
        return self.scores(vectors), self.deltas(vectors).unflatten(1, (-1, 4))


class MaskHead(nn.Module):
    """Convolutions, one upsampling by two, and one mask for the class of each box.

    The transposed convolution has kernel and stride 2, so its four outputs an input pixel do not
    overlap: it is a matrix product. Only the row of the last layer that belongs to the class of a
    box is applied; the masks of all other classes are never computed.

    Args:
        channels: Of the pooled features.
        convs: Number of 3x3 convolutions.
        width: Channels of the convolutions and of the upsampled map.
        norm: After each convolution.
        slots: Number of masks the last layer can predict.
    """

    def __init__(self, channels: int, *, convs: int, width: int, norm: Norm, slots: int) -> None:
        super().__init__()
        self.convs = conv_stack(channels, width, convs, norm)
        self.deconv = nn.ConvTranspose2d(width if convs else channels, width, 2, 2)
        self.logits = nn.Conv2d(width, slots, 1)
        nn.init.kaiming_normal_(self.deconv.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.deconv.bias)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.zeros_(self.logits.bias)

    def forward(self, pooled: Tensor, slots: Tensor) -> Tensor:
        """Return mask logits.

        Args:
            pooled: ``(n, channels, s, s)``.
            slots: ``(n,)`` int64, which mask of each box.

        Returns:
            ``(n, 2 s, 2 s)``.
        """
        x = self.convs(pooled)
        count, inputs, size, _ = x.shape
        weight = self.deconv.weight.permute(2, 3, 1, 0).reshape(-1, inputs)
        pixels = x.permute(0, 2, 3, 1).reshape(-1, inputs)
        hidden = F.relu(F.linear(pixels, weight, self.deconv.bias.repeat(4)), inplace=True)
        rows = self.logits.weight.flatten(1)[slots]
        logits = torch.bmm(hidden.view(count, 4 * size * size, rows.shape[1]), rows[:, :, None])
        logits = logits.view(count, size, size, 2, 2).transpose(2, 3)
        return logits.reshape(count, 2 * size, 2 * size) + self.logits.bias[slots, None, None]


def conv_stack(inputs: int, width: int, count: int, norm: Norm) -> nn.Sequential:
    """Return ``count`` 3x3 convolutions of ``width`` channels."""
    return nn.Sequential(
        *(ConvNorm(width if number else inputs, width, 3, norm=norm) for number in range(count))
    )
