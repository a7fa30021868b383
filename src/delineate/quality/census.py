"""Census: how many objects of which class there are in a split. No mask is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.data.sample import Dataset
from delineate.quality.findings import Place
from delineate.quality.view import stated_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Counts of a split of n images and c classes.

    Attributes:
        dataset: What was counted.
        counts: (n, c) objects of each class in each image, crowds left out.
        crowds: (n,) crowd regions in each image.
    """

    dataset: Dataset
    counts: npt.NDArray[np.int64]
    crowds: npt.NDArray[np.int64]

    @property
    def classes(self) -> ClassMap:
        """The classes of the split."""
        return self.dataset.classes

    @property
    def objects(self) -> dict[str, int]:
        """Objects of each class by its name."""
        return dict(zip(self.classes.names, self.counts.sum(axis=0).tolist(), strict=True))

    @property
    def total(self) -> int:
        """Objects of all classes."""
        return int(self.counts.sum())


Counts = Mapping[str, Census]
"""Split name -> its census."""


def census(dataset: Dataset) -> Census:
    """Count."""
    stated, classes = stated_by(dataset), len(dataset.classes)
    counts = np.zeros((len(dataset), classes), dtype=np.int64)
    crowds = np.zeros(len(dataset), dtype=np.int64)
    for index in range(len(dataset)):
        said = stated(index)
        counts[index] = np.bincount(said.labels[~said.crowd], minlength=classes)
        crowds[index] = np.count_nonzero(said.crowd)
    return Census(dataset=dataset, counts=counts, crowds=crowds)


def joined(counts: Counts) -> dict[str, int]:
    """Return objects of each class over several splits, by name."""
    names = {name: 0 for one in counts.values() for name in one.classes.names}
    for one in counts.values():
        for name, count in one.objects.items():
            names[name] += count
    return names


def whole(splits: Mapping[str, object]) -> Place:
    """Return the place of a finding about all splits."""
    return Place(split=", ".join(splits))
