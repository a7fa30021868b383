"""Set prediction: what we actually run.

delineate train my-data --recipe detr_nano --out run --set budget.minutes=30
"""

from collections.abc import Callable

from delineate.models.zoo import MODELS
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    EmaConfig,
    OptimConfig,
    TrainConfig,
)


def detr_nano() -> TrainConfig:
    """Small and dense objects by queries, from random weights, on a laptop's CPU.

    Command: ``delineate train nuclei_dsb2018 --recipe detr_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.25
    AP: not measured for the whole time; 0.15 on the nuclei of DSB 2018 after 960 images, before the
    last changes; see docs/log.md.
    """
    entry = MODELS["detr_nano"]
    return TrainConfig(
        model=entry.config,
        preprocess=entry.preprocess,
        image_scale="auto",
        anchors="model",
        augment=AugmentConfig(
            crops_by_area=True, scale=(0.7, 1.4), vertical_flip=0.5, quarter_turns=True
        ),
        optim=OptimConfig(lr=2e-3, weight_decay=0.05),
        budget=BudgetConfig(minutes=15),
        ema=EmaConfig(decay=0.998),
        batch_size=8,
        validate_every=0.2,
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {"detr_nano": detr_nano}
"""Name -> recipe."""
