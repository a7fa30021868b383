"""LVIS in and out: federated classes, URLs for names, polygons that come back exactly."""

import json

import numpy as np
import pytest

from builders import edited, tiny_coco, tiny_scenes
from delineate.core.classes import ClassMap
from delineate.data.conversion import convert
from delineate.data.derived import Concat, Relabelled, Subset
from delineate.data.format_table import FORMATS
from delineate.data.formats import find_sources, open_dataset, open_splits
from delineate.data.lvis import read_lvis
from delineate.data.lvis_write import write_lvis
from delineate.data.naming import Renamed
from delineate.errors import DataError
from delineate.jobs.split import split_data
from mutations import generators, mutated, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

HOST = "http://images.cocodataset.org"


def tiny_lvis(folder):
    """Four pictures of two classes (3 and 7), as LVIS writes them, in images/train2017."""
    path = tiny_coco(folder, 4, spelling="polygons")
    (folder / "images" / "train2017").mkdir()
    with edited(path) as content:
        for image in content["images"]:
            name = image.pop("file_name")
            (folder / "images" / name).rename(folder / "images" / "train2017" / name)
            image |= {"coco_url": f"{HOST}/train2017/{name}", "date_captured": "2013-11-18"}
            image |= {"neg_category_ids": [], "not_exhaustive_category_ids": [], "license": 4}
        content["images"][1] |= {"neg_category_ids": [7, 3], "not_exhaustive_category_ids": [3]}
        for category, frequency in zip(content["categories"], "rf", strict=True):
            category |= {"frequency": frequency, "synset": "x.n.01", "def": "", "synonyms": ["x"]}
        for annotation in content["annotations"]:
            del annotation["iscrowd"]
    return path


def test_a_file_as_lvis_writes_it(tmp_path):
    dataset = open_dataset(tiny_lvis(tmp_path))
    assert [record.name for record in dataset.records][:1] == ["train2017/train_00.png"]
    assert dataset.classes.source_ids == (3, 7)
    for i, scene in enumerate(tiny_scenes(4)):
        np.testing.assert_array_equal(dataset[i].instances.masks.to_dense(), scene.bitmaps)
        assert dataset.instances(i).labels.tolist() == scene.labels
        assert not dataset.instances(i).crowd.any()
    assert dataset.federated.frequencies == ("r", "f")
    assert dataset.federated.negative == ((), (1, 0), (), ())
    assert dataset.federated.unexhausted == ((), (0,), (), ())


def test_pictures_without_the_folders_of_coco(tmp_path):
    path = tiny_lvis(tmp_path)
    dataset = open_dataset(path, images=tmp_path / "images" / "train2017")
    assert dataset.records[0].name == "train_00.png"
    assert dataset.records[0].path == tmp_path / "images" / "train2017" / "train_00.png"


def test_names_of_version_one_half(tmp_path):
    path = tiny_lvis(tmp_path)
    with edited(path) as content:
        for image in content["images"]:
            image["file_name"] = "train2017/" + image.pop("coco_url").rpartition("/")[2]
    assert len(open_dataset(path)) == 4


def test_only_lvis_knows_it(tmp_path):
    for place in (tiny_lvis(tmp_path), tmp_path):
        assert [f.name for f in FORMATS.values() if f.find(place)] == ["lvis"]
    coco = tiny_coco(tmp_path / "coco")
    assert find_sources(coco)[0].name == "coco"


def test_what_is_left_out_takes_its_lists_along(tmp_path):
    path = tiny_lvis(tmp_path)
    (tmp_path / "images" / "train2017" / "train_00.png").unlink()
    dataset = open_dataset(path, on_error="skip")
    assert len(dataset.problems) == 1
    assert dataset.federated.negative == ((1, 0), (), ())


def test_broken_categories_and_what_is_no_record_are_left_out(tmp_path):
    path = tiny_lvis(tmp_path)
    with edited(path) as content:
        content["images"].insert(0, None)
        content["annotations"].insert(0, 5)
        del content["categories"][0]["name"]
    dataset = open_dataset(path, on_error="skip")
    assert sorted(p.where for p in dataset.problems) == [
        "annotation number 1 of the list",
        "category 3",
        "image number 1 of the list",
    ]
    assert dataset.federated.negative[1] == (0,)
    assert dataset.federated.unexhausted[1] == ()


@pytest.mark.parametrize(
    ("value", "got"),
    [([7, 99], "got 99, which is none"), ("7", "got the text '7'"), ([[7]], "got a list of 1")],
)
def test_broken_lists(tmp_path, value, got):
    path = tiny_lvis(tmp_path)
    with edited(path) as content:
        content["images"][1]["neg_category_ids"] = value
    with pytest.raises(DataError, match="1 broken record"):
        open_dataset(path)
    dataset = open_dataset(path, on_error="skip")
    (problem,) = dataset.problems
    assert got in problem.why
    assert len(dataset) == 4
    assert dataset.federated.unexhausted[1] == (0,)


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_comes_back(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_lvis(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))
    content = json.loads((tmp_path / "written" / "train.json").read_text())
    polygons = [p for a in content["annotations"] for p in a["segmentation"]]
    assert all(len(p) >= 8 and len(p) % 2 == 0 for p in polygons)  # what detectron2 asserts
    assert sum(a.get("ignore", 0) for a in content["annotations"]) == 1
    assert {c["frequency"] for c in content["categories"]} == {"r"}


def test_what_is_not_federated_has_everything_else_as_negative(tmp_path):
    splits = rich_set(tmp_path / "original", PLAIN)
    (tmp_path / "written").mkdir()
    write_lvis(tmp_path / "written", splits)
    again = open_splits(tmp_path / "written")["train"]
    for i, record in enumerate(again.records):
        present = set(again.instances(i).labels.tolist())
        assert set(again.federated.negative[i]) == set(range(30)) - present, record.name
    assert set(again.federated.unexhausted) == {()}


def test_what_is_federated_stays_so(tmp_path):
    before = open_splits(tiny_lvis(tmp_path).parent)
    names = [f"{i}.png" for i in range(4)]
    (tmp_path / "written").mkdir()
    write_lvis(tmp_path / "written", {"train": Renamed(before["train"], names)})
    again = open_splits(tmp_path / "written")["train"]
    assert again.federated == before["train"].federated


def test_frequencies_are_those_of_the_training_data(tmp_path):
    splits = {
        "train": open_dataset(tiny_coco(tmp_path / "a", 101, ("disc", "rare"), objects=1)),
        "val": open_dataset(tiny_coco(tmp_path / "b", 1, ("disc", "rare"), name="val")),
    }
    (tmp_path / "written").mkdir()
    write_lvis(tmp_path / "written", splits)
    for again in open_splits(tmp_path / "written").values():
        assert again.federated.frequencies == ("c", "c")
    categories = json.loads((tmp_path / "written" / "val.json").read_text())["categories"]
    assert [c["image_count"] for c in categories] == [1, 1]
    assert [c["instance_count"] for c in categories] == [2, 1]


def test_spoilt_files(tmp_path):
    path = tiny_lvis(tmp_path)
    source, content = find_sources(path)[1]["train"], json.loads(path.read_text())
    for rng in generators(300):
        path.write_text(json.dumps(mutated(content, rng)))
        survives(lambda: read_lvis(source, on_error="skip"))


def test_parts_and_other_tables_keep_what_is_known_of_classes(tmp_path):
    whole = open_splits(tiny_lvis(tmp_path).parent)["train"]
    turned = Relabelled(whole, ClassMap.from_names(["new", *reversed(whole.classes.names)]))
    assert turned.federated.frequencies == ("", "f", "r")
    assert turned.federated.negative == ((), (1, 2), (), ())
    assert turned.federated.unexhausted == ((), (2,), (), ())
    part = Subset(turned, [1, 1, 0])
    assert part.federated.negative == ((1, 2), (1, 2), ())
    assert Concat([part, Subset(whole, [1])]).federated is not None


def test_sets_put_together_keep_what_is_known_of_classes(tmp_path):
    whole = open_splits(tiny_lvis(tmp_path / "lvis").parent)["train"]
    plain = open_dataset(tiny_coco(tmp_path / "coco", 3))
    both = Concat([Subset(whole, [0, 1]), plain]).federated
    assert both.frequencies == ("r", "f")
    assert both.negative[:2] == ((), (1, 0))
    for i, labels in enumerate(both.negative[2:]):
        assert set(labels) == {0, 1} - set(plain.instances(i).labels.tolist())
    assert both.unexhausted == ((), (0,), (), (), ())
    assert Concat([plain, plain]).federated is None


def test_a_divided_set_stays_federated(tmp_path):
    whole = open_splits(tiny_lvis(tmp_path / "lvis").parent)["train"]
    result = split_data(
        tmp_path / "lvis", tmp_path / "out", fractions="train=0.5,val=0.5", to="lvis", say=print
    )
    assert result["losses"] == 0
    known = {}
    for dataset in open_splits(tmp_path / "out").values():
        assert dataset.federated.frequencies == ("r", "f")
        lists = zip(dataset.federated.negative, dataset.federated.unexhausted, strict=True)
        known |= zip([r.name.split("/")[-1] for r in dataset.records], lists, strict=True)
    assert [known[f"train_{i:02}.png"] for i in range(4)] == list(
        zip(whole.federated.negative, whole.federated.unexhausted, strict=True)
    )


def test_a_conversion_says_that_other_formats_do_not_know_what_was_looked_for(tmp_path):
    whole = open_splits(tiny_lvis(tmp_path / "lvis").parent)
    result = convert(whole, "coco", tmp_path / "coco")
    assert {(d.kind, d.number) for d in result.losses["train"]} == {("federated", 0)}
    assert len(result.losses["train"]) == 4
    assert not result.exact
    assert convert(whole, "lvis", tmp_path / "again", strict=True).exact
