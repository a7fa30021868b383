"""Every planted fault is found where it is, nothing is found in clean data, and repairs mend."""

import json
from collections import Counter

import numpy as np
import pytest
from faults import FAULTS, Data, clean_set, lay_on_its_side, linked_copy
from PIL import Image

from delineate.data.formats import open_splits
from delineate.data.pictures import FORBIDDEN
from delineate.data.sample import UNANNOTATED
from delineate.data.synthetic import SyntheticScenes
from delineate.quality import duplicates, label_errors, noise, unlabelled
from delineate.quality.checks import KINDS, examine
from delineate.quality.judging import EXPLAINS
from delineate.quality.repair import FIXES, repair


def checked(folder, **options):
    return examine(open_splits(folder, on_error="report"), **options)


def how(change):
    """What a change did."""
    return "leaves out" if change.left_out else "mends"


def found_at(findings, fault, where):
    """The findings of a kind at a place."""
    return [
        finding
        for finding in findings
        if finding.kind == fault.kind
        and finding.place.split == where.split
        and finding.place.image_id == where.image_id
        and (not where.ids or set(where.ids) == set(finding.place.ids))
    ]


def listing(folder):
    """Every file below a folder with its content's size and time of change."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(clean, tmp_path, name):
    fault = FAULTS[name]
    where = fault.plant(Data(linked_copy(clean, tmp_path / "data")))
    findings = checked(tmp_path / "data")
    found = found_at(findings, fault, where)
    assert found, [str(finding) for finding in findings]
    assert {finding.severity for finding in found} == {fault.severity}
    others = Counter(f.kind for f in findings if f.severity == "error" and f.kind != fault.kind)
    assert not others, others
    quick = found_at(checked(tmp_path / "data", quick=True), fault, where)
    assert bool(quick) == fault.quick


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.mended])
def test_a_repair_mends_it_and_only_once(clean, tmp_path, name):
    fault = FAULTS[name]
    data = linked_copy(clean, tmp_path / "data")
    fault.plant(Data(data))
    before = listing(data)
    first = repair(data, tmp_path / "first", version="0")
    assert listing(data) == before
    assert {how(change) for change in first.changes if change.kind == fault.kind} == {fault.mended}
    assert all(how(change) in FIXES[change.kind] for change in first.changes)
    assert not [f for f in checked(tmp_path / "first") if f.kind in FIXES and f.severity != "note"]
    assert first.images["val"] == 8
    second = repair(tmp_path / "first", tmp_path / "second", version="0")
    assert second.changes == ()
    for split in ("train", "val"):
        once, twice = ((tmp_path / n / f"{split}.json").read_bytes() for n in ("first", "second"))
        assert once == twice


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_found_in_clean_data(tmp_path, seed):
    assert checked(clean_set(tmp_path, seed=seed)) == []


def test_nothing_is_found_in_scenes_like_those_of_the_demo():
    classes = ("pebble", "leaf", "star", "ring")
    scenes = {
        split: SyntheticScenes(count, size=(192, 192), seed=number, classes=classes)
        for number, (split, count) in enumerate({"train": 30, "val": 12, "test": 12}.items())
    }
    assert examine(scenes) == []


def test_a_repair_of_clean_data_is_a_copy(clean, tmp_path):
    result = repair(clean, tmp_path / "copy", version="0")
    assert result.changes == ()
    own = {p.relative_to(clean) for p in clean.rglob("*") if p.is_file()}
    copied = {p.relative_to(tmp_path / "copy") for p in (tmp_path / "copy").rglob("*")}
    assert own <= copied
    assert all((clean / p).read_bytes() == (tmp_path / "copy" / p).read_bytes() for p in own)


def test_the_tables_name_only_what_there_is():
    assert set(FIXES) <= set(KINDS)
    assert {fault.kind for fault in FAULTS.values()} <= set(KINDS)
    assert set(EXPLAINS) | {kind for kinds in EXPLAINS.values() for kind in kinds} <= set(KINDS)


def test_what_a_repair_is_said_to_do_is_what_it_does():
    """Each planted fault is compared with the list of changes above; two are of other formats."""
    done = {(fault.kind, fault.mended) for fault in FAULTS.values() if fault.mended}
    done |= {("exif_rotated", "leaves out"), (UNANNOTATED, "leaves out")}
    assert done == {(kind, way) for kind, ways in FIXES.items() for way in ways.split(" or ")}


def test_of_another_format_pictures_are_left_out(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in "abc":
        Image.fromarray(np.full((30, 40, 3), 9, np.uint8)).save(folder / f"{name}.jpg")
    lay_on_its_side(folder / "b.jpg")
    points = [[2, 2], [12, 2], [12, 9]]
    shape = {"label": "leaf", "points": points, "shape_type": "polygon"}
    for name in "ab":
        page = {"shapes": [shape], "imagePath": f"{name}.jpg", "imageHeight": 30, "imageWidth": 40}
        (folder / f"{name}.json").write_text(json.dumps({**page, "imageData": None}))
    changes = repair(folder, tmp_path / "copy", version="0").changes
    left_out = {(change.kind, change.left_out) for change in changes}
    assert left_out >= {("exif_rotated", "image"), (UNANNOTATED, "image")}


def test_every_kind_is_planted_or_needs_more_than_a_small_set():
    elsewhere = {
        UNANNOTATED,
        FORBIDDEN,
        *duplicates.KINDS,
        *unlabelled.KINDS,
        *noise.KINDS,
        *label_errors.KINDS,
    }
    planted = {fault.kind for fault in FAULTS.values()} | elsewhere
    assert set(KINDS) - planted == {"class_imbalance"}
