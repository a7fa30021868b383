"""`delineate evaluate predictions.json DATA`: files against files, without torch."""

import json
from pathlib import Path
from typing import Any

from delineate._files import make_folder, write_whole
from delineate.evaluate.coco_files import evaluate_files
from delineate.evaluate.coco_result import COCO_LIMIT
from delineate.evaluate.report import text_report
from delineate.evaluate.report_html import write_report
from delineate.jobs.opening import Say, evaluation_file, not_a_run


def evaluate_results(
    results: Path, data: Path, *, out: Path | None = None, limit: int = COCO_LIMIT, say: Say
) -> tuple[dict[str, Any], str]:
    """Measure predictions in COCO's result format.

    Args:
        results: The file.
        data: Annotations, or a folder whose val.json is taken.
        out: Where ``metrics.json`` and ``report.html`` go, the latter without pictures.
        limit: Results of a class in an image that count, best first.
        say: Receives lines for the user.

    Returns:
        COCO's measures, and a table of them to read.
    """
    annotations = evaluation_file(data, "coco")
    result = evaluate_files(annotations, results, limit=limit)
    facts = {"predictions": str(results), "data": str(annotations)}
    if result.foreign:
        facts["left out"] = (
            f"{result.foreign} of {result.predictions + result.foreign} results, which belong to "
            f"pictures that {annotations} does not have"
        )
        say(f"{results}: left out {facts['left out']}")
    if out is not None:
        make_folder(not_a_run(out))
        write_report(out / "report.html", result, title=results.name, facts=facts)
        write_whole(out / "metrics.json", json.dumps(result.to_json(), indent=1).encode())
    return result.to_json(), text_report(result)
