"""`delineate data synth` from end to end, and what it refuses."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from builders import tiny_coco
from command_line import call, files_in, refused
from delineate import open_dataset
from delineate.core.image import read_image, write_image
from delineate.data.drawn.settings import CLASSES
from delineate.errors import ConfigError
from delineate.jobs import synth as job


def synth(out, *words, monkeypatch, capfd):
    code = call(["data", "synth", out, *words, "--json"], monkeypatch)
    out_text, err = capfd.readouterr()
    assert code == 0, err
    return json.loads(out_text)


@pytest.mark.parametrize(
    "option", [{"backgrounds": "/nowhere"}, {"format": "yolo"}, {"on_error": "skip"}]
)
def test_what_belongs_to_a_source_is_refused_without_one(tmp_path, option):
    with pytest.raises(ConfigError, match="no source came with them"):
        job.synth(tmp_path / "out", images=2, say=print, **option)
    assert not (tmp_path / "out").exists()


def test_drawn_scenes_become_a_data_set(tmp_path, monkeypatch, capfd):
    words = ["--images", 10, "--classes", "nut, cell", "--size", "96x80", "--objects", "2-6"]
    result = synth(tmp_path / "out", *words, "--val", 0.2, monkeypatch=monkeypatch, capfd=capfd)
    assert result["method"] == "drawn"
    assert result["classes"] == ["nut", "cell"]
    assert result["images"] == {"train": 8, "val": 2}
    train, val = (open_dataset(tmp_path / "out" / f"{s}.json") for s in ("train", "val"))
    assert (len(train), len(val)) == (8, 2)
    assert train.classes.names == ("nut", "cell")
    assert train[0].image.shape == (80, 96, 3)
    counts = [len(train.instances(i)) for i in range(8)]
    assert sum(counts) == result["objects"]["train"]
    assert 1 <= min(counts) <= max(counts) <= 6
    assert not {r.name for r in train.records} & {r.name for r in val.records}
    info = json.loads((tmp_path / "out" / "val.json").read_text())["info"]
    assert info["seed"] == 0
    assert info["command"] == (
        "delineate data synth OUT --images 10 --classes nut,cell --size 96x80 --objects 2-6 "
        "--seed 0 --val 0.2"
    )
    assert read_image(result["preview"]).shape[1] > 400


def test_a_single_picture_is_for_training_and_that_is_told(tmp_path, monkeypatch, capfd):
    for words, told in (([], True), (["--val", 0.5], True), (["--val", 0], False)):
        out = tmp_path / f"out {words}"
        words = ["data", "synth", out, "--images", 1, "--size", 64, *words]
        assert call(words, monkeypatch) == 0
        assert ("there is no val.json" in capfd.readouterr().err) == told
        assert "val.json" not in files_in(out)
        assert len(open_dataset(out / "train.json")) == 1


def test_the_same_words_give_the_same_bytes(tmp_path, monkeypatch, capfd):
    source = tiny_coco(tmp_path / "data", 4, size=(64, 96))
    for method, words in (("drawn", ["--size", 64]), ("pasted", ["--from", source])):
        made = []
        for name in ("a", "b"):
            out = tmp_path / name / method
            synth(out, "--images", 4, "--seed", 5, *words, monkeypatch=monkeypatch, capfd=capfd)
            made.append({f: (out / f).read_bytes() for f in files_in(out)})
        assert made[0] == made[1]
        assert {"train.json", "val.json", "preview.png"} < set(made[0])


def test_own_objects_are_pasted_and_never_in_both_splits(tmp_path, monkeypatch, capfd):
    source = tiny_coco(tmp_path / "data", 6, size=(64, 96))
    out = tmp_path / "out"
    words = ["--images", 12, "--from", source, "--val", 0.25]
    result = synth(out, *words, monkeypatch=monkeypatch, capfd=capfd)
    assert result["method"] == "cut_paste"
    assert result["images"] == {"train": 9, "val": 3}
    used = []
    for split in ("train", "val"):
        rows = json.loads((out / f"{split}.json").read_text())["annotations"]
        assert rows
        known = [row["provenance"] for row in rows]
        used.append({p["source"] for p in known} | {p["background"] for p in known})
    assert not used[0] & used[1]
    assert open_dataset(out / "train.json").classes.names == ("disc", "box")


@pytest.mark.parametrize("place", ["drawn", "folder"])
def test_no_ground_is_in_both_splits(tmp_path, monkeypatch, capfd, place):
    source = tiny_coco(tmp_path / "data", 6, size=(64, 96))
    for level in range(6):
        path = tmp_path / "grounds" / f"{level}.png"
        path.parent.mkdir(exist_ok=True)
        write_image(path, np.full((64, 64, 3), 40 * level, np.uint8))
    monkeypatch.setattr("delineate.data.pasted.grounds._DRAWN", 6)
    words = ["--images", 24, "--from", source, "--val", 0.5, "--size", 64]
    words += ["--backgrounds", "drawn" if place == "drawn" else tmp_path / "grounds"]
    synth(tmp_path / "out", *words, monkeypatch=monkeypatch, capfd=capfd)
    used = []
    for split in ("train", "val"):
        rows = json.loads((tmp_path / "out" / f"{split}.json").read_text())["annotations"]
        used.append({row["provenance"]["background"] for row in rows})
    assert len(used[0]) == len(used[1]) == 3
    assert not used[0] & used[1]


def test_the_recorded_command_makes_the_same_again(tmp_path, monkeypatch, capfd):
    source = tiny_coco(tmp_path / "my data", 4, size=(64, 96))
    table = json.loads(source.read_text())
    table["categories"][0]["name"] = "traffic light"
    table["annotations"].append({**table["annotations"][0], "id": 99, "image_id": 77})  # broken
    source.write_text(json.dumps(table))
    words = ["--images", 4, "--from", source, "--classes", "traffic light,box", "--val", 0.3]
    words += ["--format", "coco", "--on-error", "skip"]
    synth(tmp_path / "a", *words, monkeypatch=monkeypatch, capfd=capfd)
    command = json.loads((tmp_path / "a" / "train.json").read_text())["info"]["command"]
    again = shlex.split(command)
    assert again[:4] == ["delineate", "data", "synth", "OUT"]
    synth(tmp_path / "b", *again[4:], monkeypatch=monkeypatch, capfd=capfd)
    made = [{f: (tmp_path / n / f).read_bytes() for f in files_in(tmp_path / n)} for n in "ab"]
    assert made[0] == made[1]


def test_a_split_without_objects_is_named(tmp_path, monkeypatch, capfd):
    source = tiny_coco(tmp_path / "data", 4, size=(64, 96))
    table = json.loads(source.read_text())
    first = table["images"][0]["id"]
    table["annotations"] = [a for a in table["annotations"] if a["image_id"] == first]
    source.write_text(json.dumps(table))
    words = ["data", "synth", tmp_path / "out", "--images", 8, "--from", source, "--val", 0.5]
    line = refused(words, monkeypatch, capfd)
    assert "got none in the 2 images for" in line
    assert line.endswith("ask for --val 0.")
    synth(tmp_path / "out", *words[3:-1], 0, monkeypatch=monkeypatch, capfd=capfd)


def test_a_folder_of_data_lends_its_training_split_alone(tmp_path, monkeypatch, capfd):
    tiny_coco(tmp_path / "data", 3, name="train", size=(64, 96))
    tiny_coco(tmp_path / "data", 3, name="val", size=(64, 96))
    words = ["--images", 3, "--from", tmp_path / "data", "--val", 0]
    synth(tmp_path / "out", *words, monkeypatch=monkeypatch, capfd=capfd)
    rows = json.loads((tmp_path / "out" / "train.json").read_text())["annotations"]
    assert {row["provenance"]["source"].split("_")[0] for row in rows} == {"train"}
    assert not (tmp_path / "out" / "val.json").exists()


@pytest.mark.parametrize("place", ["drawn", "folder"])
def test_other_backgrounds(tmp_path, monkeypatch, capfd, place):
    source = tiny_coco(tmp_path / "data", 3, size=(64, 96))
    folder = tmp_path / "grounds"
    folder.mkdir()
    write_image(folder / "blue.png", np.full((70, 90, 3), (20, 40, 200), np.uint8))
    words = ["--images", 3, "--from", source, "--val", 0]
    words += ["--backgrounds", "drawn" if place == "drawn" else folder, "--size", 64]
    synth(tmp_path / "out", *words, monkeypatch=monkeypatch, capfd=capfd)
    made = open_dataset(tmp_path / "out")
    assert made[0].image.shape == (64, 64, 3)
    free = made.instances(0).masks.label_map() == 0
    is_blue = np.median(made[0].image[free], axis=0).tolist() == [20, 40, 200]
    assert is_blue == (place == "folder")


def test_the_words_for_people(tmp_path, monkeypatch, capfd):
    assert call(["data", "synth", tmp_path / "out", "--images", 2, "--size", 64], monkeypatch) == 0
    out, _ = capfd.readouterr()
    assert f"wrote {tmp_path / 'out'}: train.json 1 image with" in out
    assert "val.json 1 image" in out
    assert "preview.png" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--classes", "wrnch"], "called 'wrnch': did you mean 'wrench'"),
        (["--classes", "tool,nut"], "got 'tool' and 'nut'"),
        (["--size", "40"], "at least 64 x 64 pixels"),
        (["--size", "big"], "--size as 512 or 640x480"),
        (["--objects", "many"], "--objects as 5-20 or 12"),
        (["--objects", "9-3"], "got 9 and 3"),
        (["--images", 1, "--val", 1], "at least one picture in every split"),
        (["--val", 1], "at least one picture in every split"),
        (["--from", "DATA", "--classes", "disk"], "called 'disk': did you mean 'disc'"),
        (["--from", "DATA", "--size", 20], "at least 32 x 32 pixels"),
        (["--from", "DATA", "--backgrounds", "EMPTY"], "found none directly in it"),
        (["--from", "DATA", "--backgrounds", "/nowhere"], "expected a folder with pictures"),
        (["--from", "/nowhere"], "nowhere"),
        (["--from", "NOTHING"], "can be cut out, got none"),
        (["--from", "ONE"], "got 1 for 2: add some, or ask for --val 0."),
        (["--from", "DATA", "--backgrounds", "SINGLE"], "got 1 for 2: add some, or ask for --val"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    tmp_path, monkeypatch, capfd, words, sentence
):
    (tmp_path / "empty").mkdir()
    places = {
        "DATA": tiny_coco(tmp_path / "data", 3, size=(64, 96)),
        "NOTHING": tiny_coco(tmp_path / "nothing", 2, objects=0),
        "ONE": tiny_coco(tmp_path / "one", 1, size=(64, 96)),
        "EMPTY": tmp_path / "empty",
        "SINGLE": tmp_path / "single",
    }
    (tmp_path / "single").mkdir()
    write_image(tmp_path / "single" / "a.png", np.zeros((64, 64, 3), np.uint8))
    words = [places.get(str(word), word) for word in words]
    line = refused(["data", "synth", tmp_path / "out", *words], monkeypatch, capfd)
    assert sentence in line
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path, monkeypatch, capfd):
    (tmp_path / "mine.txt").write_text("mine")
    line = refused(["data", "synth", tmp_path, "--images", 2], monkeypatch, capfd)
    assert "new or empty" in line
    assert files_in(tmp_path) == ["mine.txt"]


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    from delineate.jobs import synth as job

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "_preview", stop)
    with pytest.raises(KeyboardInterrupt):
        job.synth(Path(tmp_path / "out"), images=2, size=(64, 64), say=lambda line: None)
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_class_that_is_drawn(monkeypatch, capfd):
    assert call(["data", "synth", "--help"], monkeypatch) == 0
    words = set(capfd.readouterr().out.replace(",", " ").replace(";", " ").split())
    assert set(CLASSES) <= words
