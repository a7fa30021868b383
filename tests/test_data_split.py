"""`delineate data split`: what is written, what is said, what is refused."""

import json
import os

import pytest

from builders import tiny_coco
from command_line import call, files_in, refused
from delineate.data.coco_panoptic_write import write_coco_panoptic
from delineate.data.conversion import convert
from delineate.data.formats import open_splits
from delineate.data.synthetic_panoptic import PanopticScenes


@pytest.fixture
def data(tmp_path):
    """A folder with two splits."""
    tiny_coco(tmp_path / "data", 12)
    tiny_coco(tmp_path / "data", 4, name="val", seed=1)
    return tmp_path / "data"


def divided(arguments, monkeypatch, capfd):
    assert call(["data", "split", *arguments, "--json"], monkeypatch) == 0
    return json.loads(capfd.readouterr().out)


def test_splits_are_put_together_and_divided_anew(data, tmp_path, monkeypatch, capfd):
    before = {name: (data / name).read_bytes() for name in files_in(data)}
    out = tmp_path / "out"
    result = divided([data, out, "--fractions", "train=0.5,val=0.25,test=0.25"], monkeypatch, capfd)
    assert {name: s["images"] for name, s in result["splits"].items()} == {
        "train": 8,
        "val": 4,
        "test": 4,
    }
    assert result["splits"]["train"]["objects"] == 24
    splits = open_splits(out)
    names = {name: {r.name for r in part.records} for name, part in splits.items()}
    assert list(names) == ["train", "val", "test"]
    assert sorted(n for part in names.values() for n in part) == sorted(os.listdir(data / "images"))
    for part in splits.values():
        for record in part.records:
            assert record.path.read_bytes() == (data / "images" / record.name).read_bytes()
    assert before == {name: (data / name).read_bytes() for name in files_in(data)}
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]


def test_a_single_part_has_all(data, tmp_path, monkeypatch, capfd):
    arguments = ["data", "split", data, tmp_path / "out", "--fractions", "train=1"]
    assert call(arguments, monkeypatch) == 0
    assert capfd.readouterr().out.splitlines() == [
        "train has all: 16 images and 48 objects, not divided",
        f"written to {tmp_path / 'out'}",
    ]
    (part,) = open_splits(tmp_path / "out").values()
    assert len(part) == 16
    result = divided([data, tmp_path / "two", "--fractions", "test=1"], monkeypatch, capfd)
    assert result["largest_deviation"] is None


def test_objects_are_those_of_the_source(data, tmp_path, monkeypatch, capfd):
    divided([data, tmp_path / "out"], monkeypatch, capfd)
    of_name = {}
    for part in open_splits(data).values():
        of_name |= {r.name: part.instances(i) for i, r in enumerate(part.records)}
    for part in open_splits(tmp_path / "out").values():
        for i, record in enumerate(part.records):
            ours, theirs = part.instances(i), of_name[record.name]
            assert ours.masks.to_coco() == theirs.masks.to_coco()
            assert ours.labels.tolist() == theirs.labels.tolist()


def test_one_split_alone(data, tmp_path, monkeypatch, capfd):
    result = divided([data, tmp_path / "out", "--only", "val"], monkeypatch, capfd)
    assert sum(s["images"] for s in result["splits"].values()) == 4
    ids = [i for p in open_splits(tmp_path / "out").values() for i in p.instances(0).ids.tolist()]
    assert set(ids) <= set(range(101, 101 + 3 * 12, 3))  # of one source, ids are kept


def test_annotations_alone(data, tmp_path, monkeypatch, capfd):
    result = divided([data, tmp_path / "out", "--no-copy"], monkeypatch, capfd)
    assert files_in(tmp_path / "out") == ["train.json", "val.json"]
    assert result["pictures"] == str(data / "images")
    splits = open_splits(tmp_path / "out", images=result["pictures"])
    assert sum(map(len, splits.values())) == 16


def test_groups_by_a_pattern(data, tmp_path, monkeypatch, capfd):
    pattern = r"_(\d)\d\."  # train_00 .. 09 and val_00 .. 03; train_10, 11
    result = divided(
        [data, tmp_path / "out", "--group-by", pattern, "--fractions", "train=0.9,val=0.1"],
        monkeypatch,
        capfd,
    )
    assert (result["groups"], result["largest_group"]) == (2, 14)
    assert {n: s["images"] for n, s in result["splits"].items()} == {"train": 14, "val": 2}


def test_two_pictures_of_one_name(tmp_path, monkeypatch, capfd):
    """Two splits with folders of their own: both pictures arrive, under two names."""
    tiny_coco(tmp_path / "data" / "train", 3, name="x")
    tiny_coco(tmp_path / "data" / "valid", 3, name="x", seed=1)
    splits = open_splits(tmp_path / "data")
    names = [[record.name for record in dataset.records] for dataset in splits.values()]
    assert names == [["x_00.png", "x_01.png", "x_02.png"]] * 2
    arguments = [tmp_path / "data", tmp_path / "out", "--fractions", "train=0.5,val=0.5"]
    divided(arguments, monkeypatch, capfd)
    pictures = sorted((tmp_path / "out" / "images").rglob("*.png"))
    assert len(pictures) == 6
    originals = sorted((tmp_path / "data").rglob("*.png"))
    assert sorted(p.read_bytes() for p in pictures) == sorted(p.read_bytes() for p in originals)
    told = {p.name for p in pictures}
    assert told == {f"{split}x_0{i}.png" for split in ("", "val_") for i in range(3)}


def test_splits_of_a_format_without_a_list_of_classes(tmp_path, monkeypatch, capfd):
    for split, classes in (("train", ("a", "b")), ("val", ("a", "c"))):
        tiny_coco(tmp_path / "coco", 4, classes, name=split)
    convert(open_splits(tmp_path / "coco"), "labelme", tmp_path / "data")
    for listed in (tmp_path / "data").rglob("labels.txt"):
        listed.unlink()
    divided([tmp_path / "data", tmp_path / "out"], monkeypatch, capfd)
    (classes, *others) = {d.classes.names for d in open_splits(tmp_path / "out").values()}
    assert classes == ("a", "b", "c")
    assert not others


def test_a_panoptic_set_is_written_as_one_only(tmp_path, monkeypatch, capfd):
    write_coco_panoptic(tmp_path / "data" / "train.json", PanopticScenes(4, size=(40, 40), seed=1))
    arguments = ["data", "split", tmp_path / "data", tmp_path / "out", "--to", "yolo"]
    sentence = refused([*arguments, "--fractions", "train=0.5,val=0.5"], monkeypatch, capfd)
    assert "expected --to coco_panoptic" in sentence
    assert not (tmp_path / "out").exists()


def test_a_panoptic_set_keeps_its_stuff(tmp_path, monkeypatch, capfd):
    scenes = PanopticScenes(6, size=(40, 40), seed=1)
    write_coco_panoptic(tmp_path / "data" / "train.json", scenes)
    divided(
        [tmp_path / "data", tmp_path / "out", "--fractions", "train=0.5,val=0.5"],
        monkeypatch,
        capfd,
    )
    splits = open_splits(tmp_path / "out")
    assert [len(part) for part in splits.values()] == [3, 3]
    assert splits["val"].panoptic_classes.stuff.names == scenes.panoptic_classes.stuff.names


def test_says_what_came_out(data, tmp_path, monkeypatch, capfd):
    arguments = ["data", "split", data, tmp_path / "out", "--group-by", r"_(\d\d)", "--no-copy"]
    assert call(arguments, monkeypatch) == 0
    out = capfd.readouterr().out
    assert len(out.splitlines()) < 50
    assert "disc" in out
    assert "12 groups, the largest of 2 images" in out
    assert "largest deviation of objects: " in out
    assert f"open it with --images {data / 'images'}" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--fractions", "train=0.8"], "sum to 1"),
        (["--fractions", "train=0.8,valid=0.2"], "got 'valid=0.2'"),
        (["--fractions", "train=0.8,train=0.2"], "each once"),
        (["--fractions", "train=most,val=0.2"], "got 'train=most'"),
        (["--fractions", "train=nan,val=0.2"], "got 'train=nan'"),
        (["--group-by", "(x)"], "finds none in 16 of 16"),
        (["--group-by", "folder"], "1 separate group of images"),
        (["--only", "dev"], "no split is called 'dev'"),
    ],
)
def test_wrong_options(data, tmp_path, monkeypatch, capfd, arguments, sentence):
    said = refused(["data", "split", data, tmp_path / "out", *arguments], monkeypatch, capfd)
    assert sentence in said
    assert os.listdir(tmp_path) == ["data"]


def test_never_writes_into_a_folder_in_use(data, tmp_path, monkeypatch, capfd):
    before = files_in(data)
    assert "expected a folder that is new or empty" in refused(
        ["data", "split", data, data], monkeypatch, capfd
    )
    assert files_in(data) == before


def test_a_picture_in_two_splits_is_refused(tmp_path, monkeypatch, capfd):
    path = tiny_coco(tmp_path / "data", 4)
    (tmp_path / "data" / "val.json").write_text(path.read_text())
    said = refused(["data", "split", tmp_path / "data", tmp_path / "out"], monkeypatch, capfd)
    assert "is in train and in val" in said
    assert os.listdir(tmp_path) == ["data"]


def test_nothing_is_left_of_a_division_that_fails(data, tmp_path, monkeypatch):
    written = []

    def breaks(path, dataset, **options):
        written.append(path)
        (path.parent / "half.json").write_text("{")
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("delineate.jobs.split.write_coco", breaks)
    assert call(["data", "split", data, tmp_path / "out", "--no-copy"], monkeypatch) == 130
    assert len(written) == 2
    assert os.listdir(tmp_path) == ["data"]
