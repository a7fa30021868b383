"""Wrong labels that a trained model finds: planted ones, at the head of what the doctor lists.

    python benchmarks/label_errors.py RUN DATA/val.json [RUN DATA/val.json ...] [--seeds 5]

Each RUN is the folder of a model that was trained on other images than those of its file, such as
augmentation.py and synthesis.py leave behind with --keep (``mushrooms_standard_0`` and
``48_0_real_and_made`` are those of the results). One label
in twenty is spoilt: left out, given another class (where there are several), cut to a part, or
joined by one of nothing. Then the doctor compares the labels with what the model sees, and its list
is read from the top: how many of the first k are planted, where k were planted? What is wrong in
the labels without our doing counts against it. Spoiling differs by seed, the predictions do not.
Writes ``results/label_errors.json``.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from delineate import open_dataset
from delineate.core.instances import Instances
from delineate.data.derived import Relabelled
from delineate.data.sample import Dataset
from delineate.jobs.label_results import LEAST_SCORE
from delineate.predict.predictor import Predictor
from delineate.quality.label_errors import KINDS, judged, label_errors
from delineate.weights.load import load
from machine import describe, save

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "quality"))

from planted_labels import Planting, objects


def predictions(run: Path, dataset: Dataset) -> tuple[Dataset, list[Instances]]:
    """Return the data set in the classes of the model, and what the model sees in each image."""
    model = load(run)
    predictor = Predictor(model, score_threshold=LEAST_SCORE)
    found = [predictor(dataset[i].image) for i in range(len(dataset))]
    return Relabelled(dataset, model.classes), found


def planted(dataset: Dataset, found: list[Instances], share: float, seed: int) -> dict[str, Any]:
    """Spoil labels once, and return how well the doctor ranks them."""
    planting = Planting(np.random.default_rng(seed), share)
    images = []
    for index, (record, seen) in enumerate(zip(dataset.records, found, strict=True)):
        sound = dataset.instances(index)
        crowd = np.zeros(len(sound), bool) if sound.crowd is None else sound.crowd
        whole = [(sound.masks.bitmap(k), int(sound.labels[k])) for k in range(len(sound))]
        truth = [each for each, region in zip(whole, crowd, strict=True) if not region]
        spoilt = planting.spoilt(record.image_id, truth, len(dataset.classes)) if truth else []
        regions = [each for each, region in zip(whole, crowd, strict=True) if region]
        labels = objects(
            *zip(*spoilt, *regions, strict=True) if spoilt or regions else ((), ()),
            crowd=np.arange(len(spoilt) + len(regions)) >= len(spoilt),
            size=record.size,
        )
        images.append(judged("val", record, labels, seen))
    findings = list(label_errors(images, dataset.classes))
    right = [f for f in findings if planting.is_planted(f)]
    sure = [f for f in findings if f.severity == "warning"]
    count = Counter(kind for kind, *_ in planting.planted)
    named = Counter(f.kind for f in right)
    return {
        "planted": len(planting.planted),
        "precision_at_k": round(planting.precision_at_k(findings), 3),
        "findings": len(findings),
        "warnings": len(sure),
        "right_of_warnings": sum(map(planting.is_planted, sure)),
        "found_of_planted": {kind: [named[kind], count[kind]] for kind in KINDS if count[kind]},
    }


def main() -> None:
    """Measure each pair and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", type=Path, nargs="+", metavar="RUN DATA")
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are spoilt")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if len(options.pairs) % 2:
        parser.error("each RUN should be followed by its DATA")
    results: dict[str, Any] = {}
    for run, path in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        dataset, found = predictions(run, open_dataset(path))
        trials = [planted(dataset, found, options.share, seed) for seed in range(options.seeds)]
        count = sum(len(dataset.instances(i)) for i in range(len(dataset)))
        facts = json.loads((run / "metrics.json").read_text())
        results[path.parent.name] = {
            "images": len(dataset),
            "objects": count,
            "model": {"steps": facts["step"], **facts.get("segm", {})},
            "mean_precision_at_k": round(statistics.mean(t["precision_at_k"] for t in trials), 3),
            "trials": trials,
        }
        print(path.parent.name, json.dumps(results[path.parent.name], indent=1), flush=True)
        machine = describe("torch", "torchvision")
        save("label_errors", {"share": options.share, "machine": machine, "data": results})


if __name__ == "__main__":
    main()
