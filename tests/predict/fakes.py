"""A model whose answers can be told from the picture."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.core.preprocess import Preprocess
from delineate.models.api import BoxMasks, SegModel, box_masks_to_instances

CLASSES = ClassMap(("bright", "half as bright"), (17, 4))


class BrightnessModel(SegModel):
    """Finds the whole picture twice: with its brightness as score, and with half of that."""

    family: ClassVar[str] = "brightness"

    def __init__(self) -> None:
        preprocess = Preprocess(resize="factor", mean=(0, 0, 0), std=(1, 1, 1), divisor=32)
        super().__init__(None, CLASSES, preprocess)
        self.anchor = nn.Parameter(torch.zeros(1))
        self.batches: list[int] = []

    def __deepcopy__(self, memo: dict) -> "BrightnessModel":
        return self  # so that a test sees what the predictor's copy is asked for

    def forward(self, images: Tensor, sizes: Tensor) -> BoxMasks:
        assert not torch.is_grad_enabled()
        self.batches.append(len(images))
        boxes, scores = [], []
        for image, (height, width) in zip(images, sizes.tolist(), strict=True):
            brightness = image[:, :height, :width].mean()
            boxes += [torch.tensor([0.0, 0.0, width, height])] * 2
            scores += [brightness, brightness / 2]
        count = len(images)
        return BoxMasks(
            image=torch.arange(count).repeat_interleave(2),
            boxes=torch.stack(boxes),
            scores=torch.stack(scores),
            labels=torch.tensor([0, 1] * count),
            masks=torch.ones(2 * count, 4, 4),
        )

    def to_instances(self, raw: BoxMasks, where: list) -> list[Instances]:
        return box_masks_to_instances(raw, where, rule="half_pixel")


def grey(level: int, size: tuple[int, int] = (20, 30)) -> np.ndarray:
    return np.full((*size, 3), level, np.uint8)
