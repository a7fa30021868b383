"""One mask as run lengths: the lossless form in which Delineate holds every mask.

`Runs` are COCO's uncompressed counts: the lengths of alternating runs of background and foreground,
column by column (down, then the next column to the right), beginning with background. They sum to
height x width and are *canonical*: no run is empty but, possibly, the first.

COCO's file forms (polygons, lists of counts, the compressed string) are read here, with every
number checked: the reference C code crashes, hangs or returns heap memory on counts that do not add
up. Rasterising, overlaps and writing strings are hotcoco's work, bit-equal to pycocotools.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import hotcoco.mask as coco
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.foreign import all_numbers, all_whole, check_size, is_list, short
from delineate.core.polygons import rasterise
from delineate.errors import DataError

Runs = npt.NDArray[np.uint32]
Bitmap = npt.NDArray[np.bool_]

MAX_RUNS = 1_000_000
"""Most runs read for one mask; a hand-drawn object has hundreds."""

_GROUPS = 7  # most characters of one count: 35 bits hold any difference of two counts


# -- bitmaps -----------------------------------------------------------------------------------


def from_bitmap(bitmap: npt.ArrayLike) -> Runs:
    """Encode an ``(h, w)`` array, in which what is not zero is foreground."""
    mask = np.ascontiguousarray(np.asarray(bitmap).astype(bool, copy=False))
    h, w = mask.shape
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return from_crop(mask[y : y + height, x : x + width], (x, y), (h, w))


def from_crop(crop: npt.NDArray[Any], origin: tuple[int, int], size: Size) -> Runs:
    """Encode a mask of which only a part is given; the rest of the image is background.

    Args:
        crop: ``(ch, cw)``; what is not zero is foreground.
        origin: ``(x0, y0)`` of the crop's upper left pixel; the crop must lie in the image.
        size: ``(h, w)`` of the image.
    """
    (crop_h, crop_w), (x0, y0), (h, w) = crop.shape, origin, size
    inside = 0 <= x0 <= w - crop_w and 0 <= y0 <= h - crop_h
    assert inside or not crop.size, f"a crop of {crop.shape} at {origin} leaves an image of {size}"
    if not crop.size:
        return np.array([h * w], dtype=np.uint32)
    # One background pixel above each column: no run crosses columns, every run has both its ends.
    stride = crop_h + 1
    padded = np.zeros(crop_w * stride + 1, dtype=np.uint8)
    pixels = np.ascontiguousarray(crop.astype(bool, copy=False)).view(np.uint8)
    padded[:-1].reshape(crop_w, stride)[:, 1:] = cv2.transpose(pixels)
    turns = np.flatnonzero(padded[1:] != padded[:-1])
    turns += (turns // stride) * (h - stride) + (x0 * h + y0)
    return from_turns(turns, size)


def from_turns(turns: npt.NDArray[np.int64], size: Size) -> Runs:
    """Encode a mask by the places at which it changes between background and foreground.

    Args:
        turns: ``(k,)`` column-major pixel numbers in ascending order: where foreground starts,
            where it ends (exclusive), where it starts again ... Two changes at one place cancel.
        size: ``(h, w)`` of the image.
    """
    pixels = size[0] * size[1]
    lengths = _lengths(turns, pixels)
    if not lengths[1:].all():
        places, times = np.unique(turns, return_counts=True)
        lengths = _lengths(places[(times % 2 == 1) & (places < pixels)], pixels)
    return lengths.astype(np.uint32)


def to_bitmap(runs: Runs, size: Size) -> Bitmap:
    """Decode to a dense ``(h, w)`` array."""
    crop, (x0, y0) = to_crop(runs, size)
    bitmap = np.zeros(size, dtype=bool)
    bitmap[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
    return bitmap


def to_crop(runs: Runs, size: Size) -> tuple[Bitmap, tuple[int, int]]:
    """Decode only the tight rectangle around the foreground.

    Returns:
        The ``(ch, cw)`` crop, column-major in memory, and its ``(x0, y0)``; for an empty mask a
        crop without pixels at ``(0, 0)``.
    """
    columns, rows, (x0, y0, x1, y1) = _placed(runs, size[0])
    # From pixel numbers of the image to those of the crop. A run that wraps into the next column
    # touches the image's top and bottom, so that the crop has full columns and no gap to skip.
    crop_h, crop_w = y1 - y0, x1 - x0
    lengths = _lengths((columns - x0) * crop_h + (rows - y0), crop_h * crop_w)
    foreground = np.zeros(lengths.size, dtype=bool)
    foreground[1::2] = True
    return np.repeat(foreground, lengths).reshape(crop_w, crop_h).T, (x0, y0)


def shifted(runs: Runs, size: Size, shift: tuple[int, int], target: Size) -> Runs:
    """Move a mask by whole pixels into another image, at whose edges it is cut off.

    Args:
        runs: The mask.
        size: ``(h, w)`` of its image.
        shift: Pixels to the right and down.
        target: ``(h, w)`` of the other image.
    """
    columns, rows, (x0, y0, x1, y1) = _placed(runs, size[0])
    (right, down), (h, w) = shift, target
    inside = -x0 <= right <= w - x1 and -y0 <= down <= h - y1
    if inside and (columns[::2] == columns[1::2]).all():
        return from_turns((columns + right) * h + (rows + down), target)
    crop, _ = to_crop(runs, size)
    left, top = x0 + right, y0 + down
    seen = crop[max(-top, 0) : max(h - top, 0), max(-left, 0) : max(w - left, 0)]
    return from_crop(seen, (max(left, 0), max(top, 0)), target)


# -- measures ----------------------------------------------------------------------------------


def area(runs: Runs) -> int:
    """Return the number of foreground pixels."""
    return int(runs[1::2].sum(dtype=np.int64))


def bounds(runs: Runs, size: Size) -> tuple[int, int, int, int]:
    """Return ``(x0, y0, x1, y1)`` of the tight rectangle, its ends exclusive; zeros if empty."""
    return _placed(runs, size[0])[2]


def iou(
    a: Sequence[Runs], b: Sequence[Runs], size: Size, crowd: npt.ArrayLike | None = None
) -> npt.NDArray[np.float64]:
    """Return intersection over union of every mask of `a` with every mask of `b`.

    Args:
        a: n masks, in evaluation the predictions.
        b: m masks, in evaluation the truth.
        size: ``(h, w)`` of the image all of them belong to.
        crowd: ``(m,)`` booleans. In the column of a crowd region the union is replaced by the area
            of the mask of `a`, as COCO does.

    Returns:
        ``(n, m)`` numbers from 0 to 1; two empty masks have 0.
    """
    if not len(a) or not len(b):
        return np.zeros((len(a), len(b)))
    flags = [0] * len(b) if crowd is None else np.asarray(crowd, dtype=np.uint8).tolist()
    return coco.iou([_uncompressed(r, size) for r in a], [_uncompressed(r, size) for r in b], flags)


# -- COCO's files --------------------------------------------------------------------------------


def to_string(runs: Runs, size: Size) -> str:
    """Return COCO's compressed counts."""
    return coco.rle_to_string(_uncompressed(runs, size))


def from_string(counts: str | bytes, size: Size) -> Runs:
    """Read COCO's compressed counts.

    A count is written in groups of 5 bits, lowest first, one character each: 48 + group, + 0x20 if
    more follow; bit 0x10 of the last one makes it negative. From the fourth count on it is the
    difference to the count two places before.

    Args:
        counts: The string of an RLE.
        size: ``(h, w)`` of the image it must fill.

    Raises:
        DataError: It is no such string, has more than `MAX_RUNS` counts, or does not fill `size`.
    """
    text = counts.encode("utf-8", "replace") if isinstance(counts, str) else counts
    if len(text) > MAX_RUNS * _GROUPS:
        raise _too_many_runs()
    groups = np.frombuffer(text, dtype=np.uint8) - np.uint8(48)  # what is below wraps to above
    if groups.size and groups.max() > 0x3F:
        raise DataError(
            "an RLE's string may only hold the characters '0' to 'o', and it has another one: "
            "store it as COCO wrote it, neither escaped nor decoded."
        )
    last = np.flatnonzero(groups < 0x20)
    lengths = _lengths(last + 1, groups.size)
    if not last.size or lengths[-1] or lengths.max() > _GROUPS:
        raise DataError(
            "an RLE's string is cut off or holds a number beyond 35 bits: export it again."
        )
    lengths = lengths[:-1]
    first = last + 1 - lengths
    shifts = 5 * (np.arange(groups.size) - np.repeat(first, lengths))
    values = np.add.reduceat((groups & np.uint8(0x1F)).astype(np.int64) << shifts, first)
    values -= np.where(groups[last] & np.uint8(0x10), np.int64(1) << (5 * lengths), 0)
    np.cumsum(values[1::2], out=values[1::2])
    np.cumsum(values[2::2], out=values[2::2])
    return _checked(values, size)


def from_polygons(polygons: Sequence[Any] | npt.NDArray[Any], size: Size) -> Runs:
    """Encode the union of polygons, each ``[x1, y1, x2, y2, ...]``, by COCO's rule.

    Raises:
        DataError: See `delineate.core.polygons.rasterise`.
    """
    size = check_size(size)
    return from_string(rasterise(polygons, size), size)


def from_segmentation(segmentation: object, size: Size) -> Runs:
    """Read one object in any of COCO's spellings.

    Args:
        segmentation: A list of polygons, each ``[x1, y1, x2, y2, ...]``; one such polygon alone;
            or ``{"size": [h, w], "counts": ...}`` with counts as a list, a string or bytes.
        size: ``(h, w)`` of the image the object belongs to.

    Raises:
        DataError: It is none of these, belongs to an image of another size, or is beyond the caps
            of this module and of `delineate.core.polygons`.
    """
    if isinstance(segmentation, Mapping):
        return _from_rle(segmentation, check_size(size))
    if is_list(segmentation) and len(segmentation):
        alone = all_numbers(segmentation[:1])
        return from_polygons([segmentation] if alone else segmentation, size)
    raise DataError(
        "a segmentation must be a list of polygons, or an RLE with 'size' and 'counts', and "
        f"{short(segmentation)} came: export the annotation again, or leave it out."
    )


def _from_rle(rle: Mapping[Any, Any], size: Size) -> Runs:
    """Read the RLE of a COCO file, whose own size must be that of the image."""
    if "size" not in rle or "counts" not in rle:
        raise DataError(
            f"an RLE must have 'size' and 'counts', and this one has {short(list(rle))}: export "
            "the annotation again, or leave it out."
        )
    own, counts = check_size(rle["size"]), rle["counts"]
    if own != size:
        raise DataError(
            f"an RLE must have its image's size, {size[0]} high and {size[1]} wide, and it says "
            f"{own[0]} and {own[1]}: it belongs to another image, or one of the sizes is swapped."
        )
    if isinstance(counts, (str, bytes)):
        return from_string(counts, size)
    if is_list(counts) and len(counts) > MAX_RUNS:
        raise _too_many_runs()
    if is_list(counts) and all_whole(counts):
        try:
            return _checked(np.asarray(counts, dtype=np.int64), size)
        except OverflowError:  # an integer beyond 64 bits
            pass
    raise DataError(
        "an RLE's counts must be COCO's string or a list of whole numbers up to the number of the "
        f"image's pixels, and {short(counts)} came: export the annotation again."
    )


def _checked(counts: npt.NDArray[np.int64], size: Size) -> Runs:
    """Return counts as canonical runs, if they fill an image of `size`."""
    pixels = size[0] * size[1]
    if counts.size > MAX_RUNS:
        raise _too_many_runs()
    if counts.size and not 0 <= counts.min() <= counts.max() <= pixels:
        raise DataError(
            f"an RLE's counts must lie between 0 and the {pixels} pixels of its image, and "
            f"{int(counts.min())} to {int(counts.max())} came: export the annotation again."
        )
    total = int(counts.sum())
    if total != pixels:
        raise DataError(
            f"an RLE's counts must add up to the {pixels} pixels of its image, {size[0]} high and "
            f"{size[1]} wide, and they add up to {total}: export the annotation again."
        )
    return from_turns(np.cumsum(counts[:-1]), size)


def _placed(
    runs: Runs, height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[int, int, int, int]]:
    """Return the column and the row of every change, and the mask's bounds.

    An end is one row below the run's last pixel, which may be the row below the image.
    """
    turns = np.cumsum(runs[: runs.size // 2 * 2], dtype=np.int64)
    if not turns.size:
        return turns, turns, (0, 0, 0, 0)
    turns[1::2] -= 1
    columns, rows = np.divmod(turns, height)
    rows[1::2] += 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    if (columns[::2] != columns[1::2]).any():
        return columns, rows, (left, 0, right, height)
    return columns, rows, (left, int(rows[::2].min()), right, int(rows[1::2].max()))


def _lengths(turns: npt.NDArray[np.int64], end: int) -> npt.NDArray[np.int64]:
    """Return the distances from 0 to the first of `turns`, to the next ..., to `end`."""
    lengths = np.empty(turns.size + 1, dtype=np.int64)
    lengths[:-1], lengths[-1] = turns, end
    lengths[1:] -= turns
    return lengths


def _uncompressed(runs: Runs, size: Size) -> dict[str, Any]:
    return {"size": list(size), "counts": runs.tolist()}


def _too_many_runs() -> DataError:
    return DataError(
        f"a mask may have at most {MAX_RUNS} runs, and this one has more: it is noise rather than "
        "an object; smooth it before storing it."
    )
