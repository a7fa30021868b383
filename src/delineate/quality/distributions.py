"""Sizes and positions of objects, and sizes of pictures: across splits, and within one.

Objects of one picture are alike, so two splits count as different only if their numbers of
*pictures* make chance unlikely, not their numbers of objects.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset
from delineate.quality.census import Counts
from delineate.quality.findings import Finding, Place, place_of

SHIFT = 0.2
"""Distance of two distributions (Kolmogorov-Smirnov, 0 to 1) from which it matters."""

CRITICAL = 1.95
"""Coefficient of the two-sided Kolmogorov-Smirnov test at a level of 0.001."""

MIX, MIX_ERRORS = 2.0, 4.0
"""Factor, and standard errors, between the shares of pictures with a class in two splits."""

EXPECTED, SELDOM = 20, 0.1
"""Objects that should be cut by the border if they lay anywhere, and share of them that is few."""

CLOSE, COME_CLOSE = 0.03, 0.05
"""Distance to the border, in sides of the picture, that is close, and share of the objects from
which they do come close: on a page with margins, or a posed picture, none does."""

MANY, SPREAD = 50, 0.12
"""Objects from which their places say something, and the standard deviation of their centres, in
sides of the picture, below which all lie in the middle (0.29 if they lie anywhere)."""

SIDES = 8.0
"""Factor between the longer sides of the smallest and the largest picture that is notable."""

BORDER = 1.5
"""Pixels from the border within which a box touches it."""


class Places(NamedTuple):
    """Where the n objects of a split lie, and how large they are, in sides of their pictures."""

    boxes: npt.NDArray[np.float64]  # (n, 4) x, y, width, height as shares
    border: npt.NDArray[np.bool_]  # (n,) whether the box touches the border
    pictures: int  # that have objects

    @property
    def sizes(self) -> npt.NDArray[np.float64]:
        """(n,) geometric mean of width and height."""
        return np.asarray(np.sqrt(self.boxes[:, 2:].prod(axis=1)))

    @property
    def gaps(self) -> npt.NDArray[np.float64]:
        """(n,) distance to the nearest border."""
        before, after = self.boxes[:, :2], 1 - self.boxes[:, :2] - self.boxes[:, 2:]
        return np.asarray(np.minimum(before, after).min(axis=1))


def places(dataset: Dataset) -> Places:
    """Gather the stated boxes of a data set."""
    boxes, border, pictures = [np.zeros((0, 4))], [np.zeros((0, 2), bool)], 0
    for index, record in enumerate(dataset.records):
        sides = np.array([record.size[1], record.size[0]], np.float64)
        xywh = dataset.stated_boxes(index)
        xywh = np.concatenate([xywh[:, :2], xywh[:, 2:].clip(0)], axis=1)  # a fault of its own
        low, high = xywh[:, :2], xywh[:, :2] + xywh[:, 2:]
        border.append((low <= BORDER) | (high >= sides - BORDER))
        boxes.append(xywh / np.tile(sides, 2))
        pictures += len(xywh) > 0
    touching = np.asarray(np.concatenate(border).any(axis=1))
    return Places(np.concatenate(boxes), touching, pictures)


def sizes_and_places(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find splits whose objects are larger or smaller than in the training, or lie in one place."""
    gathered = {split: places(dataset) for split, dataset in splits.items()}
    for split, here in gathered.items():
        if "train" in gathered and split != "train":
            yield from _shift(split, gathered["train"], here)
        yield from _position(split, here)


def class_shift(counted: Counts) -> Iterator[Finding]:
    """Find classes that many more, or many fewer, pictures show than in the training."""
    if "train" not in counted:
        return
    learnt = counted["train"]
    known = dict(zip(learnt.classes.names, learnt.shown.tolist(), strict=True))
    for split, one in counted.items():
        pictures = len(learnt.dataset), len(one.dataset)
        if split == "train" or not min(pictures):
            continue
        shifted = []
        for name, shown in zip(one.classes.names, one.shown.tolist(), strict=True):
            there, here = known.get(name, 0) / pictures[0], shown / pictures[1]
            share = (known.get(name, 0) + shown) / sum(pictures)
            error = np.sqrt(share * (1 - share) * (1 / pictures[0] + 1 / pictures[1]))
            if not known.get(name) or not shown:  # told by `classes_missing`
                continue
            if abs(there - here) > MIX_ERRORS * error and max(there, here) > MIX * min(there, here):
                shifted.append(f"{name!r} in {here:.0%} of the pictures, in 'train' in {there:.0%}")
        if shifted:
            yield Finding(
                kind="class_shift",
                severity="note",
                place=Place(split=split),
                why=f"it shows classes in other shares than 'train' ({'; '.join(shifted[:3])}), so "
                "that it measures something else than what is learnt",
                fix="split the data anew, with the same mix of classes in every split",
            )


def picture_sizes(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Find splits of small and very large pictures."""
    for split, dataset in splits.items():
        longer = [max(record.size) for record in dataset.records]
        if not longer or max(longer) <= SIDES * min(longer):
            continue
        ends = dataset.records[int(np.argmin(longer))], dataset.records[int(np.argmax(longer))]
        yield Finding(
            kind="mixed_sizes",
            severity="note",
            place=Place(split=split),
            why=f"the longer sides of its pictures go from {min(longer)} to {max(longer)} pixels, "
            "so that objects of one kind have very different sizes after resizing",
            fix="cut the large ones into tiles, if objects in them become too small",
            others=tuple(place_of(split, record) for record in ends),
        )


def ks_distance(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the largest distance between the distribution functions of two samples, 0 to 1."""
    values = np.sort(np.concatenate([first, second]))
    shares = [
        np.searchsorted(np.sort(sample), values, side="right") / len(sample)
        for sample in (first, second)
    ]
    return float(np.abs(shares[0] - shares[1]).max())


def _shift(split: str, there: Places, here: Places) -> Iterator[Finding]:
    if not there.pictures or not here.pictures:
        return
    chance = CRITICAL * np.sqrt(1 / there.pictures + 1 / here.pictures)
    distance = ks_distance(there.sizes, here.sizes)
    if distance > max(SHIFT, chance):
        medians = np.median(there.sizes), np.median(here.sizes)
        yield Finding(
            kind="size_shift",
            severity="warning",
            place=Place(split=split),
            why=f"its objects have another size than those of 'train' (half of them are above "
            f"{medians[1]:.1%} of the picture's side, in 'train' above {medians[0]:.1%}), so that "
            "it measures something else than what is learnt",
            fix="split the data anew, at random",
            score=distance,
        )


def _position(split: str, here: Places) -> Iterator[Finding]:
    if len(here.boxes) < MANY:
        return
    centres = here.boxes[:, :2] + here.boxes[:, 2:] / 2
    spread = float(centres.std(axis=0).max())
    if spread < SPREAD:
        yield Finding(
            kind="centred_objects",
            severity="note",
            place=Place(split=split),
            why=f"all objects lie near the same place (their centres spread by {spread:.0%} of the "
            "picture's side), so that a model need not find them elsewhere",
            fix="move the pictures at random in training, and test with other pictures",
            score=1 - spread,
        )
    width, height = np.clip(here.boxes[:, 2:], 0, 1).T
    expected = float((1 - (1 - width) * (1 - height)).sum())
    cut = int(np.count_nonzero(here.border))
    close = float((~here.border & (here.gaps < CLOSE)).mean())
    if expected >= EXPECTED and cut < SELDOM * expected and close >= COME_CLOSE:
        yield Finding(
            kind="border_avoided",
            severity="note",
            place=Place(split=split),
            why=f"{cut:,} of {len(here.boxes):,} objects touch the border of their picture, where "
            f"about {expected:,.0f} would if they lay anywhere, though {close:.0%} come close to "
            "it: as where objects that are cut off were not annotated",
            fix="look at the borders of some pictures",
            score=1 - cut / expected,
        )
