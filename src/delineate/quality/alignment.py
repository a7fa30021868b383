"""Whether outlines lie on the edges of the picture: shifted, mirrored or drawn wide of them.

At every upright and level piece of an outline the picture's steps in brightness are measured at
distances up to `REACH` pixels. Averaged over an image, or a split, they peak where the edges are.
An export that is off by an offset moves the peaks of the left *and* the right sides of objects the
same way; outlines drawn wide move them towards each other; margins by design (text) move some.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.boxes import area
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.data.sample import Dataset, Sample
from delineate.errors import ImageError
from delineate.quality.findings import Finding, Place, place_of
from delineate.quality.view import Counted, silently

KINDS = ("shifted_outlines", "loose_outlines", "mirrored_labels")
"""Kinds of findings."""

REACH = 16
"""Pixels to either side of an outline that are searched."""

LOOKED_AT = 1000
"""Images of a split that are looked at, evenly spread."""

_LEAST_AREA = 64  # pixels of an object
_LEAST_PIECES = 40  # pixels of outline on each side of the objects
_AROUND = 41  # side of the window whose mean step is 1
_FLAT = 0.5  # grey values added to it: flat regions have no edges

_CLEAR, _CLEAR_ALONE = 1.3, 1.5  # height of a peak over the median, of a split and of one image
_SAME = 2.0  # pixels by which the peaks of opposite sides may differ
_OFF, _OFF_ALONE = 2, 4  # pixels from which it is said, of a split and of one image
_FEWEST = 5  # images from which something is said of a split
_TRUSTED = 0.75  # share of images whose outlines must fit better than mirrored ones
_MIRRORED, _AS_GOOD, _AS_BAD = 1.4, 0.8, 0.75  # see _mirrored

Profile = npt.NDArray[np.float64]
"""(4, 2 * REACH + 1): steps in brightness left of .. right of the left and right sides of objects,
and above .. below their upper and lower sides."""

_POSES = {"mirrored": (1, -1), "upside down": (-1, 1), "turned by 180 degrees": (-1, -1)}
_Points = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edges:
    """What one image says.

    Attributes:
        profile: Steps in brightness near its outlines.
        on: Their mean on the outlines as they are.
        posed: And on the outlines mirrored or turned, by the words for it.
    """

    profile: Profile
    on: float
    posed: dict[str, float]


def misaligned(splits: Mapping[str, Dataset], *, counted: Counted = silently) -> Iterator[Finding]:
    """Find splits and images whose outlines lie beside the edges of the picture.

    Args:
        splits: Split name -> data set.
        counted: Shows how far the reading is.
    """
    for split, dataset in splits.items():
        known = _looked_at(split, dataset, counted)
        if not known:
            continue
        profiles = [edges.profile for edges in known.values()]
        shift, wide = _offset(np.mean(profiles, axis=0), _CLEAR)
        if len(known) >= _FEWEST and max(map(abs, shift)) >= _OFF:
            yield _shifted(Place(split=split), shift, f"all its outlines ({len(known)} images)")
        elif len(known) >= _FEWEST and abs(wide) >= _OFF:
            yield _loose(split, wide)
        if np.mean([edges.on > max(edges.posed.values()) for edges in known.values()]) < _TRUSTED:
            continue  # these outlines are not drawn along edges: single images tell nothing
        typical = float(np.median([edges.on for edges in known.values()]))
        for index, edges in known.items():
            place = place_of(split, dataset.records[index], box=_middling(dataset.instances(index)))
            own, _ = _offset(edges.profile, _CLEAR_ALONE)
            if (how := _mirrored(edges, typical)) is not None:
                yield _posed(place, how, edges)
            elif any(own) and max(np.abs(np.subtract(own, shift))) >= _OFF_ALONE:
                yield _shifted(place, own, "its outlines")


def edges_of(image: ImageArray, instances: Instances) -> Edges | None:
    """Measure the picture's steps near the outlines; None where there is too little outline.

    Args:
        image: (height, width, 3) RGB.
        instances: Its objects.
    """
    across, down = _steps(image)
    sides = _sides(instances)
    inner = [
        _inside(points, REACH, across.shape if k < 2 else down.shape, axis=1 if k < 2 else 0)
        for k, points in enumerate(sides)
    ]
    if min(map(len, inner)) < _LEAST_PIECES:
        return None
    distances = range(-REACH, REACH + 1)
    profile = np.array(
        [[across[y, x + s].mean() for s in distances] for y, x in (p.T for p in inner[:2])]
        + [[down[y + s, x].mean() for s in distances] for y, x in (p.T for p in inner[2:])]
    )
    upright, level = np.concatenate(inner[:2]), np.concatenate(inner[2:])
    return Edges(
        profile=profile,
        on=_on(across, down, upright, level),
        posed={
            how: _on(across[::v, ::h], down[::v, ::h], upright, level)
            for how, (v, h) in _POSES.items()
        },
    )


def _looked_at(split: str, dataset: Dataset, counted: Counted) -> dict[int, Edges]:
    count = min(LOOKED_AT, len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).astype(int)).tolist()
    known = {}
    for k in counted(len(chosen), f"compare outlines and edges, {split}"):
        if (sample := _read(dataset, chosen[k])) is not None:
            edges = edges_of(sample.image, sample.instances)
            if edges is not None:
                known[chosen[k]] = edges
    return known


def _read(dataset: Dataset, index: int) -> Sample | None:
    if dataset.records[index].path is None or not len(dataset.instances(index)):
        return None
    try:
        return dataset[index]
    except ImageError:  # for other checks to say
        return None


# -- measuring ---------------------------------------------------------------------------------


def _steps(image: ImageArray) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return (h, w + 1) and (h + 1, w) steps between neighbours, over the mean around them."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.8), dtype=np.float32)
    across = np.pad(np.abs(np.diff(smooth, axis=1)), ((0, 0), (1, 1)))
    down = np.pad(np.abs(np.diff(smooth, axis=0)), ((1, 1), (0, 0)))
    first, second = (s / (cv2.blur(s, (_AROUND, _AROUND)) + _FLAT) for s in (across, down))
    return first, second


def _sides(instances: Instances) -> list[_Points]:
    """Return (k, 2) rows and columns of edges: the left, right, upper and lower sides of objects.

    An edge is numbered as the pixel after it.
    """
    found: list[list[_Points]] = [[], [], [], []]
    if instances.masks is None:
        return [np.zeros((0, 2), np.int64)] * 4
    for i in range(len(instances)):
        crop, (x0, y0) = instances.masks.crop(i)
        crowd = instances.crowd is not None and instances.crowd[i]
        if crowd or np.count_nonzero(crop) < _LEAST_AREA:
            continue
        padded = np.pad(crop, 1).astype(np.int8)
        changes = np.diff(padded[1:-1], axis=1), np.diff(padded[:, 1:-1], axis=0)
        for k, points in enumerate(found):
            into = 1 if k % 2 == 0 else -1
            points.append(np.argwhere(changes[k // 2] == into) + np.array((y0, x0)))
    return [np.concatenate(p) if p else np.zeros((0, 2), np.int64) for p in found]


def _inside(points: _Points, reach: int, size: Sequence[int], axis: int) -> _Points:
    """Return the points that are as far as `reach` from the picture's border along an axis."""
    along = points[:, axis]
    return points[(along > reach) & (along < size[axis] - reach - 1)]


def _on(
    across: npt.NDArray[np.float32],
    down: npt.NDArray[np.float32],
    upright: _Points,
    level: _Points,
) -> float:
    """Return the mean of the highest steps within a pixel of the edges."""
    (y, x), (v, u) = upright.T, level.T
    steps = np.concatenate(
        [
            np.max([across[y, x + s] for s in (-1, 0, 1)], axis=0),
            np.max([down[v + s, u] for s in (-1, 0, 1)], axis=0),
        ]
    )
    return float(steps.mean())


def _offset(profile: Profile, clear: float) -> tuple[tuple[int, int], int]:
    """Return how far outlines lie beside the edges, as (right, down), and how far outside of them.

    Zeros where the peaks are unclear or do not agree.
    """
    left, right, upper, lower = (_peak(line) for line in profile)
    clear_ones = profile.max(axis=1) >= clear * np.median(profile, axis=1)
    shift = [0, 0]
    for axis, (a, b) in enumerate(((left, right), (upper, lower))):
        both = clear_ones[2 * axis : 2 * axis + 2].all()
        higher = profile[2 * axis : 2 * axis + 2].max(axis=1)
        beside = (profile[2 * axis : 2 * axis + 2, REACH] <= _AS_GOOD * higher).all()
        if both and beside and abs(a - b) <= _SAME:
            shift[axis] = -round((a + b) / 2)
    inward = np.array([left, -right, upper, -lower])
    agree = clear_ones.all() and np.ptp(inward) <= _SAME
    wide = round(float(np.median(inward))) if agree else 0
    return (shift[0], shift[1]), wide


def _peak(line: npt.NDArray[np.float64]) -> float:
    """Return at what distance from the outline a line of a profile is highest, by a parabola."""
    top = int(np.argmax(line))
    if not 0 < top < len(line) - 1:
        return float(top - REACH)
    before, at, after = (float(value) for value in line[top - 1 : top + 2])
    return top - REACH + (before - after) / (2 * (before - 2 * at + after) or 1)


def _middling(instances: Instances) -> list[float]:
    """Return the box of the object of middling size, on which a shift is to be seen."""
    sizes = area(instances.boxes)
    box: list[float] = instances.boxes[np.argsort(sizes)[len(sizes) // 2]].tolist()
    return box


def _mirrored(edges: Edges, typical: float) -> str | None:
    """Tell in which pose the outlines fit the picture, if not as they are.

    That pose must fit well better than the outlines as they are, and as well as the outlines of
    other images do, which those of this one do not.
    """
    how = max(edges.posed, key=edges.posed.__getitem__)
    best = edges.posed[how]
    fits = best >= _MIRRORED * edges.on and best >= _AS_GOOD * typical
    return how if fits and edges.on <= _AS_BAD * typical else None


# -- findings ----------------------------------------------------------------------------------


def _shifted(place: Place, shift: tuple[int, int], what: str) -> Finding:
    right, down = shift
    words = [
        f"{abs(length)} pixels {ahead if length > 0 else back}"
        for length, ahead, back in ((right, "right", "left"), (down, "down", "up"))
        if length
    ]
    return Finding(
        kind="shifted_outlines",
        severity="warning",
        place=place,
        why=f"{what} lie about {' and '.join(words)} of the edges in the picture, on both sides of "
        "the objects, as after a crop or a resize of the pictures alone",
        fix="move them back, or take the pictures that they were drawn on",
        score=min(float(np.hypot(right, down)) / 10, 1.0),
    )


def _loose(split: str, wide: int) -> Finding:
    side = "outside" if wide > 0 else "inside"
    return Finding(
        kind="loose_outlines",
        severity="note",
        place=Place(split=split),
        why=f"outlines run about {abs(wide)} pixels {side} the edges in the picture, on all sides "
        "of the objects",
        fix="look whether that is meant; a tool may have grown or shrunk the masks",
        score=min(abs(wide) / 10, 1.0),
    )


def _posed(place: Place, how: str, edges: Edges) -> Finding:
    return Finding(
        kind="mirrored_labels",
        severity="error",
        place=place,
        why=f"its outlines fit the picture when they are {how}, {edges.posed[how] / edges.on:.1f} "
        "times as well as they do now: picture and labels were not turned together",
        fix="turn the labels, or take the picture that they were drawn on",
        score=min(edges.posed[how] / edges.on / 3, 1.0),
    )
