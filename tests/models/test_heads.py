"""Box and mask heads, against plainer ways to say the same."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from delineate.errors import ConfigError
from delineate.models.mask_rcnn.heads import BoxHead, BoxPredictor, MaskHead, StageHead


def pooled(count: int, channels: int, size: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(count, channels, size, size, generator=random)
    return x.contiguous(memory_format=torch.channels_last)


def test_box_head_shapes_and_names():
    head = BoxHead(8, 7, convs=4, conv_channels=6, norm="batch", fcs=1, width=10)
    assert head(pooled(3, 8, 7)).shape == (3, 10)
    assert head.convs[3][0].weight.shape == (6, 6, 3, 3)
    assert head.fcs[0].weight.shape == (10, 6 * 49)
    two = BoxHead(8, 7, convs=0, conv_channels=6, norm="none", fcs=2, width=10)
    assert list(two.state_dict()) == ["fcs.0.weight", "fcs.0.bias", "fcs.1.weight", "fcs.1.bias"]
    assert two(pooled(0, 8, 7)).shape == (0, 10)


@pytest.mark.parametrize("background", [0, 4])
def test_predictor_starts_at_its_prior(background):
    predictor = BoxPredictor(8, slots=5, delta_slots=4, background=background, prior=0.75)
    logits, deltas = predictor(torch.zeros(2, 8))
    assert deltas.shape == (2, 4, 4)
    probabilities = logits.softmax(dim=1)[0]
    assert probabilities[background].item() == pytest.approx(0.75)
    assert probabilities.sum().item() - 0.75 == pytest.approx(0.25)
    assert probabilities.min().item() == pytest.approx(0.25 / 4)


def all_masks(head: MaskHead, x: torch.Tensor) -> torch.Tensor:
    """The plain way: every mask of every box."""
    return head.logits(F.relu(head.deconv(head.convs(x))))


@pytest.mark.parametrize("convs", [0, 2])
def test_mask_head_computes_the_mask_of_one_class(convs):
    head = MaskHead(6, convs=convs, width=5, norm="none", slots=4)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    x, slots = pooled(3, 6, 14), torch.tensor([3, 0, 2])
    expected = all_masks(head, x)[torch.arange(3), slots]
    torch.testing.assert_close(head(x, slots), expected, rtol=1e-4, atol=1e-4)


def test_mask_head_gradient_equals_the_plain_way():
    head = MaskHead(6, convs=1, width=5, norm="none", slots=4)
    x, slots = pooled(3, 6, 4), torch.tensor([3, 0, 3])
    gradients = []
    for logits in (head(x, slots), all_masks(head, x)[torch.arange(3), slots]):
        head.zero_grad()
        logits.square().sum().backward()
        gradients.append([p.grad.clone() for p in head.parameters()])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain)


def test_no_boxes_have_no_masks():
    head = MaskHead(6, convs=2, width=5, norm="batch", slots=4)
    logits = head(pooled(0, 6, 14), torch.zeros(0, dtype=torch.int64))
    assert logits.shape == (0, 28, 28)
    logits.sum().backward()
    assert head.convs[0][1].running_mean.isfinite().all()


def stage_head(backbone):
    slim = {"slim_widths": (16, 24, 32, 40, 48), "slim_depths": (1, 1, 1, 2)}
    return StageHead(backbone, norm="frozen", eps=1e-5, stride_in_1x1=False, **slim)


def test_stage_head_halves_the_map():
    assert stage_head("resnet18")(pooled(2, 256, 14)).shape == (2, 512, 7, 7)
    assert stage_head("slim")(pooled(2, 40, 14)).shape == (2, 48, 7, 7)


def test_stage_head_needs_a_resnet():
    with pytest.raises(ConfigError, match="'timm/vgg16'"):
        stage_head("timm/vgg16")
