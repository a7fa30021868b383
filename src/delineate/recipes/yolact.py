"""YOLACT: what we actually run; see `delineate.recipes.mask_rcnn` for what a recipe is."""

from collections.abc import Callable
from dataclasses import replace

from delineate.models.zoo import MODELS
from delineate.recipes.mask_rcnn import mask_rcnn_nano
from delineate.train.config import TrainConfig


def yolact_nano() -> TrainConfig:
    """Small and dense objects, from random weights, on a laptop's CPU, in one stage.

    Everything but the network is as in `mask_rcnn_nano`, so that the two can be compared.

    Command: ``delineate train nuclei_dsb2018 --recipe yolact_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.3
    AP: not measured yet on real images; see docs/log.md.
    """
    entry = MODELS["yolact_nano"]
    return replace(mask_rcnn_nano(), model=entry.config, preprocess=entry.preprocess)


RECIPES: dict[str, Callable[[], TrainConfig]] = {"yolact_nano": yolact_nano}
"""Name -> recipe."""
