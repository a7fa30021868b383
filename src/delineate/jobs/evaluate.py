"""`delineate evaluate MODEL DATA`: run a model over annotated pictures and measure it."""

import json
from pathlib import Path
from typing import Any

from delineate import __version__
from delineate._files import make_folder, write_whole
from delineate.data.annotated import StopOrSkip
from delineate.data.derived import Relabelled
from delineate.data.formats import open_source
from delineate.data.sample import Dataset
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_result import COCO_LIMIT, CocoResult, kinds, limits_up_to
from delineate.evaluate.gallery import Gallery
from delineate.evaluate.report import text_report
from delineate.evaluate.report_html import write_report
from delineate.jobs.opening import (
    Say,
    counted,
    evaluation_source,
    not_a_run,
    plural,
    tell_problems,
    told_apart,
)
from delineate.models.api import SegModel
from delineate.predict.predictor import Predictor
from delineate.weights.load import load


def evaluate(
    model: str,
    data: Path,
    *,
    out: Path | None = None,
    images: Path | None = None,
    device: str | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    limit: int = COCO_LIMIT,
    say: Say,
) -> tuple[dict[str, Any], str]:
    """Measure a model as COCO does.

    Args:
        model: Run folder, checkpoint, or ``name:tag``.
        data: Annotations, or a data folder whose val split is taken, else its test split.
        out: Where ``metrics.json`` and ``report.html`` go. A run folder gets them without it, in
            ``evaluation-NAME`` for the split or NAME.json; otherwise none are written without it.
        images: Folder of the pictures, where it is not the usual one.
        format: Name of the data's format; None: found out.
        device: Where to run; the best there is without it.
        on_error: What broken records do.
        limit: Predictions of a class in an image that count, best first.
        say: Receives lines for the user.

    Returns:
        COCO's measures, and a table of them to read.
    """
    name, known, source = evaluation_source(data, format)
    loaded = load(model)
    dataset = open_source(known, source, images=images, on_error=on_error)
    tell_problems(dataset, say)
    if out is None and Path(model).is_dir():
        out = Path(model) / f"evaluation-{name}"
    dataset = Relabelled(dataset, loaded.classes)
    if out is not None:
        make_folder(not_a_run(out))  # a place that cannot be written shows before the long work
    given = getattr(loaded.config, "detections_per_image", limit)
    if limit > given:
        say(f"{model} gives at most {given} objects an image, so --max-dets {limit} is not reached")
    result, gallery = measure(loaded, dataset, device=device, limit=limit)
    if limit <= given < result.densest:
        say(f"{model} itself gives at most {given} objects an image, fewer than there are in some")
    if out is not None:
        report(out, result, gallery, model=model, dataset=dataset)
        write_whole(out / "metrics.json", json.dumps(result.to_json(), indent=1).encode())
        say(f"report in {out / 'report.html'}")
    return result.to_json(), text_report(result)


def measure(
    model: SegModel, dataset: Dataset, *, device: str | None = None, limit: int = COCO_LIMIT
) -> tuple[CocoResult, Gallery]:
    """Run a model over a data set, image by image, and keep the most telling pictures.

    Args:
        model: Any model.
        dataset: Of the model's classes, in the model's order.
        device: Where to run; the best there is without it.
        limit: Predictions of a class in an image that count, best first.
    """
    predictor = Predictor(model, device=device, score_threshold=0.0)
    metric = CocoMetric(
        model.classes, iou_types=kinds(masks=model.has_masks), max_dets=limits_up_to(limit)
    )
    gallery = Gallery(model.classes)
    for index in counted(len(dataset), "evaluate"):
        sample = dataset[index]
        found = predictor(sample.image)
        metric.update(
            sample.instances,
            found,
            image_id=sample.image_id,
            areas=dataset.areas(index),
            boxes=dataset.stated_boxes(index),
        )
        gallery.add(sample.name, sample.image, sample.instances, found)
    return metric.compute(), gallery


def report(
    folder: Path, result: CocoResult, gallery: Gallery, *, model: str, dataset: Dataset
) -> None:
    """Write ``report.html`` into `folder`."""
    facts = {"model": model, "data": dataset.name, "delineate": __version__}
    broken, unannotated = told_apart(dataset.problems)
    left_out = [plural(len(broken), "broken record")] if broken else []
    left_out += [f"{plural(len(unannotated), 'picture')} not annotated"] if unannotated else []
    if left_out:
        facts["left out"] = ", ".join(left_out)
    title = f"{Path(model).name} on {dataset.name}"
    write_report(folder / "report.html", result, title=title, facts=facts, gallery=gallery)
