"""How the edges of masks are made: in steps of several pixels, ragged, with crumbs and pinholes.

A hand that follows an object leaves an even line. Masks drawn or predicted at a lower resolution
move in steps when they are enlarged; thresholds and magic wands leave ragged edges, and pieces and
holes of a few pixels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.rle import Bitmap
from delineate.data.sample import Dataset, StatedDataset
from delineate.quality.findings import Finding, Place, place_of
from delineate.quality.view import Counted, silently

KINDS = ("coarse_steps", "ragged_edge", "crumbs")
"""Kinds of findings."""

_LEAST_AREA = 400  # pixels; the edges of smaller masks say little
_CHANGES = 8  # rows, and columns, in which a mask must change before its steps are measured,
_REGULAR = 0.5  # and share of these that must be of the shortest kind: lines of text step, too
_RAGGED = 0.15  # share by which an edge is longer than it is when smoothed: by hand up to 0.1, and
# 0.2 where it jumps by 2 pixels
_SMOOTH, _SMOOTHEST = 15, 3.0  # what it is smoothed by: side / 15, at most 3 pixels
_CRUMB, _CRUMB_SHARE, _CRUMBS = 16, 0.01, 5  # pixels of a piece or hole, of the mask; their number
_HABIT, _OFTEN = 0.2, 5  # share of the objects of a class, and number, that are one finding
_NAMED = 20  # of these


@dataclass(frozen=True, slots=True)
class Edge:
    """What the edge of one mask looks like.

    Attributes:
        step: Pixels by which it moves at a time, both ways; 1: as it should.
        ragged: Share by which it is longer than it is when smoothed.
        crumbs: Separate pieces of a few pixels.
        pinholes: Holes of a few pixels.
    """

    step: int
    ragged: float
    crumbs: int
    pinholes: int


@dataclass(frozen=True, slots=True)
class _Told:
    place: Place
    why: str
    score: float


def rough_edges(splits: Mapping[str, Dataset], *, counted: Counted = silently) -> Iterator[Finding]:
    """Find masks whose edges are coarse, ragged or crumbling.

    What is so for many objects of a class is one finding.

    Args:
        splits: Split name -> data set.
        counted: Shows how far it is.
    """
    for split, dataset in splits.items():
        objects: Counter[str] = Counter()
        found: dict[tuple[str, str], list[_Told]] = defaultdict(list)
        for index in counted(len(dataset), f"look at the edges of masks, {split}"):
            instances = dataset.instances(index)
            if instances.masks is None:
                continue
            polygons = _polygons(dataset, index)
            for i in np.flatnonzero(instances.masks.areas >= _LEAST_AREA).tolist():
                if instances.crowd is not None and instances.crowd[i]:
                    continue
                name = dataset.classes.name(int(instances.labels[i]))
                objects[name] += 1
                place = place_of(split, dataset.records[index], instances, (i,))
                edge = edge_of(instances.masks.crop(i)[0])
                if polygons[i]:  # has no holes but where it touches itself
                    edge = replace(edge, pinholes=0)
                for kind, why, score in _oddities(edge):
                    found[kind, name].append(_Told(place, why, score))
        for (kind, name), told in found.items():
            yield from _findings(kind, split, name, told, objects[name])


def _polygons(dataset: Dataset, index: int) -> list[bool]:
    """Return of each object of an image whether its source states a polygon."""
    if isinstance(dataset, StatedDataset):
        return [outlines is not None for outlines in dataset.stated(index).outlines]
    return [False] * len(dataset.instances(index))


def edge_of(mask: Bitmap) -> Edge:
    """Measure the edge of one mask.

    Args:
        mask: (h, w) tight crop around it.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    most = min(_CRUMB, _CRUMB_SHARE * np.count_nonzero(mask))
    return Edge(
        step=min(_step(padded), _step(padded.T)),
        ragged=_raggedness(padded),
        crumbs=_small_parts(padded, most, 8),
        pinholes=_small_parts(1 - padded, most, 4),
    )


def _step(padded: npt.NDArray[np.uint8]) -> int:
    """Return how many rows at a time a mask stays as it is, in nine of ten places."""
    changes = np.flatnonzero((padded[1:] != padded[:-1]).any(axis=1))
    if len(changes) < _CHANGES:
        return 1
    steps = np.diff(changes)
    shortest = int(np.quantile(steps, 0.1, method="lower"))
    return shortest if np.mean(steps <= shortest + 1) >= _REGULAR else 1


def _raggedness(padded: npt.NDArray[np.uint8]) -> float:
    lines, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    line = max(lines, key=len)[:, 0].astype(np.float64)
    sigma = min(np.sqrt(np.count_nonzero(padded)) / _SMOOTH, _SMOOTHEST)
    smooth = _length(_smoothed(line, sigma))
    return _length(_smoothed(line, 1.0)) / smooth - 1 if smooth else 0.0


def _smoothed(line: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Return a closed line convolved with a Gaussian along itself."""
    waves = np.fft.rfftfreq(len(line))[:, None]
    damped = np.fft.rfft(line, axis=0) * np.exp(-2 * (np.pi * sigma * waves) ** 2)
    return np.fft.irfft(damped, len(line), axis=0)


def _length(line: npt.NDArray[np.float64]) -> float:
    return float(np.hypot(*(line - np.roll(line, 1, axis=0)).T).sum())


def _small_parts(padded: npt.NDArray[np.uint8], most: float, connectivity: int) -> int:
    """Return the number of connected parts of at most so many pixels."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(padded, connectivity=connectivity)
    return int(np.count_nonzero(stats[1:, cv2.CC_STAT_AREA] <= most))


# -- findings ----------------------------------------------------------------------------------

_FIXES = {
    "coarse_steps": "export or draw the masks at the full size of the pictures",
    "ragged_edge": "smooth it, or draw it along the edge of the object",
    "crumbs": "remove the pieces and fill the holes",
}


def _oddities(edge: Edge) -> Iterator[tuple[str, str, float]]:
    """Yield kind, why and score of what is odd about an edge."""
    if edge.step > 1:
        yield (
            "coarse_steps",
            f"the edge moves in steps of {edge.step} pixels, as where a mask of 1/{edge.step} of "
            "the size was enlarged",
            1 - 1 / edge.step,
        )
    elif edge.ragged >= _RAGGED:
        yield (
            "ragged_edge",
            f"the edge is {edge.ragged:.0%} longer than an even one, as a threshold or a brush "
            "leaves it",
            min(edge.ragged / 0.4, 1.0),
        )
    if edge.crumbs + edge.pinholes >= _CRUMBS:
        what = [
            f"{count} {noun}{'s' * (count != 1)}"
            for count, noun in ((edge.crumbs, "piece"), (edge.pinholes, "hole"))
            if count
        ]
        yield (
            "crumbs",
            f"the mask has {' and '.join(what)} of at most {_CRUMB} pixels",
            min((edge.crumbs + edge.pinholes) / 20, 1.0),
        )


def _findings(
    kind: str, split: str, name: str, told: Sequence[_Told], objects: int
) -> Iterator[Finding]:
    """Say it of each object, or once where it is the habit of a class."""
    worst = sorted(told, key=lambda t: -t.score)
    if len(told) >= max(_OFTEN, _HABIT * objects):
        yield Finding(
            kind=kind,
            severity="warning" if kind == "coarse_steps" else "note",
            place=Place(split=split),
            others=tuple(t.place for t in worst[:_NAMED]),
            why=f"of {len(told)} of {objects} masks of class {name!r}, such as "
            f"{worst[0].place.name!r}, {worst[0].why}",
            fix=_FIXES[kind],
            score=worst[0].score,
        )
        return
    for t in told:
        yield Finding(
            kind=kind, severity="note", place=t.place, why=t.why, fix=_FIXES[kind], score=t.score
        )
