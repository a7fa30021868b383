"""`delineate predict PICTURES`: find the objects in pictures and write them down."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from delineate._files import make_folder
from delineate.data.annotated import StopOrSkip
from delineate.errors import ImageError, OutputError
from delineate.jobs.opening import Say
from delineate.jobs.pictures import (
    LABEL_MASKS,
    OVERLAYS,
    RESULTS,
    bar,
    none_read,
    pictures_to_predict,
    stopped,
)
from delineate.predict.predictor import Predictor
from delineate.predict.writers import CocoResultsWriter, LabelMaskWriter, OverlayWriter, Writer
from delineate.weights.load import load


def predict(
    sources: Sequence[str],
    model: str,
    out: Path,
    *,
    score: float = 0.5,
    overlays: bool = True,
    label_masks: bool = False,
    batch_size: int = 1,
    device: str | None = None,
    on_error: StopOrSkip = "stop",
    say: Say,
) -> dict[str, Any]:
    """Find the objects in pictures.

    Args:
        sources: Pictures, folders, or patterns such as ``photos/*.jpg``.
        model: Run folder, checkpoint, or ``name:tag``.
        out: Receives ``predictions.json`` and, where asked for, ``overlays/`` and ``label_masks/``,
            none of which may be there already.
        score: Objects that score less are left out.
        overlays: Draw the objects on the pictures.
        label_masks: Write PNGs whose pixels are object numbers.
        batch_size: Pictures at a time.
        device: Where to run; the best there is without it.
        on_error: "stop" before anything is computed if a picture is broken, or "skip" it.
        say: Receives lines for the user.

    Returns:
        What was written, and how many images, objects and skipped pictures there were.
    """
    pictures = pictures_to_predict(sources, out, on_error, say)
    loaded = load(model)
    predictor = Predictor(loaded, device=device, score_threshold=score, batch_size=batch_size)
    make_folder(out)
    writers: list[Writer] = [CocoResultsWriter(out / RESULTS, loaded.classes)]
    if overlays:
        writers.append(OverlayWriter(out / OVERLAYS, loaded.classes))
    if label_masks:
        writers.append(LabelMaskWriter(out / LABEL_MASKS))
    images = objects = 0
    stream = predictor.stream(pictures, on_error=on_error)
    try:
        with ExitStack() as stack:
            advance = stack.enter_context(bar(len(pictures)))
            for writer in writers:
                stack.enter_context(writer)
            for prediction in stream:
                for writer in writers:
                    writer.write(prediction)
                images, objects = images + 1, objects + len(prediction.instances)
                advance(images + len(stream.skipped))
            for skipped in stream.skipped:
                say(f"skipped {skipped.why}")
            if not images:
                raise none_read(len(pictures))
    except (KeyboardInterrupt, ImageError, OutputError):
        if images:
            say(stopped(images, len(pictures), out))
        raise
    return {
        "out": str(out),
        "predictions": str(out / RESULTS),
        "images": images,
        "objects": objects,
        "skipped": len(stream.skipped),
    }
