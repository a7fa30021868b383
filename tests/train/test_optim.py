"""Groups, learning rate and running average, against numbers computed by hand."""

import math

import pytest
import torch
from torch import nn

from delineate.train.config import OptimConfig
from delineate.train.optim import Ema, build_optimizer, learning_rate, parameter_groups


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.head = nn.Linear(2, 1)


def test_norms_and_biases_are_not_decayed_and_the_backbone_learns_slower():
    net = Net()
    groups = parameter_groups(net, OptimConfig(weight_decay=0.1, backbone_lr_factor=0.5))
    found = {
        id(p): (group["weight_decay"], group["lr_factor"])
        for group in groups
        for p in group["params"]
    }
    assert {name: found[id(p)] for name, p in net.named_parameters()} == {
        "backbone.0.weight": (0.1, 0.5),
        "backbone.0.bias": (0.0, 0.5),
        "backbone.1.weight": (0.0, 0.5),
        "backbone.1.bias": (0.0, 0.5),
        "head.weight": (0.1, 1.0),
        "head.bias": (0.0, 1.0),
    }


def test_frozen_parameters_are_left_out():
    net = Net()
    net.backbone.requires_grad_(False)
    groups = parameter_groups(net, OptimConfig())
    assert sum(len(group["params"]) for group in groups) == 2


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_optimizer_is_the_one_asked_for(name, kind):
    optimizer = build_optimizer(Net(), OptimConfig(name=name, momentum=0.8))
    assert type(optimizer) is kind
    assert 0.8 in (optimizer.defaults.get("momentum"), optimizer.defaults.get("betas", (None,))[0])


def test_warm_up_is_linear_and_never_zero():
    config = OptimConfig(lr=1.0, schedule="constant", warmup_steps=3)
    assert [learning_rate(config, step, 0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_no_warm_up():
    config = OptimConfig(lr=1.0, schedule="constant", warmup_steps=0)
    assert learning_rate(config, 0, 0.0) == 1.0


def test_cosine_goes_from_the_top_to_its_smallest_ratio():
    config = OptimConfig(lr=2.0, warmup_steps=0, min_lr_ratio=0.1)
    assert learning_rate(config, 9, 0.0) == 2.0
    assert learning_rate(config, 9, 0.5) == pytest.approx(2 * 0.55)
    assert learning_rate(config, 9, 1.0) == pytest.approx(0.2)
    quarter = 0.1 + 0.9 * 0.5 * (1 + math.sqrt(0.5))
    assert learning_rate(config, 9, 0.25) == pytest.approx(2 * quarter)


def test_steps_drop_at_their_milestones():
    config = OptimConfig(lr=1.0, warmup_steps=0, schedule="step", milestones=(0.5, 0.75), gamma=0.1)
    rates = [learning_rate(config, 9, progress) for progress in (0.0, 0.49, 0.5, 0.75, 1.0)]
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_average_follows_with_a_decay_that_rises():
    net = nn.BatchNorm1d(1)
    ema = Ema(net, decay=0.5)
    for value, step in ((1.0, 0), (2.0, 1), (3.0, 100)):
        net.weight.data.fill_(value)
        net.running_mean.fill_(value)
        net.num_batches_tracked.fill_(step)
        ema.update(net, step)
    # decays 1/10, 2/11 and 1/2, starting from a weight of 1 and a running mean of 0
    weight = 1 / 2 * (2 / 11 * 1 + 9 / 11 * 2) + 1 / 2 * 3
    mean = 1 / 2 * (2 / 11 * 0.9 + 9 / 11 * 2) + 1 / 2 * 3
    assert ema.model.weight.item() == pytest.approx(weight)
    assert ema.model.running_mean.item() == pytest.approx(mean)
    assert ema.model.num_batches_tracked.item() == 100


def test_average_is_a_model_of_its_own():
    net = Net()
    ema = Ema(net, decay=0.9)
    assert not ema.model.training
    assert net.training
    assert not any(p.requires_grad for p in ema.model.parameters())
    net.head.weight.data.zero_()
    assert ema.model.head.weight.abs().sum() > 0
