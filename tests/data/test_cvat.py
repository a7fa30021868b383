"""CVAT's XML: its samples, images and videos, projects and tasks, every fault, and back."""

import contextlib
import re
import time
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from delineate.data.cvat import find_cvat, is_cvat, read_cvat
from delineate.data.cvat_write import write_cvat
from delineate.data.formats import open_dataset, open_splits
from delineate.data.layouts import Source
from delineate.errors import DataError
from mutations import generators, mutated_xml, survives
from rich_set import CLASSES, ONE, PLAIN, assert_kept, rich_set

SIZE = (20, 30)

META = """
  <version>1.1</version>
  <meta>
    <task>
      <id>5</id><name>t</name><mode>annotation</mode>
      <labels>
        <label><name>dog</name><color>#0c81b5</color><type>any</type><attributes/></label>
        <label><name>cat</name><attributes></attributes></label>
        <label><name>hand</name><type>skeleton</type></label>
        <label><name>1</name><type>points</type><parent>hand</parent></label>
      </labels>
    </task>
    <dumped>2024-01-01 00:00:00.0+00:00</dumped>
  </meta>"""

MASK = (
    '<mask label="cat" source="manual" occluded="0" rle="1, 2, 3, 6" left="4" top="7" width="4" '
    'height="3" z_order="1"></mask>'
)
SHAPES = [
    '<polygon label="dog" occluded="1" points="2.00,3.00;8.00,3.00;8.00,9.00;2.00,9.00" '
    'z_order="0"><attribute name="age">7</attribute></polygon>',
    MASK,
    '<ellipse label="dog" occluded="0" cx="15.00" cy="10.00" rx="8.00" ry="4.00" '
    'rotation="90.00" z_order="0"></ellipse>',
]


def images(*shapes, attributes='id="0" name="a.png" width="30" height="20"', meta=META):
    lines = "\n    ".join(shapes)
    image = f"<image {attributes}>\n    {lines}\n  </image>"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<annotations>{meta}\n  {image}\n</annotations>'


def put(folder, text=None, *pictures, name="annotations.xml"):
    """Write a file as CVAT does, and its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = images(*SHAPES) if text is None else text
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for picture in pictures or ("a.png",):
        target = folder / "images" / picture
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(target)
    return path


def read(path, split="train", **options):
    return read_cvat(Source(path, split), **options)


def decoded(element):
    """Decode a mask by CVAT's definition, one pixel after the other."""
    left, top, width = (int(element.get(key)) for key in ("left", "top", "width"))
    bitmap, place, value = np.zeros(SIZE, bool), 0, False
    for count in element.get("rle").split(", "):
        for _ in range(int(count)):
            y, x = divmod(place, width)
            bitmap[top + y, left + x] = value
            place += 1
        value = not value
    return bitmap


# -- the tool's own samples --------------------------------------------------------------------


def test_samples_hold_no_mask_and_say_so(shared_data):
    folder = shared_data / "raw" / "datumaro_formats" / "tests" / "assets" / "cvat_dataset"
    ours = open_dataset(folder / "for_images", on_error="skip")
    assert ours.classes.names == ("label1", "label2", "skeleton")
    assert [(r.name, r.size) for r in ours.records] == [
        ("img0.jpg", (8, 8)),
        ("img1.jpg", (10, 10)),
    ]
    assert sorted(f"{p.where}: {p.why}" for p in ours.problems) == [
        "image 'img0.jpg', shape 1: <box> has no mask",
        "image 'img0.jpg', shape 2: <polyline> has no area",
        "image 'img0.jpg', shape 3: <skeleton> has no area",
        "image 'img1.jpg', shape 1: it has no class",
        "image 'img1.jpg', shape 2: <points> has no area",
        "image 'img1.jpg', shape 3: <skeleton> has no area",
    ]
    ours = open_dataset(folder / "for_video", on_error="skip")
    assert ours.classes.names == ("klhg", "z U k", "II", "skeleton")
    assert [r.name for r in ours.records] == ["frame_000010.png", "frame_000013.png"]
    wheres = [p.where for p in ours.problems]
    assert wheres == [
        "image 'frame_000016.png'",
        *(f"image 'frame_000010.png', track {i}" for i in (0, 1, 3)),
        *(f"image 'frame_000013.png', track {i}" for i in (2, 3)),
    ]


# -- images ------------------------------------------------------------------------------------


def test_every_shape(tmp_path):
    ours = read(put(tmp_path))
    assert ours.name == f"{tmp_path.name}/annotations"
    assert ours.classes.names == ("dog", "cat", "hand")
    assert ours.records[0].size == SIZE
    found = ours.instances(0)
    assert found.labels.tolist() == [0, 0, 1]  # the mask lies above
    polygon, ellipse, mask = found.masks.to_dense()
    expected = np.zeros(SIZE, bool)
    expected[3:9, 2:8] = True
    np.testing.assert_array_equal(polygon, expected)
    np.testing.assert_array_equal(mask, decoded(ElementTree.XML(MASK)))
    assert mask.sum() == 8
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = ((xs - 15) / 4) ** 2 + ((ys - 10) / 8) ** 2 <= 1
    assert (ellipse & inside).sum() / (ellipse | inside).sum() > 0.95


def test_masks_equal_a_slow_decoding(tmp_path):
    rng = np.random.default_rng(0)
    shapes, expected = [], []
    for _ in range(30):
        left, top = int(rng.integers(0, 25)), int(rng.integers(0, 15))
        width, height = int(rng.integers(1, 31 - left)), int(rng.integers(1, 21 - top))
        turns = np.sort(rng.integers(0, width * height + 1, 6)).tolist()
        counts = np.diff([0, *turns, width * height]).tolist()
        mask = (
            f'<mask label="cat" rle="{", ".join(map(str, counts))}" left="{left}" top="{top}" '
            f'width="{width}" height="{height}"/>'
        )
        if decoded(ElementTree.XML(mask)).any():
            shapes.append(mask)
            expected.append(decoded(ElementTree.XML(mask)))
    ours = read(put(tmp_path, images(*shapes)))
    np.testing.assert_array_equal(ours.instances(0).masks.to_dense(), np.stack(expected))


def test_groups_and_boxes(tmp_path):
    square = 'points="1,1;3,1;3,3;1,3"'
    far = 'points="11,1;13,1;13,3;11,3"'
    shapes = [
        f'<polygon label="dog" group_id="3" {square}/>',
        f'<polygon label="cat" group_id="3" {square}/>',
        f'<polygon label="dog" group_id="0" {square}/>',
        f'<polygon label="dog" group_id="3" {far}/>',
        '<box label="dog" group_id="3" xtl="1" ytl="1" xbr="13" ybr="3"/>',
        f'<polygon label="dog" {far}/>',
        '<tag label="cat"/>',
    ]
    ours = read(put(tmp_path, images(*shapes)))
    assert ours.instances(0).labels.tolist() == [0, 1, 0, 0]
    assert ours.areas(0).tolist() == [8, 4, 4, 4]


def test_the_layers_give_the_order(tmp_path):
    shapes = [
        f'<polygon label="dog" points="0,0;{i},0;{i},1;0,1" z_order="{z}"/>'
        for i, z in ((5, 2), (3, 0), (4, 2), (1, -1), (2, 0))
    ]
    assert read(put(tmp_path, images(*shapes))).areas(0).tolist() == [1, 3, 2, 5, 4]


@pytest.mark.parametrize(("value", "crowd"), [("true", True), ("1", True), ("false", False)])
def test_crowd(tmp_path, value, crowd):
    shape = SHAPES[0].replace('name="age">7', f'name="iscrowd">{value}')
    assert read(put(tmp_path, images(shape))).instances(0).crowd.tolist() == [crowd]


def test_without_labels_the_names_in_use_are_the_classes(tmp_path):
    assert read(put(tmp_path, images(*SHAPES, meta="<meta/>"))).classes.names == ("cat", "dog")


@pytest.mark.parametrize("kind", ["project", "job"])
def test_labels_of_projects_and_jobs(tmp_path, kind):
    meta = META.replace("<task>", f"<{kind}>").replace("</task>", f"</{kind}>")
    ours = read(put(tmp_path, images(*SHAPES, meta=meta)))
    assert ours.classes.names == ("dog", "cat", "hand")


@pytest.mark.parametrize(
    ("name", "lies"),
    [
        ("deep/a.png", "deep/a.png"),
        ("frame_000003", "frame_000003.PNG"),
        ("scan.1", "scan.1.jpg"),
    ],
)
def test_names_of_pictures(tmp_path, name, lies):
    text = images(*SHAPES, attributes=f'id="0" name="{name}" width="30" height="20"')
    ours = read(put(tmp_path, text, lies))
    assert ours.records[0].name == lies
    assert ours.records[0].path == tmp_path / "images" / lies


def test_pictures_beside_the_file_or_elsewhere(tmp_path):
    path = put(tmp_path / "a")
    (tmp_path / "a" / "images").rename(tmp_path / "b")
    assert read(path, images=tmp_path / "b").records[0].path == tmp_path / "b" / "a.png"
    (tmp_path / "b" / "a.png").rename(tmp_path / "a" / "a.png")
    assert read(path).records[0].path == tmp_path / "a" / "a.png"
    with pytest.raises(DataError, match="check --images"):
        read(path, images=tmp_path / "none")


# -- splits ------------------------------------------------------------------------------------


def project(*subsets):
    body = "".join(
        f'<image id="{i}" name="a.png" subset="{s}" task_id="{i}" width="30" height="20">'
        f"{SHAPES[i % 3]}</image>"
        for i, s in enumerate(subsets)
    )
    meta = META.replace("<task>", "<project>").replace("</task>", "</project>")
    return f"<annotations>{meta}{body}</annotations>"


def test_subsets_of_a_project_are_splits(tmp_path):
    subsets = ("Validation", "test &amp; more", "Train")
    put(tmp_path, project(*subsets), "Train/a.png", "Validation/a.png", "test & more/a.png")
    splits = open_splits(tmp_path)
    assert list(splits) == ["train", "val", "test"]
    paths = {split: data.records[0].path for split, data in splits.items()}
    assert paths["val"] == tmp_path / "images" / "Validation" / "a.png"
    assert paths["test"] == tmp_path / "images" / "test & more" / "a.png"
    labels = {s: data.instances(0).labels.tolist() for s, data in splits.items()}
    assert labels == {"train": [0], "val": [0], "test": [1]}
    assert {len(data) for data in splits.values()} == {1}


def test_subsets_that_tell_no_split(tmp_path):
    put(tmp_path, project("Train", ""))
    with pytest.raises(DataError, match=r"named after splits, .* got one called 'default': rename"):
        open_splits(tmp_path)


def test_one_subset_is_the_split_that_its_name_tells(tmp_path):
    put(tmp_path, project("Validation"), "Validation/a.png")
    assert list(open_splits(tmp_path)) == ["val"]
    put(tmp_path, project("default"))
    assert list(open_splits(tmp_path)) == ["train"]


def test_a_file_for_each_split(tmp_path):
    put(tmp_path / "train")
    put(tmp_path / "val", project("Test"), "Test/a.png")
    assert list(open_splits(tmp_path)) == ["train", "val"]
    put(tmp_path / "val", project("Test", "Train"))
    with pytest.raises(DataError, match=r"several files, of which annotations\.xml has several"):
        open_splits(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "<a/>", "<annotation><image/></annotation>", "<annotations><x/></annotations>"]
)
def test_what_is_not_cvats(tmp_path, text):
    path = put(tmp_path, text)
    assert not is_cvat(path)
    assert find_cvat(tmp_path) is None
    assert find_cvat(tmp_path / "none") is None
    with pytest.raises(DataError):
        read(path)


# -- videos ------------------------------------------------------------------------------------


def shown(frame, x, outside=0, keyframe=1):
    points = f"{x},1;{x + 4},1;{x + 4},5;{x},5"
    return (
        f'<polygon frame="{frame}" keyframe="{keyframe}" outside="{outside}" occluded="0" '
        f'points="{points}" z_order="0"></polygon>'
    )


def video(*tracks, size="<original_size><width>30</width><height>20</height></original_size>"):
    meta = META.replace("</task>", f"{size}</task>")
    return f"<annotations>{meta}{''.join(tracks)}</annotations>"


TRACKS = (
    f'<track id="0" label="cat" source="manual">{shown(7, 1)}{shown(8, 2, keyframe=0)}'
    f"{shown(9, 3, outside=1)}</track>",
    f'<track id="1" label="dog" group_id="2">{shown(8, 10)}</track>',
    f'<track id="2" label="dog" group_id="2">{shown(8, 20)}</track>',
)
FRAMES = ("frame_000006.PNG", "frame_000007.PNG", "frame_000008.PNG", "cover.png")


def test_frames_of_a_video(tmp_path):
    ours = read(put(tmp_path, video(*TRACKS), *FRAMES))
    assert [r.name for r in ours.records] == list(FRAMES[:3])
    assert [ours.instances(i).labels.tolist() for i in range(3)] == [[], [1], [1, 0]]
    assert ours.areas(2).tolist() == [16, 32]
    assert ours.instances(2).boxes[:, 0].tolist() == [2, 10]


def test_a_frame_without_its_picture(tmp_path):
    path = put(tmp_path, video(*TRACKS), *FRAMES[:2])
    with pytest.raises(DataError, match=r"image 'frame_000008\.png': its file is missing"):
        read(path)


@pytest.mark.parametrize("text", [video(*TRACKS, size=""), video(*TRACKS)])
def test_size_of_a_video(tmp_path, text):
    assert read(put(tmp_path, text, *FRAMES)).records[0].size == SIZE


def test_size_of_a_video_in_a_project(tmp_path):
    def task(number, width):
        return (
            f"<task><id>{number}</id><original_size><width>{width}</width><height>20</height>"
            "</original_size></task>"
        )

    meta = f"<meta><project><tasks>{task(1, 99)}{task(2, 30)}</tasks></project></meta>"
    track = TRACKS[0].replace("<track", '<track task_id="2" subset="Test"')
    path = put(tmp_path, f"<annotations>{meta}{track}</annotations>", f"Test/{FRAMES[1]}")
    with pytest.raises(DataError, match="frame_000008"):
        read(path)
    assert find_cvat(tmp_path) == {"test": Source(path, "test")}
    assert read(path, on_error="skip").records[0].size == SIZE
    track += TRACKS[1].replace("<track", '<track task_id="1" subset="Test"')
    put(tmp_path, f"<annotations>{meta}{track}</annotations>")
    with pytest.raises(DataError, match="got those of several tasks"):
        read(path)


def test_a_video_that_is_broken(tmp_path):
    with pytest.raises(DataError, match="track 0: its <polygon> has no 'frame'"):
        read(put(tmp_path, video(TRACKS[0].replace("frame=", "f=")), *FRAMES))
    with pytest.raises(DataError, match="original_size: an image's size must be two whole"):
        read(put(tmp_path, video(*TRACKS).replace("<width>30", "<width>x"), *FRAMES))


# -- faults ------------------------------------------------------------------------------------

FAULTS = {
    "<box> has no mask": '<box label="dog" xtl="1" ytl="1" xbr="3" ybr="3"/>',
    "<cuboid> has no area": '<cuboid label="dog"/>',
    "<points> has no area": '<points label="dog" points="1,2"/>',
    "<cube> is no shape that is known": '<cube label="dog"/>',
    "its <polygon> has no 'points'": '<polygon label="dog"/>',
    "its points should be x,y;x,y;": '<polygon label="dog" points="1,2;x,4;5,6"/>',
    "at least 3 points": '<polygon label="dog" points="1,2;3,4"/>',
    "coordinates must be finite": '<polygon label="dog" points="1,2;nan,4;5,6"/>',
    "no pixel in the picture": '<polygon label="dog" points="91,2;93,4;95,6"/>',
    "its class 'cow' is none": '<polygon label="cow" points="1,2;3,4;9,6"/>',
    "it has no class": '<polygon points="1,2;3,4;9,6"/>',
    "its <ellipse> has no 'rx'": '<ellipse label="dog" cx="1" cy="1" ry="1"/>',
    "radii must be above 0": '<ellipse label="dog" cx="1" cy="1" ry="1" rx="0"/>',
    "a whole number as 'left'": MASK.replace('left="4"', 'left="4.5"'),
    "a number as 'top', and has 'x'": MASK.replace('top="7"', 'top="x"'),
    "should lie in the picture, and has 4 x 1000 pixels": MASK.replace('ht="3"', 'ht="1000"'),
    "and has 4 x 0 pixels": MASK.replace('height="3"', 'height="0"'),
    "whole numbers with commas, and are '1; 2'": MASK.replace("1, 2, 3, 6", "1; 2"),
    "whole numbers with commas, and are ''": MASK.replace("1, 2, 3, 6", ""),
    "whole numbers with commas, and are '9999": MASK.replace("1, 2, 3, 6", "9" * 30),
    "should fill 4 x 3 pixels, and add up to 13": MASK.replace("3, 6", "3, 7"),
    "fill 4 x 3 pixels, and add up to 12": MASK.replace("1, 2", "-1, 4"),
    "its mask has no pixel": MASK.replace("1, 2, 3, 6", "12"),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_shape(tmp_path, match):
    path = put(tmp_path, images(*SHAPES, FAULTS[match]))
    with pytest.raises(DataError, match=rf"image 'a\.png', shape 4: .*{re.escape(match)}"):
        read(path)
    ours = read(path, on_error="skip")
    assert len(ours.instances(0)) == 3
    assert [p.action for p in ours.problems] == ["the object left out"]


IMAGES = {
    "image 2: it names no picture": 'width="30" height="20"',
    "its <image> has no 'height'": 'name="b.png" width="30"',
    "a whole number as 'width'": 'name="b.png" width="3.5" height="20"',
    "an image's size must be": 'name="b.png" width="-30" height="20"',
    "the annotations say 20 x 30 pixels, its file has 30 x 20": (
        'name="b.png" width="20" height="30"'
    ),
    "its file's name leads out of the folder": 'name="../b.png" width="30" height="20"',
    "its file is missing": 'name="c.png"',
    "it is listed already": 'name="a.png"',
}


@pytest.mark.parametrize("match", IMAGES)
def test_a_broken_image(tmp_path, match):
    text = images(*SHAPES).replace("</image>", f"</image><image {IMAGES[match]}>{MASK}</image>")
    path = put(tmp_path, text, "a.png", "b.png")
    with pytest.raises(DataError, match=f"1 broken record .*{match}"):
        read(path)
    ours = read(path, on_error="skip")
    assert [r.name for r in ours.records] == ["a.png"]
    assert len(ours.instances(0)) == 3


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("<annotations><image", "the file breaks off"),
        ("<html></html>", "expected XML of CVAT .* got the root 'html'"),
        (images(*SHAPES).replace("<name>cat", "<name>dog"), "'dog' comes twice"),
        (images(*SHAPES).replace("<name>cat<", "<name><"), "needs a name"),
        ("<annotations><meta/></annotations>", "expected images, but it lists none"),
        ("<!DOCTYPE annotations><annotations/>", "DOCTYPE"),
    ],
)
def test_a_broken_file(tmp_path, text, match):
    with pytest.raises(DataError, match=rf"annotations\.xml: .*{match}"):
        read(put(tmp_path, text))


@pytest.mark.parametrize("kind", ["images", "video"])
def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path, kind):
    text = images(*SHAPES) if kind == "images" else video(*TRACKS)
    path = put(tmp_path, None, "a.png", *FRAMES)
    survived = 0
    for rng in generators(300):
        path.write_bytes(mutated_xml(text, rng))
        survived += survives(lambda: read(path, on_error="skip"))
        is_cvat(path)
        with contextlib.suppress(DataError):
            find_cvat(path)
    assert survived > 100


# -- and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [CLASSES, PLAIN, ONE])
def test_everything_is_kept(tmp_path, classes):
    splits = rich_set(tmp_path / "original", classes)
    (tmp_path / "written").mkdir()
    names = write_cvat(tmp_path / "written", splits)
    assert_kept(splits, names, open_splits(tmp_path / "written"))


def test_what_is_written(tmp_path):
    splits = rich_set(tmp_path / "original", PLAIN)
    folder = tmp_path / "written"
    folder.mkdir()
    write_cvat(folder, splits)
    root = ElementTree.parse(folder / "train" / "annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    assert root.findtext("meta/task/subset") == "Train"
    labels = root.findall("meta/task/labels/label")
    assert [label.findtext("name") for label in labels] == list(PLAIN)
    assert {label.findtext("attributes/attribute/name") for label in labels} == {"iscrowd"}
    images = root.findall("image")
    assert [image.get("id") for image in images] == ["0", "1", "2", "3"]
    pixel = images[0][2]
    keys = ("label", "rle", "left", "top", "width", "height", "z_order", "occluded")
    assert [pixel.get(key) for key in keys] == [PLAIN[0], "0, 1", "40", "20", "1", "1", "2", "0"]
    crowd = [shape.get("z_order") for shape in images[1] if shape.find("attribute") is not None]
    assert crowd == ["0"]
    val = (folder / "val" / "annotations.xml").read_text()
    assert "iscrowd" not in val
    assert "<subset>Validation<" in val


def test_names_that_xml_cannot_hold(tmp_path):
    splits = rich_set(tmp_path / "original", ["a\ufffe"])
    with pytest.raises(DataError, match=r"names that XML can hold, got 'a\\ufffe': rename it"):
        write_cvat(tmp_path, splits)


def test_unclosed_elements_are_looked_through_once(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text("<annotations>" + "<image " * 200_000)
    started = time.process_time()
    assert find_cvat(path) is not None
    assert time.process_time() - started < 5
