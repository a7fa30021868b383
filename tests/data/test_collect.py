"""What the readers of all formats hand their findings to."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import delineate.data.collect as collect_module
from delineate.core import rle
from delineate.data.collect import Collector, Listed
from delineate.data.conversion import convert
from delineate.data.derived import Subset
from delineate.data.formats import open_dataset, open_splits
from delineate.data.pictures import Broken
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import DataError

RUNS = rle.from_bitmap(np.ones((3, 4), bool))


def with_pictures(count, **options):
    collector = Collector(Path("data"), **options)
    listed = [Listed(f"{i}.png", (), held=(3, 4)) for i in range(count)]
    return collector, list(collector.pictures(listed).values())


def test_a_dropped_picture_takes_its_objects_along():
    collector, records = with_pictures(2)
    with collector.judging_picture(records[0]):
        collector.add(records[0], "cat", RUNS)
        raise Broken("its map is torn", "mend it")
    collector.add(records[1], "dog", RUNS)
    dataset = collector.dataset("data", "skip")
    assert [record.name for record in dataset.records] == ["1.png"]
    assert dataset.classes.names == ("dog",)
    assert len(dataset.instances(0)) == 1
    (problem,) = dataset.problems
    assert str(problem) == (
        "image '0.png': its map is torn: mend it (the image and its objects left out)"
    )


def test_unknown_classes_are_looked_up_once_each(monkeypatch):
    asked = []
    real = collect_module.nearest
    monkeypatch.setattr(
        collect_module, "nearest", lambda name, known: asked.append(name) or real(name, known)
    )
    collector, (record,) = with_pictures(1, classes=["cat", "dog"])
    for name in ("cut", "cut", "cat", "dig"):
        with collector.judging("an object"):
            collector.add(record, name, RUNS)
    assert asked == ["cut", "dig"]
    problems = collector.dataset("data", "skip").problems
    assert [p.fix for p in problems] == ["did you mean 'cat'"] * 2 + ["did you mean 'dog'"]


def test_no_objects_and_no_classes():
    collector, _ = with_pictures(1)
    classes = collector.dataset("data", "stop").classes
    assert (classes.names, classes.from_objects) == ((), True)
    collector, _ = with_pictures(1, otherwise="object")
    assert collector.dataset("data", "stop").classes.names == ("object",)


def test_a_report_stands_without_any_picture():
    collector = Collector(Path("data"))
    assert not collector.pictures([Listed("a.png", (Path("none/a.png"),))])
    with pytest.raises(DataError, match="but its only one cannot be used"):
        collector.dataset("data", "skip")
    dataset = collector.dataset("data", "report")
    assert (len(dataset), len(dataset.classes)) == (0, 0)
    assert [problem.kind for problem in dataset.problems] == ["missing_picture"]


def test_a_picture_with_an_unreadable_map_is_no_picture_without_objects(tmp_path):
    scenes = SyntheticScenes(3, size=(40, 40), seed=1)
    for name in ("png_ids", "cityscapes"):
        convert({"train": scenes}, name, tmp_path / name)
        maps = [*(tmp_path / name).rglob("masks/*.png")]
        maps += (tmp_path / name).rglob("*_instanceIds.png")
        sorted(maps)[1].write_bytes(b"torn")
        dataset = open_splits(tmp_path / name, on_error="skip")["train"]
        assert len(dataset) == 2
        assert all(len(dataset.instances(i)) for i in range(2))
        (problem,) = dataset.problems
        assert problem.action == "the image and its objects left out"


@pytest.mark.parametrize("name", ["png_ids", "png_instances"])
def test_a_split_without_objects_can_be_read_again(tmp_path, name):
    for i in range(2):
        (tmp_path / "a" / "images").mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / "masks").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(tmp_path / "a" / "images" / f"{i}.png")
        values = np.full((3, 4), i, np.uint8)
        Image.fromarray(values).save(tmp_path / "a" / "masks" / f"{i}.png")
    both = open_dataset(tmp_path / "a")
    assert both.classes.names == ("object",)
    splits = {"train": Subset(both, [1]), "val": Subset(both, [0])}
    assert convert(splits, name, tmp_path / "b", strict=True).exact
    assert open_dataset(tmp_path / "b" / "val").classes.names == ("object",)
