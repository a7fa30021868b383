"""Where predictions go: overlays to look at, COCO results, label masks.

A writer is a context; in it, every file appears whole or not at all::

    with CocoResultsWriter("out/predictions.json", predictor.classes) as writer:
        for prediction in predictor.stream(sources("photos")):
            writer.write(prediction)
"""

import contextlib
import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from delineate._files import make_folder, output_error, writing_whole
from delineate.core.boxes import xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.draw import overlay
from delineate.core.image import write_image
from delineate.core.instances import Instances
from delineate.errors import DataError, ImageError
from delineate.predict.predictor import Prediction

_MOST_OBJECTS = 2**16 - 1  # what the pixels of a 16-bit PNG can count to


class Writer(ABC):
    """Takes predictions one by one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @abstractmethod
    def write(self, prediction: Prediction, *, image_id: int | None = None) -> None:
        """Write the prediction for one image.

        Args:
            prediction: What was found.
            image_id: The data set's id of the image, for formats that know it by a number.

        Raises:
            OutputError: The place cannot be written, or the disk is full.
        """


class OverlayWriter(Writer):
    """Writes each image with what was found in it drawn on it, as a JPEG.

    Args:
        folder: Where the pictures go, named after their images; made if needed.
        classes: What the labels mean.

    Raises:
        OutputError: The folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str], classes: ClassMap) -> None:
        self._files = FilesOfImages(folder, ".jpg")
        self._classes = classes

    def write(self, prediction: Prediction, *, image_id: int | None = None) -> None:
        """Write one picture; see `Writer.write`."""
        drawn = overlay(prediction.image, prediction.instances, self._classes)
        write_image(self._files.next(prediction.name), drawn)


class LabelMaskWriter(Writer):
    """Writes each image's objects as one 16-bit grey PNG: 0 for nothing, i + 1 for prediction i.

    Where masks overlap the one with the higher score is seen.

    Args:
        folder: Where the pictures go, named after their images; made if needed.

    Raises:
        OutputError: The folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._files = FilesOfImages(folder, ".png")

    def write(self, prediction: Prediction, *, image_id: int | None = None) -> None:
        """Write one label mask; see `Writer.write`.

        Raises:
            DataError: There are no masks, or more than 65535.
        """
        found = prediction.instances
        if found.masks is None or len(found) > _MOST_OBJECTS:
            got = "boxes only" if found.masks is None else f"{len(found)} masks"
            raise DataError(
                f"{prediction.name}: expected up to {_MOST_OBJECTS} masks for a label mask, got "
                f"{got}: write COCO results instead."
            )
        assert found.scores is not None, "models give scores"
        worst_first = np.argsort(found.scores, kind="stable")
        labels = found.masks.label_map(worst_first.tolist())
        write_image(self._files.next(prediction.name), labels.astype(np.uint16))


class CocoResultsWriter(Writer):
    """Writes all predictions as one JSON file in COCO's result format, as they come.

    Every entry also has ``file_name``, the name of its image, which evaluators ignore: the format
    itself knows images by number only. Masks are compressed RLEs. Floats are written exactly, so
    that evaluating the file gives the numbers that evaluating the predictions would.

    If the context ends by Ctrl-C or at an image that cannot be read, the file appears with what had
    been predicted by then, if anything had. If it ends by another error the file does not appear.

    Args:
        path: The JSON file; its folder is made if needed.
        classes: What the labels mean; their source ids are written.

    Raises:
        OutputError: The place cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str], classes: ClassMap) -> None:
        self._path = Path(path)
        self._classes = classes
        self._images = 0
        self._end = 0
        self._draft = contextlib.ExitStack()
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        make_folder(self._path.parent)
        self._file = self._draft.enter_context(writing_whole(self._path))
        self._put(b"[")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        cut_short = kind is not None and issubclass(kind, KeyboardInterrupt | ImageError)
        if kind is not None and not (cut_short and self._images):
            stop = GeneratorExit()
            self._draft.__exit__(GeneratorExit, stop, None)
            return
        with self._draft:
            self._file.seek(self._end)
            self._file.truncate()
            self._file.write(b"\n]\n")

    def write(self, prediction: Prediction, *, image_id: int | None = None) -> None:
        """Write the results of one image; see `Writer.write`.

        Args:
            prediction: What was found.
            image_id: The data set's id of the image; by default images are numbered from 1 on.
        """
        self._images += 1
        number = self._images if image_id is None else image_id
        results = _results(prediction.instances, self._classes, number, prediction.name)
        comma = "," if self._end > 1 else ""
        lines = ",".join(f"\n{json.dumps(result)}" for result in results)
        if lines:
            self._put((comma + lines).encode())

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise output_error(self._path, error) from error
        self._end += len(data)


def _results(found: Instances, classes: ClassMap, image_id: int, name: str) -> list[dict[str, Any]]:
    assert found.scores is not None, "models give scores"
    columns = zip(
        found.labels.tolist(),
        found.scores.tolist(),
        xyxy_to_xywh(found.boxes).tolist(),
        [None] * len(found) if found.masks is None else found.masks.to_coco(),
        strict=True,
    )
    results = []
    for label, score, box, mask in columns:
        result = {
            "image_id": image_id,
            "file_name": name,
            "category_id": classes.source_id(label),
            "score": score,
            "bbox": box,
        }
        results.append(result if mask is None else {**result, "segmentation": mask})
    return results


class FilesOfImages:
    """Names for one file per image in a folder, made at once; equal names get a number."""

    def __init__(self, folder: str | os.PathLike[str], suffix: str) -> None:
        self._folder = Path(folder)
        self._suffix = suffix
        self._used: set[str] = set()
        make_folder(self._folder)

    def next(self, name: str) -> Path:
        """Return the path for the image called `name`."""
        stem = unique = Path(name).stem or "image"
        number = 1
        while unique.casefold() in self._used:
            number += 1
            unique = f"{stem}_{number}"
        self._used.add(unique.casefold())
        return self._folder / f"{unique}{self._suffix}"
