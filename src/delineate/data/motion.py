"""What a movement during the exposure does to a picture."""

import numpy as np
import numpy.typing as npt


def line_kernel(length: float, angle: float) -> npt.NDArray[np.float32]:
    """Return the kernel, of odd height and width, that spreads a point along a line.

    Args:
        length: Of the line, in pixels; its middle is the kernel's.
        angle: In radians, from the x axis towards the y axis.
    """
    half = np.array([np.sin(angle), np.cos(angle)]) * length / 2
    down, across = np.ceil(np.abs(half)).astype(int).tolist()
    steps = np.linspace(-1, 1, 8 * max(down, across) + 1)  # several a pixel
    at = steps[:, None] * half + (down, across)
    kernel = np.zeros((2 * down + 1, 2 * across + 1))
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):  # each step has a share in four pixels
        pixel = np.floor(at).astype(int) + corner
        share = np.prod(1 - np.abs(at - pixel), axis=1)
        np.add.at(kernel, tuple(np.minimum(pixel, (2 * down, 2 * across)).T), share)
    return np.asarray(kernel / kernel.sum(), np.float32)
