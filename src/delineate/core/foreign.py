"""What a stranger's JSON holds: of which kind it is, and how to name it in half a line.

Python's own checks are too kind here: ``True`` is an integer, numpy reads ``"12"`` as a number, and
the text of what came may be a gigabyte long or nested a thousand deep.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.errors import DataError

MAX_PIXELS = 1 << 30
"""Largest height x width of an image that anything may belong to."""


def check_size(size: object) -> Size:
    """Return `size` as ``(height, width)``.

    Raises:
        DataError: It is not two whole numbers from 1 on with a product of at most `MAX_PIXELS`.
    """
    if isinstance(size, (list, tuple)) and len(size) == 2 and all_whole(size):
        height, width = int(size[0]), int(size[1])
        if height >= 1 and width >= 1 and height * width <= MAX_PIXELS:
            return height, width
    raise DataError(
        f"an image's size must be two whole numbers (height, width) from 1 on with at most "
        f"{MAX_PIXELS} pixels in all, and {short(size)} came: correct the record."
    )


def is_list(value: object) -> TypeGuard[Sequence[Any] | npt.NDArray[Any]]:
    """Is it a list, a tuple or an array?"""
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def all_whole(values: Sequence[Any] | npt.NDArray[Any]) -> bool:
    """Are all values integers, and none of them a boolean?"""
    kinds = set(map(type, values))
    return bool not in kinds and all(issubclass(kind, (int, np.integer)) for kind in kinds)


def all_numbers(values: Sequence[Any] | npt.NDArray[Any]) -> bool:
    """Are all values integers or floats, and none of them a boolean?"""
    kinds = set(map(type, values))
    numbers = (int, float, np.integer, np.floating)
    return bool not in kinds and all(issubclass(kind, numbers) for kind in kinds)


def short(value: object, depth: int = 2) -> str:
    """Return what came in a few words, whatever its size and however deep it is nested."""
    if is_list(value) and depth:
        first = ", ".join(short(v, depth - 1) for v in value[:3])
        return f"[{first}, ...]" if len(value) > 3 else f"[{first}]"
    if isinstance(value, (str, bytes)):
        return repr(value[:40])
    if isinstance(value, (int, np.integer)) and abs(int(value)) > 10**15:
        return "a huge number"
    if value is None or isinstance(value, (int, float, np.number)):
        return str(value)
    return f"something of type {type(value).__name__}"
