"""TIFF files: their tags, and those whose pixels Pillow cannot decode.

Satellites and microscopes write TIFFs of floats in several channels, or of 16 bits in planes, which
Pillow (13) refuses. OpenCV decodes them; what it would decode wrongly is an error.
"""

import os
import threading
from collections.abc import Mapping
from typing import IO, Any

import cv2
import cv2.utils.logging as logging
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin

from delineate.core.image_array import from_array
from delineate.errors import ImageError

_WIDTH, _HEIGHT, _BITS, _ORIENTATION = 256, 257, 258, 274  # numbers of tags
_SAMPLES, _PLANES = 277, 284
_BIG = b"+"  # 43, of either byte order, where other TIFFs have 42
_QUIET = threading.Lock()  # the level of OpenCV's log is the process's


def tiff_tags(source: str | os.PathLike[str] | IO[bytes]) -> Mapping[int, Any]:
    """Return the tags of the first page of a TIFF by their numbers; none for what is no TIFF.

    Args:
        source: A file, or a stream, which is read from its start.
    """
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as stream:
                return tiff_tags(stream)
        source.seek(0)
        header = source.read(8)
        if header[2:3] == _BIG or header[3:4] == _BIG:
            header += source.read(8)
        directory = TiffImagePlugin.ImageFileDirectory_v2(header)
        source.seek(directory.next)
        directory.load(source)
        return dict(directory)
    except Exception:  # OSError, SyntaxError, struct.error, ...: who reads the pixels says so
        return {}


def open_tiff(stream: IO[bytes]) -> ImageFile.ImageFile:
    """Read the header of a TIFF; its pixels are decoded by Pillow or, if it cannot, by OpenCV."""
    try:
        image = TiffImagePlugin.TiffImageFile(stream)
    except SyntaxError:  # pixels of a kind that it does not know
        stream.seek(0)
        return _ByOpenCV(stream)
    in_planes = image.tag_v2.get(_PLANES) == 2 and set(image.tag_v2.get(_BITS, (8,))) != {8}
    if in_planes and image.tag_v2.get(_ORIENTATION, 1) == 1:
        stream.seek(0)
        return _ByOpenCV(stream)
    return image


class _ByOpenCV(ImageFile.ImageFile):
    """A TIFF of which Pillow reads the header alone; its pixels become RGB of 8 bits."""

    format = "TIFF"
    format_description = "TIFF decoded by OpenCV"

    def _open(self) -> None:
        tags = tiff_tags(self.fp) if self.fp else {}
        width, height = tags.get(_WIDTH), tags.get(_HEIGHT)
        if not isinstance(width, int) or not isinstance(height, int):
            raise SyntaxError("it has no size")
        if tags.get(_ORIENTATION, 1) != 1:
            raise SyntaxError("it is turned, and of a kind that cannot be turned back")
        self._size, self._mode = (width, height), "RGB"

    def load(self) -> Any:  # noqa: ANN401 - of Pillow's own type
        """Decode the pixels when somebody looks at them."""
        if self.fp is not None:
            pixels = self._values(os.fsdecode(self.filename))
            self.im = Image.fromarray(from_array(pixels, os.fsdecode(self.filename))).im
            self.fp = None
        return Image.Image.load(self)

    def _values(self, name: str) -> npt.NDArray[Any]:
        assert self.fp is not None
        tags = tiff_tags(self.fp)
        channels, bits = tags.get(_SAMPLES, 1), tags.get(_BITS, (1,))
        planes = tags.get(_PLANES) == 2 and channels != 1
        if channels not in (1, 3, 4) or planes:  # OpenCV decodes these, and wrongly
            raise ImageError(
                f"{name} has {channels} channels of {bits[0]} bits{' in planes' * planes} where 1, "
                "3 or 4 were expected, pixel by pixel: choose three of them and save it so "
                "(gdal_translate -b 1 -b 2 -b 3 -co INTERLEAVE=PIXEL)."
            )
        self.fp.seek(0)
        pixels = _decoded(self.fp.read())
        expected = (*self.size[::-1], channels), bits[0]
        if pixels is None or (np.atleast_3d(pixels).shape, 8 * pixels.itemsize) != expected:
            raise ValueError("neither Pillow nor OpenCV decodes it")
        return pixels


def _decoded(data: bytes) -> npt.NDArray[Any] | None:
    """Return ``(h, w)`` or ``(h, w, channels)`` values in RGB order."""
    with _QUIET:
        level = logging.getLogLevel()
        logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # it warns of every tag that it does not know
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None
        finally:
            logging.setLogLevel(level)
    if pixels is not None and pixels.ndim == 3 and pixels.shape[2] in (3, 4):
        pixels[:, :, :3] = pixels[:, :, 2::-1].copy()
    return pixels
