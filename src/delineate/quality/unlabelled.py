"""Images without labels among similar labelled ones: forgotten, more likely than empty.

An image is compared with the others of all splits by lightness, colours and texture. It stands out
if the images most like it all have objects of one class, and are as like it as labelled images are
one another. A true background that looks different, or has other backgrounds beside it, does not;
nor does one among photographs of everything, where what looks alike shows different things.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from delineate.data.sample import Dataset, stated_by
from delineate.quality.findings import Finding, place_of
from delineate.quality.signatures import Known, Signatures, signatures_of
from delineate.quality.view import Counted, silently

KINDS = ("unlabelled",)
"""Kinds of findings."""

NEIGHBOURS = 5
"""Images that are asked; with fewer than twice as many labelled ones nothing is said."""

_COMMON, _SURE = 0.25, 0.6  # share of labelled images that stand farther from their neighbours
_BLOCK = 256


def unlabelled(
    splits: Mapping[str, Dataset], *, known: Known | None = None, counted: Counted = silently
) -> Iterator[Finding]:
    """Find images without objects that look like those with objects.

    Args:
        splits: Split name -> data set.
        known: Signatures of the splits, if they are there already.
        counted: Shows how far the reading is.
    """
    places = [(split, i) for split, dataset in splits.items() for i in range(len(dataset))]
    classes = [names for dataset in splits.values() for names in _classes(dataset)]
    empty = [image for image, names in enumerate(classes) if not names]
    if not empty or len(places) - len(empty) < 2 * NEIGHBOURS:
        return
    known = signatures_of(splits, counted=counted) if known is None else known
    distance, nearest = _nearest(_comparable(Signatures.cat(known.values()).looks))
    labelled = np.sort(np.delete(distance, empty))
    for image in empty:
        around = nearest[image].tolist()
        shared = sorted(frozenset.intersection(*(classes[i] for i in around)))
        score = 1 - np.searchsorted(labelled, distance[image]) / len(labelled)
        if not shared or score < _COMMON:
            continue
        place, *others = (
            place_of(split, splits[split].records[i])
            for split, i in (places[j] for j in (image, *around))
        )
        yield Finding(
            kind="unlabelled",
            severity="warning" if score >= _SURE else "note",
            place=place,
            others=tuple(others),
            why=f"it has no object, but the {NEIGHBOURS} images that look most like it all have "
            f"objects of class {shared[0]!r}, as where labelling was forgotten: every object in "
            "it teaches a model that there is none",
            fix="look at it, and label it if anything is there",
            score=float(score),
        )


def _classes(dataset: Dataset) -> Iterator[frozenset[str]]:
    """Yield the names of the classes that each image shows."""
    stated = stated_by(dataset)
    for index in range(len(dataset)):
        yield frozenset(dataset.classes.name(k) for k in np.unique(stated(index).labels).tolist())


def _comparable(looks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return each number in units of its spread over the images, extremes drawn in."""
    middle = np.median(looks, axis=0)
    spread = 1.4826 * np.median(np.abs(looks - middle), axis=0)
    drawn_in = np.arctan((looks - middle) / np.maximum(spread, 0.5) / 2)
    return np.asarray(drawn_in, dtype=np.float32)


def _nearest(
    looks: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return (n,) mean distance to, and (n, k) positions of, the nearest neighbours."""
    distance = np.zeros(len(looks), dtype=np.float32)
    nearest = np.zeros((len(looks), NEIGHBOURS), dtype=np.int64)
    squares = (looks**2).sum(axis=1)
    for start in range(0, len(looks), _BLOCK):
        rows = slice(start, start + _BLOCK)
        apart = squares[rows, None] + squares - 2 * looks[rows] @ looks.T
        own = np.arange(len(apart))
        apart[own, own + start] = np.inf
        nearest[rows] = np.argpartition(apart, NEIGHBOURS - 1, axis=1)[:, :NEIGHBOURS]
        chosen = np.take_along_axis(apart, nearest[rows], axis=1)
        distance[rows] = np.sqrt(chosen.clip(0)).mean(axis=1)
    return distance, nearest
