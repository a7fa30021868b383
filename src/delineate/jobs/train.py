"""`delineate train DATA`: from a data set to a run folder with model, measures and report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delineate.data.annotated import StopOrSkip
from delineate.data.formats import open_splits
from delineate.errors import ConfigError, DataError
from delineate.evaluate.report import KINDS
from delineate.jobs.check import check_before_training
from delineate.jobs.evaluate import measure, report
from delineate.jobs.opening import Say, tell_bare_splits, tell_problems
from delineate.recipes.table import recipe_by_name
from delineate.train.config import TrainConfig, with_settings
from delineate.train.folder import saved_config
from delineate.train.log import Console
from delineate.train.loop import fit
from delineate.weights.load import load

REPORT = "report.html"


def train(
    data: Path,
    out: Path,
    *,
    recipe: str,
    settings: Sequence[str] = (),
    images: Path | None = None,
    device: str | None = None,
    format: str | None = None,
    on_error: StopOrSkip = "stop",
    resume: bool = False,
    say: Say,
) -> dict[str, Any]:
    """Train a recipe on a data set; report on the validation split.

    Args:
        data: A folder with a split train (and val), or one file, in any format.
        out: The run folder.
        recipe: A name of `delineate.recipes.table.RECIPES`; a resumed run keeps its own.
        settings: ``key=value`` changes of the recipe, as given to ``--set``.
        images: Folder of the pictures, where it is not the usual one.
        device: Where to train; the best there is without it.
        format: Name of the data's format; None: found out.
        on_error: "stop" refuses a data set with broken records, "skip" leaves them out.
        resume: Go on from ``out/last``, which must be there.
        say: Receives lines for the user.

    Returns:
        The content of ``metrics.json``; under "run" the folder, under "checkpoint" the model.
    """
    config = with_settings(_config(recipe, out, resume=resume), settings)
    if data.is_dir() and out.is_dir() and out.samefile(data):
        raise ConfigError(
            f"expected a folder of its own for the run, got that of the data, {out}: choose another"
            " with --out."
        )
    splits = open_splits(
        data, images=images, format=format, on_error=on_error, only=("train", "val")
    )
    if "train" not in splits:
        raise DataError(
            f"{data}: expected a split train to learn from, got {', '.join(splits)}: name the file "
            "or folder to train on."
        )
    for split in splits.values():
        tell_problems(split, say)
    tell_bare_splits(data, splits, say, of=("train", "val"))
    check_before_training(data, splits, say)
    result = fit(
        config,
        splits["train"],
        splits.get("val"),
        out,
        resume=resume,
        sinks=[Console()],
        device=device or "auto",
    )
    if result.val is not None:
        measured, gallery = measure(load(out), result.val, device=device)
        report(out, measured, gallery, model=str(out), dataset=result.val)
    return {"run": str(out), "checkpoint": str(result.best), **result.metrics}


def _config(recipe: str, out: Path, *, resume: bool) -> TrainConfig:
    if not resume:
        return recipe_by_name(recipe)
    kept = saved_config(out)
    if kept is None:
        raise ConfigError(
            f"expected a run to go on with in {out}, got none: name its folder with --out, or leave"
            " --resume out to begin one."
        )
    return kept


def summary(result: dict[str, Any]) -> str:
    """Return the closing words of a training."""
    lines = [f"model   {result['checkpoint']}"]
    kind = "segm" if "segm" in result else "bbox"
    if (values := result.get(kind)) is not None:
        measures = "  ".join(f"{name} {values[name]:.3f}" for name in ("AP", "AP50", "AP75"))
        lines.append(f"{KINDS[kind]}   {measures}")
    if (panoptic := result.get("panoptic")) is not None:
        measures = "  ".join(f"{k} {panoptic[k]:.3f}" for k in ("PQ", "PQ_things", "PQ_stuff"))
        lines.append(f"whole   {measures}")
    report_file = Path(result["run"]) / REPORT
    if report_file.exists():
        lines.append(f"report  {report_file}")
    return "\n".join(lines)
