"""YOLACT: what we actually run; see `delineate.recipes.mask_rcnn` for what a recipe is."""

from collections.abc import Callable
from dataclasses import replace

from delineate.models.zoo import MODELS
from delineate.recipes.mask_rcnn import mask_rcnn_nano
from delineate.train.config import AugmentConfig, BudgetConfig, OptimConfig, TrainConfig


def yolact_nano() -> TrainConfig:
    """Small and dense objects, from random weights, on a laptop's CPU, in one stage.

    Everything but the network is as in `mask_rcnn_nano`, so that the two can be compared.

    Command: ``delineate train nuclei_dsb2018 --recipe yolact_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.3
    AP: 0.38 on the nuclei of DSB 2018, 0.43 on gothic prints, 15 minutes each; see
    benchmarks/results/families.json.
    """
    entry = MODELS["yolact_nano"]
    return replace(mask_rcnn_nano(), model=entry.config, preprocess=entry.preprocess)


def yolact_resnet50() -> TrainConfig:
    """Photographs, as published (Bolya et al., 2019): ResNet-50 from ImageNet, squares of 550.

    Command: ``delineate train DATA --recipe yolact_resnet50 --out run``
    Hardware: one GPU, not tried; the paper took four to five days on COCO.
    AP: not measured here; 28.2 on COCO test-dev as published.
    """
    entry = MODELS["yolact_resnet50"]
    return TrainConfig(
        model=entry.config,
        preprocess=entry.preprocess,
        anchors="model",
        pretrained="resnet50:imagenet1k_v1",
        augment=AugmentConfig(crop=550, scale=(0.5, 1.5)),
        optim=OptimConfig(
            name="sgd",
            lr=1e-3,
            weight_decay=5e-4,
            schedule="step",
            milestones=(0.35, 0.75, 0.875, 0.9375),
        ),
        budget=BudgetConfig(epochs=54),
        batch_size=8,
    )


def yolact_resnet101() -> TrainConfig:
    """Photographs, as published (Bolya et al., 2019): ResNet-101 from ImageNet, squares of 550.

    Command: ``delineate train DATA --recipe yolact_resnet101 --out run``
    Hardware: one GPU, not tried.
    AP: not measured here; 29.8 on COCO test-dev as published.
    """
    entry = MODELS["yolact_resnet101"]
    return replace(yolact_resnet50(), model=entry.config, pretrained="resnet101:imagenet1k_v1")


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "yolact_nano": yolact_nano,
    "yolact_resnet50": yolact_resnet50,
    "yolact_resnet101": yolact_resnet101,
}
"""Name -> recipe."""
