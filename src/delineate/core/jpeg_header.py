"""The size of the most usual JPEGs, by their header, in a fifth of the time that Pillow takes.

A data set of a hundred thousand pictures is opened with a look at each. What is read here is what
nearly every program writes, and it is read only to the point where Pillow surely agrees: whatever
else a file has (EXIF, tables of 16 bits, a fault) is Pillow's to judge.

The format: ITU-T T.81 (1992), annex B.
"""

import struct

from delineate.core.boxes import Size

HEADER = 8192
"""Bytes from the start of a file that are looked at; most have 600 to 700, 4000 with a profile."""

_START = b"\xff\xd8"
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_FRAME = struct.Struct(">BHHB")  # bits, height, width, layers
_TABLES, _SCAN = 0xDB, 0xDA
# Huffman tables, restart interval, comment, JFIF, profile of colours, Adobe; their least length.
_SKIPPED = {0xC4: 2, 0xDD: 2, 0xFE: 2, 0xE0: 16, 0xE2: 16, 0xEE: 14}
_TABLE = 65  # bytes of a table of 8 bits


def plain_size(header: bytes) -> Size | None:
    """Return the (height, width) of a JPEG that has nothing unusual before its first scan.

    Args:
        header: Its first bytes.

    Returns:
        None where it has, or is no JPEG, or the scan begins beyond these bytes.
    """
    if not header.startswith(_START):
        return None
    size, at = None, len(_START)
    while at + 4 <= len(header) and header[at] == 0xFF:
        marker, length = header[at + 1], header[at + 2] << 8 | header[at + 3]
        content, at = at + 4, at + 2 + length
        if at > len(header):
            return None
        if marker == _SCAN:
            return size
        if marker == _TABLES:
            if (length - 2) % _TABLE or max(header[content:at:_TABLE], default=0) > 15:
                return None
        elif marker in _FRAMES:
            if length < 2 + _FRAME.size:
                return None
            bits, height, width, layers = _FRAME.unpack_from(header, content)
            if bits != 8 or layers not in (1, 3) or length != 8 + 3 * layers:
                return None
            if not height or not width:
                return None
            size = height, width
        elif marker not in _SKIPPED or length < _SKIPPED[marker]:
            return None
    return None
