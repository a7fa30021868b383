"""AnnotatedDataset: what every reader of annotations returns, whatever the format.

Masks are held as `delineate.data.segmentations` compacts them, and become instances when their
image is asked for. Boxes are computed from the masks, whatever a file states: the mask is the
truth. An outline that covers no pixel gives an empty mask and a box of no size.
"""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray, read_image
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import (
    UNANNOTATED,
    ImageRecord,
    Outlines,
    Problem,
    Sample,
    Stated,
)
from delineate.data.segmentations import Compact, expand
from delineate.errors import ConfigError, DataError

StopOrSkip = Literal["stop", "skip"]
"""What broken records do: raise an error that lists them, or be left out and listed."""

OnError = Literal[StopOrSkip, "report"]
"""The same, or "report": left out even if no image is left, for the check that tells why."""

ReadPicture = Callable[[ImageRecord], ImageArray]
"""Gives the pixels of an image that has no file; it can be pickled."""

_SHOWN_PROBLEMS = 5
_HELD_BYTES = 100_000_000  # of masks that stay in memory
_OBJECT_BYTES = 500  # what an object takes beside the runs of its mask, about


class Annotation(NamedTuple):
    """One sound annotation; area and box (xywh) are as the file states them, NaN if it does not.

    `misstated` tells whether it states a box, and an area, that is none.
    """

    id: int
    image_id: int
    label: int
    crowd: bool
    area: float
    box: tuple[float, ...]
    segmentation: Compact
    misstated: tuple[bool, bool] = (False, False)


class AnnotatedDataset:
    """Images and annotations as a reader found them; masks are rasterised when asked for.

    Those of the images asked for first stay in memory: reading them again and again is a good part
    of the loader's work where images are crowded.

    Args:
        name: A short name for reports.
        classes: The classes that labels index.
        records: The sound images.
        annotations: The sound annotations, of these images.
        problems: What was left out.
        read_picture: Gives the pixels where `ImageRecord.path` is None.
    """

    def __init__(
        self,
        *,
        name: str,
        classes: ClassMap,
        records: Sequence[ImageRecord],
        annotations: Sequence[Annotation],
        problems: Sequence[Problem],
        read_picture: ReadPicture | None = None,
    ) -> None:
        self.name = name
        self.classes = classes
        self.records = tuple(records)
        self.problems = tuple(problems)
        columns = zip(*annotations, strict=True) if annotations else [()] * len(Annotation._fields)
        ids, owners, labels, crowd, areas, boxes, segmentations, misstated = columns
        place = {record.image_id: i for i, record in enumerate(self.records)}
        owner = np.fromiter(map(place.__getitem__, owners), np.int64, len(annotations))
        order = np.argsort(owner, kind="stable")
        # The annotations of image i are rows _first[i] .. _first[i + 1] of every column.
        self._first = np.searchsorted(owner[order], np.arange(len(self.records) + 1))
        self._ids = np.array(ids, dtype=np.int64)[order]
        self._labels = np.array(labels, dtype=np.int64)[order]
        self._crowd = np.array(crowd, dtype=np.bool_)[order]
        self._areas = np.array(areas, dtype=np.float64)[order]
        numbers = itertools.chain.from_iterable(boxes)
        stated = np.fromiter(numbers, np.float64, 4 * len(annotations))
        self._boxes = stated.reshape(-1, 4)[order]
        told = np.fromiter(itertools.chain.from_iterable(misstated), np.bool_, 2 * len(annotations))
        self._misstated = told.reshape(-1, 2)[order]
        self._segmentations = [segmentations[i] for i in order.tolist()]
        self._read_picture = read_picture or _read_file
        self._held: dict[int, Instances] = {}
        self._room = _HELD_BYTES

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        return Sample(
            image=_read_file(record) if record.path else self._read_picture(record),
            instances=self.instances(index),
            image_id=record.image_id,
            name=record.name,
        )

    def instances(self, index: int) -> Instances:
        """The instances of image `index`, in the order of the file."""
        index = range(len(self))[index]
        if (held := self._held.get(index)) is not None:
            return held
        instances = self._read_instances(index)
        if (size := _bytes(instances)) <= self._room:
            self._room -= size
            self._held[index] = instances
        return instances

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is only held: a process that gets a copy reads what it needs."""
        return {**self.__dict__, "_held": {}, "_room": _HELD_BYTES}

    def _read_instances(self, index: int) -> Instances:
        rows = self._rows(index)
        size = self.records[index].size
        masks = Masks.from_coco((expand(s, size) for s in self._segmentations[rows]), size)
        return Instances(
            image_size=masks.size,
            boxes=masks.boxes(),
            labels=self._labels[rows],
            masks=masks,
            ids=self._ids[rows],
            crowd=self._crowd[rows],
        )

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) `area` of each instance of image `index` as the file states it, else its mask's."""
        stated = self._areas[self._rows(index)]
        unstated = np.isnan(stated)
        return np.where(unstated, self._mask_areas(index), stated) if unstated.any() else stated

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """(n, 4) `bbox` of the instances of image `index` as the file states it, or its mask's."""
        stated = self._boxes[self._rows(index)]
        unstated = np.isnan(stated)
        if not unstated.any():
            return stated.copy()
        return np.where(unstated, xyxy_to_xywh(self.instances(index).boxes), stated)

    def stated(self, index: int) -> Stated:
        """What the source says of the instances of image `index`; no mask is rasterised."""
        rows = self._rows(index)
        return Stated(
            labels=self._labels[rows],
            crowd=self._crowd[rows],
            areas=self._areas[rows],
            boxes=self._boxes[rows],
            misstated=self._misstated[rows],
            outlines=tuple(map(_outlines, self._segmentations[rows])),
        )

    def _mask_areas(self, index: int) -> npt.NDArray[np.int64]:
        masks = self.instances(index).masks
        assert masks is not None
        return masks.areas

    def _rows(self, index: int) -> slice:
        index = range(len(self))[index]
        return slice(int(self._first[index]), int(self._first[index + 1]))


def _outlines(held: Compact) -> Outlines | None:
    return tuple(part.reshape(-1, 2) for part in held) if isinstance(held, tuple) else None


def _read_file(record: ImageRecord) -> ImageArray:
    assert record.path is not None
    return read_image(record.path)


def _bytes(instances: Instances) -> int:
    runs = () if instances.masks is None else instances.masks.runs
    return _OBJECT_BYTES * (1 + len(instances)) + sum(run.nbytes for run in runs)


def check_on_error(on_error: str) -> None:
    """Make sure that it is one of the choices.

    Raises:
        ConfigError: It is not.
    """
    if on_error not in get_args(OnError):
        raise ConfigError(
            f"on_error must be 'stop', 'skip' or 'report', got {on_error!r}: choose one."
        )


def settle(
    path: Path, pictures: int, kept: int, problems: Sequence[Problem], on_error: OnError
) -> None:
    """Decide whether a data set stands, given what is wrong with it.

    Args:
        path: Where it was read from, for messages.
        pictures: How many it lists.
        kept: How many of them can be used.
        problems: Everything that cannot; pictures without annotations stop nothing.
        on_error: What broken records do.

    Raises:
        DataError: No picture can be used and `on_error` is not "report", or there are problems and
            it is "stop".
    """
    broken = [problem for problem in problems if problem.kind != UNANNOTATED]
    if not kept and not problems:
        raise DataError(f"{path}: expected images, but it lists none: name the right file.")
    if not kept and on_error != "report":
        raise none_usable(path, "images", pictures, [*broken, *problems][0])
    if broken and on_error == "stop":
        raise DataError(listing(path, broken))


def none_usable(path: Path, things: str, count: int, first: Problem) -> DataError:
    """Return the error where none of the images, or whatever is listed, can be used."""
    none = (
        f"none of its {count} can be used (the first: "
        if count > 1
        else "its only one cannot be used ("
    )
    return DataError(
        f"{path}: expected {things}, but {none}{first.where}: {first.why}): {first.fix}."
    )


def listing(path: Path, problems: Sequence[Problem], *, skip: bool = True) -> str:
    """Return the sentence about broken records; `skip`: whether they can be left out."""
    shown = "; ".join(f"{p.where}: {p.why}" for p in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    return (
        f"{path}: {len(problems)} broken record{'s' * (len(problems) > 1)} "
        f"({shown}{f'; and {more} more' if more > 0 else ''}): mend them"
        f"{', or pass --on-error skip to leave them out' if skip else ''}."
    )
