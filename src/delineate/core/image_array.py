"""Arrays of any depth as pictures, by the rules of `delineate.core.image`."""

import numpy as np
import numpy.typing as npt

from delineate.errors import ImageError

ImageArray = npt.NDArray[np.uint8]
"""``(h, w, 3)`` uint8 RGB."""

_SLACK = 1e-3  # rounding errors that a float image may carry beyond 0 and 1


def from_array(array: npt.NDArray[np.generic], name: str) -> ImageArray:
    """Apply the rules for shape and value range to an array in RGB order.

    Args:
        array: ``(h, w)`` or ``(h, w, 1 | 3 | 4)``.
        name: What it is, for messages.

    Raises:
        ImageError: It has another shape, or values whose range is unknown.
    """
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise ImageError(
            f"{name} has shape {array.shape} where (h, w), (h, w, 1), (h, w, 3) or (h, w, 4) was "
            f"expected: put channels last, and pass one image at a time."
        )
    array = array.reshape(*array.shape[:2], channels)[..., :3]
    grey_or_colour = _to_uint8(array, name)
    if channels == 1:
        grey_or_colour = np.repeat(grey_or_colour, 3, axis=2)
    return np.ascontiguousarray(grey_or_colour)


def _to_uint8(array: npt.NDArray[np.generic], name: str) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.astype(np.uint8, copy=False)
    if array.dtype == np.uint16:
        return (array.astype(np.uint16, copy=False) >> 8).astype(np.uint8)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if np.issubdtype(array.dtype, np.floating):
        unit = array.astype(np.float32)
        if unit.min() >= -_SLACK and unit.max() <= 1 + _SLACK:  # False for NaN
            return (np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)
    raise ImageError(
        f"{name} has {array.dtype} values from {np.min(array)} to {np.max(array)} where uint8, "
        f"uint16, bool or floats from 0 to 1 were expected: scale it to uint8 first."
    )
