"""Copy-paste: objects of another image, put in front of those of this one.

Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation"
(CVPR 2021): both images are jittered on their own, a random subset of the objects of one is pasted
into the other, where it lies, and what is hidden is hidden in the truth, too.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.rle import Bitmap
from delineate.data.sample import Sample
from delineate.errors import DataError
from delineate.transforms.base import Others, check_option, check_share
from delineate.transforms.parts import joined, window


@dataclass(frozen=True, slots=True)
class CopyPaste:
    """Pastes objects of another sample in front of those of a sample, with probability `p`.

    Masks below lose what is covered, and boxes follow their masks. An object of which less than
    `min_visible` of its area before is left is dropped; a crowd region only if nothing is left.
    Crowds are never pasted. Objects that lie on a pasted one, like windows on a wall, come along
    (those of which at least `min_visible` does), since they are to be seen in its pixels. Where a
    sample has stuff, pasted pixels become things. The result carries no annotation ids.

    Attributes:
        p: Probability.
        most: So many objects are drawn at most; how many is drawn from 1 to this number.
        edge: Standard deviation, in pixels, by which the edges of what is pasted are softened: the
            masks end where an edge shows half of each. 0 leaves edges hard and jagged.
        min_visible: See above.

    Raises:
        ConfigError: A number is out of its range.
    """

    p: float
    most: int = 10
    edge: float = 0.7
    min_visible: float = 0.25

    def __post_init__(self) -> None:
        check_share("p", self.p)
        check_option(self.most >= 1, "most", "at least 1", self.most)
        check_option(0 <= self.edge <= 10, "edge", "from 0 to 10 pixels", self.edge)
        check_share("min_visible", self.min_visible)

    def __call__(self, sample: Sample, rng: np.random.Generator, others: Others) -> Sample:
        """See `delineate.transforms.base.Scene`.

        Raises:
            DataError: Objects of one of the samples have no masks.
        """
        if rng.random() >= self.p:
            return sample
        size = sample.instances.image_size
        other = window(others(rng), size, self.min_visible, rng)
        pasted, cover = self._drawn(other, rng)
        if not len(pasted):
            return sample
        below = sample.instances.behind(cover, self.min_visible)
        return replace(
            sample,
            image=_in_front(other.image, sample.image, cover, self.edge),
            instances=joined([below, pasted]),
            stuff=None if sample.stuff is None else np.where(cover, np.uint8(0), sample.stuff),
        )

    def _drawn(self, other: Sample, rng: np.random.Generator) -> tuple[Instances, Bitmap]:
        """Return the objects to paste, and the ``(h, w)`` pixels that they cover."""
        objects = other.instances
        if objects.masks is None:
            raise DataError(
                f"image {other.image_id} {other.name!r}: expected masks of its objects to paste "
                "them, but there are only boxes: set the probability of copy-paste to 0."
            )
        free = objects.masks.areas > 0
        if objects.crowd is not None:
            free &= ~objects.crowd
        objects = objects[free]
        most = min(len(objects), self.most)
        count = int(rng.integers(min(most, 1), most + 1))
        chosen = rng.permutation(len(objects))[:count]
        assert objects.masks is not None
        cover = objects.masks[chosen].union()
        return objects.behind(~cover, self.min_visible), cover


def _in_front(front: ImageArray, behind: ImageArray, cover: Bitmap, edge: float) -> ImageArray:
    """Return `behind` with the pixels of `front` where it covers them, blended at the edges."""
    if not edge:
        return np.asarray(cv2.copyTo(front, cover.view(np.uint8), behind.copy()), np.uint8)
    weight = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), edge)
    return np.asarray(cv2.blendLinear(front, behind, weight, 1 - weight), np.uint8)
