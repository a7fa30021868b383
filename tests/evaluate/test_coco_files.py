"""A file of results against a file of annotations: published numbers, pycocotools, refusals."""

import json

import numpy as np
import pytest
from scenes import CLASSES, as_coco, pycocotools_stats, random_pairs

from delineate.errors import DataError
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_files import evaluate_files


@pytest.fixture
def files(tmp_path):
    """Write truth and results; return their paths."""

    def write(truth, results):
        paths = tmp_path / "truth.json", tmp_path / "results.json"
        for path, content in zip(paths, (truth, results), strict=True):
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return paths

    return write


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("folder", ["coco_val2014_100", "fce_small_boundary"])
def test_published_numbers(shared_data, folder, kind):
    expected = json.loads((shared_data / "evalpairs" / "EXPECTED.json").read_text())[folder]
    place = shared_data / "evalpairs" / folder
    result = evaluate_files(place / expected["gt"], place / expected[kind]["dt"])
    numbers = list(result.scores[kind].values())
    np.testing.assert_allclose(numbers, list(expected[kind]["expected"].values()), 0, 1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("keys", [("bbox",), ("segmentation",)], ids=["boxes", "masks"])
def test_equals_pycocotools(files, seed, keys):
    truth, results = as_coco(random_pairs(seed), keys)
    result = evaluate_files(*files(truth, results))
    assert list(result.scores) == (["bbox"] if keys == ("bbox",) else ["segm", "bbox"])
    for kind, scores in result.scores.items():
        assert list(scores.values()) == pycocotools_stats(truth, results, kind)[0]


@pytest.mark.parametrize("seed", range(4))
def test_results_with_both_give_the_numbers_of_the_predictions_themselves(files, seed):
    pairs = random_pairs(seed)
    metric = CocoMetric(CLASSES)
    for image_id, truth, predicted in pairs:
        metric.update(truth, predicted, image_id=image_id)
    from_files = evaluate_files(*files(*as_coco(pairs, ("bbox", "segmentation"))))
    in_memory = metric.compute()
    assert from_files.to_json() == in_memory.to_json()
    assert from_files.per_class == in_memory.per_class
    assert (from_files.images, from_files.truths, from_files.predictions) == (
        in_memory.images,
        in_memory.truths,
        in_memory.predictions,
    )


def test_no_results_is_zero(files):
    truth, _ = as_coco(random_pairs(0), ("bbox",))
    result = evaluate_files(*files(truth, []))
    assert result.scores["segm"]["AP"] == result.scores["bbox"]["AP"] == 0


# -- refusals --------------------------------------------------------------------------------


def refuses(files, change, message, keys=("bbox", "segmentation"), **options):
    truth, results = as_coco(random_pairs(0), keys)
    truth, results = change(truth, results) or (truth, results)
    with pytest.raises(DataError, match=message) as caught:
        evaluate_files(*files(truth, results), **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ("no json", "expected JSON"),
        ("", "expected JSON"),
        ("[" * 100_000, "expected JSON"),
        ([], "expected COCO annotations .* got a list"),
        ({"images": [], "shapes": []}, "got the keys images, shapes"),
        ({"images": {}, "annotations": [], "categories": []}, "expected COCO annotations"),
        ({"images": [{}], "annotations": [], "categories": []}, "not COCO annotations"),
        ({"images": [], "annotations": [{"id": 1}], "categories": []}, "not COCO annotations"),
    ],
)
def test_refuses_truth_that_is_none(files, truth, message):
    refuses(files, lambda _, results: (truth, results), message)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "expected COCO results .*a list of predictions"),
        ([1], "expected COCO results"),
        ([{}], "whole number as image_id .* got None"),
        ([{"image_id": "a", "category_id": 1}], "whole number as image_id .* got 'a'"),
        ([{"image_id": 1, "category_id": 3, "bbox": [1, 1, 2, 2]}], "number as score .* got None"),
        ([{"image_id": 1, "category_id": 3, "score": 1, "bbox": [1]}], "not COCO results"),
    ],
)
def test_refuses_results_that_are_none(files, results, message):
    refuses(files, lambda truth, _: (truth, results), message)


def test_refuses_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read"):
        evaluate_files(tmp_path / "none.json", tmp_path / "none.json")


def test_refuses_results_of_another_data_set(files):
    def other_image(truth, results):
        results[3]["image_id"] = 10_000

    def other_class(truth, results):
        results[3]["category_id"] = 4

    refuses(files, other_image, "image_id 10000 is not in the annotations, which have")
    refuses(files, other_class, "category_id 4 is not in the annotations, which have 1, 3, 7, 90")


def test_refuses_masks_of_another_size(files):
    def transposed(truth, results):
        results[2]["segmentation"]["size"] = [7, 5]

    refuses(files, transposed, r"to have its size .* got \[7, 5\]")


def test_refuses_masks_in_some_results_only(files):
    def without_one(truth, results):
        del results[0]["segmentation"]

    refuses(files, without_one, "a mask in every result or in none")


def test_refuses_masks_asked_for_and_not_there(files):
    refuses(files, lambda *_: None, "got boxes only", keys=("bbox",), iou_types=("segm",))


def test_refuses_nan(files):
    def nan(truth, results):
        results[0]["score"] = float("nan")

    refuses(files, nan, "NaN")
