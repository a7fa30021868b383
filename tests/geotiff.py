"""Write TIFFs as satellites send them: any depth, in planes or not, with tags of their place."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

SCALE, TIEPOINT, TRANSFORMATION = 33550, 33922, 34264
_KINDS = {"u": 1, "i": 2, "f": 3, "c": 6}


def write_tiff(
    path: Path,
    pixels: np.ndarray,
    *,
    planes: bool = False,
    doubles: Mapping[int, list[float]] | None = None,
    shorts: Mapping[int, list[int]] | None = None,
    orientation: int = 1,
) -> None:
    """Write an uncompressed TIFF in one strip, or in one for each channel.

    Args:
        path: Where.
        pixels: ``(h, w)`` or ``(h, w, channels)``.
        planes: Whether each channel has a plane of its own.
        doubles: Further tags, of 64-bit floats.
        shorts: Further tags, of 16-bit numbers.
        orientation: How it is turned.
    """
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    strips = [pixels[:, :, c].tobytes() for c in range(channels)] if planes else [pixels.tobytes()]
    tags = {
        256: [width],
        257: [height],
        258: [8 * pixels.itemsize] * channels,
        259: [1],
        262: [2 if channels >= 3 else 1],
        274: [orientation],
        277: [channels],
        278: [height],
        284: [2 if planes else 1],
        338: [0] * (channels - (3 if channels >= 3 else 1)),
        339: [_KINDS[pixels.dtype.kind]] * channels,
        **(shorts or {}),
    }
    entries = {tag: (3, struct.pack(f"<{len(v)}H", *v)) for tag, v in tags.items() if v}
    entries |= {tag: (12, struct.pack(f"<{len(v)}d", *v)) for tag, v in (doubles or {}).items()}
    sizes = [len(strip) for strip in strips]
    offsets = [8 + sum(sizes[:i]) for i in range(len(strips))]
    entries[273] = (4, struct.pack(f"<{len(offsets)}I", *offsets))
    entries[279] = (4, struct.pack(f"<{len(sizes)}I", *sizes))
    start = 8 + sum(sizes)
    end = start + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack("<H", len(entries)), b""
    for tag, (kind, data) in sorted(entries.items()):
        count = len(data) // {3: 2, 4: 4, 12: 8}[kind]
        if len(data) > 4:
            extra += bytes((end + len(extra)) % 2)
            place = struct.pack("<I", end + len(extra))
            extra += data
        else:
            place = data.ljust(4, b"\0")
        directory += struct.pack("<HHI", tag, kind, count) + place
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, start)
        + b"".join(strips)
        + directory
        + struct.pack("<I", 0)
        + extra
    )
