"""What reading a data set leaves out: broken records, and pictures that nobody annotated."""

from collections.abc import Iterator, Mapping

import numpy as np

from delineate.data.sample import UNANNOTATED, Dataset, Problem
from delineate.quality.census import Counts
from delineate.quality.findings import Finding, Place
from delineate.quality.kinds import TOLD

KINDS = (
    "missing_picture",
    "unreadable_picture",
    "forbidden_picture",
    "wrong_size",
    "exif_rotated",
    "picture_listed_twice",
    "repeated_id",
    "unknown_image",
    "unknown_category",
    "no_mask",
    "mask_outside",
    "unreadable_mask",
    "broken_category",
    "broken_record",
    UNANNOTATED,
)
"""What `delineate.data.sample.Problem.kind` may say, and one more for all that is rare."""


def broken_records(splits: Mapping[str, Dataset]) -> Iterator[Finding]:
    """Return every broken record of every split, and every picture that nobody annotated."""
    for split, dataset in splits.items():
        for problem in dataset.problems:
            yield _finding(split, problem)


def ids_off_by_one(counted: Counts) -> Iterator[Finding]:
    """Find categories that are counted from another number in the annotations than in the list.

    Certain if the annotations use as many numbers as there are categories, and all of them fit when
    each is shifted by one; but not where a category is broken, of which they may be.
    """
    for split, one in counted.items():
        strange = {p.got for p in one.dataset.problems if p.kind == "unknown_category"} - {None}
        if not strange:
            continue
        listed = set(one.classes.source_ids)
        used = {one.classes.source_ids[i] for i in np.flatnonzero(one.per_class)}
        used |= {int(i) for i in strange if i is not None}
        shift, certain = shift_of(used, listed)
        lost = any(p.kind == "broken_category" for p in one.dataset.problems)
        if shift:
            yield _shifted(split, used, listed, shift, certain and not lost, lost)


def shift_of(used: set[int], listed: set[int]) -> tuple[int, bool]:
    """Return what must be added to the ids that are used so that all of them are listed.

    Args:
        used: Category ids of annotations, one of which at least is not listed.
        listed: Those of the list of categories.

    Returns:
        +1, -1, or 0 if neither does; and whether it is certain: every listed one is used then.
    """
    for shift in (1, -1):
        if (shifted := {i + shift for i in used}) <= listed:
            return shift, shifted == listed
    return 0, False


def _shifted(
    split: str, used: set[int], listed: set[int], shift: int, certain: bool, lost: bool
) -> Finding:
    other, first = "", ""
    if lost:
        other = "; or those that are not listed are of a category that is broken in the list"
        first = "mend the list of categories first; if they are, "
    return Finding(
        kind="ids_off_by_one",
        severity="error" if certain else "warning",
        place=Place(split=split),
        why=f"the annotations name categories from {min(used)} to {max(used)}, and the file lists "
        f"them from {min(listed)} to {max(listed)}: {'' if certain else 'it seems that '}all are "
        f"off by {-shift:+d}, so that every object has its neighbour's class{other}",
        fix=f"{first}add {shift:+d} to every 'category_id'",
        score=1.0 if certain else 0.5,
    )


def _finding(split: str, problem: Problem) -> Finding:
    ids = () if problem.annotation_id is None else (problem.annotation_id,)
    place = Place(split=split, image_id=problem.image_id, name=problem.name, ids=ids)
    known = problem.image_id is not None
    kind = problem.kind if problem.kind in KINDS else "broken_record"
    return Finding(
        kind=kind,
        severity=TOLD[kind].severities[0],
        place=place,
        why=problem.why if known else f"{problem.where}: {problem.why}",
        fix=f"{problem.fix} ({problem.action})",
    )
