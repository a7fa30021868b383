"""What is learnt from labelled data: which objects there are, how large, where, how close together.

Nothing is fitted to a formula: a made picture repeats what was counted. Number, classes and sizes
of its objects are those of a real picture, a little changed; places are those of real objects of
the class, moved by the width of a kernel (D. W. Scott, "Multivariate Density Estimation", 1992).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.instances import Instances
from delineate.core.rle import Bitmap
from delineate.data.layers import overlap
from delineate.data.sample import Dataset
from delineate.errors import DataError

LOOKED_AT = 1000
"""Most images that are learnt from, spread evenly over the data."""

LEAST_AREA = 16  # pixels of an object that is worth cutting out
_LEAST_SIDE = 3
_NARROWEST = 0.03  # kernel of places, in shares of the picture
_CONTACT = 0.15  # share of the rim that others touch beyond which an object may be half hidden
_CARRIED = 0.03  # share of its pixels that others may own: they come along without their labels
_ELONGATED = 1.25  # length over width from which on an object has a direction
_KNOWN = 12  # objects with a direction that tell whether directions matter
_ALIGNED = 0.35  # length of the mean direction (0: all ways, 1: one way) beyond which they do
_CAREFUL = 15.0  # degrees of turn where directions matter, or may

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learnt:
    """The objects of a labelled data set: a row for each, crowds left out, and what they tell.

    Attributes:
        images: (m,) indices of the images looked at.
        image: (n,) index of the image each object is in.
        row: (n,) its place in the instances of that image.
        label: (n,) its class.
        id: (n,) its annotation's id, -1 where there is none.
        side: (n,) root of its area, in pixels,
        size: (n,) and as a share of the image's short side.
        centre: (n, 2) x and y of its box's centre, as shares of width and height.
        kernel: (n, 2) how far objects of its class may be moved from where others of it lie.
        edge: (n,) whether the border of the image cuts it off: how large it is, is not known.
        touches: (n,) whether it touches another.
        alone: (n,) whether none lies so near that a piece of it would be cut out, too, if some of
            what is around were taken along (see `surroundings`).
        usable: (n,) whether it can be cut out: not cut off by the border, not hidden by others as
            far as can be told, with none of them within its mask, and not tiny. Of a class without
            such, those that may be half hidden.
        turn: Degrees by which objects may be turned, either way: 180 where they lie in all
            directions, as cells or tools on a bench do, 15 where they have an up.
    """

    images: Indices
    image: Indices
    row: Indices
    label: Indices
    id: Indices
    side: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    centre: npt.NDArray[np.float64]
    kernel: npt.NDArray[np.float64]
    edge: npt.NDArray[np.bool_]
    touches: npt.NDArray[np.bool_]
    alone: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]
    turn: float

    def within(self, image: int) -> Indices:
        """Return the objects of an image."""
        return np.flatnonzero(self.image == image)

    def place_like(
        self, object_: int, size: Size, rng: np.random.Generator, *, blur: float = 1.0
    ) -> tuple[float, float]:
        """Return x and y where an object of the class of `object_` may lie, in pixels.

        Args:
            object_: A row.
            size: (height, width) of the picture.
            rng: The only source of chance.
            blur: Widens the kernel.
        """
        alike = np.flatnonzero(self.label == self.label[object_])
        moved = blur * self.kernel[object_] * rng.standard_normal(2)
        x, y = self.centre[alike[rng.integers(len(alike))]] + moved
        return size[1] * float(np.clip(x, 0, 1)), size[0] * float(np.clip(y, 0, 1))


def learn(dataset: Dataset, labels: Sequence[int] | None = None) -> Learnt:
    """Look at the objects of a data set; no pixels are read.

    Args:
        dataset: The data set.
        labels: Those that count; they are numbered anew, 0, 1, ... in this order. None: all.

    Raises:
        DataError: It has no object that could be cut out.
    """
    spread = np.linspace(0, max(len(dataset) - 1, 0), min(len(dataset), LOOKED_AT))
    images = np.unique(spread.astype(np.int64))
    counted = range(len(dataset.classes)) if labels is None else labels
    numbers = {label: i for i, label in enumerate(counted)}
    rows = [
        row._replace(label=numbers[row.label])
        for image in images.tolist()
        for row in _rows(image, dataset.instances(image))
        if row.label in numbers
    ]
    if not any(row.choice for row in rows):
        raise DataError(
            f"{dataset.name}: expected objects with masks that can be cut out, got none among the "
            f"{len(rows)} of {len(images)} images (crowds, objects of less than {LEAST_AREA} "
            "pixels, at the border, or with others in them do not count): label some, or draw "
            "scenes without --from."
        )
    image, row, label, ids, side, size, x, y, edge, touches, alone, choice, ways = map(
        np.array, zip(*rows, strict=True)
    )
    best = np.array([choice[label == one].max(initial=0) for one in range(label.max() + 1)])[label]
    centre = np.stack([x, y], axis=1)
    return Learnt(
        images=images,
        image=image,
        row=row,
        label=label,
        id=ids,
        side=side,
        size=size,
        centre=centre,
        kernel=_kernel(centre, label),
        edge=edge,
        touches=touches,
        alone=alone,
        usable=(choice == best) & (choice > 0),
        turn=_turn(ways, label),
    )


class _Row(NamedTuple):
    image: int
    row: int
    label: int
    id: int
    side: float
    size: float
    x: float
    y: float
    edge: bool
    touches: bool
    alone: bool
    choice: int  # 2: can be cut out; 1: perhaps half hidden; 0: no
    way: complex  # twice its direction as a unit number; 0 where it has none


def _rows(image: int, instances: Instances) -> list[_Row]:
    masks = instances.masks
    if masks is None:
        return []
    height, width = instances.image_size
    order = np.argsort(-masks.areas, kind="stable")  # what is small lies before what is large
    front = masks.label_map(order.tolist())
    rows = []
    for i in range(len(masks)):
        crop, (x0, y0) = masks.crop(i)
        if not crop.size or (instances.crowd is not None and instances.crowd[i]):
            continue
        h, w = crop.shape
        area = int(np.count_nonzero(crop))
        around = _others(front, i, crop, (x0, y0), 1)
        contact = float(around.mean())
        is_cut = x0 == 0 or y0 == 0 or x0 + w == width or y0 + h == height
        is_tiny = area < LEAST_AREA or min(h, w) < _LEAST_SIDE
        carried = np.mean(front[y0 : y0 + h, x0 : x0 + w][crop] != i + 1)
        is_whole = not (is_tiny or is_cut or carried > _CARRIED)
        rows.append(
            _Row(
                image=image,
                row=i,
                label=int(instances.labels[i]),
                id=-1 if instances.ids is None else int(instances.ids[i]),
                side=math.sqrt(area),
                size=math.sqrt(area) / min(height, width),
                x=(x0 + w / 2) / width,
                y=(y0 + h / 2) / height,
                edge=is_cut,
                touches=contact > 0,
                alone=not _others(front, i, crop, (x0, y0), surroundings(math.sqrt(area))).any(),
                choice=0 if not is_whole else 1 if contact > _CONTACT else 2,
                way=_way(crop),
            )
        )
    return rows


def surroundings(side: float) -> int:
    """Return how many pixels around an object of a root area of `side` may be taken along."""
    return max(2, round(0.15 * side))


def _others(
    front: npt.NDArray[np.int32], i: int, crop: Bitmap, origin: tuple[int, int], reach: int
) -> npt.NDArray[np.bool_]:
    """Tell of each pixel of the picture within `reach` of object `i` whether it is another's."""
    wide = np.pad(crop, reach).astype(np.uint8)
    rim = cv2.dilate(wide, np.ones((2 * reach + 1,) * 2, np.uint8)) > wide
    in_picture, in_rim = overlap((origin[0] - reach, origin[1] - reach), wide.shape, front.shape)
    there = front[in_picture][rim[in_rim]]
    others: npt.NDArray[np.bool_] = (there != 0) & (there != i + 1)
    return others if others.size else np.zeros(1, np.bool_)


def _kernel(centre: npt.NDArray[np.float64], label: Indices) -> npt.NDArray[np.float64]:
    """Return, for each object, the width of the kernel of its class's places (Scott's rule)."""
    kernel = np.empty_like(centre)
    for one in np.unique(label):
        own = centre[label == one]
        kernel[label == one] = np.maximum(own.std(axis=0) * len(own) ** (-1 / 6), _NARROWEST)
    return kernel


def _way(crop: Bitmap) -> complex:
    """Return twice the direction of a mask's longer axis, as a number of length 1, or 0."""
    moments = cv2.moments(np.ascontiguousarray(crop).view(np.uint8), binaryImage=True)
    across, along = moments["mu20"] - moments["mu02"], 2 * moments["mu11"]
    spread = moments["mu20"] + moments["mu02"]
    apart = math.hypot(across, along)
    if spread + apart <= _ELONGATED**2 * (spread - apart) or apart == 0:
        return 0j
    return complex(across, along) / apart


def _turn(ways: npt.NDArray[np.complex128], label: Indices) -> float:
    """Return 180 if the objects of each class lie in all directions, rather than up or across."""
    alignments, counts = [], []
    for one in np.unique(label[ways != 0]):
        own = ways[(label == one) & (ways != 0)]
        alignments.append(max(abs(own.mean()), abs(np.square(own).mean())))
        counts.append(len(own))
    if sum(counts) < _KNOWN or np.average(alignments, weights=counts) > _ALIGNED:
        return _CAREFUL
    return 180.0
