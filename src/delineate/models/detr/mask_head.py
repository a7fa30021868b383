"""The mask head of DETR: where each query looks, refined to stride 4 like a pyramid.

Everything that is the same for all queries of an image (the first convolution's share of the image
features, the projections of the finer maps) is computed once an image, not once a query.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.models.detr.config import GROUPS

CHUNK = 16
"""Queries whose maps are refined at a time: bounds the memory."""


class AttentionMaps(nn.Module):
    """Where in the image each query looks, one map a head.

    One softmax runs over all heads and cells of a query together: published weights need it so.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(channels, channels), nn.Linear(channels, channels)
        for layer in (self.query, self.key):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, queries: Tensor, memory: Tensor, valid: Tensor) -> Tensor:
        """Return ``(n, heads, h, w)``, summing to 1 for each query.

        Args:
            queries: ``(n, channels)`` of one image.
            memory: ``(channels, h, w)``, encoded.
            valid: ``(h, w)`` bool, False where there is padding.
        """
        q = self.query(queries).unflatten(-1, (self.heads, -1))
        k = self.key(memory.flatten(1).T).unflatten(-1, (self.heads, -1))
        scores = torch.einsum("nhc,mhc->nhm", q * q.shape[-1] ** -0.5, k)
        scores = scores.float().masked_fill(~valid.flatten(), -torch.inf)
        weights = scores.flatten(1).softmax(dim=1)
        return weights.view(len(queries), self.heads, *valid.shape)


class MaskHead(nn.Module):
    """Five convolutions, the last three of which meet the finer maps of the backbone.

    Args:
        channels: Of the image features.
        heads: Attention maps a query.
        finer: Channels of the backbone's maps that join in, coarsest first; three.
    """

    def __init__(self, channels: int, heads: int, finer: Sequence[int]) -> None:
        super().__init__()
        first = channels + heads
        widths = (first, channels // 2, channels // 4, channels // 8, channels // 16)
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, padding=1)
            for inputs, outputs in zip((first, *widths[:-1]), widths, strict=True)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, width) for width in widths)
        self.adapters = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 1)
            for inputs, outputs in zip(finer, widths[1:4], strict=True)
        )
        self.logits = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                nn.init.zeros_(layer.bias)

    def forward(
        self, features: Tensor, attention: Tensor, finer: Sequence[Tensor], chunk: int = CHUNK
    ) -> Tensor:
        """Return logits ``(n, h, w)`` at the size of the finest map.

        Args:
            features: ``(channels, h, w)`` of one image.
            attention: ``(n, heads, h, w)`` of its queries.
            finer: Its maps of the backbone, ``(c, h, w)`` each, coarsest first.
            chunk: Queries at a time.
        """
        first, channels = self.convs[0], len(features)
        shared = F.conv2d(features[None], first.weight[:, :channels], first.bias, padding=1)
        joined = [layer(level[None]) for layer, level in zip(self.adapters, finer, strict=True)]
        parts = [self._refine(shared, part, joined) for part in attention.split(chunk)]
        if not parts:
            return attention.new_zeros((0, *finer[-1].shape[-2:]), dtype=torch.float32)
        return torch.cat(parts).float()

    def _refine(self, shared: Tensor, attention: Tensor, joined: Sequence[Tensor]) -> Tensor:
        own = self.convs[0].weight[:, -attention.shape[1] :]
        x = F.relu(self.norms[0](shared + F.conv2d(attention, own, padding=1)), inplace=True)
        x = F.relu(self.norms[1](self.convs[1](x)), inplace=True)
        for level, conv, norm in zip(joined, self.convs[2:], self.norms[2:], strict=True):
            x = level + F.interpolate(x, size=level.shape[-2:], mode="nearest")
            x = F.relu(norm(conv(x)), inplace=True)
        return self.logits(x)[:, 0]
