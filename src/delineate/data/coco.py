"""Read data sets in COCO's format: one JSON file, its pictures in `images/` beside it.

The format: https://cocodataset.org/#format-data. Instances have the annotation's id, and `crowd`
where `iscrowd` is 1. Their boxes are computed from the masks, whatever the file's `bbox` says: the
mask is the truth. An outline that covers no pixel gives an empty mask and a box of no size.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.image import read_image
from delineate.core.instances import Instances
from delineate.core.json_file import kind, read_json
from delineate.core.masks import Masks
from delineate.data.coco_checks import Annotation, check_annotations, check_images
from delineate.data.sample import ImageRecord, Problem, Sample
from delineate.data.segmentations import expand
from delineate.errors import ConfigError, DataError

OnError = Literal["stop", "skip"]

_SHOWN_PROBLEMS = 5
_HELD_BYTES = 100_000_000  # of masks that stay in memory
_OBJECT_BYTES = 500  # what an object takes beside the runs of its mask, about
_EXPECTED = "a COCO data set (an object with the lists images, annotations and categories)"


class CocoDataset:
    """A data set read by `read_coco`. Masks are rasterised when their image is asked for.

    Those of the images asked for first stay in memory: reading them again and again is a good part
    of the loader's work where images are crowded.

    Args:
        name: A short name for reports.
        classes: The file's categories.
        records: Its sound images.
        annotations: Its sound annotations, of these images.
        problems: What was left out.
    """

    def __init__(
        self,
        *,
        name: str,
        classes: ClassMap,
        records: Sequence[ImageRecord],
        annotations: Sequence[Annotation],
        problems: Sequence[Problem],
    ) -> None:
        self.name = name
        self.classes = classes
        self.records = tuple(records)
        self.problems = tuple(problems)
        place = {record.image_id: i for i, record in enumerate(self.records)}
        owner = np.array([place[a.image_id] for a in annotations], dtype=np.int64)
        order = np.argsort(owner, kind="stable")
        # The annotations of image i are rows _first[i] .. _first[i + 1] of every column.
        self._first = np.searchsorted(owner[order], np.arange(len(self.records) + 1))
        self._ids = np.array([a.id for a in annotations], dtype=np.int64)[order]
        self._labels = np.array([a.label for a in annotations], dtype=np.int64)[order]
        self._crowd = np.array([a.crowd for a in annotations], dtype=np.bool_)[order]
        self._areas = np.array([a.area for a in annotations], dtype=np.float64)[order]
        boxes = np.array([a.box for a in annotations], dtype=np.float64)
        self._boxes = boxes.reshape(-1, 4)[order]
        self._segmentations = [annotations[i].segmentation for i in order]
        self._held: dict[int, Instances] = {}
        self._room = _HELD_BYTES

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        assert record.path is not None
        return Sample(
            image=read_image(record.path),
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

    def _mask_areas(self, index: int) -> npt.NDArray[np.int64]:
        masks = self.instances(index).masks
        assert masks is not None
        return masks.areas

    def _rows(self, index: int) -> slice:
        index = range(len(self))[index]
        return slice(int(self._first[index]), int(self._first[index + 1]))


def _bytes(instances: Instances) -> int:
    runs = () if instances.masks is None else instances.masks.runs
    return _OBJECT_BYTES * (1 + len(instances)) + sum(run.nbytes for run in runs)


def read_coco(
    path: Path | str, *, images: Path | str | None = None, on_error: OnError = "stop"
) -> CocoDataset:
    """Open a data set in COCO's format.

    The whole file is checked, and the header and end of every picture; no pixels are read.

    Args:
        path: The JSON file.
        images: Folder of the pictures. By default each is looked for in `images/` beside the file,
            then beside the file itself.
        on_error: What broken records do: "stop" raises, "skip" leaves exactly them out and lists
            them as `problems`. An image that is left out takes its annotations with it.

    Raises:
        DataError: The file is no COCO data set, a record is broken and `on_error` is "stop", or no
            image is left.
    """
    if on_error not in ("stop", "skip"):
        raise ConfigError(f"on_error must be 'stop' or 'skip', got {on_error!r}: choose one.")
    path = Path(path)
    content = read_content(path)
    try:
        classes = ClassMap.from_coco(content["categories"])
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    folders = picture_folders(path, images)

    looked_at = check_images(content["images"], folders)
    records = [record for record in looked_at if isinstance(record, ImageRecord)]
    kept = {record.image_id: record for record in records}
    ids = (image.get("id") for image in content["images"])
    left_out = {i for i in ids if isinstance(i, int) and i not in kept}
    checked = check_annotations(content["annotations"], kept, left_out, classes)
    problems = [p for p in (*looked_at, *checked) if isinstance(p, Problem)]

    if not records:
        raise DataError(
            f"{path}: expected images, but none of its {len(looked_at)} can be used (the first: "
            f"{problems[0].where}: {problems[0].why}): {problems[0].fix}."
        )
    if problems and on_error == "stop":
        raise DataError(listing(path, problems))
    return CocoDataset(
        name=f"{path.resolve().parent.name}/{path.stem}",
        classes=classes,
        records=records,
        annotations=[a for a in checked if isinstance(a, Annotation)],
        problems=problems,
    )


def read_content(path: Path) -> dict[str, list[Any]]:
    """Read the file and check its outermost structure."""
    content = read_json(path)
    if not isinstance(content, dict):
        first = content[0] if isinstance(content, list) and content else None
        of_results = isinstance(first, dict) and "score" in first
        got = "COCO results (a list of predictions)" if of_results else kind(content)
        raise DataError(f"{path}: expected {_EXPECTED}, got {got}: name the annotation file.")
    for key in ("images", "annotations", "categories"):
        if key not in content:
            raise DataError(f"{path}: expected {_EXPECTED}, got {kind(content)}: name such a file.")
        if not isinstance(content[key], list):
            raise DataError(
                f"{path}: expected a list as {key!r}, got {kind(content[key])}: export it again."
            )
        for position, record in enumerate(content[key]):
            if not isinstance(record, dict):
                raise DataError(
                    f"{path}: expected objects in {key!r}, got {kind(record)} at place "
                    f"{position + 1}: export it again."
                )
    for key in ("images", "categories"):
        if not content[key]:
            raise DataError(f"{path}: expected at least one of {key!r}, got none: export it again.")
    return content


def picture_folders(path: Path, images: Path | str | None) -> list[Path]:
    """Return where pictures are looked for."""
    if images is None:
        beside = path.parent / "images"
        return [beside, path.parent] if beside.is_dir() else [path.parent]
    if not os.path.isdir(images):
        raise DataError(
            f"{images}: expected the folder of the pictures, found no folder there: check --images."
        )
    return [Path(images)]


def listing(path: Path, problems: Sequence[Problem], *, skip: bool = True) -> str:
    """Return the sentence about broken records; `skip`: whether they can be left out."""
    shown = "; ".join(f"{p.where}: {p.why}" for p in problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    return (
        f"{path}: {len(problems)} broken record{'s' * (len(problems) > 1)} "
        f"({shown}{f'; and {more} more' if more > 0 else ''}): mend them"
        f"{', or pass --on-error skip to leave them out' if skip else ''}."
    )
