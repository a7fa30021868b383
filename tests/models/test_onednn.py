"""Convolutions that add and activate in one pass compute what the single steps compute."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from delineate.models import onednn
from delineate.models.onednn import ConvReLU, FusedResidual, can_fuse


def layer(inputs: int, outputs: int, kernel: int, **options) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, **options)
    return conv.to(memory_format=torch.channels_last).requires_grad_(False)


def picture(channels: int) -> torch.Tensor:
    return torch.randn(2, channels, 9, 7).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"bias": False}, {"groups": 4}])
@pytest.mark.parametrize("count", [2, 0])
def test_conv_relu(options, count):
    conv, x = layer(16, 32, 3, **options), picture(16)[:count]
    with torch.inference_mode():
        torch.testing.assert_close(ConvReLU(conv)(x), F.relu(conv(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(9, 7), (1, 1)])
@pytest.mark.parametrize("memory", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("overwrites", [True, False])
@pytest.mark.parametrize("projects", [True, False])
def test_residual(projects, overwrites, memory, size):
    convs = [layer(16, 8, 1), layer(8, 8, 3), layer(8, 16, 1)]
    shortcut = layer(16, 16, 1) if projects else None
    x = torch.randn(2, 16, *size).to(memory_format=memory)
    hidden = convs[2](F.relu(convs[1](F.relu(convs[0](x)))))
    expected = F.relu(hidden + (shortcut(x) if shortcut else x))
    block, given = FusedResidual(convs, shortcut, overwrites=overwrites), x.clone()
    with torch.inference_mode():
        torch.testing.assert_close(block(given), expected, rtol=1e-5, atol=1e-5)
    if projects or not overwrites:
        assert torch.equal(given, x)


def test_no_pictures():
    with torch.inference_mode():
        found = FusedResidual([layer(16, 8, 1), layer(8, 16, 1)], None)(picture(16)[:0])
    assert found.shape == (0, 16, 9, 7)


def test_the_result_is_written_over_the_input():
    """Only the operators of oneDNN do so: this is what shows that they are used."""
    if not onednn._operators_work():
        pytest.skip("this build of torch has no fused convolutions")
    x = picture(16)
    with torch.inference_mode():
        found = FusedResidual([layer(16, 8, 1), layer(8, 16, 1)], None, overwrites=True)(x)
    assert found.data_ptr() == x.data_ptr()


def test_without_the_operators_the_same_is_computed(monkeypatch):
    monkeypatch.setattr(onednn, "_operators_work", lambda: False)
    convs, x = [layer(16, 8, 3), layer(8, 16, 1)], picture(16)
    expected = F.relu(convs[1](F.relu(convs[0](x))) + x)
    with torch.inference_mode():
        found = FusedResidual(convs, None, overwrites=True)(x)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_other_precisions_take_single_steps():
    convs, x = [layer(16, 8, 1).double(), layer(8, 16, 1).double()], picture(16).double()
    expected = F.relu(convs[1](F.relu(convs[0](x))) + x)
    with torch.inference_mode():
        torch.testing.assert_close(FusedResidual(convs, None)(x.clone()), expected)


def test_gradients_take_single_steps():
    conv, x = layer(16, 8, 3), picture(16).requires_grad_()
    ConvReLU(conv)(x).sum().backward()
    assert x.grad is not None


def test_what_can_be_fused():
    assert can_fuse(nn.Conv2d(3, 3, 3, padding=1))
    assert not can_fuse(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"))
    assert not can_fuse(nn.Conv2d(3, 3, 3, padding="same"))
    assert not can_fuse(nn.Linear(3, 3))


def test_nothing_is_drawn_at_random():
    """A run that is resumed asks for the operators at another moment than one that was not."""
    before = torch.get_rng_state()
    onednn._operators_work.cache_clear()
    onednn._operators_work()
    assert torch.equal(torch.get_rng_state(), before)
