"""Random truth and predictions that are hard on an evaluator, and pycocotools' verdict on them."""

import contextlib
import copy
import io
import json
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_result import CocoResult

CLASSES = ClassMap(("cat", "dog", "owl", "never seen"), (3, 1, 7, 90))

Pair = tuple[int, Instances, Instances]
"""Image id, truth, prediction."""


def square(size: tuple[int, int], x: int, y: int, side: int) -> np.ndarray:
    bitmap = np.zeros(size, bool)
    bitmap[y : y + side, x : x + side] = True
    return bitmap


def instances(
    bitmaps: list[np.ndarray],
    labels: list[int],
    scores: list[float] | None = None,
    *,
    size: tuple[int, int] = (20, 30),
    crowd: list[bool] | None = None,
) -> Instances:
    masks = Masks.from_bitmaps(bitmaps, size)
    return Instances(
        image_size=size,
        boxes=masks.boxes(),
        labels=np.array(labels, np.int64),
        masks=masks,
        scores=None if scores is None else np.array(scores, np.float32),
        crowd=None if crowd is None else np.array(crowd, bool),
    )


def random_pairs(seed: int, images: int = 12) -> list[Pair]:
    """Boxes in steps and scores in tenths, so that overlaps and scores are often equal.

    Image ids have gaps and no order; some images have no truth, some no predictions, some neither;
    one class has none of either; a fifth of the truth is crowd.
    """
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.arange(1, 10 * images, 7))[:images].tolist()
    pairs = []
    for number, image_id in enumerate(ids):
        size = (int(rng.integers(60, 200)), int(rng.integers(60, 200)))
        counts = (0, 0) if number == 0 else rng.integers(0, 7, 2)
        if number == 1:
            counts = (0, 4)
        truth = [_rectangle(rng, size) for _ in range(counts[0])]
        found = [_rectangle(rng, size) for _ in range(counts[1])]
        found += [np.roll(bitmap, rng.integers(0, 5), 1) for bitmap in truth for _ in range(2)]
        pairs.append(
            (
                image_id,
                instances(
                    truth,
                    rng.integers(0, 3, len(truth)).tolist(),
                    size=size,
                    crowd=(rng.random(len(truth)) < 0.2).tolist(),
                ),
                instances(
                    found,
                    rng.integers(0, 3, len(found)).tolist(),
                    (rng.integers(1, 10, len(found)) / 10).tolist(),
                    size=size,
                ),
            )
        )
    return pairs


def _rectangle(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    height, width = 10 * rng.integers(1, 6, 2)
    y, x = 10 * rng.integers(0, 10, 2)
    bitmap = np.zeros(size, bool)
    bitmap[min(y, 40) : y + height, min(x, 40) : x + width] = True
    return bitmap


def as_coco(pairs: list[Pair], kinds: tuple[str, ...]) -> tuple[dict, list[dict]]:
    """Return the truth as COCO annotations, and the predictions as COCO results of these kinds."""
    truth = {
        "images": [
            {"id": i, "height": t.image_size[0], "width": t.image_size[1]} for i, t, _ in pairs
        ],
        "categories": [
            {"id": s, "name": n} for s, n in zip(CLASSES.source_ids, CLASSES.names, strict=True)
        ],
        "annotations": [],
    }
    results = []
    for image_id, t, p in pairs:
        for k in range(len(t)):
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "iscrowd": int(t.crowd[k]),
                    "area": int(t.masks.areas[k]),
                    **_record(t, k, image_id, ("bbox", "segmentation")),
                }
            )
        for k in range(len(p)):
            results.append({"score": float(p.scores[k]), **_record(p, k, image_id, kinds)})
    return truth, results


def _record(found: Instances, k: int, image_id: int, kinds: tuple[str, ...]) -> dict:
    x1, y1, x2, y2 = found.boxes[k].tolist()
    record = {
        "image_id": image_id,
        "category_id": CLASSES.source_id(int(found.labels[k])),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "segmentation": found.masks.to_coco()[k],
    }
    return {key: record[key] for key in ("image_id", "category_id", *kinds)}


def pycocotools_stats(truth: dict, results: list[dict], kind: str) -> tuple[list[float], COCOeval]:
    """Return the twelve numbers in pycocotools' order."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = json.loads(json.dumps(truth))
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(copy.deepcopy(results)), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist(), evaluation


def result_of(pairs: list[Pair], classes: ClassMap = CLASSES, **options: Any) -> CocoResult:
    """Evaluate pairs with our metric."""
    metric = CocoMetric(classes, **options)
    for image_id, truth, predicted in pairs:
        metric.update(truth, predicted, image_id=image_id)
    return metric.compute()


def many_classes(count: int) -> CocoResult:
    """Class k is found with k objects around it missing, so the AP falls with k."""
    classes = ClassMap.from_names([f"class {k:02d}" for k in range(count)])
    size = (8, 4 * count + 8)
    pairs = []
    for k in range(count - 1):  # the last class has no objects
        things = [square(size, 4 * i, 1, 3) for i in range(k + 1)]
        truth = instances(things, [k] * (k + 1), size=size)
        pairs.append((k + 1, truth, instances(things[:1], [k], [0.9], size=size)))
    return result_of(pairs, classes)
