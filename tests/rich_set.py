"""A data set that holds everything a format may lose, for the tests of all writers.

    splits = rich_set(tmp_path / "original")
    names = write_x(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))

Holes, islands in holes, several parts, parts that touch at a corner, single pixels, objects that
touch or fill the picture, overlaps, twins, a crowd region, a picture without objects, a picture
turned by EXIF, names and classes that upset careless writers, classes that nothing has.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from builders import segmentation
from delineate.data.coco import read_coco
from delineate.data.sample import Dataset

CLASSES = (
    *("zebra", "traffic light", "Straße", "yes", "12", "null", "~", "1.5", "it's", 'the "best"'),
    *("a, b", "key: value", "# no comment", "<b>&amp;</b>", "100%", "a/b", "back\\slash", "日本"),
    *("- dash", "[list]", "{map}", "*star", "true", "ant", "Ant", "x;y", "x\u00a0y", "!", "0", "n"),
)
"""30 names, in an order that is not the alphabet's."""

PLAIN = tuple(f"class_{(7 * i) % 30:02d}" for i in range(30))
"""30 names that every format can hold."""

ONE = ("nucleus",)

_Objects = list[tuple[int, np.ndarray, bool]]  # label, bitmap, crowd


def rich_set(folder: Path, classes: Sequence[str] = CLASSES) -> dict[str, Dataset]:
    """Write the data set into `folder` and open it; the names of pictures differ in all splits.

    Args:
        folder: Is made.
        classes: Names of the classes; objects are of the first, the last and some between.
    """
    last = len(classes) - 1
    pictures = {
        "train": {
            "street one (2).png": _street(last),
            "nested/grün 日本.jpg": _crowded(last),
            "turned.jpg": _turned(last),
            "nothing.png": _nothing(),
        },
        "val": {"it's 100%, #1 & more.png": _full(last), "plain.png": _plain(last)},
    }
    return {split: _written(folder, split, found, classes) for split, found in pictures.items()}


def assert_kept(
    original: Mapping[str, Dataset],
    names: Mapping[str, Sequence[str]],
    again: Mapping[str, Dataset],
    *,
    classes: bool = True,
    crowd: bool = True,
    order: bool = True,
) -> None:
    """Compare data sets with what was read again after writing them.

    Args:
        original: The splits that were written.
        names: What the writer returned.
        again: The splits that were read.
        classes: Whether the table of classes must be equal, not only the class of each object.
        crowd: Whether crowd regions must be equal.
        order: Whether the objects of a picture must come in the same order.
    """
    assert list(again) == list(original) == list(names)
    for split, before in original.items():
        after = again[split]
        assert not after.problems
        assert sorted(r.name for r in after.records) == sorted(names[split]), split
        if classes:
            assert after.classes.names == before.classes.names, split
        place = {record.name: i for i, record in enumerate(after.records)}
        for i, name in enumerate(names[split]):
            ours, theirs = _objects(before, i, crowd), _objects(after, place[name], crowd)
            if not order:
                ours, theirs = sorted(ours), sorted(theirs)
            assert theirs == ours, f"{split}, {name}"
            np.testing.assert_array_equal(after[place[name]].image, before[i].image)


def _objects(dataset: Dataset, index: int, crowd: bool) -> list[tuple[str, str, bool]]:
    found = dataset.instances(index)
    assert found.masks is not None
    flags = np.zeros(len(found), bool) if found.crowd is None or not crowd else found.crowd
    names = [dataset.classes.names[label] for label in found.labels]
    masks = [json.dumps(mask) for mask in found.masks.to_coco()]
    return list(zip(names, masks, flags.tolist(), strict=True))


# -- what the pictures show --------------------------------------------------------------------


def _street(last: int) -> tuple[tuple[int, int], _Objects]:
    """A ring, two parts, one pixel, a corner of the picture, and two that overlap."""
    size = (40, 64)
    ring = _disc(size, 12, 14, 9) & ~_disc(size, 12, 14, 4)
    parts = _box(size, 2, 30, 10, 36) | _disc(size, 8, 50, 5)
    pixel = _box(size, 20, 40, 21, 41)
    corner = _box(size, 30, 54, 40, 64)
    below, above = _disc(size, 30, 20, 8), _disc(size, 32, 28, 7)
    return size, [
        (0, ring, False),
        (last, parts, False),
        (0, pixel, False),
        (last // 2, corner, False),
        (last, below, False),
        (0, above, False),
    ]


def _crowded(last: int) -> tuple[tuple[int, int], _Objects]:
    """A crowd region with a hole and an island in it; parts that touch at corners; twins."""
    size = (51, 37)
    island = _disc(size, 24, 18, 16) & ~_disc(size, 24, 18, 11) | _disc(size, 24, 18, 5)
    board = np.zeros(size, bool)
    board[0:6, 0:6] = np.indices((6, 6)).sum(axis=0) % 2 == 0
    twin = _box(size, 44, 2, 48, 9)
    return size, [
        (last, island, True),
        (0, board, False),
        (0, twin, False),
        (0, twin, False),
    ]


def _turned(last: int) -> tuple[tuple[int, int], _Objects]:
    """A picture that is stored on its side; a thin line along its edge, two holes that touch."""
    size = (48, 32)
    line = _box(size, 0, 31, 48, 32)
    holes = _box(size, 10, 4, 30, 24)
    holes[14:18, 8:12] = holes[18:22, 12:16] = False
    return size, [(0, line, False), (last, holes, False)]


def _full(last: int) -> tuple[tuple[int, int], _Objects]:
    """One object that fills the picture, one that leaves a single pixel in the middle free."""
    size = (17, 23)
    most = np.ones(size, bool)
    most[8, 11] = False
    return size, [(last, np.ones(size, bool), False), (0, most, False)]


def _plain(last: int) -> tuple[tuple[int, int], _Objects]:
    return (32, 32), [(last, _disc((32, 32), 16, 16, 7), False)]


def _nothing() -> tuple[tuple[int, int], _Objects]:
    return (24, 24), []


def _disc(size: tuple[int, int], y: int, x: int, radius: int) -> np.ndarray:
    rows, columns = np.indices(size)
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius * radius


def _box(size: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    bitmap = np.zeros(size, bool)
    bitmap[top:bottom, left:right] = True
    return bitmap


# -- files -------------------------------------------------------------------------------------


def _written(
    folder: Path,
    split: str,
    pictures: Mapping[str, tuple[tuple[int, int], _Objects]],
    classes: Sequence[str],
) -> Dataset:
    images, annotations = [], []
    for number, (name, (size, objects)) in enumerate(pictures.items(), start=1):
        _draw(folder / "images" / name, size, objects)
        height, width = size
        images.append({"id": 10 * number, "file_name": name, "width": width, "height": height})
        annotations += [
            {
                "id": 100 * number + k,
                "image_id": 10 * number,
                "category_id": label + 1,
                "segmentation": segmentation(bitmap, "counts"),
                "iscrowd": int(crowd),
            }
            for k, (label, bitmap, crowd) in enumerate(objects)
        ]
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path = folder / f"{split}.json"
    path.write_text(json.dumps(content))
    return read_coco(path)


def _draw(path: Path, size: tuple[int, int], objects: _Objects) -> None:
    image = np.random.default_rng(sum(size)).integers(20, 60, (*size, 3), dtype=np.uint8)
    for k, (_, bitmap, _) in enumerate(objects):
        image[bitmap] = (90 + 20 * k, 200 - 20 * k, 120)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.stem != "turned":
        Image.fromarray(image).save(path)
        return
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees when it is shown
    Image.fromarray(np.rot90(image)).save(path, exif=exif)
