"""Decoder: queries look at one another, then each at its own window, and answer again."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from delineate.models.layers import MapLinear
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.mask_query.masks import KernelHead, enlarge, mask_logits, sample_windows
from delineate.models.mask_query.tokens import Queries
from delineate.ops.boxes import clip, decode
from delineate.ops.boxes import iou as box_iou
from delineate.ops.roi import pool_pyramid

BOX_WEIGHTS = (4.0, 4.0, 4.0, 4.0)
_RELATIONS, _RIVALRIES = 6, 32


class Answer(NamedTuple):
    """What the queries say after a stage."""

    logits: Tensor
    """``(b, k, classes)``."""
    boxes: Tensor
    """``(b, k, 4)`` float32 xyxy in pixels of the network's input."""
    kernels: Tensor
    """``(b, k, mask channels + 6)``."""


class Relations(nn.Module):
    """Attention between queries that knows how their boxes lie, and which one is the better.

    What copies there are among the queries shows in these numbers at once (Hu et al., Relation
    networks, 2018; Hou et al., Relation DETR, 2024). Copies have equal content, which attention
    cannot tell from itself: that a better one exists is read from the pairs directly, as the
    largest answer of any other query (Hosang et al., Learning non-maximum suppression, 2017).
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.read = nn.Linear(channels, 3 * channels)
        self.write = nn.Linear(channels, channels)
        self.bias = nn.Sequential(
            nn.Linear(_RELATIONS, 16), nn.ReLU(inplace=True), nn.Linear(16, heads)
        )
        self.rivalry = nn.Sequential(nn.Linear(_RELATIONS, _RIVALRIES), nn.ReLU(inplace=True))
        self.rivals = nn.Linear(_RIVALRIES, channels)

    def forward(self, content: Tensor, pairs: Tensor, there: Tensor) -> Tensor:
        """Return what is added to ``content (b, k, channels)``.

        Args:
            content: The queries.
            pairs: ``(b, k, k, 6)`` result of `relate`.
            there: ``(b, k)`` bool.
        """
        b, k, channels = content.shape
        q, key, value = (
            part.view(b, k, self.heads, -1).transpose(1, 2)
            for part in self.read(self.norm(content)).chunk(3, dim=-1)
        )
        bias = self.bias(pairs).permute(0, 3, 1, 2).to(q.dtype)
        bias = bias.masked_fill(~there[:, None, None], -1e4)
        mixed = F.scaled_dot_product_attention(q, key, value, attn_mask=bias)
        rivalry = self.rivalry(pairs) * there[:, None, :, None]
        mixed = self.write(mixed.transpose(1, 2).reshape(b, k, channels))
        return mixed + self.rivals(rivalry.amax(dim=2))


class Stage(nn.Module):
    """One round: relations, the own window, a feed-forward step, new answers.

    The window is read as a map, with the mask so far as one channel more: attention confined to the
    mask (Cheng et al., Mask2Former, 2022), at a fixed number of points whatever the image's size.
    """

    def __init__(self, config: MaskQueryConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.relations = Relations(channels, config.heads)
        self.window = MapLinear(channels + 1, config.window_points, channels)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, config.feedforward),
            nn.ReLU(inplace=True),
            nn.Linear(config.feedforward, channels),
        )
        self.norm = nn.LayerNorm(channels)
        self.scores = nn.Linear(channels, classes)
        self.moves = nn.Linear(channels, 4)
        for layer in (self.scores, self.moves):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        self.kernels = KernelHead(channels, config.mask_channels)

    def forward(
        self,
        content: Tensor,
        answer: Answer,
        there: Tensor,
        levels: Sequence[Tensor],
        features: Tensor,
        sizes: Tensor,
    ) -> tuple[Tensor, Answer]:
        """Return the queries' new content and answers.

        Args:
            content: ``(b, k, channels)``.
            answer: Of the stage before; it gets no gradient.
            there: ``(b, k)`` bool.
            levels: Maps of the pyramid, finest first.
            features: Mask features.
            sizes: ``(b, 2)``.
        """
        logits, boxes, kernels = (part.detach() for part in answer)
        content = content + self.relations(content, relate(boxes, logits), there)
        content = content + self._look(boxes, kernels, levels, features)
        content = content + self.feedforward(content)
        out = self.norm(content)
        moved = clip(decode(self.moves(out), boxes, BOX_WEIGHTS), sizes[:, None])
        return content, Answer(logits + self.scores(out).float(), moved, self.kernels(out).float())

    def _look(
        self, boxes: Tensor, kernels: Tensor, levels: Sequence[Tensor], features: Tensor
    ) -> Tensor:
        b, k = boxes.shape[:2]
        image = torch.arange(b, device=boxes.device).repeat_interleave(k)
        windows = enlarge(boxes.flatten(0, 1))
        points = self.config.window_points
        seen = pool_pyramid(
            levels,
            windows,
            image,
            strides=(4, 8, 16, 32),
            size=points,
            sampling_ratio=1,
            aligned=True,
            canonical_size=self.config.canonical_size,
        )
        read, where = sample_windows(features.detach(), windows, image, points)
        mask = mask_logits(kernels.flatten(0, 1), boxes.flatten(0, 1), read, where)
        mask = mask.sigmoid().view(-1, 1, points, points).to(seen.dtype)
        return self.window(torch.cat([seen, mask], dim=1)).view(b, k, -1)


class Decoder(nn.Module):
    """All stages; the first answer is that of the tokens, with a mask of its own."""

    def __init__(self, config: MaskQueryConfig, classes: int) -> None:
        super().__init__()
        self.first = KernelHead(config.channels, config.mask_channels)
        self.stages = nn.ModuleList(Stage(config, classes) for _ in range(config.decoder_layers))

    def forward(
        self, queries: Queries, levels: Sequence[Tensor], features: Tensor, sizes: Tensor
    ) -> list[Answer]:
        """Return one answer a stage, that of the tokens first."""
        kernels = self.first(queries.content).float()
        answers = [Answer(queries.logits, queries.boxes, kernels)]
        content = queries.content
        for stage in self.stages:
            content, answer = stage(content, answers[-1], queries.there, levels, features, sizes)
            answers.append(answer)
        return answers


def relate(boxes: Tensor, logits: Tensor) -> Tensor:
    """Say for each pair of queries how their boxes lie and which scores higher.

    Args:
        boxes: ``(b, k, 4)``.
        logits: ``(b, k, classes)``.

    Returns:
        ``(b, k, k, 6)`` float32: distance of the centres, ratio of the sides (each x, y,
        logarithmic), overlap, and difference of the scores, all between about -3 and 3.
    """
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    side = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1)
    apart = (centre[:, :, None] - centre[:, None]).abs() / side[:, :, None]
    ratio = (side[:, None] / side[:, :, None]).log().clamp(-3, 3)
    overlap = torch.stack([box_iou(here, here) for here in boxes])
    score = logits.amax(dim=2)
    better = ((score[:, None] - score[:, :, None]) * 2).tanh()
    return torch.cat(
        [(apart + 1).log().clamp(max=3), ratio, 3 * overlap[..., None], better[..., None]], dim=3
    )
