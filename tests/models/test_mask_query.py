"""The family with mask kernels, where the battery of all models does not look."""

import numpy as np
import pytest
import torch

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.preprocess import Preprocess
from delineate.errors import ConfigError
from delineate.models.api import Target
from delineate.models.mask_query.config import MaskQueryConfig
from delineate.models.mask_query.model import MaskQuery
from delineate.models.zoo import build

SIZE = (64, 96)
CLASSES = 3
SMALL = {
    "slim_widths": (8, 8, 16, 16, 16),
    "slim_depths": (1, 1, 1, 1),
    "channels": 16,
    "queries": 20,
    "queries_train": 20,
    "score_threshold": 0.0,
    "detections_per_image": 6,
}


def make(seed: int = 0, **options) -> MaskQuery:
    """Build a small model whose random weights spread scores and boxes."""
    torch.manual_seed(seed)
    preprocess = Preprocess(resize="factor")
    model = build("detr_nano", classes=CLASSES, preprocess=preprocess, **{**SMALL, **options})
    with torch.no_grad():
        model.tokens.scores.weight *= 50
        model.tokens.reach.weight *= 20
    return model.eval()


def batch(count: int = 2):
    random = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, *SIZE, generator=random), torch.tensor([SIZE] * count)


def truth(*boxes, masks: bool = True) -> Target:
    bitmaps = np.zeros((len(boxes), *SIZE), dtype=bool)
    for bitmap, (x0, y0, x1, y1) in zip(bitmaps, boxes, strict=True):
        bitmap[y0:y1, x0:x1] = True
    drawn = Masks.from_bitmaps(bitmaps, SIZE)
    labels = np.arange(len(boxes)) % CLASSES
    return Target.from_instances(
        Instances(
            image_size=SIZE, boxes=drawn.boxes(), labels=labels, masks=drawn if masks else None
        )
    )


def detect(model, images, sizes):
    with torch.inference_mode():
        return model(images, sizes)


def test_every_detection_has_a_window_of_logits():
    found = detect(make(), *batch())
    assert len(found.image) == 12
    across = found.windows[:, 2:] - found.windows[:, :2]
    assert (across >= 1).all()
    assert (found.windows >= 0).all()
    assert (found.windows[:, 2:] <= torch.tensor([24, 16])).all()
    assert len(found.logits) == int(across.prod(dim=1).sum())


def test_a_batch_gives_what_its_images_give_alone():
    model, (images, sizes) = make(), batch()
    together = detect(model, images, sizes)
    areas = (together.windows[:, 2:] - together.windows[:, :2]).prod(dim=1)
    owner = together.image.repeat_interleave(areas)
    for number in (0, 1):
        alone = detect(model, images[number : number + 1], sizes[number : number + 1])
        here = together.image == number
        for name in ("boxes", "scores", "labels", "windows"):
            torch.testing.assert_close(
                getattr(alone, name), getattr(together, name)[here], rtol=1e-4, atol=1e-4
            )
        torch.testing.assert_close(
            alone.logits, together.logits[owner == number], rtol=1e-3, atol=1e-3
        )


@pytest.mark.parametrize("objects", [0, 1, 40])
def test_losses_are_finite_for_any_number_of_objects(objects):
    """40 objects are more than there are queries."""
    model = make().train()
    boxes = [(2 * n, n, 2 * n + 10, n + 12) for n in range(objects)]
    losses = model.losses(*batch(), [truth(*boxes), truth()])
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_without_masks_boxes_are_learned():
    model = make().train()
    losses = model.losses(*batch(), [truth((4, 4, 40, 40), masks=False)] * 2)
    assert losses["mask"] == losses["dice"] == losses["token_dice"] == 0
    assert losses["class"] > 0
    assert losses["box"] > 0


@pytest.mark.parametrize("layers", [0, 1])
def test_fewer_stages(layers):
    model = make(decoder_layers=layers).train()
    losses = model.losses(*batch(), [truth((4, 4, 40, 40))] * 2)
    assert len(losses) == 4 + 4 * layers
    assert len(detect(model.eval(), *batch()).image) > 0


def test_learns_two_objects_by_heart():
    """A few dozen steps from random weights: both objects, each once, with its mask."""
    torch.manual_seed(0)
    model = build("detr_nano", classes=2, preprocess=Preprocess(resize="factor"), **SMALL).train()
    image = np.zeros((*SIZE, 3), np.uint8)
    image[8:30, 10:36], image[34:60, 50:90] = 200, (60, 120, 250)
    images, sizes, where = model.prepare([image] * 2)
    target = truth((10, 8, 36, 30), (50, 34, 90, 60))
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(model.losses(images, sizes, [target] * 2).values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimizer.step()
    found = model.to_instances(detect(model, images, sizes), where)[0]  # statistics of the batch
    found = found[found.scores > 0.5]
    assert sorted(found.labels.tolist()) == [0, 1]
    found = found[found.labels.argsort()]
    bitmaps = np.zeros((2, *SIZE), bool)
    bitmaps[0, 8:30, 10:36], bitmaps[1, 34:60, 50:90] = True, True
    assert (np.diag(found.masks.iou(Masks.from_bitmaps(bitmaps, SIZE))) > 0.8).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 30}, "multiple of `heads`"),
        ({"distinct_iou": 1.5}, "`distinct_iou` to be between 0 and 1"),
        ({"token_strides": (8, 32)}, "`token_strides` to be neighbours"),
        ({"queries": 0}, "`queries` to be at least 1"),
    ],
)
def test_config_checks_its_values(options, message):
    with pytest.raises(ConfigError, match=message):
        MaskQueryConfig(**options)
