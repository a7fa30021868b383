"""`delineate predict PICTURES --panoptic`: give the pixels of pictures to segments."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from delineate._files import make_folder
from delineate.core.draw import panoptic_overlay
from delineate.core.image import read_image, write_image
from delineate.core.panoptic import Panoptic
from delineate.data.annotated import StopOrSkip
from delineate.data.coco_panoptic_write import write_panoptic_results
from delineate.data.sample import ImageRecord
from delineate.errors import DataError, ImageError, ModelError
from delineate.jobs.opening import Say
from delineate.jobs.pictures import (
    OVERLAYS,
    SEGMENTS,
    bar,
    none_read,
    pictures_to_predict,
    stopped,
)
from delineate.predict.predictor import Predictor
from delineate.predict.writers import FilesOfImages
from delineate.train.stop import Stop
from delineate.weights.load import load


def predict_panoptic(
    sources: Sequence[str],
    model: str,
    out: Path,
    *,
    overlays: bool = True,
    device: str | None = None,
    on_error: StopOrSkip = "stop",
    say: Say,
) -> dict[str, Any]:
    """Find the segments of pictures, things and stuff, by the rules of the model's family.

    Args:
        sources: Pictures, folders, or patterns such as ``photos/*.jpg``.
        model: Run folder, checkpoint, or ``name:tag``.
        out: Receives ``panoptic.json`` and its maps in ``panoptic/``, in COCO's panoptic format,
            and ``overlays/``, none of which may be there already.
        overlays: Draw the segments on the pictures.
        device: Where to run; the best there is without it.
        on_error: "stop" before anything is computed if a picture is broken, or "skip" it.
        say: Receives lines for the user.

    Returns:
        What was written, and how many images, segments and skipped pictures there were.

    Raises:
        ModelError: The model answers with boxes alone.
    """
    pictures = pictures_to_predict(sources, out, on_error, say)
    loaded = load(model)
    if not loaded.has_masks:
        raise ModelError(f"expected a model with masks, got {model}, which answers with boxes.")
    make_folder(out)
    with Stop() as stop, bar(len(pictures)) as advance:
        answers = _Answers(
            Predictor(loaded, device=device),
            pictures,
            drawn=FilesOfImages(out / OVERLAYS, ".jpg") if overlays else None,
            on_error=on_error,
            is_enough=lambda: stop.requested,
            advance=advance,
            say=say,
        )
        try:
            write_panoptic_results(out / SEGMENTS, loaded.panoptic_classes, answers)
        except DataError:
            if answers.images or (answers.ended_by is None and answers.skipped < len(pictures)):
                raise
            raise answers.ended_by or none_read(len(pictures)) from None
    if answers.ended_by is not None:
        say(stopped(answers.images, len(pictures), out))
        raise answers.ended_by
    return {
        "out": str(out),
        "panoptic": str(out / SEGMENTS),
        "images": answers.images,
        "segments": answers.segments,
        "skipped": answers.skipped,
    }


class _Answers:
    """Each picture and its segments, up to the last one, a broken one, or when it is enough."""

    def __init__(
        self,
        predictor: Predictor,
        pictures: Sequence[Path],
        *,
        drawn: FilesOfImages | None,
        on_error: StopOrSkip,
        is_enough: Callable[[], bool],
        advance: Callable[[int], None],
        say: Say,
    ) -> None:
        self.images = self.segments = self.skipped = 0
        self.ended_by: BaseException | None = None
        self._predictor = predictor
        self._pictures = pictures
        self._drawn = drawn
        self._on_error = on_error
        self._is_enough = is_enough
        self._advance = advance
        self._say = say

    def __iter__(self) -> Iterator[tuple[ImageRecord, Panoptic]]:
        for picture, name in zip(self._pictures, _names(self._pictures), strict=True):
            if self._is_enough():
                self.ended_by = KeyboardInterrupt()
                return
            try:
                image = read_image(picture)
            except ImageError as error:
                if self._on_error == "stop":
                    self.ended_by = error
                    return
                self._say(f"skipped {error}")
                self.skipped += 1
                continue
            whole = self._predictor.panoptic(image)
            size, number = whole.image_size, self.images + 1
            yield ImageRecord(image_id=number, name=name, path=picture, size=size), whole
            self.images, self.segments = number, self.segments + len(whole.segments)
            if self._drawn is not None:
                write_image(self._drawn.next(name), panoptic_overlay(image, whole))
            self._advance(self.images + self.skipped)


def _names(pictures: Sequence[Path]) -> list[str]:
    """Return a name for each: its file's, and where several are called so, their folders', too."""
    alike: dict[str, list[str]] = {}
    for picture in pictures:
        alike.setdefault(picture.name, []).append(os.path.abspath(picture))
    names = []
    for picture in pictures:
        places = alike[picture.name]
        is_alone = len(places) == 1
        above = os.path.commonpath(places) if not is_alone else ""
        names.append(picture.name if is_alone else os.path.relpath(picture, above))
    return names
