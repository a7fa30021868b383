"""`delineate evaluate predictions.json DATA --panoptic`: segments in files, without torch."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from delineate._files import make_folder, write_whole
from delineate.core.panoptic import Panoptic, to_semantic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.data.coco_panoptic import read_coco_panoptic, read_panoptic_results
from delineate.evaluate.panoptic import PanopticMetric, PanopticResult
from delineate.evaluate.panoptic_report import panoptic_text
from delineate.evaluate.semantic import SemanticMetric, SemanticResult
from delineate.jobs.opening import Say, evaluation_file, not_a_run

Pair = tuple[Panoptic, Panoptic, Sequence[float] | None]
"""Truth, prediction, and the areas that the truth's file states (None: pixels)."""


def evaluate_panoptic_results(
    results: Path, data: Path, *, out: Path | None = None, say: Say
) -> tuple[dict[str, Any], str]:
    """Measure predictions in COCO's panoptic format.

    Args:
        results: Their JSON file, its maps in the folder of the same name.
        data: The truth in the same format, or a folder whose val.json is taken.
        out: Where ``metrics.json`` goes.
        say: Receives lines for the user.

    Returns:
        panopticapi's measures, with those of the pixels' classes as ``semantic``; and a table of
        them to read.

    Raises:
        DataError: A file cannot be read, is broken, or does not belong to the other.
    """
    if out is not None:
        make_folder(not_a_run(out))  # a place that cannot be written shows before the long work
    truth = read_coco_panoptic(evaluation_file(data, "coco_panoptic"), with_pictures=False)
    found, foreign = read_panoptic_results(results, truth)
    if foreign:
        say(f"{results}: left out predictions for {foreign} image(s) that {truth.name} lacks")
    pairs = (
        (truth.panoptic(i), found.panoptic(i), truth.segment_areas(i).tolist())
        for i in range(len(truth))
    )
    return told(*measure(pairs, truth.panoptic_classes), out)


def told(
    segments: PanopticResult, pixels: SemanticResult, out: Path | None
) -> tuple[dict[str, Any], str]:
    """Return what was measured as JSON has it, and as a table; write the former into `out`."""
    report = {**segments.to_json(), "semantic": pixels.to_json()}
    if out is not None:
        write_whole(out / "metrics.json", json.dumps(report, indent=1).encode())
    return report, panoptic_text(segments, pixels)


def measure(
    pairs: Iterable[Pair], classes: PanopticClasses
) -> tuple[PanopticResult, SemanticResult]:
    """Measure segments, and the classes of pixels, wherever they come from.

    Args:
        pairs: What is true and what was found in each image; a generator keeps one in memory.
        classes: The class table of all of them.
    """
    segments, pixels = PanopticMetric(classes), SemanticMetric(classes.names)
    for truth, predicted, areas in pairs:
        segments.update(truth, predicted, areas=areas)
        pixels.update(to_semantic(truth), to_semantic(predicted))
    return segments.compute(), pixels.compute()
