"""How often an epoch shows each image, and how much each class counts.

Numbers are those of `delineate.data.sampling`, where ``delineate data stats`` has them from.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from delineate.core.classes import ClassMap
from delineate.data.sample import Dataset
from delineate.data.sampling import (
    class_aware_weights,
    count_classes,
    effective_weights,
    repeat_factors,
    typical_frequency,
)
from delineate.errors import ConfigError, nearest
from delineate.train.config import LossConfig, TrainConfig
from delineate.transforms import augment


def fit_balance(config: TrainConfig, train: Dataset) -> TrainConfig:
    """Return `config` with the threshold and the weights of classes that the training set suggests.

    Raises:
        ConfigError: `LossConfig.class_weights` names a class that the training set lacks.
    """
    data, loss = config.data, config.loss
    if isinstance(loss.class_weights, Mapping):
        _check_names(loss.class_weights, train)
    fits_threshold = data.balance == "repeat_factor" and data.repeat_threshold is None
    if not fits_threshold and loss.class_weights != "effective":
        return config
    counts = count_classes(train)
    if fits_threshold:
        data = replace(data, repeat_threshold=typical_frequency(counts))
    if loss.class_weights == "effective":
        weights = effective_weights(counts.sum(axis=0), loss.beta)
        named = zip(train.classes.names, weights.tolist(), strict=True)
        rounded = {name: float(f"{weight:.4g}") for name, weight in named}
        loss = replace(loss, class_weights=rounded)
    return replace(config, data=data, loss=loss)


def _check_names(weights: Mapping[str, float], train: Dataset) -> None:
    known = train.classes.names
    for name in weights:
        if name not in known:
            raise ConfigError(
                f"loss.class_weights should name classes of {train.name!r}, but names {name!r}: "
                f"{nearest(name, known)}"
            )


def weights_of(loss: LossConfig, classes: ClassMap) -> Tensor | None:
    """Return how much each class counts, ``(C,)`` float32, of a resolved config; None: all 1."""
    if not isinstance(loss.class_weights, Mapping):
        return None
    return torch.tensor([loss.class_weights.get(name, 1.0) for name in classes.names])


def times_shown(config: TrainConfig, train: Dataset) -> npt.NDArray[np.float64]:
    """Return (n,) how often an epoch shows each image, on average over the epochs.

    As often as it gives crops; with `DataConfig.balance` more often where a class is rare. Repeat
    factors multiply the crops, so an epoch is longer. If the class is drawn first, then so is one
    of the crops of the images that show it, and the epoch is as long as otherwise.

    Args:
        config: With its crop and threshold resolved.
        train: The training set; with a balance, the annotations of all its images are read.
    """
    crops = samples_per_image(config, train).astype(np.float64)
    match config.data.balance:
        case "repeat_factor":
            assert config.data.repeat_threshold is not None
            return crops * repeat_factors(count_classes(train), config.data.repeat_threshold)
        case "class_aware":
            return class_aware_weights(count_classes(train), crops)
    return crops


def samples_per_image(config: TrainConfig, train: Dataset) -> npt.NDArray[np.int64]:
    """Return how many samples of an epoch come from each image, before any balance.

    See `delineate.transforms.augment.samples_per_image`.
    """
    sizes = [record.size for record in train.records]
    return augment.samples_per_image(config.augment, sizes, preprocess=config.preprocess)
