"""What headers say of a picture: its orientation, and how many bits a channel has."""

import numpy as np
import pytest
from PIL import Image

from delineate.core.image import orientation, stored_bits
from delineate.errors import ImageError
from geotiff import write_tiff

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_orientation(tmp_path, turn, suffix):
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}", exif=exif)
    assert orientation(tmp_path / f"a.{suffix}") == turn


def test_without_exif_a_picture_is_upright(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert orientation(tmp_path / "a.png") == 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(
    ("picture", "bits"),
    [
        (Image.fromarray(GREY), 8),
        (Image.fromarray(GREY.astype(np.uint16) * 257), 16),
        (Image.fromarray(np.stack([GREY] * 3, axis=-1)), 8),
        (Image.fromarray(GREY > 20), 1),
    ],
)
def test_bits_of_a_channel(tmp_path, picture, bits, suffix):
    picture.save(tmp_path / f"a.{suffix}")
    assert stored_bits(tmp_path / f"a.{suffix}") == bits


def test_a_jpeg_has_8_bits(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.jpg")
    assert stored_bits(tmp_path / "a.jpg") == 8
    with pytest.raises(ImageError, match="does not exist"):
        stored_bits(tmp_path / "b.jpg")


@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 32), (np.float64, 64), (np.uint16, 16)])
def test_bits_of_what_opencv_decodes(tmp_path, dtype, bits):
    write_tiff(tmp_path / "a.tif", np.zeros((4, 5, 3), dtype), planes=dtype == np.uint16)
    assert stored_bits(tmp_path / "a.tif") == bits


def test_bits_of_a_big_tiff(tmp_path):
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / "a.tif", big_tiff=True)
    assert stored_bits(tmp_path / "a.tif") == 16
