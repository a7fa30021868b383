"""Small, medium and large objects, as COCO tells them apart."""

import numpy as np
import numpy.typing as npt

SIZES = ("small", "medium", "large")
"""Names of the sizes: below 32 x 32 pixels, below 96 x 96, and above."""

_LIMITS = (32.0**2, 96.0**2)  # square pixels


def size_of(areas: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return the size of each object as a position in `SIZES`.

    Args:
        areas: ``(n,)`` square pixels, as `delineate.data.sample.Dataset.areas` states them.
    """
    return np.digitize(np.asarray(areas, dtype=np.float64), _LIMITS).astype(np.int64)
