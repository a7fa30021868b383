"""Writers: what lands on the disk, and what does not when something goes wrong."""

import json
import os
import resource
import signal

import numpy as np
import pytest
from PIL import Image

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.rle import from_string, to_bitmap
from delineate.errors import DataError, ImageError, OutputError
from delineate.evaluate.coco import CocoMetric
from delineate.evaluate.coco_files import evaluate_files
from delineate.predict.predictor import Prediction
from delineate.predict.writers import CocoResultsWriter, LabelMaskWriter, OverlayWriter

CLASSES = ClassMap(("nut", "date"), (7, 3))
SIZE = (20, 30)


def square(x, y, side):
    bitmap = np.zeros(SIZE, bool)
    bitmap[y : y + side, x : x + side] = True
    return bitmap


LEFT, RIGHT = square(2, 2, 10), square(8, 4, 12)


def prediction(name="a.png", *, bitmaps=(LEFT, RIGHT), labels=(0, 1), scores=(0.9, 0.1)):
    masks = Masks.from_bitmaps(bitmaps, SIZE)
    boxes = masks.boxes() + np.float32(0.1)
    return Prediction(
        name=name,
        image=np.full((*SIZE, 3), 90, np.uint8),
        instances=Instances(
            image_size=SIZE,
            boxes=boxes,
            labels=np.array(labels, np.int64),
            masks=masks,
            scores=np.array(scores, np.float32),
        ),
    )


NOTHING = prediction("empty.png", bitmaps=(), labels=(), scores=())


# -- COCO results ----------------------------------------------------------------------------


def test_coco_results(tmp_path):
    path = tmp_path / "new" / "folder" / "predictions.json"
    with CocoResultsWriter(path, CLASSES) as writer:
        for one in (prediction("a.png"), NOTHING, prediction("b/c.png")):
            writer.write(one)
        assert not path.exists()
    results = json.loads(path.read_text())
    assert [(r["image_id"], r["file_name"]) for r in results] == [
        (1, "a.png"),
        (1, "a.png"),
        (3, "b/c.png"),
        (3, "b/c.png"),
    ]
    first, second = results[:2]
    assert (first["category_id"], second["category_id"]) == (7, 3)
    assert np.float32(first["score"]) == np.float32(0.9)
    x, y, width, height = first["bbox"]
    box = np.float32([x, y, x + width, y + height])
    np.testing.assert_array_equal(box, prediction().instances.boxes[0])
    assert first["segmentation"]["size"] == [20, 30]
    runs = from_string(first["segmentation"]["counts"], SIZE)
    np.testing.assert_array_equal(to_bitmap(runs, SIZE), LEFT)
    assert os.listdir(path.parent) == ["predictions.json"]


def test_coco_results_use_the_data_sets_ids(tmp_path):
    with CocoResultsWriter(tmp_path / "p.json", CLASSES) as writer:
        writer.write(prediction(), image_id=42)
    assert {r["image_id"] for r in json.loads((tmp_path / "p.json").read_text())} == {42}


def test_coco_results_of_boxes_have_no_masks(tmp_path):
    boxes = Prediction(
        name="a",
        image=prediction().image,
        instances=prediction().instances.replace(masks=None),
    )
    with CocoResultsWriter(tmp_path / "p.json", CLASSES) as writer:
        writer.write(boxes)
    assert "segmentation" not in json.loads((tmp_path / "p.json").read_text())[0]


@pytest.mark.parametrize("predictions", [[], [NOTHING], [NOTHING, NOTHING]])
def test_coco_results_of_nothing_are_an_empty_list(tmp_path, predictions):
    with CocoResultsWriter(tmp_path / "p.json", CLASSES) as writer:
        for one in predictions:
            writer.write(one)
    assert json.loads((tmp_path / "p.json").read_text()) == []


def test_the_file_gives_the_numbers_of_the_predictions(tmp_path):
    """Written exactly: not one digit of AP is lost on the way through the file."""
    rng = np.random.default_rng(0)
    metric = CocoMetric(CLASSES)
    truth = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 7, "name": "nut"}, {"id": 3, "name": "date"}],
    }
    with CocoResultsWriter(tmp_path / "p.json", CLASSES) as writer:
        for image_id in range(1, 6):
            bitmaps = [np.roll(LEFT, rng.integers(0, 4, 2), (0, 1)) for _ in range(4)]
            found = prediction(bitmaps=bitmaps, labels=rng.integers(0, 2, 4), scores=rng.random(4))
            known = prediction().instances.replace(scores=None)
            writer.write(found, image_id=image_id)
            metric.update(known, found.instances, image_id=image_id)
            truth["images"].append({"id": image_id, "width": 30, "height": 20})
            for k, mask in enumerate(known.masks.to_coco()):
                edges = known.boxes[k].astype(float)
                truth["annotations"].append(
                    {
                        "id": 10 * image_id + k,
                        "image_id": image_id,
                        "category_id": CLASSES.source_id(k),
                        "segmentation": mask,
                        "bbox": [*edges[:2], *(edges[2:] - edges[:2])],
                        "area": int(known.masks.areas[k]),
                        "iscrowd": 0,
                    }
                )
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    from_file = evaluate_files(tmp_path / "truth.json", tmp_path / "p.json")
    assert from_file.to_json() == metric.compute().to_json()
    assert 0 < from_file.scores["segm"]["AP"] < 1


def write(path, *steps):
    """Write results; a step is a prediction, or something to do with the writer."""
    with CocoResultsWriter(path, CLASSES) as writer:
        for step in steps:
            if isinstance(step, Prediction):
                writer.write(step)
            else:
                step(writer)


def test_an_error_leaves_no_file(tmp_path):
    def fail(writer):
        raise OSError("the camera is gone")

    with pytest.raises(OSError, match="camera"):
        write(tmp_path / "p.json", prediction(), fail)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def ctrl_c():
    """Take Ctrl-C as a terminal's program does: a shell's background starts with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interruption_loses_nothing(tmp_path):
    def press_ctrl_c(writer):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "p.json", prediction(), press_ctrl_c, prediction())
    results = json.loads((tmp_path / "p.json").read_text())
    assert len(results) in (2, 4)  # the signal arrives before or after the second image


def test_an_image_that_cannot_be_read_loses_nothing(tmp_path):
    def fail(writer):
        raise ImageError("bad.png is no image")

    with pytest.raises(ImageError, match="bad"):
        write(tmp_path / "p.json", prediction(), NOTHING, fail, prediction())
    assert len(json.loads((tmp_path / "p.json").read_text())) == 2


@pytest.mark.parametrize("error", [ImageError, KeyboardInterrupt])
def test_a_first_image_that_stops_all_leaves_no_file(tmp_path, error):
    def fail(writer):
        raise error

    with pytest.raises(error):
        write(tmp_path / "p.json", fail)
    assert os.listdir(tmp_path) == []


def test_an_entry_cut_off_by_an_interruption_is_dropped(tmp_path):
    def half(writer):
        writer._file.write(b',\n{"image_')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "p.json", prediction(), half)
    assert len(json.loads((tmp_path / "p.json").read_text())) == 2


@pytest.mark.parametrize("images", [1, 200], ids=["at the end", "on the way"])
def test_a_full_disk(tmp_path, images):
    """A limit on the size of files fails in the same system call as a full disk does."""
    path = tmp_path / "p.json"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(writer):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))

    try:
        with pytest.raises(OutputError, match=r"p\.json cannot be written"):
            write(path, fill, *[prediction()] * images)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == ["p.json"]
    assert path.read_text() == "old"


# -- pictures --------------------------------------------------------------------------------


def test_overlays(tmp_path):
    with OverlayWriter(tmp_path / "overlays", CLASSES) as writer:
        writer.write(prediction("photos/a.png"))
        writer.write(NOTHING)
    with Image.open(tmp_path / "overlays" / "a.jpg") as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (30, 20))
        assert np.ptp(np.asarray(drawn)) > 50
    with Image.open(tmp_path / "overlays" / "empty.jpg") as untouched:
        assert np.ptp(np.asarray(untouched)) <= 4


def test_equal_names_do_not_overwrite_one_another(tmp_path):
    writer = LabelMaskWriter(tmp_path)
    for name in ("x/a.png", "y/a.jpg", "A.png", "a_2.png", "", "/"):
        writer.write(prediction(name))
    assert sorted(os.listdir(tmp_path)) == [
        "A_3.png",
        "a.png",
        "a_2.png",
        "a_2_2.png",
        "image.png",
        "image_2.png",
    ]


def test_label_masks_number_the_predictions_and_show_the_surer_one(tmp_path):
    LabelMaskWriter(tmp_path).write(prediction(scores=(0.2, 0.7)))
    LabelMaskWriter(tmp_path).write(prediction("b.png", scores=(0.7, 0.2)))
    expected = np.zeros(SIZE, int)
    expected[LEFT] = 1
    expected[RIGHT] = 2
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(image), expected)
    expected[LEFT] = 1
    with Image.open(tmp_path / "b.png") as image:
        np.testing.assert_array_equal(np.asarray(image), expected)


def test_label_masks_count_beyond_a_byte(tmp_path):
    dots = []
    for i in range(300):
        dot = np.zeros(SIZE, bool)
        dot[i // 30, i % 30] = True
        dots.append(dot)
    LabelMaskWriter(tmp_path).write(prediction(bitmaps=dots, labels=[0] * 300, scores=[0.5] * 300))
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image).max() == 300


def test_label_masks_need_masks(tmp_path):
    boxes = Prediction(
        name="a.png",
        image=prediction().image,
        instances=prediction().instances.replace(masks=None),
    )
    with pytest.raises(DataError, match=r"a\.png: expected up to 65535 masks .* boxes only"):
        LabelMaskWriter(tmp_path).write(boxes)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "make",
    [
        lambda place: OverlayWriter(place, CLASSES),
        LabelMaskWriter,
        lambda place: CocoResultsWriter(place / "p.json", CLASSES).__enter__(),
    ],
    ids=["overlays", "label masks", "results"],
)
def test_a_place_that_is_no_folder(tmp_path, make):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        make(tmp_path / "file" / "folder")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"
