"""Census: how many objects of which class there are in a split. No mask is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from delineate.core.classes import ClassMap
from delineate.data.sample import Dataset, stated_by
from delineate.quality.findings import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Counts of a split of n images and c classes.

    Attributes:
        dataset: What was counted.
        table: (n, c) objects of each class in each image, crowds left out; sparse, as most of a
            million images show few of hundreds of classes.
        crowds: (n,) crowd regions in each image.
    """

    dataset: Dataset
    table: csr_array
    crowds: npt.NDArray[np.int64]

    @property
    def per_class(self) -> npt.NDArray[np.int64]:
        """(c,) objects of each class."""
        return np.asarray(self.table.sum(axis=0), dtype=np.int64)

    @property
    def per_picture(self) -> npt.NDArray[np.int64]:
        """(n,) objects in each image."""
        return np.asarray(self.table.sum(axis=1), dtype=np.int64)

    @property
    def shown(self) -> npt.NDArray[np.int64]:
        """(c,) images that show each class."""
        return np.bincount(self.table.indices, minlength=len(self.classes))

    @property
    def classes(self) -> ClassMap:
        """The classes of the split."""
        return self.dataset.classes

    @property
    def objects(self) -> dict[str, int]:
        """Objects of each class by its name."""
        return dict(zip(self.classes.names, self.per_class.tolist(), strict=True))

    @property
    def total(self) -> int:
        """Objects of all classes."""
        return int(self.table.sum())


Counts = Mapping[str, Census]
"""Split name -> its census."""


def census(dataset: Dataset) -> Census:
    """Count."""
    stated, crowds = stated_by(dataset), np.zeros(len(dataset), dtype=np.int64)
    shown, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    ends = np.zeros(len(dataset) + 1, dtype=np.int64)
    for index in range(len(dataset)):
        said = stated(index)
        labels, number = np.unique(said.labels[~said.crowd], return_counts=True)
        shown.append(labels)
        counts.append(number)
        ends[index + 1] = ends[index] + len(labels)
        crowds[index] = np.count_nonzero(said.crowd)
    table = csr_array(
        (np.concatenate(counts), np.concatenate(shown), ends), (len(dataset), len(dataset.classes))
    )
    return Census(dataset=dataset, table=table, crowds=crowds)


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
