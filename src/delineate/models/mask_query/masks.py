"""Masks as products: a query's kernel times the mask features of each pixel.

A kernel alone cannot tell two equal objects apart. Here every pixel also says where the centre of
its object lies (Neven et al., Instance segmentation by jointly optimizing spatial embeddings,
2019), and the kernel has a quadratic form of the way from there to the query's box: before anything
is learned, a mask is the ellipse in its box. The rest is a dynamic kernel as in CondInst (Tian et
al., 2020), SOLOv2 (Wang et al., 2020) and Mask2Former (Cheng et al., 2022).
"""

import torch
from torch import Tensor, nn

from delineate.models.layers import ConvNorm, Norm
from delineate.ops.roi import roi_align

STRIDE = 4
"""Of the mask features."""
ROOM = 1.25
"""A mask is looked for in the box of its query enlarged by this, and by a cell on each side."""
_SHAPE = (2.0, 0.0, 0.0, -2.0, -2.0, 0.0)  # of 1, x, y, xx, yy, xy: the ellipse in the box
_FAR = 4.0  # halves of the box from its centre, beyond which distance means nothing more
_CELLS = 1 << 20  # computed at a time


class MaskFeatures(nn.Module):
    """Turn the finest map into mask features, and the way to the object's centre.

    Args:
        inputs: Channels of the map.
        channels: Of the mask features.
        norm: Normalisation.
    """

    def __init__(self, inputs: int, channels: int, *, norm: Norm) -> None:
        super().__init__()
        self.conv = ConvNorm(inputs, inputs // 2, 3, norm=norm)
        self.output = nn.Conv2d(inputs // 2, channels + 2, 1)
        nn.init.normal_(self.output.weight[channels:], std=1e-3)
        nn.init.zeros_(self.output.bias)

    def forward(self, level: Tensor) -> Tensor:
        """Map ``(b, inputs, h, w)`` to ``(b, channels + 2, h, w)``: the last two are x and y."""
        return self.output(self.conv(level)).float()


class KernelHead(nn.Sequential):
    """Predict the ``channels + 6`` numbers of a kernel from a query."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__(nn.Linear(inputs, inputs), nn.ReLU(inplace=True))
        last = nn.Linear(inputs, channels + len(_SHAPE))
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)
        with torch.no_grad():
            last.bias[channels:] = torch.tensor(_SHAPE)
        self.append(last)


def mask_logits(kernels: Tensor, boxes: Tensor, features: Tensor, points: Tensor) -> Tensor:
    """Evaluate masks at points: ``(n, p)`` logits.

    Args:
        kernels: ``(n, channels + 6)``.
        boxes: ``(n, 4)`` of the queries.
        features: ``(n, p, channels + 2)`` mask features at the points.
        points: ``(n, p, 2)`` (x, y) in pixels.
    """
    channels = features.shape[2] - 2
    looks = torch.einsum("npc,nc->np", features[..., :channels], kernels[:, :channels])
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = ((boxes[:, 2:] - boxes[:, :2]) / 2).clamp(min=1)
    claimed = points + STRIDE * features[..., channels:]
    x, y = ((claimed - centre[:, None]) / half[:, None]).clamp(-_FAR, _FAR).unbind(2)
    one, wx, wy, wxx, wyy, wxy = kernels[:, channels:, None].unbind(1)
    return looks + one + (wx + wxx * x + wxy * y) * x + (wy + wyy * y) * y


def enlarge(boxes: Tensor) -> Tensor:
    """Return where the mask of each box ``(n, 4)`` is looked for."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * ROOM + STRIDE
    return torch.cat([centre - half, centre + half], dim=1)


def sample_windows(
    features: Tensor, windows: Tensor, image: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Read mask features at a ``size x size`` grid of points in windows.

    Args:
        features: ``(b, c, h, w)``.
        windows: ``(n, 4)`` xyxy in pixels.
        image: ``(n,)`` int64.
        size: Points a side; they are the centres of equal cells of the window.

    Returns:
        Features ``(n, size * size, c)`` and points ``(n, size * size, 2)``.
    """
    read = roi_align(
        features, windows, image, size=size, scale=1 / STRIDE, sampling_ratio=1, aligned=True
    )
    step = (torch.arange(size, device=windows.device) + 0.5) / size
    x = windows[:, None, 0] + (windows[:, 2] - windows[:, 0])[:, None] * step
    y = windows[:, None, 1] + (windows[:, 3] - windows[:, 1])[:, None] * step
    points = torch.stack([x[:, None].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], 3)
    return read.permute(0, 2, 3, 1).flatten(1, 2), points.flatten(1, 2)


def cells_of(boxes: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the window of cells that `enlarge` reaches: ``(n, 4)`` int64 x0, y0, x1, y1."""
    window = enlarge(boxes) / STRIDE
    limit = torch.tensor([grid[1], grid[0]], device=boxes.device)
    low = torch.minimum(window[:, :2].floor().to(torch.int64).clamp(min=0), limit - 1)
    high = torch.minimum(window[:, 2:].ceil().to(torch.int64), limit)
    return torch.cat([low, torch.maximum(high, low + 1)], dim=1)


def window_logits(
    kernels: Tensor, boxes: Tensor, features: Tensor, image: Tensor, windows: Tensor
) -> Tensor:
    """Evaluate each mask in its window of cells only.

    Args:
        kernels: ``(n, channels + 6)``.
        boxes: ``(n, 4)`` of the queries.
        features: ``(b, channels + 2, h, w)``.
        image: ``(n,)`` int64.
        windows: ``(n, 4)`` result of `cells_of`.

    Returns:
        The logits of all cells, window after window, row by row.
    """
    height, width = features.shape[-2:]
    table = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    across = windows[:, 2] - windows[:, 0]
    areas = across * (windows[:, 3] - windows[:, 1])
    owner = torch.repeat_interleave(areas)
    place = torch.arange(len(owner), device=owner.device) - (areas.cumsum(0) - areas)[owner]
    parts = []
    for who, here in zip(owner.split(_CELLS), place.split(_CELLS), strict=True):
        y = torch.div(here, across[who], rounding_mode="floor") + windows[who, 1]
        x = here % across[who] + windows[who, 0]
        read = table[(image[who] * height + y) * width + x]
        points = (torch.stack([x, y], dim=1) + 0.5) * STRIDE
        parts.append(mask_logits(kernels[who], boxes[who], read[:, None], points[:, None])[:, 0])
    return torch.cat(parts) if parts else boxes.new_zeros(0)
