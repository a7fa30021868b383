"""Plant errors into sound labels, and tell which findings name them.

Every object is, with a small chance, left out, given another class, cut to a part, or joined by one
of which nothing is there, all four equally often.
"""

import numpy as np

from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.quality.findings import Finding

Truth = list[tuple[np.ndarray, int]]
"""The bitmap and the label of each object of an image."""


def objects(bitmaps, labels, scores=None, crowd=None, size=(100, 100)) -> Instances:
    masks = Masks.from_bitmaps(bitmaps, size)
    return Instances(
        image_size=size,
        boxes=masks.boxes(),
        labels=np.array(labels, np.int64),
        masks=masks,
        scores=None if scores is None else np.array(scores, np.float32),
        crowd=crowd,
    )


def square(x, y, side, size=(100, 100)) -> np.ndarray:
    bitmap = np.zeros(size, bool)
    bitmap[y : y + side, x : x + side] = True
    return bitmap


class Planting:
    """Spoils a share of the objects, and remembers which."""

    def __init__(self, rng: np.random.Generator, share: float) -> None:
        self.rng, self.share = rng, share
        self.planted: list[tuple[str, int, object]] = []

    def spoilt(self, image_id: int, truth: Truth, classes: int) -> Truth:
        """Return the labels of an image with some errors."""
        labelled: Truth = []
        everything = np.any([bitmap for bitmap, _ in truth], axis=0)
        for bitmap, label in truth:
            self._label(labelled, image_id, bitmap, label, classes, everything)
        return labelled

    def _label(self, labelled, image_id, bitmap, label, classes, everything):
        kind = self.rng.choice(5, p=[1 - self.share, *[self.share / 4] * 4])
        if kind == 1:
            self.planted.append(("missing_label", image_id, bitmap))
            return
        if kind == 2 and classes > 1:
            label = (label + 1) % classes
            self.planted.append(("misclassified", image_id, len(labelled)))
        if kind == 3:
            side = int(np.sqrt(bitmap.sum()))
            cut = bitmap & np.roll(bitmap, (side // 3, side // 4), (0, 1))
            if 0 < cut.sum() < bitmap.sum():  # of a line, or of few pixels, there is no part
                bitmap = cut
                self.planted.append(("badly_outlined", image_id, len(labelled)))
        labelled.append((bitmap, label))
        for _ in range(40 * (kind == 4)):
            place = self.anywhere(bitmap.shape, int(np.sqrt(bitmap.sum())))
            if not (place & everything).any():
                self.planted.append(("spurious_label", image_id, len(labelled)))
                labelled.append((place, label))
                break

    def anywhere(self, size, side) -> np.ndarray:
        """Return a square somewhere."""
        y, x = (int(self.rng.integers(0, max(limit - side, 1))) for limit in size)
        return square(x, y, side, size)

    def is_planted(self, finding: Finding) -> bool:
        """Tell whether a finding names a planted error, and its kind."""
        for kind, image_id, where in self.planted:
            if kind != finding.kind or image_id != finding.place.image_id:
                continue
            if kind != "missing_label":
                if finding.place.objects == (where,):
                    return True
            else:
                x0, y0, x1, y1 = (round(v) for v in finding.place.box)
                if where[y0:y1, x0:x1].sum() > 0.7 * where.sum():
                    return True
        return False

    def precision_at_k(self, findings) -> float:
        """Return the share of planted errors among the k surest findings, where k were planted.

        A list that is shorter than k has found the less.
        """
        first = sorted(findings, key=lambda f: -f.score)[: len(self.planted)]
        return sum(map(self.is_planted, first)) / max(len(self.planted), 1)
