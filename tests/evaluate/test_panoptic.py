"""PQ against what panopticapi recorded, and against its rules written down with dense masks."""

import json
import pickle

import numpy as np
import pytest
from goldens import Golden
from hotcoco.panoptic import PanopticEval

from delineate.core.classes import ClassMap
from delineate.core.panoptic import Panoptic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import ClassMismatch, DataError
from delineate.evaluate.panoptic import PanopticMetric
from panoptic_cases import CLASSES, golden_pairs, panoptic, random_panoptic

GROUPS = ("All", "Things", "Stuff")


def measured(pairs, classes=CLASSES):
    metric = PanopticMetric(classes)
    for truth, found in pairs:
        metric.update(truth, found)
    return metric.compute()


def assert_equals(result, expected):
    """Compare with panopticapi's result to the last digits."""
    ours = result.to_json()
    for group in GROUPS:
        assert ours[group] == pytest.approx(expected[group], abs=1e-12)
    assert ours["per_class"].keys() == expected["per_class"].keys()
    for source_id, quality in expected["per_class"].items():
        assert ours["per_class"][source_id] == pytest.approx(quality, abs=1e-12)


@pytest.mark.parametrize("name", ["pq_synthetic", "pq_sample_data"])
def test_equals_panopticapi(goldens, name):
    golden = Golden(goldens / f"{name}.npz")
    classes = PanopticClasses.from_coco(golden.json("categories.json"))
    result = measured(golden_pairs(golden, classes), classes)
    expected = golden.json("expected.json")
    assert_equals(result, expected)
    for source_id, (tp, fp, fn, iou) in expected.get("stat", {}).items():
        quality = result.per_class[classes.name(classes.label_of(int(source_id)))]
        assert (quality.tp, quality.fp, quality.fn) == (tp, fp, fn)
        assert max(quality.sq, 0) * tp == pytest.approx(iou, abs=1e-12)


@pytest.mark.parametrize("image", range(4))
def test_equals_panopticapi_image_by_image(goldens, image):
    golden = Golden(goldens / "pq_synthetic.npz")
    classes = PanopticClasses.from_coco(golden.json("categories.json"))
    pair = list(golden_pairs(golden, classes))[image]
    assert_equals(measured([pair], classes), golden.json(f"expected_image{image}.json"))


def test_truth_against_itself(goldens):
    golden = Golden(goldens / "pq_sample_data.npz")
    classes = PanopticClasses.from_coco(golden.json("categories.json"))
    ours = measured(((t, t) for t, _ in golden_pairs(golden, classes)), classes).to_json()
    assert all(ours[group][key] == 1.0 for group in GROUPS for key in ("pq", "sq", "rq"))
    # Two crowds of a class in one image: panopticapi excuses predictions on the last one alone.
    golden = Golden(goldens / "pq_synthetic.npz")
    classes = PanopticClasses.from_coco(golden.json("categories.json"))
    result = measured(((t, t) for t, _ in golden_pairs(golden, classes)), classes)
    assert_equals(result, golden.json("expected_identity.json"))


def by_the_rules(truth, found, areas):
    """Count (tp, fp, fn, sum of IoU) of each label with one dense mask after another."""
    counts = np.zeros((len(CLASSES), 4))
    void = truth.ids == 0
    matched = set()
    crowds = {}
    for segment, stated in zip(truth.segments, areas, strict=True):
        mine = truth.ids == segment.id
        if segment.crowd:
            crowds[segment.label] = mine
            continue
        hits = 0
        for other in found.segments:
            theirs = found.ids == other.id
            common = (mine & theirs).sum()
            if other.label == segment.label and common:
                iou = common / (stated + other.area - common - (void & theirs).sum())
                if iou > 0.5:
                    matched.add(other.id)
                    counts[segment.label] += (1, 0, 0, iou)
                    hits += 1
        counts[segment.label, 2] += not hits
    for other in found.segments:
        theirs = found.ids == other.id
        excused = (void & theirs).sum()
        if other.label in crowds:
            excused += (crowds[other.label] & theirs).sum()
        counts[other.label, 1] += other.id not in matched and excused / other.area <= 0.5
    return counts


@pytest.mark.parametrize("stated", [False, True])
def test_equals_the_rules_on_random_images(stated):
    rng = np.random.default_rng(0)
    metric, expected = PanopticMetric(CLASSES), np.zeros((len(CLASSES), 4))
    for k in range(40):
        truth, found = random_panoptic(2 * k), random_panoptic(2 * k + 1)
        areas = [s.area * (rng.uniform(0.8, 1.6) if stated else 1) for s in truth.segments]
        areas = [float(round(a)) for a in areas]
        metric.update(truth, found, areas=areas if stated else None)
        expected += by_the_rules(truth, found, areas)
    result = metric.compute()
    assert (expected[:, :3] > 5).all()  # the scenes are worth the test
    for quality, (tp, fp, fn, iou) in zip(result.per_class.values(), expected, strict=True):
        assert (quality.tp, quality.fp, quality.fn) == (tp, fp, fn)
        assert quality.pq == pytest.approx(iou / (tp + fp / 2 + fn / 2), abs=1e-12)
        assert quality.sq * quality.rq == pytest.approx(quality.pq, abs=1e-12)


def test_equals_hotcoco_where_areas_are_counted():
    pairs = [(random_panoptic(2 * k), random_panoptic(2 * k + 1)) for k in range(10)]
    categories = CLASSES.to_coco()

    def dataset(images):
        annotations = [
            {
                "id": 100 * i + n,
                "image_id": i,
                "category_id": CLASSES.source_id(s.label),
                "iscrowd": int(s.crowd),
                "area": s.area,
                "segmentation": mask,
            }
            for i, image in enumerate(images, 1)
            for n, (s, mask) in enumerate(zip(image.segments, image.masks().to_coco(), strict=True))
        ]
        h, w = images[0].image_size
        records = [{"id": i + 1, "height": h, "width": w} for i in range(len(images))]
        return {"images": records, "categories": categories, "annotations": annotations}

    theirs = PanopticEval(*(dataset(side) for side in zip(*pairs, strict=True)))
    theirs.evaluate()
    expected = theirs.results()
    ours = measured(pairs).to_json()
    assert {g: ours[g] for g in GROUPS} == {g: pytest.approx(expected[g]) for g in GROUPS}


# -- rules, one by one ---------------------------------------------------------------------------


def row(*parts):
    """One row of pixels: (count, id) after (count, id)."""
    return [[i for count, i in parts for _ in range(count)]]


def test_half_is_no_match():
    truth = panoptic(row((4, 1), (2, 2)), {1: 0, 2: 2})
    half = panoptic(row((2, 1), (4, 2)), {1: 0, 2: 2})
    quality = measured([(truth, half)]).per_class["cat"]
    assert (quality.tp, quality.fp, quality.fn) == (0, 1, 1)
    more = panoptic(row((3, 1), (3, 2)), {1: 0, 2: 2})
    quality = measured([(truth, more)]).per_class["cat"]
    assert (quality.tp, quality.pq) == (1, 0.75)


def test_void_is_left_out_of_the_union_and_excuses():
    truth = panoptic(row((4, 1), (8, 0)), {1: 0})
    found = panoptic(row((8, 1), (4, 2)), {1: 0, 2: 1})
    result = measured([(truth, found)])
    assert result.per_class["cat"].sq == 1.0
    assert not result.per_class["dog"].defined


def test_a_crowd_excuses_its_own_class_only_and_is_not_missed():
    truth = panoptic(row((6, 1), (6, 2)), {1: 0, 2: 2}, crowd=(1,))
    found = panoptic(row((4, 1), (2, 3), (6, 2)), {1: 0, 3: 1, 2: 2})
    result = measured([(truth, found)])
    assert not result.per_class["cat"].defined
    assert result.per_class["dog"].fp == 1


def test_classes_that_do_not_occur_count_in_no_mean():
    truth = panoptic(row((4, 1), (4, 2)), {1: 0, 2: 2})
    result = measured([(truth, truth)])
    assert [result.groups[g].n for g in GROUPS] == [2, 1, 1]
    assert result.groups["All"].pq == 1.0
    assert result.per_class["dog"].pq == -1
    assert result.to_json()["per_class"]["8"] == {"pq": 0.0, "sq": 0.0, "rq": 0.0}


def test_nothing_at_all_is_undefined():
    result = measured([(Panoptic.empty((2, 2), CLASSES),) * 2])
    assert result.to_json()["All"] == {"pq": -1.0, "sq": -1.0, "rq": -1.0, "n": 0}
    assert result.images == 1
    assert PanopticMetric(CLASSES).compute().images == 0


def test_a_stated_area_of_nothing_is_no_match():
    metric = PanopticMetric(CLASSES)
    truth = panoptic(row((4, 1)), {1: 0})
    metric.update(truth, truth, areas=[0.0])
    assert metric.compute().per_class["cat"].tp == 0


def test_workers_merge_and_pickle():
    pairs = [(random_panoptic(2 * k), random_panoptic(2 * k + 1)) for k in range(6)]
    first, second = PanopticMetric(CLASSES), PanopticMetric(CLASSES)
    for k, pair in enumerate(pairs):
        (first, second)[k % 2].update(*pair)
    first.merge(pickle.loads(pickle.dumps(second)))
    merged, whole = first.compute(), measured(pairs)
    assert merged.images == 6
    assert second.compute().images == 3
    assert_equals(merged, whole.to_json())
    json.dumps(merged.to_json())


def test_what_does_not_belong_together_is_refused():
    metric = PanopticMetric(CLASSES)
    one, other = Panoptic.empty((2, 3), CLASSES), Panoptic.empty((3, 2), CLASSES)
    with pytest.raises(DataError, match=r"size \(height, width\) \(2, 3\), got one for \(3, 2\)"):
        metric.update(one, other)
    alien = PanopticClasses(ClassMap(("cat",), (1,)), ClassMap((), ()))
    with pytest.raises(ClassMismatch, match="match the two tables"):
        metric.update(one, Panoptic.empty((2, 3), alien))
    with pytest.raises(DataError, match="an area for each of 0 segments, got 1"):
        metric.update(one, one, areas=[1.0])
    with pytest.raises(ClassMismatch, match="one class table"):
        metric.merge(PanopticMetric(alien))
    assert metric.compute().images == 0
