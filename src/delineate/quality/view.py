"""View: one picture as the checks look at it: what its source states, and what its masks are."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Boxes, xywh_to_xyxy
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import Dataset, ImageRecord, Stated, stated_by
from delineate.quality.findings import Place, place_of

Counted = Callable[[int, str], Iterable[int]]
"""Gives 0 .. count-1 and may show how far it is; the text says what is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture and its n objects.

    Attributes:
        split: Name of the split.
        record: What is known of the picture.
        instances: Its objects.
        masks: Their masks.
        stated: What the source says of them.
        areas: (n,) pixels of each mask.
        class_names: What the labels mean.
    """

    split: str
    record: ImageRecord
    instances: Instances
    masks: Masks
    stated: Stated
    areas: npt.NDArray[np.int64]
    class_names: tuple[str, ...]

    @property
    def boxes(self) -> Boxes:
        """(n, 4) tight boxes of the masks."""
        return self.instances.boxes

    def solid(self) -> npt.NDArray[np.intp]:
        """Positions of the objects that have pixels and are no crowd."""
        return np.flatnonzero((self.areas > 0) & ~self.stated.crowd)

    def class_of(self, i: int) -> str:
        """Name of the class of object `i`."""
        return self.class_names[int(self.stated.labels[i])]

    def place(self, *objects: int, box: tuple[float, float, float, float] | None = None) -> Place:
        """Where a finding is: at these objects of the picture, or, without any, at all of it."""
        return place_of(self.split, self.record, self.instances, objects, box)


def silently(count: int, verb: str) -> Iterable[int]:
    """Count without showing it."""
    return range(count)


def views(split: str, dataset: Dataset, counted: Counted = silently) -> Iterator[View]:
    """Look at one picture of a split after the other; pictures without masks are passed over."""
    stated = stated_by(dataset)
    for index in counted(len(dataset), f"check {split}"):
        instances = dataset.instances(index)
        if instances.masks is None:
            continue
        yield View(
            split=split,
            record=dataset.records[index],
            instances=instances,
            masks=instances.masks,
            stated=stated(index),
            areas=instances.masks.areas,
            class_names=dataset.classes.names,
        )


def edges(xywh: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return stated (n, 4) x, y, width, height as edges; NaN stays NaN."""
    return xywh_to_xyxy(xywh).astype(np.float64)
