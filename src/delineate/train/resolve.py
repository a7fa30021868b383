"""Replace every "auto" of a config by a value that fits the model, the data and the machine.

It happens once, at the start of a run; ``config.yaml`` holds the result, and everything else in
this room may rely on it.
"""

import os
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from delineate.core.boxes import area
from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.data.panoptic_parts import as_panoptic
from delineate.data.sample import Dataset
from delineate.errors import ConfigError, DataError
from delineate.models.zoo import ModelConfig
from delineate.train.config import Auto, Precision, TrainConfig

_LOOKED_AT = 2000  # images whose boxes are enough to know the sizes of the objects
_SMALL = 25.0  # pixels that three quarters of the objects shall have
_SCALES = (0.5, 2.0)  # smallest and largest factor of an image
_CROPS = (64, 256)  # smallest and largest side of a crop
_MOST_CROPS = 64  # samples of an epoch that come from one image
_CELLS = 2.0  # an anchor spans at least so many cells of its feature map
_SPREAD = 1.2  # and is at least so much larger than the one before
_WARMUP = (20, 500)  # fewest and most steps


def resolve(config: TrainConfig, train: Dataset, *, accelerator: str) -> TrainConfig:
    """Return `config` without any "auto"; a config that has none comes back equal.

    Args:
        config: What the user asked for.
        train: The training set; its annotations are looked at, its pixels are not.
        accelerator: "cpu", "cuda" or "mps".

    Raises:
        ConfigError: The precision is not possible on the accelerator, or the model has no head for
            stuff.
        DataError: The training set has no object, or stuff is to be learnt and it has none.
    """
    sides = object_sides(train, config.preprocess)
    if config.image_scale == "auto":
        scaled = fit_scale(sides, config.preprocess)
        config = replace(config, preprocess=scaled, image_scale="preprocess")
        sides = object_sides(train, scaled)
    model, augment, data, optim = config.model, config.augment, config.data, config.optim
    if config.stuff == "auto":
        model = model.with_stuff(_stuff(train))
    if config.anchors == "auto" and model.anchor_strides:
        model = model.replace(anchor_sizes=fit_anchors(sides, model))
    if augment.crop == "auto":
        augment = replace(augment, crop=_crop(train, config.preprocess))
    if data.workers == "auto":
        data = replace(data, workers=_workers(accelerator))
    if optim.warmup_steps == "auto":
        samples = int(samples_per_image(replace(config, augment=augment), train).sum())
        optim = replace(optim, warmup_steps=_warmup_steps(config, len(train), samples))
    return replace(
        config,
        model=model,
        anchors="model",
        stuff="model",
        augment=augment,
        data=data,
        optim=optim,
        precision=_precision(config.precision, accelerator),
        validate_every=0.1 if config.validate_every == "auto" else config.validate_every,
    )


def object_sides(dataset: Dataset, preprocess: Preprocess) -> npt.NDArray[np.float64]:
    """Return the square roots of the objects' box areas, in pixels of the network's input.

    Raises:
        DataError: No image of the data set has an object.
    """
    spread = np.linspace(0, len(dataset) - 1, min(len(dataset), _LOOKED_AT))
    some = np.unique(spread.astype(int))
    sides = _sides(dataset, some, preprocess)
    if not sides.size:  # few objects in many images
        sides = _sides(dataset, range(len(dataset)), preprocess)
    if not sides.size:
        raise DataError(
            f"the training set {dataset.name!r} should have objects to learn from, but none of its "
            f"{len(dataset)} images has any that is sound and no crowd: look at the annotations."
        )
    return sides


def _sides(
    dataset: Dataset, indices: Iterable[int], preprocess: Preprocess
) -> npt.NDArray[np.float64]:
    found = [np.zeros(0)]
    for index in indices:
        instances = dataset.instances(int(index))
        if instances.crowd is not None:
            instances = instances[~instances.crowd]
        scale = preprocess.geometry(instances.image_size).scale
        found.append(np.sqrt(area(instances.boxes)) * scale)
    return np.concatenate(found)


def fit_scale(sides: npt.NDArray[np.float64], preprocess: Preprocess) -> Preprocess:
    """Return a rule that scales all images by one factor, so that small objects can be told apart.

    Three quarters of the objects become at least `_SMALL` pixels wide, six cells of the finest
    feature map; images are enlarged or shrunk at most twofold. One factor for all keeps apart what
    was taken at different magnifications, where a fixed short side would drown small objects of
    large images.

    Args:
        sides: Square roots of the objects' areas, in pixels of the network's input so far.
        preprocess: The rule so far.
    """
    smallest, largest = _SCALES
    wanted = _SMALL / float(np.quantile(sides, 0.25))
    factor = preprocess.factor if preprocess.resize == "factor" else 1.0
    factor = round(min(max(factor * wanted, smallest), largest), 2)
    return replace(preprocess, resize="factor", factor=factor)


def fit_anchors(
    sides: npt.NDArray[np.float64], model: ModelConfig
) -> tuple[tuple[float, ...], ...]:
    """Spread as many anchor sizes as the model has over the sizes of the objects.

    The sizes are evenly spaced quantiles, the small ones on the fine levels. None is so small that
    it would fall between the cells of its level, and neighbours keep a distance: both only move
    anchors up, into sizes that few objects have.

    Args:
        sides: Square roots of areas, in pixels of the network's input.
        model: Says how many levels there are, their strides and the number of sizes on each.
    """
    strides = model.anchor_strides
    count = len(strides) * len(model.anchor_sizes[0])
    quantiles = np.quantile(sides, (np.arange(count) + 0.5) / count).reshape(len(strides), -1)
    last = 0.0
    levels = []
    for stride, wanted in zip(strides, quantiles, strict=True):
        level = []
        for side in wanted:
            last = round(max(float(side), _CELLS * stride, _SPREAD * last), 1)
            level.append(last)
        levels.append(tuple(level))
    return tuple(levels)


def _stuff(train: Dataset) -> ClassMap:
    stuff = as_panoptic(train).panoptic_classes.stuff
    if not len(stuff):
        raise DataError(
            f"{train.name}: expected classes of stuff to learn ('isthing': 0), got things only: "
            "mark them in the file, or use a recipe for objects."
        )
    return stuff


def _crop(train: Dataset, preprocess: Preprocess) -> int:
    """Return the side of a square as large as the middle image, a multiple of 32."""
    targets = [preprocess.geometry(record.size).target for record in train.records]
    side = float(np.median([np.sqrt(height * width) for height, width in targets]))
    smallest, largest = _CROPS
    return int(min(max(32 * np.ceil(side / 32), smallest), largest))


def _workers(accelerator: str) -> int:
    """Return how many processes can read images without taking the CPU from the training."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return min(8, cores - 1) if accelerator != "cpu" else min(4, cores // 4)


def samples_per_image(config: TrainConfig, train: Dataset) -> npt.NDArray[np.int64]:
    """Return how many samples of an epoch come from each image.

    One, or with `AugmentConfig.crops_by_area` the number of crops that have its area at the size
    the model sees it, within bounds: a picture of many megapixels shall not be the whole epoch.
    """
    side = config.augment.crop
    if not config.augment.crops_by_area or not len(train):
        return np.ones(len(train), dtype=np.int64)
    assert isinstance(side, int)
    targets = np.array([config.preprocess.geometry(r.size).target for r in train.records])
    crops = np.rint(targets.prod(axis=1, dtype=np.float64) / side**2)
    return crops.clip(1, _MOST_CROPS).astype(np.int64)


def _warmup_steps(config: TrainConfig, images: int, samples: int) -> int:
    """Return the steps in which as many images are seen as there are.

    Within bounds, and at most a tenth of the steps that are known to come.
    """
    batch = config.batch_size * config.accumulate
    fewest, most = _WARMUP
    steps = min(max(images // batch, fewest), most)
    budget = config.budget.steps
    if config.budget.epochs is not None:
        budget = int(config.budget.epochs * max(1, samples // batch))
    return steps if budget is None else min(steps, budget // 10)


def _precision(wanted: Precision | Auto, accelerator: str) -> Precision:
    if wanted == "16-mixed" and accelerator != "cuda":
        raise ConfigError(
            f"precision 16-mixed needs a CUDA device, but this run is on {accelerator}: "
            "set precision to bf16-mixed, 32-true or auto."
        )
    if wanted != "auto":
        return wanted
    if accelerator != "cuda":
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
