"""Sample (one image with its instances), and the protocols of data sets.

Reading pixels is the expensive half of a sample, so a data set hands out its instances alone too:
statistics, splits and evaluation never decode a picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One image and what is in it.

    Attributes:
        image: (height, width, 3) RGB, after EXIF orientation.
        instances: Its truth, of the same image size.
        image_id: The source's id of the image.
        name: The source's name of the image, often its file name.
        stuff: (height, width) what is behind the things, see `delineate.core.panoptic`: 0 for
            things, 1 + k for stuff k, `VOID_STUFF` for what counts for nothing; None: unknown.

    Raises:
        DataError: Image and instances, or image and stuff, differ in size.
    """

    image: npt.NDArray[np.uint8]
    instances: Instances
    image_id: int
    name: str
    stuff: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        height, width = self.instances.image_size
        if self.image.shape != (height, width, 3):
            raise DataError(
                f"image {self.image_id} {self.name!r}: its instances belong to an image of "
                f"{width} x {height} pixels, but its pixels have the shape {self.image.shape} "
                "(expected height, width, 3): give both of the same picture."
            )
        if self.stuff is not None and self.stuff.shape != (height, width):
            raise DataError(
                f"image {self.image_id} {self.name!r}: its stuff should be a map of {width} x "
                f"{height} pixels, but has the shape {self.stuff.shape}: give both of the same "
                "picture."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """What is known of an image without reading its pixels.

    Attributes:
        image_id: The source's id, unique in its data set.
        name: The source's name, unique in its data set.
        path: Where the file lies; None where images are made, not read.
        size: (height, width) after EXIF orientation.
    """

    image_id: int
    name: str
    path: Path | None
    size: tuple[int, int]


UNANNOTATED = "no_annotation_file"
"""The kind of `Problem` that is no fault: a picture that nobody has annotated. It never stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A broken record of a data set, or a picture that nobody has annotated.

    Attributes:
        where: The record: ``image 12 'a.jpg', annotation 7``.
        why: What was expected and what came.
        fix: What to do about it.
        action: What is missing from the data set because of it.
        kind: What sort of fault it is, such as ``missing_picture``, for programs.
        image_id: The source's id of the image that it is, or belongs to; None: unknown.
        name: The source's name of that image.
        annotation_id: The source's id of the annotation that it is; None: none, or unknown.
        got: The id that leads nowhere, of an unknown image or category.
    """

    where: str
    why: str
    fix: str
    action: str
    kind: str = "broken_record"
    image_id: int | None = None
    name: str = ""
    annotation_id: int | None = None
    got: int | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.why}: {self.fix} ({self.action})"


class Dataset(Protocol):
    """Images with instances, addressed by position; an index beyond the last raises IndexError."""

    @property
    def name(self) -> str:
        """A short name for reports."""
        ...

    @property
    def classes(self) -> ClassMap:
        """The classes that labels index."""
        ...

    @property
    def records(self) -> Sequence[ImageRecord]:
        """One record an image, in order."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """Broken records, and pictures without annotations, that were left out."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample:
        """Image and instances."""
        ...

    def instances(self, index: int) -> Instances:
        """The instances alone; no pixels are read."""
        ...

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) size of each instance in square pixels, as the source states it, else its mask's.

        Evaluation sorts objects into small, medium and large by it; COCO's stated area (of the
        polygon) differs from the pixel count, and its published numbers are made with the former.
        """
        ...

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """(n, 4) x, y, width, height of each instance, as the source states them, else its mask's.

        Evaluation of boxes compares with these: COCO's stated boxes are those of the polygons, and
        its published numbers are made with them. Everything else uses the boxes of `instances`.
        """
        ...


Outlines = tuple[npt.NDArray[np.float64], ...]
"""The polygons of one object, (k, 2) points x, y each, as a source has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a source says of the n objects of one image; nothing is computed.

    Attributes:
        labels: (n,) int64.
        crowd: (n,) bool.
        areas: (n,) square pixels; NaN where it states none.
        boxes: (n, 4) x, y, width, height; NaN where it states none.
        misstated: (n, 2) bool, whether it states a box, and an area, that is none; both are NaN.
        outlines: One for each object; None: it has run lengths or a bitmap.
    """

    labels: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    areas: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float64]
    misstated: npt.NDArray[np.bool_]
    outlines: tuple[Outlines | None, ...]


@runtime_checkable
class StatedDataset(Dataset, Protocol):
    """A data set that can say what its source states, at no cost: no mask is rasterised.

    One that is made of another data set says what that one does; see `stated_by`.
    """

    def stated(self, index: int) -> Stated:
        """What the source says of the objects of image `index`, in the order of `instances`."""
        ...


def stated_by(dataset: Dataset) -> Callable[[int], Stated]:
    """Return what gives the statements of a data set about an image, whatever its kind."""
    if isinstance(dataset, StatedDataset):
        return dataset.stated

    def computed(index: int) -> Stated:
        instances = dataset.instances(index)
        count = len(instances)
        crowd = np.zeros(count, dtype=bool) if instances.crowd is None else instances.crowd
        return Stated(
            labels=instances.labels,
            crowd=crowd,
            areas=dataset.areas(index),
            boxes=dataset.stated_boxes(index),
            misstated=np.zeros((count, 2), dtype=bool),
            outlines=(None,) * count,
        )

    return computed


@runtime_checkable
class PanopticDataset(Dataset, Protocol):
    """A data set in which every pixel belongs to a segment; its instances are the things.

    Its samples have `Sample.stuff`.

    ``isinstance(dataset, PanopticDataset)`` tells whether a data set is one.
    """

    @property
    def panoptic_classes(self) -> PanopticClasses:
        """The classes of things and stuff; `classes` are its things."""
        ...

    def panoptic(self, index: int) -> Panoptic:
        """All segments of an image; no picture is read."""
        ...

    def segment_areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) area of each segment as the source states it, else its pixels.

        panopticapi takes the stated areas of the truth, and its published numbers are made so.
        """
        ...
