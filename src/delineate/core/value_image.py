"""Pictures that hold values, not colours: masks, maps of labels and of objects."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from delineate.core.image import MAX_PIXELS, opened


def read_values(
    source: str | os.PathLike[str] | bytes, *, max_pixels: int = MAX_PIXELS
) -> npt.NDArray[Any]:
    """Return the pixels as they are stored: indices of a palette, 16 bits, not turned.

    Args:
        source: A path, or the bytes of an encoded file.
        max_pixels: Largest height x width accepted.

    Returns:
        ``(h, w)``, or ``(h, w, channels)`` where there are several.

    Raises:
        ImageError: The file is missing, empty, no image, damaged or too large.
    """
    with opened(source, max_pixels=max_pixels) as image:
        image.load()
        return np.array(image)
