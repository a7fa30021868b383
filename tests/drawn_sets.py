"""Data sets made of bitmaps, without files."""

from collections.abc import Sequence

import numpy as np

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import ImageRecord, Problem, Sample

Scene = tuple[tuple[int, int], list[np.ndarray], list[int]]
"""Size, bitmaps and labels of an image."""


class Drawn:
    """Images whose objects are bitmaps; the picture of image i is grey of that shade."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        names: Sequence[str] = ("cat", "dog"),
        crowd: dict[int, Sequence[bool]] | None = None,
        files: Sequence[str] | None = None,
    ) -> None:
        self.name = "drawn"
        self.classes = ClassMap.from_names(names)
        self.problems: Sequence[Problem] = ()
        self._scenes, self._crowd = scenes, crowd or {}
        self.records = tuple(
            ImageRecord(
                image_id=i + 1,
                name=f"{i}.png" if files is None else files[i],
                path=None,
                size=size,
            )
            for i, (size, _, _) in enumerate(scenes)
        )

    def __len__(self) -> int:
        return len(self._scenes)

    def __getitem__(self, index: int) -> Sample:
        size, name = self._scenes[index][0], self.records[index].name
        image = np.full((*size, 3), index % 256, np.uint8)
        return Sample(image=image, instances=self.instances(index), image_id=index + 1, name=name)

    def instances(self, index: int) -> Instances:
        size, bitmaps, labels = self._scenes[index]
        masks = Masks.from_bitmaps(bitmaps, size)
        return Instances(
            image_size=size,
            boxes=masks.boxes(),
            labels=labels,
            masks=masks,
            crowd=self._crowd.get(index),
        )

    def areas(self, index: int) -> np.ndarray:
        return self.instances(index).masks.areas.astype(float)

    def stated_boxes(self, index: int) -> np.ndarray:
        raise NotImplementedError


def rectangle(size: tuple[int, int], x: int, y: int, w: int, h: int) -> np.ndarray:
    bitmap = np.zeros(size, bool)
    bitmap[y : y + h, x : x + w] = True
    return bitmap
