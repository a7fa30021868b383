"""Losses of detectors, in float32, defined for no examples as well."""

import torch
import torch.nn.functional as F
from torch import Tensor


def smooth_l1(predicted: Tensor, target: Tensor, *, beta: float, examples: int) -> Tensor:
    """Return the summed smooth L1 distance divided by the number of examples.

    Args:
        predicted: ``(positives, 4)`` deltas of the positive examples.
        target: ``(positives, 4)``.
        beta: Below this distance the loss is quadratic (Girshick, Fast R-CNN, 2015).
        examples: Positives and negatives together; dividing by all of them keeps the weight of
            one object the same whether it has many positives or few.
    """
    loss = F.smooth_l1_loss(predicted.float(), target, beta=beta, reduction="sum")
    return loss / max(examples, 1)


def binary(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean binary cross-entropy; 0, with a gradient of 0, where there are no examples.

    Args:
        logits: Any shape.
        target: Same shape, probabilities in 0..1.
    """
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="sum")
    return loss / max(logits.numel(), 1)


def classes(logits: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean cross-entropy of ``logits (n, k)`` to ``target (n,)``; 0 where n is 0.

    Args:
        logits: ``(n, k)``.
        target: ``(n,)`` int64.
        weights: ``(k,)`` float32, by which each example's share in the mean is multiplied.
    """
    loss = F.cross_entropy(logits.float(), target, weights, reduction="sum")
    return loss / max(len(target), 1)


def slot_weights(class_weights: Tensor | None, *, background: int) -> Tensor | None:
    """Return the weights ``(C + 1,)`` of classes and background, which weighs 1; None of None.

    Args:
        class_weights: ``(C,)``.
        background: Its slot.
    """
    if class_weights is None:
        return None
    before, after = class_weights[:background], class_weights[background:]
    return torch.cat([before, class_weights.new_ones(1), after])


def class_focal(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    *,
    gamma: float,
    alpha: float,
) -> Tensor:
    """Return the summed focal loss of a softmax whose class 0 is the background.

    What is recognised already hardly counts (Lin et al., Focal Loss, 2017); the background weighs
    ``1 - alpha``, every class ``alpha``.

    Args:
        logits: ``(n, 1 + C)``.
        target: ``(n,)`` int64.
        weights: ``(1 + C,)`` float32, by which each example's loss is multiplied, too.
        gamma: Power with which the loss of easy examples fades.
        alpha: Weight of the classes.
    """
    logs = F.log_softmax(logits.float(), dim=1).gather(1, target[:, None])[:, 0]
    weight = alpha + (1 - 2 * alpha) * (target == 0)
    if weights is not None:
        weight = weight * weights[target]
    return -(weight * (1 - logs.exp()) ** gamma * logs).sum()
