"""Replace every "auto" of a config by a value that fits the model, the data and the machine.

It happens once, at the start of a run; ``config.yaml`` holds the result, and everything else in
this room may rely on it.
"""

import os
from dataclasses import replace

import numpy as np
import torch

from delineate.core.classes import ClassMap
from delineate.core.preprocess import Preprocess
from delineate.data.panoptic_parts import as_panoptic
from delineate.data.sample import Dataset
from delineate.data.sampling import epoch_length
from delineate.errors import ConfigError, DataError
from delineate.train.anchors import fit_ratios, fit_scale, fit_sizes, object_shapes
from delineate.train.balance import fit_balance, times_shown
from delineate.train.config import Auto, Precision, TrainConfig

_CROPS = (64, 256)  # smallest and largest side of a crop
_WARMUP = (20, 500)  # fewest and most steps


def accelerator_of(device: str) -> str:
    """Return the accelerator that a device's name means on this machine.

    Args:
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        ConfigError: It is another, or not here.
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.mps.is_available()}
    if device == "auto":
        return "cuda" if here["cuda"] else "cpu"
    if not here.get(device):
        names = " or ".join(name for name in here if here[name])
        raise ConfigError(f"device should be auto or, on this machine, {names}, but is {device!r}.")
    return device


def resolve(config: TrainConfig, train: Dataset, *, accelerator: str) -> TrainConfig:
    """Return `config` without any "auto"; a config that has none comes back equal.

    Args:
        config: What the user asked for.
        train: The training set; its annotations are looked at, its pixels are not.
        accelerator: "cpu", "cuda" or "mps".

    Raises:
        ConfigError: The precision is not possible on the accelerator, the model has no head for
            stuff, or a weight is for a class that the training set lacks.
        DataError: The training set has no object, or stuff is to be learnt and it has none.
    """
    shapes = object_shapes(train, config.preprocess)
    if config.image_scale == "auto":
        scaled = fit_scale(shapes.sides, config.preprocess)
        config = replace(config, preprocess=scaled, image_scale="preprocess")
        shapes = object_shapes(train, scaled)
    config = fit_balance(config, train)
    model, augment, data, optim = config.model, config.augment, config.data, config.optim
    if config.stuff == "auto":
        model = model.with_stuff(_stuff(train))
    if config.anchors == "auto" and model.anchor_strides:
        sizes, ratios = fit_sizes(shapes, model), fit_ratios(shapes, model)
        model = model.replace(anchor_sizes=sizes, anchor_ratios=ratios)
    if augment.crop == "auto":
        augment = replace(augment, crop=_crop(train, config.preprocess))
    if data.workers == "auto":
        data = replace(data, workers=_workers(accelerator))
    if optim.warmup_steps == "auto":
        shown = epoch_length(times_shown(replace(config, augment=augment), train))
        samples = round(shown / (1 - data.synthetic))
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
