"""Statistics of a data set: how many, how large, how crowded, how hidden, where, how balanced.

Crowd regions are counted and otherwise left out.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.core.sizes import SIZES
from delineate.quality.balance import Balance, balance
from delineate.quality.measures import Measures
from delineate.quality.spread import Histogram, Spread, size_edges, whole_edges

CROWDED = 0.3
"""IoU of two boxes from which their objects count as crowded."""

OVERLAPPED = 0.1
"""Share of an object's pixels from which it counts as overlapped."""

_PAIRED = 24  # classes whose co-occurrence is told
_SIZES_TOLD = 5  # sizes of images that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassStatistics:
    """One class: its objects, the images that show it, its sizes and its median object."""

    name: str
    objects: int
    images: int
    share: float
    small: int
    medium: int
    large: int
    median_size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitStatistics:
    """Statistics of a set of images; numbers of objects are without crowd regions.

    Attributes:
        images: Number of images.
        without_objects: Images that show none.
        objects: Number of objects.
        crowds: Number of crowd regions.
        widths: Of the images, in pixels.
        heights: Of the images, in pixels.
        image_sizes: The most frequent sizes: width, height, images.
        per_image: Objects in an image.
        per_image_histogram: The same, counted.
        by_size: Objects of each size of `SIZES`.
        sizes: Square root of the area of an object, in pixels.
        sizes_histogram: The same, counted between powers of the square root of 2.
        relative_sizes: Square root of the area of an object over that of its image.
        aspects: Width over height of the box of an object.
        crowded: Share of the objects whose box has an IoU above `CROWDED` with another one's.
        distances: Between the centres of an object and the nearest one, over their mean size;
            objects that are alone in their image are left out.
        overlapped: Share of the objects more than `OVERLAPPED` of which belongs to others, too.
        touching: Share of the objects whose outline lies on or beside another object somewhere.
        touching_outline: Mean share of an object's outline that does.
        at_border: Share of the objects that reach the edge of the image.
        in_parts: Share of the objects that have several parts.
        most_parts: Parts of the object that has most.
        with_holes: Share of the objects that have holes.
        most_holes: Holes of the object that has most.
        without_pixels: Objects whose mask is empty.
        classes: Every class, the most frequent first.
        positions: (32, 32) rows of how many objects cover a point of the image there, on average.
        together: Names of the most frequent classes, and in how many images each pair is seen.
    """

    images: int
    without_objects: int
    objects: int
    crowds: int
    widths: Spread
    heights: Spread
    image_sizes: tuple[tuple[int, int, int], ...]
    per_image: Spread
    per_image_histogram: Histogram
    by_size: Mapping[str, int]
    sizes: Spread
    sizes_histogram: Histogram
    relative_sizes: Spread
    aspects: Spread
    crowded: float
    distances: Spread
    overlapped: float
    touching: float
    touching_outline: float
    at_border: float
    in_parts: float
    most_parts: int
    with_holes: float
    most_holes: int
    without_pixels: int
    classes: tuple[ClassStatistics, ...]
    positions: tuple[tuple[float, ...], ...]
    together: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Statistics of a data set.

    Attributes:
        name: What it is called.
        splits: Split name -> its statistics.
        total: That of all splits together.
        balance: That of the classes in the split to learn from: "train", or the only one.
        balanced_split: The name of that split.
    """

    name: str
    splits: Mapping[str, SplitStatistics]
    total: SplitStatistics
    balance: Balance
    balanced_split: str

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold; numbers are rounded to 4 digits behind the point."""
        return {
            "name": self.name,
            "splits": {name: _rounded(asdict(split)) for name, split in self.splits.items()},
            "total": _rounded(asdict(self.total)),
            "balance": {"split": self.balanced_split, **self.balance.to_json()},
        }


def statistics(name: str, measures: Mapping[str, Measures], classes: tuple[str, ...]) -> Statistics:
    """Draw statistics from what was measured.

    Args:
        name: What the data set is called.
        measures: Split name -> its measures; at least one.
        classes: What the labels mean, in all of them.
    """
    learnt = "train" if "train" in measures else next(iter(measures))
    whole = Measures.cat(list(measures.values()))
    bins = Bins(
        per_image=whole_edges(class_counts(whole, len(classes)).sum(axis=1)),
        sizes=size_edges(np.sqrt(whole.area)),
    )
    return Statistics(
        name=name,
        splits={split: summarise(part, classes, bins) for split, part in measures.items()},
        total=summarise(whole, classes, bins),
        balance=balance(class_counts(measures[learnt], len(classes)), classes),
        balanced_split=learnt,
    )


def class_counts(measures: Measures, classes: int) -> npt.NDArray[np.int64]:
    """Return (m, classes) the objects of each class in each image."""
    counts = np.zeros((measures.images, classes), np.int64)
    np.add.at(counts, (measures.image, measures.label), 1)
    return counts


class Bins(NamedTuple):
    """The edges of histograms, the same for all splits."""

    per_image: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.float64]


def summarise(measures: Measures, classes: tuple[str, ...], bins: Bins) -> SplitStatistics:
    """Draw the statistics of one set of images."""
    counts = class_counts(measures, len(classes))
    per_image = counts.sum(axis=1)
    sides = np.sqrt(measures.area)
    image_sides = np.sqrt(measures.heights * measures.widths)[measures.image]
    sizes = Counter(zip(measures.widths.tolist(), measures.heights.tolist(), strict=True))
    return SplitStatistics(
        images=measures.images,
        without_objects=int((per_image == 0).sum()),
        objects=len(measures.label),
        crowds=int(measures.crowds.sum()),
        widths=Spread.of(measures.widths),
        heights=Spread.of(measures.heights),
        image_sizes=tuple((*size, count) for size, count in sizes.most_common(_SIZES_TOLD)),
        per_image=Spread.of(per_image),
        per_image_histogram=Histogram.of(per_image, bins.per_image),
        by_size=dict(
            zip(SIZES, np.bincount(measures.size, minlength=len(SIZES)).tolist(), strict=True)
        ),
        sizes=Spread.of(sides),
        sizes_histogram=Histogram.of(sides, bins.sizes),
        relative_sizes=Spread.of(sides / image_sides),
        aspects=Spread.of(measures.aspect),
        crowded=_share(measures.iou > CROWDED),
        distances=Spread.of(measures.distance[np.isfinite(measures.distance)]),
        overlapped=_share(measures.overlapped > OVERLAPPED),
        touching=_share(measures.touching > 0),
        touching_outline=_share(measures.touching),
        at_border=_share(measures.border),
        in_parts=_share(measures.parts > 1),
        most_parts=int(measures.parts.max(initial=0)),
        with_holes=_share(measures.holes > 0),
        most_holes=int(measures.holes.max(initial=0)),
        without_pixels=int((measures.area == 0).sum()),
        classes=_of_classes(measures, counts, sides, classes),
        positions=tuple(map(tuple, (measures.positions / max(measures.images, 1)).tolist())),
        together=_together(counts, classes),
    )


def _of_classes(
    measures: Measures,
    counts: npt.NDArray[np.int64],
    sides: npt.NDArray[np.float64],
    names: tuple[str, ...],
) -> tuple[ClassStatistics, ...]:
    objects, images = counts.sum(axis=0), (counts > 0).sum(axis=0)
    by_size = np.zeros((len(names), len(SIZES)), np.int64)
    np.add.at(by_size, (measures.label, measures.size), 1)
    order = np.argsort(measures.label, kind="stable")
    sides_of = np.split(sides[order], np.cumsum(objects)[:-1])
    return tuple(
        ClassStatistics(
            name=names[k],
            objects=int(objects[k]),
            images=int(images[k]),
            share=float(objects[k] / max(len(measures.label), 1)),
            **dict(zip(SIZES, by_size[k].tolist(), strict=True)),
            median_size=float(np.median(sides_of[k])) if objects[k] else 0.0,
        )
        for k in np.argsort(-objects, kind="stable").tolist()
    )


def _together(counts: npt.NDArray[np.int64], names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Return in how many images two classes are seen together; a class with itself: its images."""
    images = (counts > 0).sum(axis=0)
    most = [k for k in np.argsort(-images, kind="stable").tolist() if images[k]][:_PAIRED]
    shown = (counts[:, most] > 0).astype(np.int64)
    pairs = (shown.T @ shown).tolist()
    chosen = [names[k] for k in most]
    return {a: dict(zip(chosen, row, strict=True)) for a, row in zip(chosen, pairs, strict=True)}


def _share(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if values.size else 0.0


def _rounded(value: Any) -> Any:  # noqa: ANN401 - whatever a dataclass holds
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_rounded(inner) for inner in value]
        case _:
            return value
