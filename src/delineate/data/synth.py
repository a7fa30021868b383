"""SynthDataset: pictures that are made on demand, of whose objects everything is known.

Picture `i` depends on the seed and `i` alone, whichever process makes it, so a data set of a
million pictures costs nothing until they are asked for: training reads them without a disk.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from delineate.data.sample import ImageRecord, Problem, Sample
from delineate.errors import DataError

MADE = 2
"""Last word of the seeds of all that is made: those of `Loader` end in 0 (left out) or 1 there, and
streams of random numbers that begin alike would be the same."""

Laid = tuple[Stack, Callable[[], ImageArray]]
"""Where everything lies in a picture, and what paints it."""


class SynthDataset(ABC):
    """A data set of made pictures.

    Args:
        name: For reports.
        classes: What is labelled.
        count: Number of pictures.
        seed: Another seed, other pictures.
        first: Number of the first picture: those from 100 on are others than those up to 99.

    Raises:
        DataError: A number is negative.
    """

    def __init__(self, name: str, classes: ClassMap, count: int, seed: int, first: int) -> None:
        if min(count, seed, first) < 0:
            raise DataError(
                "expected a count of pictures, a seed and a first number from 0 on, got "
                f"{count}, {seed} and {first}: change what is negative."
            )
        self.name = name
        self.classes = classes
        self.problems: tuple[Problem, ...] = ()
        self._numbers = range(first, first + count)
        self._seed = seed
        self._last: tuple[int, Laid] | None = None

    @abstractmethod
    def _size(self, number: int) -> Size:
        """Return (height, width) of a picture, at little cost."""

    @abstractmethod
    def _lay_out(self, number: int) -> Laid:
        """Lay a picture out, with chance from `_chance(number)`."""

    def _chance(self, number: int, purpose: int = 0) -> np.random.Generator:
        """Return the chance that a picture has for one purpose; others do not take from it."""
        return np.random.default_rng([self._seed, number, purpose, MADE])

    @property
    def records(self) -> Sequence[ImageRecord]:
        """One record a picture, made when it is looked at."""
        return _Records(self._numbers, self._record)

    def _record(self, number: int) -> ImageRecord:
        name = f"synth_{self._seed}_{number:06d}.png"
        return ImageRecord(image_id=number + 1, name=name, path=None, size=self._size(number))

    def __len__(self) -> int:
        return len(self._numbers)

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
        number = self._numbers[index]
        if self._last is None or self._last[0] != number:
            self._last = number, self._lay_out(number)
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}


class _Records(Sequence[ImageRecord]):
    """Records that are made when they are looked at."""

    def __init__(self, numbers: range, make: Callable[[int], ImageRecord]) -> None:
        self._numbers = numbers
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> ImageRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ImageRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> ImageRecord | tuple[ImageRecord, ...]:
        if isinstance(index, slice):
            return tuple(map(self._make, self._numbers[index]))
        return self._make(self._numbers[index])


def write_synth(
    path: Path | str,
    dataset: SynthDataset,
    *,
    info: Mapping[str, Any],
    count: Callable[[int], Iterable[int]] = range,
) -> int:
    """Write made pictures as COCO's JSON, with all that is known of their objects.

    Every annotation has, beside COCO's keys, `amodal` (the whole mask, an RLE), `occlusion` (share
    of it that others hide, 0 to 1), `depth` (0 lies nearest) and `provenance`. Readers that do not
    know these keys pass over them.

    Args:
        path: The JSON file; the pictures go to `images/` beside it. See `write_coco`.
        dataset: What to write.
        info: What the file says of itself.
        count: See `write_coco`.

    Returns:
        The number of objects.

    Raises:
        DataError: See `write_coco`.
        OutputError: See `write_coco`.
    """
    objects = 0

    def columns(index: int) -> Iterator[Mapping[str, Any]]:
        nonlocal objects
        known = dataset.extras(index)
        objects += len(known.depth)
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

    write_coco(path, dataset, info=info, more=columns, count=count)
    return objects
