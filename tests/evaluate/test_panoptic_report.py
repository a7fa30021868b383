"""Text of a panoptic evaluation."""

from dataclasses import replace

from delineate.core.classes import ClassMap
from delineate.core.panoptic import to_semantic
from delineate.core.panoptic_classes import PanopticClasses
from delineate.evaluate.panoptic import PanopticMetric
from delineate.evaluate.panoptic_report import panoptic_text
from delineate.evaluate.semantic import SemanticMetric
from panoptic_cases import CLASSES, panoptic, random_panoptic


def result_of(*pairs, classes=CLASSES):
    metric = PanopticMetric(classes)
    for pair in pairs:
        metric.update(*pair)
    return metric.compute()


def test_groups_come_first_and_classes_by_quality():
    pairs = [(random_panoptic(2 * k), random_panoptic(2 * k + 1)) for k in range(5)]
    pixels = SemanticMetric(CLASSES.names)
    for pair in pairs:
        pixels.update(*map(to_semantic, pair))
    result = result_of(*pairs)
    lines = panoptic_text(result, pixels.compute()).splitlines()
    assert lines[0].split() == ["PQ", "SQ", "RQ", "classes"]
    assert [line.split()[0] for line in lines[1:4]] == ["All", "Things", "Stuff"]
    assert lines[1].split()[1:] == [f"{result.groups['All'].pq:.3f}", *lines[1].split()[2:4], "5"]
    assert lines[5].startswith("5 images; classes of pixels: mIoU 0.")
    assert lines[7].split() == ["class", "PQ", "SQ", "RQ", "matched", "wrong", "missed"]
    rows = [line.split() for line in lines[8:13]]
    assert {(row[0], row[1]) for row in rows} >= {("cat", "thing"), ("sky", "stuff")}
    qualities = [float(row[2]) for row in rows]
    assert qualities == sorted(qualities, reverse=True)
    cat = result.per_class["cat"]
    (shown,) = (row for row in rows if row[0] == "cat")
    assert shown[-3:] == [str(cat.tp), str(cat.fp), str(cat.fn)]


def test_classes_that_do_not_occur_are_counted_only():
    truth = panoptic([[1, 1, 2]], {1: 0, 2: 2})
    text = panoptic_text(result_of((truth, truth)))
    assert text.splitlines()[5] == "1 image"
    assert text.endswith("3 classes without objects here are not listed")
    assert "dog" not in text


def test_many_classes_show_best_and_worst():
    names = tuple(f"class{i:02d}" for i in range(30))
    many = PanopticClasses(ClassMap((), ()), ClassMap(names, tuple(range(30))))
    truth = panoptic([list(range(1, 31))], {i + 1: i for i in range(30)}, classes=many)
    lines = panoptic_text(result_of((truth, truth), classes=many), limit=6).splitlines()
    assert [line.split()[0] for line in lines[8:]] == [*names[:3], "...", *names[-3:]]
    assert lines[11] == "... 24 more"
    result = replace(result_of((truth, truth), classes=many))
    assert "more" not in panoptic_text(result, limit=30)
