"""The whole model: which settings count when, and that it learns."""

import numpy as np
import pytest
import torch

from builders import Scene, tiny_scenes
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.models.api import SegModel, Target
from delineate.models.zoo import build

SIZE = (48, 64)
SMALL = {
    "anchor_sizes": ((12,), (24,), (48,), (96,)),
    "rpn_pre_nms_train": 100,
    "rpn_post_nms_train": 50,
    "roi_samples": 32,
}


def truth(scene: Scene) -> Instances:
    masks = Masks.from_bitmaps(scene.bitmaps, SIZE)
    return Instances(
        image_size=SIZE, boxes=masks.boxes(), labels=np.array(scene.labels), masks=masks
    )


def nano(**changes) -> SegModel:
    torch.manual_seed(0)
    return build("maskrcnn_nano", classes=2, **SMALL | changes)


def test_nano_learns_a_scene():
    scenes = tiny_scenes(2, size=SIZE)
    model = nano().train()
    images, sizes, where = model.prepare([scene.image for scene in scenes])
    targets = [Target.from_instances(truth(scene)) for scene in scenes]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.losses(images, sizes, targets).values()).backward()
        optimizer.step()
    with torch.inference_mode():
        results = model.eval().to_instances(model(images, sizes), where)
    for result, scene in zip(results, scenes, strict=True):
        wanted = truth(scene)
        found = result[: len(wanted)]  # the best ones
        assert (found.scores > 0.5).all()
        overlap = found.masks.iou(wanted.masks)
        assert (overlap.max(axis=0) > 0.6).all()
        assert (found.labels[overlap.argmax(axis=0)] == wanted.labels).all()


@pytest.mark.parametrize(("verb", "expected"), [("forward", (7, 5)), ("losses", (9, 6))])
def test_training_and_detection_have_their_own_numbers_of_proposals(verb, expected, monkeypatch):
    """They depend on what is asked, not on a mode."""
    counts = {
        "rpn_pre_nms": 7,
        "rpn_post_nms": 5,
        "rpn_pre_nms_train": 9,
        "rpn_post_nms_train": 6,
    }
    model = nano(**counts).train(verb == "forward")
    seen = []
    propose = model.rpn.propose

    def spy(*args, pre_nms, post_nms):
        seen.append((pre_nms, post_nms))
        return propose(*args, pre_nms=pre_nms, post_nms=post_nms)

    monkeypatch.setattr(model.rpn, "propose", spy)
    images, sizes = torch.zeros(2, 3, 64, 64), torch.tensor([[64, 64]] * 2)
    if verb == "forward":
        model(images, sizes)
    else:
        model.losses(images, sizes, [Target.from_instances(Instances.empty((64, 64)))] * 2)
    assert seen == [expected]


def test_features_are_channels_last_from_the_first_layer_on():
    model = nano().eval()
    with torch.inference_mode():
        maps = model._features(torch.zeros(1, 3, 64, 96))
    assert len(maps) == 4
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)


def test_the_extra_level_serves_proposals_only():
    model = nano(fpn_extra_level=True, anchor_sizes=((12,), (24,), (48,), (96,), (192,)))
    assert model.rpn.strides == (4, 8, 16, 32, 64)
    assert model.roi_heads.strides == (4, 8, 16, 32)
