"""Open encoded pictures: which of Pillow's classes reads them, and what goes wrong in one sentence.

`delineate.core.image` states the rules and gives the pixels; this is what it stands on.
"""

import contextlib
import errno
import io
import math
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

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

from delineate.core.boxes import Size
from delineate.core.tiff import open_tiff
from delineate.errors import ImageError

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

_ON_ITS_SIDE = (5, 6, 7, 8)
_REMARKS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # a filter of `warnings`


@contextlib.contextmanager
def stream(source: str | os.PathLike[str] | bytes | IO[bytes]) -> Iterator[tuple[IO[bytes], str]]:
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


def _regular(name: str, flags: int) -> int:
    """Open a file that is one: a named pipe would wait for somebody to write, a device never end.

    Raises:
        OSError: It is another thing.
    """
    handle = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "a pipe or device where a file was expected")
    return handle


def _file(name: str) -> IO[bytes]:
    try:
        return open(name, "rb", opener=_regular)
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
def decoding(name: str) -> Iterator[None]:
    """Turn whatever Pillow raises on broken bytes into one sentence, and keep its warnings back.

    Those are about odd files; what matters is raised. Not by `warnings.catch_warnings`: it swaps
    the filters of all threads (before Python 3.14), and threads that end in another order than they
    began leave wrong ones behind. This puts one filter in front and takes one away, and as all are
    equal, it does not matter whose. Meanwhile other threads miss Pillow's warnings too, and no
    others.
    """
    filters = cast("list[Any]", warnings.filters)
    filters.insert(0, _REMARKS)
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} is too large to decode: {error}") from error
    except Exception as error:  # OSError, SyntaxError, struct.error, zlib.error, EOFError, ...
        raise ImageError(
            f"{name} is truncated or damaged ({error}): fetch it again or leave it out."
        ) from error
    finally:
        with contextlib.suppress(ValueError):  # somebody has emptied the list
            filters.remove(_REMARKS)


def open_header(stream: IO[bytes], name: str) -> ImageFile.ImageFile:
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


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) to 8."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1  # Pillow turns TIFF itself
    try:
        # Not image.getexif(): that of a PNG decodes the whole picture to look behind the pixels.
        exif = Image.Image.getexif(image)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # a damaged EXIF block does not make the picture unusable
        return 1


def upright_size(image: Image.Image) -> Size:
    """Return the (height, width) of a picture after its orientation."""
    width, height = image.size
    return (width, height) if exif_orientation(image) in _ON_ITS_SIDE else (height, width)


def check_pixels(size: tuple[int, ...], max_pixels: int, name: str) -> None:
    """Make sure that a picture is not too large to be decoded.

    Raises:
        ImageError: It is.
    """
    if math.prod(size) > max_pixels:
        raise ImageError(
            f"{name} has {size[0]} x {size[1]} pixels, more than the limit of {max_pixels:,}: "
            f"cut it into tiles, or, in Python, read it with a larger max_pixels if you trust it."
        )
