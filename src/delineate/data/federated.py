"""Federated: what is known of classes where not every class was looked for in every image.

The word is that of LVIS (`delineate.data.lvis`). Any data set may have it as the attribute
`federated`; those made of others hand it on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset

_Lists = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Federated:
    """What is known of classes, image by image.

    Attributes:
        frequencies: Of each class "r", "c" or "f": in at most 10, at most 100, or more images of
            the training data; "" where the source does not say.
        negative: Labels that were looked for in image i and not found.
        unexhausted: Labels of which some objects of image i are labelled, but not all.
    """

    frequencies: tuple[str, ...]
    negative: _Lists
    unexhausted: _Lists

    def of_images(self, indices: Iterable[int]) -> "Federated":
        """Return what is known of some of the images."""
        chosen = list(indices)
        return Federated(
            frequencies=self.frequencies,
            negative=tuple(self.negative[i] for i in chosen),
            unexhausted=tuple(self.unexhausted[i] for i in chosen),
        )

    def relabelled(self, labels: npt.NDArray[np.int64], count: int) -> "Federated":
        """Return the same in another table of classes.

        Args:
            labels: (C,) the label there of each class here.
            count: Number of classes there.
        """
        table = labels.tolist()
        frequencies = [""] * count
        for label, frequency in zip(table, self.frequencies, strict=True):
            frequencies[label] = frequency
        return Federated(
            frequencies=tuple(frequencies),
            negative=_mapped(self.negative, table),
            unexhausted=_mapped(self.unexhausted, table),
        )


def federated_of(dataset: Dataset) -> Federated | None:
    """Return what a data set knows of its classes; None: every class was looked for everywhere."""
    known = getattr(dataset, "federated", None)
    return known if isinstance(known, Federated) else None


def looked_everywhere(dataset: Dataset) -> Federated:
    """Return the same for a data set in which every class was looked for in every image."""
    count = len(dataset.classes)
    present = [set(dataset.instances(i).labels.tolist()) for i in range(len(dataset))]
    return Federated(
        frequencies=("",) * count,
        negative=tuple(tuple(k for k in range(count) if k not in found) for found in present),
        unexhausted=((),) * len(dataset),
    )


def put_together(parts: Sequence[Dataset]) -> Federated | None:
    """Return what is known of data sets of the same classes, one after another."""
    if all(federated_of(part) is None for part in parts):
        return None
    known = [federated_of(part) or looked_everywhere(part) for part in parts]
    return Federated(
        frequencies=tuple(
            next(filter(None, of_class), "")
            for of_class in zip(*(one.frequencies for one in known), strict=True)
        ),
        negative=tuple(labels for one in known for labels in one.negative),
        unexhausted=tuple(labels for one in known for labels in one.unexhausted),
    )


def _mapped(lists: _Lists, table: Sequence[int]) -> _Lists:
    return tuple(tuple(table[label] for label in labels) for labels in lists)
