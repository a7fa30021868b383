"""From the coarse logits of a semantic head to one class for each pixel of the original image."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.errors import DataError


def best_class(
    logits: npt.NDArray[np.floating[Any]], *, stride: int, size: Size, target: Size
) -> npt.NDArray[np.int32]:
    """Return the class of each pixel: ``(h, w)``, the first among equals.

    As detectron2's ``sem_seg_postprocess``: the logits are brought to the network's input, its
    padding is cut off, and the rest is brought to the image, all bilinearly between pixel centres.
    One class is at full size at a time.

    Args:
        logits: ``(classes, h, w)``.
        stride: Pixels of the network's input a cell.
        size: ``(h, w)`` of the network's input without its padding.
        target: ``(h, w)`` of the original image.

    Raises:
        DataError: There is no class, or the logits cover less than `size`.
    """
    count, height, width = logits.shape
    if count == 0 or height * stride < size[0] or width * stride < size[1]:
        raise DataError(
            f"semantic logits must be (classes, h, w) and cover {size} at stride {stride}, and "
            f"{logits.shape} came: pass the geometry of the same image."
        )
    best = np.full(target, -np.inf, np.float32)
    labels = np.zeros(target, np.int32)
    for label, plane in enumerate(logits):
        level = np.ascontiguousarray(plane, np.float32)
        level = _resized(level, (height * stride, width * stride))[: size[0], : size[1]]
        level = _resized(np.ascontiguousarray(level), target)
        better = level > best
        labels[better] = label
        np.copyto(best, level, where=better)
    return labels


def _resized(plane: npt.NDArray[np.float32], size: Size) -> npt.NDArray[np.float32]:
    if plane.shape == size:
        return plane
    return np.asarray(cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
