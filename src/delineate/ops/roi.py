"""Regions of interest: cut fixed-size features, and mask targets, out of boxes (RoIAlign).

RoIAlign (He et al., Mask R-CNN, 2017) divides a box into ``size x size`` bins, samples each bin at
a few points by bilinear interpolation, and averages. The weights are separable, and every output
is a weighted sum of a fixed number of feature vectors. On a CPU that is an embedding bag over
channels-last maps, several times faster than torchvision's kernel in both directions.

Two conventions of where the first pixel lies are in use: ``aligned=True`` puts pixel centres at
+0.5 as this package does everywhere; ``aligned=False`` is the original one, half a pixel off, and
what torchvision's published weights were trained with.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor


def roi_align(
    features: Tensor,
    boxes: Tensor,
    image: Tensor,
    *,
    size: int,
    scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Return the features inside boxes: ``(n, channels, size, size)``, channels last in memory.

    Args:
        features: ``(b, channels, h, w)``, fastest where it is channels last in memory.
        boxes: ``(n, 4)`` xyxy in pixels of the network's input.
        image: ``(n,)`` int64, which of the ``b`` images each box lies in.
        size: Bins a side.
        scale: Feature pixels per input pixel, one over the stride.
        sampling_ratio: Points a bin and axis; 0 chooses by the size of the box.
        aligned: Whether pixel centres lie at +0.5.
    """
    if features.device.type != "cpu" or sampling_ratio == 0:
        rois = torch.cat([image[:, None].float(), boxes.float()], dim=1)
        options = (size, scale, sampling_ratio, aligned)
        return torchvision.ops.roi_align(features.float(), rois, *options).to(features.dtype)
    channels, height, width = features.shape[1:]
    shift = 0.5 if aligned else 0.0
    edges = boxes.float() * scale - shift
    side = edges[:, 2:] - edges[:, :2]
    if not aligned:
        side = side.clamp(min=1)
    x, weight_x = _taps(edges[:, 0], side[:, 0], width, size, sampling_ratio)
    y, weight_y = _taps(edges[:, 1], side[:, 1], height, size, sampling_ratio)
    y = (y + image[:, None, None] * height) * width
    rows = y.int()[:, :, None, :, None] + x.int()[:, None, :, None, :]
    weights = weight_y[:, :, None, :, None] * weight_x[:, None, :, None, :]
    taps = (2 * sampling_ratio) ** 2
    table = features.permute(0, 2, 3, 1).reshape(-1, channels)
    pooled = F.embedding_bag(
        rows.reshape(-1, taps),
        table.float(),
        per_sample_weights=weights.reshape(-1, taps),
        mode="sum",
    )
    return pooled.to(features.dtype).view(-1, size, size, channels).permute(0, 3, 1, 2)


def pool_pyramid(
    maps: Sequence[Tensor],
    boxes: Tensor,
    image: Tensor,
    *,
    strides: Sequence[int],
    size: int,
    sampling_ratio: int,
    aligned: bool,
    canonical_size: float = 224,
    level_margin: float = 1e-6,
) -> Tensor:
    """Pool each box from the level of a feature pyramid that suits its size; see `roi_align`.

    Args:
        maps: One feature map a level, finest first.
        boxes: ``(n, 4)``.
        image: ``(n,)`` int64.
        strides: Input pixels per feature pixel, one a level.
        size: Bins a side.
        sampling_ratio: Points a bin and axis.
        aligned: Whether pixel centres lie at +0.5.
        canonical_size: See `assign_levels`.
        level_margin: See `assign_levels`.
    """
    options = {"size": size, "sampling_ratio": sampling_ratio, "aligned": aligned}
    if len(maps) == 1:
        return roi_align(maps[0], boxes, image, scale=1 / strides[0], **options)
    level = assign_levels(boxes, strides, canonical_size, margin=level_margin)
    channels = maps[0].shape[1]
    pooled = maps[0].new_empty((len(boxes), size, size, channels))
    for number, (features, stride) in enumerate(zip(maps, strides, strict=True)):
        here = torch.where(level == number)[0]
        if len(here) > 0:
            part = roi_align(features, boxes[here], image[here], scale=1 / stride, **options)
            pooled[here] = part.permute(0, 2, 3, 1)
    return pooled.permute(0, 3, 1, 2)


def assign_levels(
    boxes: Tensor, strides: Sequence[int], canonical_size: float, *, margin: float = 1e-6
) -> Tensor:
    """Return the pyramid level, 0 for the finest, from which to pool each box.

    A box of ``canonical_size`` pixels belongs to stride 16, one twice as large to stride 32 and so
    on (Lin et al., Feature Pyramid Networks, 2017, equation 1). Strides are powers of two. A
    box belongs to the next level already where `margin` levels are missing (none in detectron2).
    """
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).float().sqrt()
    level = torch.floor(4 + torch.log2(side / canonical_size) + margin)
    finest, coarsest = int(math.log2(strides[0])), int(math.log2(strides[-1]))
    return level.clamp(finest, coarsest).to(torch.int64) - finest


def crop_masks(
    crops: Sequence[Tensor],
    origins: Tensor,
    index: Tensor,
    boxes: Tensor,
    size: int,
    *,
    aligned: bool = False,
) -> Tensor:
    """Return what a mask head should predict in each box: ``(n, size, size)`` float32 in 0..1.

    Equals RoIAlign (adaptive sampling, as mask losses have always used) on the dense masks of the
    whole image, but reads only the crops, as two small matrix products a box.

    Args:
        crops: uint8 0/1 ``(h_i, w_i)`` of each object, with at least one pixel of zeros around the
            object except where it touches the border of the image.
        origins: ``(objects, 2)`` int64 (x0, y0) of each crop in the image.
        index: ``(n,)`` int64, the object of each box.
        boxes: ``(n, 4)`` xyxy in pixels of the image the crops come from.
        size: Side of the result.
        aligned: Whether pixel centres lie at +0.5 (detectron2), or at 0 (torchvision).
    """
    if len(boxes) == 0:
        return boxes.new_zeros((0, size, size), dtype=torch.float32)
    origin = origins[index]
    shape = torch.tensor([tuple(crop.shape) for crop in crops], device=boxes.device)[index]
    start, side = boxes[:, :2].float(), (boxes[:, 2:] - boxes[:, :2]).float()
    start, side = (start - 0.5, side) if aligned else (start, side.clamp(min=1))
    across = _averaging(start[:, 0], side[:, 0], origin[:, 0], shape[:, 1], size)
    down = _averaging(start[:, 1], side[:, 1], origin[:, 1], shape[:, 0], size)
    planes = [crop.float() for crop in crops]
    targets = boxes.new_empty((len(boxes), size, size), dtype=torch.float32)
    with torch.autocast(boxes.device.type, enabled=False):
        for roi, owner in enumerate(index.tolist()):
            plane = planes[owner]
            height, width = plane.shape
            targets[roi] = down[roi, :, :height] @ plane @ across[roi, :, :width].T
    return targets


def _averaging(start: Tensor, side: Tensor, origin: Tensor, length: Tensor, size: int) -> Tensor:
    """Return ``(n, size, longest)``: how each bin averages the pixels of one axis of its crop.

    Args:
        start: ``(n,)`` where each box begins, in image pixels.
        side: ``(n,)`` how long it is.
        origin: ``(n,)`` where its crop begins.
        length: ``(n,)`` how many pixels its crop has.
        size: Number of bins.
    """
    points = torch.ceil(side / size).clamp(min=1)
    most = int(points.max())
    position = _positions(start, side, size, most, points) - origin[:, None, None]
    low, high, weight_low, weight_high = _interpolate(position, length[:, None, None])
    used = torch.arange(most, device=start.device) < points[:, None]
    share = (used / points[:, None])[:, None, :]
    matrix = start.new_zeros((len(start), size, int(length.max())))
    matrix.scatter_add_(2, low, weight_low * share)
    return matrix.scatter_add_(2, high, weight_high * share)


def _taps(
    start: Tensor, side: Tensor, length: int, size: int, points: int
) -> tuple[Tensor, Tensor]:
    """Return what each bin reads on one axis: pixels and weights, ``(n, size, 2 * points)``."""
    position = _positions(start, side, size, points, side.new_full(side.shape, points))
    low, high, weight_low, weight_high = _interpolate(position, length)
    weights = torch.cat([weight_low, weight_high], dim=2) / points
    return torch.cat([low, high], dim=2), weights


def _positions(start: Tensor, side: Tensor, size: int, most: int, points: Tensor) -> Tensor:
    """Return where each bin is sampled on one axis: ``(n, size, most)`` for ``points (n,)`` a bin.

    The order of the operations is that of the original kernels, for equal rounding.
    """
    bin_side = (side / size)[:, None, None]
    bins = torch.arange(size, device=start.device)[:, None]
    inside = torch.arange(most, device=start.device) + 0.5
    return start[:, None, None] + bins * bin_side + inside * bin_side / points[:, None, None]


def _interpolate(position: Tensor, length: Tensor | int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return lower and upper neighbour of each position in 0..length-1, and the weight of each.

    Positions up to one pixel outside read the border; further outside they weigh nothing.
    """
    inside = (position >= -1) & (position <= length)
    position = torch.minimum(position.clamp(min=0), torch.as_tensor(length - 1).to(position))
    low = position.floor()
    fraction = position - low
    low = low.to(torch.int64)
    high = torch.minimum(low + 1, torch.as_tensor(length - 1).to(low))
    return low, high, (1 - fraction) * inside, fraction * inside
