"""The HTML report: whole, safe, self-contained."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scenes import CLASSES, instances, many_classes, random_pairs, result_of, square

from delineate.core.classes import ClassMap
from delineate.errors import OutputError
from delineate.evaluate.gallery import Gallery
from delineate.evaluate.report_html import html_report, write_report
from html_page import Page

EVIL = "<script>alert(1)</script>\"'&${title}"


@pytest.fixture(scope="module")
def gallery():
    rng = np.random.default_rng(0)
    gallery = Gallery(CLASSES)
    for image_id, truth, predicted in random_pairs(0):
        image = rng.integers(0, 256, (*truth.image_size, 3), dtype=np.uint8)
        gallery.add(f"image {image_id}.png", image, truth, predicted)
    return gallery


VOID = {"meta", "input"}


def test_says_what_was_found(gallery):
    result = result_of(random_pairs(0))
    text = html_report(result, title="nano on nuts", facts={"model": "a.st"}, gallery=gallery)
    page = Page(text, VOID)
    for words in ("nano on nuts", "a.st", "12 images", "Mask AP50", "Box AP", "owl", "medium"):
        assert words in page.words
    assert f"{result.scores['segm']['AP']:.3f}" in page.words
    assert page.tags.count("figure") == sum(map(len, (gallery.good, gallery.bad, gallery.missed)))
    assert page.tags.count("image") == page.tags.count("figure") > 10
    assert "annotated as" in page.words


def test_needs_nothing_from_outside_and_runs_nothing(gallery):
    text = html_report(result_of(random_pairs(0)), title="t", gallery=gallery)
    page = Page(text, VOID)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    names = [name for name, _ in page.attributes]
    assert not [name for name in names if name.startswith("on") or name == "src"]
    links = {value for name, value in page.attributes if name in ("href", "xlink:href")}
    assert all(value.startswith("data:image/jpeg;base64,") for value in links)
    assert "http://" not in text
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_drawings_are_well_formed(gallery):
    text = html_report(result_of(random_pairs(0)), title="t", gallery=gallery)
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) > 10
    for drawing in drawings:
        ET.fromstring(drawing)


def test_names_cannot_become_markup():
    classes = ClassMap((EVIL, "other"), (1, 2))
    thing, image = square((20, 30), 1, 1, 8), np.zeros((20, 30, 3), np.uint8)
    truth, found = instances([thing], [0]), instances([thing], [0], [0.9])
    gallery = Gallery(classes)
    gallery.add(EVIL, image, truth, found)
    gallery.add(EVIL, image, truth, found.replace(labels=np.array([1])))
    result = result_of([(1, truth, found)], classes)
    text = html_report(result, title=EVIL, facts={EVIL: EVIL}, gallery=gallery)
    page = Page(text, VOID)
    assert "script" not in page.tags
    assert page.words.count("<script>alert(1)</script>\"'&${title}") >= 8
    assert "<script" not in text
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ET.fromstring(drawing)


def test_without_pictures_objects_or_masks():
    for result in (result_of([]), result_of(random_pairs(0), iou_types=("bbox",))):
        page = Page(html_report(result, title="t"), VOID)
        assert "figure" not in page.tags
    assert "Mask" not in page.words
    empty = Page(html_report(result_of([]), title="t", gallery=Gallery(CLASSES)), VOID)
    assert "No object was missed." in empty.words


def test_many_classes_and_busy_pictures_stay_small():
    """Three full galleries of noise with 300 objects each: the worst that JPEG and paths can do."""
    size, rng = (600, 600), np.random.default_rng(0)
    things = [square(size, 30 * (i % 20), 30 * (i // 20), 22) for i in range(300)]
    truth = instances(things, [0] * 300, size=size)
    gallery = Gallery(CLASSES)
    for _ in range(6):
        image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        found = instances(things[1:], [0] * 298 + [1], [0.9] * 299, size=size)
        gallery.add("noise", image, truth, found)
    text = html_report(many_classes(80), title="t", gallery=gallery)
    assert len(gallery.good) == len(gallery.bad) == len(gallery.missed) == 6
    assert len(text) < 3_000_000


def test_is_written_whole_or_not_at_all(tmp_path):
    write_report(tmp_path / "report.html", result_of([]), title="t")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(tmp_path / "none" / "report.html", result_of([]), title="t")
