"""The second stage: classify proposals, move their boxes, and draw the masks of what is kept."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from delineate.models.api import BoxMasks, FeatureSpec, Target
from delineate.models.mask_rcnn.config import MaskRCNNConfig
from delineate.models.mask_rcnn.heads import BoxHead, BoxPredictor, MaskHead, StageHead
from delineate.ops.boxes import at_least, clip, decode, encode, iou
from delineate.ops.losses import binary, classes, slot_weights, smooth_l1
from delineate.ops.matching import match, sample
from delineate.ops.nms import nms
from delineate.ops.roi import crop_masks, pool_pyramid

DELTA_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


class Examples(NamedTuple):
    """Proposals sampled for training, of all images together."""

    boxes: Tensor
    """``(n, 4)``."""
    image: Tensor
    """``(n,)`` int64."""
    labels: Tensor
    """``(n,)`` int64; -1 is background."""
    owner: Tensor
    """``(n,)`` int64: the object within its image; 0 for background."""
    deltas: Tensor
    """``(n, 4)`` from the proposal to its object; 0 for background."""


class RoIHeads(nn.Module):
    """Box and mask heads over pooled features.

    Inside, classes have slots: the background takes the first or the last (`config.background`).
    With the background first, boxes and masks have a slot for it too, as in torchvision.

    Args:
        config: Uses ``background``, ``roi_*``, ``box_*``, ``mask_*`` and what selects detections.
        features: The levels to pool from.
        classes: Number of classes, without the background.
    """

    def __init__(self, config: MaskRCNNConfig, features: FeatureSpec, classes: int) -> None:
        super().__init__()
        self.config = config
        self.strides = features.strides
        self.first_slot = 1 if config.background == "first" else 0
        self.background = 0 if config.background == "first" else classes
        self.shared = config.neck == "none"
        channels = features.channels[0]
        self.box_head: nn.Module
        if self.shared:
            self.box_head = StageHead(
                config.backbone,
                norm=config.backbone_norm,
                eps=config.backbone_norm_eps,
                stride_in_1x1=config.stride_in_1x1,
                slim_widths=config.slim_widths,
                slim_depths=config.slim_depths,
            )
            channels = self.box_head.channels
        else:
            self.box_head = BoxHead(
                channels,
                config.box_pool_size,
                convs=config.box_convs,
                conv_channels=config.box_conv_channels,
                norm=config.box_norm,
                fcs=config.box_fcs,
                width=config.box_fc_width,
            )
        own_slots = classes + self.first_slot
        self.box_predictor = BoxPredictor(
            self.box_head.channels,
            slots=classes + 1,
            delta_slots=1 if config.box_class_agnostic else own_slots,
            background=self.background,
            prior=1 - config.roi_positive_fraction,
        )
        self.mask_head = MaskHead(
            channels,
            convs=config.mask_convs,
            width=config.mask_channels,
            norm=config.mask_norm,
            slots=own_slots,
        )

    def forward(
        self, features: Sequence[Tensor], proposals: Sequence[Tensor], sizes: Tensor
    ) -> BoxMasks:
        """Detect.

        Args:
            features: One ``(b, channels, h, w)`` a level.
            proposals: ``(n_i, 4)`` for each image.
            sizes: ``(b, 2)`` valid height and width of each image.
        """
        boxes = torch.cat(list(proposals))
        image = _image_of(proposals)
        vectors = self._vectors(self._box_features(features, boxes, image))
        logits, deltas = self.box_predictor(vectors)
        found = self._select(logits, deltas, boxes, image, sizes)
        pooled = self._mask_features(features, found.boxes, found.image)
        masks = self.mask_head(pooled, found.labels + self.first_slot)
        return found._replace(masks=masks.float().sigmoid())

    def losses(
        self,
        features: Sequence[Tensor],
        proposals: Sequence[Tensor],
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return ``class``, ``box`` and ``mask`` over proposals sampled in every image."""
        config = self.config
        examples = self.sample(proposals, targets)
        shared = self._box_features(features, examples.boxes, examples.image)
        logits, deltas = self.box_predictor(self._vectors(shared))
        positive = torch.where(examples.labels >= 0)[0]
        slots = examples.labels[positive] + self.first_slot
        truth = torch.full_like(examples.labels, self.background)
        truth[positive] = slots
        moved = deltas[positive, torch.zeros_like(slots) if deltas.shape[1] == 1 else slots]
        losses = {
            "class": classes(
                logits, truth, slot_weights(class_weights, background=self.background)
            ),
            "box": smooth_l1(
                moved, examples.deltas[positive], beta=config.smooth_l1_beta, examples=len(truth)
            ),
        }
        has_masks = [target.masks is not None for target in targets]
        if any(has_masks):
            usable = torch.tensor(has_masks, device=positive.device)
            drawn = positive[usable[examples.image[positive]]]
            losses["mask"] = self._mask_loss(features, shared, examples, drawn, targets)
        return losses

    @torch.no_grad()
    def sample(self, proposals: Sequence[Tensor], targets: Sequence[Target]) -> Examples:
        """Choose the proposals to train on, in every image; the true boxes are proposals too."""
        config = self.config
        chosen = []
        for number, (found, target) in enumerate(zip(proposals, targets, strict=True)):
            boxes = torch.cat([found, target.boxes])
            threshold = config.roi_match_iou
            matched = match(
                iou(target.boxes, boxes), high=threshold, low=threshold, keep_best=False
            )
            positive, negative = sample(
                matched, count=config.roi_samples, positive_fraction=config.roi_positive_fraction
            )
            here = torch.cat([positive, negative])
            owner = matched[here].clamp(min=0)
            labels = torch.full_like(owner, -1)
            labels[: len(positive)] = target.labels[matched[positive]]
            deltas = boxes.new_zeros((len(here), 4))
            deltas[: len(positive)] = encode(
                target.boxes[matched[positive]], boxes[positive], DELTA_WEIGHTS
            )
            image = torch.full_like(owner, number)
            chosen.append(Examples(boxes[here], image, labels, owner, deltas))
        return Examples(*(torch.cat(parts) for parts in zip(*chosen, strict=True)))

    def _mask_loss(
        self,
        features: Sequence[Tensor],
        shared: Tensor,
        examples: Examples,
        drawn: Tensor,
        targets: Sequence[Target],
    ) -> Tensor:
        """Return the mask loss over the examples ``drawn``, in the mask of their own class only."""
        boxes, image, owner = examples.boxes[drawn], examples.image[drawn], examples.owner[drawn]
        pooled = shared[drawn] if self.shared else self._mask_features(features, boxes, image)
        logits = self.mask_head(pooled, examples.labels[drawn] + self.first_slot)
        wanted = torch.empty_like(logits, dtype=torch.float32)
        binary_targets = self.config.mask_targets == "binary"
        for number, target in enumerate(targets):
            if target.masks is not None:
                here = torch.where(image == number)[0]
                crops, origins = target.masks
                wanted[here] = crop_masks(
                    crops,
                    origins,
                    owner[here],
                    boxes[here],
                    logits.shape[-1],
                    aligned=self.config.roi_aligned and binary_targets,
                )
        if binary_targets:
            wanted = (wanted >= 0.5).float()
        return binary(logits, wanted)

    def _select(
        self, logits: Tensor, deltas: Tensor, proposals: Tensor, image: Tensor, sizes: Tensor
    ) -> BoxMasks:
        """Turn predictions for proposals into detections, without masks yet.

        Every class of every proposal whose score passes the threshold is a candidate; only these
        are decoded.
        """
        config = self.config
        scores = logits.float().softmax(dim=1)
        scores = scores[:, 1:] if self.first_slot else scores[:, :-1]
        row, label = torch.where(scores > config.score_threshold)
        score = scores[row, label]
        slot = torch.zeros_like(label) if deltas.shape[1] == 1 else label + self.first_slot
        image = image[row]
        boxes = clip(decode(deltas[row, slot], proposals[row], DELTA_WEIGHTS), sizes[image])
        large = at_least(boxes, config.smallest_side)
        kept = []
        for number in range(len(sizes)):
            here = torch.where((image == number) & large)[0]
            groups = label[here] + self.first_slot
            best = nms(
                boxes[here],
                score[here],
                groups,
                iou=config.nms_iou,
                limit=config.detections_per_image,
            )
            kept.append(here[best])
        keep = torch.cat(kept)
        return BoxMasks(
            image[keep], boxes[keep], score[keep], label[keep], boxes.new_zeros((len(keep), 0, 0))
        )

    def _box_features(self, features: Sequence[Tensor], boxes: Tensor, image: Tensor) -> Tensor:
        """Return what the box head makes of each box, and in C4 the mask head shares."""
        config = self.config
        size = config.mask_pool_size if self.shared else config.box_pool_size
        return self.box_head(self._pool(features, boxes, image, size))

    def _mask_features(self, features: Sequence[Tensor], boxes: Tensor, image: Tensor) -> Tensor:
        """Return what the mask head looks at."""
        if self.shared:
            return self._box_features(features, boxes, image)
        return self._pool(features, boxes, image, self.config.mask_pool_size)

    def _pool(self, features: Sequence[Tensor], boxes: Tensor, image: Tensor, size: int) -> Tensor:
        """RoIAlign with the options of the configuration."""
        config = self.config
        return pool_pyramid(
            features,
            boxes,
            image,
            strides=self.strides,
            size=size,
            sampling_ratio=config.roi_sampling_ratio,
            aligned=config.roi_aligned,
            canonical_size=config.roi_canonical_size,
            level_margin=config.roi_level_margin,
        )

    def _vectors(self, features: Tensor) -> Tensor:
        """Return one vector a box: C4 averages its map."""
        return features.mean(dim=(2, 3)) if self.shared else features


def _image_of(proposals: Sequence[Tensor]) -> Tensor:
    """Return which image each of the concatenated boxes belongs to: ``(n,)`` int64."""
    return torch.cat(
        [
            torch.full((len(boxes),), number, dtype=torch.int64, device=boxes.device)
            for number, boxes in enumerate(proposals)
        ]
    )
