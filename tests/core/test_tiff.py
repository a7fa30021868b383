"""TIFFs that Pillow does not decode, against the arrays that were written."""

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from delineate.core.image import check_file, image_size, read_image
from delineate.core.tiff import tiff_tags
from delineate.errors import ImageError
from geotiff import SCALE, TIEPOINT, write_tiff

RNG = np.random.default_rng(0)
UINT16 = RNG.integers(0, 2**16, (9, 7, 4), dtype=np.uint16)


def of_pillow(path):
    with open(path, "rb") as stream:
        image = TiffImagePlugin.TiffImageFile(stream)
        image.load()
        return image


@pytest.mark.parametrize(("channels", "planes"), [(1, False), (1, True), (3, False), (4, False)])
def test_16_bits_become_their_high_byte(tmp_path, channels, planes):
    pixels = UINT16[:, :, :channels]
    write_tiff(tmp_path / "a.tif", pixels, planes=planes)
    expected = (pixels[:, :, :3] >> 8).astype(np.uint8)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.tif"), np.broadcast_to(expected, (9, 7, 3))
    )
    assert check_file(tmp_path / "a.tif") == image_size(tmp_path / "a.tif") == (9, 7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_go_from_0_to_1(tmp_path, dtype, channels):
    pixels = RNG.random((9, 7, channels)).astype(dtype)
    write_tiff(tmp_path / "a.tif", pixels)
    expected = np.broadcast_to((pixels * 255 + 0.5).astype(np.uint8), (9, 7, 3))
    assert np.abs(read_image(tmp_path / "a.tif").astype(int) - expected).max() <= 1


def test_this_is_needed(tmp_path):
    write_tiff(tmp_path / "a.tif", UINT16[:, :, :1], planes=True)
    with pytest.raises(ValueError, match="unknown raw mode"):
        of_pillow(tmp_path / "a.tif")
    write_tiff(tmp_path / "b.tif", RNG.random((9, 7, 3)).astype(np.float32))
    with pytest.raises(SyntaxError):
        of_pillow(tmp_path / "b.tif")


def test_what_pillow_decodes_it_still_does(tmp_path):
    pixels = RNG.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    write_tiff(tmp_path / "a.tif", pixels, planes=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), pixels)
    write_tiff(tmp_path / "b.tif", pixels, orientation=6)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), np.rot90(pixels, -1))
    assert image_size(tmp_path / "b.tif") == (7, 9)


@pytest.mark.parametrize(
    ("pixels", "planes", "match"),
    [
        (RNG.random((9, 7, 3)).astype(np.float32) * 9, False, "has float32 values from"),
        (UINT16.astype(np.int16), False, "has int16 values from"),
        (UINT16, True, "has 4 channels of 16 bits in planes where 1, 3 or 4 were expected"),
        (np.dstack([UINT16, UINT16]), False, "has 8 channels of 16 bits where 1"),
        (np.dstack([UINT16, UINT16]), True, "has 8 channels of 16 bits in planes where 1"),
        (UINT16[:, :, :2], False, "has 2 channels of 16 bits where 1"),
        (UINT16.astype(np.complex64), False, "truncated or damaged"),
    ],
)
def test_what_nobody_understands(tmp_path, pixels, planes, match):
    write_tiff(tmp_path / "a.tif", pixels, planes=planes)
    for read in (read_image, check_file):
        with pytest.raises(ImageError, match=match) as error:
            read(tmp_path / "a.tif")
        assert str(tmp_path / "a.tif") in str(error.value)


def test_cut_off_and_too_large(tmp_path):
    path = tmp_path / "a.tif"
    write_tiff(path, UINT16[:, :, :1], planes=True)
    with pytest.raises(ImageError, match="more than the limit of 50"):
        read_image(path, max_pixels=50)
    data = path.read_bytes()
    for end in (4, 8, 100, 150):
        path.write_bytes(data[:end])
        with pytest.raises(ImageError):
            read_image(path)


def test_nothing_is_said_on_the_side(tmp_path, capfd):
    place = {SCALE: [1.0, 1.0, 0.0]}
    write_tiff(tmp_path / "a.tif", UINT16[:, :, :1], planes=True, doubles=place)
    read_image(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")


def test_tags(tmp_path):
    place = {SCALE: [0.5, 0.5, 0.0], TIEPOINT: [0.0, 0.0, 0.0, 7e5, 3e6, 0.0]}
    write_tiff(tmp_path / "a.tif", UINT16, doubles=place)
    tags = tiff_tags(tmp_path / "a.tif")
    assert (tags[256], tags[257]) == (7, 9)
    assert tags[TIEPOINT] == (0.0, 0.0, 0.0, 7e5, 3e6, 0.0)
    Image.fromarray(UINT16[:, :, 0]).save(tmp_path / "a.png")
    assert tiff_tags(tmp_path / "a.png") == tiff_tags(tmp_path / "none") == {}


def test_spacenets_sample(shared_data):
    path = shared_data / "raw" / "spacenet_geojson" / "sample_geotiff.tif"
    image = read_image(path)
    assert image.shape == (900, 900, 3)
    strips = tiff_tags(path)[273]
    values = np.fromfile(path, "<u2", offset=strips[0], count=900 * 900).reshape(900, 900)
    np.testing.assert_array_equal(image[:, :, 0], values >> 8)


def test_tags_of_a_big_tiff(tmp_path):
    Image.fromarray(UINT16[:, :, 0]).save(
        tmp_path / "a.tif", big_tiff=True, tiffinfo={SCALE: (0.5, 0.5, 0.0)}
    )
    tags = tiff_tags(tmp_path / "a.tif")
    assert (tags[256], tags[257]) == (7, 9)
    assert tags[SCALE] == (0.5, 0.5, 0.0)
