"""Maps: pictures whose values are numbers of objects or classes, not colours."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.image import MAX_PIXELS, opened
from delineate.errors import ImageError

IdMap = npt.NDArray[np.int32]
"""``(h, w)`` whole numbers from 0 on."""

_WHOLE_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
_COLOUR_MODES = ("RGB", "RGBA", "LA", "PA")


def shows_colours(path: Path | str) -> bool:
    """Tell by its header whether a map is painted in colours, which `read_map` makes numbers of.

    Raises:
        ImageError: It is missing, no picture, or too large.
    """
    with opened(path) as image:
        return image.mode in _COLOUR_MODES


def read_map(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> IdMap:
    """Return the numbers that a picture's file stores.

    Palettes are not looked up, nothing is scaled, and no orientation is applied: palette and grey
    pictures of 1, 8, 16 or 32 bits give what is stored; colours give red + 256 green + 65536 blue,
    whatever their opacity.

    Raises:
        ImageError: It is missing, no picture, damaged, too large, or holds other numbers.
    """
    with opened(path, max_pixels=max_pixels) as image:
        if image.mode in _WHOLE_MODES:
            values = np.asarray(image)
        elif image.mode in _COLOUR_MODES:
            colours = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
            padded = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA))
            values = padded.view("<i4")[..., 0] & np.int32(0xFFFFFF)
        else:
            raise ImageError(
                f"{path} should hold whole numbers (grey, palette or colour), but its pixels are "
                f"of the kind {image.mode}: save the map as a PNG."
            )
        if values.size and (values.min() < 0 or values.max() > np.iinfo(np.int32).max):
            raise ImageError(f"{path} should hold numbers from 0 to 2^31 - 1: save the map anew.")
        return values.astype(np.int32)
