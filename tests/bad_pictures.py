"""Files that look like pictures, and are none that can be used."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from delineate import write_image


def huge_png(path: Path) -> None:
    """Write a valid header of 30000 x 30000 pixels, and no pixels."""
    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        crc = zlib.crc32(kind + body)
        data += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    path.write_bytes(data)


def truncated(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    path.write_bytes(path.read_bytes()[:3000])


def damaged_inside(path: Path) -> None:
    """Write a picture whose header and end are sound, and whose pixels are not."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    write_image(path, noise)
    data = bytearray(path.read_bytes())
    data[4000:4100] = bytes(100)
    path.write_bytes(data)


PICTURES: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (truncated, "truncated"),
    "zero bytes": (lambda p: p.write_bytes(b""), "empty"),
    "a text file": (lambda p: p.write_text("not a picture\n" * 9), "image"),
    "30000 x 30000 by its header": (huge_png, "30000"),
}
