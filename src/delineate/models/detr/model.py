"""DETR (Carion et al., 2020): a set of objects, and of stuff, predicted at once by queries."""

import copy
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from delineate.core.classes import ClassMap
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.preprocess import Preprocess
from delineate.models.api import SegModel, Target
from delineate.models.backbones import build_backbone
from delineate.models.detr.config import DETRConfig
from delineate.models.detr.losses import mask_losses, set_losses
from delineate.models.detr.mask_head import AttentionMaps, MaskHead
from delineate.models.detr.matching import Match, match_boxes
from delineate.models.detr.positions import sine_positions, valid_cells
from delineate.models.detr.transformer import Transformer
from delineate.models.queries import (
    QueryMasks,
    collapse_warning,
    split_classes,
    to_instances,
    to_panoptic,
)
from delineate.ops.boxes import clip, from_centres, to_centres
from delineate.ops.masks import masks_at_stride

_MASK_PARTS = ("mask_attention", "mask_head")


class Encoded(NamedTuple):
    """What the network knows of a batch before it answers."""

    maps: list[Tensor]
    """Of the backbone, finest first; without masks the coarsest alone."""
    projected: Tensor
    """``(b, channels, h, w)``: the coarsest map, as it enters the transformer."""
    valid: Tensor
    """``(b, h, w)`` bool, False where there is padding."""
    memory: Tensor
    """``(b, channels, h, w)``, encoded."""
    hidden: Tensor
    """``(layers, b, queries, channels)``: what the queries know after each layer."""


class DETR(SegModel):
    """Set prediction, of boxes or of boxes and masks; see `SegModel` for its verbs.

    Args:
        config: All choices.
        classes: Table of the classes, without "no object".
        preprocess: How an image must come in.
    """

    family: ClassVar[str] = "detr"
    config: DETRConfig

    def __init__(self, config: DETRConfig, classes: ClassMap, preprocess: Preprocess) -> None:
        super().__init__(config, classes, preprocess)
        self.backbone = build_backbone(
            config.backbone,
            strides=(4, 8, 16, 32) if config.masks else (32,),
            norm=config.backbone_norm,
            eps=config.backbone_norm_eps,
            stride_in_1x1=False,
            slim_widths=config.slim_widths,
            slim_depths=config.slim_depths,
            dilated="rest" if config.dilated else None,
        )
        *finer, coarsest = self.backbone.features.channels
        channels = config.channels
        self.input_projection = nn.Conv2d(coarsest, channels, 1)
        self.queries = nn.Embedding(config.queries, channels)
        self.transformer = Transformer(
            channels,
            config.heads,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            feedforward=config.feedforward,
            dropout=config.dropout,
        )
        self.class_head = nn.Linear(channels, len(classes) + 1)
        self.box_head = nn.Sequential(
            *(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels), nn.ReLU()),
            nn.Linear(channels, 4),
        )
        if config.masks:
            self.mask_attention = AttentionMaps(channels, config.heads)
            self.mask_head = MaskHead(channels, config.heads, finer[::-1])
        if config.freeze_boxes:
            for part in self._box_parts():
                part.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; what is frozen stays in evaluation mode, without dropout."""
        super().train(mode)
        if self.config.freeze_boxes:
            for part in self._box_parts():
                part.eval()
        return self

    def forward(self, images: Tensor, sizes: Tensor) -> QueryMasks:
        """Detect in a batch; masks are made for those queries only that pass the threshold."""
        config = self.config
        seen = self.encode(images, sizes)
        logits, boxes = self.answer(seen.hidden[-1])
        scores, labels = logits.softmax(-1)[..., :-1].max(-1)
        picked = []
        for score in scores:
            order = score.sort(descending=True, stable=True).indices
            picked.append(order[score[order] > config.score_threshold])
        query = torch.cat(picked)
        image = torch.cat([torch.full_like(here, n) for n, here in enumerate(picked)])
        pixels = from_centres(boxes[image, query]) * _extent(sizes)[image]
        return QueryMasks(
            image=image,
            boxes=clip(pixels, sizes[image]),
            scores=scores[image, query],
            labels=labels[image, query],
            query=query,
            maps=self.masks(seen, picked) if config.masks else pixels.new_zeros((len(query), 0, 0)),
            padded=torch.tensor(images.shape[-2:], device=images.device),
        )

    def with_score_threshold(self, score: float) -> Self:
        """Return a model of the same parts that makes no masks of queries of a lower score."""
        below = float(np.nextafter(np.float32(score), np.float32(0)))  # the score itself stays
        model = copy.copy(self)
        least = max(self.config.score_threshold, below)
        model.config = self.config.replace(score_threshold=least)
        return model

    def losses(
        self,
        images: Tensor,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return class, box, giou, auxiliary and (where there are masks) mask and dice.

        ``auxiliary`` is the sum of the first three over all layers of the decoder but the last.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_boxes):
            seen = self.encode(images, sizes)
            layers, matches = self.box_losses(seen, sizes, targets, class_weights)
        weights = {name: getattr(self.config, f"{name}_weight") for name in layers[-1]}
        losses = {name: weights[name] * loss for name, loss in layers[-1].items()}
        early = [weights[name] * loss for layer in layers[:-1] for name, loss in layer.items()]
        if early:
            losses["auxiliary"] = torch.stack(early).sum()
        if self.config.masks and any(target.masks is not None for target in targets):
            masked = self.matched_mask_losses(seen, _padded(images), targets, matches)
            losses["mask"] = self.config.mask_weight * masked["mask"]
            losses["dice"] = self.config.dice_weight * masked["dice"]
        return losses

    def to_instances(self, raw: QueryMasks, where: Sequence[Geometry]) -> list[Instances]:
        """Bring things into the original images; stuff is left out, see `DETRConfig.things`."""
        return to_instances(raw, where, things=self.config.things)

    @property
    def has_masks(self) -> bool:
        """Not before the paper's second step."""
        return self.config.masks

    @property
    def panoptic_classes(self) -> PanopticClasses:
        """Its classes, of which the first are things; see `DETRConfig.things`."""
        things = self.config.things
        return split_classes(self.classes, len(self.classes) if things is None else things)

    def to_panoptic(
        self, raw: QueryMasks, where: Sequence[Geometry], *, score_threshold: float = 0.85
    ) -> list[Panoptic]:
        """Give every pixel to one query, a thing or stuff, by the published rule.

        Args:
            raw: Result of `forward`, of a model with masks.
            where: The geometries that `prepare` returned.
            score_threshold: Queries must exceed it. From one half on "no object" cannot be likelier
                than what passes, as the original demands.
        """
        return to_panoptic(
            raw, where, classes=self.panoptic_classes, score_threshold=score_threshold
        )

    def complaint(self, raw: QueryMasks) -> str | None:
        """Tell queries that all say the same; see `SegModel.complaint`."""
        return collapse_warning(raw)

    def encode(self, images: Tensor, sizes: Tensor) -> Encoded:
        """Run everything that does not depend on what is kept."""
        images = images.contiguous(memory_format=torch.channels_last)
        maps = self.backbone(images)
        projected = self.input_projection(maps[-1])
        valid = valid_cells(sizes, _padded(images), (projected.shape[-2], projected.shape[-1]))
        positions = sine_positions(valid, self.config.channels)
        hidden, memory = self.transformer(projected, valid, positions, self.queries.weight)
        return Encoded(maps, projected, valid, memory, hidden)

    def answer(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits ``(..., classes + 1)`` and boxes ``(..., 4)`` of queries, in float32.

        Boxes are centre and side, relative to the unpadded image.
        """
        return self.class_head(hidden).float(), self.box_head(hidden).float().sigmoid()

    def masks(self, seen: Encoded, picked: Sequence[Tensor]) -> Tensor:
        """Return logits at stride 4 of the picked queries, image by image: ``(k, h, w)``."""
        *finer, _ = seen.maps
        found = []
        for number, queries in enumerate(picked):
            hidden = seen.hidden[-1, number, queries]
            attention = self.mask_attention(hidden, seen.memory[number], seen.valid[number])
            levels = [level[number] for level in reversed(finer)]
            found.append(self.mask_head(seen.projected[number], attention, levels))
        return torch.cat(found)

    def box_losses(
        self,
        seen: Encoded,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> tuple[list[dict[str, Tensor]], list[Match]]:
        """Return the losses of each layer, unweighted, and the matches of the last one."""
        config, matches = self.config, []
        extent = _extent(sizes)
        truth = [
            (target.labels, to_centres(target.boxes / whole))
            for target, whole in zip(targets, extent, strict=True)
        ]
        losses = []
        with torch.autocast(sizes.device.type, enabled=False):
            for logits, boxes in zip(*self.answer(seen.hidden), strict=True):
                matches = match_boxes(
                    logits,
                    boxes,
                    truth,
                    class_cost=config.class_weight,
                    box_cost=config.box_weight,
                    giou_cost=config.giou_weight,
                )
                layer = set_losses(
                    logits,
                    boxes,
                    truth,
                    matches,
                    objects=_objects(targets),
                    no_object_weight=config.no_object_weight,
                    class_weights=class_weights,
                )
                losses.append(layer)
        return losses, matches

    def matched_mask_losses(
        self,
        seen: Encoded,
        padded: tuple[int, int],
        targets: Sequence[Target],
        matches: Sequence[Match],
    ) -> dict[str, Tensor]:
        """Return mask and dice, unweighted, for the queries that answer for an object."""
        picked, masks = [], []
        for target, match in zip(targets, matches, strict=True):
            if target.masks is None:
                picked.append(match.query[:0])
                continue
            crops, origins = target.masks
            mine = [crops[n] for n in match.target.tolist()]
            picked.append(match.query)
            masks.append(masks_at_stride(mine, origins[match.target], padded, stride=1))
        logits = self.masks(seen, picked)
        with torch.autocast(logits.device.type, enabled=False):
            return mask_losses(logits, torch.cat(masks), objects=_objects(targets))

    def _box_parts(self) -> list[nn.Module]:
        return [part for name, part in self.named_children() if name not in _MASK_PARTS]


def _objects(targets: Sequence[Target]) -> float:
    """Return by how many objects sums are divided."""
    return float(max(sum(len(target.labels) for target in targets), 1))


def _extent(sizes: Tensor) -> Tensor:
    """Return ``(b, 4)`` (width, height, width, height) of images of ``(b, 2)`` height and width."""
    return sizes.flip(1).repeat(1, 2).float()


def _padded(images: Tensor) -> tuple[int, int]:
    """Return the (height, width) of a batch."""
    return images.shape[-2], images.shape[-1]
