"""Weights of classes in the losses of every family."""

import pytest
import torch
import torch.nn.functional as F

from contract.cases import CLASSES, batch, truth
from contract.families import FAMILIES
from delineate.models.api import Target
from delineate.models.detr.losses import set_losses
from delineate.models.detr.matching import Match
from delineate.models.mask_query.losses import varifocal
from delineate.models.yolact.config import YolactConfig
from delineate.models.yolact.losses import class_loss
from delineate.models.zoo import MODELS, build
from delineate.ops.losses import classes
from delineate.ops.matching import IGNORED

CASES = {
    "mask_rcnn, background first": ("maskrcnn_nano", {"background": "first"}, {"class"}),
    "mask_rcnn, background last": ("maskrcnn_nano", {"background": "last"}, {"class"}),
    "yolact, all anchors": ("yolact_nano", {"class_loss": "focal"}, {"class"}),
    "yolact, the hardest": ("yolact_nano", {"class_loss": "hard_negatives"}, {"class"}),
    "detr": ("detr_resnet50", {"backbone": "slim"}, {"class", "auxiliary"}),
    "mask_query": ("detr_nano", {}, {"token_class", "class", "class_1"}),
}
"""Of a model of the zoo with some options, which losses tell classes apart."""

WEIGHTS = torch.tensor([0.5, 3.0, 1.0])


def learnt(case, weights, *, labels=(0, 1, 2)):
    """Return the losses of a step, and the gradients of their sum."""
    name, options, _ = CASES[case]
    family = FAMILIES[MODELS[name].config.family]
    torch.manual_seed(0)
    model = build(name, classes=CLASSES, **{**family.small, **options}).train()
    family.spread(model)
    boxes = [(4, 4, 40, 40), (50, 10, 90, 60), (0, 0, 96, 64)]
    targets = [truth(*boxes), truth(boxes[0])]
    targets = [t._replace(labels=torch.tensor(labels)[: len(t.labels)]) for t in targets]
    losses = model.losses(*batch(), targets, weights)
    sum(losses.values()).backward()
    return losses, [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("case", CASES)
def test_weights_of_one_change_no_bit(case):
    plain, weighed = learnt(case, None), learnt(case, torch.ones(CLASSES))
    assert plain[0] == weighed[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1], weighed[1], strict=True))


@pytest.mark.parametrize("case", CASES)
def test_weights_change_what_tells_classes_apart_and_nothing_else(case):
    plain, weighed = learnt(case, None)[0], learnt(case, WEIGHTS)[0]
    assert {n for n in plain if plain[n] != weighed[n]} == CASES[case][2]


@pytest.mark.parametrize("case", CASES)
def test_weights_of_classes_that_are_not_there_change_nothing(case):
    """The background keeps its weight, whichever slot it has."""
    labels = (0, 0, 0)
    plain = learnt(case, None, labels=labels)[0]
    assert learnt(case, torch.tensor([1.0, 7, 9]), labels=labels)[0] == plain
    assert learnt(case, torch.tensor([2.0, 1, 1]), labels=labels)[0] != plain


def test_torchs_own_weighted_cross_entropy_with_its_gradient():
    """torch divides by the sum of the weights, we by the number of examples."""
    logits = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    target = torch.arange(20) % 4
    weights = torch.tensor([1.0, 0.5, 4.0, 2.0])
    mine, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found = classes(mine, target, weights)
    expected = torch.nn.CrossEntropyLoss(weights)(theirs, target) * weights[target].sum() / 20
    torch.testing.assert_close(found, expected)
    found.backward()
    expected.backward()
    torch.testing.assert_close(mine.grad, theirs.grad)


def matched_anchors():
    """Six anchors: of objects 0 and 1, three of background, one that counts for nothing."""
    logits = torch.randn(1, 6, CLASSES + 1, generator=torch.Generator().manual_seed(2))
    target = Target(torch.zeros(2, 4), torch.tensor([1, 2]), None)
    return logits, [target], torch.tensor([[0, 1, -1, -1, -1, IGNORED]])


def test_yolact_weighs_positives_and_not_the_background():
    logits, targets, matched = matched_anchors()
    config = YolactConfig(class_loss="hard_negatives")
    found = class_loss(logits, targets, matched, config, WEIGHTS)
    each = F.cross_entropy(logits[0, :5], torch.tensor([2, 3, 0, 0, 0]), reduction="none")
    expected = (each * torch.tensor([3.0, 1, 1, 1, 1])).sum() / 2
    torch.testing.assert_close(found, expected)


def test_yolacts_focal_loss_is_weighed_too():
    logits, targets, matched = matched_anchors()
    config = YolactConfig(class_loss="focal")
    found = class_loss(logits, targets, matched, config, WEIGHTS)
    of_truth = logits[0, :5].softmax(1)[torch.arange(5), torch.tensor([2, 3, 0, 0, 0])]
    alpha = torch.tensor([0.25 * 3, 0.25, 0.75, 0.75, 0.75])
    expected = -(alpha * (1 - of_truth) ** 2 * of_truth.log()).sum() / 2
    torch.testing.assert_close(found, expected)


def test_detr_weighs_in_its_mean():
    """Two queries answer for classes 1 and 2, one for nothing: weights 3, 1 and 0.1.

    What "no object" adds is as without class weights: 0.1 of 2.1.
    """
    logits = torch.randn(1, 3, CLASSES + 1, generator=torch.Generator().manual_seed(3))
    boxes = torch.full((1, 3, 4), 0.5)
    match = Match(torch.tensor([0, 2]), torch.tensor([0, 1]))
    options = {"objects": 2.0, "no_object_weight": 0.1, "class_weights": WEIGHTS}
    truths = [(torch.tensor([1, 2]), boxes[0, :2])]
    found = set_losses(logits, boxes, truths, [match], **options)["class"]
    each = F.cross_entropy(logits[0], torch.tensor([1, CLASSES, 2]), reduction="none")
    torch.testing.assert_close(found, (each * torch.tensor([3, 0.1, 1])).sum() / 2.1)


def test_mask_query_weighs_what_is_there():
    """Scores of the class that is there count by its weight, all others as little as before."""
    logits = torch.randn(4, CLASSES, generator=torch.Generator().manual_seed(4))
    wanted = torch.zeros(4, CLASSES)
    wanted[0, 1], wanted[2, 0] = 0.8, 0.3
    ratio = varifocal(logits, wanted, WEIGHTS) / varifocal(logits, wanted)
    expected = torch.ones(4, CLASSES)
    expected[0, 1], expected[2, 0] = 3, 0.5
    torch.testing.assert_close(ratio, expected)
