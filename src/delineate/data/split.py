"""Cut a data set into parts that share no group and have the same mix of classes and sizes."""

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from delineate.core.sizes import SIZES, size_of
from delineate.data.deal import Counts, deal
from delineate.data.derived import Subset
from delineate.data.panoptic_parts import subset
from delineate.data.sample import Dataset, StatedDataset
from delineate.errors import ConfigError, DataError


def split(
    dataset: Dataset,
    fractions: Mapping[str, float],
    *,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> dict[str, Subset]:
    """Divide a data set into named parts with equal shares of every class, and of its sizes.

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
            f"{dataset.name!r} has {len(members)} separate group{'s' * (len(members) != 1)} of "
            f"images, too few for "
            f"{len(fractions)} parts: ask for fewer parts, for finer groups, or add images."
        )
    counts = objects_by_size(dataset)
    columns = _columns(counts)
    part_of = deal(
        np.array([len(rows) for rows in members], dtype=np.float32),
        _of_groups(columns > 0, members),
        _of_groups(columns, members),
        list(fractions.values()),
        np.random.default_rng(seed),
    )
    return {
        name: subset(
            dataset,
            sorted(i for group, rows in enumerate(members) if part_of[group] == part for i in rows),
            name=f"{dataset.name}/{name}",
        )
        for part, name in enumerate(fractions)
    }


def objects_by_size(dataset: Dataset) -> npt.NDArray[np.int32]:
    """Return (images, classes, sizes) numbers of objects; the sizes are those of `SIZES`."""
    counts = np.zeros((len(dataset), len(dataset.classes), len(SIZES)), dtype=np.int32)
    stated = dataset.stated if isinstance(dataset, StatedDataset) else None
    for i in range(len(dataset)):
        labels = dataset.instances(i).labels if stated is None else stated(i).labels
        np.add.at(counts[i], (labels, size_of(dataset.areas(i))), 1)
    return counts


def _columns(counts: npt.NDArray[np.int32]) -> Counts:
    """Return (images, columns) numbers of each class and of its sizes, without empty columns."""
    sized = counts.reshape(len(counts), -1)
    totals = counts.sum(axis=2, dtype=np.float32)
    parts = [sized[:, sized.any(axis=0)], totals[:, totals.any(axis=0)]]
    return np.concatenate(parts, axis=1, dtype=np.float32, casting="same_kind")


def _check_fractions(fractions: Mapping[str, float]) -> None:
    shares = list(fractions.values())
    if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ConfigError(
            "expected positive fractions that sum to 1, got "
            f"{', '.join(f'{name}={share:g}' for name, share in fractions.items()) or 'none'}: "
            "ask for example for train=0.8, val=0.2."
        )


def _members(groups: Sequence[Hashable]) -> list[list[int]]:
    """Return the positions of each group, groups in order of first appearance."""
    members: dict[Hashable, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)
    return list(members.values())


def _of_groups(columns: Counts | npt.NDArray[np.bool_], members: Sequence[Sequence[int]]) -> Counts:
    """Return the sums of the images' rows for each group."""
    return np.stack([columns[rows].sum(axis=0, dtype=np.float32) for rows in members])
