"""`delineate predict PICTURES`: find the objects in pictures and write them down."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from delineate._files import make_folder
from delineate.core.image import check_file
from delineate.data.coco import OnError
from delineate.errors import DataError, ImageError, OutputError
from delineate.jobs.opening import Say, not_a_run, plural
from delineate.predict.predictor import Predictor
from delineate.predict.sources import sources as find_images
from delineate.predict.writers import CocoResultsWriter, LabelMaskWriter, OverlayWriter, Writer
from delineate.weights.load import load

_SHOWN = 5

RESULTS, OVERLAYS, LABEL_MASKS = "predictions.json", "overlays", "label_masks"


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
    on_error: OnError = "stop",
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
    pictures = list(find_images(sources))
    _without_results(not_a_run(out))
    if on_error == "stop":
        _check(pictures)
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
            advance = stack.enter_context(_bar(len(pictures)))
            for writer in writers:
                stack.enter_context(writer)
            for prediction in stream:
                for writer in writers:
                    writer.write(prediction)
                images, objects = images + 1, objects + len(prediction.instances)
                advance.update(images + len(stream.skipped))
            for skipped in stream.skipped:
                say(f"skipped {skipped.why}")
            if not images:
                raise DataError(
                    f"none of the {len(pictures)} pictures could be read: see the list above."
                )
    except (KeyboardInterrupt, ImageError, OutputError):
        if images:
            say(f"stopped after {images} of {len(pictures)} pictures; their results are in {out}")
        raise
    return {
        "out": str(out),
        "predictions": str(out / RESULTS),
        "images": images,
        "objects": objects,
        "skipped": len(stream.skipped),
    }


def _check(pictures: Sequence[Path]) -> None:
    """Refuse pictures that cannot be read, all in one sentence, before the work."""
    broken = []
    for picture in pictures:
        try:
            check_file(picture)
        except ImageError as error:
            if len(pictures) == 1:
                raise
            broken.append(str(error).removesuffix("."))
    if broken:
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise ImageError(
            f"{len(broken)} of {len(pictures)} pictures cannot be used: "
            f"{'; '.join(broken[:_SHOWN])}{more}; mend them, or pass --on-error skip to leave them "
            "out."
        )


def _without_results(out: Path) -> None:
    """Refuse a folder where results of an earlier run would stay beside the new ones."""
    found = [RESULTS] if (out / RESULTS).exists() else []
    for name in (OVERLAYS, LABEL_MASKS):
        count = len(list((out / name).iterdir())) if (out / name).is_dir() else 0
        found += [f"{count} file(s) in {name}/"] if count else []
    if found:
        raise OutputError(
            f"expected a folder without results as --out, got {out}, which holds "
            f"{' and '.join(found)}: choose another folder, or remove them first."
        )


class _Advance:
    """How far a bar is."""

    def __init__(self, bar: Progress, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("predict", total=total)

    def update(self, done: int) -> None:
        self._bar.update(self._task, completed=done)


@contextmanager
def _bar(total: int) -> Iterator[_Advance]:
    """Show a bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        yield _Advance(bar, total)


def summary(result: dict[str, Any]) -> str:
    """Return the closing words of a prediction."""
    skipped = f", {plural(result['skipped'], 'picture')} skipped" if result["skipped"] else ""
    found = f"{plural(result['objects'], 'object')} in {plural(result['images'], 'picture')}"
    return f"{found}{skipped}\nresults in {result['out']}"
