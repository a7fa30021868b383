"""Open Images' masks in and out: layouts, resolutions, crowds, pictures that show nothing."""

import shutil

import numpy as np
import pytest
from PIL import Image

from bad_pictures import PICTURES
from delineate.core.image import write_image
from delineate.data.formats import open_dataset, open_splits
from delineate.data.open_images_write import write_open_images
from delineate.errors import DataError
from mutations import generators, mutated_bytes, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

HEAD = "MaskPath,ImageID,LabelName,BoxID,BoxXMin,BoxXMax,BoxYMin,BoxYMax,PredictedIoU,Clicks"
BOXES = (
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,"
    "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
)
PLACE = "0.250000,0.750000,0.250000,0.750000"
ROW = f"a_m1_b0.png,a,/m/1,b0,{PLACE},0.88,0.1 0.2 1;0.3 0.4 0"
SAMPLE = "raw/datumaro_formats/tests/assets/open_images_dataset/v6"


def square(size=(40, 80)):
    h, w = size
    bitmap = np.zeros(size, bool)
    bitmap[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = True
    return bitmap


def small(folder, *rows, names="/m/1,Disc\n/m/2,Box\n", split="train", masks=None, **files):
    """Pictures a.jpg and b.jpg of 40 x 80 pixels, and the mask of one object in each row."""
    for name in ("images/train", "masks/train", "annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for image in "ab":
        write_image(folder / f"images/train/{image}.jpg", np.full((40, 80, 3), 90, np.uint8))
    for row in rows:
        bitmap = square() if masks is None else masks
        Image.fromarray(bitmap).save(folder / "masks/train" / row.partition(",")[0])
    put = folder / "annotations"
    (put / f"{split}-annotations-object-segmentation.csv").write_text("\n".join((HEAD, *rows, "")))
    if names:
        (put / "class-descriptions-boxable.csv").write_text(names)
    for name, lines in files.items():
        (put / f"{split}-annotations-{name}.csv").write_text("\n".join((*lines, "")))
    return folder


def described(dataset):
    found = [dataset.instances(i).labels for i in range(len(dataset))]
    names = [[dataset.classes.names[label] for label in labels] for labels in found]
    return dict(zip([r.name for r in dataset.records], names, strict=True))


def mask(dataset):
    return dataset.instances(0).masks.bitmap(0)


# -- reading -----------------------------------------------------------------------------------


def test_masks_and_classes(tmp_path):
    dataset = open_dataset(small(tmp_path, ROW))
    assert described(dataset) == {"a.jpg": ["Disc"]}  # nobody has outlined what is in b
    assert dataset.classes.names == ("Disc", "Box")
    np.testing.assert_array_equal(mask(dataset), square())
    assert not dataset.instances(0).crowd.any()


@pytest.mark.parametrize(
    "stored",
    [
        square(),
        square() * np.uint8(255),
        square() * np.uint8(1),
        np.dstack([square() * np.uint8(9)] * 3),
    ],
)
def test_what_is_not_zero_is_the_mask(tmp_path, stored):
    np.testing.assert_array_equal(mask(open_dataset(small(tmp_path, ROW, masks=stored))), square())


@pytest.mark.parametrize("size", [(20, 40), (10, 20), (80, 160), (30, 60), (11, 21)])
def test_masks_of_another_resolution(tmp_path, size):
    found = mask(open_dataset(small(tmp_path, ROW, masks=square(size))))
    rows = ((np.arange(40) + 0.5) * size[0] / 40).astype(int)
    columns = ((np.arange(80) + 0.5) * size[1] / 80).astype(int)
    nearest = square(size)[np.ix_(rows, columns)]
    assert (found & nearest).sum() / (found | nearest).sum() > 0.95


def test_a_mask_of_another_shape(tmp_path):
    small(tmp_path, ROW, masks=square((40, 60)))
    with pytest.raises(DataError, match=r"has 60 x 40 pixels, and its picture 80 x 40: another"):
        open_dataset(tmp_path)


def test_names_of_classes(tmp_path):
    path = tmp_path / "annotations"
    small(tmp_path, ROW, names='LabelName,DisplayName\n/m/1,Bat\n/m/2,Bat\n/m/3,"a, b"\n')
    dataset = open_dataset(tmp_path)
    assert dataset.classes.names == ("Bat (/m/1)", "Bat (/m/2)", "a, b")
    (path / "classes-segmentation.txt").write_text("/m/3\n/m/1\n")
    assert open_dataset(tmp_path).classes.names == ("a, b", "Bat")
    (path / "class-descriptions-boxable.csv").unlink()
    assert open_dataset(tmp_path).classes.names == ("/m/1",)
    (path / "oidv7-class-descriptions.csv").write_text("/m/1,Disc\n")
    (path / "classes-segmentation.txt").unlink()
    assert open_dataset(tmp_path).classes.names == ("Disc",)


@pytest.mark.parametrize("key", ["place", "id"])
def test_crowds_are_groups_among_the_boxes(tmp_path, key):
    rows = [ROW, ROW.replace("/m/1", "/m/2").replace("b0", "b1"), ROW.replace("b0", "b2")]
    boxes = [
        f"a,xclick,/m/1,1,{PLACE},0,0,0,0,0",
        f"a,xclick,/m/2,1,{PLACE.replace('0.25', '0.26')},0,0,1,0,0",
        f"a,xclick,/m/1,1,{PLACE.replace('0.250000', '0.2500004')},0,0,1,0,0",
        f"z,xclick,/m/1,1,{PLACE},0,0,1,0,0",
    ]
    head = BOXES
    if key == "id":
        head += ",BoxID"
        boxes = [f"{boxes[2]},b2", f"{boxes[1]},b1", f"{boxes[0]},b0"]
    small(tmp_path, *rows, bbox=[head, *boxes])
    crowd = open_dataset(tmp_path).instances(0).crowd.tolist()
    assert crowd == ([False, True, True] if key == "id" else [False, False, True])


def test_a_picture_shows_nothing_if_that_is_verified_of_every_class(tmp_path):
    said = ["b,verification,/m/1,0", "a,verification,/m/2,0"]
    labels = ["ImageID,Source,LabelName,Confidence", *said]
    small(tmp_path, ROW, **{"human-imagelabels": labels})
    assert described(open_dataset(tmp_path)) == {"a.jpg": ["Disc"]}
    small(tmp_path, ROW, **{"human-imagelabels": [*labels, "b,verification,/m/2,1"]})
    assert described(open_dataset(tmp_path)) == {"a.jpg": ["Disc"]}
    small(tmp_path, ROW, **{"human-imagelabels": [*labels, "b,crowdsource,/m/2,0"]})
    assert described(open_dataset(tmp_path)) == {"a.jpg": ["Disc"], "b.jpg": []}


@pytest.mark.parametrize(
    ("pictures", "masks"),
    [
        ("images/train", "masks/train"),
        ("images", "masks"),
        ("train", "masks/train-masks-0"),
        ("data", "train-masks"),
        ("train", "masks/a"),
        (".", "annotations/masks"),
    ],
)
def test_places(tmp_path, pictures, masks):
    small(tmp_path, ROW)
    for old, new in (("images/train", pictures), ("masks/train", masks)):
        for file in list((tmp_path / old).iterdir()):
            (tmp_path / new).mkdir(parents=True, exist_ok=True)
            file.rename(tmp_path / new / file.name)
    assert described(open_dataset(tmp_path)) == {"a.jpg": ["Disc"]}
    path = tmp_path / "annotations" / "train-annotations-object-segmentation.csv"
    images = tmp_path / pictures
    assert described(open_dataset(path, images=images)) == {"a.jpg": ["Disc"]}


def test_splits(tmp_path):
    small(tmp_path, ROW)
    annotations = tmp_path / "annotations"
    for old in sorted(annotations.glob("train-*")):
        (annotations / old.name.replace("train", "validation")).write_text(old.read_text())
    shutil.copytree(tmp_path / "images" / "train", tmp_path / "images" / "validation")
    shutil.copytree(tmp_path / "masks" / "train", tmp_path / "masks" / "validation")
    assert list(open_splits(tmp_path)) == ["train", "val"]


def test_datumaros_sample(shared_data):
    dataset = open_dataset(shared_data / SAMPLE)
    assert described(dataset) == {"b.jpg": ["Generic label #0"]}
    assert dataset.classes.names == tuple(f"Generic label #{i}" for i in range(4))
    with Image.open(shared_data / SAMPLE / "masks" / "train" / "b_m0_01234567.png") as stored:
        np.testing.assert_array_equal(mask(dataset), np.asarray(stored))


# -- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_comes_back(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_open_images(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))
    assert (tmp_path / "written" / "images" / "train" / "nested_grün 日本.jpg").is_file()
    assert (tmp_path / "written" / "images" / "validation" / "plain.png").is_file()


# -- faults ------------------------------------------------------------------------------------

ROWS = {
    "class": (ROW.replace("/m/1", "/m/9"), "its class '/m/9' is none of the 2"),
    "outside": (ROW.replace("a_m1", "../a_m1"), "leads out of the folder of masks"),
    "missing": (ROW.replace("a_m1", "x_m1"), "its file is missing in"),
    "no mask": (ROW.replace("a_m1_b0.png", "", 1), "expected the name of its mask, got nothing"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_broken_row_is_left_out_alone(tmp_path, case):
    row, why = ROWS[case]
    path = small(tmp_path, ROW) / "annotations" / "train-annotations-object-segmentation.csv"
    path.write_text("\n".join((HEAD, ROW, row, ROW, "")))
    dataset = open_dataset(tmp_path, on_error="skip")
    assert described(dataset) == {"a.jpg": ["Disc", "Disc"]}
    (problem,) = dataset.problems
    assert why in problem.why
    assert problem.where.startswith("line 3, mask ")


@pytest.mark.parametrize("name", PICTURES)
def test_a_broken_mask(tmp_path, name):
    make, why = PICTURES[name]
    small(tmp_path, ROW, ROW.replace("b0", "b1"))
    make(tmp_path / "masks" / "train" / "a_m1_b1.png")
    dataset = open_dataset(tmp_path, on_error="skip")
    assert described(dataset) == {"a.jpg": ["Disc"]}
    (problem,) = dataset.problems
    why = "another shape" if name == "truncated" else why  # its header says so, of 64 x 64 pixels
    assert why in problem.why


def test_an_empty_mask_and_a_missing_picture(tmp_path):
    small(tmp_path, ROW, ROW.replace("a", "c"), masks=square() & False)
    with pytest.raises(DataError, match=r"image 'c\.jpg': its file is missing.*no pixel"):
        open_dataset(tmp_path)


def test_files_that_cannot_be_read(tmp_path):
    small(tmp_path, ROW, names="/m/1\n")
    with pytest.raises(DataError, match="the id and the name of a class in line 1, got '/m/1'"):
        open_dataset(tmp_path)
    small(tmp_path, ROW, names="/m/1,\n")
    with pytest.raises(DataError, match="a class needs a name that is text"):
        open_dataset(tmp_path)
    small(tmp_path, ROW, bbox=["a,b"])
    with pytest.raises(DataError, match=r"bbox\.csv: expected CSV with the columns ImageID"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match="expected images, but it lists none"):
        open_dataset(small(tmp_path / "none"))


def test_spoilt_files(tmp_path):
    head, said = "ImageID,Source,LabelName,Confidence", "b,verification,/m/1,0"
    boxes = [BOXES, f"a,xclick,/m/1,1,{PLACE},0,0,0,0,0"]
    small(tmp_path, ROW, bbox=boxes, **{"human-imagelabels": [head, said]})
    for file in sorted((tmp_path / "annotations").iterdir()):
        sound = file.read_bytes()
        for rng in generators(80):
            file.write_bytes(mutated_bytes(sound, rng))
            survives(lambda: open_dataset(tmp_path, format="open_images", on_error="skip"))
        file.write_bytes(sound)


def test_a_mask_far_larger_than_its_picture_is_not_decoded(tmp_path, monkeypatch):
    small(tmp_path, ROW, masks=square((400, 800)))
    monkeypatch.setattr("delineate.data.open_images.read_map", lambda _: pytest.fail("decoded"))
    with pytest.raises(DataError, match="has 800 x 400 pixels, far more than its picture of 80 x"):
        open_dataset(tmp_path)
    small(tmp_path, ROW, masks=square((400, 400)))
    with pytest.raises(DataError, match="another shape"):
        open_dataset(tmp_path)


def test_the_file_of_names_that_is_wrong_is_named(tmp_path):
    small(tmp_path, ROW, names="/m/1\n")
    (tmp_path / "annotations" / "class-descriptions-a.csv").write_text("/m/1,Disc\n")
    with pytest.raises(DataError, match=r"class-descriptions-boxable\.csv: expected the id"):
        open_dataset(tmp_path)
