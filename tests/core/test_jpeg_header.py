"""A size is told by the fast way only where Pillow tells the same."""

import io

import numpy as np
import pytest
from PIL import Image

from delineate.core.image import check_file, image_size
from delineate.core.image_open import exif_orientation
from delineate.core.jpeg_header import HEADER, plain_size
from delineate.errors import ImageError

PICTURE = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8), "RGB"
)


def jpeg(picture=PICTURE, **options):
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


PLAIN = {
    "usual": jpeg(),
    "grey": jpeg(PICTURE.convert("L")),
    "progressive": jpeg(progressive=True),
    "optimised": jpeg(optimize=True),
    "halved colours": jpeg(subsampling="4:2:0"),
    "restarts": jpeg(restart_marker_rows=1),
    "a comment": jpeg(comment=b"made by hand"),
    "a density": jpeg(dpi=(300, 300)),
    "a profile": jpeg(icc_profile=bytes(range(250)) * 12),
}
UNUSUAL = {
    "turned": jpeg(exif=turned(6)),
    "a long profile": jpeg(icc_profile=b"0" * HEADER),
    "a profile without a number": jpeg(icc_profile=b"").replace(
        b"\xff\xdb", b"\xff\xe2\x00\x0eICC_PROFILE\0\xff\xdb", 1
    ),
    "four colours": jpeg(PICTURE.convert("CMYK")),
    "a long comment": jpeg(comment=b"-" * HEADER),
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_most_programs_write(name):
    assert plain_size(PLAIN[name][:HEADER]) == (37, 53)


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_is_left_to_pillow(name):
    assert plain_size(UNUSUAL[name][:HEADER]) is None


def test_a_turned_picture_has_its_upright_size():
    assert check_file(UNUSUAL["turned"]) == (53, 37)
    assert check_file(UNUSUAL["four colours"]) == (37, 53)


@pytest.mark.parametrize("name", PLAIN)
def test_a_header_that_is_cut_off_has_no_size(name):
    end = PLAIN[name].index(b"\xff\xda")
    assert all(plain_size(PLAIN[name][:n]) is None for n in range(end + 4))


@pytest.mark.parametrize("length", [16, 20])
def test_a_frame_of_another_length_than_its_layers_take_is_left_to_pillow(length):
    whole = PLAIN["usual"]
    start = whole.index(b"\xff\xc0\x00\x11") + 4
    frame = (whole[start : start + 15] + bytes(3))[: length - 2]
    broken = whole[: start - 1] + bytes([length]) + frame + whole[start + 15 :]
    assert plain_size(broken[:HEADER]) is None


@pytest.mark.parametrize("name", PLAIN)
def test_whatever_a_damaged_header_says_pillow_says_too(name):
    rng = np.random.default_rng(7)
    whole = PLAIN[name]
    end = whole.index(b"\xff\xda") + 16
    sure = 0
    for _ in range(1500):
        broken = bytearray(whole)
        for at in rng.integers(0, end, rng.integers(1, 4)):
            broken[at] = rng.choice([0, 1, 4, 8, 255, *rng.integers(0, 256, 3)])
        size = plain_size(bytes(broken[:HEADER]))
        if size is None or size[0] * size[1] > 10**7:
            continue
        sure += 1
        with Image.open(io.BytesIO(broken)) as image:
            assert image.size == size[::-1]
            assert exif_orientation(image) == 1
    assert sure > 200


@pytest.mark.parametrize("name", PLAIN)
def test_a_file_that_ends_too_early_is_told(name, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(PLAIN[name][:-40])
    with pytest.raises(ImageError, match="truncated or damaged"):
        check_file(path)
    with pytest.raises(ImageError, match="more than the limit"):
        check_file(PLAIN[name], max_pixels=37 * 53 - 1)


def test_real_pictures(shared_data):
    paths = sorted(shared_data.glob("*/images/*.jp*g"))
    found = {path: plain_size(path.read_bytes()[:HEADER]) for path in paths}
    sure = {path: size for path, size in found.items() if size}
    assert len(sure) > 200
    assert all(image_size(path) == size for path, size in sure.items())
