"""YOLO in and out: ultralytics' layouts, exact round trips, every fault its sentence."""

import shutil
import time

import cv2
import numpy as np
import pytest
import yaml

from delineate.core.image import write_image
from delineate.core.masks import Masks
from delineate.data.formats import open_dataset, open_splits
from delineate.data.yolo import find_yolo
from delineate.data.yolo_labels import counts_from_one
from delineate.data.yolo_write import write_yolo
from delineate.errors import DataError
from mutations import generators, mutated_bytes, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

SAMPLES = "raw/datumaro_formats/tests/assets/yolo_dataset"
YAML = "train: images/train\nval: images/val\nnames:\n  0: disc\n  1: box\n"
SQUARE = "0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"


def small(folder, labels=(f"0 {SQUARE}\n", f"1 {SQUARE}\n"), text=YAML):
    """Two pictures of 40 x 80 pixels, 0.png and 1.png, in train."""
    for i, lines in enumerate(labels):
        put(folder, f"images/train/{i}.png", f"labels/train/{i}.txt", lines)
    (folder / "data.yaml").write_text(text)
    return folder


def put(folder, picture, labels, lines):
    for place in (picture, labels):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
    write_image(folder / picture, np.full((40, 80, 3), 90, np.uint8))
    if lines is not None:
        (folder / labels).write_text(lines)


def square():
    bitmap = np.zeros((40, 80), bool)
    bitmap[10:30, 20:60] = True
    return bitmap


def described(dataset):
    """Names of pictures with the classes of their objects."""
    found = [dataset.instances(i).labels for i in range(len(dataset))]
    names = [[dataset.classes.names[label] for label in labels] for labels in found]
    return dict(zip([r.name for r in dataset.records], names, strict=True))


# -- layouts -----------------------------------------------------------------------------------


def test_fractions_become_pixels(tmp_path):
    dataset = open_dataset(small(tmp_path))
    assert described(dataset) == {"0.png": ["disc"], "1.png": ["box"]}
    assert dataset.classes.source_ids == (0, 1)
    np.testing.assert_array_equal(dataset.instances(0).masks.bitmap(0), square())
    assert list(find_yolo(tmp_path)) == ["train"]  # the YAML names val, but it is not there
    assert list(find_yolo(tmp_path / "data.yaml")) == ["train"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("names: [disc, box]", {"0.png": ["disc"], "1.png": ["box"]}),
        ("names: {5: far, 1: box, 0: disc}", {"0.png": ["disc"], "1.png": ["box"]}),
        ("nc: 2\nnames:\n- 'yes'\n- no", {"0.png": ["yes"], "1.png": ["no"]}),
        ("names: {0: 12, 1: ~}", {"0.png": ["12"], "1.png": ["~"]}),
        ("nc: 2", {"0.png": ["class_0"], "1.png": ["class_1"]}),
    ],
)
def test_spellings_of_names(tmp_path, names, expected):
    dataset = open_dataset(small(tmp_path, text=f"train: images/train\ntest:\nval: null\n{names}"))
    assert described(dataset) == expected


def test_numbers_with_gaps_are_ids(tmp_path):
    small(tmp_path, [f"7 {SQUARE}", None], "train: images\nnames: {3: a, 7: b}")
    dataset = open_dataset(tmp_path)
    assert dataset.classes.source_ids == (3, 7)
    assert described(dataset) == {"0.png": ["b"], "1.png": []}


@pytest.mark.parametrize(
    "text",
    [
        "path: .\ntrain: images/train",
        "path: ..\ntrain: ../images/train",
        "path: /content/of/somebody\ntrain: images/train",
        "train: ../images/train",
        "train: [images/train]",
        "train: images",
        "train: ./images/train/",
        "train: [images/train/0.png, images/train/1.png]",
        "train: lists/train.txt",
    ],
)
def test_places(tmp_path, text):
    small(tmp_path, text=f"{text}\nnames: [disc, box]")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.txt").write_text(
        "../images/train/0.png\n\ndata/images/train/1.png\n"
    )
    assert described(open_dataset(tmp_path)) == {"0.png": ["disc"], "1.png": ["box"]}


def test_folders_below_and_several_of_them(tmp_path):
    put(tmp_path, "images/a/x/0.png", "labels/a/x/0.txt", f"0 {SQUARE}")
    put(tmp_path, "images/b/0.png", "labels/b/0.txt", f"1 {SQUARE}")
    (tmp_path / "data.yaml").write_text("train: [images/b, images/a]\nnames: [disc, box]")
    assert described(open_dataset(tmp_path)) == {"a/x/0.png": ["disc"], "b/0.png": ["box"]}


def test_only_the_last_folder_called_images_counts(tmp_path):
    put(tmp_path, "images/images/0.png", "images/labels/0.txt", f"1 {SQUARE}")
    (tmp_path / "data.yaml").write_text("train: images/images\nnames: [disc, box]")
    assert described(open_dataset(tmp_path)) == {"0.png": ["box"]}


def test_labels_beside_pictures(tmp_path):
    put(tmp_path, "train/0.png", "train/0.txt", f"1 {SQUARE}")
    (tmp_path / "train" / "README.txt").write_text("no labels")
    (tmp_path / "data.yaml").write_text("train: train\nnames: [disc, box]")
    assert described(open_dataset(tmp_path)) == {"0.png": ["box"]}


@pytest.mark.parametrize("where", ["images/train labels/train", "images labels", ". ."])
def test_classes_without_yaml(tmp_path, where):
    pictures, labels = where.split()
    put(tmp_path, f"{pictures}/0.png", f"{labels}/0.txt", f"1 {SQUARE}")
    (tmp_path / "classes.txt").write_text("disc\nbox\n")
    assert described(open_dataset(tmp_path)) == {"0.png": ["box"]}


def test_a_folder_for_each_split_without_yaml(tmp_path):
    for split in ("train", "valid"):
        put(tmp_path, f"{split}/images/0.png", f"{split}/labels/0.txt", f"1 {SQUARE}")
        (tmp_path / split / "classes.txt").write_text("disc\nbox\n")
    assert list(open_splits(tmp_path)) == ["train", "val"]


def test_a_picture_without_labels_shows_nothing(tmp_path):
    small(tmp_path, [f"0 {SQUARE}", None])
    put(tmp_path, "images/train/2.png", "labels/train/2.txt", "\n \n")
    assert described(open_dataset(tmp_path)) == {"0.png": ["disc"], "1.png": [], "2.png": []}


def test_pictures_elsewhere_are_told_by_their_labels(tmp_path):
    small(tmp_path / "a")
    shutil.move(tmp_path / "a" / "images" / "train", tmp_path / "pictures")
    put(tmp_path, "pictures/of_another_split.png", "", None)
    dataset = open_dataset(tmp_path / "a", images=tmp_path / "pictures")
    assert described(dataset) == {"0.png": ["disc"], "1.png": ["box"]}
    put(tmp_path / "a", "x.png", "labels/train/deep/2.txt", f"1 {SQUARE}")
    (tmp_path / "a" / "x.png").rename(tmp_path / "pictures" / "2.png")
    dataset = open_dataset(tmp_path / "a", images=tmp_path / "pictures")
    assert described(dataset) == {"0.png": ["disc"], "1.png": ["box"], "deep/2.png": ["box"]}
    (tmp_path / "a" / "data.yaml").write_text("train: train.txt\nnames: [disc, box]")
    (tmp_path / "a" / "train.txt").write_text("./images/train/1.png")
    dataset = open_dataset(tmp_path / "a", images=tmp_path / "pictures")
    assert described(dataset) == {"1.png": ["box"]}


# -- real data ---------------------------------------------------------------------------------


def test_roboflow_gives_the_masks_of_its_coco_file(shared_data):
    folder = shared_data / "raw" / "roboflow_coco" / "data"
    ours = open_splits(folder, format="yolo")["val"]
    theirs = open_splits(folder, format="coco", only=["val"])["val"]
    assert len(ours) == 5
    assert ours.classes.names == ("pothole",)
    place = {record.name: i for i, record in enumerate(theirs.records)}
    for i, record in enumerate(ours.records):
        masks = ours.instances(i).masks
        assert masks.iou(theirs.instances(place[record.name]).masks).min() > 0.9999
        filled = _as_ultralytics_fills(folder, record)
        assert masks.iou(Masks.from_bitmaps([filled], record.size)).min() > 0.97


def _as_ultralytics_fills(folder, record):
    lines = (folder / "valid" / "labels" / f"{record.name[:-4]}.txt").read_text()
    corners = np.array(lines.split()[1:], np.float32).reshape(-1, 2) * record.size[::-1]
    filled = np.zeros(record.size, np.uint8)
    return cv2.fillPoly(filled, [corners.astype(np.int32)], 1)


def test_datumaros_samples(shared_data):
    dataset = open_dataset(shared_data / SAMPLES / "yolov8_segmentation")
    assert described(dataset) == {"1.jpg": ["label_2", "label_4"]}
    height, width = dataset.records[0].size
    corners = np.array([[0.1, 0.1], [0.4, 0.1], [0.4, 0.5]]) * (width, height)
    (x1, y1), (x2, _), (_, y3) = corners
    assert abs(dataset.areas(0)[0] - (x2 - x1) * (y3 - y1) / 2) <= 2


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ("yolov8_detection", "a box without a mask"),
        ("yolov8_detection_with_list_of_imgs", "a box without a mask"),
        ("yolov8_detection_with_list_of_names", "a box without a mask"),
        ("yolov8_detection_with_subset_txt", "a box without a mask"),
        ("yolov8_pose", "key points without a mask"),
    ],
)
def test_samples_without_masks(shared_data, sample, why):
    dataset = open_dataset(shared_data / SAMPLES / sample, on_error="skip")
    assert described(dataset) == {"1.jpg": []}
    assert {why in problem.why for problem in dataset.problems} == {True}


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_but_crowds_comes_back(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_yolo(tmp_path / "written", splits)
    without = {split: _Without(dataset) for split, dataset in splits.items()}
    assert_kept(without, names, open_splits(tmp_path / "written"))


class _Without:
    """A data set without its crowds."""

    def __init__(self, dataset):
        self.classes, self.records, self.dataset = dataset.classes, dataset.records, dataset

    def instances(self, index):
        found = self.dataset.instances(index)
        return found[~found.crowd]

    def __getitem__(self, index):
        return self.dataset[index]


def test_ultralytics_understands_what_is_written(tmp_path):
    splits = rich_set(tmp_path / "original")
    (tmp_path / "written").mkdir()
    write_yolo(tmp_path / "written", {"train": splits["train"]})
    content = yaml.safe_load((tmp_path / "written" / "data.yaml").read_text())
    assert content["names"] == dict(enumerate(CLASSES))
    assert content["val"] is None  # it wants the key
    assert "path" not in content  # "." would be the working directory
    label = tmp_path / "written" / "labels" / "train" / "nothing.txt"
    assert label.read_text() == ""


def test_splits_of_different_classes(tmp_path):
    splits = {
        "train": rich_set(tmp_path / "a", PLAIN)["train"],
        "val": rich_set(tmp_path / "b", ONE)["val"],
    }
    with pytest.raises(DataError, match="expected splits of the same classes, but those of 'train"):
        write_yolo(tmp_path, splits)


# -- faults ------------------------------------------------------------------------------------

LINES = {
    "0 0.5 0.5 0.1 0.1": "it is a box without a mask",
    "0 0.5 0.5 0.1 0.1 0.9": "it is a box without a mask",
    "0 0.5 0.5": "an outline of 3 points or more, x and y each, got 2 numbers",
    f"0 {SQUARE} 0.97": "got 9 numbers after the class",
    "disc 0 0 1 0 1 1": "expected the number of a class and coordinates, got the text 'disc 0",
    "0 0,0 1,0 1,1 1,1": "got the text",
    "1.5 0 0 1 0 1 1": "the number of a class, 0, 1, 2, ..., got 1.5",
    "-1 0 0 1 0 1 1": "got -1",
    "0 10 10 70 10 70 30": "coordinates as fractions from 0 to 1, got 70",
    "0 nan 0 1 0 1 1": "coordinates as fractions from 0 to 1, got nan",
    "0 -1.2 0 1 0 1 1": "got -1.2",
    "0 1e999 0 1 0 1 1": "got inf",
    "2 0 0 1 0 1 1": "its class 2 is none of the 2 classes 0 to 1",
    "1e300 0 0 1 0 1 1": "is none of the 2 classes",
    "0 1.1 0.1 1.2 0.1 1.2 0.3": "its mask has no pixel in the picture",
}


@pytest.mark.parametrize("line", LINES)
def test_a_broken_line_is_left_out_alone(tmp_path, line):
    small(tmp_path, [f"0 {SQUARE}\n{line}\n1 {SQUARE}", None])
    dataset = open_dataset(tmp_path, on_error="skip")
    assert described(dataset)["0.png"] == ["disc", "box"]
    (problem,) = dataset.problems
    assert LINES[line] in problem.why
    assert problem.where == "image '0.png', line 2 of 0.txt"
    with pytest.raises(DataError, match="1 broken record"):
        open_dataset(tmp_path)


def test_what_reaches_a_little_beyond_the_picture_is_cut_off(tmp_path):
    small(tmp_path, ["0 -0.01 -0.3 0.5 -0.3 0.5 0.5 -0.01 0.5", None])
    mask = open_dataset(tmp_path).instances(0).masks.bitmap(0)
    expected = np.zeros((40, 80), bool)
    expected[:20, :40] = True
    np.testing.assert_array_equal(mask, expected)


def test_the_same_line_twice_is_two_objects(tmp_path):
    small(tmp_path, [f"0 {SQUARE}\n0 {SQUARE}\n", None])
    assert described(open_dataset(tmp_path))["0.png"] == ["disc", "disc"]


def test_classes_counted_from_one(tmp_path):
    small(tmp_path, [f"1 {SQUARE}", f"2 {SQUARE}"])
    (problem,) = open_dataset(tmp_path, on_error="skip").problems
    assert "no label has class 0" in problem.why
    assert "ids of a COCO file, which count from 1" in problem.fix
    (tmp_path / "labels" / "train" / "0.txt").write_text(f"0 {SQUARE}")
    (problem,) = open_dataset(tmp_path, on_error="skip").problems
    assert problem.fix == "correct the line, or add the class to the names"


def test_pictures_that_are_missing_or_broken(tmp_path):
    small(tmp_path, [f"0 {SQUARE}"] * 3)
    (tmp_path / "images" / "train" / "0.png").unlink()
    (tmp_path / "images" / "train" / "1.png").write_bytes(b"")
    dataset = open_dataset(tmp_path, on_error="skip")
    assert described(dataset) == {"2.png": ["disc"]}
    assert [p.where for p in dataset.problems] == ["image '0'", "image '1.png'"]
    assert "its file is missing in" in dataset.problems[0].why
    assert "empty (0 bytes)" in dataset.problems[1].why


def test_labels_that_are_no_text(tmp_path):
    small(tmp_path)
    (tmp_path / "labels" / "train" / "1.txt").write_bytes(b"0 \xff\xfe")
    (problem,) = open_dataset(tmp_path, on_error="skip").problems
    assert "are no text in UTF-8" in problem.why


FILES = {
    "names: [a, a]\ntrain: images": "every class needs its own name, and 'a' comes twice",
    "names: [a, '']\ntrain: images": "a class needs a name that is text",
    "names: [[a], b]\ntrain: images": "expected a list of the names of classes",
    "names: a\ntrain: images": "expected a list of the names of classes",
    "names: {x: a}\ntrain: images": "the numbers of classes as keys of 'names'",
    "names: [a, b]\nnc: 3\ntrain: images": "as many names as 'nc' says, 3, got 2",
    "names: [a, b]\nnc: many\ntrain: images": "a number of classes as 'nc', got the text 'many'",
    "nc: 10000000000\ntrain: images": "a number of classes as 'nc'",
    "names: [a, b]\ntrain:\nval: ": "the folders of 'train', 'val' or 'test', got none",
    "names: [a, b]\ntrain: {a: b}": "or several of them as 'train', got an object",
    "names: [a, b]\ntrain: pictures": "found no folder there",
    "names: [a, b]\ntrain: train.txt": "a list of pictures in .*train.txt",
    "names: [a, b\ntrain: images": "expected YAML, but while parsing a flow sequence",
    "names: &n [*n, a]\ntrain: images": "expected",
    "names: [a, b]\ntrain: labels": "expected images, but it lists none",
}


@pytest.mark.parametrize("text", FILES)
def test_a_broken_description(tmp_path, text):
    small(tmp_path, text=text)
    with pytest.raises(DataError, match=FILES[text]):
        open_dataset(tmp_path)


def test_no_such_folder_of_pictures(tmp_path):
    small(tmp_path)
    with pytest.raises(DataError, match="the folder of the pictures, found no folder there"):
        open_dataset(tmp_path, images=tmp_path / "none")


def test_no_labels_at_all(tmp_path):
    small(tmp_path, [None, None])
    with pytest.raises(DataError, match=r"labels of the 2 pictures of 'train', such as .*0\.txt"):
        open_dataset(tmp_path)


def test_a_bomb_of_aliases(tmp_path):
    levels = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30))
    small(tmp_path, text=f"a0: &a0 x\n{levels}\nnames: *a29\ntrain: images/train")
    with pytest.raises(DataError, match="expected a list of the names of classes"):
        open_dataset(tmp_path)


def test_which_of_several_descriptions(tmp_path):
    small(tmp_path)
    shutil.copy(tmp_path / "data.yaml", tmp_path / "other.yml")
    assert len(open_dataset(tmp_path)) == 2
    (tmp_path / "data.yaml").rename(tmp_path / "one.yaml")
    with pytest.raises(DataError, match=r"got one\.yaml and other\.yml: name one"):
        open_dataset(tmp_path)


def test_spoilt_files(tmp_path):
    small(tmp_path)
    for name in ("data.yaml", "labels/train/0.txt"):
        sound = (tmp_path / name).read_bytes()
        for rng in generators(200):
            (tmp_path / name).write_bytes(mutated_bytes(sound, rng))
            survives(lambda: open_dataset(tmp_path, format="yolo", on_error="skip"))
        (tmp_path / name).write_bytes(sound)


def test_blank_lines_are_looked_through_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n" * 200_000 + "1 0.1 0.1 0.2 0.1 0.2 0.2\n")
    started = time.process_time()
    assert counts_from_one([path])
    assert time.process_time() - started < 5
    path.write_text("1 0.1\n\n \t00.0 0.1\n")
    assert not counts_from_one([path])
