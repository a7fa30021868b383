"""How often each image is shown, or how much each class counts, so that rare ones are learnt.

Repeat factors: A. Gupta, P. Dollár, R. Girshick, "LVIS: A Dataset for Large Vocabulary Instance
Segmentation", CVPR 2019. Class-aware sampling: L. Shen, Z. Lin, Q. Huang, "Relay Backpropagation
for Effective Learning of Deep Convolutional Neural Networks", ECCV 2016. Effective number of
objects: Y. Cui, M. Jia, T. Lin, Y. Song, S. Belongie, "Class-Balanced Loss Based on Effective
Number of Samples", CVPR 2019.
"""

import math

import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset
from delineate.errors import DataError

LVIS_THRESHOLD = 0.001
"""The share of the images below which LVIS repeats a class."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ROUNDING = 1e-6  # by which the sum of many numbers may be above a whole one


def count_classes(dataset: Dataset) -> npt.NDArray[np.int32]:
    """Return (n, c) the objects of each class in each image, without crowd regions."""
    counts = np.zeros((len(dataset), len(dataset.classes)), np.int32)
    for index, row in enumerate(counts):
        instances = dataset.instances(index)
        labels = instances.labels
        if instances.crowd is not None:
            labels = labels[~instances.crowd]
        np.add.at(row, labels, 1)
    return counts


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
    factors = np.ones(len(counts))
    image, label = np.nonzero(counts)
    np.maximum.at(factors, image, of_class[label])
    return factors


def class_aware_weights(counts: npt.ArrayLike, times: npt.ArrayLike | None = None) -> Floats:
    """Return (n,) how often each image is shown if a class is drawn first, then an image of it.

    All classes that occur are equally likely, and so is each time an image that shows one would be
    shown otherwise. Images without objects are shown as often as otherwise, and so is all of the
    data set together: the sum stays.

    Args:
        counts: (n, c) objects of each class in each image.
        times: (n,) how often an epoch would show each image otherwise; once without them.
    """
    counts = np.asarray(counts)
    before = np.ones(len(counts)) if times is None else np.asarray(times, np.float64)
    image, label = np.nonzero(counts)
    of_class = np.bincount(label, before[image], minlength=counts.shape[1])
    shares = np.bincount(image, before[image] / of_class[label], minlength=len(counts))
    full = shares > 0
    return np.where(full, shares * (before[full].sum() / max(shares.sum(), 1)), before)


def epoch_length(times: npt.ArrayLike) -> int:
    """Return how many samples an epoch has: the sum of how often it shows each image, rounded up.

    Args:
        times: (n,) see `draw`.
    """
    return math.ceil(float(np.sum(times)) - _ROUNDING)


def draw(times: npt.ArrayLike, rng: np.random.Generator) -> Ints:
    """Return (m,) the images that an epoch shows, sorted; m is the same for all: `epoch_length`.

    Where images are to be shown 1.3 times, each comes once, and three in ten, others in each epoch,
    come twice: systematic sampling along a random order. So the length need not vary, as it does
    where each image's fraction is drawn for itself.

    Args:
        times: (n,) how often each image is to be shown, on average over the epochs. Where they do
            not sum to a whole number, all are a little larger.
        rng: The only source of chance; it has no say where all are whole numbers.
    """
    times = np.asarray(times, np.float64)
    length = epoch_length(times)
    if not length:
        return np.zeros(0, np.int64)
    order = rng.permutation(len(times))
    ends = np.cumsum(times[order])
    ends *= length / ends[-1]
    ends[-1] = length
    counts = np.zeros(len(times), np.int64)
    counts[order] = np.diff(np.floor(ends + rng.random()), prepend=0)
    return np.repeat(np.arange(len(times)), counts)


def effective_weights(objects: npt.ArrayLike, beta: float) -> Floats:
    """Return (c,) how much an object of each class counts: one over their effective number.

    The effective number of n objects is ``(1 - beta**n) / (1 - beta)``: each new one adds less, and
    beyond ``1 / (1 - beta)`` hardly any. The weights are scaled so that their mean over all objects
    is 1, and objects as a whole count what they did against the background. (Over the classes, as
    in the paper, which knows no background, two classes of which one is rare would get the weights
    of almost 2 and almost 0.) A class without objects has the weight 1.

    Args:
        objects: (c,) number of objects of each class.
        beta: From 0, all alike, to below 1, the nearer the more the rare ones count.
    """
    numbers = np.asarray(objects, np.float64)
    seen = numbers > 0
    weights = (1 - beta) / (1 - beta ** np.where(seen, numbers, 1))
    mean = (weights * numbers).sum() / max(numbers.sum(), 1)
    return np.where(seen, weights / (mean or 1.0), 1.0)


def class_shares(counts: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """Return (c,) the expected share of each class among the objects that are shown.

    Args:
        counts: (n, c) objects of each class in each image.
        weights: (n,) how often each image is shown; once without them.
    """
    counts = np.asarray(counts, dtype=np.float64)
    shown = counts.sum(axis=0) if weights is None else np.asarray(weights) @ counts
    return np.asarray(shown / max(float(shown.sum()), 1e-12))
