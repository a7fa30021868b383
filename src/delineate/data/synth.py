"""SynthDataset: pictures that are made on demand, of whose objects everything is known.

Picture `i` depends on the seed and `i` alone, whichever process makes it, so a data set of a
million pictures costs nothing until they are asked for: training reads them without a disk.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size, xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.data.coco_write import write_coco
from delineate.data.layers import Extras, Stack
from delineate.data.sample import Dataset, ImageRecord, Problem, Sample
from delineate.errors import DataError

Laid = tuple[Stack, Callable[[], ImageArray]]
"""Where everything lies in a picture, and what paints it."""


class SynthDataset(ABC):
    """A data set of made pictures.

    Args:
        name: For reports.
        classes: What is labelled.
        count: Number of pictures.
        seed: Another seed, other pictures.

    Raises:
        DataError: The count or the seed is negative.
    """

    def __init__(self, name: str, classes: ClassMap, count: int, seed: int) -> None:
        if count < 0 or seed < 0:
            raise DataError(
                f"expected a count of pictures and a seed from 0 on, got {count} and {seed}: "
                "change what is negative."
            )
        self.name = name
        self.classes = classes
        self.problems: tuple[Problem, ...] = ()
        self._count = count
        self._seed = seed
        self._last: tuple[int, Laid] | None = None

    @abstractmethod
    def _size(self, index: int) -> Size:
        """Return (height, width) of picture `index`, at no cost."""

    @abstractmethod
    def _lay_out(self, index: int) -> Laid:
        """Lay picture `index` out."""

    @property
    def records(self) -> Sequence[ImageRecord]:
        """One record a picture, made when it is looked at."""
        return _Records(self._count, self._record)

    def _record(self, index: int) -> ImageRecord:
        name = f"synth_{self._seed}_{index:06d}.png"
        return ImageRecord(image_id=index + 1, name=name, path=None, size=self._size(index))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        stack, paint = self._laid(index)
        return Sample(
            image=paint(),
            instances=stack.instances(),
            image_id=record.image_id,
            name=record.name,
        )

    def instances(self, index: int) -> Instances:
        """The instances of picture `index`, which is laid out but not painted."""
        return self._laid(index)[0].instances()

    def extras(self, index: int) -> Extras:
        """Whole masks, hidden shares, order of depth and origin of the objects of `instances`."""
        return self._laid(index)[0].extras()

    def areas(self, index: int) -> npt.NDArray[np.float64]:
        """(n,) visible pixels of each object of picture `index`."""
        masks = self.instances(index).masks
        assert masks is not None
        return masks.areas.astype(np.float64)

    def stated_boxes(self, index: int) -> npt.NDArray[np.float64]:
        """(n, 4) x, y, width, height of what is visible of each object of picture `index`."""
        return xyxy_to_xywh(self.instances(index).boxes)

    def _laid(self, index: int) -> Laid:
        """Lay picture `index` out, unless that was done last."""
        index = range(self._count)[index]
        if self._last is None or self._last[0] != index:
            self._last = index, self._lay_out(index)
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}


class _Records(Sequence[ImageRecord]):
    """Records that are made when they are looked at."""

    def __init__(self, count: int, make: Callable[[int], ImageRecord]) -> None:
        self._indices = range(count)
        self._make = make

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> ImageRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ImageRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> ImageRecord | tuple[ImageRecord, ...]:
        if isinstance(index, slice):
            return tuple(map(self._make, self._indices[index]))
        return self._make(self._indices[index])


def write_synth(
    path: Path | str, dataset: Dataset, extras: Callable[[int], Extras], info: Mapping[str, Any]
) -> None:
    """Write made pictures as COCO's JSON, with all that is known of their objects.

    Every annotation has, beside COCO's keys, `amodal` (the whole mask, an RLE), `occlusion` (share
    of it that others hide, 0 to 1), `depth` (0 lies nearest) and `provenance`. Readers that do not
    know these keys pass over them.

    Args:
        path: The JSON file; the pictures go to `images/` beside it. See `write_coco`.
        dataset: What to write: a `SynthDataset`, or a part of one.
        extras: `SynthDataset.extras` of image `i` of `dataset`.
        info: What the file says of itself.

    Raises:
        DataError: See `write_coco`.
        OutputError: See `write_coco`.
    """

    def columns(index: int) -> Iterator[Mapping[str, Any]]:
        known = extras(index)
        for amodal, occlusion, depth, provenance in zip(
            known.amodal.to_coco(),
            known.occlusion.tolist(),
            known.depth.tolist(),
            known.provenance,
            strict=True,
        ):
            yield {
                "amodal": amodal,
                "occlusion": round(occlusion, 4),
                "depth": depth,
                "provenance": provenance,
            }

    write_coco(path, dataset, info=info, more=columns)
