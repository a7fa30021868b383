"""The masks of Label Studio's brush: run lengths of an RGBA picture, packed bit by bit.

The stream, of thi.ng/rle-pack, is big-endian: 32 bits with the number of values (4 for each pixel,
row by row), 5 with the bits of a value less 1, four times 4 with the bits of a length less 1. Then,
until all values are there: 1 bit, whether one value is repeated; 2, which of the four a length has;
the length less 1; and the value, or as many values as the length says. A pixel belongs to the mask
if its alpha, the last of its values, is above 0, as for Label Studio's own converter
(label_studio_converter/brush.py).
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.foreign import is_list, short
from delineate.core.rle import Runs
from delineate.errors import DataError

_CHANNELS = 4
_WORD = 8  # bits of a value
_BITS = (3, 4, 8, 16)  # of a length, as Label Studio writes them
_HEADER = 32 + 5 + 4 * 4
_OPAQUE = 255


def decode(packed: Any, size: Size) -> Runs:  # noqa: ANN401 - a stranger's JSON
    """Read a mask.

    Args:
        packed: The bytes of the stream, as a list of numbers.
        size: ``(h, w)`` of the picture that it must fill.

    Raises:
        DataError: They are no bytes, break off, or do not fill the picture.
    """
    data = _bytes(packed)
    values = size[0] * size[1] * _CHANNELS
    header = int.from_bytes(data[:7].ljust(7, b"\0")) >> 3
    if header >> 21 != values or (header >> 16 & 31) + 1 != _WORD:
        raise DataError(
            f"a brush's 'rle' must hold the {values} values of a picture of {size[1]} x {size[0]} "
            f"pixels, 8 bits each, and it holds {header >> 21} of {(header >> 16 & 31) + 1}: it "
            "belongs to another picture."
        )
    bits = tuple((header >> shift & 15) + 1 for shift in (12, 8, 4, 0))
    turns = [turn for turns in _foreground(data, bits, values) for turn in turns]
    by_rows = rle.from_turns(np.array(turns, dtype=np.int64), size[::-1])
    return _transposed(by_rows, size[::-1])


def encode(runs: Runs, size: Size) -> list[int]:
    """Write a mask as Label Studio's converter does, white and opaque on black and transparent.

    Args:
        runs: The mask.
        size: ``(h, w)`` of its picture.
    """
    text = [f"{size[0] * size[1] * _CHANNELS:032b}", f"{_WORD - 1:05b}"]
    text += [f"{bits - 1:04b}" for bits in _BITS]
    for number, pixels in enumerate(_transposed(runs, size).tolist()):
        left = pixels * _CHANNELS
        while left:
            length = min(left, 1 << _BITS[-1])
            which = next(i for i, bits in enumerate(_BITS) if length <= 1 << bits)
            value = _OPAQUE * (number % 2)
            text.append(f"1{which:02b}{length - 1:0{_BITS[which]}b}{value:0{_WORD}b}")
            left -= length
    stream = "".join(text)
    stream += "0" * (8 - len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8))


def _bytes(packed: Any) -> bytes:  # noqa: ANN401 - a stranger's JSON
    if is_list(packed):
        with contextlib.suppress(TypeError, ValueError):
            return bytes(packed)
    raise DataError(
        f"a brush's 'rle' must be a list of numbers from 0 to 255, and {short(packed)} came: "
        "export it again."
    )


def _foreground(data: bytes, bits: tuple[int, ...], values: int) -> Iterator[list[int]]:
    """Yield where the mask begins and ends, in pixels by rows."""
    padded = data + bytes(8)
    at, done = _HEADER, 0
    while done < values:
        first = at >> 3
        chunk, left = int.from_bytes(padded[first : first + 5]), 40 - (at & 7)
        head = chunk >> (left - 3) & 7
        width = bits[head & 3]
        length = (chunk >> (left - 3 - width) & (1 << width) - 1) + 1
        at += 3 + width + _WORD * (1 if head & 4 else length)
        if at > len(data) * 8 or done + length > values:
            raise DataError(
                f"a brush's 'rle' must hold {values} values, and it breaks off or goes on after "
                f"{done}: export it again."
            )
        if not head & 4:
            yield _literal(padded, at - _WORD * length, length, done)
        elif chunk >> (left - 3 - width - _WORD) & 255:
            # Value 4 p + 3 is the alpha of pixel p.
            yield [done // _CHANNELS, (done + length) // _CHANNELS]
        done += length


def _literal(padded: bytes, at: int, length: int, done: int) -> list[int]:
    """Return the turns of values that stand one by one from bit `at` on."""
    first = at >> 3
    number = int.from_bytes(padded[first : first + length + 1]) >> (8 - (at & 7))
    values = (number & (1 << 8 * length) - 1).to_bytes(length)
    skipped = (_CHANNELS - 1 - done) % _CHANNELS
    pixel = (done + skipped) // _CHANNELS
    alphas = enumerate(values[skipped::_CHANNELS], start=pixel)
    return [turn for p, alpha in alphas if alpha for turn in (p, p + 1)]


def _transposed(runs: Runs, size: Size) -> Runs:
    """Return a mask in the other order of pixels: that of the picture mirrored at its diagonal."""
    crop, (x0, y0) = rle.to_crop(runs, size)
    return rle.from_crop(crop.T, (y0, x0), size[::-1])
