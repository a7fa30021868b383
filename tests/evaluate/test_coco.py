"""The streaming COCO metric: by hand, against pycocotools, and against published numbers."""

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from scenes import CLASSES, as_coco, instances, pycocotools_stats, random_pairs, result_of, square

from delineate.core.boxes import xywh_to_xyxy, xyxy_to_xywh
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.coco import read_coco
from delineate.errors import ConfigError, DataError
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_files import evaluate_files
from delineate.evaluate.coco_result import limits_up_to

ONE = ClassMap(("thing",), (1,))
SIZE = (20, 30)
AR_NAMES = ("AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def evaluated(pairs, **options):
    metric = CocoMetric(CLASSES, **options)
    for image_id, truth, predicted in pairs:
        metric.update(truth, predicted, image_id=image_id)
    return metric


# -- by hand ---------------------------------------------------------------------------------


def test_one_of_two_found():
    """Precision is 1 up to recall 0.5 and 0 beyond: 51 of the 101 recalls."""
    here, there = square(SIZE, 1, 1, 8), square(SIZE, 15, 5, 8)
    metric = CocoMetric(ONE)
    metric.update(instances([here, there], [0, 0]), instances([here], [0], [0.9]))
    result = metric.compute()
    for kind in ("segm", "bbox"):
        scores = result.scores[kind]
        for name in ("AP", "AP50", "AP75"):
            assert scores[name] == pytest.approx(51 / 101)
        assert scores["AR1"] == scores["AR100"] == scores["ARs"] == 0.5
        assert scores["APm"] == scores["APl"] == scores["ARl"] == -1
    assert (result.images, result.truths, result.predictions) == (1, 2, 1)
    assert result.per_class["thing"].truths == 2
    assert result.per_class["thing"].ap50 == pytest.approx(51 / 101)
    np.testing.assert_allclose(result.curves[0.5], np.arange(101) <= 50)


def test_overlap_between_half_and_three_quarters():
    """8 x 8 against 8 x 5: IoU 40 / 64 = 0.625 passes 0.50, 0.55 and 0.60 of ten thresholds."""
    truth, part = square(SIZE, 1, 1, 8), square(SIZE, 1, 1, 8)
    part[6:] = False
    metric = CocoMetric(ONE)
    metric.update(instances([truth], [0]), instances([part], [0], [0.9]))
    scores = metric.compute().scores["segm"]
    assert scores["AP"] == pytest.approx(0.3)
    assert (scores["AP50"], scores["AP75"]) == (pytest.approx(1), 0)


def test_json_has_cocos_names_and_plain_floats():
    metric = CocoMetric(ONE)
    metric.update(instances([square(SIZE, 1, 1, 8)], [0]), Instances.empty(SIZE, scored=True))
    content = json.loads(json.dumps(metric.compute().to_json()))
    names = [*("AP", "AP50", "AP75", "APs", "APm", "APl"), *AR_NAMES]
    assert {kind: list(scores) for kind, scores in content.items()} == {
        "segm": names,
        "bbox": names,
    }
    assert content["segm"]["AP"] == 0
    assert content["segm"]["APl"] == -1


def test_more_objects_than_cocos_limit():
    size = (40, 400)
    things = [square(size, 3 * i, 0, 2) for i in range(120)]
    predicted = instances(things, [0] * 120, [0.5] * 120, size=size)
    limited, raised = CocoMetric(ONE), CocoMetric(ONE, max_dets=(1, 10, 500))
    for metric in (limited, raised):
        metric.update(instances(things, [0] * 120, size=size), predicted)
    assert limited.compute().scores["segm"]["AR100"] == pytest.approx(100 / 120)
    assert raised.compute().scores["segm"]["AR500"] == 1
    assert raised.compute().scores["segm"]["AP"] == pytest.approx(1)


def test_what_the_limit_costs_is_measured_where_it_costs():
    size = (40, 400)
    things = [square(size, 3 * i, 0, 2) for i in range(120)]
    truth = instances(things, [0] * 120, size=size)
    pairs = [(1, truth, instances(things, [0] * 120, [0.5] * 120, size=size))]
    limited = result_of(pairs, ONE)
    assert limited.scores["segm"]["AR100"] == pytest.approx(100 / 120)
    assert limited.beyond == result_of(pairs, ONE, max_dets=(1, 10, 1000)).scores
    assert limited.to_json()["segm@1000"]["AP"] == pytest.approx(1)
    assert result_of(pairs, ONE, max_dets=(1, 10, 120)).beyond == {}
    assert result_of(pairs, ONE, max_dets=(1, 10, 2000)).beyond == {}


@pytest.mark.parametrize("limit", [3, 30])
def test_other_limits_equal_pycocotools(limit):
    """With 3, only (1, 3) count; the numbers without a limit in their name are those of 3."""
    pairs = random_pairs(3)
    truth, results = as_coco(pairs, ("segmentation",))
    _, theirs = pycocotools_stats(truth, results, "segm")
    theirs.params.maxDets = [1, 3, limit] if limit == 3 else [1, 10, limit]
    theirs.evaluate()
    theirs.accumulate()
    precision = theirs.eval["precision"][:, :, :, 0, -1]
    ours = result_of(pairs, max_dets=limits_up_to(limit)).scores["segm"]
    assert ours["AP"] == pytest.approx(precision[precision > -1].mean(), abs=1e-15)
    assert [name for name in ours if name[:3] in ("AR1", "AR3")] == (
        ["AR1", "AR3"] if limit == 3 else ["AR1", "AR10", "AR30"]
    )


def test_a_crowded_image_under_300_equals_pycocotools():
    """420 and 60 objects, equal scores, false alarms between: the limit cuts inside a tie."""
    rng, size = np.random.default_rng(0), (80, 900)
    things = [square(size, 11 * (i % 80), 13 * (i // 80), 8) for i in range(480)]
    labels = [0] * 420 + [1] * 60
    moved = [np.roll(thing, rng.integers(0, 5), 1) for thing in things]
    scores = (rng.integers(1, 10, 480) / 10).tolist()
    truth = instances(things, labels, size=size, crowd=[False] * 480)
    pairs = [(1, truth, instances(moved, labels, scores, size=size))]
    coco, results = as_coco(pairs, ("segmentation",))
    _, theirs = pycocotools_stats(coco, results, "segm")
    theirs.params.maxDets = [1, 10, 300]
    theirs.evaluate()
    theirs.accumulate()
    precision, recall = (theirs.eval[key][..., :, -1] for key in ("precision", "recall"))
    ours = result_of(pairs, max_dets=limits_up_to(300))
    found = ours.scores["segm"]
    assert found["AP"] == np.mean(precision[:, :, :2, 0])
    assert found["AP50"] == np.mean(precision[0, :, :2, 0])
    assert found["AR300"] == np.mean(recall[:, :2, 0])
    assert (ours.crowded, ours.countable, ours.truths) == (1, 360, 480)
    assert found["AP"] > 1.2 * result_of(pairs).scores["segm"]["AP"]


@pytest.mark.parametrize("limits", [(), (0,), (-1,), (1, 10, 10), (10, 1), (1, 10**20)])
def test_refuses_limits_that_do_not_rise_from_one(limits):
    with pytest.raises(ConfigError, match="rising numbers from 1"):
        CocoMetric(ONE, max_dets=limits)


def test_what_the_limit_costs_is_counted():
    """Of 5 and 1 objects of one class and 2 of another, a limit of 2 leaves 2 + 1 + 2."""
    size = (40, 400)
    crowded = instances([square(size, 9 * i, 0, 4) for i in range(7)], [0] * 5 + [1] * 2, size=size)
    single = instances([square(size, 0, 0, 4)], [0], size=size)
    first, second = (CocoMetric(CLASSES, max_dets=(1, 2)) for _ in range(2))
    for metric, truth, image_id in ((first, crowded, 1), (second, single, 2)):
        nothing = instances([], [], [], size=size)
        metric.update(truth, nothing, image_id=image_id)
    first.merge(second)
    found = first.compute()
    assert (found.limit, found.crowded, found.densest) == (2, 1, 5)
    assert (found.countable, found.truths) == (5, 8)


def test_stated_areas_decide_the_size():
    thing = square(SIZE, 1, 1, 8)
    metric = CocoMetric(ONE)
    metric.update(
        instances([thing], [0]), instances([thing], [0], [0.9]), areas=np.array([100.0**2])
    )
    scores = metric.compute().scores["segm"]
    assert (scores["APs"], scores["APl"]) == (-1, pytest.approx(1))


def test_stated_boxes_replace_those_of_the_masks():
    thing = square(SIZE, 1, 1, 8)
    metric = CocoMetric(ONE)
    metric.update(
        instances([thing], [0]), instances([thing], [0], [0.9]), boxes=[[1.0, 1.0, 8.0, 4.0]]
    )
    scores = metric.compute().scores
    assert scores["segm"]["AP"] == pytest.approx(1)
    assert scores["bbox"]["AP"] == pytest.approx(0.1)  # IoU 0.5: one threshold of ten


# -- empty cases -----------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [("segm", "bbox"), ("bbox",), ("segm",)])
def test_nothing_at_all(kinds):
    result = CocoMetric(CLASSES, iou_types=kinds).compute()
    assert set(result.scores[kinds[0]].values()) == {-1}
    assert result.images == result.truths == result.predictions == 0
    assert (result.curves[0.5] == -1).all()
    assert result.iou_type == kinds[0]


def test_truth_without_predictions_is_zero_and_the_reverse_undefined():
    empty = Instances.empty(SIZE, scored=True)
    some = instances([square(SIZE, 1, 1, 8)], [0])
    missed, alarmed = CocoMetric(ONE), CocoMetric(ONE)
    missed.update(some, empty)
    alarmed.update(Instances.empty(SIZE), some.replace(scores=np.array([0.9])))
    assert missed.compute().scores["segm"]["AP"] == 0
    assert alarmed.compute().scores["segm"]["AP"] == -1


def test_boxes_without_masks():
    truth = Instances(image_size=SIZE, boxes=np.array([[1, 1, 9, 9]]), labels=np.array([0]))
    metric = CocoMetric(ONE, iou_types=("bbox",))
    metric.update(truth, truth.replace(scores=np.array([0.9])))
    scores = metric.compute().scores
    assert list(scores) == ["bbox"]
    assert scores["bbox"]["AP"] == scores["bbox"]["APs"] == pytest.approx(1)


# -- against pycocotools ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("kind", "key"), [("segm", "segmentation"), ("bbox", "bbox")])
def test_equals_pycocotools(seed, kind, key):
    """The twelve numbers to the last bit, and those of every class."""
    pairs = random_pairs(seed)
    result = evaluated(pairs).compute()
    expected, evaluation = pycocotools_stats(*as_coco(pairs, (key,)), kind)
    assert list(result.scores[kind].values()) == expected
    if kind == "segm":
        order = {source_id: k for k, source_id in enumerate(sorted(CLASSES.source_ids))}
        for label, name in enumerate(CLASSES.names):
            of_class = evaluation.eval["precision"][:, :, order[CLASSES.source_id(label)], 0, 2]
            assert result.per_class[name].ap == pytest.approx(of_class.mean(), abs=1e-15)
            assert result.per_class[name].ap50 == pytest.approx(of_class[0].mean(), abs=1e-15)
    assert result.per_class["never seen"].ap == -1


def test_random_pairs_are_hard_enough():
    """The comparison above would prove little on pairs without ties, crowds and middling AP."""
    pairs = [pair for seed in range(12) for pair in random_pairs(seed)]
    scores = np.concatenate([p.scores for _, _, p in pairs])
    assert len(np.unique(scores)) < len(scores) / 20
    assert sum(int(t.crowd.sum()) for _, t, _ in pairs) > 20
    assert any(len(t) == 0 for _, t, _ in pairs)
    assert any(len(p) == 0 for _, _, p in pairs)
    assert 0.05 < evaluated(random_pairs(0)).compute().scores["segm"]["AP"] < 0.6


def test_published_mask_numbers_through_instances(shared_data, tmp_path):
    """COCO's own fake results, read and evaluated by us all the way."""
    dataset, content, results, expected = published(shared_data, tmp_path, "segm")
    numbers = evaluated_as_instances(dataset, content, results, "segmentation")
    np.testing.assert_allclose(numbers, list(expected.values()), 0, 1e-12)


def test_published_box_numbers_through_instances(shared_data, tmp_path):
    """Two of the 734 fake boxes are shifts that lie on an IoU threshold exactly, in float64.

    `Instances` hold boxes as float32, which moves the two across. For boxes that come as float32,
    as those of a network do, the numbers are pycocotools'. Files keep all digits: test_coco_files.
    """
    dataset, content, results, expected = published(shared_data, tmp_path, "bbox")
    numbers = evaluated_as_instances(dataset, content, results, "bbox")
    np.testing.assert_allclose(numbers, list(expected.values()), 0, 1.5e-3)
    for result in results:
        x1, y1, x2, y2 = xywh_to_xyxy([result["bbox"]])[0].tolist()
        result["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    assert numbers == pycocotools_stats(content, results, "bbox")[0]


def published(shared_data, tmp_path, kind):
    folder = shared_data / "evalpairs" / "coco_val2014_100"
    expected = json.loads((shared_data / "evalpairs" / "EXPECTED.json").read_text())[folder.name]
    content = json.loads((folder / expected["gt"]).read_text())
    for image in content["images"]:
        blank = Image.new("L", (image["width"], image["height"]))
        blank.save(tmp_path / image["file_name"])
    dataset = read_coco(folder / expected["gt"], images=tmp_path)
    results = json.loads((folder / expected[kind]["dt"]).read_text())
    return dataset, content, results, expected[kind]["expected"]


def evaluated_as_instances(dataset, content, results, key):
    kind = "segm" if key == "segmentation" else "bbox"
    metric = CocoMetric(dataset.classes, iou_types=(kind,))
    stated = {annotation["id"]: annotation["bbox"] for annotation in content["annotations"]}
    for i, record in enumerate(dataset.records):
        truth = dataset.instances(i)
        of_image = [r for r in results if r["image_id"] == record.image_id]
        if key == "segmentation":
            masks = Masks.from_coco([r[key] for r in of_image], record.size)
            boxes = masks.boxes()
        else:
            masks, boxes = None, xywh_to_xyxy([r[key] for r in of_image])
        predicted = Instances(
            image_size=record.size,
            boxes=boxes,
            labels=[dataset.classes.label_of(r["category_id"]) for r in of_image],
            masks=masks,
            scores=[r["score"] for r in of_image],
        )
        metric.update(
            truth,
            predicted,
            image_id=record.image_id,
            areas=dataset.areas(i),
            boxes=[stated[number] for number in truth.ids.tolist()],
        )
    return list(metric.compute().scores[kind].values())


def test_stated_boxes_and_areas_give_the_numbers_of_the_files(shared_data, tmp_path):
    """Real annotations, whose boxes are those of polygons, and boxes moved a little from them."""
    path = shared_data / "coco128" / "val.json"
    dataset, rng = read_coco(path), np.random.default_rng(0)
    metric, plain = (CocoMetric(dataset.classes, iou_types=("bbox",)) for _ in range(2))
    results = []
    for i, record in enumerate(dataset.records):
        truth, areas, stated = dataset.instances(i), dataset.areas(i), dataset.stated_boxes(i)
        assert stated.dtype == np.float64
        moved = (xywh_to_xyxy(stated) + rng.integers(-4, 5, stated.shape)).round(1)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        found = Instances(
            image_size=truth.image_size,
            boxes=moved,
            labels=truth.labels,
            scores=rng.integers(1, 10, len(truth)) / 10,
        )
        metric.update(truth, found, image_id=record.image_id, areas=areas, boxes=stated)
        plain.update(truth, found, image_id=record.image_id)
        results += [
            {
                "image_id": record.image_id,
                "category_id": dataset.classes.source_id(label),
                "score": score,
                "bbox": box,
            }
            for label, score, box in zip(
                found.labels.tolist(),
                found.scores.tolist(),
                xyxy_to_xywh(found.boxes).tolist(),
                strict=True,
            )
        ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    scores = metric.compute().to_json()
    assert scores == evaluate_files(path, tmp_path / "results.json").to_json()
    content = json.loads(path.read_text())
    assert list(scores["bbox"].values()) == pycocotools_stats(content, results, "bbox")[0]
    assert plain.compute().to_json() != scores
    assert 0.1 < scores["bbox"]["AP"] < 0.9


# -- order, workers, processes ---------------------------------------------------------------


def test_order_of_images_and_number_of_workers_do_not_matter():
    pairs = random_pairs(3, images=20)
    whole = evaluated(pairs).compute().to_json()
    assert evaluated(pairs[::-1]).compute().to_json() == whole
    workers = [evaluated(pairs[k::3]) for k in range(3)]
    first, *others = (pickle.loads(pickle.dumps(worker)) for worker in workers[::-1])
    for other in others:
        first.merge(other)
    merged = first.compute()
    assert merged.to_json() == whole
    assert merged.images == 20
    assert merged.truths == evaluated(pairs).compute().truths


def test_merge_leaves_the_other_as_it_was():
    pairs = random_pairs(1)
    first, second = evaluated(pairs[:6]), evaluated(pairs[6:])
    alone = second.compute().to_json()
    first.merge(second)
    assert second.compute().to_json() == alone


def test_compute_may_be_called_in_between():
    pairs = random_pairs(2)
    metric = evaluated(pairs[:6])
    metric.compute()
    assert metric.compute().to_json() == evaluated(pairs[:6]).compute().to_json()
    for image_id, truth, predicted in pairs[6:]:
        metric.update(truth, predicted, image_id=image_id)
    assert metric.compute().to_json() == evaluated(pairs).compute().to_json()


def test_memory_does_not_hold_masks():
    """Twenty 300 x 300 checker boards take 7 MB as runs; the metric keeps a few kB."""
    board = np.indices((300, 300)).sum(axis=0) % 2 == 0
    boards = instances([board] * 20, [0] * 20, [0.5] * 20, size=(300, 300))
    metric = CocoMetric(ONE)
    metric.update(boards.replace(scores=None)[:2], boards)
    assert len(pickle.dumps(metric)) < 10_000


# -- refusals --------------------------------------------------------------------------------


def refused(truth, predicted, message, **options):
    metric = CocoMetric(ONE)
    with pytest.raises(DataError, match=message):
        metric.update(truth, predicted, **options)
    assert metric.compute().images == 0


def test_refuses_other_image_size():
    refused(Instances.empty(SIZE), Instances.empty((30, 20), scored=True), r"\(20, 30\), got")


def test_refuses_predictions_without_scores():
    refused(Instances.empty(SIZE), Instances.empty(SIZE), "set `scores`")


def test_refuses_unknown_label():
    wrong = instances([square(SIZE, 1, 1, 8)], [1], [0.5])
    refused(Instances.empty(SIZE), wrong, "predictions have label 1, but there are only 1")


def test_refuses_masks_that_are_not_there():
    boxes = instances([square(SIZE, 1, 1, 8)], [0], [0.5]).replace(masks=None)
    refused(Instances.empty(SIZE), boxes, "predictions have no masks")


def test_refuses_an_image_twice():
    metric = CocoMetric(ONE)
    metric.update(Instances.empty(SIZE), Instances.empty(SIZE, scored=True), image_id=5)
    with pytest.raises(DataError, match="image 5 was evaluated already"):
        metric.update(Instances.empty(SIZE), Instances.empty(SIZE, scored=True), image_id=5)
    other = CocoMetric(ONE)
    other.update(Instances.empty(SIZE), Instances.empty(SIZE, scored=True), image_id=5)
    with pytest.raises(DataError, match="image 5 in both"):
        metric.merge(other)


def test_refuses_to_merge_what_differs():
    with pytest.raises(DataError, match="same classes, IoU types and limits"):
        CocoMetric(ONE).merge(CocoMetric(CLASSES))
    with pytest.raises(DataError, match="same classes, IoU types and limits"):
        CocoMetric(ONE).merge(CocoMetric(ONE, iou_types=("bbox",)))
    with pytest.raises(DataError, match="limits"):
        CocoMetric(ONE).merge(CocoMetric(ONE, max_dets=(1, 10, 500)))
