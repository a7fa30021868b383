"""Stored values, against the arrays that were stored."""

import numpy as np
import pytest
from PIL import Image

from bad_pictures import PICTURES
from delineate.core.value_image import read_values
from delineate.errors import ImageError


@pytest.mark.parametrize(
    "values",
    [
        np.arange(12, dtype=np.uint8).reshape(3, 4),
        (np.arange(12) * 5000).astype(np.uint16).reshape(3, 4),
        np.arange(12).reshape(3, 4) % 3 == 0,
        np.arange(48, dtype=np.uint8).reshape(3, 4, 4),
    ],
)
def test_values_come_as_they_are_stored(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), values)
    np.testing.assert_array_equal(read_values((tmp_path / "a.png").read_bytes()), values)


def test_a_palette_is_not_looked_up(tmp_path):
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(tmp_path / "a.png")
    assert read_values(tmp_path / "a.png")[1, 2] == 6


@pytest.mark.parametrize("name", PICTURES)
def test_broken_pictures(tmp_path, name):
    make, why = PICTURES[name]
    make(tmp_path / "a.png")
    with pytest.raises(ImageError, match=why):
        read_values(tmp_path / "a.png")
