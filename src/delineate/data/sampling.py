"""How often each image is shown, so that rare classes are seen more often.

Repeat factors: A. Gupta, P. Dollár, R. Girshick, "LVIS: A Dataset for Large Vocabulary Instance
Segmentation", CVPR 2019. Class-aware sampling: L. Shen, Z. Lin, Q. Huang, "Relay Backpropagation
for Effective Learning of Deep Convolutional Neural Networks", ECCV 2016.
"""

import numpy as np
import numpy.typing as npt

from delineate.errors import DataError

LVIS_THRESHOLD = 0.001
"""The share of the images below which LVIS repeats a class."""

Floats = npt.NDArray[np.float64]


def image_frequencies(counts: npt.ArrayLike) -> Floats:
    """Return (c,) the share of the images that show each class.

    Args:
        counts: (n, c) objects of each class in each image.
    """
    shown = np.asarray(counts) > 0
    return np.asarray(shown.sum(axis=0) / max(len(shown), 1))


def typical_frequency(counts: npt.ArrayLike) -> float:
    """Return the median frequency of the classes that occur: a threshold that fits the data.

    Half of the classes are rarer, and are repeated. With one class, or equal ones, none is.
    """
    frequencies = image_frequencies(counts)
    occurring = frequencies[frequencies > 0]
    return float(np.median(occurring)) if occurring.size else 1.0


def repeat_factors(counts: npt.ArrayLike, threshold: float) -> Floats:
    """Return (n,) how often each image is shown in an epoch: the factor of its rarest class.

    That of a class is ``max(1, sqrt(threshold / frequency))``, and 1 for an image without objects.

    Args:
        counts: (n, c) objects of each class in each image.
        threshold: The share of the images from which a class is not repeated.

    Raises:
        DataError: The threshold is no share.
    """
    if not 0 < threshold <= 1:
        raise DataError(
            f"expected a share of the images, above 0 and at most 1, got {threshold}: write for "
            "example 0.001."
        )
    counts = np.asarray(counts)
    frequencies = image_frequencies(counts)
    of_class = np.maximum(1, np.sqrt(threshold / np.where(frequencies > 0, frequencies, 1)))
    return np.asarray(np.where(counts > 0, of_class, 1).max(axis=1, initial=1))


def class_aware_weights(counts: npt.ArrayLike) -> Floats:
    """Return (n,) how often each image is shown if a class is drawn first, then an image of it.

    All classes that occur are equally likely, and so are the images that show one. The weights sum
    to n, so that 1 is once in an epoch.

    Args:
        counts: (n, c) objects of each class in each image.
    """
    shown = np.asarray(counts) > 0
    images = shown.sum(axis=0)
    occurring = images > 0
    share = np.divide(shown, images, where=occurring, out=np.zeros(shown.shape)).sum(axis=1)
    return np.asarray(share * (len(shown) / max(int(occurring.sum()), 1)))


def class_shares(counts: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """Return (c,) the expected share of each class among the objects that are shown.

    Args:
        counts: (n, c) objects of each class in each image.
        weights: (n,) how often each image is shown; once without them.
    """
    counts = np.asarray(counts, dtype=np.float64)
    shown = counts.sum(axis=0) if weights is None else np.asarray(weights) @ counts
    return np.asarray(shown / max(float(shown.sum()), 1e-12))
