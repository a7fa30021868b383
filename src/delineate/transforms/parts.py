"""What scenes do with the samples they are given: cut a window out of one, and join the objects.

A scene gets at others of the data set by `delineate.transforms.base.Among`, which draws them from
the generator of the sample: what becomes of it depends on that alone, whichever process works.
"""

import numpy as np

from delineate.core.boxes import Size
from delineate.core.instances import Instances
from delineate.data.sample import Sample
from delineate.transforms.framing import RandomCrop
from delineate.transforms.geometric import Warp


def window(sample: Sample, size: Size, min_visible: float, rng: np.random.Generator) -> Sample:
    """Return a random window of `size`, (height, width), of a sample: its pixels, none computed.

    Where the sample is smaller, it lies somewhere within. Objects of which less than `min_visible`
    is left are dropped. A sample of that size is returned as it is.
    """
    return Warp((RandomCrop(size),), min_visible)(sample, rng)


def joined(parts: list[Instances]) -> Instances:
    """Join the objects of several images of one size, without ids, which may coincide."""
    return Instances.cat(part.replace(ids=None) for part in parts)
