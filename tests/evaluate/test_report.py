"""Text of an evaluation."""

from dataclasses import replace

from scenes import instances, many_classes, random_pairs, result_of, square

from delineate.core.classes import ClassMap
from delineate.core.text_table import table
from delineate.evaluate.report import text_report
from delineate.evaluate.report_html import html_report


def test_table_aligns():
    assert table([["", "AP"], ["masks", "0.5"]]) == "        AP\nmasks  0.5"


def test_text_of_a_few_classes():
    lines = text_report(result_of(random_pairs(0))).splitlines()
    assert lines[0].split()[:3] == ["AP", "AP50", "AP75"]
    assert lines[1].startswith("masks  0.")
    assert lines[2].startswith("boxes  0.")
    assert len(set(map(len, lines[:3]))) == 1
    assert lines[4].startswith("12 images, ")
    assert lines[6].split() == ["class", "objects", "AP", "AP50", "AR"]
    assert {line.split()[0] for line in lines[7:10]} == {"cat", "dog", "owl"}
    assert lines[10] == "1 class without objects here is not listed"
    aps = [float(line.split()[2]) for line in lines[7:10]]
    assert aps == sorted(aps, reverse=True)


def test_text_of_many_classes_shows_best_and_worst():
    text = text_report(many_classes(31), limit=4)
    names = [line[:11].strip() for line in text.splitlines() if line.startswith(("class ", "..."))]
    assert names == ["class", "class 00", "class 01", "... 26 more", "class 28", "class 29"]


def test_text_of_one_class_has_no_table_of_classes():
    thing = square((20, 30), 1, 1, 8)
    pair = (1, instances([thing], [0]), instances([thing], [0], [0.9]))
    text = text_report(result_of([pair], ClassMap(("nut",), (1,)), iou_types=("bbox",)))
    assert "class" not in text
    assert "masks" not in text
    assert "boxes  1.000" in text
    assert text.splitlines()[1].split()[5] == "-"  # no medium objects


def test_text_of_nothing():
    text = text_report(result_of([]))
    assert text.splitlines()[1].split() == ["masks", *"-" * 12]
    assert "4 classes without objects here are not listed" in text


def test_a_limit_that_costs_something_is_said():
    size = (8, 80)
    things = [square(size, 9 * i, 0, 4) for i in range(8)]
    truth = instances(things, [0] * 8, size=size)
    found = [(1, truth, instances(things, [0] * 8, [0.5] * 8, size=size))]
    said = "images with more than 6 objects of a class: 1 of 1, with up to 8. Only the 6 best"
    few = result_of(found, ClassMap.from_names(["thing"]), max_dets=(1, 6))
    assert said in text_report(few)
    assert "no more than 75.0% of all objects can be found; --max-dets 8" in text_report(few)
    assert "Counting up to 1,000: masks AP 1.000, AP50 1.000; boxes AP 1.000" in text_report(few)
    assert said in html_report(few, title="few")
    nearly = replace(few, truths=10_000, countable=9_999)
    assert "no more than 99.9% of all objects" in text_report(nearly)
    enough = result_of(found, ClassMap.from_names(["thing"]), max_dets=(1, 8))
    assert "images with more than" not in text_report(enough)
    assert "images with more than" not in html_report(enough, title="enough")
