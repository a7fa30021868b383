"""What changes the weights: parameter groups, the course of the learning rate, the running average.

The learning rate is a pure function of the number of steps done and of the share of the budget
used, so there is no scheduler to save: a resumed run computes the same numbers again.
"""

import copy
import math
from itertools import chain
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from delineate.train.config import OptimConfig

Model = TypeVar("Model", bound=nn.Module)

_BACKBONE = "backbone."


def build_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """Return the optimizer of the trainable parameters of `model`.

    Tensors with fewer than two dimensions (norms, biases) are not decayed; parameters whose name
    starts with ``backbone.`` learn at `OptimConfig.backbone_lr_factor` times the rate.
    """
    groups = parameter_groups(model, config)
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999))


def parameter_groups(model: nn.Module, config: OptimConfig) -> list[dict[str, Any]]:
    """Split the trainable parameters by weight decay and by learning rate.

    Returns:
        Groups as torch takes them, none of them empty, each with an extra key ``lr_factor``.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            factor = config.backbone_lr_factor if name.startswith(_BACKBONE) else 1.0
            groups.setdefault((decay, factor), []).append(parameter)
    return [
        {"params": parameters, "weight_decay": decay, "lr_factor": factor}
        for (decay, factor), parameters in groups.items()
    ]


def learning_rate(config: OptimConfig, step: int, progress: float) -> float:
    """Return the learning rate of the next step.

    Args:
        config: The resolved optimizer options.
        step: Optimizer steps done so far.
        progress: Share of the budget used so far, 0 to 1.
    """
    assert config.warmup_steps != "auto"
    warmup = min(1.0, (step + 1) / (config.warmup_steps + 1))
    match config.schedule:
        case "cosine":
            half_wave = 0.5 * (1 + math.cos(math.pi * progress))
            course = config.min_lr_ratio + (1 - config.min_lr_ratio) * half_wave
        case "step":
            course = config.gamma ** sum(progress >= milestone for milestone in config.milestones)
        case "constant":
            course = 1.0
    return config.lr * warmup * course


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]


class Ema(Generic[Model]):
    """An exponential running average of a model's weights, itself a model ready to predict.

    Floating-point buffers (the running statistics of batch norm) are averaged like the weights they
    belong to; integer buffers (counters) are copied. The decay rises as
    min(decay, (1 + t) / (10 + t)), so that the average forgets the random start.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move the average towards `model` after optimizer step number `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        ours = chain(self.model.parameters(), self.model.buffers())
        theirs = chain(model.parameters(), model.buffers())
        for average, current in zip(ours, theirs, strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(current)
