"""Frozen batch norm, the convolution block, and the layer that reads a map."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from delineate.models.layers import ConvNorm, FrozenBatchNorm2d, MapLinear, norm_layer


def statistics(norm: nn.Module) -> nn.Module:
    random = torch.Generator().manual_seed(0)
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, name).data.uniform_(0.5, 2, generator=random)
    return norm


def test_frozen_equals_batch_norm_in_evaluation_mode():
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    frozen, trained = statistics(FrozenBatchNorm2d(3)), statistics(nn.BatchNorm2d(3)).eval()
    torch.testing.assert_close(frozen.train()(x), trained(x))


def test_frozen_with_eps_zero_by_hand():
    norm = FrozenBatchNorm2d(1, eps=0.0)
    norm.weight.fill_(2), norm.bias.fill_(1), norm.running_mean.fill_(3), norm.running_var.fill_(4)
    assert norm(torch.full((1, 1, 1, 1), 7.0)).item() == 2 * (7 - 3) / 2 + 1


def test_frozen_with_eps_zero_asks_torch_for_more(monkeypatch):
    """torch 2.11 refuses 0."""
    asked = []
    monkeypatch.setattr(F, "batch_norm", lambda x, *_, eps: asked.append(eps) or x)
    FrozenBatchNorm2d(1, eps=0.0)(torch.zeros(1, 1, 1, 1))
    [eps] = asked
    assert 0 < eps < 1e-30


def test_batch_norm_of_eps_zero_can_be_trained_on_torch_2_11_too():
    assert 0 < norm_layer("batch", 1, eps=0.0).eps < 1e-30


def test_frozen_has_no_parameters_and_four_buffers():
    norm = FrozenBatchNorm2d(3)
    assert list(norm.parameters()) == []
    assert list(norm.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert repr(norm) == "FrozenBatchNorm2d(3, eps=1e-05)"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("batch", nn.BatchNorm2d), ("frozen", FrozenBatchNorm2d), ("none", nn.Identity)],
)
def test_norm_layer(kind, expected):
    assert type(norm_layer(kind, 3)) is expected


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["0.weight", "0.bias"]),
        ({"norm": "frozen"}, ["0.weight", *(f"1.{n}" for n in FrozenBatchNorm2d(1).state_dict())]),
    ],
)
def test_conv_has_a_bias_only_without_a_norm(options, names):
    block = ConvNorm(3, 4, 3, **options)
    assert list(block.state_dict()) == names


def test_conv_keeps_or_divides_the_size():
    x = torch.randn(1, 3, 9, 8)
    assert ConvNorm(3, 4, 3)(x).shape == (1, 4, 9, 8)
    assert ConvNorm(3, 4, 3, stride=2)(x).shape == (1, 4, 5, 4)
    assert (ConvNorm(3, 4, 1, relu=False)(x) < 0).any()
    assert (ConvNorm(3, 4, 1)(x) >= 0).all()


@pytest.mark.parametrize("reordered", [False, True])
def test_map_linear_reads_channel_by_channel(reordered):
    layer, plain = MapLinear(6, 7, 5), nn.Linear(6 * 7 * 7, 5)
    plain.load_state_dict(layer.state_dict())
    if reordered:
        layer.read_channels_last()
        layer.read_channels_last()  # twice is once
    x = torch.randn(3, 6, 7, 7).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(layer(x), plain(x.contiguous().flatten(1)))
