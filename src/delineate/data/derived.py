"""Data sets made of others: some of their images, in other classes, several one after another."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.federated import Federated, federated_of, put_together
from delineate.data.sample import Dataset, ImageRecord, Sample, Stated, stated_by
from delineate.errors import DataError


class Subset:
    """Some images of a data set, in the order given; an index may repeat.

    Of a panoptic data set only the instances are kept: `delineate.data.panoptic_parts.subset` keeps
    the stuff, too.

    Args:
        dataset: Where they come from.
        indices: Positions in it, 0 .. len-1.
        name: Defaults to the name of the whole.

    Attributes:
        indices: Positions in the whole.

    Raises:
        IndexError: An index lies outside the data set.
    """

    def __init__(
        self, dataset: Dataset, indices: Sequence[int] | npt.NDArray[np.int64], name: str = ""
    ) -> None:
        self._dataset = dataset
        self.indices = tuple(int(i) for i in indices)
        outside = [i for i in self.indices if not 0 <= i < len(dataset)]
        if outside:
            raise IndexError(
                f"index {outside[0]} lies outside {dataset.name!r} with its {len(dataset)} images."
            )
        self.name = name or dataset.name
        self.classes = dataset.classes
        self.problems = tuple(dataset.problems)
        self.records = tuple(dataset.records[i] for i in self.indices)
        known = federated_of(dataset)
        self.federated = None if known is None else known.of_images(self.indices)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[self.indices[index]]

    def instances(self, index: int) -> Instances:
        """The instances of image `index`."""
        return self._dataset.instances(self.indices[index])

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """The sizes of the instances of image `index`."""
        return self._dataset.areas(self.indices[index])

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """The boxes of image `index` as the source states them."""
        return self._dataset.stated_boxes(self.indices[index])

    def stated(self, index: int) -> Stated:
        """What the source says of the objects of image `index`."""
        return stated_by(self._dataset)(self.indices[index])


class Relabelled:
    """A data set whose labels index another class table, for example a model's.

    Classes are matched by name, never by position or id.

    Args:
        dataset: The data set.
        classes: The table its labels shall index; it must hold every class of the data set.
        empty: Whether the data set has no objects, so that its own classes do not matter.

    Raises:
        ClassMismatch: The data set has a class that `classes` lacks.
    """

    def __init__(self, dataset: Dataset, classes: ClassMap, *, empty: bool = False) -> None:
        self._dataset = dataset
        none = np.zeros(len(dataset.classes), np.int64)
        self._label = none if empty else classes.match(dataset.classes)
        self.name = dataset.name
        self.classes = classes
        self.problems = dataset.problems
        self.records = dataset.records
        known = federated_of(dataset)
        self.federated = None if known is None else known.relabelled(self._label, len(classes))

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self._dataset[index]
        return Sample(
            image=sample.image,
            instances=self._relabel(sample.instances),
            image_id=sample.image_id,
            name=sample.name,
        )

    def instances(self, index: int) -> Instances:
        """The instances of image `index`."""
        return self._relabel(self._dataset.instances(index))

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """The sizes of the instances of image `index`."""
        return self._dataset.areas(index)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """The boxes of image `index` as the source states them."""
        return self._dataset.stated_boxes(index)

    def stated(self, index: int) -> Stated:
        """What the source says of the objects of image `index`."""
        stated = stated_by(self._dataset)(index)
        return replace(stated, labels=self._label[stated.labels])

    def _relabel(self, instances: Instances) -> Instances:
        return instances.replace(labels=self._label[instances.labels])


class Concat:
    """Several data sets one after another, their classes matched by name to those of the first.

    Ids of different sources may coincide, so images are numbered anew, 1 .. n, and instances carry
    no annotation ids.

    Args:
        datasets: At least one.
        name: Defaults to the names joined by ``+``.

    Raises:
        ClassMismatch: A data set has a class that the first one lacks.
    """

    def __init__(self, datasets: Sequence[Dataset], name: str = "") -> None:
        if not datasets:
            raise DataError("expected at least one data set to put together, got none: name one.")
        self.classes = datasets[0].classes
        self._parts = [Relabelled(part, self.classes) for part in datasets]
        self._place = [(part, i) for part in self._parts for i in range(len(part))]
        self.name = name or "+".join(part.name for part in datasets)
        self.problems = tuple(problem for part in datasets for problem in part.problems)
        self.records = tuple(
            ImageRecord(image_id=number, name=record.name, path=record.path, size=record.size)
            for number, record in enumerate((r for p in datasets for r in p.records), start=1)
        )

    @cached_property
    def federated(self) -> Federated | None:
        """What is known of classes, image by image, where a part is federated."""
        return put_together(self._parts)

    def __len__(self) -> int:
        return len(self._place)

    def __getitem__(self, index: int) -> Sample:
        part, i = self._place[index]
        sample = part[i]
        return Sample(
            image=sample.image,
            instances=sample.instances.replace(ids=None),
            image_id=self.records[index].image_id,
            name=sample.name,
        )

    def instances(self, index: int) -> Instances:
        """The instances of image `index`."""
        part, i = self._place[index]
        return part.instances(i).replace(ids=None)

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """The sizes of the instances of image `index`."""
        part, i = self._place[index]
        return part.areas(i)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """The boxes of image `index` as the source states them."""
        part, i = self._place[index]
        return part.stated_boxes(i)

    def stated(self, index: int) -> Stated:
        """What the sources say of the objects of image `index`."""
        part, i = self._place[index]
        return part.stated(i)
