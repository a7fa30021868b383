"""How often something that happens more often the higher a score is happens, on the data at hand.

Isotonic regression (Zadrozny and Elkan, 2002): the likeliest curve that never falls as scores rise,
of all classes together; a class in which it happens more or less often than the curve says moves
its own. A row is judged by other images than its own, so that no label vouches for itself.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FOLDS = 5
"""Parts of the images; each is judged by the others."""

_PRIOR = 1.0  # of either outcome added to every stretch of a curve
_CLASS_PRIOR = 20.0  # expected outcomes that keep a class on the curve of all


@dataclass(frozen=True, slots=True)
class _Curve:
    steps: Floats  # scores from which it has the next height
    heights: Floats
    ratios: Floats  # of each class: what happened over what the curve says

    def at(self, scores: Floats, classes: Ints) -> Floats:
        place = np.searchsorted(self.steps, scores, side="right") - 1
        chance: Floats = self.heights[place.clip(0)] * self.ratios[classes]
        return chance.clip(0, self.heights[-1])


@dataclass(frozen=True, slots=True)
class Chances:
    """The chance that something happens, by score and class."""

    _curves: tuple[_Curve | None, ...]

    @classmethod
    def of(
        cls, scores: Floats, classes: Ints, happened: Bools, images: Ints, class_count: int
    ) -> Self:
        """Learn from n rows.

        Args:
            scores: (n,) any numbers.
            classes: (n,) the class of each.
            happened: (n,) whether it did.
            images: (n,) the number of the image of each.
            class_count: Number of classes.
        """
        curves: list[_Curve | None] = []
        for fold in range(FOLDS):
            known = images % FOLDS != fold
            if not known.any():  # so few images that each would be judged by none
                known = np.ones(len(images), dtype=bool)
            if not known.any():
                curves.append(None)
                continue
            steps, heights = isotonic(scores[known], happened[known])
            curve = _Curve(steps, heights, np.ones(class_count))
            expected = curve.at(scores[known], classes[known])
            expected_in = np.bincount(classes[known], expected, class_count) + _CLASS_PRIOR
            found_in = np.bincount(classes[known], happened[known], class_count) + _CLASS_PRIOR
            curves.append(_Curve(steps, heights, found_in / expected_in))
        return cls(tuple(curves))

    def at(self, scores: Floats, classes: Ints, images: Ints) -> Floats:
        """Return (n,) chances by the rows of other images; 0 where there were none."""
        chance = np.zeros(len(scores))
        for fold, curve in enumerate(self._curves):
            asked = images % FOLDS == fold
            if curve is not None:
                chance[asked] = curve.at(scores[asked], classes[asked])
        return chance


def isotonic(scores: Floats, happened: Bools) -> tuple[Floats, Floats]:
    """Return where a curve of chances that never falls steps, and its height from there on.

    Args:
        scores: (n,) at least one.
        happened: (n,) outcomes.
    """
    order = np.argsort(scores, kind="stable")
    steps, first = np.unique(scores[order], return_index=True)
    hits = np.add.reduceat(happened[order].astype(np.float64), first)
    counts = np.diff(np.append(first, len(scores))).astype(np.float64)
    stretches: list[list[float]] = []  # where it begins, hits, count: pool adjacent violators
    for step, hit, count in zip(steps.tolist(), hits.tolist(), counts.tolist(), strict=True):
        stretches.append([step, hit, count])
        while len(stretches) > 1 and _falls(stretches[-2], stretches[-1]):
            _, more, also = stretches.pop()
            stretches[-1][1] += more
            stretches[-1][2] += also
    begin, total, size = np.array(stretches).T
    return begin, np.maximum.accumulate((total + _PRIOR) / (size + 2 * _PRIOR))


def _falls(before: list[float], after: list[float]) -> bool:
    return before[1] * after[2] >= after[1] * before[2]
