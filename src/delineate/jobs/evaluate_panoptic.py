"""`delineate evaluate MODEL DATA --panoptic`: a model's segments, image by image."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from delineate._files import make_folder
from delineate.core.classes import ClassMap
from delineate.core.panoptic import relabelled
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.annotated import StopOrSkip
from delineate.data.formats import open_source
from delineate.data.panoptic_parts import PanopticRelabelled, as_panoptic
from delineate.errors import ClassMismatch
from delineate.jobs.evaluate_panoptic_results import Pair, measure, told
from delineate.jobs.opening import Say, counted, evaluation_source, not_a_run, tell_problems
from delineate.predict.predictor import Predictor
from delineate.weights.load import load


def evaluate_panoptic(
    model: str,
    data: Path,
    *,
    out: Path | None = None,
    images: Path | None = None,
    device: str | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
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
        format: Name of the data's format; None: found out.
        on_error: What broken records do.
        say: Receives lines for the user.

    Returns:
        As `evaluate_panoptic_results`; classes have the ids of the data set.

    Raises:
        ClassMismatch: The data set has a class that the model lacks, or has as the other kind.
        DataError: As `evaluate_panoptic_results`, or the data set is not panoptic.
        ModelError: The model has no masks.
    """
    name, known, source = evaluation_source(data, format)
    predictor = Predictor(load(model), device=device)
    truth = as_panoptic(open_source(known, source, images=images, on_error=on_error))
    tell_problems(truth, say)
    classes = _table(predictor.panoptic_classes, truth.panoptic_classes, model)
    truth = PanopticRelabelled(truth, classes)
    if len(classes.stuff) > len(predictor.panoptic_classes.stuff):
        say(f"{model} knows no stuff: what there is of it in {truth.name} counts as missed")
    if out is None and Path(model).is_dir():
        out = Path(model) / f"panoptic-{name}"
    if out is not None:
        make_folder(not_a_run(out))
    result = told(*measure(_pairs(predictor, truth), classes), out)
    if out is not None:
        say(f"metrics in {out / 'metrics.json'}")
    return result


def _pairs(predictor: Predictor, truth: PanopticRelabelled) -> Iterator[Pair]:
    """Yield what is true and what is found, an image at a time."""
    for i in counted(len(truth), "evaluate"):
        picture = truth.records[i].path
        assert picture is not None, "formats that are read know where their pictures lie"
        found = relabelled(predictor.panoptic(picture), truth.panoptic_classes)
        yield truth.panoptic(i), found, truth.segment_areas(i).tolist()


def _table(known: PanopticClasses, truth: PanopticClasses, model: str) -> PanopticClasses:
    """Return the classes that are measured: the model's, with the ids that the truth gives them.

    A model without stuff gets that of the truth.
    """
    if twice := sorted(set(known.things.names) & set(truth.stuff.names)):
        raise ClassMismatch(
            f"expected classes of one kind, got {', '.join(twice)}: a thing for {model}, and stuff "
            "in the data set; say the same in both."
        )
    ids = dict(zip(truth.names, truth.source_ids, strict=True))
    free = count(max(truth.source_ids, default=0) + 1)

    def half(names: tuple[str, ...]) -> ClassMap:
        return ClassMap(names, tuple(ids[n] if n in ids else next(free) for n in names))

    return PanopticClasses(half(known.things.names), half(known.stuff.names or truth.stuff.names))
