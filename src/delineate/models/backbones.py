"""Which backbone a name means: our own ResNets and DarkNet-53, or any model of timm."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from delineate.errors import ModelError, nearest
from delineate.models.darknet import DarkNet53
from delineate.models.resnet import RESNETS, BasicBlock, Dilated, ResNet
from delineate.models.timm_backbone import TimmBackbone


def build_backbone(
    name: str,
    *,
    strides: Sequence[int],
    norm: Literal["batch", "frozen"],
    eps: float,
    stride_in_1x1: bool,
    slim_widths: Sequence[int],
    slim_depths: Sequence[int],
    deformable_every: int = 0,
    dilated: Dilated | None = None,
) -> nn.Module:
    """Return a backbone with random weights; it has `features`, a `FeatureSpec`.

    Args:
        name: ``resnet18`` to ``resnet152``; ``slim``, a small ResNet of basic blocks;
            ``darknet53``; or ``timm/NAME`` for any model of timm.
        strides: Which feature maps to return.
        norm: Trained batch norm, or one whose statistics are constants.
        eps: Of the norm; of our own backbones only.
        stride_in_1x1: See `delineate.models.resnet.Bottleneck`.
        slim_widths: For ``slim``: channels of the stem and of each stage.
        slim_depths: For ``slim``: blocks of each stage.
        deformable_every: See `delineate.models.resnet.ResNet`; for ResNets of bottlenecks.
        dilated: Keep stride 16 to the end (DC5), see `ResNet`; of our own ResNets only.

    Raises:
        ModelError: The name is unknown, or its stages cannot be dilated or deformed.
    """
    if dilated and name not in RESNETS:
        raise ModelError(
            f"expected a ResNet to dilate (DC5), got {name!r}: choose one of {', '.join(RESNETS)}."
        )
    if name.startswith("timm/"):
        return TimmBackbone(
            name.removeprefix("timm/"), strides=strides, frozen_norm=norm == "frozen"
        )
    if name == "slim":
        return ResNet(
            BasicBlock,
            slim_depths,
            widths=slim_widths,
            small_stem=True,
            strides=strides,
            norm=norm,
            eps=eps,
        )
    if name == "darknet53":
        return DarkNet53(strides=strides, norm=norm, eps=eps)
    if name not in RESNETS:
        choices = [*RESNETS, "slim", "darknet53", "timm/vgg16"]
        raise ModelError(f"expected a backbone, got {name!r}: {nearest(name, choices)}")
    block, depths = RESNETS[name]
    if deformable_every and block is BasicBlock:
        raise ModelError(
            f"expected a ResNet of bottlenecks to deform, got {name!r}: choose resnet50 or deeper."
        )
    return ResNet(
        block,
        depths,
        strides=strides,
        norm=norm,
        eps=eps,
        stride_in_1x1=stride_in_1x1,
        deformable_every=deformable_every,
        dilated=dilated,
    )
