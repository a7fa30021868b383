"""Pixels in and out of files: the one decoder of the project, and its one encoder.

Everything that reads a picture (training, evaluation, prediction, serving, labelling) reads it
here, so the rules below hold everywhere. An image is ``(h, w, 3)`` uint8 RGB.

- Orientation: the EXIF (or XMP) orientation is applied, as every viewer does. In a PNG it counts
  where it stands before the pixels.
- Grey and 1-bit pictures become three equal channels, palettes are looked up.
- Alpha is dropped, not composited: the colours below it are kept. That is what OpenCV and most
  annotation tools show, so it is what the outlines were drawn on.
- 16 bits per channel: the high byte is kept (0..65535 becomes 0..255). The range is never stretched
  by content, so 12-bit data in a 16-bit file stay dark until the user scales them.
- Floats go from 0 to 1. Floats outside and 32-bit integers are an error: their range is unknown.
- CMYK and YCbCr are converted; colour profiles are not applied.
- Of several frames or pages the first is read.

JPEG, PNG, WebP, TIFF and BMP are recognised by their first bytes, whatever the file's name. Each is
opened by Pillow's class for that format: ``Image.open`` would try other parsers on hostile files,
and compares with a process-wide pixel limit where here every call has its own. TIFFs that Pillow
cannot decode, as satellites send them, are decoded by OpenCV (`delineate.core.tiff`).
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from delineate._files import write_whole
from delineate.core.boxes import Size
from delineate.core.image_array import ImageArray as ImageArray
from delineate.core.image_array import from_array
from delineate.core.image_open import MAX_PIXELS as MAX_PIXELS
from delineate.core.image_open import (
    check_pixels,
    decoding,
    exif_orientation,
    open_header,
    stream,
    upright_size,
)
from delineate.core.jpeg_header import HEADER, plain_size
from delineate.core.tiff import tiff_tags
from delineate.errors import ImageError, OutputError

ImageSource = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image
"""What `read_image` takes: a path, an encoded file in memory or open, an array, a Pillow image."""

# A WebP states its length, which is compared when it is opened; TIFF and BMP have nothing alike.
_END_MARKERS = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82", "WEBP": b""}
_TAIL = 1024  # bytes at the end of a file in which the end marker is looked for

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_PNG_DEPTH = 24  # where the header states the bits of a channel
_BITS_PER_SAMPLE = 258  # tag of a TIFF

_ENCODERS: dict[str, tuple[str, dict[str, int]]] = {
    ".png": ("PNG", {"compress_level": 3}),
    ".jpg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 92, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 92}),
    ".tif": ("TIFF", {}),
    ".tiff": ("TIFF", {}),
    ".bmp": ("BMP", {}),
}

IMAGE_SUFFIXES = tuple(_ENCODERS)
"""Endings of the names of image files, in lower case."""


def read_image(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, at_least: int | None = None
) -> ImageArray:
    """Return the picture as ``(h, w, 3)`` uint8 RGB, upright, by the rules at the top of this file.

    Args:
        source: A path, the bytes of an encoded file, a binary file object (read to its end), a
            Pillow image, or an array: ``(h, w)`` or ``(h, w, 1 | 3 | 4)`` in RGB order; uint8,
            uint16, bool, or float from 0 to 1.
        max_pixels: Largest height x width accepted.
        at_least: For a quick look: a JPEG may come at a half, quarter or eighth of its size, while
            both its sides stay this long. It is decoded up to eight times as fast.

    Returns:
        A writable array; a uint8 RGB array given is returned itself, not copied.

    Raises:
        ImageError: The source is missing, empty, no image, truncated or damaged, too large, or
            holds values whose range is unknown.
    """
    if isinstance(source, np.ndarray):
        check_pixels(source.shape[:2], max_pixels, "the array")
        return from_array(source, "the array")
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "the Pillow image")
        with decoding(name):
            return _pixels(source, max_pixels, name)
    with stream(source) as (file, name), decoding(name):
        return _pixels(open_header(file, name), max_pixels, name, at_least)


@contextlib.contextmanager
def opened(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Give a picture as Pillow holds it, its header read, its pixels not yet.

    What goes wrong with it while it is open becomes an `ImageError`.

    Raises:
        ImageError: The file is missing, empty, no image or too large.
    """
    with stream(source) as (file, name), decoding(name):
        image = open_header(file, name)
        check_pixels(upright_size(image), max_pixels, name)
        yield image


def image_size(path: str | os.PathLike[str]) -> Size:
    """Return the size `read_image` would give, from the header alone.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with stream(path) as (file, name), decoding(name):
        return upright_size(open_header(file, name))


def stored_size(path: str | os.PathLike[str] | bytes) -> Size:
    """Return the size in which the pixels are stored, before any orientation, by the header alone.

    Args:
        path: A file, or what it holds.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with stream(path) as (file, name), decoding(name):
        width, height = open_header(file, name).size
        return height, width


def orientation(path: str | os.PathLike[str]) -> int:
    """Return the EXIF orientation, 1 (upright) to 8, by the header alone.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with stream(path) as (file, name), decoding(name):
        return exif_orientation(open_header(file, name))


def stored_bits(path: str | os.PathLike[str]) -> int:
    """Return how many bits a channel has in the file, by the header alone: from 1 to 64.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with stream(path) as (file, name), decoding(name):
        image = open_header(file, name)
        if image.format == "TIFF":
            return int(max(tiff_tags(file).get(_BITS_PER_SAMPLE, (1,))))
        if image.format == "PNG":
            file.seek(_PNG_DEPTH)
            return file.read(1)[0]
        return 1 if image.mode == "1" else 8


def check_file(path: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS) -> Size:
    """Return the size of a picture after making sure, cheaply, that the file is whole.

    Reads the header and, for JPEG and PNG, looks for the end marker in the last kilobyte. Only a
    file without the marker there (cut off, or with something appended) is decoded to find out, and
    TIFF and BMP, which have none. Damage in the middle of other files is not looked for.

    Args:
        path: A file, or what it holds.
        max_pixels: Largest height x width accepted.

    Raises:
        ImageError: The file is missing, empty, no image, truncated or too large.
    """
    with stream(path) as (file, name), decoding(name):
        size, format_name = plain_size(file.read(HEADER)), "JPEG"
        if size is None:
            file.seek(0)
            image = open_header(file, name)
            size, format_name = upright_size(image), image.format or ""
        check_pixels(size, max_pixels, name)
        marker = _END_MARKERS.get(format_name)
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        if marker is None or marker not in file.read(_TAIL):
            file.seek(0)
            open_header(file, name).load()
    return size


def write_image(
    path: str | os.PathLike[str], array: npt.NDArray[np.generic], *, software: str = ""
) -> None:
    """Write a picture in the format that the suffix of `path` names, whole or not at all.

    Args:
        path: Ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp. An existing file is replaced.
        array: ``(h, w, 3)`` or ``(h, w)`` uint8; ``(h, w)`` uint16 for PNG and TIFF.
        software: What the file says that it was made by, in Exif; BMP cannot say it.

    Raises:
        ImageError: The array is no such picture.
        OutputError: The suffix is unknown, or the place cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in _ENCODERS:
        raise OutputError(
            f"{target} should end in one of {', '.join(_ENCODERS)} to name an image format: "
            f"change the suffix {target.suffix!r}."
        )
    layout = (array.dtype.name, array.ndim, array.shape[2:])
    if layout not in (("uint8", 2, ()), ("uint8", 3, (3,)), ("uint16", 2, ())) or not array.size:
        raise ImageError(
            f"The array for {target} is {array.shape} {array.dtype} where (h, w) or (h, w, 3) "
            f"uint8, or (h, w) uint16 was expected: convert it first."
        )
    format_name, options = _ENCODERS[target.suffix.lower()]
    encoded = io.BytesIO()
    told: dict[str, Image.Exif] = {}
    if software:
        told["exif"] = Image.Exif()
        told["exif"][ExifTags.Base.Software] = software
    try:
        Image.fromarray(array).save(encoded, format_name, **options, **told)
    except (OSError, ValueError, TypeError) as error:
        raise ImageError(
            f"{target} cannot hold {array.shape} {array.dtype} as {format_name} ({error}): "
            f"choose another suffix."
        ) from error
    write_whole(target, encoded.getvalue())


def _pixels(
    image: Image.Image, max_pixels: int, name: str, at_least: int | None = None
) -> ImageArray:
    """Decode, turn upright and convert."""
    orientation = exif_orientation(image)
    check_pixels(upright_size(image), max_pixels, name)
    if at_least is not None:
        image.draft(None, (at_least, at_least))  # of JPEG only; other formats have no draft
    if orientation in _UPRIGHT:
        image = image.transpose(_UPRIGHT[orientation])
    image.load()
    if image.mode.startswith("I") or image.mode == "F":
        return from_array(np.asarray(image), name)
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
