"""LabelMe's XML (the web tool of MIT): Datumaro's sample, the tool's own folders, parts, faults."""

import re

import numpy as np
import pytest
from PIL import Image

from delineate.data.formats import open_dataset, open_splits
from delineate.data.labelme_xml import find_labelme_xml, is_labelme_xml, read_labelme_xml
from delineate.data.layouts import Source
from delineate.errors import DataError
from mutations import generators, mutated_xml, survives

SIZE = (20, 30)


def polygon(*points):
    pts = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in points)
    return f"<polygon><username>me</username>{pts}</polygon>"


def square(x, y=2):
    return polygon((x, y), (x + 3, y), (x + 3, y + 3), (x, y + 3))


def thing(name, form, number=0, *, deleted=0, whole="", parts="", more=""):
    return (
        f"<object><name>{name}</name><deleted>{deleted}</deleted><verified>0</verified>"
        f"<attributes>red</attributes><parts><hasparts>{parts}</hasparts><ispartof>{whole}"
        f"</ispartof></parts><date>27-Jul-2014 02:58:50</date><id>{number}</id>{more}{form}"
        "</object>"
    )


SEGM = (
    "<segm><username>me</username><box><xmin>1</xmin></box><mask>a_mask_0.png</mask><scribbles>"
    "<scribble_name>a_scribble_0.png</scribble_name></scribbles></segm>"
)
OBJECTS = (thing("\ncar\n", square(1), 0), thing("dog", SEGM, 1))


def page(*objects, name="a.jpg", size="<imagesize><nrows>20</nrows><ncols>30</ncols></imagesize>"):
    return (
        f"<annotation><filename>{name}</filename><folder>f</folder><source><sourceImage>x"
        "</sourceImage><sourceAnnotation>LabelMe Webtool</sourceAnnotation></source>"
        f"{''.join(objects)}{size}</annotation>"
    )


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*SIZE, 3), value, np.uint8)).save(path)


def mask(path, size=SIZE):
    """A mask as the web tool saves it: a colour, half transparent along its edge."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[5:9, 10:16] = (153, 51, 255, 8)
    pixels[6:8, 11:15, 3] = 147
    Image.fromarray(pixels).save(path)


def put(folder, text=None, name="a"):
    """Write a file with its picture and its mask beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.xml").write_text(page(*OBJECTS) if text is None else text)
    picture(folder / f"{name}.jpg")
    mask(folder / "Masks" / "a_mask_0.png")
    return folder


def read(path, **options):
    return read_labelme_xml(Source(path), **options)


def test_sample(shared_data):
    folder = shared_data / "raw" / "datumaro_formats" / "tests" / "assets" / "labelme_dataset"
    with pytest.raises(DataError, match=r"1 broken record \(image 'img1\.png', object 5: a bound"):
        open_dataset(folder)
    ours = open_dataset(folder, on_error="skip")
    assert ours.classes.names == ("hg", "license plate", "m1", "o1", "q1", "window")
    assert ours.records[0].size == (77, 102)
    names = [ours.classes.names[label] for label in ours.instances(0).labels]
    assert names == ["window", "license plate", "o1", "q1", "m1", "hg"]
    for i, number in ((1, 1), (4, 5)):
        drawn = np.array(Image.open(folder / "Masks" / f"img1_mask_{number}.png"))
        bitmap = ours.instances(0).masks.bitmap(i)
        np.testing.assert_array_equal(bitmap, drawn[..., :3].any(axis=2))
    assert ours.areas(0)[0] == 2 * 3
    assert ours.instances(0).boxes[0].tolist() == [43, 34, 45, 37]


def test_objects(tmp_path):
    ours = read(put(tmp_path))
    assert ours.classes.names == ("car", "dog")
    assert ours.areas(0).tolist() == [9, 24]
    assert ours.instances(0).boxes[1].tolist() == [10, 5, 16, 9]


def test_what_is_deleted_is_not_there(tmp_path):
    objects = (thing("cow", square(1), 0, deleted=1), thing("car", square(1), 1))
    ours = read(put(tmp_path, page(*objects)))
    assert ours.classes.names == ("car",)
    assert len(ours.instances(0)) == 1


@pytest.mark.parametrize("told_by", ["whole", "parts", "both"])
def test_parts_of_the_same_name_are_one_object(tmp_path, told_by):
    whole = {i: "7" if told_by != "parts" else "" for i in (8, 9, 10, 11)}
    parts = "8, 9,10,11" if told_by != "whole" else ""
    deeper = {"whole": "9"} if told_by != "parts" else {}
    objects = (
        thing("wheel", square(1), 8, whole=whole[8]),
        thing("car", square(5), 7, parts=parts),
        thing("car", square(10), 9, whole=whole[9], parts="12" if told_by != "whole" else ""),
        thing("wheel", square(15), 10, whole=whole[10]),
        thing("car", square(20), 12, **deeper),
        thing("car", square(25), 13),
        thing("car", square(1, 10), 11, whole=whole[11], deleted=1),
    )
    ours = read(put(tmp_path, page(*objects)))
    names = [ours.classes.names[label] for label in ours.instances(0).labels]
    assert names == ["wheel", "car", "wheel", "car"]
    assert ours.areas(0).tolist() == [9, 27, 9, 9]


def test_links_that_lead_nowhere(tmp_path):
    objects = (
        thing("a", square(1), 1, whole=2),
        thing("a", square(5), 2, whole=1),
        thing("a", square(10), 3, whole=99, parts="3,,x"),
        thing("a", square(15), "", parts=""),
        thing("a", square(20), "", parts=""),
    )
    ours = read(put(tmp_path, page(*objects)))
    assert ours.areas(0)[-3:].tolist() == [9, 9, 9]


def test_a_box_beside_its_mask(tmp_path):
    box = "<type>bounding_box</type>"
    objects = (
        thing("car", square(1), 0, more=box, parts="1"),
        thing("car", square(5), 1),
        thing("dog", SEGM, 2, more=box),
    )
    assert read(put(tmp_path, page(*objects))).areas(0).tolist() == [9, 24]


# -- folders -----------------------------------------------------------------------------------


@pytest.fixture
def tool(tmp_path):
    """The folders of the tool."""
    for name in ("street/a", "street/b", "c"):
        file = tmp_path / "Annotations" / f"{name}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(*OBJECTS, name=f"{name[-1]}.jpg"))
        picture(tmp_path / "Images" / f"{name}.jpg")
        mask((tmp_path / "Masks" / name).parent / "a_mask_0.png")
    return tmp_path


def test_folders_of_the_tool(tool):
    ours = open_dataset(tool)
    assert [r.name for r in ours.records] == ["c.jpg", "street/a.jpg", "street/b.jpg"]
    assert ours.records[1].path == tool / "Images" / "street" / "a.jpg"
    assert [len(ours.instances(i)) for i in range(3)] == [2, 2, 2]


def test_pictures_of_the_same_name_in_two_folders(tool):
    text = page(OBJECTS[0], name="a.jpg")
    (tool / "Annotations" / "a.xml").write_text(text)
    picture(tool / "Images" / "a.jpg")
    ours = read(tool, images=tool / "Images")
    paths = {r.name: r.path for r in ours.records}
    assert paths["street/a.jpg"] == tool / "Images" / "street" / "a.jpg"
    assert paths["a.jpg"] == tool / "Images" / "a.jpg"


@pytest.mark.parametrize(
    ("named", "names"),
    [
        ("Annotations", ["c.jpg", "street/a.jpg", "street/b.jpg"]),
        ("Annotations/street", ["a.jpg", "b.jpg"]),
        ("Annotations/street/b.xml", ["b.jpg"]),
    ],
)
def test_part_of_the_folders(tool, named, names):
    assert find_labelme_xml(tool / named) == {"train": Source(tool / named)}
    ours = read(tool / named)
    assert [r.name for r in ours.records] == names
    assert len(ours.instances(0)) == 2


def test_splits_and_pictures_elsewhere(tmp_path):
    put(tmp_path / "train")
    put(tmp_path / "valid")
    splits = open_splits(tmp_path)
    assert list(splits) == ["train", "val"]
    (tmp_path / "train" / "a.jpg").rename(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="its file is missing"):
        read(tmp_path / "train")
    assert len(read(tmp_path / "train", images=tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotation/>",
        "<annotations><image/></annotations>",
        "<annotation><size/><object><bndbox></bndbox><polygon><pt/></polygon></object></annotation>",
    ],
)
def test_what_is_not_labelmes(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    assert not is_labelme_xml(tmp_path / "a.xml")
    assert find_labelme_xml(tmp_path) is None


# -- faults ------------------------------------------------------------------------------------

FAULTS = {
    "a bounding box has no mask": thing("a", square(1), 9, more="<type>bounding_box</type>"),
    "it has neither a polygon nor a mask": thing("a", "", 9),
    "a point should have a number as y, and has 'x'": thing("a", polygon((1, "x")), 9),
    "a point should have a number as x, and has ''": thing("a", polygon(("", 2)), 9),
    "coordinates must be finite": thing("a", polygon((1, 2), (3, "nan"), (5, 6)), 9),
    "at least 3 points": thing("a", polygon((1, 2), (3, 4)), 9),
    "it has no class": thing(" ", square(1), 9),
    "it names no mask": thing("a", "<segm/>", 9),
    "leads out of the folder Masks": thing("a", "<segm><mask>../a.png</mask></segm>", 9),
    "its file is missing": thing("a", "<segm><mask>none.png</mask></segm>", 9),
    "its mask has 3 x 2 pixels, and its picture 30 x 20": thing(
        "a", "<segm><mask>small.png</mask></segm>", 9
    ),
    "more than the limit of 600": thing("a", "<segm><mask>large.png</mask></segm>", 9),
    "no pixel in the picture": thing("a", square(100), 9),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_object(tmp_path, match):
    put(tmp_path, page(*OBJECTS, FAULTS[match]))
    mask(tmp_path / "Masks" / "small.png", (2, 3))
    mask(tmp_path / "Masks" / "large.png", (200, 300))
    with pytest.raises(DataError, match=rf"image 'a\.jpg', object 3: .*{re.escape(match)}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert len(ours.instances(0)) == 2
    assert [p.action for p in ours.problems] == ["the object left out"]


FILES = {
    "file 'b.xml': expected whole XML, but the file breaks off": "<annotation><filename>",
    "file 'b.xml': expected XML without a document type": "<!DOCTYPE a><annotation/>",
    "file 'b.xml': expected a file of LabelMe .* got the root 'html'": "<html/>",
    "file 'b.xml': it names no picture": page(*OBJECTS, name=" "),
    "file 'b.xml': an image's size must be": page(
        *OBJECTS, size="<imagesize><nrows>x</nrows><ncols>30</ncols></imagesize>"
    ),
    "image 'b.jpg': the annotations say 30 x 21 pixels, its file has 30 x 20": page(
        *OBJECTS,
        name="b.jpg",
        size="<imagesize><nrows>21</nrows><ncols>30</ncols></imagesize>",
    ),
    "image '../b.jpg': its file's name leads out": page(*OBJECTS, name="../b.jpg"),
    "image 'a.jpg': it is listed already": page(*OBJECTS),
}


@pytest.mark.parametrize("match", FILES)
def test_a_broken_file(tmp_path, match):
    put(tmp_path, FILES[match], "b")
    put(tmp_path)
    with pytest.raises(DataError, match=rf"1 broken record \({match}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert [len(ours.instances(i)) for i in range(len(ours))] == [2]


def test_a_size_that_is_not_stated(tmp_path):
    assert read(put(tmp_path, page(*OBJECTS, size=""))).records[0].size == SIZE


def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path):
    put(tmp_path, None, "b")
    put(tmp_path)
    (tmp_path / "b.xml").write_text(page(*OBJECTS, name="b.jpg"))
    text = page(*OBJECTS, thing("dog", square(5), 5, parts="6"), thing("dog", square(9), 6))
    survived = 0
    for rng in generators(300):
        (tmp_path / "a.xml").write_bytes(mutated_xml(text, rng))
        survived += survives(lambda: read(tmp_path, on_error="skip"))
        is_labelme_xml(tmp_path / "a.xml")
    assert survived == 300
