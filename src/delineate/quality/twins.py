"""Objects that are there twice: annotated twice, under two classes, or copied to other places."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import area
from delineate.quality.findings import Finding, Place
from delineate.quality.view import View

SAME = 0.95
"""IoU of masks from which two annotations of one class are the same object: two people who outline
one object reach 0.9 to 0.95, and no two objects that can be told apart overlap so."""

SAME_PLACE = 0.9
"""IoU from which two annotations of different classes are the same object."""

NESTED = 0.9
"""Share of an object inside another from which it is nested in it."""

OFTEN, OFTEN_SHARE = 3, 0.05
"""Objects of a class nested in those of another, and their share of the rarer class, from which the
two nest by design, as windows in a facade or lines of text in a zone."""

COPIES, COPY_PIXELS = 4, 100
"""Objects of one picture with the same mask but for its place from which they look copied, and the
size from which that is no coincidence."""

_ROWS = 512  # of boxes compared at a time


def duplicates(view: View) -> Iterator[Finding]:
    """Objects of one class annotated twice."""
    for i, j, iou in _coinciding(view, SAME):
        if view.stated.labels[i] != view.stated.labels[j]:
            continue
        whole = "the very same mask" if iou == 1 else f"the same mask to {iou:.1%}"
        yield Finding(
            kind="duplicate_object",
            severity="error",
            place=view.place(i, j),
            why=f"two annotations of class {view.class_of(i)!r} have {whole}, so that a model that "
            "finds the object once is told that it missed one",
            fix="remove one of the two",
            score=iou,
        )


class TwoClasses:
    """Objects annotated under two classes.

    Where regions nest by design two classes may well share one now and then, so pairs of classes
    that often nest are left alone. Whether they do is known when all pictures have been seen.
    """

    def __init__(self) -> None:
        self._found: list[tuple[tuple[str, str], Place, float]] = []
        self._nested: Counter[tuple[str, str]] = Counter()
        self._objects: Counter[str] = Counter()

    def __call__(self, view: View) -> None:
        """Look at one picture."""
        names = [view.class_of(i) for i in range(len(view.areas))]
        self._objects.update(names)
        for i, j, iou in _coinciding(view, SAME_PLACE):
            if names[i] != names[j]:
                self._found.append((_sorted(names[i], names[j]), view.place(i, j), iou))
        for inner, outer in _nested(view, names):
            self._nested[_sorted(names[inner], names[outer])] += 1

    def findings(self) -> Iterator[Finding]:
        """Return what stands in the light of all pictures."""
        for pair, place, iou in self._found:
            rarer = min(self._objects[name] for name in pair)
            if self._nested[pair] < max(OFTEN, OFTEN_SHARE * rarer):
                yield Finding(
                    kind="two_classes",
                    severity="error",
                    place=place,
                    why=f"the same region, to {iou:.0%}, is annotated as {pair[0]!r} and as "
                    f"{pair[1]!r}, so that one of two right answers counts as wrong",
                    fix="remove the wrong one",
                    score=iou,
                )


def copies(view: View) -> Iterator[Finding]:
    """Objects of one picture with the very same shape, rectangles aside."""
    groups: dict[tuple[tuple[int, ...], bytes], list[int]] = defaultdict(list)
    for i in view.solid().tolist():
        x0, y0, x1, y1 = view.boxes[i].tolist()
        if COPY_PIXELS <= view.areas[i] < (x1 - x0) * (y1 - y0):
            crop = view.masks.crop(i)[0]
            groups[crop.shape, np.packbits(crop).tobytes()].append(i)
    for group in groups.values():
        if len(group) >= COPIES:
            yield Finding(
                kind="copied_shape",
                severity="note",
                place=view.place(*group),
                why=f"{len(group)} objects have exactly the same shape, as where one outline was "
                "copied instead of drawn",
                fix="look whether the outlines fit their objects",
                score=min(len(group) / 20, 1.0),
            )


def _sorted(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first <= second else (second, first)


def _coinciding(view: View, least: float) -> Iterator[tuple[int, int, float]]:
    """Yield pairs of objects whose masks have at least this IoU, and the IoU."""
    kept = view.solid()
    runs, size = view.masks.runs, view.masks.size
    boxes, areas = view.boxes[kept].astype(np.float64), view.areas[kept]
    for rows, shared in _overlaps(boxes):
        smaller = np.minimum(areas[rows, None], areas)
        larger = np.maximum(areas[rows, None], areas)
        # A mask lies in its box, so no two share more pixels than their boxes do.
        possible = np.minimum(shared, smaller) >= least * larger
        possible &= rows[:, None] < np.arange(len(kept))
        for row, j in zip(*np.nonzero(possible), strict=True):
            first, second = int(kept[rows[row]]), int(kept[j])
            iou = float(rle.iou(runs[first : first + 1], runs[second : second + 1], size)[0, 0])
            if iou >= least:
                yield first, second, iou


def _nested(view: View, names: list[str]) -> Iterator[tuple[int, int]]:
    """Yield (inner, outer) pairs of objects of different classes of which one lies in the other."""
    kept = view.solid()
    if len({names[i] for i in kept}) < 2:
        return
    runs, size = view.masks.runs, view.masks.size
    boxes = view.boxes[kept].astype(np.float64)
    own = area(boxes)
    labels = view.stated.labels[kept]
    for rows, shared in _overlaps(boxes):
        possible = shared >= NESTED * own[rows, None]
        possible &= labels[rows, None] != labels
        for row, j in zip(*np.nonzero(possible), strict=True):
            inner, outer = int(kept[rows[row]]), int(kept[j])
            share = rle.iou(runs[inner : inner + 1], runs[outer : outer + 1], size, [True])
            if share[0, 0] >= NESTED:
                yield inner, outer


def _overlaps(
    boxes: npt.NDArray[np.float64],
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]]:
    """Yield rows of boxes, and what each of them shares with every box, in square pixels."""
    for first in range(0, len(boxes), _ROWS):
        rows = np.arange(first, min(first + _ROWS, len(boxes)))
        some = boxes[rows, None]
        sides = np.minimum(some[..., 2:], boxes[:, 2:]) - np.maximum(some[..., :2], boxes[:, :2])
        yield rows, np.maximum(sides, 0).prod(axis=-1)
