"""Our ResNet against torchvision's, weights and all."""

import pytest
import torch
import torchvision
from torch import nn

from delineate.models.layers import FrozenBatchNorm2d
from delineate.models.resnet import RESNETS, BasicBlock, Bottleneck, ResNet


def build(name: str, **options) -> ResNet:
    block, depths = RESNETS[name]
    return ResNet(block, depths, **options)


def image(height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))


def torchvision_maps(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    maps = []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        x = stage(x)
        maps.append(x)
    return maps


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
@pytest.mark.parametrize("norm", ["frozen", "batch"])
def test_takes_torchvision_s_weights_and_gives_its_maps(name, norm):
    theirs = getattr(torchvision.models, name)().eval()
    random = torch.Generator().manual_seed(1)
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1, generator=random)
            layer.running_var.uniform_(0.5, 1.5, generator=random)
    state = {k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    if norm == "frozen":
        state = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    ours = build(name, norm=norm).eval()
    ours.load_state_dict(state)
    with torch.inference_mode():
        for got, expected in zip(ours(image()), torchvision_maps(theirs, image()), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(RESNETS))
def test_has_torchvision_s_parameters(name):
    with torch.device("meta"):
        theirs, ours = getattr(torchvision.models, name)(), build(name, norm="batch")
    expected = {k: v.shape for k, v in theirs.state_dict().items() if not k.startswith("fc.")}
    assert {k: v.shape for k, v in ours.state_dict().items()} == expected


def test_returns_the_wanted_strides_and_builds_no_further():
    net = build("resnet18", strides=(4, 16))
    assert net.features == ((64, 256), (4, 16))
    assert not hasattr(net, "layer4")
    assert [tuple(m.shape) for m in net(image())] == [(1, 64, 16, 24), (1, 256, 4, 6)]


def test_small_stem_reaches_the_same_strides_with_its_own_widths():
    net = ResNet(BasicBlock, (1, 1, 1, 1), widths=(8, 12, 16, 20, 24), small_stem=True)
    assert net.conv1.weight.shape == (8, 3, 3, 3)
    assert net.features == ((12, 16, 20, 24), (4, 8, 16, 32))
    expected = [(1, 12, 16, 24), (1, 16, 8, 12), (1, 20, 4, 6), (1, 24, 2, 3)]
    assert [tuple(m.shape) for m in net(image())] == expected


def test_sizes_round_up():
    sizes = [tuple(m.shape[-2:]) for m in build("resnet18")(image(65, 97))]
    assert sizes == [(17, 25), (9, 13), (5, 7), (3, 4)]


@pytest.mark.parametrize(("in_1x1", "strides"), [(False, (1, 2)), (True, (2, 1))])
def test_the_stride_sits_where_asked(in_1x1, strides):
    block = build("resnet50", stride_in_1x1=in_1x1).layer2[0]
    assert (block.conv1.stride[0], block.conv2.stride[0]) == strides
    assert block(torch.randn(1, 256, 8, 8)).shape == (1, 512, 4, 4)


def test_eps_reaches_every_norm():
    norms = [m for m in build("resnet50", eps=0.0).modules() if isinstance(m, FrozenBatchNorm2d)]
    assert len(norms) == 53
    assert {norm.eps for norm in norms} == {0.0}


@pytest.mark.parametrize("name", ["resnet18", "resnet101"])
@pytest.mark.parametrize("norm", ["frozen", "batch"])
def test_random_weights_keep_activations_in_range_at_any_depth(name, norm):
    torch.manual_seed(0)
    net = build(name, norm=norm)
    with torch.no_grad():
        spread = [m.std().item() for m in net(image())]
    assert all(0.1 < s < 30 for s in spread), spread


def test_gradients_reach_the_stem():
    net = build("resnet18", norm="batch")
    sum(m.sum() for m in net(image())).backward()
    assert net.conv1.weight.grad.abs().sum() > 0


def test_basic_and_bottleneck_blocks_end_in_relu():
    for block, channels in ((BasicBlock, 8), (Bottleneck, 32)):
        layer = block(channels, 8, 1, norm="frozen", eps=1e-5, stride_in_1x1=False)
        assert (layer(torch.randn(1, channels, 5, 5)) >= 0).all()


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_dilated_last_stage_is_torchvision_s(name):
    with torch.device("meta"):
        theirs = getattr(torchvision.models, name)(
            replace_stride_with_dilation=[False, False, True]
        )
        ours = build(name, dilated="rest")
    for part, expected in theirs.layer4.named_modules():
        if isinstance(expected, nn.Conv2d):
            assert repr(ours.layer4.get_submodule(part)) == repr(expected)
    assert ours.features == ((256, 512, 1024, 2048), (4, 8, 16, 16))


def test_dilated_maps_have_stride_16_and_the_same_weights():
    plain, dilated = build("resnet18"), build("resnet18", dilated="rest")
    dilated.load_state_dict(plain.state_dict())
    with torch.inference_mode():
        *fine, last = dilated(image())
        *expected, _ = plain(image())
    assert last.shape[-2:] == fine[-1].shape[-2:] == (4, 6)
    assert all(torch.equal(got, wanted) for got, wanted in zip(fine, expected, strict=True))
