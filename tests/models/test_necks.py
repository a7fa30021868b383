"""The feature pyramid, against torchvision's."""

import pytest
import torch
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from delineate.models.api import FeatureSpec
from delineate.models.necks import FPN

CHANNELS = (6, 8, 10)
SPEC = FeatureSpec(CHANNELS, (4, 8, 16))


def maps(sizes=((21, 30), (11, 15), (6, 8))) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, c, *size, generator=random) for c, size in zip(CHANNELS, sizes, strict=True)
    ]


def fpn(**options) -> FPN:
    return FPN(SPEC, 4, **({"norm": "none", "extra_level": True} | options))


@pytest.mark.parametrize("extra", [True, False])
def test_equals_torchvision_on_odd_sizes(extra):
    theirs = FeaturePyramidNetwork(list(CHANNELS), 4, LastLevelMaxPool() if extra else None)
    ours = fpn(extra_level=extra)
    renamed = {
        key.replace("inner_blocks", "lateral").replace("layer_blocks", "output"): value
        for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict(renamed)
    expected = theirs({str(number): x for number, x in enumerate(maps())}).values()
    for got, wanted in zip(ours(maps()), expected, strict=True):
        torch.testing.assert_close(got, wanted)


def test_says_what_it_returns():
    assert fpn().features == ((4,) * 4, (4, 8, 16, 32))
    assert fpn(extra_level=False).features == ((4,) * 3, (4, 8, 16))


def test_leaves_its_input_alone():
    given = maps()
    fpn()(given)
    assert all(map(torch.equal, given, maps()))


def test_gradients_with_batch_norm():
    net = fpn(norm="batch")
    sum(level.square().sum() for level in net(maps())).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
