"""The table of checks, and the one way to run them.

A quick check reads no pixel and rasterises no mask but of a few pictures: it takes a second for
10,000 pictures, and training runs it first. The others are thorough.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType

from delineate.data.sample import Dataset
from delineate.errors import ConfigError, nearest
from delineate.quality import (
    agreement,
    duplicates,
    label_errors,
    mask_shape,
    noise,
    outlines,
    twins,
    unlabelled,
)
from delineate.quality.census import Counts, census, joined
from delineate.quality.class_balance import (
    class_counts,
    class_tables,
    classes_missing,
    crowds,
    without_objects,
)
from delineate.quality.class_names import odd_names, similar_names, unused_classes
from delineate.quality.conventions import area_convention, conventions
from delineate.quality.distributions import class_shift, picture_sizes, sizes_and_places
from delineate.quality.findings import Finding, worst_first
from delineate.quality.judging import unexplained, weighed
from delineate.quality.leaks import shared_pictures
from delineate.quality.pixels import pixels
from delineate.quality.records import KINDS as BROKEN
from delineate.quality.records import broken_records, ids_off_by_one
from delineate.quality.signatures import signatures_of
from delineate.quality.view import Counted, View, silently, views

Splits = Mapping[str, Dataset]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What checks look at.

    Attributes:
        splits: The data.
        counts: How many objects of which class there are.
        counted: Shows how far a long check is.
        wanted: The kinds of findings that are asked for.
    """

    splits: Splits
    counts: Counts
    counted: Counted
    wanted: Set[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check.

    Attributes:
        run: Looks at the data.
        kinds: The kinds of its findings.
        quick: Whether it is.
    """

    run: Callable[[Examined], Iterable[Finding]]
    kinds: tuple[str, ...]
    quick: bool = False


def _look_at_objects(data: Examined) -> Iterator[Finding]:
    """Go through all pictures once, with all checks that look at objects."""
    checks = [check for kind, check in OBJECT_CHECKS.items() if kind in data.wanted]
    two_classes = twins.TwoClasses()
    for split, dataset in data.splits.items():
        for view in views(split, dataset, data.counted):
            for check in checks:
                yield from check(view)
            if "two_classes" in data.wanted:
                two_classes(view)
    yield from two_classes.findings()


def _compare_pictures(data: Examined) -> Iterator[Finding]:
    """Read all pictures once, for all checks that compare pictures with one another."""
    known = signatures_of(data.splits, counted=data.counted)
    yield from duplicates.near_duplicates(data.splits, known=known)
    yield from unlabelled.unlabelled(data.splits, known=known)


OBJECT_CHECKS: Mapping[str, Callable[[View], Iterator[Finding]]] = MappingProxyType(
    {
        "empty_mask": mask_shape.empty,
        "thin_mask": mask_shape.thin,
        "tiny_mask": mask_shape.specks,
        "whole_picture": mask_shape.whole_picture,
        "partly_outside": mask_shape.outside,
        "far_parts": mask_shape.far_parts,
        "self_crossing": outlines.self_crossing,
        "outline_spike": outlines.spikes,
        "repeated_points": outlines.repeated_points,
        "box_disagrees": agreement.boxes,
        "area_differs": agreement.areas,
        "duplicate_object": twins.duplicates,
        "copied_shape": twins.copies,
    }
)
"""Checks that look at the objects of one picture, by the kind of their findings."""

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "records": Check(run=lambda d: broken_records(d.splits), kinds=BROKEN, quick=True),
        "ids": Check(run=lambda d: ids_off_by_one(d.counts), kinds=("ids_off_by_one",), quick=True),
        "conventions": Check(
            run=lambda d: conventions(d.splits),
            kinds=(
                *("transposed_masks", "normalised_coordinates", "percent_coordinates"),
                "box_convention",
            ),
            quick=True,
        ),
        "crowds": Check(
            run=lambda d: crowds(d.counts), kinds=("all_crowd", "mostly_crowd"), quick=True
        ),
        "without_objects": Check(
            run=lambda d: without_objects(d.counts),
            kinds=("no_objects", "empty_images"),
            quick=True,
        ),
        "class_tables": Check(
            run=lambda d: class_tables(d.counts),
            kinds=("class_names_differ", "class_ids_differ"),
            quick=True,
        ),
        "classes_missing": Check(
            run=lambda d: classes_missing(d.counts),
            kinds=("class_missing_in_train", "class_missing_in_val"),
            quick=True,
        ),
        "class_counts": Check(
            run=lambda d: class_counts(d.counts),
            kinds=("rare_class", "class_imbalance"),
            quick=True,
        ),
        "class_shift": Check(
            run=lambda d: class_shift(d.counts), kinds=("class_shift",), quick=True
        ),
        "similar_names": Check(
            run=lambda d: similar_names(d.counts), kinds=("similar_names",), quick=True
        ),
        "odd_names": Check(
            run=lambda d: odd_names(d.counts), kinds=("odd_name", "background_class"), quick=True
        ),
        "unused_classes": Check(
            run=lambda d: unused_classes(d.counts), kinds=("unused_class",), quick=True
        ),
        "picture_sizes": Check(
            run=lambda d: picture_sizes(d.splits), kinds=("mixed_sizes",), quick=True
        ),
        "shared_pictures": Check(
            run=lambda d: shared_pictures(d.splits), kinds=("picture_in_two_splits",), quick=True
        ),
        "objects": Check(run=_look_at_objects, kinds=(*OBJECT_CHECKS, "two_classes")),
        "areas": Check(run=lambda d: area_convention(d.splits), kinds=("area_convention",)),
        "sizes_and_places": Check(
            run=lambda d: sizes_and_places(d.splits),
            kinds=("size_shift", "centred_objects", "border_avoided"),
        ),
        "pixels": Check(
            run=lambda d: pixels(d.splits, d.counted),
            kinds=(
                *("unreadable_picture", "deep_pictures", "dark_picture", "blank_picture"),
                "grey_among_coloured",
            ),
        ),
        "alike": Check(run=_compare_pictures, kinds=(*duplicates.KINDS, *unlabelled.KINDS)),
        "noise": Check(
            run=lambda d: noise.annotator_noise(d.splits, counted=d.counted), kinds=noise.KINDS
        ),
    }
)
"""Every check, in the order in which they run."""

QUICK_KINDS = frozenset(kind for c in CHECKS.values() if c.quick for kind in c.kinds)
"""Kinds that quick checks find, though perhaps not all of them."""

KINDS = (
    *dict.fromkeys(kind for check in CHECKS.values() for kind in check.kinds),
    *label_errors.KINDS,  # which need a model beside the data
)
"""Every kind of finding."""


def examine(
    splits: Splits,
    *,
    quick: bool = False,
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    counted: Counted = silently,
) -> list[Finding]:
    """Run the checks.

    Args:
        splits: Split name -> data set, opened so that broken records are left out and listed.
        quick: Run the quick checks alone.
        only: Kinds of findings that are wanted; none: all.
        ignore: Kinds that are not.
        counted: Shows how far it is.

    Returns:
        The findings, worst first.

    Raises:
        ConfigError: A kind is unknown.
    """
    kinds = wanted(only, ignore)
    data = Examined(
        splits=splits,
        counts={split: census(dataset) for split, dataset in splits.items()},
        counted=counted,
        wanted=kinds,
    )
    found = [
        finding
        for check in CHECKS.values()
        if (check.quick or not quick) and kinds & set(check.kinds)
        for finding in check.run(data)
    ]
    told = weighed(unexplained(found), splits, joined(data.counts))
    return worst_first(finding for finding in told if finding.kind in kinds)


def wanted(only: Sequence[str], ignore: Sequence[str]) -> set[str]:
    """Return the kinds that are asked for: those of `only`, or all, without those of `ignore`.

    Raises:
        ConfigError: A kind is unknown, or nothing is asked for.
    """
    for kind in (*only, *ignore):
        if kind not in KINDS:
            raise ConfigError(f"no finding is of the kind {kind!r}: {nearest(kind, KINDS)}")
    kinds = (set(only) or set(KINDS)) - set(ignore)
    if not kinds:
        raise ConfigError(
            "expected kinds of findings to look for, but --ignore takes away all that --only names:"
            " leave one of them out."
        )
    return kinds
