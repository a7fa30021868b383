"""The run folder: opened for a new run or an old one, and what is best in it.

The best weights carry their measures with them: the file and what is said of it cannot part.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from delineate._files import output_error, write_whole
from delineate.errors import ConfigError
from delineate.models.api import SegModel
from delineate.train import checkpoint
from delineate.train.checkpoint import Checkpoint, Origin
from delineate.train.config import TrainConfig, from_yaml
from delineate.weights.file import read_card, save_model

CONFIG = "config.yaml"
BEST = "best.safetensors"
METRICS = "metrics.json"
LINES = "metrics.jsonl"
CURVES = "tensorboard"


def saved_config(run: Path) -> TrainConfig | None:
    """Return the resolved config that a run was started with; None where no run was begun.

    Raises:
        ConfigError: There is a ``config.yaml``, but it cannot be read.
    """
    path = run / CONFIG
    try:
        return from_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a ConfigError
        raise ConfigError(
            f"{path} should be the config of a run, but cannot be read ({error}): mend it, or "
            "start another run."
        ) from error


def open_folder(run: Path, origin: Origin, *, resume: bool) -> Checkpoint | None:
    """Make the folder, or return the checkpoint to go on from.

    Raises:
        ConfigError: It holds a run that is not to be resumed, or one with other options.
        DataError: It holds a run on other data.
        ModelError: Its checkpoint is damaged.
        OutputError: It cannot be made or written.
    """
    last = checkpoint.file_in(run)
    if not resume and any(path.exists() for path in (run / CONFIG, run / BEST, last)):
        raise ConfigError(
            f"{run} should be an empty or new folder, but holds a run: go on with it by --resume, "
            "or choose another folder with --out."
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(run, error) from error
    earlier = checkpoint.load(last) if last.exists() else None
    if earlier is not None:
        earlier.origin.require_same(origin, run)
    for place in (run, last.parent):
        for unfinished in place.glob(".*.tmp"):  # a kill in the middle of `write_whole` leaves one
            unfinished.unlink()
    return earlier


def offer(run: Path, model: SegModel, metrics: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Keep `model` as the best of the run unless an earlier one was better; return whether it is.

    Args:
        run: The run folder.
        model: The weights on offer.
        metrics: What was measured: the panoptic quality decides, without it the AP of the masks,
            without masks that of the boxes. Without any, the latest is best.
        facts: What else to record: step, minutes.
    """
    best = run / BEST
    if best.exists() and _score(read_card(best).extra) > _score(metrics):
        return False
    save_model(model, best, name=run.resolve().name, extra={**metrics, **facts})
    return True


def finish(run: Path) -> dict[str, Any]:
    """Write what is known of the best weights as ``metrics.json``, and return it."""
    metrics = read_card(run / BEST).extra
    write_whole(run / METRICS, (json.dumps(metrics, indent=2) + "\n").encode())
    return metrics


def _score(metrics: Mapping[str, Any]) -> float:
    if "panoptic" in metrics:
        return float(metrics["panoptic"]["PQ"])
    for kind in ("segm", "bbox"):
        if kind in metrics:
            return float(metrics[kind]["AP"])
    return float("-inf")
