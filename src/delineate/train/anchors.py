"""Fit the scale of the images, and the anchors, to the objects of a training set."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import area
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Dataset
from delineate.errors import DataError
from delineate.models.zoo import ModelConfig

_LOOKED_AT = 2000  # images whose boxes are enough to know the sizes of the objects
_SMALL = 25.0  # pixels that three quarters of the objects shall have
_SCALES = (0.5, 2.0)  # smallest and largest factor of an image
_CELLS = 2.0  # an anchor spans at least so many cells of its feature map
_SPREAD = 1.2  # and is at least so much larger than the one before
_ALIKE = 2.0  # a factor between two ratios of which one is matched by the other's anchor
_MOST_ALIKE = 0.8  # share of the objects for which the model's own ratios are good enough
_FLATTEST = 50.0

Column = npt.NDArray[np.float64]


class Shapes(NamedTuple):
    """The boxes of the objects, in pixels of the network's input; each is ``(n,)``."""

    sides: Column
    """Square roots of the areas."""
    tall: Column
    """Height over width; 1 where there is no area."""
    weights: Column
    """One over the root of the number of objects of the class: so many that classes with many
    objects count more than those with few, but do not drown them."""


def object_shapes(dataset: Dataset, preprocess: Preprocess) -> Shapes:
    """Return the shapes of a data set's objects.

    Raises:
        DataError: No image of the data set has an object.
    """
    spread = np.linspace(0, len(dataset) - 1, min(len(dataset), _LOOKED_AT))
    shapes = _shapes(dataset, np.unique(spread.astype(int)), preprocess)
    if not shapes.sides.size:  # few objects in many images
        shapes = _shapes(dataset, range(len(dataset)), preprocess)
    if not shapes.sides.size:
        raise DataError(
            f"the training set {dataset.name!r} should have objects to learn from, but none of its "
            f"{len(dataset)} images has any that is sound and no crowd: look at the annotations."
        )
    return shapes


def _shapes(dataset: Dataset, indices: Iterable[int], preprocess: Preprocess) -> Shapes:
    boxes, labels = [np.zeros((0, 4))], [np.zeros(0, np.int64)]
    for index in indices:
        instances = dataset.instances(int(index))
        if instances.crowd is not None:
            instances = instances[~instances.crowd]
        scale = preprocess.geometry(instances.image_size).scale
        boxes.append(instances.boxes.astype(np.float64) * scale)
        labels.append(instances.labels)
    joined, of_class = np.concatenate(boxes), np.concatenate(labels)
    width, height = joined[:, 2] - joined[:, 0], joined[:, 3] - joined[:, 1]
    has_area = (width > 0) & (height > 0)
    tall = np.divide(height, width, out=np.ones_like(width), where=has_area)
    weights = 1 / np.sqrt(np.bincount(of_class)[of_class])
    return Shapes(np.sqrt(area(joined)), tall, weights)


def fit_scale(sides: Column, preprocess: Preprocess) -> Preprocess:
    """Return a rule that scales all images by one factor, so that small objects can be told apart.

    Three quarters of the objects become at least `_SMALL` pixels wide, six cells of the finest
    feature map; images are enlarged or shrunk at most twofold. One factor for all keeps apart what
    was taken at different magnifications, where a fixed short side would drown small objects of
    large images.

    Args:
        sides: See `Shapes`, at the scale so far.
        preprocess: The rule so far.
    """
    smallest, largest = _SCALES
    wanted = _SMALL / float(np.quantile(sides, 0.25))
    factor = preprocess.factor if preprocess.resize == "factor" else 1.0
    factor = round(min(max(factor * wanted, smallest), largest), 2)
    return replace(preprocess, resize="factor", factor=factor)


def fit_sizes(shapes: Shapes, model: ModelConfig) -> tuple[tuple[float, ...], ...]:
    """Spread as many anchor sizes as the model has over the sizes of the objects.

    The sizes are evenly spaced quantiles, the small ones on the fine levels. None is so small that
    it would fall between the cells of its level, and neighbours keep a distance: both only move
    anchors up, into sizes that few objects have.

    Args:
        shapes: Of the objects.
        model: Says how many levels there are, their strides and the number of sizes on each.
    """
    strides = model.anchor_strides
    count = len(strides) * len(model.anchor_sizes[0])
    quantiles = _quantiles(shapes.sides, shapes.weights, count).reshape(len(strides), -1)
    last = 0.0
    levels = []
    for stride, wanted in zip(strides, quantiles, strict=True):
        level = []
        for side in wanted:
            last = round(max(float(side), _CELLS * stride, _SPREAD * last), 1)
            level.append(last)
        levels.append(tuple(level))
    return tuple(levels)


def fit_ratios(shapes: Shapes, model: ModelConfig) -> tuple[float, ...]:
    """Return the model's own anchor ratios or, where they suit too few objects, others.

    Lines of text are ten times as wide as high, and no anchor of 1 to 2 overlaps them by half.

    Args:
        shapes: Of the objects.
        model: Says which ratios it has, and whether they are height over width.
    """
    tall = np.log(shapes.tall.clip(1 / _FLATTEST, _FLATTEST))
    own = np.log(model.anchor_ratios) * (1 if model.anchor_ratios_are_tall else -1)
    is_alike = np.abs(tall[:, None] - own).min(axis=1) <= np.log(_ALIKE)
    if shapes.weights[is_alike].sum() >= _MOST_ALIKE * shapes.weights.sum():
        return model.anchor_ratios
    wanted = np.exp(_quantiles(tall, shapes.weights, len(own)))
    ratios, last = [], 0.0
    for ratio in wanted if model.anchor_ratios_are_tall else 1 / wanted[::-1]:
        last = round(max(float(ratio), _SPREAD * last), 3)
        ratios.append(last)
    return tuple(ratios)


def _quantiles(values: Column, weights: Column, count: int) -> Column:
    """Return the middles of `count` parts of equal weight, interpolated linearly."""
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    middles = np.cumsum(weights) - weights / 2
    middles -= middles[0]
    if middles[-1] == 0:
        return np.full(count, values[0])
    return np.interp((np.arange(count) + 0.5) / count, middles / middles[-1], values)
