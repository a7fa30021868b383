"""Masks: n masks of one image, held compactly and decoded only when somebody looks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Boxes, Size
from delineate.core.foreign import check_size
from delineate.core.geometry import Geometry
from delineate.core.polygons import trace
from delineate.core.rle import Bitmap, Runs
from delineate.errors import DataError

Index = (
    slice | Sequence[int] | Sequence[bool] | npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]
)
"""What selects several of n things; one alone is ``[i:i + 1]``."""


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """The masks of n objects of one image, lossless, as run lengths.

    A dense array of 100 masks of a 12-megapixel photograph takes 1.2 GB; this takes about 1 MB.
    Masks may overlap, be empty, have holes and several parts.

    Attributes:
        size: ``(h, w)`` of the image.
        runs: One `delineate.core.rle.Runs` for each mask.

    Raises:
        DataError: A mask's runs do not fill the image.
    """

    size: Size
    runs: tuple[Runs, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", check_size(self.size))
        object.__setattr__(self, "runs", tuple(self.runs))
        pixels = self.size[0] * self.size[1]
        for i, runs in enumerate(self.runs):
            if int(runs.sum(dtype=np.int64)) != pixels:
                raise DataError(
                    f"mask {i} must fill the {pixels} pixels of its image, and its runs add up to "
                    f"{int(runs.sum(dtype=np.int64))}: make it with `Masks.from_bitmaps` or "
                    "`Masks.from_coco`."
                )

    def __len__(self) -> int:
        return len(self.runs)

    def __getitem__(self, index: Index) -> "Masks":
        return Masks(self.size, tuple(self.runs[i] for i in positions(index, len(self))))

    # -- makers ------------------------------------------------------------------------------

    @classmethod
    def empty(cls, size: Size) -> Self:
        """Return no masks."""
        return cls(size, ())

    @classmethod
    def from_bitmaps(cls, bitmaps: Iterable[npt.ArrayLike], size: Size) -> Self:
        """Encode ``(h, w)`` arrays (or one ``(n, h, w)`` array); what is not zero is foreground.

        Raises:
            DataError: A bitmap has another size than the image.
        """
        arrays = [np.asarray(bitmap) for bitmap in bitmaps]
        for i, array in enumerate(arrays):
            if array.shape != tuple(size):
                raise DataError(
                    f"mask {i} must have its image's size {tuple(size)}, (height, width), and has "
                    f"{array.shape}: crop, resize or transpose it first."
                )
        return cls(size, tuple(rle.from_bitmap(array) for array in arrays))

    @classmethod
    def from_coco(cls, segmentations: Iterable[Any], size: Size) -> Self:
        """Read polygons and RLEs in any of COCO's spellings.

        Raises:
            DataError: See `delineate.core.rle.from_segmentation`.
        """
        return cls(size, tuple(rle.from_segmentation(s, size) for s in segmentations))

    @classmethod
    def cat(cls, parts: Iterable["Masks"]) -> Self:
        """Join masks of the same image.

        Raises:
            DataError: There are none to join, or their images have several sizes.
        """
        parts = list(parts)
        sizes = sorted({part.size for part in parts})
        if len(sizes) != 1:
            raise DataError(
                f"masks are joined from images of one size, and {sizes or 'none'} came: use "
                "`Masks.empty(size)` for none, and `warp` to bring them to one size."
            )
        return cls(sizes[0], tuple(runs for part in parts for runs in part.runs))

    # -- one mask ----------------------------------------------------------------------------

    def bitmap(self, i: int) -> Bitmap:
        """Decode mask `i` to a dense ``(h, w)`` array."""
        return rle.to_bitmap(self.runs[i], self.size)

    def crop(self, i: int) -> tuple[Bitmap, tuple[int, int]]:
        """Decode the tight rectangle around mask `i`: ``(ch, cw)`` crop and its ``(x0, y0)``."""
        return rle.to_crop(self.runs[i], self.size)

    def polygons(self, i: int) -> list[npt.NDArray[np.float32]]:
        """Trace mask `i` along its pixels' edges: see `delineate.core.polygons.trace`."""
        return trace(*self.crop(i))

    # -- all of them -------------------------------------------------------------------------

    @property
    def areas(self) -> npt.NDArray[np.int64]:
        """``(n,)`` numbers of pixels."""
        return np.array([rle.area(runs) for runs in self.runs], dtype=np.int64)

    def boxes(self) -> Boxes:
        """Return the tight ``(n, 4)`` boxes; zeros for an empty mask."""
        bounds = [rle.bounds(runs, self.size) for runs in self.runs]
        return np.array(bounds, dtype=np.float32).reshape(-1, 4)

    def iou(self, other: "Masks", crowd: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
        """Return intersection over union with every mask of `other`, ``(n, m)``.

        Args:
            other: m masks of the same image.
            crowd: ``(m,)``: which of them are crowd regions (`delineate.core.rle.iou`).

        Raises:
            DataError: The images have different sizes.
        """
        if other.size != self.size:
            raise DataError(
                f"masks are compared in images of one size, and {self.size} and {other.size} came: "
                "`warp` one of them first."
            )
        return rle.iou(self.runs, other.runs, self.size, crowd)

    def warp(self, geometry: Geometry) -> "Masks":
        """Move all masks; each is resampled (bilinear, foreground from one half) in its own crop.

        Steps of whole pixels copy pixels.

        Raises:
            DataError: The geometry starts from another size than that of this image.
        """
        if geometry.source != self.size:
            raise DataError(
                f"masks of an image of size {self.size} came with a geometry that starts from "
                f"{geometry.source}: make it from the size of the image it moves."
            )
        if (shift := geometry.shift) is not None:
            runs = (rle.shifted(runs, self.size, shift, geometry.target) for runs in self.runs)
            return Masks(geometry.target, tuple(runs))
        moved = (geometry.bitmap_crop(*self.crop(i)) for i in range(len(self)))
        return Masks(
            geometry.target,
            tuple(rle.from_crop(crop, origin, geometry.target) for crop, origin in moved),
        )

    def moved_areas(self, geometry: Geometry) -> npt.NDArray[np.float64]:
        """Return the ``(n,)`` areas that the masks would have if `warp` cut nothing off."""
        if geometry.is_affine:
            return np.asarray(geometry.scale**2 * self.areas, dtype=np.float64)
        moved = [geometry.moved_area(*self.crop(i)) for i in range(len(self))]
        return np.array(moved, dtype=np.float64)

    def union(self) -> Bitmap:
        """Return the ``(h, w)`` bitmap of what any of the masks covers."""
        covered = np.zeros(self.size, dtype=bool)
        for i in range(len(self)):
            crop, (x0, y0) = self.crop(i)
            covered[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] |= crop
        return covered

    def minus(self, region: Bitmap) -> "Masks":
        """Take the pixels of `region` away from every mask.

        Only masks whose rectangle the region covers in part are decoded.

        Args:
            region: ``(h, w)`` bitmap, for example a `union`; ``minus(~region)`` keeps what lies in
                it.

        Raises:
            DataError: The region has another size than the image.
        """
        if region.shape != self.size:
            raise DataError(
                f"a region to take away must have its image's size {self.size}, (height, width), "
                f"and has {region.shape}: crop or pad it first."
            )
        left, nothing = [], np.array([self.size[0] * self.size[1]], dtype=np.uint32)
        for runs in self.runs:
            x0, y0, x1, y1 = rle.bounds(runs, self.size)
            window = region[y0:y1, x0:x1]
            if window.all():
                runs = nothing
            elif window.any():
                crop, origin = rle.to_crop(runs, self.size)
                runs = rle.from_crop(crop & ~window, origin, self.size)
            left.append(runs)
        return Masks(self.size, tuple(left))

    def to_dense(self) -> npt.NDArray[np.bool_]:
        """Decode everything to ``(n, h, w)``: the array this class exists to avoid."""
        dense = np.zeros((len(self), *self.size), dtype=bool)
        for i in range(len(self)):
            crop, (x0, y0) = self.crop(i)
            dense[i, y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
        return dense

    def to_coco(self) -> list[dict[str, Any]]:
        """Return COCO's compressed RLEs, ready for JSON."""
        h, w = self.size
        return [{"size": [h, w], "counts": rle.to_string(runs, self.size)} for runs in self.runs]

    def label_map(self, order: Iterable[int] | None = None) -> npt.NDArray[np.int32]:
        """Paint all masks into one ``(h, w)`` image: 0 where there is none, i + 1 for mask i.

        Args:
            order: In which order they are painted; where masks overlap, the later one wins.
        """
        labels = np.zeros(self.size, dtype=np.int32)
        for i in range(len(self)) if order is None else order:
            crop, (x0, y0) = self.crop(i)
            labels[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]][crop] = i + 1
        return labels


def positions(index: Index, count: int) -> npt.NDArray[np.int64]:
    """Return which of `count` things `index` selects.

    Raises:
        TypeError: It selects one thing, not several.
        IndexError: It reaches beyond the last one, or is a mask of another length.
    """
    if isinstance(index, slice):
        return np.arange(count)[index]
    chosen = np.asarray(index)
    if chosen.ndim != 1:
        raise TypeError("index with a slice, an array of integers or a mask: for one, [i : i + 1].")
    if not chosen.size and chosen.dtype.kind == "f":  # numpy's idea of an empty list
        chosen = chosen.astype(np.intp)
    return np.asarray(np.arange(count)[chosen])
