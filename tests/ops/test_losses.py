"""Losses, by hand and for no examples."""

import math

import pytest
import torch

from delineate.ops.losses import binary, class_focal, classes, slot_weights, smooth_l1


def test_smooth_l1_is_quadratic_then_linear():
    predicted = torch.tensor([[0.05, 0.5, 0.0, 0.0]])
    loss = smooth_l1(predicted, torch.zeros(1, 4), beta=0.1, examples=4)
    assert loss.item() == pytest.approx((0.5 * 0.05**2 / 0.1 + (0.5 - 0.05)) / 4)


def test_binary_is_a_mean():
    loss = binary(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
    assert loss.item() == pytest.approx((math.log(2) + math.log1p(math.exp(2))) / 2)


def test_classes_is_a_mean():
    loss = classes(torch.zeros(2, 4), torch.tensor([0, 3]))
    assert loss.item() == pytest.approx(math.log(4))


def test_weighed_classes_by_hand():
    """An example of weight 3 is as three of weight 1, in a mean that is still over all."""
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.5], [-1.0, 0.0]])
    target = torch.tensor([0, 1, 1])
    found = classes(logits, target, torch.tensor([1.0, 3.0]))
    thrice = classes(logits[[0, 1, 1, 1, 2, 2, 2]], target[[0, 1, 1, 1, 2, 2, 2]])
    assert found.item() == pytest.approx(thrice.item() * 7 / 3, rel=1e-6)


def test_slots_of_classes_and_background():
    weights = torch.tensor([2.0, 3.0])
    assert slot_weights(weights, background=0).tolist() == [1, 2, 3]
    assert slot_weights(weights, background=2).tolist() == [2, 3, 1]
    assert slot_weights(None, background=0) is None


def test_no_examples_give_zero_with_a_gradient():
    logits = torch.zeros(0, 4, requires_grad=True)
    total = (
        smooth_l1(logits, torch.zeros(0, 4), beta=0.1, examples=0)
        + binary(logits, torch.zeros(0, 4))
        + classes(logits, torch.zeros(0, dtype=torch.int64))
        + classes(logits, torch.zeros(0, dtype=torch.int64), torch.full((4,), 2.0))
    )
    total.backward()
    assert total.item() == 0
    assert logits.grad is not None


def test_half_precision_comes_out_as_float32():
    logits = torch.full((1, 4), 300.0, dtype=torch.float16)
    losses = [
        smooth_l1(logits, torch.zeros(1, 4), beta=0.1, examples=1),
        binary(logits, torch.zeros(1, 4)),
        classes(logits, torch.zeros(1, dtype=torch.int64)),
    ]
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses)


def test_focal_by_hand():
    """Background known with 0.9 and a class with 0.25, of two classes."""
    shares = torch.tensor([[0.9, 0.05, 0.05], [0.5, 0.25, 0.25]])
    loss = class_focal(shares.log(), torch.tensor([0, 2]), gamma=2.0, alpha=0.25)
    expected = -0.75 * 0.1**2 * math.log(0.9) - 0.25 * 0.75**2 * math.log(0.25)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert class_focal(torch.zeros(0, 3), torch.zeros(0).long(), gamma=2.0, alpha=0.25) == 0
    weighed = class_focal(
        shares.log(), torch.tensor([0, 2]), torch.tensor([1.0, 5, 7]), gamma=2.0, alpha=0.25
    )
    expected -= 6 * 0.25 * 0.75**2 * math.log(0.25)
    assert weighed.item() == pytest.approx(expected, rel=1e-5)
