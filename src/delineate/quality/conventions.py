"""Numbers of a whole split written in another way than COCO's: one fault, one finding.

A box that says corners where width and height belong disagrees with its mask, and so do all others
of the file: what explains all of them at once is the fault. Boxes and outlines vouch for each
other; where only one reading of them agrees, it is the right one.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset, Outlines, stated_by
from delineate.quality.agreement import ROUNDING, paired_iou
from delineate.quality.findings import Finding, Place
from delineate.quality.view import edges

Boxes = npt.NDArray[np.float64]

LOOKED_AT, ENOUGH = 400, 2000
"""Pictures of a split that are looked at, at random, and objects with which that ends."""

FEWEST, FEWEST_UNVOUCHED = 4, 50
"""Objects without which nothing can be said of all of them, and where no box vouches for any."""

ALL, HARDLY_ANY = 0.95, 0.5
"""Share of the objects that a reading must explain, and that as written must not be right."""

FITS = 0.8
"""IoU of box and outline from which they agree."""

WITHIN_ONE = 1.001
"""No coordinate that is a share of the picture is larger, but for rounding."""

LEAVING = 0.1
"""Share of the objects beyond the picture that no accident explains."""


class Extents(NamedTuple):
    """What a split states, n objects: edges of outlines (or masks), stated numbers, and sizes."""

    outlines: Boxes  # (n, 4) edges
    stated: Boxes  # (n, 4) as written, NaN where nothing is
    sides: Boxes  # (n, 2) width and height of the picture
    areas: npt.NDArray[np.float64]  # (n,) stated, NaN where nothing is
    drawn: npt.NDArray[np.float64]  # (n,) of the masks, NaN where they were not measured
    polygons: npt.NDArray[np.bool_]  # (n,) whether it has outlines


Reading = Callable[[Boxes, Boxes], Boxes]
"""From (n, 4) numbers and the (n, 2) sides of their pictures to (n, 4) edges."""

BOXES: Mapping[str, Reading] = MappingProxyType(
    {
        "corners (x1, y1, x2, y2)": lambda b, _: b,
        "centre, width and height": lambda b, _: _centred(b),
        "y, x, height, width": lambda b, _: edges(b[:, [1, 0, 3, 2]]),
        "corners, y first": lambda b, _: b[:, [1, 0, 3, 2]],
        "shares of the picture": lambda b, sides: edges(b * _twice(sides)),
        "shares of the picture, by centre, width and height": (
            lambda b, sides: _centred(b * _twice(sides))
        ),
        "shares of the picture, by corners": lambda b, sides: b * _twice(sides),
        "percentages of the picture": lambda b, sides: edges(b * _twice(sides) / 100),
    }
)
"""What a stated box may be instead of x, y, width and height in pixels."""

OUTLINES: Mapping[str, Reading] = MappingProxyType(
    {
        "transposed_masks": lambda b, _: b[:, [1, 0, 3, 2]],
        "normalised_coordinates": lambda b, sides: b * _twice(sides),
        "percent_coordinates": lambda b, sides: b * _twice(sides) / 100,
    }
)
"""What outlines may be instead of x, y in pixels, by the kind of finding."""

_WORDS = {
    "transposed_masks": "y before x",
    "normalised_coordinates": "shares of the picture from 0 to 1",
    "percent_coordinates": "percentages of the picture",
}


AREAS: Mapping[str, Callable[[Boxes, Boxes], npt.NDArray[np.float64]]] = MappingProxyType(
    {
        "those of the boxes, width x height": lambda b, _: (b[:, 2:] - b[:, :2]).prod(axis=1),
        "0": lambda b, _: np.zeros(len(b)),
    }
)
"""What a stated area may be instead of the mask's."""


def conventions(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find what all outlines, or all boxes, of a split have wrong in one way."""
    for split, dataset in splits.items():
        seen = extents(dataset)
        if len(seen.outlines) < FEWEST:
            continue
        found = outline_reading(seen)
        if found is None:
            yield from _box_convention(split, seen)
            continue
        kind, certain = found
        doubt = "" if certain else "; or something else is, which these numbers cannot tell"
        yield Finding(
            kind=kind,
            severity="error" if certain else "warning",
            place=Place(split=split),
            why=f"all outlines seem to be written as {_WORDS[kind]} where x, y in pixels were "
            f"expected{doubt}: the masks lie beside their objects",
            fix="export them again in pixels, x first",
            score=1.0 if certain else 0.5,
        )


def area_convention(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find areas that are stated as something else than those of the masks, in a whole split."""
    for split, dataset in splits.items():
        seen = extents(dataset, measured=True)
        telling = ~np.isnan(seen.areas) & (seen.drawn > 0)
        telling &= np.maximum(seen.areas, seen.drawn) > 1.2 * np.minimum(seen.areas, seen.drawn)
        if np.count_nonzero(telling) < max(FEWEST, HARDLY_ANY * len(telling)):
            continue
        for words, reading in AREAS.items():
            read = reading(seen.outlines, seen.sides)
            same = np.abs(read - seen.areas) <= 0.05 * np.maximum(read, 1)
            if same[telling].mean() >= ALL:
                yield Finding(
                    kind="area_convention",
                    severity="warning",
                    place=Place(split=split),
                    why=f"all areas are stated as {words}, not as those of the masks, so that "
                    "objects are counted as larger or smaller than they are",
                    fix="state the areas of the masks",
                )
                break


def extents(dataset: Dataset, *, measured: bool = False) -> Extents:
    """Gather what some pictures of a data set state, always the same ones.

    Args:
        dataset: Where they come from.
        measured: Whether the masks are looked at, too.
    """
    stated = stated_by(dataset)
    chosen = np.random.default_rng(0).permutation(len(dataset))[:LOOKED_AT]
    rows = [np.zeros((0, 4)), np.zeros((0, 4)), np.zeros((0, 2)), *[np.zeros(0)] * 3]
    columns = [rows]
    objects = 0
    for index in chosen.tolist():
        said, (height, width) = stated(index), dataset.records[index].size
        polygons = np.array([bool(outlines) for outlines in said.outlines], dtype=bool)
        drawn = np.full(len(polygons), np.nan)
        bounds = np.zeros((len(polygons), 4))
        if measured or not polygons.all():
            instances = dataset.instances(index)
            bounds[:] = instances.boxes
            if instances.masks is not None:
                drawn[:] = instances.masks.areas
        for i in np.flatnonzero(polygons).tolist():
            bounds[i] = _bounds(said.outlines[i] or ())
        sides = np.tile((float(width), float(height)), (len(polygons), 1))
        columns.append([bounds, said.boxes, sides, said.areas, drawn, polygons])
        objects += len(polygons)
        if objects >= ENOUGH:
            break
    return Extents(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))


def outline_reading(seen: Extents) -> tuple[str, bool] | None:
    """Tell whether all outlines are written in another way, as a kind of finding.

    That outlines leave their pictures is one witness, that the boxes agree with another reading is
    a second: y before x is certain if both say so, and nothing is if the boxes agree as they are.

    Returns:
        The kind, and whether that is certain; None: they are not, or nothing shows it.
    """
    polygons = seen.polygons.astype(bool)
    if (polygons & (seen.outlines.max(axis=1) <= WITHIN_ONE)).mean() >= ALL:
        return "normalised_coordinates", True
    swapped = OUTLINES["transposed_masks"](seen.outlines, seen.sides)
    fits = _leaving(seen.outlines, seen.sides) >= LEAVING and not _leaving(swapped, seen.sides)
    unsure = ("transposed_masks", False) if fits and len(seen.sides) >= FEWEST_UNVOUCHED else None
    told = _told(seen)
    boxes = edges(seen.stated)
    if np.count_nonzero(told) < FEWEST:
        return unsure
    if _agreeing(seen.outlines, boxes, told) >= HARDLY_ANY:
        return None
    if _agreeing(swapped, boxes, told) >= ALL and _leaving(boxes[told], seen.sides[told]) < LEAVING:
        return "transposed_masks", fits
    percent = OUTLINES["percent_coordinates"](seen.outlines, seen.sides)
    if polygons.all() and _agreeing(percent, boxes, told) >= ALL:
        return "percent_coordinates", True
    return unsure


def written_so(kind: str, outline: Boxes, stated: Boxes, sides: Boxes) -> bool:
    """Tell whether one outline is written in another way, where most of its split are.

    Args:
        kind: One of `OUTLINES`.
        outline: (1, 4) its edges.
        stated: (1, 4) the object's x, y, width and height as stated, NaN where they are not.
        sides: (1, 2) width and height of the picture.

    Returns:
        False where it fits its box, or without one its picture, better as it is.
    """
    if kind == "normalised_coordinates":
        return bool(outline.max() <= WITHIN_ONE)
    read, box = OUTLINES[kind](outline, sides), edges(stated)
    if np.isnan(box).any():
        return not _leaving(read, sides)
    return bool(paired_iou(read, box)[0] >= paired_iou(outline, box)[0])


def _box_convention(split: str, seen: Extents) -> Iterator[Finding]:
    told = _told(seen)
    if np.count_nonzero(told) < FEWEST:
        return
    if _agreeing(seen.outlines, edges(seen.stated), told) >= HARDLY_ANY:
        return
    for words, reading in BOXES.items():
        if _agreeing(seen.outlines, reading(seen.stated, seen.sides), told) >= ALL:
            yield Finding(
                kind="box_convention",
                severity="error",
                place=Place(split=split),
                why=f"all boxes seem to be written as {words} where x, y, width and height in "
                "pixels were expected, so that they lie beside their objects",
                fix="export them again as x, y, width, height",
            )
            return


def _told(seen: Extents) -> npt.NDArray[np.bool_]:
    """Return which objects have a stated box."""
    return np.asarray(~np.isnan(seen.stated).any(axis=1))


def _agreeing(outlines: Boxes, boxes: Boxes, told: npt.NDArray[np.bool_]) -> float:
    """Return the share of the objects with a box whose box and outline agree."""
    a, b = outlines[told], boxes[told]
    near = (np.abs(a - b) <= ROUNDING).all(axis=1)
    return float((near | (paired_iou(a, b) >= FITS)).mean())


def _leaving(boxes: Boxes, sides: Boxes) -> float:
    """Return the share of the boxes that leave their picture by more than rounding."""
    beyond = (boxes[:, :2] < -ROUNDING).any(axis=1) | (boxes[:, 2:] > sides + ROUNDING).any(axis=1)
    return float(beyond.mean())


def _bounds(outlines: Outlines) -> Boxes:
    points = np.concatenate(outlines)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _centred(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def _twice(sides: Boxes) -> Boxes:
    return np.concatenate([sides, sides], axis=1)
