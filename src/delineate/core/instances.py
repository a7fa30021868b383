"""Instances: all objects of one image, whether labelled by people or found by a network."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from delineate.core import boxes as box
from delineate.core.boxes import Boxes, Size
from delineate.core.foreign import check_size
from delineate.core.geometry import Geometry
from delineate.core.masks import Index, Masks, positions
from delineate.core.rle import Bitmap
from delineate.errors import DataError

_UNCUT = 0.01  # pixels beyond the picture's edge that come from rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Instances:
    """The n objects of one image.

    Validated when built; its arrays are copies, and read-only.

    Attributes:
        image_size: ``(h, w)`` of the original image.
        boxes: ``(n, 4)`` float32 xyxy edges in its pixels (`delineate.core.boxes`).
        labels: ``(n,)`` int64 from 0 on (`delineate.core.classes`).
        masks: The n masks, or None where only boxes are known.
        scores: ``(n,)`` float32 from 0 to 1; None means ground truth.
        ids: ``(n,)`` int64 annotation or track ids.
        crowd: ``(n,)`` bool: regions full of objects that nobody told apart, which an evaluation
            ignores; None means that there are none.

    Raises:
        DataError: A field has the wrong shape, type, length or range, or a box is inside out.
    """

    image_size: Size
    boxes: Boxes
    labels: npt.NDArray[np.int64]
    masks: Masks | None = None
    scores: npt.NDArray[np.float32] | None = None
    ids: npt.NDArray[np.int64] | None = None
    crowd: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        size, boxes = check_size(self.image_size), _checked_boxes(self.boxes)
        object.__setattr__(self, "image_size", size)
        object.__setattr__(self, "boxes", boxes)
        for name, column in _COLUMNS.items():
            values = getattr(self, name)
            if values is not None or name == "labels":
                object.__setattr__(self, name, _checked_column(name, column, values, len(boxes)))
        if self.masks is not None and (len(self.masks), self.masks.size) != (len(boxes), size):
            raise _wrong(
                "masks",
                f"one for each of {len(boxes)} boxes, in an image of size {size}",
                f"{len(self.masks)} in an image of size {self.masks.size}",
            )

    def __repr__(self) -> str:
        known = [name for name in ("masks", *_COLUMNS) if getattr(self, name) is not None]
        height, width = self.image_size
        return f"Instances({len(self)} in {width} x {height} pixels, with {', '.join(known)})"

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Index) -> "Instances":
        chosen = positions(index, len(self))
        known = {name: getattr(self, name) for name in ("boxes", "masks", *_COLUMNS)}
        changes: dict[str, Any] = {k: v[chosen] for k, v in known.items() if v is not None}
        return replace(self, **changes)

    # -- makers ------------------------------------------------------------------------------

    @classmethod
    def empty(cls, size: Size, with_masks: bool = True, scored: bool = False) -> Self:
        """Return no objects.

        Args:
            size: ``(h, w)`` of the image.
            with_masks: Whether masks are known (there are none) rather than absent.
            scored: Whether these are predictions.
        """
        return cls(
            image_size=size,
            boxes=np.zeros((0, 4), dtype=np.float32),
            labels=np.zeros(0, dtype=np.int64),
            masks=Masks.empty(size) if with_masks else None,
            scores=np.zeros(0, dtype=np.float32) if scored else None,
        )

    @classmethod
    def cat(cls, parts: Iterable["Instances"]) -> Self:
        """Join the objects of one image; where some parts know of no crowd, theirs are none.

        Raises:
            DataError: There are none to join, their images have several sizes, or masks, scores or
                ids are known for some parts only.
        """
        parts = list(parts)
        sizes = sorted({part.image_size for part in parts})
        if len(sizes) != 1:
            raise DataError(
                f"instances are joined within images of one size, and {sizes or 'none'} came: use "
                "`Instances.empty(size)` for none, and `warp` to bring them to one size."
            )
        joined: dict[str, Any] = {"image_size": sizes[0]}
        for name in ("boxes", "masks", *_COLUMNS):
            values = [getattr(part, name) for part in parts]
            if name == "crowd" and any(v is not None for v in values):
                values = [
                    np.zeros(len(part), dtype=bool) if v is None else v
                    for part, v in zip(parts, values, strict=True)
                ]
            known = [v for v in values if v is not None]
            if known and len(known) < len(values):
                raise _wrong(
                    name, "a value in every part to be joined", f"{len(known)} of {len(values)}"
                )
            if known:
                joined[name] = Masks.cat(known) if name == "masks" else np.concatenate(known)
        return cls(**joined)

    # -- changes -----------------------------------------------------------------------------

    def replace(self, **changes: Any) -> "Instances":  # noqa: ANN401 - validated when built
        """Return a copy with some fields changed.

        Raises:
            DataError: See `Instances`.
        """
        return replace(self, **changes)

    def warp(self, geometry: Geometry, min_visible: float = 0.0) -> "Instances":
        """Move all objects, and leave out those of which too little is still to be seen.

        Where there are masks they are resampled, and the boxes become the tight boxes around them.
        Without masks a box becomes the upright box around its moved corners, cut off at the image.

        What is visible is the new area (of the mask, else of the box) divided by the area that the
        object would have in a target without end: the old one times the geometry's change of areas,
        which under a perspective is taken pixel by pixel (without masks, at the box's centre). What
        lies wholly in the target, the upright box around its moved corners too, is all visible,
        whatever resampling makes of its area. An object is left out if it has no pixel left, or
        less of it is visible than `min_visible`; a crowd region only if it has no pixel left.

        Args:
            geometry: Must start from the size of this image.
            min_visible: From 0 (what has a pixel left stays) to 1.

        Raises:
            DataError: The geometry starts from another size.
        """
        if geometry.source != self.image_size:
            raise DataError(
                f"instances of an image of size {self.image_size} came with a geometry that starts "
                f"from {geometry.source}: make it from the size of the image it moves."
            )
        if self.masks is not None:
            masks = self.masks.warp(geometry)
            boxes, reach = masks.boxes(), geometry.boxes(self.masks.boxes())
            left = masks.areas.astype(np.float64)
        else:
            reach = geometry.boxes(self.boxes)
            masks, boxes = None, box.clip(reach, geometry.target)
            left = box.area(boxes).astype(np.float64)
        whole = left.copy()
        cut = np.abs(reach - box.clip(reach, geometry.target)).max(axis=1, initial=0) > _UNCUT
        whole[cut] = self._moved_areas(cut, geometry)
        seen = self._seen(whole, left, min_visible)
        moved = replace(self, image_size=geometry.target, boxes=boxes, masks=masks)
        return moved if seen.all() else moved[seen]

    def behind(self, region: Bitmap, min_visible: float = 0.0) -> "Instances":
        """Return what is still to be seen of all objects behind something opaque.

        The masks lose the pixels of `region`, and the boxes become the tight boxes around what is
        left. As in `warp`, an object is left out if none of it is left, or a smaller share than
        `min_visible`; a crowd region only if none is left.

        Args:
            region: ``(h, w)`` bitmap of the pixels that are covered.
            min_visible: From 0 (what has a pixel left stays) to 1.

        Raises:
            DataError: The objects have no masks, or the region has another size than the image.
        """
        if self.masks is None:
            raise _wrong("masks", "known where something covers the objects", "boxes alone")
        masks = self.masks.minus(region)
        seen = self._seen(self.masks.areas.astype(np.float64), masks.areas, min_visible)
        return replace(self, boxes=masks.boxes(), masks=masks)[seen]

    def _moved_areas(
        self, chosen: npt.NDArray[np.bool_], geometry: Geometry
    ) -> npt.NDArray[np.float64]:
        """Return the areas of the chosen objects in a target without end."""
        if self.masks is not None:
            areas = self.masks[chosen].moved_areas(geometry)
        else:
            boxes = self.boxes[chosen]
            centres = (boxes[:, :2] + boxes[:, 2:]) / 2
            areas = geometry.area_change(centres) * box.area(boxes)
        return np.minimum(areas, np.finfo(np.float64).max)  # what reaches the horizon is endless

    def _seen(
        self, whole: npt.NDArray[np.float64], left: npt.NDArray[Any], min_visible: float
    ) -> npt.NDArray[np.bool_]:
        """Return of which objects enough is left, by their areas as they were and as they are."""
        enough: npt.NDArray[np.bool_] = left >= min_visible * whole * (1 - 1e-9)  # for rounding
        if self.crowd is not None:
            enough |= self.crowd
        return enough & (left > 0)


class _Column(NamedTuple):
    """What one field of one value per object may hold."""

    dtype: type[np.generic]
    kinds: str
    low: float
    high: float
    words: str


_COLUMNS = {
    "labels": _Column(np.int64, "iu", 0, np.inf, "whole numbers from 0 on"),
    "scores": _Column(np.float32, "fiu", 0, 1, "numbers from 0 to 1"),
    "ids": _Column(np.int64, "iu", -np.inf, np.inf, "whole numbers"),
    "crowd": _Column(np.bool_, "biu", 0, 1, "booleans"),
}


def _checked_boxes(given: npt.ArrayLike) -> Boxes:
    """Return `given` as read-only ``(n, 4)`` boxes, if that is what it is."""
    boxes = _array("boxes", given, "fiu", "numbers")
    with np.errstate(over="ignore"):  # to infinity, which is found below
        boxes = boxes.astype(np.float32)
    if boxes.size == 0:
        boxes = boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise _wrong("boxes", "an array of shape (n, 4)", f"one of shape {boxes.shape}")
    bad = np.flatnonzero(~box.valid(boxes))
    if bad.size:
        raise _wrong(
            "boxes",
            "finite edges (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2",
            f"{boxes[bad[0]].tolist()} in row {bad[0]}",
        )
    return _frozen(boxes, np.float32)


def _checked_column(
    name: str, column: _Column, given: npt.ArrayLike, count: int
) -> npt.NDArray[Any]:
    """Return `given` as one read-only value for each of `count` objects, if that is what it is."""
    values = _array(name, given, column.kinds, column.words)
    if values.shape != (count,):
        raise _wrong(name, f"one value for each of {count} boxes", f"shape {values.shape}")
    good = (values >= column.low) & (values <= column.high)
    if not good.all():
        raise _wrong(name, column.words, f"{values[~good][0]}")
    return _frozen(values, column.dtype)


def _array(name: str, given: npt.ArrayLike, kinds: str, words: str) -> npt.NDArray[Any]:
    """Return `given` as an array of one of numpy's `kinds`; what is empty has no kind."""
    try:
        array = np.asarray(given)
    except ValueError:
        raise _wrong(name, words, "rows of different lengths") from None
    if array.size and array.dtype.kind not in kinds:
        raise _wrong(name, words, f"values of type {array.dtype}")
    return array


def _frozen(array: npt.NDArray[Any], dtype: type[np.generic]) -> npt.NDArray[Any]:
    """Return a read-only copy."""
    copy = array.astype(dtype)
    copy.setflags(write=False)
    return copy


def _wrong(name: str, expected: str, got: str) -> DataError:
    return DataError(
        f"Instances.{name} must be {expected}, and {got} came: correct it where the instances are "
        f"made."
    )
