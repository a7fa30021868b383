"""What a repair does to the masks, and that it touches nothing else."""

import json
import math
import re

import numpy as np
import pytest
from faults import (
    CLASSES,
    FAULTS,
    SIZE,
    clean_set,
    edited,
    rectangle,
    set_mask,
)
from PIL import Image

from builders import tiny_coco
from delineate.core import image_open
from delineate.core.image import read_image
from delineate.core.masks import Masks
from delineate.core.rle import from_segmentation, to_bitmap
from delineate.data.coco import read_coco
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.coco_write import write_coco
from delineate.data.conversion import convert
from delineate.data.formats import open_splits
from delineate.data.synthetic import SyntheticScenes
from delineate.data.synthetic_panoptic import PanopticScenes
from delineate.errors import DataError, OutputError
from delineate.quality import repair as repairing
from delineate.quality.changes import Change, check_changes
from delineate.quality.checks import examine
from delineate.quality.mend_records import upright
from delineate.quality.repair import check_repairable, repair

ALL = "annotations"


def masks_of(path):
    """Every mask of a split by annotation id, dense."""
    dataset = read_coco(path, on_error="skip")
    return {
        int(own): dataset.instances(index).masks.bitmap(i)
        for index in range(len(dataset))
        for i, own in enumerate(dataset.instances(index).ids)
    }


def mended(data, fault, tmp_path):
    FAULTS[fault].plant(data)
    return repair(data.folder, tmp_path / "out", version="0")


@pytest.mark.parametrize("fault", ["outlines y before x", "outlines as shares"])
def test_outlines_in_other_units_come_back(clean, data, tmp_path, fault):
    mended(data, fault, tmp_path)
    right = masks_of(clean / "train.json")
    found = masks_of(tmp_path / "out" / "train.json")
    assert found.keys() == right.keys()
    for own, content in enumerate(json.loads((clean / "train.json").read_text())["annotations"]):
        if isinstance(content["segmentation"], list):
            assert np.mean(found[content["id"]] ^ right[content["id"]]) < 1e-3, own


@pytest.mark.parametrize("fault", ["boxes as corners", "boxes by their centres", "boxes as shares"])
def test_boxes_come_back_and_masks_stay(clean, data, tmp_path, fault):
    result = mended(data, fault, tmp_path)
    right = json.loads((clean / "train.json").read_text())
    found = json.loads((tmp_path / "out" / "train.json").read_text())
    assert found == right
    assert {change.kind for change in result.changes} == {"box_convention"}


@pytest.mark.parametrize(
    "fault",
    [
        *("null among the annotations", "text among the images", "null among the categories"),
        *("class listed twice", "class under two ids"),
    ],
)
def test_what_is_no_record_and_what_is_listed_again_goes(clean, data, tmp_path, fault):
    result = mended(data, fault, tmp_path)
    right = json.loads((clean / "train.json").read_text())
    assert json.loads((tmp_path / "out" / "train.json").read_text()) == right
    (change,) = result.changes
    assert change.before in (None, "a.jpg") or change.before["name"] == CLASSES[0]


@pytest.mark.parametrize(
    "fault", ["two classes of one id", "class without a name", "class under two ids, not equal"]
)
def test_categories_that_only_a_person_can_name_stay_with_their_annotations(data, tmp_path, fault):
    FAULTS[fault].plant(data)
    FAULTS["mask empty"].plant(data)
    with data.train() as content:
        categories, owners = content["categories"], [a["category_id"] for a in content[ALL]]
    result = repair(data.folder, tmp_path / "out", version="0")
    assert [change.kind for change in result.changes] == ["empty_mask"]
    content = json.loads((tmp_path / "out" / "train.json").read_text())
    assert content["categories"] == categories
    assert len(content[ALL]) == len(owners) - 1
    assert set(owners) == {a["category_id"] for a in content[ALL]}


@pytest.mark.parametrize("shared", [1, 77])
def test_a_class_whose_id_another_bears_is_joined_with_none(data, tmp_path, shared):
    FAULTS["class under two ids"].plant(data)  # 1 and 77
    with data.train() as content:
        content["categories"].append({"id": shared, "name": "acorn"})
    result = repair(data.folder, tmp_path / "out", version="0")
    assert result.changes == ()


@pytest.mark.parametrize("others", [1, 2])
def test_annotations_of_a_category_whose_id_is_a_word_stay(data, tmp_path, others):
    """With one category left they seem off by one."""
    with data.train() as content:
        content["categories"] = content["categories"][2 - others :]
        content["categories"][-1]["id"] = "three"
        content[ALL] = [a for a in content[ALL] if a["category_id"] > 2 - others]
        content[ALL] = [a for a in content[ALL] if a["category_id"] == 3 or others > 1]
    before = json.loads((data.folder / "train.json").read_text())
    assert repair(data.folder, tmp_path / "out", version="0").changes == ()
    assert json.loads((tmp_path / "out" / "train.json").read_text()) == before


def test_changes_hold_no_number_that_json_has_not():
    odd = {"weight": math.inf}
    told = Change(kind="a", split="train", what="b", before=odd, after=odd).to_json()
    assert told["before"] == told["after"] == {"weight": None}


@pytest.mark.parametrize("fault", ["box of NaN", "area infinite"])
def test_what_is_written_is_json(clean, data, tmp_path, fault):
    """Whatever else is NaN, such as a field that nobody knows, becomes null."""
    FAULTS[fault].plant(data)
    with data.train() as content:
        content["info"] = {"scale": math.nan}
        content[ALL][0]["score"] = -math.inf
    repair(data.folder, tmp_path / "out", version="0")
    right = json.loads((clean / "train.json").read_text())
    right[ALL][0]["score"], right["info"] = None, {"scale": None}
    found = strictly_read(tmp_path / "out" / "train.json")
    assert found == right
    (change,) = strictly_read(tmp_path / "out" / "changes.json")["changes"]
    assert None in (change["before"] if isinstance(change["before"], list) else [change["before"]])
    assert check_changes(tmp_path / "out") is None


def strictly_read(path):
    def refuse(word):
        raise AssertionError(word)

    return json.loads(path.read_text(), parse_constant=refuse)


def test_categories_and_crowds_come_back(clean, data, tmp_path):
    right = json.loads((clean / "train.json").read_text())
    mended(data, "categories counted from 0", tmp_path)
    assert json.loads((tmp_path / "out" / "train.json").read_text()) == right


def test_labels_are_turned_pixel_by_pixel(clean, data, tmp_path):
    where = FAULTS["labels of the unrotated picture"].plant(data)
    repair(data.folder, tmp_path / "out", version="0")
    own = [
        annotation
        for annotation in json.loads((clean / "train.json").read_text())["annotations"]
        if annotation["image_id"] == where.image_id
    ]
    found = masks_of(tmp_path / "out" / "train.json")
    dataset = read_coco(tmp_path / "out" / "train.json")
    index = [record.image_id for record in dataset.records].index(where.image_id)
    assert dataset.records[index].size == (SIZE[1], SIZE[0])
    for annotation in own:
        stored = to_bitmap(from_segmentation(annotation["segmentation"], SIZE), SIZE)
        np.testing.assert_array_equal(found[annotation["id"]], np.rot90(stored, -1))
    copied = tmp_path / "out" / "images" / dataset.records[index].name
    assert copied.read_bytes() == dataset.records[index].path.read_bytes()


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_arrays_are_turned_as_pictures_are(tmp_path, turn):
    stored = np.random.default_rng(turn).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(stored).save(tmp_path / "a.png", exif=exif)
    turned = np.stack([upright(stored[..., channel], turn) for channel in range(3)], axis=-1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), turned)


def test_a_pixel_more_or_less_costs_no_picture(data, tmp_path):
    result = mended(data, "picture a pixel smaller", tmp_path)
    assert result.images["train"] == 16
    (change,) = [change for change in result.changes if change.kind == "wrong_size"]
    assert change.after == {"width": SIZE[1] - 1, "height": SIZE[0]}


def test_joined_pictures_keep_all_objects(clean, data, tmp_path):
    mended(data, "picture listed twice", tmp_path)
    assert masks_of(tmp_path / "out" / "train.json").keys() == masks_of(clean / "train.json").keys()


def test_an_annotation_of_a_taken_id_gets_its_own(clean, data, tmp_path):
    count = len(json.loads((clean / "train.json").read_text())["annotations"])
    mended(data, "two annotations of one id", tmp_path)
    found = json.loads((tmp_path / "out" / "train.json").read_text())["annotations"]
    assert len({annotation["id"] for annotation in found}) == count


def test_what_is_not_certain_is_not_done(data, tmp_path):
    """Categories 0 and 1 where 1 to 3 are listed: off by one, or 0 is a mistake."""
    with data.train() as content:
        content["annotations"] = [a for a in content["annotations"] if a["category_id"] < 3]
        for annotation in content["annotations"]:
            annotation["category_id"] -= 1
    before = json.loads((data.folder / "train.json").read_text())
    result = repair(data.folder, tmp_path / "out", version="0")
    assert result.changes == ()
    assert json.loads((tmp_path / "out" / "train.json").read_text()) == before


def test_what_other_programs_have_written_is_kept(clean, data, tmp_path):
    with data.train() as content:
        content["info"] = {"description": "caf\u00e9"}
        content["licenses"] = []
        content["annotations"][0]["attributes"] = {"occluded": True}
        content["annotations"][1]["bbox"] = [0, 0, 2, 2]
    repair(data.folder, tmp_path / "out", version="0")
    found = json.loads((tmp_path / "out" / "train.json").read_text())
    assert found["info"] == {"description": "caf\u00e9"}
    assert list(found)[-2:] == ["info", "licenses"]
    assert found["annotations"][0]["attributes"] == {"occluded": True}
    right = json.loads((clean / "train.json").read_text())
    assert found["annotations"][1] == right["annotations"][1]


def test_splits_whose_pictures_share_names_keep_both(clean, tmp_path):
    for split, seed in (("train", 0), ("valid", 1)):
        folder = tmp_path / "data" / split
        tiny_coco(folder, images=5, seed=seed, objects=5, name="labels")
    result = repair(tmp_path / "data", tmp_path / "out", version="0")
    assert [change.kind for change in result.changes] == ["renamed_picture"] * 5
    for split in ("train", "val"):
        folder = tmp_path / "data" / ("train" if split == "train" else "valid")
        source = folder / "labels.json"
        before, after = read_coco(source), read_coco(tmp_path / "out" / f"{split}.json")
        for i in range(5):
            np.testing.assert_array_equal(before[i].image, after[i].image)
    again = repair(tmp_path / "out", tmp_path / "again", version="0")
    assert again.changes == ()


def test_a_file_keeps_its_name(clean, tmp_path):
    result = repair(clean / "val.json", tmp_path / "out", version="0")
    assert sorted(p.name for p in result.out.iterdir()) == ["changes.json", "images", "val.json"]
    assert len(list((result.out / "images").iterdir())) == 8


def test_another_format_becomes_coco(clean, tmp_path):
    convert(open_splits(clean), "voc", tmp_path / "voc")
    result = repair(tmp_path / "voc", tmp_path / "out", version="0")
    assert result.images == {"train": 16, "val": 8}
    before, after = open_splits(tmp_path / "voc"), open_splits(tmp_path / "out")
    for split in ("train", "val"):
        for i in range(len(before[split])):
            first, second = before[split].instances(i), after[split].instances(i)
            assert first.masks.to_coco() == second.masks.to_coco()
            assert before[split].records[i].name == after[split].records[i].name
    again = repair(tmp_path / "out", tmp_path / "again", version="0")
    assert again.changes == ()
    listed = json.loads((tmp_path / "out" / "changes.json").read_text())
    assert any(name.endswith("train.txt") for name in listed["source_sha256"])
    assert not any(name.endswith(".jpg") for name in listed["source_sha256"])


NOTES = {"outline_spike": "2,2 30,2 30,20 90,20 30,20.5 30,38 2,38"}
NOTES["repeated_points"] = " ".join(f"{x},{y} " * 4 for x, y in ((2, 2), (40, 2), (40, 30)))
NOTES["self_crossing"] = "10,10 70,50 70,10 10,50"


@pytest.mark.parametrize("kind", NOTES)
@pytest.mark.parametrize("format", ["alto", "labelme"])
def test_what_is_said_of_the_points_of_an_outline_is_said_of_the_copy(tmp_path, kind, format):
    """The copy used to have the masks alone: what was found in the source was not found in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    if format == "alto":
        (folder / "a.xml").write_text(
            '<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description><MeasurementUnit>'
            "pixel</MeasurementUnit><sourceImageInformation><fileName>a.png</fileName>"
            '</sourceImageInformation></Description><Layout><Page WIDTH="100" HEIGHT="60">'
            '<PrintSpace><TextBlock ID="b" HPOS="2" VPOS="2" WIDTH="9" HEIGHT="9"><Shape>'
            f'<Polygon POINTS="{NOTES[kind]}"/></Shape></TextBlock></PrintSpace></Page></Layout>'
            "</alto>"
        )
    else:
        points = [list(map(float, point.split(","))) for point in NOTES[kind].split()]
        shape = {"label": "leaf", "points": points, "shape_type": "polygon", "group_id": None}
        page = {"shapes": [shape], "imagePath": "a.png", "imageData": None}
        (folder / "a.json").write_text(json.dumps(page))
    result = repair(folder, tmp_path / "out", version="0")
    before, after = open_splits(folder)["train"], open_splits(tmp_path / "out")["train"]
    found = [finding.to_json() for finding in examine({"train": before})]
    assert kind in {finding["kind"] for finding in found}
    assert [finding.to_json() for finding in examine({"train": after})] == found
    assert result.changes == ()
    assert before.instances(0).masks.to_coco() == after.instances(0).masks.to_coco()
    ours, theirs = (d.stated(0).outlines[0][0].tolist() for d in (before, after))
    assert ours == theirs


def test_stuff_is_not_thrown_away(tmp_path):
    write_coco_panoptic(tmp_path / "data" / "train.json", PanopticScenes(2, size=(64, 64)))
    with pytest.raises(DataError, match="whose stuff a copy"):
        repair(tmp_path / "data", tmp_path / "out", version="0")
    assert not (tmp_path / "out").exists()


def test_transposed_masks_or_boxes_of_squares_are_told_and_left(tmp_path):
    """Nothing shows which of the two is wrong."""
    scenes = SyntheticScenes(12, size=(96, 96), classes=("pebble", "leaf"))
    write_coco(tmp_path / "data" / "train.json", scenes)
    with edited(tmp_path / "data" / "train.json") as content:
        for annotation in content["annotations"]:
            x, y, w, h = annotation["bbox"]
            annotation["bbox"] = [y, x, h, w]
            outlines = Masks.from_coco([annotation["segmentation"]], (96, 96)).polygons(0)
            if len(outlines) == 1:
                annotation["segmentation"] = [outlines[0].ravel().tolist()]
    findings = examine(open_splits(tmp_path / "data"))
    assert {f.kind for f in findings} == {"transposed_masks", "box_disagrees"}
    (finding,) = [f for f in findings if f.kind == "transposed_masks"]
    assert (finding.severity, finding.score) == ("warning", 0.5)
    assert "or something else is" in finding.why
    result = repair(tmp_path / "data", tmp_path / "out", version="0")
    assert result.changes == ()


# -- the list of changes -----------------------------------------------------------------------


def test_the_list_shows_what_was_done_and_when_it_is_altered(data, tmp_path):
    where = FAULTS["mask empty"].plant(data)
    out = repair(data.folder, tmp_path / "out", version="1.2").out
    listed = json.loads((out / "changes.json").read_text())
    assert listed["tool"] == "delineate 1.2"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", listed["date"])
    (change,) = listed["changes"]
    assert (change["kind"], change["annotation_ids"]) == ("empty_mask", list(where.ids))
    assert change["before"]["id"] == where.ids[0]
    assert change["after"] is None
    assert check_changes(out) is None

    listed["changes"][0]["kind"] = "thin_mask"
    (out / "changes.json").write_text(json.dumps(listed))
    assert "digest differs" in check_changes(out)


def test_the_list_vouches_for_the_annotations(data, tmp_path):
    out = repair(data.folder, tmp_path / "out", version="0").out
    with edited(out / "val.json") as content:
        content["annotations"].pop()
    assert "val.json is not as" in check_changes(out)
    assert check_changes(tmp_path) is None
    for foreign in ([], {"tool": "another 1.0", "changes": []}, {"version": 2}):
        (out / "changes.json").write_text(json.dumps(foreign))
        assert check_changes(out) is None
    (out / "changes.json").write_text("{")
    assert "breaks off" in check_changes(out)


# -- places ------------------------------------------------------------------------------------


def test_only_a_free_place_outside_of_the_source_is_taken(data, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="new or empty"):
        repair(data.folder, tmp_path / "full", version="0")
    with pytest.raises(OutputError, match="is not to be touched"):
        repair(data.folder, data.folder / "mended", version="0")
    (tmp_path / "empty").mkdir()
    repair(data.folder, tmp_path / "empty", version="0")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "empty", "full"]


def test_a_failure_leaves_nothing(data, tmp_path, monkeypatch):
    FAULTS["mask empty"].plant(data)

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repairing.shutil, "copyfile", fail)
    with pytest.raises(OutputError, match="make room on the disk"):
        repair(data.folder, tmp_path / "out", version="0")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_nothing_sound_is_a_sentence(data, tmp_path):
    for picture in (data.folder / "images").iterdir():
        picture.unlink()
    with pytest.raises(DataError, match="none of its 16 can be used"):
        repair(data.folder, tmp_path / "out", version="0")
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_what_is_a_note_is_left(data, tmp_path):
    """The last column of an object that the border cuts off."""
    with data.train() as content:
        set_mask(content["annotations"][0], rectangle(10, SIZE[1] - 1, 40, SIZE[1]))
    (finding,) = examine(open_splits(data.folder))
    assert (finding.kind, finding.severity) == ("thin_mask", "note")
    assert repair(data.folder, tmp_path / "out", version="0").changes == ()


def test_findings_of_the_copy_are_those_that_nobody_mends(data, tmp_path):
    FAULTS["object outlined twice"].plant(data)
    FAULTS["mask empty"].plant(data)
    out = repair(data.folder, tmp_path / "out", version="0").out
    left = examine({"train": read_coco(out / "train.json")})
    assert [finding.kind for finding in left] == ["duplicate_object"]


def test_labels_that_all_are_off_by_one_are_not_repaired(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    Image.new("RGB", (32, 24)).save(tmp_path / "images" / "a.png")
    lines = [f"{k} 0.1 0.1 0.5 0.1 0.5 0.5" for k in (1, 2, 3)]
    (tmp_path / "labels" / "a.txt").write_text("\n".join(lines))
    (tmp_path / "data.yaml").write_text("train: images\nnames: [a, b, c]\n")
    splits = open_splits(tmp_path, on_error="skip")
    with pytest.raises(DataError, match=r"line 3 of a\.txt, .* every label is wrong; convert"):
        check_repairable(tmp_path, splits)


def test_what_an_image_takes_with_it_is_listed(data, tmp_path):
    """Of two broken records of one id, the first; a second of the id of one that stays, nothing."""
    with data.train() as content:
        third, fourth = content["images"][2:4]
        data.picture(third).unlink()
        content["images"] += [dict(third), fourth | {"file_name": "none.png"}]
        own = sorted(a["id"] for a in content[ALL] if a["image_id"] == third["id"])
    changes = repair(data.folder, tmp_path / "out", version="0").changes
    assert [sorted(change.annotation_ids) for change in changes] == [own, [], []]
    assert {change.left_out for change in changes} == {"image"}
    listed = json.loads((tmp_path / "out" / "changes.json").read_text())["changes"]
    assert (sorted(listed[0]["annotation_ids"]), listed[0]["left_out"]) == (own, "image")


@pytest.mark.parametrize("spell", [float, str])
@pytest.mark.parametrize(
    ("key", "field"),
    [
        *(("annotations", "id"), ("annotations", "image_id"), ("annotations", "category_id")),
        *(("images", "id"), ("categories", "id")),
    ],
)
def test_ids_in_another_spelling_come_back(clean, data, tmp_path, spell, key, field):
    with data.train() as content:
        for record in content[key]:
            record[field] = spell(record[field])
    (change,) = repair(data.folder, tmp_path / "out", version="0").changes
    right = json.loads((clean / "train.json").read_text())
    found = json.loads((tmp_path / "out" / "train.json").read_text())
    assert found == right
    assert {type(record[field]) for record in found[key]} == {int}
    assert {type(value) for value in change.before} == {spell}
    again = repair(tmp_path / "out", tmp_path / "again", version="0")
    assert again.changes == ()


def test_ids_are_not_read_from_texts_where_a_reference_leads_nowhere(data, tmp_path):
    with data.train() as content:
        content[ALL][0]["category_id"], content[ALL][1]["category_id"] = "2", 99
        second = content[ALL][2]["id"]
        content[ALL][2]["category_id"] = float(content[ALL][2]["category_id"])
        gone = {content[ALL][0]["id"], content[ALL][1]["id"]}
        count = len(content[ALL])
    result = repair(data.folder, tmp_path / "out", version="0")
    left_out = [change for change in result.changes if change.left_out]
    assert {own for change in left_out for own in change.annotation_ids} == gone
    found = json.loads((tmp_path / "out" / "train.json").read_text())[ALL]
    assert len(found) == count - 2
    assert second in {annotation["id"] for annotation in found}


def test_no_id_is_read_that_another_has(data, tmp_path):
    with data.train() as content:
        content["categories"].append({"id": 1.0, "name": "acorn"})
        content[ALL][0]["id"] = float(content[ALL][1]["id"])
        count = len(content[ALL])
    repair(data.folder, tmp_path / "out", version="0")
    found = json.loads((tmp_path / "out" / "train.json").read_text())
    assert [type(category["id"]) for category in found["categories"]] == [int, int, int, float]
    assert len({annotation["id"] for annotation in found[ALL]}) == count


@pytest.mark.parametrize("width", ["as text", "wide", 0, -3, None, 1.5, "as float"])
@pytest.mark.parametrize("both", [True, False])
def test_a_record_without_a_size_gets_that_of_its_picture(clean, data, tmp_path, width, both):
    with data.train() as content:
        image = content["images"][2]
        spelt = {"as text": str(image["width"]), "as float": float(image["width"])}
        image["width"] = spelt.get(width, width)
        if both:
            del image["height"]
    (change,) = repair(data.folder, tmp_path / "out", version="0").changes
    right = json.loads((clean / "train.json").read_text())
    found = json.loads((tmp_path / "out" / "train.json").read_text())
    assert found == right
    assert (change.image_id, change.after["width"]) == (image["id"], SIZE[1])


def test_a_size_of_which_one_side_says_otherwise_is_none_to_guess(data, tmp_path):
    with data.train() as content:
        image = content["images"][2]
        image.update(width=0, height=SIZE[0] + 9)
    (change,) = repair(data.folder, tmp_path / "out", version="0").changes
    assert (change.image_id, change.left_out) == (image["id"], "image")


def test_an_unrotated_picture_without_a_size_is_turned_only_where_a_side_tells(data, tmp_path):
    image = FAULTS["labels of the unrotated picture"].plant(data).image_id
    with data.train() as content:
        (record,) = (one for one in content["images"] if one["id"] == image)
        del record["width"]
    changes = repair(data.folder, tmp_path / "told", version="0").changes
    assert [change.kind for change in changes] == ["broken_record", "exif_rotated"]
    with data.train() as content:
        (record,) = (one for one in content["images"] if one["id"] == image)
        record["height"] = 0
    (change,) = repair(data.folder, tmp_path / "untold", version="0").changes
    assert change.left_out == "image"


@pytest.mark.parametrize("format", ["coco", "voc"])
def test_pictures_that_this_user_may_not_read_are_not_left_out(data, tmp_path, monkeypatch, format):
    source = data.folder
    if format != "coco":
        source = tmp_path / "source"
        convert(open_splits(data.folder), format, source)
    shut = sorted(source.rglob("scene_0_00003.png"))[0]

    def opened(path, mode, **options):
        if path == str(shut):
            raise PermissionError(13, "Permission denied")
        return open(path, mode, **options)

    monkeypatch.setattr(image_open, "open", opened, raising=False)
    found = examine(open_splits(source, on_error="skip"), quick=True)
    assert [f.kind for f in found if f.severity == "error"] == ["forbidden_picture"]
    sentence = r"scene_0_00003\.png': its file may not be read by this user: change its permissions"
    with pytest.raises(DataError, match=sentence):
        repair(source, tmp_path / "out", version="0")
    assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match=sentence):
        check_repairable(source, open_splits(source, on_error="skip"))


def test_a_category_that_is_lost_costs_no_labels(tmp_path):
    """With 1, 2 and a null, labels of 3 may be of what the null was: nothing tells of a shift."""
    clean = clean_set(tmp_path / "clean")
    path = clean / "train.json"
    with edited(path) as content:
        content["categories"][-1] = None
        labels = sorted(a["category_id"] for a in content["annotations"])
    repair(clean, tmp_path / "fixed", version="0")
    written = json.loads((tmp_path / "fixed" / "train.json").read_text())
    assert sorted(a["category_id"] for a in written["annotations"]) == labels
    kinds = {f.kind for f in examine(open_splits(tmp_path / "fixed", on_error="skip"))}
    assert "broken_category" in kinds
