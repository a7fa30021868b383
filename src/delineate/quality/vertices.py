"""Outlines with far fewer points than others of their class and size: drawn in haste.

Only what a source holds as polygons has points. About a rectangle among rectangles is left alone: a
window or a line of text needs four points, a coin does not look like that.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset, Outlines, StatedDataset
from delineate.quality.findings import Finding, place_of

KINDS = ("few_points",)
"""Kinds of findings."""

FEWEST = 20
"""Objects of a class without which nothing is said of it."""

_ALIKE = 30  # objects of the class nearest in length that an outline is compared with
_FEWER = 4.0  # times fewer points than they have
_FAR, _LEAST_SPREAD = (
    3.5,
    0.2,
)  # deviations from their median, in logarithms, by the median's spread
_MOST = 10  # points that are few in any case
_STRAIGHT, _SOME = 0.82, 0.1  # share of the slanted rectangle around it that a shape with straight
# sides fills (an ellipse 0.79), and of the others that must do so, too
_BORDER = 2.0  # pixels from the border of the picture; what runs along it is not drawn


class _Outline(NamedTuple):
    split: str
    image: int
    position: int
    points: int
    length: float  # in pixels, without what runs along the border of the picture
    straight: bool


def few_points(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find coarse outlines.

    Args:
        splits: Split name -> data set; those that do not state outlines are passed over.
    """
    by_class: dict[str, list[_Outline]] = {}
    for split, dataset in splits.items():
        if isinstance(dataset, StatedDataset):
            for name, outline in _outlines(split, dataset):
                by_class.setdefault(name, []).append(outline)
    for name, outlines in by_class.items():
        if len(outlines) < FEWEST:
            continue
        outlines.sort(key=lambda outline: outline.length)
        points = np.log([outline.points for outline in outlines])
        straight = np.array([outline.straight for outline in outlines])
        for i, outline in enumerate(outlines):
            if outline.points > _MOST or (straight[i] and _alike(straight, i).mean() >= _SOME):
                continue
            others = _alike(points, i)
            middle = float(np.median(others))
            spread = max(1.4826 * float(np.median(np.abs(others - middle))), _LEAST_SPREAD)
            short = middle - points[i]
            if short >= max(np.log(_FEWER), _FAR * spread):
                yield _finding(splits[outline.split], name, outline, round(np.exp(middle)), short)


def _outlines(split: str, dataset: StatedDataset) -> Iterator[tuple[str, _Outline]]:
    for image in range(len(dataset)):
        stated = dataset.stated(image)
        for position, parts in enumerate(stated.outlines):
            if parts is None or stated.crowd[position]:
                continue
            points, length = sum(map(len, parts)), _length(parts, dataset.records[image].size)
            if points and length:
                yield (
                    dataset.classes.name(int(stated.labels[position])),
                    _Outline(split, image, position, points, length, _is_straight(parts)),
                )


def _alike(values: npt.NDArray[Any], i: int) -> npt.NDArray[Any]:
    """Return the values next to place `i`, without its own."""
    start = min(max(i - _ALIKE // 2, 0), max(len(values) - _ALIKE - 1, 0))
    window = values[start : start + _ALIKE + 1]
    return np.delete(window, i - start)


def _length(parts: Outlines, size: tuple[int, int]) -> float:
    """Return the length of an outline, without what runs along the border of the picture."""
    height, width = size
    total = 0.0
    for part in parts:
        onward = np.roll(part, -1, axis=0)
        border = np.zeros(len(part), dtype=bool)
        for axis, limit in ((0, width), (1, height)):
            for at in (0, limit):
                near = np.abs(part[:, axis] - at), np.abs(onward[:, axis] - at)
                border |= np.maximum(*near) <= _BORDER
        total += float(np.hypot(*(onward - part)[~border].T).sum())
    return total


def _is_straight(parts: Outlines) -> bool:
    """Tell whether a shape is about a rectangle, in any direction."""
    if len(parts) != 1:
        return False
    points = parts[0].astype(np.float32)
    (_, (width, height), _) = cv2.minAreaRect(points)
    return bool(cv2.contourArea(points) >= _STRAIGHT * width * height)


def _finding(dataset: Dataset, name: str, outline: _Outline, usual: int, short: float) -> Finding:
    record, objects = dataset.records[outline.image], dataset.instances(outline.image)
    return Finding(
        kind="few_points",
        severity="note",
        place=place_of(outline.split, record, objects, (outline.position,)),
        why=f"it is outlined by {outline.points} points, where objects of class {name!r} and its "
        f"size have about {usual}",
        fix="draw it again where the outline leaves the object",
        score=float(1 - np.exp(-short)),
    )
