"""The contract of every model: the same verbs for every family, and no mode switch.

    images, sizes, where = model.prepare(pictures)      # numpy uint8 -> one padded batch
    raw = model(images, sizes)                          # tensors on the device, small: see BoxMasks
    instances = model.to_instances(raw, where)          # numpy, pixels of the original pictures
    losses = model.losses(images, sizes, targets)       # names -> scalars; their sum is minimised

Tensors of boxes are float32 xyxy in pixels of the network's input; sizes are (height, width).
Labels are 0..C-1: a background class, where a family has one, exists inside its head only.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from delineate.core.boxes import area
from delineate.core.classes import ClassMap
from delineate.core.decode import PasteRule, paste
from delineate.core.geometry import Geometry
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.panoptic import Panoptic, to_semantic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.core.panoptic_fusion import things_only
from delineate.core.preprocess import Preprocess
from delineate.models.options import Options


class FeatureSpec(NamedTuple):
    """What a backbone or neck returns: one feature map a stride, finest first."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]


class BoxMasks(NamedTuple):
    """Detections of a batch whose masks live in their boxes, ordered by image, best first."""

    image: Tensor
    """``(k,)`` int64, which image of the batch."""
    boxes: Tensor
    """``(k, 4)`` float32 xyxy in pixels of the network's input, inside the unpadded image."""
    scores: Tensor
    """``(k,)`` float32 in 0..1."""
    labels: Tensor
    """``(k,)`` int64, 0..C-1."""
    masks: Tensor
    """``(k, m, m)`` float32 probabilities of the predicted class, spread over the box."""


class MaskCrops(NamedTuple):
    """True masks of one image, each only around its object."""

    crops: tuple[Tensor, ...]
    """uint8 0/1 ``(h_i, w_i)``, with at least one pixel of zeros around the object except where it
    touches the border of the image: outside its crop a mask continues as the crop's border does."""
    origins: Tensor
    """``(n, 2)`` int64, (x0, y0) of each crop in the image."""


class Target(NamedTuple):
    """Truth of one image, for `SegModel.losses`."""

    boxes: Tensor
    """``(n, 4)`` float32 xyxy in pixels of the network's input."""
    labels: Tensor
    """``(n,)`` int64, 0..C-1."""
    masks: MaskCrops | None
    """None trains the boxes only."""
    crowds: Tensor | None = None
    """``(m, 4)`` boxes of crowd regions: what lies in them is neither object nor background."""
    stuff: Tensor | None = None
    """``(h, w)`` uint8 of the whole image: 0 for things, 1 + k for stuff k, 255 for what does not
    count; None trains no stuff."""

    @classmethod
    def from_instances(
        cls, instances: Instances, stuff: npt.NDArray[np.uint8] | None = None
    ) -> Self:
        """Turn the truth of an image, at the size the network sees, into tensors.

        Of crowd regions only the boxes are kept, apart, because they are no examples of an object.
        Boxes without area are left out, because nothing can be predicted for them.
        """
        instances = instances[area(instances.boxes) > 0]
        crowds = None
        if instances.crowd is not None:
            crowds = torch.from_numpy(np.array(instances.boxes[instances.crowd], np.float32))
            instances = instances[~instances.crowd]
        return cls(
            boxes=torch.from_numpy(np.array(instances.boxes, dtype=np.float32)),
            labels=torch.from_numpy(np.array(instances.labels, dtype=np.int64)),
            masks=None if instances.masks is None else _mask_crops(instances.masks),
            crowds=crowds,
            stuff=None if stuff is None else torch.from_numpy(stuff),
        )

    def to(self, device: torch.device | str) -> Self:
        """Return a copy whose tensors are on ``device``."""
        masks = self.masks
        if masks is not None:
            crops = tuple(crop.to(device, non_blocking=True) for crop in masks.crops)
            masks = MaskCrops(crops, masks.origins.to(device, non_blocking=True))
        boxes = self.boxes.to(device, non_blocking=True)
        labels = self.labels.to(device, non_blocking=True)
        crowds = None if self.crowds is None else self.crowds.to(device, non_blocking=True)
        stuff = None if self.stuff is None else self.stuff.to(device, non_blocking=True)
        return type(self)(boxes, labels, masks, crowds, stuff)


class SegModel(nn.Module):
    """Base of all models.

    Args:
        config: All choices that make the network.
        classes: Table of the classes that labels 0..C-1 stand for.
        preprocess: How an image must come in; travels with the weights.
    """

    family: ClassVar[str]
    """Name of the family, one of `delineate.models.zoo.FAMILIES`."""

    def __init__(self, config: Options, classes: ClassMap, preprocess: Preprocess) -> None:
        super().__init__()
        self.config = config
        self.classes = classes
        self.preprocess = preprocess

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    def prepare(self, images: Sequence[np.ndarray]) -> tuple[Tensor, Tensor, list[Geometry]]:
        """Turn images into the arguments of `forward`, on the model's device.

        Args:
            images: uint8 RGB ``(h, w, 3)`` of any sizes, at least one.

        Returns:
            The padded batch ``(b, 3, H, W)``, the valid sizes ``(b, 2)`` and, for `to_instances`,
            the geometry that took each image to the network's input.

        Raises:
            DataError: There are no images, or one is none.
        """
        prepared = [self.preprocess(image) for image in images]
        batch, sizes = self.preprocess.batch([array for array, _ in prepared])
        where = [geometry for _, geometry in prepared]
        device = self.device
        return torch.from_numpy(batch).to(device), torch.from_numpy(sizes).to(device), where

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
        """Detect; the result, a named tuple of the family, is small and stays on the device.

        Args:
            images: ``(b, 3, H, W)`` float32, normalised, zero-padded right and below.
            sizes: ``(b, 2)`` int64 (height, width) without the padding.
        """
        raise NotImplementedError

    def losses(
        self,
        images: Tensor,
        sizes: Tensor,
        targets: Sequence[Target],
        class_weights: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return named scalar losses whose sum is minimised.

        Args:
            images: See `forward`.
            sizes: See `forward`.
            targets: One an image, on the same device; may be empty.
            class_weights: ``(C,)`` float32, how much an object of each class counts where classes
                are learnt; the background keeps its weight. None: all count 1.
        """
        raise NotImplementedError

    @property
    def has_masks(self) -> bool:
        """Whether it answers with masks, or with boxes alone."""
        return True

    def with_score_threshold(self, score: float) -> Self:
        """Return a model of the same parts that may leave out instances of a lower score.

        A family whose every mask is dear makes fewer then; the others return themselves.
        """
        return self

    def complaint(self, raw: tuple[Tensor, ...]) -> str | None:
        """Return a sentence if the answers show that training has failed, which losses may hide.

        Args:
            raw: Result of `forward` for images with several objects each.
        """
        return None

    @property
    def panoptic_classes(self) -> PanopticClasses:
        """The classes of its panoptic answers: things, and stuff if it knows any."""
        return PanopticClasses(self.classes, ClassMap((), ()))

    def to_panoptic(self, raw: tuple[Tensor, ...], where: Sequence[Geometry]) -> list[Panoptic]:
        """Give every pixel of the original images to one segment, or to none.

        A family that knows no stuff answers with things, whose overlaps go to the better score.

        Args:
            raw: Result of `forward`.
            where: The geometries that `prepare` returned.
        """
        classes = self.panoptic_classes
        return [things_only(found, classes) for found in self.to_instances(raw, where)]

    def to_semantic(
        self, raw: tuple[Tensor, ...], where: Sequence[Geometry]
    ) -> list[npt.NDArray[np.int32]]:
        """Return the ``(h, w)`` joint label of each pixel of the original images, -1 for none."""
        return [to_semantic(panoptic) for panoptic in self.to_panoptic(raw, where)]

    def to_instances(self, raw: tuple[Tensor, ...], where: Sequence[Geometry]) -> list[Instances]:
        """Turn the result of `forward` into one `Instances` an image, in its original pixels.

        Args:
            raw: Result of `forward`.
            where: The geometries that `prepare` returned.
        """
        raise NotImplementedError


def box_masks_to_instances(
    raw: BoxMasks, where: Sequence[Geometry], *, rule: PasteRule
) -> list[Instances]:
    """Paste masks that live in their boxes into the original images; boxes without area go.

    Args:
        raw: Detections of a batch.
        where: How each original image became the network's input.
        rule: How a mask is spread over its box, see `delineate.core.decode.paste`.
    """
    image, boxes, scores, labels, masks = (part.detach().cpu().numpy() for part in raw)
    results = []
    for number, geometry in enumerate(where):
        here = image == number
        size = geometry.source
        original = geometry.inverse().boxes(boxes[here]).astype(np.float32)
        limit = np.array([size[1], size[0], size[1], size[0]], dtype=np.float32)
        original = np.clip(original, 0, limit)
        solid = area(original) > 0
        original, here = original[solid], np.flatnonzero(here)[solid]
        results.append(
            Instances(
                image_size=size,
                boxes=original,
                labels=labels[here],
                scores=scores[here].astype(np.float32),
                masks=paste(masks[here].astype(np.float32), original, size, rule=rule),
            )
        )
    return results


def _mask_crops(masks: Masks) -> MaskCrops:
    """Cut every mask out with the margin of zeros that `MaskCrops` promises."""
    height, width = masks.size
    crops, origins = [], np.zeros((len(masks), 2), dtype=np.int64)
    for number in range(len(masks)):
        crop, (x0, y0) = masks.crop(number)
        left, top = int(x0 > 0), int(y0 > 0)
        right, bottom = int(x0 + crop.shape[1] < width), int(y0 + crop.shape[0] < height)
        padded = np.pad(crop.astype(np.uint8), ((top, bottom), (left, right)))
        crops.append(torch.from_numpy(padded))
        origins[number] = x0 - left, y0 - top
    return MaskCrops(tuple(crops), torch.from_numpy(origins))
