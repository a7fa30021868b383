"""Any data set as a panoptic one: its objects are the things, and there is no stuff."""

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic, Segment, areas_by_id
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coded_maps import painted
from delineate.data.sample import Dataset, Sample


class Things:
    """A data set whose objects are segments; what none of them covers is void.

    Segments do not overlap: where objects do, the smaller one is seen, and one that is wholly
    hidden has no segment.

    Args:
        dataset: The data set.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.name = dataset.name
        self.classes = dataset.classes
        self.panoptic_classes = PanopticClasses(dataset.classes, ClassMap((), ()))
        self.records = dataset.records
        self.problems = dataset.problems

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        return self._dataset[index]

    def instances(self, index: int) -> Instances:
        """The instances of image `index`."""
        return self._dataset.instances(index)

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """The sizes of the instances of image `index`."""
        return self._dataset.areas(index)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """The boxes of image `index` as the source states them."""
        return self._dataset.stated_boxes(index)

    def panoptic(self, index: int) -> Panoptic:
        """The objects of image `index` as segments, numbered from 1 in their order."""
        instances = self._dataset.instances(index)
        assert instances.masks is not None
        ids, count = painted(instances.masks), len(instances)
        areas = areas_by_id(ids)
        crowd = np.zeros(count, bool) if instances.crowd is None else instances.crowd
        segments = tuple(
            Segment(id=i, label=label, area=areas[i], crowd=region)
            for i, (label, region) in enumerate(
                zip(instances.labels.tolist(), crowd.tolist(), strict=True), start=1
            )
            if i in areas
        )
        return Panoptic(ids=ids, segments=segments, classes=self.panoptic_classes)

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) area of each segment of image `index`."""
        return np.array([segment.area for segment in self.panoptic(index).segments], np.float64)
