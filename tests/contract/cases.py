"""Random models, images and objects that the batteries of the zoo are run on."""

import numpy as np
import torch
from torch import Tensor

from contract.families import FAMILIES, Family
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.preprocess import Preprocess
from delineate.models.api import SegModel, Target
from delineate.models.zoo import MODELS, build

WITH_STUFF = {"yolact_nano with stuff": "yolact_nano"}
"""Name -> entry of the zoo: models of a family that has no panoptic entry of its own."""
_STUFF = {
    "stuff_names": ("sky",),
    "stuff_ids": (900,),
    "backbone_strides": (8, 16, 32),
    "fpn_extra_levels": 1,  # upon which no stuff is seen
}
NAMES = sorted([*MODELS, *WITH_STUFF])
CLASSES = 3
SIZE = (64, 96)


def make(name: str, seed: int) -> SegModel:
    """Build a model whose random weights spread scores and boxes: no two are nearly equal."""
    torch.manual_seed(seed)
    own_size = Preprocess(resize="factor")
    entry = WITH_STUFF.get(name, name)
    family = FAMILIES[MODELS[entry].config.family]
    stuff = _STUFF if name in WITH_STUFF else {}
    model = build(entry, classes=CLASSES, preprocess=own_size, **family.small, **stuff)
    family.spread(model)
    return model


def pictures(*sizes: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def batch(count: int = 2) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    images = torch.randn(count, 3, *SIZE, generator=random)
    return images, torch.tensor([SIZE] * count)


def truth(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> Target:
    bitmaps = np.zeros((len(boxes), *size), dtype=bool)
    for bitmap, (x0, y0, x1, y1) in zip(bitmaps, boxes, strict=True):
        bitmap[y0:y1, x0:x1] = True
        bitmap[y0, x0] = False
    masks = Masks.from_bitmaps(bitmaps, size)
    labels = np.arange(len(boxes)) % CLASSES
    target = Target.from_instances(
        Instances(image_size=size, boxes=masks.boxes(), labels=labels, masks=masks)
    )
    return target._replace(stuff=torch.from_numpy(1 - bitmaps.any(axis=0)).to(torch.uint8))


def detect(model: SegModel, images: Tensor, sizes: Tensor) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        return model(images, sizes)


def each(found: tuple[Tensor, ...], family: Family) -> dict[str, Tensor]:
    """Return the parts of a result that have one entry a detection."""
    return {name: part for name, part in found._asdict().items() if name not in family.once}
