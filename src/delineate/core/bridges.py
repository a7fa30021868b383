"""Several outlines as one, for the formats that have a single outline for an object."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ring = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def bridged(rings: Sequence[Ring]) -> npt.NDArray[np.float64]:
    """Join outlines to one, over bridges without width that are walked there and back.

    Each outline is joined to the one before it, near to where they are nearest, as ultralytics'
    ``merge_multi_segment`` does: along the first to its bridge, over it, along the second, ...,
    around the last, and back along the rest of each.

    Args:
        rings: ``(k, 2)`` corners each, of parts and holes.

    Returns:
        ``(n, 2)`` corners; one outline is returned as it is. By COCO's rule, which is even-odd, the
        bridges leave no trace, and it encloses what the outlines enclose.
    """
    there, back = [], []
    entry = 0
    for ring, following in zip(rings, [*rings[1:], None], strict=True):
        walk = np.roll(ring, -entry, axis=0).astype(np.float64)
        if len(rings) > 1:
            walk = np.append(walk, walk[:1], axis=0)
        leave = len(walk)
        if following is not None:
            leave, entry = _nearest(walk, following)
        there.append(walk[: leave + 1])
        back.append(walk[leave:])
    return np.concatenate([*there, *back[::-1]])


def _nearest(a: npt.NDArray[np.float64], b: Ring) -> tuple[int, int]:
    """Return a corner of each outline that are near to one another, if not the nearest of all."""
    j = 0
    for _ in range(3):
        i = int(((a - b[j]) ** 2).sum(axis=1).argmin())
        j = int(((b - a[i]) ** 2).sum(axis=1).argmin())
    return i, j
