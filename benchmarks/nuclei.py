"""Mask AP of `mask_rcnn_nano` on the nuclei of DSB 2018, from random weights on this machine.

    python benchmarks/nuclei.py DATA [--run RUN]

Trains as ``delineate train DATA`` does, or takes a finished run, and measures it twice: with COCO's
limit of 100 detections an image, and with 500, since some images hold up to 375 nuclei. Writes
``results/nuclei.json`` with the curve over the minutes of training.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from delineate import CocoMetric, Predictor, load, open_dataset
from machine import describe, save
from time_to_accuracy import ours


def measure(run: Path, annotations: Path) -> dict[str, dict[str, float]]:
    """Measure the best checkpoint of a run under both limits."""
    model, data = load(run), open_dataset(annotations)
    predictor = Predictor(model, score_threshold=0.0)
    metrics = {limit: CocoMetric(data.classes, max_dets=(1, 10, limit)) for limit in (100, 500)}
    for index in range(len(data)):
        sample = data[index]
        found = predictor(sample.image)
        for metric in metrics.values():
            metric.update(
                sample.instances,
                found,
                image_id=sample.image_id,
                areas=data.areas(index),
                boxes=data.stated_boxes(index),
            )
    return {
        f"at most {limit} detections": {
            name: round(value, 4) for name, value in metric.compute().to_json()["segm"].items()
        }
        for limit, metric in metrics.items()
    }


def main() -> None:
    """Train or take a run, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run")
    options = parser.parse_args()
    machine = describe("torch", "torchvision", "hotcoco")
    run = options.run
    if run is None:
        run = Path(tempfile.mkdtemp()) / "run"
        words = ["train", str(options.data), "--recipe", "mask_rcnn_nano", "--out", str(run)]
        subprocess.run([sys.executable, "-m", "delineate.cli", *words], check=True)
    result = {"machine": machine, "curve": ours(run)}
    result |= measure(run, options.data / "val.json")
    print(json.dumps({k: v for k, v in result.items() if k != "curve"}, indent=1))
    print(save("nuclei", result))


if __name__ == "__main__":
    main()
