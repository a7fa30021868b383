"""Any timm model as a backbone."""

from collections.abc import Sequence

import timm
import torch
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn

from delineate.errors import ModelError, nearest
from delineate.models.api import FeatureSpec


class TimmBackbone(nn.Module):
    """The feature maps of a timm model at the wanted strides, finest first.

    Args:
        name: A name that `timm.create_model` knows, for example ``vgg16`` or ``convnext_tiny``.
        strides: Which maps to return. Where a model has several of one stride, the last is taken.
        frozen_norm: Turn batch norms into constants, as detectors do that start from pretrained
            weights.

    Raises:
        ModelError: timm has no model of that name, or it has no map of one of the strides.
    """

    def __init__(self, name: str, *, strides: Sequence[int], frozen_norm: bool) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise ModelError(
                f"expected a timm model as backbone, got {name!r}: "
                f"{nearest(name, timm.list_models())}"
            )
        with torch.device("meta"):
            info = timm.create_model(name, features_only=True, pretrained=False).feature_info
        last = {stride: index for index, stride in enumerate(info.reduction())}
        missing = [stride for stride in strides if stride not in last]
        if missing:
            raise ModelError(
                f"expected backbone {name!r} to have feature maps of strides {tuple(strides)}, "
                f"got {tuple(last)}: choose `backbone_strides` among them."
            )
        indices = tuple(last[stride] for stride in strides)
        net = timm.create_model(name, features_only=True, pretrained=False, out_indices=indices)
        self.net = freeze_batch_norm_2d(net) if frozen_norm else net
        self.features = FeatureSpec(
            channels=tuple(info.channels()[index] for index in indices), strides=tuple(strides)
        )
        self._channels_last = str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map images ``(b, 3, h, w)`` to one ``(b, channels, h / stride, w / stride)`` a stride."""
        maps = self.net(images)
        if self._channels_last:
            maps = [features.permute(0, 3, 1, 2) for features in maps]
        return list(maps)
