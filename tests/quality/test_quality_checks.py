"""Single checks by numbers, what explains what, and real folders."""

import json

import numpy as np
import pytest
from photographs import write_set
from scipy import stats

from delineate.core.classes import ClassMap
from delineate.core.masks import Masks
from delineate.data.annotated import AnnotatedDataset, Annotation
from delineate.data.derived import Subset
from delineate.data.formats import open_splits
from delineate.data.sample import ImageRecord, stated_by
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.quality.agreement import paired_iou
from delineate.quality.census import census, joined
from delineate.quality.checks import CHECKS, KINDS, examine
from delineate.quality.class_balance import class_counts
from delineate.quality.conventions import BOXES
from delineate.quality.distributions import ks_distance, places
from delineate.quality.pixels import pixels

SIZE = (60, 80)
NAN = float("nan")


def dataset_of(bitmaps, labels, names=("wall", "door"), crowd=None, per_image=1):
    """A data set in memory: bitmaps of SIZE, a few for each image."""
    masks = Masks.from_bitmaps(bitmaps, SIZE).to_coco()
    count = -(-len(bitmaps) // per_image)
    records = [
        ImageRecord(image_id=i + 1, name=f"{i}.png", path=None, size=SIZE) for i in range(count)
    ]
    annotations = [
        Annotation(
            id=i + 1,
            image_id=i // per_image + 1,
            label=label,
            crowd=bool(crowd and crowd[i]),
            area=NAN,
            box=(NAN,) * 4,
            segmentation=mask["counts"],
        )
        for i, (mask, label) in enumerate(zip(masks, labels, strict=True))
    ]
    return AnnotatedDataset(
        name="set",
        classes=ClassMap.from_names(names),
        records=records,
        annotations=annotations,
        problems=(),
    )


def rectangle(y0, x0, y1, x1):
    bitmap = np.zeros(SIZE, bool)
    bitmap[y0:y1, x0:x1] = True
    return bitmap


def kinds(findings):
    return [(finding.kind, finding.severity) for finding in findings]


# -- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_distance_of_kolmogorov_and_smirnov(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=40).round(1), rng.normal(0.5, 2, size=23).round(1)
    assert ks_distance(first, second) == pytest.approx(stats.ks_2samp(first, second).statistic)


def test_iou_of_pairs():
    first = np.array([[0, 0, 2, 2], [0, 0, 1, 1], [0, 0, 2, 2], [NAN, 0, 1, 1]])
    second = np.array([[1, 0, 3, 2], [2, 2, 3, 3], [0, 0, 2, 2], [0, 0, 1, 1]])
    np.testing.assert_allclose(paired_iou(first, second), [1 / 3, 0, 1, NAN])


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("corners (x1, y1, x2, y2)", [20, 10, 50, 40]),
        ("centre, width and height", [35, 25, 30, 30]),
        ("y, x, height, width", [10, 20, 30, 30]),
        ("corners, y first", [10, 20, 40, 50]),
        ("shares of the picture", [0.1, 0.1, 0.15, 0.3]),
        ("shares of the picture, by centre, width and height", [0.175, 0.25, 0.15, 0.3]),
        ("shares of the picture, by corners", [0.1, 0.1, 0.25, 0.4]),
        ("percentages of the picture", [10, 10, 15, 30]),
    ],
)
def test_readings_of_a_box(words, numbers):
    read = BOXES[words](np.array([numbers], float), np.array([[200.0, 100.0]]))
    np.testing.assert_allclose(read, [[20, 10, 50, 40]])


# -- judgement ---------------------------------------------------------------------------------


def test_what_is_usual_for_a_class_is_a_note():
    full = [np.ones(SIZE, bool)] * 6
    doors = [rectangle(5 + i % 7, 5 + i, 40 + i % 9, 30 + i) for i in range(30)]
    walls = dataset_of([*full, *doors], [0] * 6 + [1] * 30)
    found = examine({"train": walls}, only=["whole_picture"])
    assert kinds(found) == [("whole_picture", "note")] * 6
    assert "6 of 6 objects of 'wall' are so" in found[0].why

    one_door = dataset_of([full[0], *doors], [1] * 31)
    assert kinds(examine({"train": one_door}, only=["whole_picture"])) == [
        ("whole_picture", "warning")
    ]


def test_classes_that_nest_share_a_region_now_and_then():
    """A door in a wall, ten times; once the door is all there is of the wall."""
    nested = [m for i in range(9) for m in (rectangle(5, 5, 55, 75), rectangle(20, 20 + i, 50, 40))]
    same = [rectangle(5, 5, 50, 50)] * 2
    assert examine({"train": dataset_of(nested + same, [0, 1] * 10, per_image=2)}) == []
    apart = [m for i in range(9) for m in (rectangle(5, 5, 55, 30), rectangle(20, 40 + i, 50, 70))]
    found = examine({"train": dataset_of(apart + same, [0, 1] * 10, per_image=2)})
    assert ("two_classes", "error") in kinds(found)


def test_crowds_are_not_judged_as_objects():
    crowd = dataset_of(
        [np.ones(SIZE, bool), np.ones(SIZE, bool), rectangle(5, 5, 30, 30)] * 4,
        [0, 0, 1] * 4,
        crowd=[True, True, False] * 4,
        per_image=3,
    )
    found = examine({"train": crowd})
    assert set(kinds(found)) == {("mostly_crowd", "warning"), ("unused_class", "warning")}


@pytest.mark.parametrize(
    "rest", [(10, 79, 40, 80), (10, 0, 40, 1), (0, 10, 1, 40), (59, 10, 60, 40)]
)
def test_a_thin_rest_at_the_border_is_a_note(rest):
    bitmaps = [rectangle(*rest), rectangle(10, 40, 40, 41)]
    found = examine({"train": dataset_of(bitmaps, [0, 1])}, only=["thin_mask"])
    assert [(f.place.image_id, f.severity) for f in found] == [(2, "warning"), (1, "note")]


@pytest.mark.parametrize(("beyond", "severity"), [(0.9, None), (3, "note"), (25, "warning")])
def test_an_outline_that_ends_beyond_its_start(beyond, severity):
    """A square of 40 x 40; the loop at its first corner has beyond x beyond pixels."""
    start, end = 10.0, 50.0
    corner = [start - beyond, start, end, start, end, end, start, end, start, start - beyond]
    dataset = dataset_of([rectangle(10, 10, 50, 50)], [0])
    dataset._segmentations[0] = (np.array([*corner, start - beyond, start - beyond]),)
    found = examine({"train": dataset}, only=["self_crossing"])
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_a_few_crowds_are_as_usual():
    crowd = [i < 2 for i in range(12)]
    bitmaps = [rectangle(5, 5, 20 + i, 30) for i in range(12)]
    found = examine({"train": dataset_of(bitmaps, [0, 1] * 6, crowd=crowd)})
    assert kinds(found) == [("rare_class", "warning")]


def test_boxes_are_compared_within_rounding():
    """A pixel on every side of an object of 4 x 4 pixels: IoU 0.44, and nobody's fault."""

    def stated(x, y, w, h):
        small = dataset_of([rectangle(10, 10, 14, 14)] * 3 + [rectangle(30, 30, 40, 40)], [0] * 4)
        small._boxes[:] = [[10, 10, 4, 4]] * 3 + [[30, 30, 10, 10]]
        small._boxes[0] = [x, y, w, h]
        return kinds(examine({"train": small}, only=["box_disagrees"]))

    assert stated(9, 9, 6, 6) == []
    assert stated(8, 8, 7, 7) == []
    assert stated(7, 10, 7, 4) == [("box_disagrees", "warning")]  # IoU 0.57
    assert stated(20, 10, 4, 4) == [("box_disagrees", "error")]


def test_a_lopsided_mix():
    counts = dataset_of([rectangle(5, 5, 9, 9)] * 1210, [0] * 1200 + [1] * 10, per_image=110)
    (finding,) = class_counts({"train": census(counts)})
    assert (finding.kind, finding.severity) == ("class_imbalance", "note")
    assert "1,200 objects of 'wall' and 10 of 'door'" in finding.why


# -- the table ---------------------------------------------------------------------------------


def test_kinds_that_are_asked_for():
    full = dataset_of([np.ones(SIZE, bool), rectangle(1, 1, 2, 9), rectangle(3, 3, 9, 9)], [0] * 3)
    found = {finding.kind for finding in examine({"train": full})}
    assert {"whole_picture", "thin_mask", "unused_class"} <= found
    only = examine({"train": full}, only=["thin_mask", "unused_class"], ignore=["unused_class"])
    assert {finding.kind for finding in only} == {"thin_mask"}
    with pytest.raises(ConfigError, match="did you mean 'thin_mask'"):
        examine({"train": full}, only=["thin_masks"])
    with pytest.raises(ConfigError, match="no finding is of the kind"):
        examine({"train": full}, ignore=["everything"])


def test_the_quick_checks_rasterise_no_polygon(tmp_path, monkeypatch):
    outline = (np.array([5.0, 5, 30, 5, 30, 30, 5, 30]),)
    box = (5.0, 5.0, 25.0, 25.0)
    dataset = AnnotatedDataset(
        name="set",
        classes=ClassMap.from_names(["cat"]),
        records=[
            ImageRecord(image_id=i, name=f"{i}.png", path=tmp_path / "none.png", size=SIZE)
            for i in range(30)
        ],
        annotations=[Annotation(i, i, 0, False, 625.0, box, outline) for i in range(30)],
        problems=(),
    )
    monkeypatch.setattr(AnnotatedDataset, "instances", lambda *_: pytest.fail("rasterised"))
    assert examine({"train": dataset}, quick=True) == []


def test_data_sets_that_state_nothing_are_checked_too():
    scenes = SyntheticScenes(12, seed=3, size=(96, 128), classes=("pebble", "leaf"))
    part = Subset(scenes, range(12))
    assert examine({"train": part}) == []
    said = stated_by(part)(0)
    assert said.outlines == (None,) * len(scenes.instances(0))
    assert joined({"train": census(part)}) == joined({"train": census(scenes)})


def test_a_check_for_every_kind_and_a_kind_for_every_check():
    assert len(set(KINDS)) == len(KINDS)
    assert all(check.kinds for check in CHECKS.values())


# -- real folders --------------------------------------------------------------------------------

REAL = {
    "fruits_nuts": set(),
    "potholes": {("unlabelled", "warning")},
    "publaynet20": {("rare_class", "warning")},
    "gothic_prints": {("rare_class", "warning"), ("self_crossing", "warning")},
    "mushrooms": {
        *(("duplicate_object", "error"), ("thin_mask", "warning"), ("tiny_mask", "warning"))
    },
    "street_facades": {("shifted_outlines", "warning")},
}
"""What is found in real folders beside notes; each was looked at, and is true."""


@pytest.mark.parametrize("folder", REAL)
def test_what_is_found_in_real_folders(shared_data, folder):
    findings = examine(open_splits(shared_data / folder, on_error="skip"))
    assert {pair for pair in kinds(findings) if pair[1] != "note"} == REAL[folder]
    assert len(findings) < 10


def painted(folder, colour, star=False):
    image = np.full((64, 64, 3), colour, np.uint8)
    image[33, 33] += np.uint8(12 * star)
    write_set(folder, "train", [image], [[]])
    return [finding.kind for finding in pixels(open_splits(folder))]


def test_a_picture_is_blank_if_all_its_pixels_are_alike(tmp_path):
    assert painted(tmp_path, (0, 0, 0)) == ["blank_picture"]
    assert painted(tmp_path, (250, 20, 20)) == ["blank_picture"]
    assert painted(tmp_path, (0, 0, 0), star=True) == []


def test_a_stated_width_below_zero_is_no_size(tmp_path):
    path = write_set(tmp_path, "train", [np.zeros((60, 80, 3), np.uint8)], [[[0, 0, 9, 0, 9, 9]]])
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [20, 5, -18, 9]
    path.write_text(json.dumps(content))
    (dataset,) = open_splits(tmp_path).values()
    assert dataset.stated_boxes(0)[0, 2] == -18
    assert places(dataset).sizes.tolist() == [0]


def test_a_census_counts_what_is_no_crowd():
    bitmaps = [rectangle(0, 0, 9, 9)] * 6
    crowd = [False, False, False, True, False, False]
    labels = [0, 1, 1, 0, 1, 1]
    one = census(
        dataset_of(bitmaps, labels, names=("wall", "door", "owl"), crowd=crowd, per_image=2)
    )
    assert one.table.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [0, 2, 0]]
    assert one.per_class.tolist() == [1, 4, 0]
    assert one.per_picture.tolist() == [2, 1, 2]
    assert one.shown.tolist() == [1, 3, 0]
    assert (one.crowds.tolist(), one.total) == ([0, 1, 0], 5)
    assert one.objects == {"wall": 1, "door": 4, "owl": 0}
