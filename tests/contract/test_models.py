"""One battery that every model passes by standing in the table of the zoo."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from contract.cases import CLASSES, NAMES, SIZE, batch, detect, each, make, pictures, truth
from contract.families import FAMILIES, LIMIT, Family
from delineate.models import zoo
from delineate.models.api import BoxMasks, SegModel
from delineate.models.fuse import optimize_for_inference
from delineate.models.zoo import build


@pytest.fixture
def family(model) -> Family:
    return FAMILIES[model.family]


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name) -> SegModel:
    return make(name, seed=0)


@pytest.fixture(autouse=True)
def unchanged(model: SegModel) -> Iterator[None]:
    """Start in evaluation mode without gradients, and put back what a test changes."""
    state = {key: value.clone() for key, value in model.state_dict().items()}
    config = model.config
    model.eval().zero_grad()
    yield
    model.load_state_dict(state)
    model.config = config


def test_detections_are_what_the_contract_says(model, family):
    images, sizes = batch()
    sizes = sizes - torch.tensor([[0, 0], [14, 16]])
    found = detect(model, images, sizes)
    count = len(found.image)
    assert 2 <= count <= 2 * LIMIT
    assert found.image.dtype == found.labels.dtype == torch.int64
    assert all(part.dtype in (torch.int64, torch.float32) for part in found)
    assert found.boxes.dtype == found.scores.dtype == torch.float32
    assert found.boxes.shape == (count, 4)
    assert found.labels.shape == found.scores.shape == (count,)
    assert all(len(part) == count for part in each(found, family).values())
    assert (found.image.diff() >= 0).all()
    assert set(found.image.tolist()) == {0, 1}
    assert ((found.labels >= 0) & (found.labels < CLASSES)).all()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    if isinstance(found, BoxMasks):
        assert found.masks.shape == (count, *[found.masks.shape[-1]] * 2)
        assert ((found.masks >= 0) & (found.masks <= 1)).all()
    for number in (0, 1):
        assert (found.scores[found.image == number].diff() <= 0).all()
    height, width = sizes[found.image].unbind(1)
    x0, y0, x1, y1 = found.boxes.unbind(1)
    assert ((x0 >= 0) & (x0 < x1) & (x1 <= width) & (y0 >= 0) & (y0 < y1) & (y1 <= height)).all()


def test_losses_train_every_parameter(model, family):
    model.train()
    targets = [truth((4, 4, 40, 40), (50, 10, 90, 60), (0, 0, 96, 64)), truth((20, 20, 50, 50))]
    losses = model.losses(*batch(), targets)
    assert set(losses) == family.losses_of(model)
    assert all(loss.shape == () and loss.isfinite() and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    left_out = [name for name, p in model.named_parameters() if p.grad is None]
    broken = [name for name, p in model.named_parameters() if not p.grad.isfinite().all()]
    dead = [name for name, p in model.named_parameters() if not p.grad.any()]
    assert (left_out, broken, dead) == ([], [], [])


def test_the_first_loss_is_that_of_knowing_nothing(model, family):
    fresh = build(model.config, classes=CLASSES).train()
    losses = fresh.losses(*batch(), [truth((4, 4, 40, 40)), truth((20, 20, 50, 50))])
    assert {name for name, most in family.first.items() if losses[name] >= most} == set()


def test_images_without_objects_train_too(model, family):
    model.train()
    losses = model.losses(*batch(), [truth(), truth()])
    assert set(losses) == family.losses_of(model)
    assert {name for name, loss in losses.items() if loss == 0} == family.idle & set(losses)
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_chance_comes_from_the_seed_alone(model, family):
    targets = [truth((4, 4, 40, 40)), truth((20, 20, 50, 50))]
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        with torch.no_grad():
            losses = model.losses(*batch(), targets)
        results.append({name: loss.item() for name, loss in losses.items()})
    assert results[0] == results[1]
    assert (results[0] != results[2]) == family.draws


def test_odd_sizes_go_in_and_come_back(model):
    sizes = [(33, 71), (90, 47), (1, 1)]
    images, valid, where = model.prepare(pictures(*sizes))
    assert valid.tolist() == [list(size) for size in sizes]
    raw = detect(model, images, valid)
    results = model.to_instances(raw, where)
    assert [result.image_size for result in results] == sizes
    panoptic, labels = model.to_panoptic(raw, where), model.to_semantic(raw, where)
    assert [answer.image_size for answer in panoptic] == sizes
    assert [answer.shape for answer in labels] == sizes
    assert {answer.classes for answer in panoptic} == {model.panoptic_classes}
    assert len(results[0]) > 0
    for result in results:
        assert len(result.masks) == len(result)
        assert len(result) <= LIMIT
        assert (result.boxes >= 0).all()
        assert (result.boxes[:, 2:] <= np.array(result.image_size[::-1])).all()


def test_a_batch_gives_what_its_images_give_alone(model, family):
    images, sizes = batch()
    together = detect(model, images, sizes)
    for number in (0, 1):
        alone = detect(model, images[number : number + 1], sizes[number : number + 1])
        here = together.image == number
        for part, expected in each(together, family).items():
            if part != "image":
                got = getattr(alone, part)
                torch.testing.assert_close(got, expected[here], rtol=1e-4, atol=1e-4)


def test_asking_for_the_sure_alone_loses_none_of_them(model, family):
    images, sizes = batch()
    whole = detect(model, images, sizes)
    score = float(whole.scores.median())
    part = detect(model.with_score_threshold(score), images, sizes)
    sure, here = whole.scores >= score, part.scores >= score
    assert sure.any()
    for name, expected in each(whole, family).items():
        torch.testing.assert_close(getattr(part, name)[here], expected[sure], rtol=1e-4, atol=1e-4)
    assert len(detect(model, images, sizes).scores) == len(whole.scores)


def test_nothing_found_is_an_empty_result(model, family):
    family.silence(model)
    images, sizes, where = model.prepare(pictures(SIZE))
    found = detect(model, images, sizes)
    assert {len(part) for part in each(found, family).values()} == {0}
    (instances,) = model.to_instances(found, where)
    assert len(instances) == len(instances.masks) == len(instances.scores) == 0


def test_a_model_is_its_state_dict_config_classes_and_preprocess(model):
    config_class, model_class, _ = zoo.FAMILIES[model.family]
    config = config_class.from_json(json.loads(json.dumps(model.config.to_json())))
    copied = model_class(config, model.classes, model.preprocess).eval()
    copied.load_state_dict(model.state_dict())
    for got, expected in zip(detect(copied, *batch()), detect(model, *batch()), strict=True):
        assert torch.equal(got, expected)


def test_builds_without_memory(model):
    model_class = zoo.FAMILIES[model.family].model
    with torch.device("meta"):
        skeleton = model_class(model.config, model.classes, model.preprocess)
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in skeleton.state_dict().items()} == shapes
    assert all(value.is_meta for value in skeleton.state_dict().values())


def test_inference_copy_detects_the_same(model):
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_var.uniform_(0.8, 1.2, generator=torch.Generator().manual_seed(2))
    expected = detect(model, *batch())
    got = detect(optimize_for_inference(model), *batch())
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_mixed_precision_keeps_boxes_in_float32(model):
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = model.losses(*batch(), [truth((4, 4, 40, 40)), truth((20, 20, 50, 50))])
        found = detect(model.eval(), *batch())
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    assert all(part.dtype in (torch.int64, torch.float32) for part in found)
