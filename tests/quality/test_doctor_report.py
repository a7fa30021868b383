"""The page of a data check: whole, safe, self-contained, and of bounded size."""

import os
import re
import sys

import numpy as np
import pytest
from photographs import SIZE, circle, photograph, write_set

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.formats import open_splits
from delineate.errors import OutputError
from delineate.quality import report_html
from delineate.quality.findings import Finding, Place, place_of
from delineate.quality.report_html import doctor_report, write_doctor_report
from delineate.quality.shots import Photographer
from html_page import Page

EVIL = "<script>alert(1)</script>\"'&${title}"


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split, seeds in (("train", range(3)), ("val", range(3, 5))):
        objects = [[circle(60, 60, 20), circle(200, 120, 30)]] * len(seeds)
        pictures = [photograph(seed) for seed in seeds]
        write_set(folder, split, pictures, objects, classes=(EVIL, "square"))
    return open_splits(folder)


VOID = {"meta", "input", "img"}


def finding_in(splits, split, index, objects=(), **changes):
    dataset = splits[split]
    place = place_of(split, dataset.records[index], dataset.instances(index), objects)
    told = {"kind": "odd_thing", "severity": "warning", "why": "it is odd", "fix": "mend it"}
    return Finding(**{**told, "place": place, **changes})


def test_every_finding_is_told_on_its_picture(splits):
    near = finding_in(splits, "train", 0, (1,), score=0.75)
    copy = finding_in(
        splits, "val", 1, kind="leaked_image", severity="error", others=(near.place,), why="a copy"
    )
    whole = Finding(
        kind="leakage", severity="error", place=Place(split="val"), why="all of it", fix="split"
    )
    text = doctor_report([near, copy, whole], splits, {"data": "mine"}, title="A check")
    page = Page(text, VOID)
    for words in (
        "A check",
        "mine",
        "It is odd.",
        "Mend it.",
        "A copy.",
        "All of it.",
        "score 0.75",
    ):
        assert words in page.words
    assert "2 errors, 1 warning" in page.words
    assert "train, image 1 'train_000.png', annotation 2" in page.words
    assert page.tags.count("figure") == 3
    assert page.tags.count("image") == 3  # one of the first, two of the second
    assert page.words.index("A copy.") < page.words.index("It is odd.")
    classes = [value for name, value in page.attributes if name == "class"]
    assert classes.count("outline about") == 2
    assert {"album of1", "album of2"} <= set(classes)


def test_the_concerned_object_is_close_up_and_its_place_is_shown(splits):
    camera = Photographer(splits)
    shot = camera.shot(finding_in(splits, "train", 0, (0,)).place)
    (outline,) = shot.concerned
    ring = outline.rings[0]
    assert (ring.min(axis=0) > 0.2 * min(shot.size)).all()
    assert (ring.max(axis=0) < 0.8 * min(shot.size)).all()
    assert np.ptp(ring, axis=0).min() > 0.35 * min(shot.size)
    x1, y1, x2, y2 = shot.frame
    assert np.allclose([(x1 + x2) / 2 * SIZE[1], (y1 + y2) / 2 * SIZE[0]], 60, atol=1.5)
    assert shot.whole[:2] == b"\xff\xd8"
    everything = camera.shot(finding_in(splits, "train", 0).place)
    assert (everything.whole, len(everything.concerned), len(everything.others)) == (b"", 0, 2)


def test_a_box_and_what_the_model_sees_are_drawn(splits):
    dataset = splits["train"]
    place = place_of("train", dataset.records[0], box=(40, 50, 70, 90))
    masks = Masks.from_coco([[circle(55, 70, 18)]] * 2, SIZE)
    found = Instances(
        image_size=SIZE,
        boxes=masks.boxes(),
        labels=np.array([1, 1]),
        masks=masks,
        scores=np.array([0.9, 0.2]),
    )
    shot = Photographer(splits, {("train", 1): found}).shot(place)
    scale = shot.size[1] / (SIZE[1] * (shot.frame[2] - shot.frame[0]))
    x1, y1, x2, y2 = shot.box
    assert np.allclose([x2 - x1, y2 - y1], [30 * scale, 40 * scale], atol=0.01)
    assert [outline.title for outline in shot.predicted] == ["square 0.90"]
    finding = Finding(kind="missing_label", severity="note", place=place, why="w", fix="f")
    text = doctor_report([finding], splits, {}, predicted={("train", 1): found})
    assert text.count("<rect ") == 1
    assert 'id="show-predicted"' in text
    assert 'id="show-predicted"' not in doctor_report([finding], splits, {})


def test_needs_nothing_from_outside_and_runs_nothing(splits):
    text = doctor_report([finding_in(splits, "train", 0, (0,))], splits, {"data": EVIL}, title=EVIL)
    page = Page(text, VOID)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    links = {value for name, value in page.attributes if name in ("href", "src")}
    assert links
    assert all(value.startswith("data:image/jpeg;base64,") for value in links)
    assert "http" not in re.sub(r"data:[^\"]*", "", text).replace("http-equiv", "")
    assert "default-src 'none'" in text


def test_what_strangers_wrote_cannot_become_markup(splits):
    place = Place(split=EVIL, image_id=1, name=EVIL)
    evil = Finding(kind="odd", severity="error", place=place, why=EVIL, fix=EVIL, others=(place,))
    named = finding_in(splits, "train", 0, (0,), why=EVIL)
    text = doctor_report([evil, named], {EVIL: splits["val"], **splits}, {EVIL: EVIL}, title=EVIL)
    page = Page(text, VOID)
    assert "script" not in page.tags
    assert "<script" not in text
    assert page.words.count("<script>alert(1)</script>\"'&${title}") >= 7


def test_filters_name_what_is_there(splits):
    findings = [
        finding_in(splits, "train", 0, kind="one_kind"),
        finding_in(splits, "val", 0, kind="other_kind", severity="note"),
    ]
    page = Page(doctor_report(findings, splits, {}), VOID)
    ids = [value for name, value in page.attributes if name == "id"]
    for box in ("show-warning", "show-note", "show-s0", "show-s1", "all-kinds"):
        assert box in ids
    assert "show-error" not in ids
    for rule in re.findall(r"body:has\(#(only-[\w-]+):checked\)", page.style):
        assert rule in ids
    classes = " ".join(value for name, value in page.attributes if name == "class").split()
    assert {"k-one_kind", "k-other_kind", "s0", "s1", "is-note", "is-warning"} <= set(classes)
    hidden = "body:has(#only-k-one_kind:checked) section.kind:not(.k-one_kind) { display: none; }"
    assert hidden in page.style


def test_many_findings_stay_small_and_are_counted(splits, monkeypatch):
    monkeypatch.setattr(report_html, "PICTURES", 3)
    monkeypatch.setattr(report_html, "_LINES", 5)
    many = [
        finding_in(splits, "train", k % 3, (k % 2,), score=k / 20_000, why=f"number {k}")
        for k in range(10_000)
    ]
    text = doctor_report(many, splits, {})
    page = Page(text, VOID)
    assert page.tags.count("figure") == 3
    assert page.tags.count("li") == 5
    assert "Number 9999." in page.words
    assert "9,997 more" in page.words
    assert "And 9,992 more" in page.words
    assert len(text) < 500_000


def test_pictures_stop_where_there_is_no_room(splits, monkeypatch):
    some = [finding_in(splits, "train", k % 3, (0,), why=f"number {k}") for k in range(12)]
    monkeypatch.setattr(report_html, "_ROOM", 100_000)
    text = doctor_report(some, splits, {})
    page = Page(text, VOID)
    assert 1 <= page.tags.count("figure") < 12
    assert page.tags.count("figure") + page.tags.count("li") == 12
    assert len(text) < 200_000


def test_pictures_that_cannot_be_read_are_told_in_lines(tmp_path):
    write_set(tmp_path, "train", [photograph(0), photograph(1)], [[circle(60, 60, 20)]] * 2)
    splits = open_splits(tmp_path)
    broken = (tmp_path / "images" / "train_001.png").read_bytes()
    (tmp_path / "images" / "train_001.png").write_bytes(broken[: len(broken) // 2])
    strange = Finding(
        kind="odd_thing",
        severity="note",
        place=Place(split="train", image_id=77, name="gone", objects=(5,)),
        why="not listed",
        fix="f",
    )
    page = Page(doctor_report([finding_in(splits, "train", 1), strange], splits, {}), VOID)
    assert page.tags.count("figure") == 0
    assert page.tags.count("li") == 2
    far = Place(split="train", image_id=1, name="a", objects=(9,))  # of a data set since changed
    finding = Finding(kind="odd_thing", severity="note", place=far, why="w", fix="f")
    assert Page(doctor_report([finding], splits, {}), VOID).tags.count("figure") == 1


def test_nothing_found_is_said(splits, tmp_path):
    write_doctor_report(tmp_path / "report.html", [], splits, {})
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Nothing found." in Page(text, VOID).words
    with pytest.raises(OutputError, match="cannot be written"):
        write_doctor_report(tmp_path / "none" / "report.html", [], splits, {})


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 there, or UTF-16")
def test_names_that_are_not_utf8(splits, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    finding = Finding(
        kind="k", severity="note", place=Place(split="train"), why=f"{name} is odd", fix="f"
    )
    write_doctor_report(tmp_path / "r.html", [finding], splits, {"data": name})
    assert "<dd>caf?.png</dd>" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_lists_of_terms_hold_terms(splits):
    (cards,) = re.findall("<dl class=.headline.>(.*?)</dl>", doctor_report([], splits, {}))
    assert set(re.findall(r"<(\w+)", cards)) == {"div", "dt", "dd"}
