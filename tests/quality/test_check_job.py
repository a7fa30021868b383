"""`delineate data check`: exit codes, what is printed, and what a training does with it."""

import json

import pytest
from faults import FAULTS

from command_line import SMALL, call, files_in, refused
from delineate.data.coco_write import write_coco
from delineate.data.formats import open_splits
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import DataError, OutputError
from delineate.jobs.check import check, check_before_training
from delineate.quality.findings import Finding, Place, worst_first
from delineate.quality.report_text import LINES, report


def test_clean_data_pass(clean, monkeypatch, capfd):
    assert call(["data", "check", clean], monkeypatch) == 0
    out, err = capfd.readouterr()
    assert out == "looked at train 16 images, val 8 images\nnothing found\n"
    assert err == ""


def test_an_error_fails_and_a_warning_does_where_it_should(data, monkeypatch, capfd):
    FAULTS["mask one pixel wide"].plant(data)
    assert call(["data", "check", data.folder], monkeypatch) == 0
    assert call(["data", "check", data.folder, "--strict"], monkeypatch) == 1
    command = ["data", "check", data.folder, "--strict", "--ignore", "thin_mask"]
    assert call(command, monkeypatch) == 0
    FAULTS["mask empty"].plant(data)
    assert call(["data", "check", data.folder], monkeypatch) == 1
    assert call(["data", "check", data.folder, "--quick"], monkeypatch) == 0
    assert call(["data", "check", data.folder, "--only", "two_classes"], monkeypatch) == 0
    assert "ERROR   empty_mask\n        train, image 4 'scene_0_00003.png'" in capfd.readouterr()[0]


def test_json_holds_every_finding(data, tmp_path, monkeypatch, capfd):
    where = FAULTS["object annotated twice"].plant(data)
    assert call(["data", "check", data.folder, "--json"], monkeypatch) == 1
    out, _ = capfd.readouterr()
    result = json.loads(out)
    assert result["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert result["splits"]["train"] == {"images": 16, "left_out": 0}
    (finding,) = result["findings"]
    assert call(["data", "check", data.folder, "--out", tmp_path / "out"], monkeypatch) == 1
    assert json.loads((tmp_path / "out" / "findings.json").read_text()) == [finding]
    assert "duplicate" in (tmp_path / "out" / "report.html").read_text()
    assert finding["kind"] == "duplicate_object"
    assert finding["place"]["ids"] == list(where.ids)
    assert finding["place"]["image_id"] == where.image_id


def test_a_repaired_copy_passes(data, tmp_path, monkeypatch, capfd):
    FAULTS["object annotated twice"].plant(data)
    before = files_in(data.folder)
    out = tmp_path / "mended"
    assert call(["data", "check", data.folder, "--fix", out], monkeypatch) == 0
    text, _ = capfd.readouterr()
    assert text.endswith(
        f"1 error\nwrote {out}: 1 change, listed in changes.json\nleft in it: nothing found\n"
    )
    assert files_in(data.folder) == before
    assert call(["data", "check", out], monkeypatch) == 0
    command = ["data", "check", out, "--fix", tmp_path / "again", "--json"]
    assert call(command, monkeypatch) == 0
    result = json.loads(capfd.readouterr()[0].splitlines()[-1])
    assert result["repaired"]["changes"] == 0
    assert result["repaired"]["counts"] == {"error": 0, "warning": 0, "note": 0}


def test_labels_that_a_repair_drops_are_counted(data, tmp_path, monkeypatch, capfd):
    def dropped(name):
        call(["data", "check", data.folder, "--fix", tmp_path / name, "--json"], monkeypatch)
        result = json.loads(capfd.readouterr()[0])["repaired"]["left_out"]
        call(["data", "check", data.folder, "--fix", tmp_path / f"{name}, told"], monkeypatch)
        return result, capfd.readouterr()[0].splitlines()[-2]

    FAULTS["mask empty"].plant(data)
    assert dropped("one") == (
        {"images": 0, "annotations": 1, "annotations_with_images": 0},
        "1 annotation left out",
    )
    image = FAULTS["picture missing"].plant(data).image_id
    with data.train() as content:
        own = sum(annotation["image_id"] == image for annotation in content["annotations"])
    assert dropped("both") == (
        {"images": 1, "annotations": own + 1, "annotations_with_images": own},
        f"{own} annotations left out with 1 image, and 1 alone: {own + 1} in all",
    )


def test_what_is_left_adds_up(data, tmp_path, monkeypatch, capfd):
    for fault in ("one grey picture", "mask one pixel wide"):
        FAULTS[fault].plant(data)
    call(["data", "check", data.folder, "--fix", tmp_path / "out"], monkeypatch)
    assert capfd.readouterr()[0].splitlines()[-1] == (
        "left in it: 1 warning, 2 notes: thin_mask (1), few_points (1), grey_among_coloured (1)"
    )


@pytest.mark.parametrize(("out", "fix"), [("a", "a"), ("a/b", "a"), ("a", "a/b")])
def test_the_report_and_the_copy_need_places_of_their_own(data, tmp_path, out, fix):
    places = {"out": tmp_path / out, "fix": tmp_path / fix}
    with pytest.raises(OutputError, match="beside that of the report"):
        check(data.folder, **places, say=print)
    assert not (tmp_path / "a").exists()


def test_a_copy_that_was_altered_is_told(data, tmp_path, monkeypatch, capfd):
    out = tmp_path / "mended"
    call(["data", "check", data.folder, "--fix", out], monkeypatch)
    (out / "val.json").write_text((out / "train.json").read_text())
    capfd.readouterr()
    call(["data", "check", out], monkeypatch)
    assert "val.json is not as changes.json says" in capfd.readouterr()[1]


def test_wrong_input_is_one_sentence(data, tmp_path, monkeypatch, capfd):
    command = ["data", "check", data.folder, "--only", "thin_masks"]
    assert "did you mean 'thin_mask'" in refused(command, monkeypatch, capfd)
    assert "found nothing there" in refused(["data", "check", tmp_path / "no"], monkeypatch, capfd)
    for choice in ("--only", "--ignore"):
        command = ["data", "check", tmp_path / "no", "--fix", tmp_path / "out", choice, "tiny_mask"]
        assert "leave --only and --ignore out" in refused(command, monkeypatch, capfd)
    command = ["data", "check", data.folder, "--fix", data.folder]
    assert "new or empty" in refused(command, monkeypatch, capfd)


def test_several_kinds_with_a_comma(data, monkeypatch, capfd):
    for fault in ("mask one pixel wide", "object annotated twice"):
        FAULTS[fault].plant(data)
    wanted = {"thin_mask", "duplicate_object"}
    for choice, told in (("--only", True), ("--ignore", False)):
        command = ["data", "check", data.folder, choice, "thin_mask,duplicate_object", "--json"]
        call(command, monkeypatch)
        kinds = {f["kind"] for f in json.loads(capfd.readouterr().out)["findings"]}
        assert (wanted <= kinds) == told
        assert told == (kinds <= wanted)


@pytest.mark.parametrize("pictures", ["scene_0_*", "*"])
@pytest.mark.parametrize("options", [[], ["--quick"]])
def test_pictures_that_are_all_missing_are_findings(
    data, tmp_path, pictures, options, monkeypatch, capfd
):
    for picture in (data.folder / "images").glob(pictures):
        picture.unlink()
    command = ["data", "check", data.folder, "--out", tmp_path / "out", *options]
    assert call(command, monkeypatch) == 1
    out, _ = capfd.readouterr()
    missing = 16 if pictures == "scene_0_*" else 24
    assert out.startswith(f"looked at train 0 images, val {24 - missing} images\nERROR   missing_")
    assert out.endswith(f"\n{missing} errors\n")
    assert "name the folder of the pictures with --images" in " ".join(out.split())
    findings = json.loads((tmp_path / "out" / "findings.json").read_text())
    assert {finding["kind"] for finding in findings} == {"missing_picture"}
    assert "missing_picture" in (tmp_path / "out" / "report.html").read_text()


def test_without_pictures_there_is_nothing_to_repair_or_to_train_on(
    data, tmp_path, monkeypatch, capfd
):
    for picture in (data.folder / "images").iterdir():
        picture.unlink()
    for command in (
        ["data", "check", data.folder, "--fix", tmp_path / "out"],
        ["train", data.folder, "--out", tmp_path / "out", "--on-error", "skip", *SMALL],
    ):
        assert "none of its 16 can be used" in refused(command, monkeypatch, capfd)
        assert not (tmp_path / "out").exists()


def test_a_model_is_not_asked_about_splits_without_pictures(data):
    for picture in (data.folder / "images").glob("scene_0_*"):
        picture.unlink()
    asked = []
    check(data.folder, judge=lambda splits: asked.extend(splits) or ([], {}), say=asked.append)
    assert asked == ["val"]


# -- the text ----------------------------------------------------------------------------------


def test_the_text_is_short_and_the_worst_come_first():
    findings = worst_first(
        Finding(
            kind=f"{severity}_{number:02}",
            severity=severity,
            place=Place(split="train", image_id=i, name=f"{i}.png", ids=(i,)),
            why="something is wrong with it that takes a line or two to tell, " * 2,
            fix="mend it",
        )
        for severity in ("note", "error", "warning")
        for number in range(9)
        for i in range(7)
    )
    lines = report(findings).splitlines()
    assert len(lines) <= LINES
    assert lines[0] == "ERROR   error_00  x 7"
    assert all(len(line) <= 100 for line in lines)
    assert lines[-1] == "63 errors, 63 warnings, 63 notes"
    assert lines[-2].startswith("and more: error_0")


# -- before a training -------------------------------------------------------------------------


def told_before_training(folder):
    told = []
    splits = open_splits(folder, on_error="skip", only=("train", "val"))
    check_before_training(folder, splits, told.append)
    return told


def test_clean_data_are_trained_without_a_word(clean):
    assert told_before_training(clean) == []


@pytest.mark.parametrize(
    "fault",
    [
        *("everything a crowd", "outlines y before x", "outlines as shares"),
        *("other names in one split", "categories counted from 0", "outlines in percent"),
    ],
)
def test_no_training_where_it_would_be_meaningless(data, fault):
    FAULTS[fault].plant(data)
    with pytest.raises(DataError, match=r"`delineate data check .*data` tells more\.$"):
        told_before_training(data.folder)


@pytest.mark.parametrize(
    "fault", ["one picture in two splits", "class of few objects", "most a crowd"]
)
def test_warnings_are_told_and_training_goes_on(data, fault):
    FAULTS[fault].plant(data)
    told = told_before_training(data.folder)
    assert 2 <= len(told) <= 10
    assert FAULTS[fault].severity in told[0]
    assert told[-1].endswith(f"in the data: `delineate data check {data.folder}` tells more")


def test_a_rare_class_of_the_validation_does_not_stop(data):
    """One object of a class that the training lacks; without most objects of it, it stops."""
    with data.train() as content:
        content["categories"].append({"id": 9, "name": "acorn"})
    with data.val() as content:
        content["categories"].append({"id": 9, "name": "acorn"})
        content["annotations"][0]["category_id"] = 9
    assert "class_missing" not in told_before_training(data.folder)[0]
    assert told_before_training(data.folder)[0].startswith("error: val: ")
    with data.val() as content:
        for annotation in content["annotations"]:
            annotation["category_id"] = 9
    with pytest.raises(DataError, match="cannot be learnt"):
        told_before_training(data.folder)


def test_train_looks_first(tmp_path, monkeypatch, capfd):
    scenes = SyntheticScenes(12, size=(64, 64), classes=("pebble", "leaf"))
    write_coco(tmp_path / "data" / "train.json", scenes)
    content = json.loads((tmp_path / "data" / "train.json").read_text())
    for annotation in content["annotations"]:
        annotation["iscrowd"] = 1
    (tmp_path / "data" / "train.json").write_text(json.dumps(content))
    command = ["train", tmp_path / "data", "--out", tmp_path / "run", *SMALL]
    assert "are marked as crowd" in refused(command, monkeypatch, capfd)
    assert not (tmp_path / "run").exists()
