"""Label Studio's brush masks, against a bit by bit implementation of the same stream."""

import numpy as np
import pytest

from delineate.core import rle
from delineate.data.label_studio_rle import decode, encode
from delineate.errors import DataError

BITS = (3, 4, 8, 16)


def packed(values, bits=BITS, literal=1):
    """Write values as rle-pack does; runs shorter than `literal` stand one by one together."""
    out = f"{len(values):032b}{7:05b}" + "".join(f"{b - 1:04b}" for b in bits)
    i = 0
    while i < len(values):
        j = i
        while j < len(values) and values[j] == values[i]:
            j += 1
        if j - i > literal:
            length = min(j - i, 1 << max(bits))
            out += "1" + _length(length, bits) + f"{values[i]:08b}"
        else:
            length = min(len(values) - i, 1 << min(bits), 5)
            out += "0" + _length(length, bits)
            out += "".join(f"{v:08b}" for v in values[i : i + length])
        i += length
    out += "0" * (8 - len(out) % 8)
    return [int(out[k : k + 8], 2) for k in range(0, len(out), 8)]


def _length(length, bits):
    which = next(i for i, b in enumerate(bits) if length <= 1 << b)
    return f"{which:02b}{length - 1:0{bits[which]}b}"


def random_masks(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        size = tuple(rng.integers(1, 30, 2).tolist())
        yield rng.random(size) < rng.random()


def test_masks_are_written_as_the_converter_writes_them():
    for mask in [*random_masks(60), np.ones((300, 300), bool), np.zeros((150, 300), bool)]:
        runs, values = rle.from_bitmap(mask), np.repeat(mask.ravel() * 255, 4).tolist()
        assert encode(runs, mask.shape) == packed(values)
        np.testing.assert_array_equal(decode(packed(values), mask.shape), runs)


@pytest.mark.parametrize("bits", [BITS, (1, 2, 3, 4), (16, 16, 16, 16), (9, 5, 13, 3)])
@pytest.mark.parametrize("literal", [1, 3])
def test_any_rgba_picture_is_read(bits, literal):
    rng = np.random.default_rng(1)
    for mask in random_masks(30):
        rgba = rng.integers(0, 3, (*mask.shape, 4)) * mask[:, :, None]
        runs = decode(packed(rgba.ravel().tolist(), bits, literal), mask.shape)
        np.testing.assert_array_equal(rle.to_bitmap(runs, mask.shape), rgba[:, :, 3] > 0)


def test_a_large_mask_takes_no_time():
    mask = np.zeros((3000, 4000), bool)
    mask[500:1500, 300:2000] = True
    runs = rle.from_bitmap(mask)
    np.testing.assert_array_equal(decode(encode(runs, mask.shape), mask.shape), runs)


SOUND = packed([0] * 8 + [255] * 16)  # 2 x 3 pixels
BROKEN = {
    "nothing": (None, "a list of numbers from 0 to 255, and None came"),
    "text": ("abc", "and 'abc' came"),
    "too large": ([256], "from 0 to 255"),
    "negative": ([-1], "from 0 to 255"),
    "floats": ([1.0], "from 0 to 255"),
    "nested": ([[1]], "from 0 to 255"),
    "empty": ([], "it holds 0 of 1"),
    "header only": (SOUND[:7], "it breaks off or goes on after 0"),
    "cut off": (SOUND[:-2], "breaks off"),
    "other picture": (packed([0] * 28), "must hold the 24 values of a picture of 3 x 2 pixels"),
    "too long": ([*packed([0] * 28)[:3], 24, *packed([0] * 28)[4:]], "goes on after 0"),
    "words of 9 bits": ([*SOUND[:4], 0b01000_001, *SOUND[5:]], "it holds 24 of 9"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_streams(case):
    stream, match = BROKEN[case]
    with pytest.raises(DataError, match=match):
        decode(stream, (2, 3))


def test_random_bytes():
    rng = np.random.default_rng(0)
    for _ in range(300):
        tail = rng.integers(0, 256, rng.integers(0, 20)).tolist()
        try:
            runs = decode([*SOUND[:7], *tail], (2, 3))
        except DataError:
            continue
        assert runs.sum() == 6
