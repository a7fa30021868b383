"""Near-duplicate images: within a split they count twice, across splits they leak.

A model that has learnt an image by heart gets its copy in the validation split right, and the
measured score says nothing of new images (Barz and Denzler, "Do we train on test data?", 2020).
What counts as a copy is said in `delineate.quality.likeness`: flipped, turned, re-compressed,
brighter, a little cropped; not a similar picture. What the labels of copies say is compared in
`delineate.quality.copies`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from delineate.data.sample import Dataset, stated_by
from delineate.quality.copies import labels_disagree
from delineate.quality.findings import Finding, Place, Severity, place_of
from delineate.quality.likeness import Pairs, alike
from delineate.quality.signatures import Known, Signatures, signatures, signatures_of
from delineate.quality.view import Counted, silently

KINDS = ("leakage", "leaked_image", "near_duplicate", "exact_copy", "labels_disagree")
"""Kinds of findings."""

_NAMED = 20  # further images that a finding names


class _Group(NamedTuple):
    """Images that are the same picture."""

    members: npt.NDArray[np.int64]  # positions among all images, ascending
    agreement: float  # of the least alike pair that joins them
    identical: bool
    how: str


def clusters(
    datasets: Dataset | Sequence[Dataset], *, counted: Counted = silently
) -> npt.NDArray[np.int64]:
    """Return the number of the cluster of near-duplicates that each image belongs to.

    A copy of a copy belongs to the cluster, too. Images without a copy are on their own, so the
    numbers can be the `groups` of `delineate.data.split.split`.

    Args:
        datasets: One data set, or several whose images follow one another.
        counted: Shows how far the reading is.

    Returns:
        (n,) numbers from 0 on, in the order in which clusters first appear.
    """
    several = datasets if isinstance(datasets, Sequence) else [datasets]
    known = Signatures.cat(signatures(dataset, counted=counted) for dataset in several)
    return _numbered(alike(known), len(known))


def near_duplicates(
    splits: Mapping[str, Dataset], *, known: Known | None = None, counted: Counted = silently
) -> Iterator[Finding]:
    """Find copies of images within a split (warning) and across splits (error).

    Args:
        splits: Split name -> data set, in the order train, val, test.
        known: Signatures of the splits, if they are there already.
        counted: Shows how far the reading is.
    """
    known = signatures_of(splits, counted=counted) if known is None else known
    files = [str(record.path) for dataset in splits.values() for record in dataset.records]
    pairs = _of_two_files(alike(Signatures.cat(known.values())), files)
    sizes = [len(dataset) for dataset in splits.values()]
    split_of = np.repeat(np.arange(len(splits)), sizes)
    place_in = np.concatenate([np.arange(size) for size in sizes])
    names, data = list(splits), list(splits.values())

    def place(image: int) -> Place:
        split = split_of[image]
        return place_of(names[split], data[split].records[place_in[image]])

    groups = list(_groups(pairs, sum(sizes)))
    yield from _leakage(splits, groups, split_of, place_in)
    for group in groups:
        # The image that measures is the one to leave out: later splits first.
        order = group.members[np.argsort(-split_of[group.members], kind="stable")].tolist()
        yield _of_group(group, place(order[0]), [place(image) for image in order[1:]])
    for k in _compared(pairs, sum(sizes)).tolist():
        ends = pairs.first[k], pairs.second[k]
        yield from labels_disagree(
            *((names[split_of[i]], data[split_of[i]], int(place_in[i])) for i in ends),
            pose=int(pairs.pose[k]),
            identical=bool(pairs.identical[k]),
        )


def _compared(pairs: Pairs, count: int) -> npt.NDArray[np.intp]:
    """Return the pairs whose labels are compared: in each cluster all with the first if they can.

    They are those of a spanning tree, so that n copies are compared n - 1 times.
    """
    comparable = np.flatnonzero(~pairs.cropped)
    first, second = pairs.first[comparable], pairs.second[comparable]
    tree = minimum_spanning_tree(coo_array((first + 1.0, (first, second)), (count, count))).tocoo()
    kept = np.isin(first * count + second, tree.row.astype(np.int64) * count + tree.col)
    return comparable[kept]


def _of_two_files(pairs: Pairs, files: Sequence[str]) -> Pairs:
    """Leave out what is one file: that it is listed twice is for other checks to say."""
    ends = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    kept = np.array([files[i] != files[j] for i, j in ends], dtype=bool)
    return Pairs(*(getattr(pairs, field.name)[kept] for field in fields(Pairs)))


def _of_group(group: _Group, place: Place, others: Sequence[Place]) -> Finding:
    elsewhere = [other for other in others if other.split != place.split]
    nearest, more = (elsewhere or others)[0], len(others) - 1
    what = f"it is {'the same file' if group.identical else 'the same picture'} as {nearest.name!r}"
    what += f" in {nearest.split}{f' and {more} more' * (more > 0)}{group.how}"
    severity: Severity = "error" if elsewhere else "warning"
    if elsewhere:
        kind = "leaked_image"
        why = f"{what}: what a model has learnt there by heart it gets right here"
        fix = f"leave it out of {place.split}, or its copies out of the other splits"
    else:
        kind = "exact_copy" if group.identical else "near_duplicate"
        why = f"{what}, so that it counts {len(others) + 1} times"
        fix = "keep one, with the best labels"
    return Finding(
        kind=kind,
        severity=severity,
        place=place,
        others=tuple(others[:_NAMED]),
        why=why,
        fix=fix,
        score=group.agreement,
    )


def _leakage(
    splits: Mapping[str, Dataset],
    groups: Sequence[_Group],
    split_of: npt.NDArray[np.int64],
    place_in: npt.NDArray[np.int64],
) -> Iterator[Finding]:
    """Say of each split how much of it is known from those before it."""
    for number, (name, dataset) in enumerate(splits.items()):
        leaked = [
            image
            for group in groups
            if (split_of[group.members] < number).any()
            for image in group.members[split_of[group.members] == number].tolist()
        ]
        if not leaked:
            continue
        stated = stated_by(dataset)
        objects = np.array([len(stated(i).labels) for i in range(len(dataset))])
        seen, total = objects[place_in[leaked]].sum(), objects.sum()
        earlier = " or ".join(list(splits)[:number])
        yield Finding(
            kind="leakage",
            severity="error",
            place=Place(split=name),
            why=f"{len(leaked)} of its {len(dataset)} images, with {seen} of its {total} objects, "
            f"have a copy in {earlier}: a model that knows these by heart is measured too well",
            fix="make the splits anew with copies kept together "
            "(`delineate data split --group-by near-duplicates`)",
            score=1.0,
        )


def _groups(pairs: Pairs, count: int) -> Iterator[_Group]:
    """Return the clusters of more than one image."""
    number = _numbered(pairs, count)
    order = np.argsort(number, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
    of_pair = number[pairs.first]
    for group in members:
        if len(group) > 1:
            joined = np.flatnonzero(of_pair == number[group[0]])
            yield _Group(
                members=np.sort(group),
                agreement=float(pairs.agreement[joined].min()),
                identical=bool(pairs.identical[joined].all()),
                how=_how(pairs, joined),
            )


def _how(pairs: Pairs, chosen: npt.NDArray[np.int64]) -> str:
    """Say in words how these pairs differ."""
    ways = []
    if (pairs.pose[chosen] & 4).any():
        ways.append("turned")
    elif (pairs.pose[chosen] == 3).any():
        ways.append("upside down")
    elif pairs.pose[chosen].any():
        ways.append("mirrored")
    if pairs.cropped[chosen].any():
        ways.append("cut or moved a little")
    return f" ({' and '.join(ways)})" if ways else ""


def _numbered(pairs: Pairs, count: int) -> npt.NDArray[np.int64]:
    """Return the number of the cluster of each image, in order of first appearance."""
    joined = coo_array((np.ones(len(pairs), bool), (pairs.first, pairs.second)), (count, count))
    _, label = connected_components(joined, directed=False)
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[number], dtype=np.int64)
