"""Backbones from timm."""

import pytest
import torch
from torch import nn

from delineate.errors import ModelError
from delineate.models.timm_backbone import TimmBackbone


@pytest.mark.parametrize(
    ("name", "strides"),
    [
        ("resnet10t", (4, 8, 16, 32)),
        ("mobilenetv3_small_050", (8, 32)),
        ("swin_tiny_patch4_window7_224", (4, 32)),  # its maps are channels last
    ],
)
def test_maps_have_the_promised_channels_and_strides(name, strides):
    net = TimmBackbone(name, strides=strides, frozen_norm=False).eval()
    with torch.inference_mode():
        maps = net(torch.zeros(2, 3, 224, 224))
    assert net.features.strides == strides
    for features, channels, stride in zip(maps, *net.features, strict=True):
        assert features.shape == (2, channels, 224 // stride, 224 // stride)


def test_vgg_gives_its_last_map_of_each_stride():
    net = TimmBackbone("vgg11", strides=(4, 8, 16, 32), frozen_norm=True)
    assert net.features == ((256, 512, 512, 512), (4, 8, 16, 32))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_norm_leaves_no_trained_batch_norm(frozen):
    net = TimmBackbone("resnet10t", strides=(8,), frozen_norm=frozen)
    trained = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert bool(trained) is not frozen


def test_unknown_name():
    with pytest.raises(ModelError, match=r"'resnet5o'.*did you mean.*'resnet50'"):
        TimmBackbone("resnet5o", strides=(4,), frozen_norm=False)


def test_missing_stride_names_those_there_are():
    with pytest.raises(ModelError, match=r"\(4, 64\).*\(2, 4, 8, 16, 32\)"):
        TimmBackbone("resnet10t", strides=(4, 64), frozen_norm=False)
