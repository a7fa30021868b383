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
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
from PIL import (
    BmpImagePlugin,
    ExifTags,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from delineate._files import write_whole
from delineate.core.boxes import Size
from delineate.core.image_array import ImageArray as ImageArray
from delineate.core.image_array import from_array
from delineate.core.tiff import open_tiff
from delineate.errors import ImageError, OutputError

ImageSource = str | os.PathLike[str] | bytes | IO[bytes] | np.ndarray | Image.Image
"""What `read_image` takes: a path, an encoded file in memory or open, an array, a Pillow image."""

MAX_PIXELS = 200_000_000
"""Default limit on height x width; a larger picture is refused before it is decoded."""

_OPENERS: dict[bytes, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"RIFF": WebPImagePlugin.WebPImageFile,
    b"II*\0": open_tiff,
    b"MM\0*": open_tiff,
    b"II+\0": open_tiff,
    b"MM\0+": open_tiff,
    b"BM": BmpImagePlugin.BmpImageFile,
}

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
_ON_ITS_SIDE = (5, 6, 7, 8)

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

_REMARKS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # a filter of `warnings`


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
        _check_pixels(source.shape[:2], max_pixels, "the array")
        return from_array(source, "the array")
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "the Pillow image")
        with _decoding(name):
            return _pixels(source, max_pixels, name)
    with _stream(source) as (stream, name), _decoding(name):
        return _pixels(_open(stream, name), max_pixels, name, at_least)


@contextlib.contextmanager
def opened(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """Give a picture as Pillow holds it, its header read, its pixels not yet.

    What goes wrong with it while it is open becomes an `ImageError`.

    Raises:
        ImageError: The file is missing, empty, no image or too large.
    """
    with _stream(source) as (stream, name), _decoding(name):
        image = _open(stream, name)
        _check_pixels(_upright_size(image), max_pixels, name)
        yield image


def image_size(path: str | os.PathLike[str]) -> Size:
    """Return the size `read_image` would give, from the header alone.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with _stream(path) as (stream, name), _decoding(name):
        return _upright_size(_open(stream, name))


def stored_size(path: str | os.PathLike[str] | bytes) -> Size:
    """Return the size in which the pixels are stored, before any orientation, by the header alone.

    Args:
        path: A file, or what it holds.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with _stream(path) as (stream, name), _decoding(name):
        width, height = _open(stream, name).size
        return height, width


def orientation(path: str | os.PathLike[str]) -> int:
    """Return the EXIF orientation, 1 (upright) to 8, by the header alone.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with _stream(path) as (stream, name), _decoding(name):
        return _orientation(_open(stream, name))


def stored_bits(path: str | os.PathLike[str]) -> int:
    """Return how many bits a channel has in the file, by the header alone: 1, 8, 16 or 32.

    Raises:
        ImageError: The file is missing, empty or no image.
    """
    with _stream(path) as (stream, name), _decoding(name):
        image = _open(stream, name)
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return int(max(image.tag_v2.get(_BITS_PER_SAMPLE, (1,))))
        if image.format == "PNG":
            stream.seek(_PNG_DEPTH)
            return stream.read(1)[0]
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
    with _stream(path) as (stream, name), _decoding(name):
        image = _open(stream, name)
        size = _upright_size(image)
        _check_pixels(size, max_pixels, name)
        marker = _END_MARKERS.get(image.format or "")
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
        if marker is None or marker not in stream.read():
            stream.seek(0)
            _open(stream, name).load()
    return size


def write_image(path: str | os.PathLike[str], array: npt.NDArray[np.generic]) -> None:
    """Write a picture in the format that the suffix of `path` names, whole or not at all.

    Args:
        path: Ends in .png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp. An existing file is replaced.
        array: ``(h, w, 3)`` or ``(h, w)`` uint8; ``(h, w)`` uint16 for PNG and TIFF.

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
    try:
        Image.fromarray(array).save(encoded, format_name, **options)
    except (OSError, ValueError, TypeError) as error:
        raise ImageError(
            f"{target} cannot hold {array.shape} {array.dtype} as {format_name} ({error}): "
            f"choose another suffix."
        ) from error
    write_whole(target, encoded.getvalue())


@contextlib.contextmanager
def _stream(source: str | os.PathLike[str] | bytes | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
    """Yield a seekable stream of the encoded file, and a name for it in messages."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), "the encoded image"
    elif isinstance(source, str | os.PathLike):
        name = os.fspath(source)
        with _file(name) as stream:
            yield stream, name
    elif hasattr(source, "read"):
        yield io.BytesIO(source.read()), str(getattr(source, "name", "the open file"))
    else:
        raise ImageError(
            "expected a picture (a path, bytes, an open file, an array or a Pillow image), got "
            f"{type(source).__name__}: pass one of these."
        )


def _file(name: str) -> IO[bytes]:
    try:
        return open(name, "rb")
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            problem = "does not exist: check the path."
        elif os.path.isdir(name):
            problem = "is a folder where an image file was expected: name a file in it."
        elif isinstance(error, PermissionError):
            problem = "may not be read by this user: change its permissions."
        else:
            why = (isinstance(error, OSError) and error.strerror) or error
            problem = f"cannot be opened ({why}): check the path."
        raise ImageError(f"{name} {problem}") from error


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on broken bytes into one sentence."""
    try:
        with _without_remarks():
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to decode: {error}") from error
    except Exception as error:  # OSError, SyntaxError, struct.error, zlib.error, EOFError, ...
        raise ImageError(
            f"{name} is truncated or damaged ({error}): fetch it again or leave it out."
        ) from error


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep Pillow's warnings about odd files from the user; what matters is raised.

    Not by `warnings.catch_warnings`: it swaps the filters of all threads (before Python 3.14), and
    threads that end in another order than they began leave wrong ones behind. This puts one filter
    in front and takes one away, and as all are equal, it does not matter whose. Meanwhile other
    threads miss Pillow's warnings too, and no others.
    """
    filters = cast("list[Any]", warnings.filters)
    filters.insert(0, _REMARKS)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # somebody has emptied the list
            filters.remove(_REMARKS)


def _open(stream: IO[bytes], name: str) -> ImageFile.ImageFile:
    """Recognise the format and read the header."""
    start = stream.read(8)
    if not start:
        raise ImageError(f"{name} is empty (0 bytes): fetch it again or leave it out.")
    stream.seek(0)
    for signature, opener in _OPENERS.items():
        if start.startswith(signature):
            image = opener(stream)
            image.filename = name
            return image
    raise ImageError(
        f"{name} is no JPEG, PNG, WebP, TIFF or BMP image (it starts with {start!r}): "
        f"convert it or leave it out."
    )


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) to 8."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1  # Pillow turns TIFF itself
    try:
        # Not image.getexif(): that of a PNG decodes the whole picture to look behind the pixels.
        exif = Image.Image.getexif(image)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block does not make the picture unusable
        return 1


def _upright_size(image: Image.Image) -> Size:
    width, height = image.size
    return (width, height) if _orientation(image) in _ON_ITS_SIDE else (height, width)


def _check_pixels(size: tuple[int, ...], max_pixels: int, name: str) -> None:
    if math.prod(size) > max_pixels:
        raise ImageError(
            f"{name} has {size[0]} x {size[1]} pixels, more than the limit of {max_pixels:,}: "
            f"cut it into tiles, or, in Python, read it with a larger max_pixels if you trust it."
        )


def _pixels(
    image: Image.Image, max_pixels: int, name: str, at_least: int | None = None
) -> ImageArray:
    """Decode, turn upright and convert."""
    orientation = _orientation(image)
    _check_pixels(_upright_size(image), max_pixels, name)
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
