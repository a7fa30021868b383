"""Cut a data set into parts that share no group and have the same mix of classes.

Iterative stratification: K. Sechidis, G. Tsoumakas, I. Vlahavas, "On the Stratification of
Multi-Label Data", ECML PKDD 2011. The rarest class is dealt out first, each time to the part that
still wants it most.
"""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from delineate.data.panoptic_parts import subset
from delineate.data.sample import Dataset, Subset
from delineate.errors import ConfigError, DataError

Counts = npt.NDArray[np.float64]


def split(
    dataset: Dataset,
    fractions: Mapping[str, float],
    *,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> dict[str, Subset]:
    """Divide a data set into named parts.

    The same data set, fractions, seed and groups always give the same parts; every image is in
    exactly one, and images keep their order.

    Args:
        dataset: What to divide. Its instances are read, its pixels are not.
        fractions: Part name -> share of the images; they sum to 1.
        seed: Decides between choices that are equally good.
        groups: One key an image; images with equal keys (one patient, one video, one book) stay
            together. None: every image is on its own.

    Raises:
        ConfigError: The fractions are no shares of a whole, or `groups` has a wrong length.
        DataError: There are fewer groups than parts.
    """
    _check_fractions(fractions)
    if groups is not None and len(groups) != len(dataset):
        raise ConfigError(
            f"expected one group for each of the {len(dataset)} images of {dataset.name!r}, "
            f"got {len(groups)}: give as many groups as images."
        )
    members = _members(range(len(dataset)) if groups is None else groups)
    if len(members) < len(fractions):
        raise DataError(
            f"{dataset.name!r} has {len(members)} separate groups of images, too few for "
            f"{len(fractions)} parts: ask for fewer parts or add images."
        )
    presence = np.zeros((len(dataset), len(dataset.classes)))
    for i in range(len(dataset)):
        presence[i, dataset.instances(i).labels] = 1
    sizes = np.array([len(rows) for rows in members], dtype=np.float64)
    images_with_class = np.stack([presence[rows].sum(axis=0) for rows in members])

    part_of = _deal(sizes, images_with_class, list(fractions.values()), np.random.default_rng(seed))
    return {
        name: subset(
            dataset,
            sorted(i for group, rows in enumerate(members) if part_of[group] == part for i in rows),
            name=f"{dataset.name}/{name}",
        )
        for part, name in enumerate(fractions)
    }


def _check_fractions(fractions: Mapping[str, float]) -> None:
    shares = list(fractions.values())
    if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ConfigError(
            f"expected positive fractions that sum to 1, got {dict(fractions)}: "
            "write for example {'train': 0.8, 'val': 0.2}."
        )


def _members(groups: Sequence[Hashable]) -> list[list[int]]:
    """Return the positions of each group, groups in order of first appearance."""
    members: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    return list(members.values())


def _deal(
    sizes: Counts, images_with_class: Counts, shares: Sequence[float], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the part of each group.

    Args:
        sizes: (g,) images of each group.
        images_with_class: (g, c) images of each group that show each class.
        shares: The share of each part.
        rng: Orders groups that are otherwise alike.
    """
    wanted_images = np.asarray(shares) * sizes.sum()
    wanted_class = np.outer(shares, images_with_class.sum(axis=0))
    given = [0] * len(shares)
    part_of = np.full(len(sizes), -1)
    # Large groups first: they are the hardest to place.
    shuffled = rng.permutation(len(sizes))
    left = shuffled[np.argsort(-sizes[shuffled], kind="stable")]

    while len(left):
        with_class = (images_with_class[left] > 0).sum(axis=0)
        with_class = np.where(with_class > 0, with_class, np.inf)
        if np.isfinite(with_class).any():
            rarest = int(np.argmin(with_class))
            turn, wish = left[images_with_class[left, rarest] > 0], wanted_class[:, rarest]
        else:
            turn, wish = left, wanted_images  # only images without any object remain
        for group in turn:
            spare = len(sizes) - sum(given) > given.count(0)  # else each goes to an empty part
            free = [part for part in range(len(shares)) if spare or not given[part]]
            part = max(free, key=lambda part: (wish[part], wanted_images[part]))
            part_of[group] = part
            given[part] += 1
            wanted_images[part] -= sizes[group]
            wanted_class[part] -= images_with_class[group]
        left = left[part_of[left] < 0]
    return part_of
