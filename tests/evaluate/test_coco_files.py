"""A file of results against a file of annotations: published numbers, pycocotools, refusals."""

import copy
import json
import math

import numpy as np
import pytest
from scenes import (
    CLASSES,
    as_coco,
    instances,
    pycocotools_stats,
    random_pairs,
    result_of,
    square,
)

from delineate.core.masks import Masks
from delineate.errors import ConfigError, DataError
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_files import evaluate_files
from delineate.evaluate.coco_result import limits_up_to


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


@pytest.mark.parametrize(("limit", "countable"), [(2, 5), (100, 8)])
def test_limits_are_those_of_the_metric(files, limit, countable):
    size = (40, 400)
    things = [square(size, 9 * i, 0, 4) for i in range(7)]
    labels, scores = [0] * 5 + [1] * 2, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    pairs = []
    for image_id, count in ((1, 7), (2, 1)):
        crowd = [False] * count + [True]
        region = square(size, 200, 0, 4)
        truth = instances([*things[:count], region], [*labels[:count], 2], size=size, crowd=crowd)
        found = instances(things[:count], labels[:count], scores[:count], size=size)
        pairs.append((image_id, truth, found))
    by_file = evaluate_files(*files(*as_coco(pairs, ("segmentation",))), limit=limit)
    direct = result_of(pairs, max_dets=limits_up_to(limit))
    assert by_file.scores["segm"] == direct.scores["segm"]
    for found in (by_file, direct):
        assert (found.limit, found.countable, found.truths) == (limit, countable, 8)
        assert found.crowded == (limit == 2)
        assert found.densest == 5


@pytest.mark.parametrize("limit", [0, 10**20])
def test_refuses_a_limit_that_is_none(files, limit):
    with pytest.raises(ConfigError, match=rf"from 1 to .* got .*{limit}"):
        evaluate_files(*files(*as_coco(random_pairs(0), ("bbox",))), limit=limit)


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
        ({"images": [], "annotations": [7], "categories": []}, "expected COCO annotations"),
    ],
)
def test_refuses_truth_that_is_none(files, truth, message):
    refuses(files, lambda _, results: (truth, results), message)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({}, "expected COCO results .*a list of predictions"),
        ([1], "expected COCO results"),
        ([{}], "result 1: expected a whole number as image_id, got None"),
        (
            [{"image_id": 1, "category_id": 3, "score": 1}],
            "result 1: expected four numbers as 'bbox' .* got no box",
        ),
    ],
)
def test_refuses_results_that_are_none(files, results, message):
    refuses(files, lambda truth, _: (truth, results), message)


def test_refuses_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: expected a file, found none there"):
        evaluate_files(tmp_path / "none.json", tmp_path / "none.json")


def test_refuses_results_of_another_data_set(files):
    def other_image(truth, results):
        results[3]["image_id"] = 10_000

    def other_class(truth, results):
        results[3]["category_id"] = 4

    refuses(
        files, other_image, "result 4: image_id 10000 is not in the annotations' file, which has"
    )
    refuses(files, other_class, "result 4: category_id 4 is not .* which has 1, 3, 7, 90")


@pytest.mark.parametrize("key", ["bbox", "segmentation"])
def test_refuses_what_only_some_results_have(files, key):
    def without_one(truth, results):
        del results[0][key]

    refuses(files, without_one, f"{key}' in every result or in none, got it in 113 of 114")


def test_refuses_masks_asked_for_and_not_there(files):
    refuses(files, lambda *_: None, "got boxes only", keys=("bbox",), iou_types=("segm",))


WRONG = {
    "no image": ({"image_id": None}, "whole number as image_id, got None"),
    "image in text": ({"image_id": "1"}, "whole number as image_id, got '1'"),
    "image true": ({"image_id": True}, "whole number as image_id, got True"),
    "unknown image": ({"image_id": 10_000}, "image_id 10000 is not in"),
    "category in text": ({"category_id": "cat"}, "whole number as category_id, got 'cat'"),
    "unknown category": ({"category_id": 4}, "category_id 4 is not in"),
    "no box": ({"bbox": None}, r"x, y, width and height, .*\), got no box \(null, or"),
    "box of three": ({"bbox": [1, 2, 3]}, r"x, y, width and height, .*\), got \[1, 2, 3\]"),
    "box inside out": ({"bbox": [1, 2, -3, 4]}, "x, y, width and height"),
    "box without end": ({"bbox": [1, 2, math.inf, 4]}, "x, y, width and height"),
    "box of nothing": ({"bbox": [1, math.nan, 3, 4]}, "x, y, width and height"),
    "box beyond floats": ({"bbox": [1, 2, 3, 10**400]}, "x, y, width and height"),
    "box of text": ({"bbox": ["1", "2", "3", "4"]}, "x, y, width and height"),
    "no mask": ({"segmentation": None}, "a segmentation must be .* None came"),
    "mask of no polygons": ({"segmentation": []}, "a segmentation must be"),
    "mask of two points": ({"segmentation": [[1, 1, 2, 2]]}, "at least 3 points"),
    "mask of another size": (
        {"segmentation": {"size": [7, 5], "counts": [35]}},
        "wide, and it says 7 and 5",
    ),
    "mask cut off": ({"segmentation": {"size": "own", "counts": "P"}}, "is cut off"),
    "mask too short": ({"segmentation": {"size": "own", "counts": [9]}}, "add up to 9"),
}
WRONG_RESULTS = {
    "no score": ({"score": None}, "number as score, got None"),
    "score true": ({"score": True}, "number as score, got True"),
    "score not a number": ({"score": math.nan}, "number as score, got nan"),
}
WRONG_ANNOTATIONS = {
    "area in text": ({"area": "9"}, "pixels as 'area', got '9'"),
    "area below none": ({"area": -1}, "pixels as 'area', got -1"),
    "crowd of two": ({"iscrowd": 2}, "0 or 1 as 'iscrowd', got 2"),
}


def break_third(truth, records, fields):
    """Change the third of the records; a mask of its "own" size has its image's."""
    record = records[2]
    (image,) = (image for image in truth["images"] if image["id"] == record["image_id"])
    record.update(copy.deepcopy(fields))
    mask = record["segmentation"]
    if isinstance(mask, dict) and mask["size"] == "own":
        mask["size"] = [image["height"], image["width"]]


@pytest.mark.parametrize(("fields", "says"), (every := WRONG | WRONG_RESULTS).values(), ids=every)
def test_refuses_a_broken_result(files, fields, says):
    def change(truth, results):
        break_third(truth, results, fields)

    refuses(files, change, rf"results\.json, result 3: .*{says}")


@pytest.mark.parametrize(
    ("fields", "says"), (every := WRONG | WRONG_ANNOTATIONS).values(), ids=every
)
def test_refuses_a_broken_annotation(files, fields, says):
    def change(truth, results):
        break_third(truth, truth["annotations"], fields)

    refuses(files, change, rf"truth\.json, annotation 3 of the list: .*{says}")


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("images", {"id": None}, "image 2 of the list: expected a whole number .* got None"),
        ("images", {"width": None}, "an image's size must be two whole numbers"),
        ("images", {"id": 10**30}, "not COCO annotations"),
        ("categories", {"id": 3}, r"truth\.json: "),
    ],
)
def test_refuses_a_broken_image_or_category(files, key, change, message):
    def break_it(truth, results):
        truth[key][1].update(change)
        if key == "images":
            known = {image["id"] for image in truth["images"]}
            truth["annotations"] = [a for a in truth["annotations"] if a["image_id"] in known]
            results[:] = [r for r in results if r["image_id"] in known]

    refuses(files, break_it, message)


def test_refuses_an_image_twice(files):
    def twice(truth, results):
        truth["images"].append(truth["images"][0])

    refuses(files, twice, "image 13 of the list: .* again")


def test_areas_that_are_not_stated_are_those_of_the_masks(files):
    truth, results = as_coco(random_pairs(0), ("segmentation",))
    expected = evaluate_files(*files(truth, results)).to_json()
    for annotation in truth["annotations"]:
        del annotation["area"]
    assert evaluate_files(*files(truth, results)).to_json() == expected


def test_boxes_alone_need_no_masks_and_no_sizes(files):
    truth, results = as_coco(random_pairs(0), ("bbox",))
    expected = evaluate_files(*files(truth, results)).to_json()
    for annotation in truth["annotations"]:
        annotation["segmentation"] = []
    for image in truth["images"]:
        del image["width"], image["height"]
    assert evaluate_files(*files(truth, results)).to_json() == expected


def test_polygons_count_as_their_pixels(files):
    """A triangle in truth and results, which pycocotools reads in results as an RLE only."""
    truth, results = as_coco(random_pairs(0), ("segmentation",))
    sizes = {image["id"]: (image["height"], image["width"]) for image in truth["images"]}
    triangle = [[1, 1, 39, 3, 5, 37]]
    for annotation in truth["annotations"]:
        annotation["segmentation"] = triangle
    drawn = [{**r, "segmentation": triangle} for r in results]
    for result in results:
        (mask,) = Masks.from_coco([triangle], sizes[result["image_id"]]).to_coco()
        result["segmentation"] = mask
    scores = evaluate_files(*files(truth, drawn)).to_json()["segm"]
    assert list(scores.values()) == pycocotools_stats(truth, results, "segm")[0]
    assert scores["AP"] > 0


# -- joined by the names of the pictures -----------------------------------------------------


def named(seed=0, *, theirs="photos/{}.jpg", ours="{}.jpg"):
    """Truth and results whose ids have nothing to do with one another; the numbers they give."""
    truth, results = as_coco(random_pairs(seed), ("bbox", "segmentation"))
    for image in truth["images"]:
        image["file_name"] = ours.format(image["id"])
    for result in results:
        result["file_name"] = theirs.format(result["image_id"])
    order = list(dict.fromkeys(result["file_name"] for result in results))
    known = {image["id"] for image in truth["images"]}
    for result in results:
        result["image_id"] = order.index(result["file_name"]) + 1
    assert {result["image_id"] for result in results} != known
    return truth, results


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("{}.jpg", "{}.jpg"), ("photos/{}.jpg", "{}.jpg"), ("x/{}.jpg", "val/{}.jpg")],
)
def test_results_are_joined_by_file_name(files, theirs, ours):
    expected = evaluate_files(*files(*as_coco(random_pairs(0), ("bbox", "segmentation"))))
    found = evaluate_files(*files(*named(theirs=theirs, ours=ours)))
    assert found.to_json() == expected.to_json()
    assert found.predictions == expected.predictions


def test_equal_names_come_before_those_without_folders(files):
    expected = evaluate_files(*files(*as_coco(random_pairs(0), ("bbox", "segmentation"))))
    truth, results = named(theirs="{}/a.jpg", ours="{}/a.jpg")
    assert evaluate_files(*files(truth, results)).to_json() == expected.to_json()


def test_pictures_that_the_truth_lacks_are_left_out(files):
    truth, results = named()
    expected = evaluate_files(*files(truth, results))
    other = {**results[0], "file_name": "photos/other.jpg", "category_id": 4}
    found = evaluate_files(*files(truth, [other, *results]))
    assert found.to_json() == expected.to_json()
    assert (found.predictions, found.foreign) == (len(results), 1)
    assert expected.foreign == 0
    results[2]["score"] = None
    with pytest.raises(DataError, match="result 4: "):
        evaluate_files(*files(truth, [other, *results]))


def test_ids_join_where_the_truth_has_no_names(files):
    truth, results = as_coco(random_pairs(0), ("bbox", "segmentation"))
    expected = evaluate_files(*files(truth, results)).to_json()
    for result in results:
        result["file_name"] = "a.jpg"
    truth["images"][0]["file_name"] = ["no", "name"]
    assert evaluate_files(*files(truth, results)).to_json() == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("other/{}.png", "{}.jpg"), r"expected predictions of the truth's 12 pictures, such as"),
        (("x/a.jpg", "{}/a.jpg"), r"'x/a\.jpg' may be '\d+/a\.jpg' or '\d+/a\.jpg' of the truth"),
    ],
)
def test_refuses_names_that_do_not_fit(files, names, message):
    theirs, ours = names
    refuses(files, lambda *_: named(theirs=theirs, ours=ours), message)


def test_refuses_two_pictures_for_one(files):
    def copied(*_):
        truth, results = named()
        return truth, [*results, {**results[0], "file_name": f"b/{results[0]['file_name']}"}]

    refuses(files, copied, r"'photos/(\d+)\.jpg' and 'b/photos/\1\.jpg' both may be '\1\.jpg'")


@pytest.mark.parametrize("name", [None, 3])
def test_refuses_a_result_without_the_name_that_others_have(files, name):
    def nameless(*_):
        truth, results = named()
        results[1]["file_name"] = name
        return truth, results

    refuses(files, nameless, f"result 2: expected a picture's name as 'file_name' .* got {name}")
