"""Whether two copies of one picture have the same labels; where they differ, one is wrong."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from delineate.core.boxes import Size
from delineate.core.geometry import Geometry
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.data.sample import Dataset
from delineate.errors import ImageError
from delineate.quality.findings import Finding, place_of

_MATCH = 0.5  # IoU of one object in both pictures
_SAME_PIXELS = 0.8  # correlation of two pictures around an object from which it is in both
_MARGIN, _SIDE = 8, 48  # pixels around an object; side of the pictures that are compared


class Copy(NamedTuple):
    """One of two copies: the name of its split, the split, and its position there."""

    split: str
    dataset: Dataset
    at: int

    @property
    def instances(self) -> Instances:
        """All that is annotated."""
        return self.dataset.instances(self.at)


def objects_of(instances: Instances) -> npt.NDArray[np.intp]:
    """Return the positions of the objects that are no crowds and have pixels."""
    kept = np.ones(len(instances), dtype=bool)
    if instances.crowd is not None:
        kept &= ~instances.crowd
    if instances.masks is not None:
        kept &= instances.masks.areas > 0
    return np.flatnonzero(kept)


def labels_disagree(
    first: tuple[str, Dataset, int],
    second: tuple[str, Dataset, int],
    *,
    pose: int,
    identical: bool,
) -> Iterator[Finding]:
    """Find objects that only one of two copies has, or has under another class.

    An object counts only if the pictures show the same where it is: something small may have moved
    between two frames of a camera.

    Args:
        first: Split, data set and position of an image.
        second: And of its copy.
        pose: Position of the first in which it looks like the second, see `likeness.POSES`.
        identical: Whether the files are the same.
    """
    one, other = Copy(*first), Copy(*second)
    all_mine, all_theirs = one.instances, other.instances
    mine, theirs = objects_of(all_mine), objects_of(all_theirs)
    of_one, of_other = all_mine[mine], all_theirs[theirs]
    moved = onto(of_one.image_size, of_other.image_size, pose)
    landed = of_one.replace(ids=np.arange(len(of_one))).warp(moved)
    alone, alone_there = _unmatched(landed, one.dataset, of_other, other.dataset)
    if not alone and not alone_there:
        return
    if not identical:
        try:
            pictures = [copy.dataset[copy.at].image for copy in (one, other)]
        except ImageError:
            return
        pictures[0] = moved.image(pictures[0])
        alone = [i for i in alone if _shown_in_both(pictures, landed.boxes[i])]
        alone_there = [j for j in alone_there if _shown_in_both(pictures, of_other.boxes[j])]
    if not alone and not alone_there:
        return
    assert landed.ids is not None, "given above"
    lone, lone_there = mine[landed.ids[alone]].tolist(), theirs[alone_there].tolist()
    records = one.dataset.records[one.at], other.dataset.records[other.at]
    yield Finding(
        kind="labels_disagree",
        severity="error" if identical else "warning",
        place=place_of(one.split, records[0], all_mine, lone),
        others=(place_of(other.split, records[1], all_theirs, lone_there),),
        why=f"this picture and its copy {records[1].name!r} in {other.split} are labelled "
        f"differently: {len(lone)} of {len(of_one)} objects here and {len(lone_there)} of "
        f"{len(of_other)} there have no partner of the same class, so one of the two is wrong",
        fix="correct one, and leave the other out",
        score=(len(lone) + len(lone_there)) / (len(of_one) + len(of_other)),
    )


def onto(size: Size, target: Size, pose: int) -> Geometry:
    """Return the map that brings an image into a pose, and to the size of its copy."""
    geometry = Geometry.identity(size)
    if pose & 4:
        geometry = Geometry.affine(size, [[0, 1, 0], [1, 0, 0]], (size[1], size[0]))
    if pose & 2:
        geometry = geometry.then(Geometry.flip(geometry.target, horizontal=False))
    if pose & 1:
        geometry = geometry.then(Geometry.flip(geometry.target))
    return geometry.then(Geometry.resize(geometry.target, target))


def _unmatched(
    a: Instances, classes_a: Dataset, b: Instances, classes_b: Dataset
) -> tuple[list[int], list[int]]:
    """Return the positions of the objects of each that have no partner in the other."""
    if a.masks is None or b.masks is None:
        return [], []
    names_a = np.array([classes_a.classes.name(int(label)) for label in a.labels], dtype=object)
    names_b = np.array([classes_b.classes.name(int(label)) for label in b.labels], dtype=object)
    overlap = a.masks.iou(b.masks) * (names_a[:, None] == names_b[None, :])
    rows, columns = linear_sum_assignment(-overlap)
    good = overlap[rows, columns] >= _MATCH
    lone_a = sorted(set(range(len(a))) - set(rows[good].tolist()))
    return lone_a, sorted(set(range(len(b))) - set(columns[good].tolist()))


def _shown_in_both(pictures: list[ImageArray], box: npt.NDArray[np.float32]) -> bool:
    """Tell whether two pictures of one size agree around a box."""
    height, width = pictures[0].shape[:2]
    x1, y1, x2, y2 = np.rint(box + np.array([-1, -1, 1, 1]) * _MARGIN).astype(int).tolist()
    rows, columns = slice(max(y1, 0), min(y2, height)), slice(max(x1, 0), min(x2, width))
    a, b = (
        cv2.resize(p[rows, columns], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        .astype(np.float64)
        .ravel()
        for p in pictures
    )
    a, b = a - a.mean(), b - b.mean()
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return length > 0 and float(a @ b) / length >= _SAME_PIXELS
