"""Give the pictures of several splits names that no format confuses.

Formats put pictures into one folder, or name files after them without their suffix or folder. So
names differ between all splits, whatever is left of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.data.sample import (
    Dataset,
    ImageRecord,
    PanopticDataset,
    Problem,
    Sample,
    Stated,
    stated_by,
)


def flat(name: str) -> str:
    """Return a picture's name without suffix, as one word: ``a/b.jpg`` is ``a_b``."""
    return "_".join(PurePath(name).with_suffix("").parts)


def uniquely_named(splits: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """Return the splits, with other names for the pictures whose `flat` names are not unique.

    They get their split in front and, where that does not do, a number behind. A split whose names
    are unique is returned as it is.
    """
    taken: set[str] = set()
    named: dict[str, Dataset] = {}
    for split, dataset in splits.items():
        names: list[str] = []
        for record in dataset.records:
            name = _free(record.name, split, taken)
            taken.add(flat(name).casefold())
            names.append(name)
        same = names == [record.name for record in dataset.records]
        named[split] = dataset if same else renamed(dataset, names)
    return named


def renamed(dataset: Dataset, names: Sequence[str]) -> "Renamed":
    """Return a data set whose pictures have other names; a panoptic one stays panoptic."""
    if isinstance(dataset, PanopticDataset):
        return PanopticRenamed(dataset, names)
    return Renamed(dataset, names)


def _free(name: str, split: str, taken: set[str]) -> str:
    path, number = PurePath(name), 1
    candidate = path
    while flat(str(candidate)).casefold() in taken:
        ending = "" if number == 1 else f"_{number}"
        candidate = path.with_name(f"{split}_{path.stem}{ending}{path.suffix}")
        number += 1
    return candidate.as_posix()


class Renamed:
    """A data set whose pictures have other names.

    What else the data set knows of itself, such as LVIS's classes of negative images, it knows as
    before.

    Args:
        dataset: The data set.
        names: One for each image.
    """

    def __init__(self, dataset: Dataset, names: Sequence[str]) -> None:
        self._dataset = dataset
        self.name = dataset.name
        self.classes = dataset.classes
        self.problems: Sequence[Problem] = dataset.problems
        self.records: Sequence[ImageRecord] = tuple(
            replace(record, name=name) for record, name in zip(dataset.records, names, strict=True)
        )

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the data set has
        if name.startswith("_"):  # asked for while a copy is being made
            raise AttributeError(name)
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        return replace(self._dataset[index], name=self.records[index].name)

    def instances(self, index: int) -> Instances:
        """The instances of image `index`."""
        return self._dataset.instances(index)

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """The sizes of the instances of image `index`."""
        return self._dataset.areas(index)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """The boxes of image `index` as the source states them."""
        return self._dataset.stated_boxes(index)

    def stated(self, index: int) -> Stated:
        """What the source says of the objects of image `index`."""
        return stated_by(self._dataset)(index)


class PanopticRenamed(Renamed):
    """A panoptic data set whose pictures have other names; see `Renamed`."""

    def __init__(self, dataset: PanopticDataset, names: Sequence[str]) -> None:
        super().__init__(dataset, names)
        self._whole = dataset
        self.panoptic_classes = dataset.panoptic_classes

    def panoptic(self, index: int) -> Panoptic:
        """All segments of image `index`."""
        return self._whole.panoptic(index)

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """The areas of the segments of image `index`."""
        return self._whole.segment_areas(index)
