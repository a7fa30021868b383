"""Collector: gathers what a reader finds, and what is wrong with the rest.

A reader knows its format and nothing else. Which pictures can be used, whether a mask can be read
and has a pixel, how classes and annotations are numbered, and what becomes of broken records is
decided here, once for all formats.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.data.annotated import (
    AnnotatedDataset,
    Annotation,
    OnError,
    ReadPicture,
    settle,
)
from delineate.data.pictures import Broken, check_inside, checked_size, in_threads, lies_at
from delineate.data.sample import UNANNOTATED, ImageRecord, Problem
from delineate.data.segmentations import Compact, compact, reaches
from delineate.errors import DataError, nearest

OBJECT, ANNOTATION = PARTS = ("the object left out", "that annotation left out")
"""What is missing for a part of a picture; all other `Problem.action` are about all of it."""

_WHOLE = "the image and its objects left out"


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture that annotations name.

    Attributes:
        name: Unique in its data set.
        places: Paths at which its file may lie, in order.
        size: (height, width) as the annotations state it; None: they do not.
        held: (height, width) of a picture that the annotations hold themselves; it has no place.
    """

    name: str
    places: Sequence[Path]
    size: Size | None = None
    held: Size | None = None


class Collector:
    """Gathers the pictures and objects of one data set.

    Images are numbered from 1 in the order in which they are listed, annotations in the order in
    which they come.

    Args:
        source: The file or folder that is read, for messages.
        classes: The classes that the source lists; None: the names that its objects have, sorted.
        otherwise: The class where `classes` is None and there is no object; None: refuse that.
    """

    def __init__(
        self,
        source: Path,
        *,
        classes: ClassMap | Sequence[str] | None = None,
        otherwise: str | None = None,
    ) -> None:
        self._source = source
        if classes is not None and not isinstance(classes, ClassMap):
            classes = ClassMap.from_names(classes)
        self._classes = classes
        self._otherwise = otherwise
        self._known = frozenset(() if classes is None else classes.names)
        self._hints: dict[str, str] = {}
        self._dropped: set[int] = set()
        self._records: list[ImageRecord] = []
        self._objects: list[tuple[str, Annotation]] = []
        self._problems: list[Problem] = []
        self._names: set[str] = set()
        self._class_names: set[str] = set()
        self._listed = self._added = 0

    def pictures(self, listed: Sequence[Listed]) -> dict[str, ImageRecord]:
        """Look at the header and the end of each picture; return the sound ones by name."""
        sound: dict[str, ImageRecord] = {}
        for picture, looked_at in zip(listed, in_threads(_look, listed), strict=True):
            self._listed += 1
            where, action = f"image {picture.name!r}", _WHOLE
            if picture.name in self._names:
                twice = Broken(
                    "it is listed already", "join the two records", "picture_listed_twice"
                )
                self._problem(where, twice, "the second record left out")
            elif isinstance(looked_at, Broken):
                self._problem(where, looked_at, action)
            else:
                path, size = looked_at
                record = ImageRecord(image_id=self._listed, name=picture.name, path=path, size=size)
                sound[picture.name] = record
                self._records.append(record)
            self._names.add(picture.name)
        return sound

    @contextlib.contextmanager
    def judging(self, where: str, action: str = OBJECT) -> Iterator[None]:
        """Make a Problem of what goes wrong in a block: a `Broken` record or a `DataError`.

        Args:
            where: The record, such as ``image 'a.jpg', shape 3``.
            action: What is missing from the data set then.
        """
        try:
            yield
        except Broken as broken:
            self._problem(where, broken, action)
        except DataError as error:
            self._problem(where, Broken.by(error), action)

    @contextlib.contextmanager
    def judging_picture(self, record: ImageRecord) -> Iterator[None]:
        """Make a Problem of what goes wrong in a block, and drop the picture.

        For what tells of all objects of a picture: without it the picture would be one in which
        there are none.
        """
        with self.judging(f"image {record.name!r}", _WHOLE):
            try:
                yield
            except (Broken, DataError):
                self.drop(record)
                raise

    def unannotated(self, name: str) -> None:
        """Tell of a picture, by its name, that nobody has annotated."""
        fix = "annotate it (a file without objects says that it shows none), or move it away"
        broken = Broken("no file of annotations tells of it", fix, UNANNOTATED)
        self._problem(f"image {name!r}", broken, "the image left out", name)

    def drop(self, record: ImageRecord) -> None:
        """Leave out a picture that `pictures` returned, and its objects; say so as a Problem."""
        self._dropped.add(record.image_id)

    def add(
        self,
        record: ImageRecord,
        name: str,
        segmentation: Any,  # noqa: ANN401 - a stranger's numbers
        *,
        crowd: bool = False,
    ) -> None:
        """Take an object.

        Args:
            record: Its image, one that `pictures` returned.
            name: Its class.
            segmentation: COCO's polygons or RLE, of the image's size; or `delineate.core.rle.Runs`.
            crowd: Whether it is a region to be ignored.

        Raises:
            Broken: It has no class that the source lists, or its mask no pixel in the picture.
            DataError: The segmentation cannot be read.
        """
        self._added += 1
        if not isinstance(name, str) or not name.strip():
            raise Broken("it has no class", "name its class")
        if self._classes is not None and name not in self._known:
            if name not in self._hints:
                self._hints[name] = nearest(name, self._known).rstrip(".?")
            raise Broken(
                f"its class {name!r} is none of those that the data set lists",
                self._hints[name],
                "unknown_category",
            )
        if self._classes is None and name not in self._class_names:
            ClassMap.from_names([name])
            self._class_names.add(name)
        held = _held(segmentation, record.size)
        if not reaches(held, record.size):
            raise Broken(
                "its mask has no pixel in the picture",
                "draw it anew, or remove the object",
                "mask_outside",
            )
        annotation = Annotation(
            id=self._added,
            image_id=record.image_id,
            label=-1,
            crowd=crowd,
            area=math.nan,
            box=(math.nan,) * 4,
            segmentation=held,
        )
        self._objects.append((name, annotation))

    def dataset(
        self, name: str, on_error: OnError, read_picture: ReadPicture | None = None
    ) -> AnnotatedDataset:
        """Return what was gathered; without objects it may have no class.

        Args:
            name: A short name for reports.
            on_error: What broken records do.
            read_picture: Gives the pixels of the pictures that the annotations hold.

        Raises:
            DataError: No picture can be used, or something is broken and `on_error` is "stop".
        """
        records = [r for r in self._records if r.image_id not in self._dropped]
        objects = [(n, a) for n, a in self._objects if a.image_id not in self._dropped]
        settle(self._source, self._listed, len(records), self._problems, on_error)
        classes = self._classes
        if classes is None:
            names = sorted({name for name, _ in objects})
            if not names and self._otherwise is not None:
                names = [self._otherwise]
            classes = ClassMap.from_names(names, from_objects=True)
        label = {name: i for i, name in enumerate(classes.names)}
        return AnnotatedDataset(
            name=name,
            classes=classes,
            records=records,
            annotations=[a._replace(label=label[name]) for name, a in objects],
            problems=self._problems,
            read_picture=read_picture,
        )

    def _problem(self, where: str, broken: Broken, action: str, name: str = "") -> None:
        self._problems.append(
            Problem(
                where=where,
                why=broken.why,
                fix=broken.fix,
                action=action,
                kind=broken.kind,
                name=name,
            )
        )


def _look(picture: Listed) -> tuple[Path | None, Size] | Broken:
    try:
        check_inside(picture.name)
        if picture.held is not None:
            return None, picture.held
        path = lies_at(picture.places)
        return path, checked_size(path, picture.size)
    except Broken as broken:
        return broken


def _held(segmentation: Any, size: Size) -> Compact:  # noqa: ANN401 - a stranger's numbers
    if isinstance(segmentation, np.ndarray):
        return rle.to_string(segmentation, size)
    return compact(segmentation, size)
