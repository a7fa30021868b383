"""ALTO: real pages against the COCO files that were made from them, and every fault."""

import re

import numpy as np
import pytest
from PIL import Image

from delineate.core.geometry import Geometry
from delineate.data.alto import find_alto, is_alto, read_alto
from delineate.data.coco import read_coco
from delineate.data.formats import open_dataset, open_splits
from delineate.data.layouts import Source
from delineate.errors import DataError
from mutations import generators, mutated_xml, survives

SIZE = (20, 30)
PLACE = 'HPOS="2" VPOS="3" WIDTH="10" HEIGHT="8"'


def shape(points):
    return f'<Shape><Polygon POINTS="{points}"/></Shape>'


def block(tags="BT1", content="", place=PLACE, kind="TextBlock", id_="b"):
    refs = f' TAGREFS="{tags}"' if tags else ""
    return f'<{kind} ID="{id_}" {place}{refs}>{content}</{kind}>'


LINE = (
    '<TextLine ID="l1" TAGREFS="LT1" BASELINE="2 5 9 5" HPOS="0" VPOS="0" WIDTH="1" HEIGHT="1">'
    f'{shape("2 4 9 4 9 7 2 7")}<String CONTENT="so" HPOS="3" VPOS="4" WIDTH="4" HEIGHT="3"/>'
    "</TextLine>"
)
BLOCKS = (
    block(content=shape("2 3 12 3 12 11 2 11") + LINE),
    block("BT2 NE1", place='HPOS="15.5" VPOS="2" WIDTH="4" HEIGHT="5"'),
)


def alto(*blocks, unit="pixel", name="a.jpg", page='WIDTH="30" HEIGHT="20"', version=4):
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alto xmlns="http://www.loc.gov/standards/alto/ns-v{version}#">
  <Description><MeasurementUnit>{unit}</MeasurementUnit>
    <sourceImageInformation><fileName>{name}</fileName></sourceImageInformation></Description>
  <Tags><OtherTag ID="BT1" LABEL="MainZone"/><LayoutTag ID="BT2" LABEL="StampZone"/>
    <OtherTag ID="LT1" LABEL="DefaultLine"/><NamedEntityTag ID="NE1" LABEL="Paris"/></Tags>
  <Layout><Page ID="p" PHYSICAL_IMG_NR="1" {page}>
    <PrintSpace HPOS="0" VPOS="0" WIDTH="30" HEIGHT="20">{"".join(blocks)}</PrintSpace>
  </Page></Layout>
</alto>"""


def put(folder, text=None, name="a", picture="a.jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.xml").write_text(alto(*BLOCKS) if text is None else text)
    if picture:
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / picture)
    return folder


def read(path, **options):
    return read_alto(Source(path), **options)


def classes_in(dataset, index=0):
    return [dataset.classes.names[label] for label in dataset.instances(index).labels]


def test_pages_equal_the_coco_file_that_was_made_of_them(shared_data):
    """Its pages are smaller, and each outline is clipped to the page."""
    ours = open_dataset(shared_data / "raw" / "gothic_prints_alto")
    place = {record.name.replace("/", "_"): i for i, record in enumerate(ours.records)}
    compared = 0
    for split in ("train", "val"):
        coco = read_coco(shared_data / "gothic_prints" / f"{split}.json")
        for i, record in enumerate(coco.records):
            if (at := place.get(record.name)) is None:
                continue
            mine, theirs = ours.instances(at), coco.instances(i)
            smaller = mine.warp(Geometry.resize(ours.records[at].size, record.size))
            assert sorted(classes_in(ours, at)) == sorted(classes_in(coco, i))
            overlaps = smaller.masks.iou(theirs.masks)
            best = overlaps.argmax(axis=0)
            assert len(set(best.tolist())) == len(theirs)
            assert overlaps.max(axis=0).min() > 0.9
            names = [classes_in(ours, at)[k] for k in best]
            assert names == classes_in(coco, i)
            compared += len(theirs)
    assert compared == 32 + 23 + 27


def test_zones_and_lines(tmp_path):
    ours = read(put(tmp_path))
    assert ours.classes.names == ("MainZone", "StampZone", "TextLine")
    assert classes_in(ours) == ["MainZone", "TextLine", "StampZone"]
    assert ours.areas(0).tolist() == [80, 21, 20]
    assert ours.instances(0).boxes[0].tolist() == [2, 3, 12, 11]


@pytest.mark.parametrize("version", [2, 3, 4])
def test_versions(tmp_path, version):
    assert len(read(put(tmp_path, alto(*BLOCKS, version=version))).instances(0)) == 3
    (tmp_path / "a.xml").write_text(re.sub(' xmlns="[^"]*"', "", alto(*BLOCKS)))
    assert len(read(tmp_path).instances(0)) == 3


def test_classes_of_what_has_no_tag(tmp_path):
    blocks = (
        block("", kind="Illustration"),
        block("", kind="ComposedBlock", id_='c" TYPE="table', content=block("")),
        block("LT9 NE1", kind="GraphicalElement"),
        block("BT1 BT1"),
    )
    ours = read(put(tmp_path, alto(*blocks)))
    assert classes_in(ours) == [
        "Illustration",
        "table",
        "TextBlock",
        "GraphicalElement",
        "MainZone",
    ]


def test_a_dummy_block_is_none(tmp_path):
    dummy = block("", LINE, place="", id_="eSc_dummyblock_")
    assert classes_in(read(put(tmp_path, alto(dummy)))) == ["TextLine"]


@pytest.mark.parametrize(
    "points", ["2,4 9,4 9,7 2,7", " 2 4\n9 4 9 7 2 7 ", "2.0, 4.0, 9,4 9,7 2,7"]
)
def test_spellings_of_points(tmp_path, points):
    assert read(put(tmp_path, alto(block(content=shape(points))))).areas(0).tolist() == [21]


@pytest.mark.parametrize(
    ("name", "lies"),
    [
        ("a.jpg", "a.jpg"),
        ("D:\\scans\\a.jpg", "a.jpg"),
        ("/mnt/scans/a.jpg", "a.jpg"),
        ("https://gallica.bnf.fr/iiif/a.jpg", "a.jpg"),
        ("master.tif", "x.png"),
        ("master.tif", "x.JPG"),
        ("", "x.jpg"),
    ],
)
def test_names_of_pictures(tmp_path, name, lies):
    put(tmp_path / "one", alto(*BLOCKS, name=name), "x", lies)
    (record,) = read(tmp_path).records
    assert record.name == f"one/{lies}"
    assert record.path == tmp_path / "one" / lies


def test_a_name_that_leads_out_of_the_folder(tmp_path):
    put(tmp_path / "one", alto(*BLOCKS, name=".."), "x", "x.jpg")
    with pytest.raises(DataError, match="its file's name leads out of the folder"):
        read(tmp_path)


def test_folders_and_pictures_elsewhere(tmp_path):
    put(tmp_path / "train" / "book 1")
    put(tmp_path / "val")
    splits = open_splits(tmp_path)
    assert [r.name for r in splits["train"].records] == ["book 1/a.jpg"]
    (tmp_path / "train" / "book 1" / "a.jpg").rename(tmp_path / "a.jpg")
    with pytest.raises(DataError, match=r"'book 1/a\.jpg': its file is missing"):
        read(tmp_path / "train")
    assert read(tmp_path / "train", images=tmp_path).records[0].name == "book 1/a.jpg"


@pytest.mark.parametrize("text", ["", "<annotation/>", "<PcGts/>", "<a:b xmlns:a='alto'/>"])
def test_what_is_not_alto(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    assert not is_alto(tmp_path / "a.xml")
    assert find_alto(tmp_path) is None


FAULTS = {
    "name the classes MainZone and StampZone": block("BT1 BT2", id_="x"),
    "its shape is no polygon": block(content='<Shape><Circle RADIUS="3"/></Shape>', id_="x"),
    "its points should be x,y": block(content=shape("1 2 a 4"), id_="x"),
    "at least 3 points": block(content=shape("1 2 3 4"), id_="x"),
    "and a list of 7 numbers came": block(content=shape("1 2 3 4 5 6 7"), id_="x"),
    "its <TextBlock> has no 'HPOS'": block(place="", id_="x"),
    "a number as 'WIDTH', and has 'wide'": block(place=PLACE.replace("10", "wide"), id_="x"),
    "no pixel in the picture": block(place=PLACE.replace('"2"', '"2000"'), id_="x"),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_block(tmp_path, match):
    put(tmp_path, alto(*BLOCKS, FAULTS[match]))
    with pytest.raises(DataError, match=rf"image 'a\.jpg', TextBlock 'x': .*{re.escape(match)}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert len(ours.instances(0)) == 3


FILES = {
    "file 'b.xml': expected whole XML": "<alto>",
    "file 'b.xml': expected ALTO .*, got the root 'html'": "<html/>",
    "file 'b.xml': it should describe 1 page, and describes 0": "<alto/>",
    "file 'b.xml': it measures in 'mm10', not in pixels": alto(*BLOCKS, unit="mm10"),
    "file 'b.xml': it measures in 'inch1200'": alto(*BLOCKS, unit="inch1200"),
    "file 'b.xml': an image's size": alto(*BLOCKS, page='WIDTH="0" HEIGHT="20"'),
    "file 'b.xml': its <Page> has no 'HEIGHT'": alto(*BLOCKS, page='WIDTH="30"'),
    "image 'b.jpg': the annotations say 30 x 40 pixels, its file has 30 x 20": alto(
        *BLOCKS, name="b.jpg", page='WIDTH="30" HEIGHT="40"'
    ),
    "image 'a.jpg': it is listed already": alto(*BLOCKS),
}


@pytest.mark.parametrize("match", FILES)
def test_a_broken_file(tmp_path, match):
    put(tmp_path, FILES[match], "b", "b.jpg")
    put(tmp_path)
    with pytest.raises(DataError, match=rf"1 broken record \({match}"):
        read(tmp_path)
    ours = read(tmp_path, on_error="skip")
    assert [len(ours.instances(i)) for i in range(len(ours))] == [3]


def test_a_page_without_a_size(tmp_path):
    assert read(put(tmp_path, alto(*BLOCKS, page=""))).records[0].size == SIZE


def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path):
    put(tmp_path, alto(*BLOCKS, name="b.jpg"), "b", "b.jpg")
    put(tmp_path)
    survived = 0
    for rng in generators(300):
        (tmp_path / "a.xml").write_bytes(mutated_xml(alto(*BLOCKS), rng))
        survived += survives(lambda: read(tmp_path, on_error="skip"))
        is_alto(tmp_path / "a.xml")
    assert survived == 300
