"""The rich data set is what it says, and its comparison notices every loss; COCO loses nothing."""

import pytest

from builders import edited
from delineate.data.coco_write import write_coco_splits
from delineate.data.formats import open_splits
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_coco_keeps_everything(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_coco_splits(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))


def test_names_that_formats_ask_for():
    assert len(set(CLASSES)) == len(set(PLAIN)) == 30
    assert list(PLAIN) != sorted(PLAIN)


LOSSES = {
    "an object": lambda content: content["annotations"].pop(),
    "the order": lambda content: content["annotations"].reverse(),
    "a class": lambda content: content["annotations"][0].update(category_id=2),
    "a class that nothing has": lambda content: content["categories"].pop(3),
    "a crowd": lambda content: content["annotations"][6].update(iscrowd=0),
    "a pixel": lambda content: content["annotations"][0].update(
        segmentation=[[0, 0, 1, 0, 1, 1, 0, 1]]
    ),
    "a picture": lambda content: content["images"].pop(3),
    "pictures in their places": lambda content: content["images"][0].update(file_name="other.png"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_noticed(tmp_path, loss):
    splits = rich_set(tmp_path, PLAIN)
    names = {split: [r.name for r in dataset.records] for split, dataset in splits.items()}
    (tmp_path / "images" / "other.png").write_bytes(
        (tmp_path / "images" / "street one (2).png").read_bytes()
    )
    with edited(tmp_path / "train.json") as content:
        LOSSES[loss](content)
    with pytest.raises(AssertionError):
        assert_kept(splits, names, open_splits(tmp_path))
