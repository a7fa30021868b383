"""Samples for tests of transforms: white objects on black ground, and pixels that all differ."""

from dataclasses import replace

import numpy as np

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.data.sample import Sample

NOTHING = np.zeros((0, 4), np.float32)


def sample_of(bitmaps, size):
    """Objects are white, the ground is black; image and masks agree exactly."""
    bitmaps = [np.asarray(bitmap, bool) for bitmap in bitmaps]
    masks = Masks.from_bitmaps(bitmaps, size)
    image = np.zeros((*size, 3), np.uint8)
    for bitmap in bitmaps:
        image[bitmap] = 255
    instances = Instances(
        image_size=size, boxes=masks.boxes(), labels=np.arange(len(bitmaps)), masks=masks
    )
    return Sample(image=image, instances=instances, image_id=1, name="a")


def box(size, y0, y1, x0, x1):
    bitmap = np.zeros(size, bool)
    bitmap[y0:y1, x0:x1] = True
    return bitmap


def picture(height, width):
    """Every pixel differs from every other."""
    values = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    bare = sample_of([], (height, width))
    return replace(bare, image=np.repeat(values[..., None], 3, axis=2))


def rng(seed=0):
    return np.random.default_rng(seed)
