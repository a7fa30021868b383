"""A run of seconds: a shrunken Mask R-CNN on drawn scenes."""

from dataclasses import replace
from pathlib import Path

from delineate.data.synthetic import SyntheticScenes
from delineate.models.zoo import MODELS
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    EmaConfig,
    OptimConfig,
    TrainConfig,
)
from delineate.train.loop import FitResult, fit

NANO = MODELS["maskrcnn_nano"]
SIZE = (64, 64)


def tiny_config(**changes) -> TrainConfig:
    config = TrainConfig(
        model=NANO.config.replace(
            slim_widths=(16,)
            * 5,  # fewer channels crash oneDNN (torch 2.15, 1x1 convolution, stride 2)
            slim_depths=(1, 1, 1, 1),
            fpn_channels=16,
            rpn_pre_nms=50,
            rpn_pre_nms_train=50,
            rpn_post_nms=20,
            rpn_post_nms_train=20,
            rpn_samples=32,
            roi_samples=16,
            box_fc_width=16,
            mask_channels=16,
            mask_convs=1,
        ),
        preprocess=NANO.preprocess,
        data=DataConfig(workers=0),
        augment=AugmentConfig(crop=64),
        optim=OptimConfig(lr=2e-3, warmup_steps=2),
        budget=BudgetConfig(steps=4),
        ema=EmaConfig(decay=0.9),
        batch_size=2,
        validate_every=0.5,
        log_every=2,
    )
    return replace(config, **changes)


def scenes(count: int = 6, seed: int = 1) -> SyntheticScenes:
    return SyntheticScenes(count, size=SIZE, seed=seed, objects=(2, 4))


def run(out: Path, steps: int, **changes) -> FitResult:
    """Begin a run or go on with it; it may be killed at any moment."""
    config = tiny_config(budget=BudgetConfig(steps=steps), checkpoint_steps=2, **changes)
    return fit(config, scenes(), scenes(2, seed=2), out, resume=True, device="cpu")
