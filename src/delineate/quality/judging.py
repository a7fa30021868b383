"""Which findings stand once all are known: consequences of others are dropped, habits are notes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from delineate.data.sample import Dataset, stated_by
from delineate.quality.findings import Finding

_OF_OBJECTS = (
    *("empty_mask", "thin_mask", "tiny_mask", "whole_picture", "partly_outside", "far_parts"),
    *("self_crossing", "outline_spike", "repeated_points", "box_disagrees", "area_differs"),
    *("duplicate_object", "copied_shape", "two_classes", "mask_outside", "area_convention"),
    *("size_shift", "centred_objects", "border_avoided"),
    *("few_points", "coarse_steps", "ragged_edge", "crumbs"),
    *("shifted_outlines", "loose_outlines", "mirrored_labels"),
)
_OF_CLASSES = (
    *("unused_class", "rare_class", "class_missing_in_train", "class_missing_in_val"),
    *("class_shift", "class_imbalance", "similar_names"),
)

EXPLAINS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "transposed_masks": _OF_OBJECTS,
        "normalised_coordinates": _OF_OBJECTS,
        "percent_coordinates": _OF_OBJECTS,
        "box_convention": ("box_disagrees", "size_shift", "centred_objects", "border_avoided"),
        "area_convention": ("area_differs",),
        "ids_off_by_one": ("unknown_category", "no_objects", *_OF_CLASSES),
        "all_crowd": ("no_objects", *_OF_CLASSES),
        "class_names_differ": ("class_ids_differ", *_OF_CLASSES),
    }
)
"""What a fault of a whole split brings about in it: not worth a line of its own beside the fault.

What is said of several splits together, or in comparison with the training (`COMPARED`), is
explained by a fault of any of them.
"""

COMPARED = ("class_missing_in_train", "class_missing_in_val", "class_shift", "size_shift")
"""Kinds that compare a split with the training."""

HABIT, FEWEST = 0.05, 5
"""Share of the objects of a class, and number, from which what looks odd is how the class is: a
wall fills the picture, stars are specks, panes of a window are copies."""

ODD = ("tiny_mask", "thin_mask", "whole_picture", "partly_outside")
"""Kinds of which that is true; they become notes."""


def unexplained(findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what another finding explains, if that one is certain."""
    findings = list(findings)
    explained: dict[str, set[str]] = defaultdict(set)
    for finding in findings:
        if finding.kind in EXPLAINS and finding.score == 1:
            explained[finding.place.split].update(EXPLAINS[finding.kind])
    by_any = set().union(*explained.values())
    return [
        finding
        for finding in findings
        if not any(
            finding.kind in (by_any if finding.kind in COMPARED else explained[split])
            for split in finding.place.split.split(", ")
        )
    ]


def weighed(
    findings: Iterable[Finding], splits: Mapping[str, Dataset], objects: Mapping[str, int]
) -> Iterator[Finding]:
    """Make notes of what looks odd and is usual for its class.

    Args:
        findings: Any.
        splits: The data.
        objects: Objects of each class in all splits.
    """
    findings = list(findings)
    names = _class_names([finding for finding in findings if finding.kind in ODD], splits)
    often = Counter((finding.kind, name) for finding, name in names)
    habits = {
        id(finding): name
        for finding, name in names
        if often[finding.kind, name] >= max(FEWEST, HABIT * objects[name])
    }
    for finding in findings:
        if (name := habits.get(id(finding))) is None:
            yield finding
            continue
        count = f"{often[finding.kind, name]:,} of {objects[name]:,}"
        why = f"{finding.why}; {count} objects of {name!r} are so, which may be right for them"
        yield replace(finding, severity="note", why=why)


def _class_names(
    findings: Sequence[Finding], splits: Mapping[str, Dataset]
) -> list[tuple[Finding, str]]:
    """Return the class of the object of each finding."""
    named = []
    where = {
        split: {record.image_id: i for i, record in enumerate(dataset.records)}
        for split, dataset in splits.items()
    }
    for finding in findings:
        place = finding.place
        if place.image_id is not None and place.objects:
            dataset = splits[place.split]
            said = stated_by(dataset)(where[place.split][place.image_id])
            named.append((finding, dataset.classes.names[said.labels[place.objects[0]]]))
    return named
