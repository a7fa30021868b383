"""Set prediction: what we actually run.

delineate train my-data --recipe detr_nano --out run --set budget.minutes=30
"""

from collections.abc import Callable
from dataclasses import replace

from delineate.models.zoo import MODELS
from delineate.train.config import (
    AugmentConfig,
    BudgetConfig,
    DataConfig,
    EmaConfig,
    OptimConfig,
    TrainConfig,
)


def detr_nano() -> TrainConfig:
    """Small and dense objects by queries, from random weights, on a laptop's CPU.

    Command: ``delineate train nuclei_dsb2018 --recipe detr_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.25
    AP: 0.44 on the nuclei of DSB 2018, 0.39 on gothic prints, 15 minutes each; see
    benchmarks/results/families.json.
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


def detr_resnet50() -> TrainConfig:
    """Photographs, boxes and masks in one step: ResNet-50 from ImageNet, images of 800 pixels.

    Learns slowly, as published: a few hundred images are not enough, and neither are few epochs.

    Command: ``delineate train DATA --recipe detr_resnet50 --out run``
    Hardware: one GPU, not tried; the paper took three days on sixteen.
    AP: not measured here; see `detr_resnet50_masks`.
    """
    entry = MODELS["detr_resnet50"]
    return TrainConfig(
        model=entry.config,
        preprocess=entry.preprocess,
        pretrained="resnet50:imagenet1k_v1",
        data=DataConfig(group_by_size=True),
        augment=AugmentConfig(crop=None, scale=(0.6, 1.0)),
        optim=OptimConfig(
            lr=1e-4,
            weight_decay=1e-4,
            backbone_lr_factor=0.1,
            schedule="step",
            milestones=(0.67,),
            clip_norm=0.1,
        ),
        budget=BudgetConfig(epochs=300),
        ema=EmaConfig(decay=None),
        batch_size=4,
        accumulate=4,
    )


def detr_resnet50_boxes() -> TrainConfig:
    """The first of the paper's two steps (Carion et al., 2020): boxes alone.

    Command: ``delineate train DATA --recipe detr_resnet50_boxes --out boxes``
    Hardware: one GPU, not tried; the paper took three days on sixteen.
    AP: not measured here; 42.0 of boxes on COCO as published, after 500 epochs.
    """
    recipe = detr_resnet50()
    return replace(recipe, model=recipe.model.replace(masks=False))


def detr_resnet50_masks() -> TrainConfig:
    """The second of the paper's two steps: the mask head alone, on the boxes of the first.

    Command: ``delineate train DATA --recipe detr_resnet50_masks --out run --set pretrained=boxes``
    Hardware: one GPU, not tried.
    AP: not measured here; PQ 43.4 on COCO as published, with stuff among the queries.
    """
    recipe = detr_resnet50()
    return replace(
        recipe,
        model=recipe.model.replace(freeze_boxes=True),
        pretrained=None,
        budget=BudgetConfig(epochs=25),
        optim=replace(recipe.optim, milestones=(0.6,)),
    )


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "detr_nano": detr_nano,
    "detr_resnet50": detr_resnet50,
    "detr_resnet50_boxes": detr_resnet50_boxes,
    "detr_resnet50_masks": detr_resnet50_masks,
}
"""Name -> recipe."""
