"""`delineate evaluate MODEL DATA --panoptic`: a model's segments, image by image."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from delineate._files import make_folder
from delineate.core.classes import ClassMap
from delineate.core.panoptic import relabelled
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco import OnError
from delineate.data.formats import open_dataset
from delineate.data.panoptic_parts import PanopticRelabelled, as_panoptic
from delineate.jobs.evaluate_panoptic_results import measure, told
from delineate.jobs.opening import Say, annotation_file, not_a_run, tell_problems
from delineate.predict.predictor import Predictor
from delineate.weights.load import load


def evaluate_panoptic(
    model: str,
    data: Path,
    *,
    out: Path | None = None,
    images: Path | None = None,
    device: str | None = None,
    on_error: OnError = "stop",
    say: Say,
) -> tuple[dict[str, Any], str]:
    """Run a model over panoptic data and measure its segments.

    Classes are matched by name, and the model must have all of the data set's; stuff may be missing
    from one that knows none, and counts as missed then.

    Args:
        model: Run folder, checkpoint, or ``name:tag``.
        data: The truth in COCO's panoptic format, or a folder whose val.json is taken.
        out: Where ``metrics.json`` goes; by default, of a run folder, into ``panoptic-NAME``.
        images: Folder of the pictures, where it is not the usual one.
        device: Where to run; the best there is without it.
        on_error: What broken records do.
        say: Receives lines for the user.

    Returns:
        As `evaluate_panoptic_results`.

    Raises:
        ClassMismatch: The data set has a class that the model lacks.
        DataError: As `evaluate_panoptic_results`, or the data set is not panoptic.
    """
    annotations = annotation_file(data)
    predictor = Predictor(load(model), device=device)
    truth = as_panoptic(open_dataset(annotations, images=images, on_error=on_error))
    tell_problems(truth, say)
    classes = predictor.panoptic_classes
    if not len(classes.stuff):
        say(f"{model} knows no stuff: what there is of it in {truth.name} counts as missed")
        classes = _with_stuff(classes.things, truth.panoptic_classes.stuff.names)
    truth = PanopticRelabelled(truth, classes)
    if out is None and Path(model).is_dir():
        out = Path(model) / f"panoptic-{annotations.stem}"
    if out is not None:
        make_folder(not_a_run(out))
    console = Console(stderr=True)
    pairs = (
        (
            truth.panoptic(i),
            relabelled(predictor.panoptic(truth[i].image), classes),
            truth.segment_areas(i).tolist(),
        )
        for i in track(
            range(len(truth)),
            "evaluate",
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )
    return told(*measure(pairs, classes), out)


def _with_stuff(things: ClassMap, names: Sequence[str]) -> PanopticClasses:
    """Return the classes of a model of things and the stuff of a truth, under ids that are free."""
    first = max(things.source_ids, default=0) + 1
    return PanopticClasses(things, ClassMap(tuple(names), tuple(range(first, first + len(names)))))
