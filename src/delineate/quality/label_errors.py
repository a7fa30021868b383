"""Labels that a model disagrees with: likely missing, spurious, misclassified, badly outlined.

Every score is measured on the data at hand (`delineate.quality.calibration`), not taken from the
model, whose 0.9 may be right in half of the cases:

- missing_label: how often predictions of that score and class are right, where they are right or
  find nothing annotated. That is the chance before anybody asks why there is no label: where labels
  are almost complete, more of these are the model's errors than it says;
- misclassified: how often they are right where they are about an object, times the chance that a
  prediction of the label's own class there, if there is one, is wrong;
- badly_outlined: z / (z + 1), where z is how many usual deviations the overlap lies below the usual
  one of the class and size, times the chance that the prediction is right;
- spurious_label: how often the model notices objects of that class and size, or, if that is less
  often, the others in the same image, where it noticed none. A picture of a kind that it has never
  seen is not full of wrong labels.

These are chances where the model knows the objects. Where it agrees with hardly any label, what it
says of the others means nothing: that is told, and no label is judged (`AGREES`).

A model has learnt the labels that it was trained on, errors included: train on one half of the
data, judge the other. hotcoco's `image_diagnostics` lists candidates of the first two kinds by the
model's own score; it knows nothing of the other two, nor of crowds of another class, so overlaps
alone are taken from it.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from delineate.core.boxes import iou
from delineate.core.classes import ClassMap
from delineate.core.instances import Instances
from delineate.data.sample import ImageRecord
from delineate.quality.calibration import Bools, Chances, Floats, Ints
from delineate.quality.findings import Finding, Place, place_of
from delineate.quality.opinions import SAME_OBJECT, Labelled, Said, opinion

STRANGE = "strange_to_model"
"""The kind of finding that says that the model judges no label, since it does not know them."""

KINDS = (STRANGE, "missing_label", "spurious_label", "misclassified", "badly_outlined")
"""Kinds of findings."""

AGREES = 0.25
"""Agreement from which a model's view of labels is told: F1 of its predictions and the labels, of
one class and an IoU of `SAME_OBJECT`, at the score where it is best. Labels of classes that it
never names do not count, unless all are. Simulated models that know one object in ten and guess the
others have up to 0.18, and up to 98% of what they would say of labels is false; a decent one has
0.91. Between, the worse the model the more is false."""

LEAST, SURE = 0.7, 0.9
"""Score from which a disagreement is told, as a note, and from which it is a warning."""

_BLIND = 0.9  # share of objects like it that the model must notice to call one spurious
_PRIOR = 5
_FEWEST = 20  # labels, and overlaps of a class, without which nothing is said
_SIZES = 5  # groups of labels by size, equally many
_LOW, _LESS = 4.0, 0.1  # usual deviations and IoU below the usual overlap
_LEAST_SPREAD = 0.01  # of IoU


@dataclass(frozen=True, slots=True)
class Judged:
    """One image with what a model says of it.

    Attributes:
        split: Name of its split.
        record: What is known of it.
        truth: Its labels.
        said: What became of the predictions.
        labelled: What they say of the labels.
    """

    split: str
    record: ImageRecord
    truth: Instances
    said: Said
    labelled: Labelled


def judged(split: str, record: ImageRecord, truth: Instances, predicted: Instances) -> Judged:
    """Compare the labels of an image with predictions whose labels index the same classes."""
    return Judged(split, record, truth, *opinion(truth, predicted))


def label_errors(
    images: Sequence[Judged], classes: ClassMap, *, trained_on: Collection[str] = ()
) -> Iterator[Finding]:
    """Find labels that are likely wrong.

    Args:
        images: All of them: what a score is worth is learnt from the others.
        classes: What the labels mean.
        trained_on: Splits that the model was trained on. It has learnt their errors, too, so that
            fewer are found there; the findings say so.
    """
    if sum(len(image.labelled.labels) for image in images) < _FEWEST:
        return
    if (strange := _strange(images)) is not None:
        yield strange
        return
    for finding in _findings(images, classes):
        split = finding.place.split
        if split in trained_on:
            why = f"{finding.why}; the model was trained on {split}, with its errors"
            yield replace(finding, why=why, severity="note")
        else:
            yield finding


def _strange(images: Sequence[Judged]) -> Finding | None:
    """Tell that the model does not know these objects, if it does not."""
    scores = np.concatenate([image.said.scores for image in images])
    right = np.concatenate([image.said.right for image in images])
    named = np.concatenate([image.said.labels for image in images])
    labels = np.concatenate([image.labelled.labels for image in images])
    count = int(np.isin(labels, named).sum()) or len(labels)
    hits = np.append(0, np.cumsum(right[np.argsort(-scores, kind="stable")]))
    agreement = 2 * hits / (count + np.arange(len(hits)))
    shown = int(agreement.argmax())
    if agreement[shown] >= AGREES:
        return None
    return Finding(
        kind=STRANGE,
        severity="warning",
        place=Place(split=", ".join(dict.fromkeys(image.split for image in images))),
        why=f"this model does not know these objects: of its surest {shown:,} predictions "
        f"{hits[shown]:,} agree with one of the {count:,} labels (F1 {agreement[shown]:.2f}, the "
        f"least is {AGREES}), so that no label is judged by it",
        fix="name a model that was trained on such pictures, or look whether its classes mean what "
        "these are called",
    )


def _findings(images: Sequence[Judged], classes: ClassMap) -> Iterator[Finding]:
    said = Said(*map(np.concatenate, zip(*(image.said for image in images), strict=True)))
    by = np.repeat(np.arange(len(images)), [len(image.said.labels) for image in images])
    of = np.repeat(np.arange(len(images)), [len(image.labelled.labels) for image in images])
    labels = Labelled(*map(np.concatenate, zip(*(i.labelled for i in images), strict=True)))
    count = len(classes)

    found = _chances(said, by, said.right | said.alone, count)
    named = _chances(said, by, said.right | said.misnamed, count)
    yield from _missing(images, said, by, found.at(said.scores, said.labels, by), classes)

    sizes = np.log(labels.areas.clip(1))
    seen = Chances.of(sizes, labels.labels, labels.noticed, of, count)
    noticed = np.minimum(seen.at(sizes, labels.labels, of), _beside(labels, of))
    own = named.at(labels.own, labels.labels, of) * (labels.own > 0)
    misnamed = named.at(labels.other, labels.other_label, of) * (labels.other > 0) * (1 - own)
    usual, low = _below_usual(labels)
    poor = low / (low + 1) * found.at(labels.drawn, labels.labels, of)
    spurious = np.where(labels.noticed | (noticed < _BLIND), 0, noticed)
    for row, scores in enumerate(np.column_stack([misnamed, poor, spurious])):
        kind = int(np.argmax(scores))
        if scores[kind] < LEAST:
            continue
        image, position = images[of[row]], int(labels.positions[row])
        is_a, chance = classes.name(int(labels.labels[row])), float(scores[kind])
        why = (
            f"it is annotated as {is_a!r}, and the model says "
            f"{classes.name(int(labels.other_label[row]))!r} ({labels.other[row]:.2f}), right with "
            f"a chance of {_percent(chance)}",
            f"the outline of this {is_a!r} overlaps what the model sees by "
            f"{labels.overlap[row]:.2f}, where {usual[row]:.2f} is usual for objects like it",
            f"the model sees nothing of this {is_a!r}, though it notices {_percent(chance)} of the "
            "objects of its class and size",
        )[kind]
        yield Finding(
            kind=("misclassified", "badly_outlined", "spurious_label")[kind],
            severity="warning" if chance >= SURE else "note",
            place=place_of(image.split, image.record, image.truth, (position,)),
            why=why,
            fix=("correct its class", "draw it again", "remove it, if nothing is there")[kind]
            + ", or let it stand if the model errs",
            score=chance,
        )


def _beside(labels: Labelled, of: Ints) -> Floats:
    """Return (m,) how often the other labels of the same image are noticed; few say little.

    To few, as many as `_PRIOR` are added that are noticed as often as all of the data are.
    """
    usual = labels.noticed.mean() if len(of) else 0.0
    hits = np.bincount(of, labels.noticed)[of] - labels.noticed
    return (hits + _PRIOR * usual) / (np.bincount(of)[of] - 1 + _PRIOR)


def _chances(said: Said, images: Ints, told: Bools, count: int) -> Chances:
    """Learn how often predictions are right from those of which it is told."""
    return Chances.of(said.scores[told], said.labels[told], said.right[told], images[told], count)


def _missing(
    images: Sequence[Judged], said: Said, by: Ints, found: Floats, classes: ClassMap
) -> Iterator[Finding]:
    """Yield what the model sees where nothing is annotated, of one place the surest."""
    kept: dict[int, list[int]] = {}
    for row in np.argsort(-found, kind="stable").tolist():
        if not said.alone[row] or found[row] < LEAST:
            continue
        others = kept.setdefault(int(by[row]), [])
        if others and iou(said.boxes[row], said.boxes[others]).max() >= SAME_OBJECT:
            continue
        others.append(row)
        image, chance = images[by[row]], float(found[row])
        yield Finding(
            kind="missing_label",
            severity="warning" if chance >= SURE else "note",
            place=place_of(image.split, image.record, box=said.boxes[row].tolist()),
            why=f"the model sees a {classes.name(int(said.labels[row]))!r} "
            f"({said.scores[row]:.2f}) where nothing is annotated, and of what it is so sure of, "
            f"{_percent(chance)} are right",
            fix="add its label, if it is there",
            score=chance,
        )


def _percent(chance: float) -> str:
    return "over 99%" if chance > 0.99 else f"{chance:.0%}"


def _below_usual(labels: Labelled) -> tuple[Floats, Floats]:
    """Return (m,) the usual overlap of objects like each, and by how many deviations it is less.

    Usual is the median among matched objects of about the size, moved for the class. A deviation is
    measured below it: overlaps spread further down than up. It is 0 where it does not matter.
    """
    overlap, known = labels.overlap, labels.own > 0
    if not known.any():
        return np.zeros(len(overlap)), np.zeros(len(overlap))
    usual, spread = np.zeros(len(overlap)), np.ones(len(overlap))
    edges = np.quantile(labels.areas[known], np.linspace(0, 1, _SIZES + 1)[1:-1])
    groups = np.zeros(len(overlap)), np.searchsorted(edges, labels.areas), labels.labels
    for group in groups:
        rest = overlap - usual
        for value in np.unique(group).tolist():
            mine = group == value
            if np.count_nonzero(mine & known) >= _FEWEST:
                low, middle = np.quantile(rest[mine & known], (0.25, 0.5))
                usual[mine] += middle
                spread[mine] = max((middle - low) / 0.6745, _LEAST_SPREAD)
    deviations = (usual - overlap) / spread
    told = (labels.drawn > 0) & (deviations >= _LOW) & (usual - overlap >= _LESS)
    return usual, np.where(told, deviations, 0)
