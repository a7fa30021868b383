"""Classes across splits: tables that contradict each other, classes that a split lacks, rare ones.

Classes are matched by their names, as training and evaluation do.
"""

from collections.abc import Iterator

import numpy as np

from delineate.quality.census import Census, Counts
from delineate.quality.class_names import listed
from delineate.quality.findings import Finding, Place

RARE = 10
"""Objects of a class below which hardly anything can be learnt of it."""

MEASURABLE = 20
"""Objects of a class in the training from which a validation without one is a lack; of fewer, a
tenth, which a validation has, is easily none."""

LOPSIDED = 100
"""How many times more objects the commonest class has than the rarest that is not `RARE`."""

MOSTLY = 0.5
"""Share from which crowds, or pictures without objects, are most of a split."""

MANY, SEVERAL = 10, 3
"""Crowds, and pictures that have some, from which that all annotations are crowds is no accident.
Where another split has crowds beside objects, whoever made it knows what they are."""

_SHOWN = 5  # places


def class_tables(counted: Counts) -> Iterator[Finding]:
    """Find splits that mean different classes by one id, or know other classes than the first."""
    (first, reference), *others = counted.items()
    known = dict(zip(reference.classes.source_ids, reference.classes.names, strict=True))
    for split, one in others:
        table = dict(zip(one.classes.source_ids, one.classes.names, strict=True))
        strange = [name for name in table.values() if name not in known.values()]
        if strange:
            yield Finding(
                kind="class_names_differ",
                severity="error",
                place=Place(split=split),
                why=f"its classes {listed(strange)} are none of those of {first!r}, "
                f"{listed(list(known.values()))}: what a model learns there cannot be measured "
                "here",
                fix="give all splits one list of classes",
            )
        stated = reference.classes.own_ids and one.classes.own_ids
        clash = [i for i, name in table.items() if stated and known.get(i, name) != name]
        if clash:
            i = clash[0]
            yield Finding(
                kind="class_ids_differ",
                severity="error",
                place=Place(split=split),
                why=f"{len(clash)} of its class ids mean other classes than in {first!r}: {i} is "
                f"{table[i]!r} here and {known[i]!r} there; Delineate goes by names, and every "
                "program that goes by ids is wrong",
                fix="give all splits one list of classes",
            )


def classes_missing(counted: Counts) -> Iterator[Finding]:
    """Find classes that are measured and never learnt, or learnt and never measured."""
    if "train" not in counted:
        return
    learnt = counted["train"].objects
    for split, one in counted.items():
        if split == "train" or not one.total or not sum(learnt.values()):
            continue
        unlearnt = [name for name, count in one.objects.items() if count and not learnt.get(name)]
        if unlearnt:
            share = sum(one.objects[name] for name in unlearnt) / one.total
            yield Finding(
                kind="class_missing_in_train",
                severity="error",
                place=Place(split=split),
                why=f"{share:.1%} of its objects are of {listed(unlearnt)}, of which 'train' has "
                "none: they cannot be learnt, and count as AP 0",
                fix="put pictures of them into 'train', or leave the classes out",
                score=share,
            )
        missing = [n for n, c in learnt.items() if c >= MEASURABLE and not one.objects.get(n)]
        if missing:
            yield Finding(
                kind="class_missing_in_val",
                severity="warning",
                place=Place(split=split),
                why=f"it has no object of {listed(missing)}, of which 'train' has {MEASURABLE} "
                "and more: what a model makes of them is not measured",
                fix="split the data anew, so that every split has all classes",
                score=len(missing) / len(learnt),
            )


def class_counts(counted: Counts) -> Iterator[Finding]:
    """Find classes that are too rare to be learnt, and a mix that is lopsided."""
    for split, one in counted.items():
        if split != "train" and len(counted) > 1:
            continue
        counts = {name: n for name, n in one.objects.items() if n}
        if len(one.dataset) < RARE or not counts:
            continue
        rare = {name: n for name, n in counts.items() if n < RARE}
        if rare:
            yield Finding(
                kind="rare_class",
                severity="warning",
                place=Place(split=split),
                why=f"{len(rare)} of {len(counts)} classes have fewer than {RARE} objects: "
                f"{listed(sorted(rare, key=rare.__getitem__))}; hardly anything can be learnt of "
                "them",
                fix="annotate more of them, or leave them out",
                score=len(rare) / len(counts),
            )
        enough = {name: n for name, n in counts.items() if n >= RARE}
        if enough and max(enough.values()) > LOPSIDED * min(enough.values()):
            most, least = max(enough, key=enough.__getitem__), min(enough, key=enough.__getitem__)
            yield Finding(
                kind="class_imbalance",
                severity="note",
                place=Place(split=split),
                why=f"there are {enough[most]:,} objects of {most!r} and {enough[least]:,} of "
                f"{least!r}: a model sees the rare one seldom",
                fix="look at the AP of each class, not at the mean alone",
            )


def crowds(counted: Counts) -> Iterator[Finding]:
    """Find splits in which most objects, or by mistake all, are marked as crowds."""
    for split, one in counted.items():
        crowd = int(one.crowds.sum())
        if not crowd or crowd <= MOSTLY * (crowd + one.total):
            continue
        known = any(other.total and other.crowds.any() for other in counted.values())
        images = np.count_nonzero(one.crowds)
        every = not one.total and not known and crowd >= MANY and images >= SEVERAL
        yield Finding(
            kind="all_crowd" if every else "mostly_crowd",
            severity="error" if every else "warning",
            place=Place(split=split),
            why=f"{crowd:,} of {crowd + one.total:,} annotations are "
            "marked as crowd ('iscrowd': 1), as some exporters mark every mask that is an RLE: "
            "crowds are left out of training and of the measure",
            fix="set 'iscrowd' to 0 for what is one object",
        )


def without_objects(counted: Counts) -> Iterator[Finding]:
    """Find splits, and pictures, without any object."""
    for split, one in counted.items():
        empty = np.flatnonzero(one.per_picture + one.crowds == 0).tolist()
        if not empty:
            continue
        share = len(empty) / len(one.dataset)
        if share == 1:
            yield Finding(
                kind="no_objects",
                severity="error",
                place=Place(split=split),
                why="it has no annotation that can be used",
                fix="name the file that has them",
            )
            continue
        yield Finding(
            kind="empty_images",
            severity="warning" if share > MOSTLY else "note",
            place=Place(split=split),
            why=f"{len(empty):,} of {len(one.dataset):,} pictures ({share:.1%}) have no object: "
            "right if nothing is in them, and harmful if nobody has looked",
            fix="look at some of them",
            others=tuple(_picture(split, one, i) for i in empty[:_SHOWN]),
            score=share,
        )


def _picture(split: str, one: Census, index: int) -> Place:
    record = one.dataset.records[index]
    return Place(split=split, image_id=record.image_id, name=record.name)
