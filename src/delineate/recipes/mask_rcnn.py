"""Mask R-CNN: what we actually run.

A recipe is a function that returns a full `TrainConfig`; a variant calls another recipe and
replaces what differs. Nothing is inherited and nothing is looked up elsewhere: what you read is
what runs.

    delineate train my-data --recipe mask_rcnn_nano --out run --set budget.minutes=30
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


def mask_rcnn_nano() -> TrainConfig:
    """Small and dense objects, from random weights, on a laptop's CPU.

    The scale of the images and the anchors are fitted to the objects; the schedule follows the
    clock and ends, validation included, within its minutes.

    Command: ``delineate train nuclei_dsb2018 --recipe mask_rcnn_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.3
    AP: 0.45 on the nuclei of DSB 2018; see benchmarks/results/nuclei.json and docs/log.md.
    """
    entry = MODELS["maskrcnn_nano"]
    return TrainConfig(
        model=entry.config,
        preprocess=entry.preprocess,
        image_scale="auto",
        augment=AugmentConfig(
            crops_by_area=True, scale=(0.7, 1.4), vertical_flip=0.5, quarter_turns=True
        ),
        optim=OptimConfig(lr=2e-3, weight_decay=0.05),
        budget=BudgetConfig(minutes=19),
        ema=EmaConfig(decay=0.998),
        batch_size=8,
        validate_every=0.2,
    )


def mask_rcnn_resnet18() -> TrainConfig:
    """Photographs: ResNet-18 from ImageNet, feature pyramid, images of 512 pixels.

    Command: ``delineate train DATA --recipe mask_rcnn_resnet18 --out run``
    Hardware: one GPU.
    AP: not measured yet.
    """
    entry = MODELS["maskrcnn_resnet18_fpn"]
    return TrainConfig(
        model=entry.config,
        preprocess=replace(entry.preprocess, min_size=512, max_size=853),
        pretrained="resnet18:imagenet1k_v1",
        augment=AugmentConfig(crop=512),
        optim=OptimConfig(lr=2e-4, backbone_lr_factor=0.5),
        budget=BudgetConfig(epochs=24),
        batch_size=8,
    )


def mask_rcnn_resnet50() -> TrainConfig:
    """Photographs: ResNet-50 from ImageNet, feature pyramid, images of 800 pixels.

    Command: ``delineate train DATA --recipe mask_rcnn_resnet50 --out run``
    Hardware: one GPU.
    AP: not measured yet.
    """
    entry = MODELS["maskrcnn_resnet50_fpn"]
    return replace(
        mask_rcnn_resnet18(),
        model=entry.config,
        preprocess=entry.preprocess,
        pretrained="resnet50:imagenet1k_v1",
        optim=OptimConfig(lr=1e-4, backbone_lr_factor=0.5),
        augment=AugmentConfig(crop=None, scale=(0.8, 1.0)),
        data=DataConfig(group_by_size=True),
    )


def panoptic_fpn_nano() -> TrainConfig:
    """Things and stuff, from random weights, on a laptop's CPU: `mask_rcnn_nano` and a stuff head.

    The data set is panoptic: COCO's JSON with the maps beside it. The classes of its stuff are
    learnt, too, and the best checkpoint is that of the best panoptic quality.

    Command: ``delineate train my-panoptic-data --recipe panoptic_fpn_nano --out run``
    Hardware: 2 CPU cores.
    Hours: 0.3
    PQ: not measured by a command of this repository; 0.21 in a trial on streets, see docs/log.md.
    """
    recipe = mask_rcnn_nano()
    return replace(
        recipe,
        model=recipe.model.replace(stuff_channels=64, stuff_area=256),
        stuff="auto",
        augment=replace(recipe.augment, vertical_flip=0.0, quarter_turns=False),
    )


def panoptic_fpn_resnet50() -> TrainConfig:
    """Photographs, things and stuff: ResNet-50 from ImageNet, as Panoptic FPN (2019).

    Command: ``delineate train DATA --recipe panoptic_fpn_resnet50 --out run``
    Hardware: one GPU, not tried.
    PQ: not measured here; 41.5 on COCO as published, in detectron2's three times longer schedule.
    """
    recipe = mask_rcnn_resnet50()
    return replace(recipe, stuff="auto")


RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "mask_rcnn_nano": mask_rcnn_nano,
    "mask_rcnn_resnet18": mask_rcnn_resnet18,
    "mask_rcnn_resnet50": mask_rcnn_resnet50,
    "panoptic_fpn_nano": panoptic_fpn_nano,
    "panoptic_fpn_resnet50": panoptic_fpn_resnet50,
}
"""Name -> recipe."""
