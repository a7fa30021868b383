"""What a backbone's name means."""

import pytest
from torch import nn

from delineate.errors import ModelError
from delineate.models.backbones import build_backbone
from delineate.models.resnet import BasicBlock, Bottleneck, ResNet
from delineate.models.timm_backbone import TimmBackbone


def build(name: str) -> nn.Module:
    return build_backbone(
        name,
        strides=(4, 8),
        norm="batch",
        eps=1e-3,
        stride_in_1x1=False,
        slim_widths=(8, 8, 12, 16, 20),
        slim_depths=(1, 2, 1, 1),
    )


@pytest.mark.parametrize(
    ("name", "kind", "channels"),
    [
        ("resnet18", ResNet, (64, 128)),
        ("resnet50", ResNet, (256, 512)),
        ("slim", ResNet, (8, 12)),
        ("timm/resnet10t", TimmBackbone, (64, 128)),
    ],
)
def test_names(name, kind, channels):
    net = build(name)
    assert type(net) is kind
    assert net.features == (channels, (4, 8))


def test_options_arrive():
    slim = build("slim")
    assert isinstance(slim.layer1[0], BasicBlock)
    assert (len(slim.layer1), len(slim.layer2)) == (1, 2)
    assert slim.bn1.eps == 1e-3
    assert isinstance(build("resnet50").layer1[0], Bottleneck)


@pytest.mark.parametrize("name", ["resnet51", "vgg16", "timm/no_such_net"])
def test_unknown_names_are_an_error_that_helps(name):
    with pytest.raises(ModelError, match=r"did you mean|choose one of"):
        build(name)
