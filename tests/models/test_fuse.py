"""The inference copy says the same, and the model stays as it was."""

import pytest
import torch
from torch import nn

from delineate.models.fuse import fold, optimize_for_inference
from delineate.models.layers import ConvNorm, FrozenBatchNorm2d
from delineate.models.resnet import RESNETS, BasicBlock, ResNet
from delineate.models.timm_backbone import TimmBackbone


def unsettle(model: nn.Module) -> None:
    """Give norms statistics that matter."""
    random = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d | FrozenBatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5, generator=random)
            layer.bias.data.normal_(0, 0.2, generator=random)
            layer.running_mean.normal_(0, 0.2, generator=random)
            layer.running_var.uniform_(0.5, 1.5, generator=random)


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, FrozenBatchNorm2d])
@pytest.mark.parametrize("bias", [True, False])
def test_fold_keeps_the_function(kind, bias):
    block = nn.Sequential(nn.Conv2d(3, 5, 3, bias=bias), kind(5, eps=1e-3)).eval()
    unsettle(block)
    x = torch.randn(2, 3, 6, 6)
    expected = block(x)
    fold(block, "0", "1")
    assert isinstance(block[1], nn.Identity)
    torch.testing.assert_close(block(x), expected, rtol=1e-5, atol=1e-5)


def test_fold_leaves_other_pairs_alone():
    block = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.BatchNorm2d(5))
    fold(block, "0", "1")
    fold(block, "1", "2")
    assert [type(part) for part in block] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d]


@pytest.mark.parametrize("norm", ["frozen", "batch"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_resnet_has_no_norm_left(name, norm):
    block, depths = RESNETS[name]
    net = ResNet(block, depths, norm=norm).double().eval()  # double: rounding grows with depth
    unsettle(net)
    copied = optimize_for_inference(net)
    assert not [m for m in copied.modules() if isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d)]
    x = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        for ours, expected in zip(copied(x), net(x), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_every_map_is_right_where_blocks_overwrite_their_input(name, small):
    block, depths = RESNETS[name]
    net = ResNet(block, depths, norm="batch", small_stem=small).eval()
    unsettle(net)
    copied, x = optimize_for_inference(net), torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for ours, expected in zip(copied(x), net(x), strict=True):
            assert (ours - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_a_block_of_its_own_leaves_its_input_alone():
    block = nn.Sequential(BasicBlock(16, 16, 1, "batch", 1e-5, False)).eval()
    x = torch.randn(1, 16, 8, 8).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        given = x.clone()
        optimize_for_inference(block)(given)
    assert torch.equal(given, x)


def test_the_model_itself_is_untouched():
    net = nn.Sequential(ConvNorm(3, 4, 3, norm="batch")).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    copied = optimize_for_inference(net)
    assert net.training
    assert net[0][0].bias is None
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert not copied.training
    assert not any(p.requires_grad for p in copied.parameters())


def test_weights_are_channels_last():
    copied = optimize_for_inference(nn.Sequential(ConvNorm(8, 8, 3)))
    assert copied[0][0].conv.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050"])
@pytest.mark.parametrize("frozen", [True, False])
def test_backbones_of_timm_stay_right(name, frozen):
    """Some of their norms activate and some of their convolutions pad: those are left alone."""
    net = TimmBackbone(name, strides=(8, 32), frozen_norm=frozen).eval()
    unsettle(net)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        for ours, expected in zip(optimize_for_inference(net)(x), net(x), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)
