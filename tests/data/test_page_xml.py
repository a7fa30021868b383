"""PAGE XML, as Transkribus, eScriptorium and Aletheia write it, and every fault."""

import re

import numpy as np
import pytest
from PIL import Image

from delineate.data.formats import open_splits
from delineate.data.layouts import Source
from delineate.data.page_xml import find_page_xml, is_page_xml, read_page_xml
from delineate.errors import DataError
from mutations import generators, mutated_xml, survives

SIZE = (20, 30)
SPACE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/"


def region(kind="TextRegion", points="2,3 12,3 12,11 2,11", content="", more="", id_="r"):
    coords = "" if points is None else f'<Coords points="{points}"/>'
    return f'<{kind} id="{id_}" {more}>{coords}{content}</{kind}>'


LINE = (
    '<TextLine id="l1" custom="readingOrder {index:0;} structure {type:HeadingLine;}">'
    '<Coords points="2,4 9,4 9,7 2,7"/><Baseline points="2,6 9,6"/>'
    '<Word id="w"><Coords points="2,4 3,4 3,5"/></Word></TextLine>'
)
REGIONS = (
    region(content=LINE, more='custom="readingOrder {index:0;} structure {type:MainZone;}"'),
    region(more='type="heading"', points="15,2 19,2 19,7 15,7"),
    region("GraphicRegion", points="20,10 22,10 22,12 20,12"),
)


def page(*regions, name="a.jpg", size='imageWidth="30" imageHeight="20"', version="2019-07-15"):
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<PcGts xmlns="{SPACE}{version}"><Metadata><Creator>me</Creator></Metadata>
  <Page imageFilename="{name}" {size}>
    <ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="0" regionRef="r"/></OrderedGroup>
    </ReadingOrder>{"".join(regions)}</Page></PcGts>"""


def put(folder, text=None, name="a", picture="a.jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.xml").write_text(page(*REGIONS) if text is None else text)
    if picture:
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / picture)
    return folder


def read(path, **options):
    return read_page_xml(Source(path), **options)


def classes_in(dataset):
    return [dataset.classes.names[label] for label in dataset.instances(0).labels]


@pytest.mark.parametrize("version", ["2013-07-15", "2019-07-15"])
def test_regions_and_lines(tmp_path, version):
    ours = read(put(tmp_path, page(*REGIONS, version=version)))
    assert ours.classes.names == ("GraphicRegion", "MainZone", "TextLine", "heading")
    assert classes_in(ours) == ["MainZone", "TextLine", "heading", "GraphicRegion"]
    assert ours.areas(0).tolist() == [80, 21, 20, 4]


def test_regions_in_regions_and_points_of_2010(tmp_path):
    points = "".join(f'<Point x="{x}" y="{y}"/>' for x, y in ((1, 1), (4, 1), (4, 3), (1, 3)))
    old = region(points=None, content=f"<Coords>{points}</Coords>")
    table = region("TableRegion", content=old)
    ours = read(put(tmp_path, page(table, version="2010-03-19")))
    assert classes_in(ours) == ["TableRegion", "TextRegion"]
    assert ours.areas(0).tolist() == [80, 6]


def test_a_dummy_block_is_none(tmp_path):
    dummy = region(points=None, content=LINE, id_="eSc_dummyblock_")
    assert classes_in(read(put(tmp_path, page(dummy)))) == ["TextLine"]


def test_pictures_above_the_folder_page(tmp_path):
    put(tmp_path / "doc" / "page", picture=None)
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "doc" / "a.jpg")
    (record,) = read(tmp_path / "doc").records
    assert record.path.resolve() == tmp_path / "doc" / "a.jpg"
    assert find_page_xml(tmp_path / "doc") == {"train": Source(tmp_path / "doc")}


def test_splits(tmp_path):
    put(tmp_path / "train")
    put(tmp_path / "test")
    assert list(open_splits(tmp_path)) == ["train", "test"]


@pytest.mark.parametrize("text", ["", "<annotation/>", "<alto/>"])
def test_what_is_not_page(tmp_path, text):
    (tmp_path / "a.xml").write_text(text)
    assert not is_page_xml(tmp_path / "a.xml")
    assert find_page_xml(tmp_path) is None


FAULTS = {
    "it has no Coords": region(points=None, id_="x"),
    "it has no Coords: draw": region(points="", id_="x"),
    "its points should be x,y x,y": region(points="1,2 a,4", id_="x"),
    "and are '?,1'": region(points=None, content='<Coords><Point y="1"/></Coords>', id_="x"),
    "at least 3 points": region(points="1,2 3,4", id_="x"),
    "no pixel in the picture": region(points="-1,-2 -3,-4 -9,-1", id_="x"),
}


@pytest.mark.parametrize("match", FAULTS)
def test_a_broken_region(tmp_path, match):
    put(tmp_path, page(*REGIONS, FAULTS[match]))
    fault = re.escape(match.removesuffix(": draw"))
    with pytest.raises(DataError, match=rf"image 'a\.jpg', TextRegion 'x': .*{fault}"):
        read(tmp_path)
    assert len(read(tmp_path, on_error="skip").instances(0)) == 4


FILES = {
    "file 'b.xml': expected whole XML": "<PcGts>",
    "file 'b.xml': expected PAGE XML .*, got the root 'html'": "<html><Page/></html>",
    "file 'b.xml': expected PAGE XML .*, got the root 'PcGts'": "<PcGts/>",
    "file 'b.xml': its <Page> has no 'imageWidth'": page(*REGIONS, size='imageHeight="20"'),
    "image 'b.jpg': the annotations say 30 x 40": page(
        *REGIONS, name="b.jpg", size='imageWidth="30" imageHeight="40"'
    ),
}


@pytest.mark.parametrize("match", FILES)
def test_a_broken_file(tmp_path, match):
    put(tmp_path, FILES[match], "b", "b.jpg")
    put(tmp_path)
    with pytest.raises(DataError, match=rf"1 broken record \({match}"):
        read(tmp_path)
    assert len(read(tmp_path, on_error="skip")) == 1


def test_whatever_is_in_a_file_nothing_but_sentences_comes_out(tmp_path):
    put(tmp_path, page(*REGIONS, name="b.jpg"), "b", "b.jpg")
    put(tmp_path)
    survived = 0
    for rng in generators(300):
        (tmp_path / "a.xml").write_bytes(mutated_xml(page(*REGIONS), rng))
        survived += survives(lambda: read(tmp_path, on_error="skip"))
        is_page_xml(tmp_path / "a.xml")
    assert survived == 300
