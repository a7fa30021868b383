"""The gallery: whole, safe, and what a browser makes of it."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from PIL import Image

from builders import tiny_coco
from delineate.core.image import image_size
from delineate.data.coco import read_coco
from delineate.errors import ImageError, OutputError
from delineate.quality import gallery
from delineate.quality.findings import Finding, Place
from delineate.quality.gallery import Chosen, write_gallery
from delineate.quality.gallery_entries import outline, relative_address
from drawn_sets import Drawn, rectangle

SIZE = (60, 120)
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&${data}"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


def chosen(dataset, split="train"):
    return [Chosen(split=split, dataset=dataset, indices=range(len(dataset)))]


def drawn(names=("cat", "dog"), files=None):
    """A small dog on a large cat; nothing; a dog and a crowd of cats."""
    return Drawn(
        [
            (SIZE, [rectangle(SIZE, 30, 30, 5, 5), rectangle(SIZE, 10, 2, 100, 56)], [1, 0]),
            (SIZE, [], []),
            ((120, 60), [rectangle((120, 60), 0, 0, 50, 50)] * 2, [1, 0]),
        ],
        names=names,
        crowd={2: [False, True]},
        files=files,
    )


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_what_the_page_knows(tmp_path):
    written = write_gallery(tmp_path / "g.html", chosen(drawn()), title="t")
    assert (written.images, written.folder, written.broken) == (3, None, 0)
    data = data_of(tmp_path / "g.html")
    assert (data["classes"], data["splits"], data["folder"]) == (["cat", "dog"], ["train"], "")
    first, empty, third = data["images"]
    assert (first["name"], first["width"], first["height"], first["path"]) == ("0.png", 120, 60, "")
    assert first["objects"] == [0 * 8 + 1 * 2, 1 * 8 + 0 * 2]  # the large cat (medium), the dog
    assert len(first["outlines"]) == 2
    assert (empty["objects"], empty["outlines"], empty["findings"]) == ([], [], [])
    assert third["objects"] == [1 * 8 + 1 * 2, 0 * 8 + 1 * 2 + 1]  # a dog, a crowd of cats
    thumb = Image.open(io.BytesIO(base64.b64decode(first["thumb"])))
    assert (thumb.format, thumb.size) == ("WEBP", (120, 60))  # not enlarged
    assert np.asarray(thumb).max() <= 2  # the shade of the first picture


def test_large_pictures_become_small(tmp_path):
    size = (500, 1000)
    write_gallery(tmp_path / "g.html", chosen(Drawn([(size, [], [])])), title="t")
    (image,) = data_of(tmp_path / "g.html")["images"]
    assert Image.open(io.BytesIO(base64.b64decode(image["thumb"]))).size == (256, 128)


def raster(path, size):
    """Paint an SVG path of absolute starts and relative lines by the even-odd rule."""
    canvas = np.zeros(size, np.uint8)
    for x, y, steps in re.findall(r"M(\d+) (\d+)l([^z]*)z", path):
        numbers = np.array(re.findall(r"-?\d+", steps), int).reshape(-1, 2)
        ring = np.concatenate([[[int(x), int(y)]], numbers]).cumsum(axis=0)
        part = np.zeros(size, np.uint8)
        cv2.fillPoly(part, [ring.astype(np.int32)], 1)
        canvas ^= part
    return canvas.astype(bool)


def test_outlines_are_those_of_the_masks():
    size = (100, 80)
    ys, xs = np.mgrid[:100, :80]
    ring = (np.hypot(xs - 40, ys - 50) < 30) & (np.hypot(xs - 40, ys - 50) > 12)
    two = rectangle(size, 5, 5, 10, 10) | rectangle(size, 50, 70, 20, 25)
    instances = Drawn([(size, [ring, two, np.zeros(size, bool)], [0, 0, 0])]).instances(0)
    for i, bitmap in enumerate((ring, two)):
        large = np.kron(bitmap, np.ones((10, 10), bool))
        found = raster(outline(instances, i), large.shape)
        assert (found & large).sum() / (found | large).sum() > 0.95
    assert outline(instances, 2) == ""
    boxes = instances.replace(masks=None)
    assert outline(boxes, 0).startswith("M110 210l")


def test_crowded_images_outline_the_largest(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "_OUTLINES_OF_ONE", (1, 2))
    bitmaps = [rectangle(SIZE, 10 * i, 5, 3 + i, 8) for i in range(5)]
    write_gallery(tmp_path / "g.html", chosen(Drawn([(SIZE, bitmaps, [0] * 5)])), title="t")
    (image,) = data_of(tmp_path / "g.html")["images"]
    assert len(image["objects"]) == 5
    assert [re.match(r"M\d+", path)[0] for path in image["outlines"]] == ["M333", "M250"]


def test_paths_lead_from_the_page_to_the_pictures(tmp_path):
    dataset = read_coco(tiny_coco(tmp_path / "my data", 1))
    (tmp_path / "pages").mkdir()
    write_gallery(tmp_path / "pages" / "g.html", chosen(dataset), title="t")
    (image,) = data_of(tmp_path / "pages" / "g.html")["images"]
    assert image["path"] == "../my%20data/images/train_00.png"


def test_no_name_of_a_file_is_another_kind_of_address(tmp_path):
    names = ["javascript:alert(1).png", "a#b?c.png", "%41.png", "ä.png"]
    found = [relative_address(tmp_path / name, tmp_path) for name in names]
    assert found == ["javascript%3Aalert%281%29.png", "a%23b%3Fc.png", "%2541.png", "%C3%A4.png"]


def finding(kind, severity, image_id, objects=(), box=None, split="train", others=()):
    place = Place(split=split, image_id=image_id, objects=objects, box=box)
    return Finding(
        kind=kind, severity=severity, place=place, why=EVIL, fix="mend it", others=others
    )


def test_findings_stand_with_their_images(tmp_path):
    findings = [
        finding("odd", "note", 1, objects=(0,), box=(12, 6, 24, 18)),
        finding("bad", "error", 1, others=(Place(split="train", image_id=3, objects=(1,)),)),
        finding("odd", "warning", 2),
        finding("odd", "note", 1, split="val"),
        finding("all", "error", None),
    ]
    write_gallery(tmp_path / "g.html", chosen(drawn()), title="t", findings=findings)
    data = data_of(tmp_path / "g.html")
    assert data["kinds"] == [["all", "error"], ["bad", "error"], ["odd", "warning"]]
    first, second, third = (image["findings"] for image in data["images"])
    assert [f["kind"] for f in first] == [2, 1]
    assert first[0]["objects"] == [1]  # the smaller object is the second one
    assert first[0]["box"] == [100, 50, 100, 100]
    assert first[0]["text"] == f"{EVIL}: mend it."
    assert [f["kind"] for f in second] == [2]
    assert third[0]["objects"] == [1]
    assert "box" not in third[0]


def test_objects_of_findings_are_told_by_their_place_among_the_largest(tmp_path):
    bitmaps = [rectangle(SIZE, 0, 0, side, side) for side in (20, 10, 30)]
    dataset = Drawn([(SIZE, bitmaps, [0, 0, 0])])
    findings = [finding("odd", "note", 1, objects=(0, 1, 2, 9))]
    write_gallery(tmp_path / "g.html", chosen(dataset), title="t", findings=findings)
    (image,) = data_of(tmp_path / "g.html")["images"]
    assert image["findings"][0]["objects"] == [1, 2, 0]


def test_specks_are_not_outlined():
    speck = rectangle((500, 1000), 5, 5, 1, 1) | rectangle((500, 1000), 50, 50, 9, 9)
    instances = Drawn([((500, 1000), [speck], [0])]).instances(0)
    assert outline(instances, 0).count("M") == 1


def test_a_picture_that_cannot_be_read_is_shown_as_such(tmp_path):
    class Broken(Drawn):
        def __getitem__(self, index):
            if index == 1:
                raise ImageError("1.png is truncated: fetch it again.")
            return super().__getitem__(index)

    dataset = Broken([(SIZE, [], [])] * 3)
    written = write_gallery(tmp_path / "g.html", chosen(dataset), title="t")
    assert written.broken == 1
    images = data_of(tmp_path / "g.html")["images"]
    assert [bool(image["thumb"]) for image in images] == [True, False, True]
    assert images[1]["broken"] == "1.png is truncated: fetch it again."


# -- a folder of small pictures ------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(gallery, "EMBEDDED", 2)


def test_many_images_have_a_folder(tmp_path, few):
    page = tmp_path / "my #1.html"
    written = write_gallery(page, chosen(drawn()), title="t")
    assert written.folder == tmp_path / "my #1_files"
    data = data_of(page)
    assert data["folder"] == "my%20%231_files"
    assert [image["thumb"] for image in data["images"]] == [f"00000{i}.webp" for i in range(3)]
    assert image_size(written.folder / "000002.webp") == (120, 60)
    (written.folder / "000099.webp").write_bytes(b"of an older, larger gallery")
    write_gallery(page, chosen(drawn()), title="t")
    assert sorted(file.name for file in written.folder.iterdir()) == [
        f"00000{i}.webp" for i in range(3)
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["my #1.html", "my #1_files"]


def test_a_folder_of_something_else_is_left_alone(tmp_path, few):
    (tmp_path / "g_files").mkdir()
    (tmp_path / "g_files" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="expected a new folder for small pictures"):
        write_gallery(tmp_path / "g.html", chosen(drawn()), title="t")
    assert [p.name for p in tmp_path.iterdir()] == ["g_files"]


def test_nothing_is_left_of_a_gallery_that_fails(tmp_path, few):
    class Fails(Drawn):
        def instances(self, index):
            if index == 2:
                raise KeyboardInterrupt
            return super().instances(index)

    with pytest.raises(KeyboardInterrupt):
        write_gallery(tmp_path / "g.html", chosen(Fails([(SIZE, [], [])] * 3)), title="t")
    assert list(tmp_path.iterdir()) == []


# -- safety ------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects tags and attributes, and the texts of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, text):
        if self.tags and self.tags[-1] == "script" and text.strip():
            self.scripts.append(text)


def test_names_from_strangers_stay_text(tmp_path):
    dataset = drawn((EVIL, "dog"), files=[EVIL, "b", "c"])
    findings = [finding("k", "note", 1)]
    write_gallery(tmp_path / "g.html", chosen(dataset), title=EVIL, findings=findings)
    text = (tmp_path / "g.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.tags.count("script") == 2
    assert len(page.scripts) == 2
    assert not {"img", "iframe", "link", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not [value for name, value in page.attributes if name in ("src", "href")]
    data = json.loads(page.scripts[0])
    assert data["classes"][0] == data["images"][0]["name"] == EVIL
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    (policy,) = [value for _, value in page.attributes if "default-src" in (value or "")]
    assert policy.startswith("default-src 'none'; img-src data: 'self' file:; ")
    assert "script-src 'sha256-" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]


def test_the_script_never_makes_html_of_text():
    from importlib.resources import files

    script = files("delineate.quality").joinpath("gallery.js").read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|fetch\(", script
    )


# -- in a browser --------------------------------------------------------------------------------


def seen(page, state, tmp_path):
    """Return the document as a browser leaves it."""
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync --dump-dom "
        f"--window-size=1200,900 --user-data-dir={tmp_path / 'profile'}"
    )
    run = subprocess.run(
        [CHROMIUM, *flags.split(), f"{page.as_uri()}#{state}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return run.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the path")
def test_a_browser_shows_filters_and_opens(tmp_path):
    dataset = drawn((EVIL, "dog"), files=[EVIL, "b", "c"])
    page = tmp_path / "g.html"
    write_gallery(page, chosen(dataset), title="t", findings=[finding("k", "note", 3)])
    found = seen(page, "", tmp_path)
    assert ">3 images, 3 objects<" in found
    assert found.count('class="cell"') == 3
    assert "<img" not in found
    assert found.count("<script") == 2
    found = seen(page, "class=1&size=0&open=1&names=1", tmp_path)
    assert ">1 image, 1 object<" in found
    assert found.count('class="cell"') == 1
    assert 'id="place" class="quiet">1 of 1<' in found
    assert re.search(r'class="object aside" d="M\d', found)  # the cat beside the small dog
    assert re.search(r"<text [^>]*>dog</text>", found)
    assert "sha256-" in found


def test_findings_of_another_split_say_nothing_of_the_image_with_its_id(tmp_path):
    here = Place(split="train", image_id=1)
    copies = finding("copy", "error", 1, (0,), (12, 6, 24, 18), split="val", others=(here,))
    write_gallery(tmp_path / "g.html", chosen(drawn()), title="t", findings=[copies])
    (told,) = data_of(tmp_path / "g.html")["images"][0]["findings"]
    assert told["objects"] == []
    assert "box" not in told


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are UTF-8 there, or UTF-16")
def test_names_that_are_not_utf8(tmp_path, few):
    name = os.fsdecode(b"caf\xe9.png")
    assert relative_address(tmp_path / name, tmp_path) == "caf%E9.png"
    page = tmp_path / os.fsdecode(b"caf\xe9.html")
    write_gallery(page, chosen(drawn(files=[name, "b.png", "c.png"])), title=name)
    assert b"caf?" in page.read_bytes()
    assert data_of(page)["images"][0]["name"] == name
    assert data_of(page)["folder"] == "caf%E9_files"
