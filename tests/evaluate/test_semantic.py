"""Mean IoU against counting by hand, and the treatment of void on both sides."""

import json
import pickle

import numpy as np
import pytest

from delineate.core.panoptic import to_semantic
from delineate.errors import ClassMismatch, DataError
from delineate.evaluate.semantic import SemanticMetric
from panoptic_cases import CLASSES, random_panoptic

NAMES = ("a", "b", "c")


def measured(truth, predicted, names=NAMES):
    metric = SemanticMetric(names)
    metric.update(np.array(truth), np.array(predicted))
    return metric.compute()


def test_by_hand():
    result = measured([[0, 0, 1, 1]], [[0, 1, 1, 1]])
    assert dict(result.iou) == pytest.approx({"a": 1 / 2, "b": 2 / 3, "c": -1})
    assert result.miou == pytest.approx(7 / 12)
    assert result.accuracy == pytest.approx(3 / 4)
    assert result.mean_accuracy == pytest.approx(3 / 4)


def test_void_in_the_truth_counts_nowhere():
    assert measured([[0, -1, -1, 1]], [[0, 0, 2, 1]]).to_json() == {
        "mIoU": 1.0,
        "aAcc": 1.0,
        "mAcc": 1.0,
        "IoU": {"a": 1.0, "b": 1.0, "c": -1.0},
    }


def test_void_in_the_prediction_is_wrong_but_no_class():
    result = measured([[0, 0, 1, 1]], [[0, -1, 1, 1]])
    assert dict(result.iou) == pytest.approx({"a": 1 / 2, "b": 1, "c": -1})
    assert result.miou == pytest.approx(3 / 4)
    assert result.accuracy == pytest.approx(3 / 4)


def test_a_class_in_the_prediction_alone_counts_as_0():
    result = measured([[0, 0]], [[0, 2]])
    assert dict(result.iou) == pytest.approx({"a": 1 / 2, "b": -1, "c": 0})
    assert result.miou == pytest.approx(1 / 4)


def test_random_maps_against_sets_of_pixels():
    metric = SemanticMetric(CLASSES.names)
    sides = ([], [])
    for k in range(10):
        maps = [to_semantic(random_panoptic(2 * k + side)) for side in (0, 1)]
        metric.update(*maps)
        for side, labels in zip(sides, maps, strict=True):
            side.append(labels.ravel())
    truth, found = (np.concatenate(side) for side in sides)
    found = found[truth >= 0]
    truth = truth[truth >= 0]
    result = metric.compute()
    expected = [
        ((truth == c) & (found == c)).sum() / ((truth == c) | (found == c)).sum()
        for c in range(len(CLASSES))
    ]
    assert list(result.iou.values()) == pytest.approx(expected, abs=1e-12)
    assert result.miou == pytest.approx(np.mean(expected), abs=1e-12)
    assert result.accuracy == pytest.approx((truth == found).mean(), abs=1e-12)
    assert result.images == 10


def test_workers_merge_and_pickle():
    first, second = SemanticMetric(NAMES), SemanticMetric(NAMES)
    first.update(np.array([[0, 1]]), np.array([[0, 0]]))
    second.update(np.array([[1, 2]]), np.array([[1, 1]]))
    first.merge(pickle.loads(pickle.dumps(second)))
    assert first.compute().to_json() == measured([[0, 1, 1, 2]], [[0, 0, 1, 1]]).to_json()
    json.dumps(first.compute().to_json())
    with pytest.raises(ClassMismatch, match="one class table"):
        first.merge(SemanticMetric(("a", "b", "d")))


def test_nothing_is_undefined():
    assert SemanticMetric(NAMES).compute().miou == -1
    assert measured([[-1]], [[0]]).accuracy == -1


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_any_whole_numbers(dtype):
    metric = SemanticMetric(NAMES)
    metric.update(np.array([[0, 1]], dtype), np.array([[0, 1]], dtype))
    assert metric.compute().accuracy == 1


@pytest.mark.parametrize(
    ("truth", "predicted", "message"),
    [
        ([[0]], [[0, 1]], "of one size"),
        ([[0.0]], [[0]], "whole numbers"),
        ([[3]], [[0]], "below the 3 classes, got 3"),
        ([[0]], [[255]], "below the 3 classes, got 255"),
    ],
)
def test_maps_that_do_not_fit_are_refused(truth, predicted, message):
    with pytest.raises(DataError, match=message):
        measured(truth, predicted)
