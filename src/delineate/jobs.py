"""What each verb of the command line does, as a function: the rooms joined into whole jobs.

Importing this module is cheap; a job imports the rooms it needs when it runs, so that asking for
help never waits for torch.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from delineate._files import write_whole
from delineate.errors import DataError, OutputError

if TYPE_CHECKING:
    from delineate.data.sample import Dataset

OnError = Literal["stop", "skip"]
Say = Callable[[str], None]
"""Where a job tells the user what happens: the command line prints it on stderr."""

SHOWN_PROBLEMS = 10


def tell_problems(dataset: "Dataset", say: Say) -> None:
    """Tell which broken records of a data set were left out."""
    problems = dataset.problems
    if problems:
        say(f"{dataset.name}: {len(problems)} broken record(s) left out:")
    for problem in problems[:SHOWN_PROBLEMS]:
        say(f"  {problem}")
    if len(problems) > SHOWN_PROBLEMS:
        say(f"  ... and {len(problems) - SHOWN_PROBLEMS} more")


def make_folder(path: Path) -> Path:
    """Create a folder for results and return it.

    Raises:
        OutputError: It cannot be created or written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".delineate-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"results should go to the folder {path}, but it cannot be written to "
            f"({error.strerror}): choose another place with --out."
        ) from error
    return path


def train(
    data: Path,
    out: Path,
    *,
    recipe: str,
    settings: Sequence[str] = (),
    images: Path | None = None,
    on_error: OnError = "stop",
    resume: bool = False,
    say: Say,
) -> dict[str, Any]:
    """Train a recipe on a data set; report on the validation split.

    Args:
        data: A folder with train.json (and val.json), or one file.
        out: The run folder.
        recipe: A name of `delineate.recipes.mask_rcnn.RECIPES`.
        settings: ``key=value`` changes of the recipe, as given to ``--set``.
        images: Folder of the pictures, where it is not the usual one.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        resume: Go on from ``out/last``.
        say: Receives lines for the user.

    Returns:
        The content of ``metrics.json``, and under "run" the folder.
    """
    from delineate.data.formats import open_splits
    from delineate.recipes.mask_rcnn import recipe_by_name
    from delineate.train.config import with_settings
    from delineate.train.log import Console
    from delineate.train.loop import fit

    config = with_settings(recipe_by_name(recipe), settings)
    splits = open_splits(data, images=images, on_error=on_error)
    if "train" not in splits:
        raise DataError(
            f"{data}: expected a split train.json to learn from, got {', '.join(splits)}: name the "
            "file to train on."
        )
    for name in ("train", "val"):
        if name in splits:
            tell_problems(splits[name], say)
    make_folder(out)
    result = fit(
        config, splits["train"], splits.get("val"), out, resume=resume, sinks=[Console()]
    )
    if "val" in splits:
        _measure(str(out), splits["val"], out, device=None)
    return {"run": str(out), "checkpoint": str(result.best), **result.metrics}


def train_summary(result: dict[str, Any]) -> str:
    """Return the closing words of a training."""
    lines = [f"model   {result['checkpoint']}"]
    if (segm := result.get("segm")) is not None:
        measures = "  ".join(f"{name} {segm[name]:.3f}" for name in ("AP", "AP50", "AP75"))
        lines.append(f"masks   {measures}")
    report = Path(result["run"]) / "report.html"
    if report.exists():
        lines.append(f"report  {report}")
    return "\n".join(lines)


def evaluate(
    model: str,
    data: Path,
    *,
    out: Path | None = None,
    images: Path | None = None,
    device: str | None = None,
    on_error: OnError = "stop",
    say: Say,
) -> tuple[dict[str, Any], str]:
    """Measure a model, or a file of predictions, against annotations.

    Args:
        model: Run folder, checkpoint, ``name:tag``, or predictions in COCO's result format (.json).
        data: Annotations, or a folder whose val.json is taken.
        out: Where ``metrics.json`` and ``report.html`` go; none are written without it.
        images: Folder of the pictures, where it is not the usual one.
        device: Where to run; the best there is without it.
        on_error: What broken records do.
        say: Receives lines for the user.

    Returns:
        COCO's measures, and a table of them to read.
    """
    from delineate.evaluate.coco_files import evaluate_files
    from delineate.evaluate.report import text_report

    annotations = _one_file(data)
    if out is not None:
        make_folder(out)
    if Path(model).suffix == ".json":
        result = evaluate_files(annotations, model)
        if out is not None:
            write_whole(out / "metrics.json", json.dumps(result.to_json(), indent=1).encode())
        return result.to_json(), text_report(result)
    from delineate.data.formats import open_dataset

    dataset = open_dataset(annotations, images=images, on_error=on_error)
    tell_problems(dataset, say)
    return _measure(model, dataset, out, device=device)


def _one_file(data: Path) -> Path:
    """Return the annotation file to evaluate on."""
    if not data.is_dir():
        return data
    for split in ("val", "test"):
        if (data / f"{split}.json").is_file():
            return data / f"{split}.json"
    raise DataError(
        f"{data}: expected a folder with val.json or test.json to evaluate on, got neither: name "
        "the file."
    )


def _measure(
    model: str, dataset: "Dataset", out: Path | None, *, device: str | None
) -> tuple[dict[str, Any], str]:
    """Run a model over a data set, image by image; write metrics and report where asked to."""
    from delineate.data.sample import Relabelled
    from delineate.evaluate.coco import CocoMetric
    from delineate.evaluate.gallery import Gallery
    from delineate.evaluate.report import text_report
    from delineate.evaluate.report_html import write_report
    from delineate.predict.predictor import Predictor
    from delineate.weights.load import load

    loaded = load(model)
    dataset = Relabelled(dataset, loaded.classes)
    predictor = Predictor(loaded, device=device or _best_device())
    metric, gallery = CocoMetric(loaded.classes), Gallery(loaded.classes)
    for index in _progress(len(dataset), "evaluate"):
        sample = dataset[index]
        found = predictor(sample.image)
        metric.update(
            sample.instances, found, image_id=sample.image_id, areas=dataset.areas(index)
        )
        if out is not None:
            gallery.add(sample.name, sample.image, sample.instances, found)
    result = metric.compute()
    if out is not None:
        write_whole(out / "metrics.json", json.dumps(result.to_json(), indent=1).encode())
        title = f"{Path(model).name} on {dataset.name}"
        write_report(out / "report.html", result, title=title, gallery=gallery)
    return result.to_json(), text_report(result)


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _progress(count: int, what: str) -> Iterator[int]:
    """Count to `count` with a bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(
        range(count), what, console=console, transient=True, disable=not console.is_terminal
    )


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
        out: Receives ``predictions.json`` and, where asked for, ``overlays/`` and ``label_masks/``.
        score: Objects that score less are left out.
        overlays: Draw the objects on the pictures.
        label_masks: Write PNGs whose pixels are object numbers.
        batch_size: Pictures at a time.
        device: Where to run; the best there is without it.
        on_error: "stop" at a picture that cannot be read, or "skip" it and say so.
        say: Receives lines for the user.

    Returns:
        What was written, and how many images, objects and problems there were.
    """
    from delineate.predict.predictor import Predictor
    from delineate.predict.sources import sources as find_images
    from delineate.predict.writers import CocoResultsWriter, LabelMaskWriter, OverlayWriter, Writer
    from delineate.weights.load import load

    pictures = list(find_images(sources))
    loaded = load(model)
    predictor = Predictor(
        loaded, device=device or _best_device(), score_threshold=score, batch_size=batch_size
    )
    make_folder(out)
    writers: list[Writer] = [CocoResultsWriter(out / "predictions.json", loaded.classes)]
    if overlays:
        writers.append(OverlayWriter(out / "overlays", loaded.classes))
    if label_masks:
        writers.append(LabelMaskWriter(out / "label_masks"))
    images = objects = 0
    stream = predictor.stream(pictures, on_error=on_error)
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)
        for prediction, _ in zip(stream, _progress(len(pictures), "predict"), strict=False):
            for writer in writers:
                writer.write(prediction)
            images, objects = images + 1, objects + len(prediction.instances)
    for skipped in stream.skipped:
        say(f"skipped {skipped.why}")
    return {
        "out": str(out),
        "predictions": str(out / "predictions.json"),
        "images": images,
        "objects": objects,
        "skipped": len(stream.skipped),
    }


def predict_summary(result: dict[str, Any]) -> str:
    """Return the closing words of a prediction."""
    skipped = f", {result['skipped']} picture(s) skipped" if result["skipped"] else ""
    return (
        f"{result['objects']} objects in {result['images']} pictures{skipped}\n"
        f"results in {result['out']}"
    )


def list_models() -> list[dict[str, Any]]:
    """Return name, summary and published weights of every model."""
    from delineate.models.zoo import MODELS
    from delineate.weights.hub import WEIGHTS

    return [
        {
            "name": name,
            "summary": entry.summary,
            "weights": [
                {
                    "name": spec,
                    "mask_ap": record.mask_ap,
                    "box_ap": record.box_ap,
                    "licence": record.licence,
                    "mebibytes": record.mebibytes,
                }
                for spec, record in WEIGHTS.items()
                if spec.partition(":")[0] == name
            ],
        }
        for name, entry in MODELS.items()
    ]


def model_table(rows: list[dict[str, Any]]) -> str:
    """Return the list of models to read."""
    lines = []
    for row in rows:
        lines.append(f"{row['name']:26} {row['summary']}")
        lines += [
            f"{'':26}   weights {w['name']}: mask AP {w['mask_ap']:.3f}, box AP {w['box_ap']:.3f} "
            f"(published), {w['mebibytes']:.0f} MiB"
            for w in row["weights"]
        ]
    return "\n".join(lines)


def show_model(name: str) -> dict[str, Any]:
    """Return what a model of the zoo, or a checkpoint, is made of.

    Raises:
        ModelError: There is no such model or checkpoint.
    """
    from delineate.models.zoo import MODELS, build
    from delineate.weights.load import load

    if Path(name).exists():
        model = load(name)
        weights = []
    else:
        model = build(name, classes=1 if name not in MODELS else 80)
        weights = next(row for row in list_models() if row["name"] == name)["weights"]
    return {
        "name": name,
        "parameters": sum(p.numel() for p in model.parameters()),
        "classes": list(model.classes.names) if Path(name).exists() else None,
        "preprocess": model.preprocess.to_json(),
        "config": asdict(model.config),
        "weights": weights,
    }


def model_text(shown: dict[str, Any]) -> str:
    """Return `show_model`'s answer to read."""
    lines = [f"{shown['name']}: {shown['parameters'] / 1e6:.2f} million parameters"]
    if shown["classes"] is not None:
        lines.append(f"classes: {', '.join(shown['classes'])}")
    for part in ("preprocess", "config"):
        lines += [f"{part}:", *(f"  {k}: {v}" for k, v in shown[part].items())]
    lines += [f"weights: {w['name']} ({w['licence']})" for w in shown["weights"]]
    return "\n".join(lines)
