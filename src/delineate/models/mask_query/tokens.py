"""Dense tokens: every cell of the pyramid says what it sees, and the best become queries.

Each token is trained as in a dense detector, by several tokens an object (`matching.aligned`), so
that learning does not wait for the matching of the decoder to settle (Hybrid matching, Jia et al.,
2023; Co-DETR, Zong et al., 2023). Selection drops near copies first (Dense distinct queries, Zhang
et al., 2023), which leaves little for the decoder to sort out.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from delineate.models.layers import ConvNorm
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.ops.boxes import clip
from delineate.ops.nms import nms

PRIOR = 0.01
"""Score of a token before it has learned anything (Lin et al., Focal loss, 2017)."""
_LONGEST = 6.0  # natural logarithm of the longest reach of a token, in its strides


class Tokens(NamedTuple):
    """What ``n`` tokens of each of ``b`` images say."""

    content: Tensor
    """``(b, n, channels)``."""
    logits: Tensor
    """``(b, n, classes)``."""
    boxes: Tensor
    """``(b, n, 4)`` float32 xyxy in pixels of the network's input."""
    centres: Tensor
    """``(n, 2)`` float32 (x, y) in pixels."""
    strides: Tensor
    """``(n,)`` float32."""


class Queries(NamedTuple):
    """Chosen tokens of each image, best first, filled up to an equal number."""

    content: Tensor
    """``(b, k, channels)``."""
    logits: Tensor
    """``(b, k, classes)``."""
    boxes: Tensor
    """``(b, k, 4)``."""
    there: Tensor
    """``(b, k)`` bool: false for what only fills up."""
    token: Tensor
    """``(b, k)`` int64, which token each was."""


class TokenHead(nn.Module):
    """A small convolutional head, shared by all levels.

    Args:
        config: Uses ``channels`` and ``token_*``.
        classes: How many.
    """

    def __init__(self, config: MaskQueryConfig, classes: int) -> None:
        super().__init__()
        self.strides = config.token_strides
        channels = config.channels
        self.tower = nn.Sequential(
            *(ConvNorm(channels, channels, 3) for _ in range(config.token_convs))
        )
        self.scores = nn.Conv2d(channels, classes, 1)
        self.reach = nn.Conv2d(channels, 4, 1)
        for layer in (self.scores, self.reach):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.scores.bias, -math.log(1 / PRIOR - 1))

    def forward(self, levels: Sequence[Tensor]) -> Tokens:
        """Read one ``(b, channels, h, w)`` map a level of ``token_strides``."""
        parts = []
        for stride, level in zip(self.strides, levels, strict=True):
            hidden = self.tower(level)
            reach = _rows(self.reach(hidden)).float().clamp(max=_LONGEST).exp() * stride
            centres = _centres(level, stride)
            corners = torch.cat([centres - reach[..., :2], centres + reach[..., 2:]], dim=-1)
            strides = torch.full_like(centres[:, 0], stride)
            parts.append((_rows(hidden), _rows(self.scores(hidden)), corners, centres, strides))
        content, logits, boxes, centres, strides = zip(*parts, strict=True)
        return Tokens(
            torch.cat(content, dim=1),
            torch.cat(logits, dim=1).float(),
            torch.cat(boxes, dim=1),
            torch.cat(centres),
            torch.cat(strides),
        )


def select(
    tokens: Tokens, sizes: Tensor, *, candidates: int, limit: int, distinct_iou: float
) -> Queries:
    """Choose the best tokens of each image whose boxes are distinct.

    Args:
        tokens: Of a batch.
        sizes: ``(b, 2)`` valid height and width; tokens in the padding are not chosen.
        candidates: So many of the best are looked at.
        limit: At most so many are chosen.
        distinct_iou: Of two boxes that overlap more, the one of the lower score is left out; 1
            keeps everything.
    """
    scores = tokens.logits.detach().amax(dim=2)
    inside = (tokens.centres < sizes.flip(1)[:, None]).all(dim=2)
    scores = scores.masked_fill(~inside, -torch.inf)
    best, index = scores.topk(min(candidates, scores.shape[1]), dim=1)
    boxes = tokens.boxes.detach().gather(1, index[..., None].expand(-1, -1, 4))
    boxes = clip(boxes, sizes[:, None])
    chosen = []
    for number in range(len(sizes)):
        real = torch.where(best[number] > -torch.inf)[0]
        one_group = torch.zeros_like(real)
        keep = nms(
            boxes[number, real], best[number, real], one_group, iou=distinct_iou, limit=limit
        )
        chosen.append(index[number, real[keep]])
    most = max(map(len, chosen))
    token = torch.stack([torch.cat([c, c.new_zeros(most - len(c))]) for c in chosen])
    counts = torch.tensor([len(c) for c in chosen], device=token.device)
    there = torch.arange(most, device=token.device) < counts[:, None]

    def of(values: Tensor) -> Tensor:
        return values.gather(1, token[..., None].expand(-1, -1, values.shape[2]))

    return Queries(
        of(tokens.content),
        of(tokens.logits.detach()),
        clip(of(tokens.boxes.detach()), sizes[:, None]),
        there,
        token,
    )


def _rows(maps: Tensor) -> Tensor:
    """Turn ``(b, c, h, w)`` into ``(b, h * w, c)``."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)


def _centres(level: Tensor, stride: int) -> Tensor:
    """Return the ``(h * w, 2)`` centres of the cells of a map, row by row."""
    y = (torch.arange(level.shape[2], device=level.device) + 0.5) * stride
    x = (torch.arange(level.shape[3], device=level.device) + 0.5) * stride
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)
