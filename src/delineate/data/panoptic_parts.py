"""Parts of panoptic data sets, and panoptic data sets in the classes of a model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from delineate.core.panoptic import MOST_STUFF, VOID_STUFF, Panoptic, relabelled
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.derived import Relabelled, Subset
from delineate.data.sample import Dataset, PanopticDataset, Sample
from delineate.errors import DataError


class PanopticSubset(Subset):
    """Some images of a panoptic data set; see `Subset`.

    Args:
        dataset: Where they come from.
        indices: Positions in it, 0 .. len-1.
        name: Defaults to the name of the whole.
    """

    def __init__(
        self,
        dataset: PanopticDataset,
        indices: Sequence[int] | npt.NDArray[np.int64],
        name: str = "",
    ) -> None:
        super().__init__(dataset, indices, name)
        self._whole = dataset
        self.panoptic_classes = dataset.panoptic_classes

    def panoptic(self, index: int) -> Panoptic:
        """All segments of image `index`."""
        return self._whole.panoptic(self.indices[index])

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """The areas of the segments of image `index`."""
        return self._whole.segment_areas(self.indices[index])


class PanopticRelabelled(Relabelled):
    """A panoptic data set whose things and stuff index another class table, by their names.

    Args:
        dataset: The data set.
        classes: The table; it must hold every class of the data set, as the same kind.

    Raises:
        ClassMismatch: The data set has a class that `classes` lacks.
    """

    def __init__(self, dataset: PanopticDataset, classes: PanopticClasses) -> None:
        super().__init__(dataset, classes.things)
        self._whole = dataset
        self._stuff = _byte_table(dataset.panoptic_classes, classes)
        self.panoptic_classes = classes

    def __getitem__(self, index: int) -> Sample:
        sample = self._whole[index]
        table = self._stuff
        stuff = None if sample.stuff is None or table is None else table[sample.stuff]
        return replace(sample, instances=self._relabel(sample.instances), stuff=stuff)

    def panoptic(self, index: int) -> Panoptic:
        """All segments of image `index`."""
        return relabelled(self._whole.panoptic(index), self.panoptic_classes)

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """The areas of the segments of image `index`."""
        return self._whole.segment_areas(index)


def subset(
    dataset: Dataset, indices: Sequence[int] | npt.NDArray[np.int64], name: str = ""
) -> Subset:
    """Return some images of a data set, panoptic if it is; see `Subset`."""
    if isinstance(dataset, PanopticDataset):
        return PanopticSubset(dataset, indices, name)
    return Subset(dataset, indices, name)


def as_panoptic(dataset: Dataset) -> PanopticDataset:
    """Return `dataset`, which must be panoptic.

    Raises:
        DataError: It is not.
    """
    if isinstance(dataset, PanopticDataset):
        return dataset
    raise DataError(
        f"{dataset.name}: expected a data set in which stuff has classes, too (COCO's panoptic "
        "format: a JSON file with 'segments_info', its maps in the folder of the same name), got "
        "one of objects only: name such a file, or use a recipe and a measure for objects (in "
        "Python, `subset` keeps the stuff of a data set, and `Subset` and `Concat` do not)."
    )


def _byte_table(source: PanopticClasses, target: PanopticClasses) -> npt.NDArray[np.uint8] | None:
    """Return, for each byte of `Sample.stuff`, that of the other table; None beyond bytes."""
    if max(len(source.stuff), len(target.stuff)) > MOST_STUFF:
        return None
    table = np.full(256, VOID_STUFF, np.uint8)
    table[0] = 0
    table[1 : len(source.stuff) + 1] = target.stuff.match(source.stuff) + 1
    return table
