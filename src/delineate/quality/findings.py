"""Finding: one thing about a data set that somebody should look at, and where it is.

A finding is an *error* where training or measuring on the data goes wrong, a *warning* where it
probably suffers, and a *note* where only a person can tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from delineate.core.instances import Instances
from delineate.data.sample import ImageRecord
from delineate.errors import DataError

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""Worst first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a finding is: in an image, at objects of an image, or, with no image, in the whole.

    Attributes:
        split: Name of the split.
        image_id: The source's id of the image; None: the finding is about the split or the set.
        name: The source's name of the image.
        objects: Positions of the objects among the instances of the image.
        ids: The source's ids of these objects, where it has any.
        box: (x1, y1, x2, y2) to look at, in pixels; None: the boxes of `objects`.
    """

    split: str
    image_id: int | None = None
    name: str = ""
    objects: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None

    def __str__(self) -> str:
        if self.image_id is None:
            return self.split
        where = f"{self.split}, image {self.image_id} {self.name!r}"
        if self.ids:
            return f"{where}, annotation{'s' * (len(self.ids) > 1)} {_listed(self.ids)}"
        if self.objects:
            numbers = [i + 1 for i in self.objects]
            return f"{where}, object{'s' * (len(numbers) > 1)} {_listed(numbers)}"
        return where


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to look at.

    Attributes:
        kind: Which check found it, a name such as ``duplicate_object``.
        severity: How bad it is.
        place: Where.
        why: What was expected, what was found, and why it matters.
        fix: What to do about it.
        others: Further places that belong to it, such as the other of two copies.
        score: How sure the check is, 0 to 1, for ranking within a kind.
    """

    kind: str
    severity: Severity
    place: Place
    why: str
    fix: str
    others: tuple[Place, ...] = ()
    score: float = 1.0

    def __str__(self) -> str:
        return f"{self.place}: {self.why}: {self.fix}."

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "place": _place(self.place),
            "others": [_place(other) for other in self.others],
            "why": self.why,
            "fix": self.fix,
            "score": round(self.score, 4),
        }

    @classmethod
    def from_json(cls, told: Any) -> "Finding":  # noqa: ANN401 - whatever a file holds
        """Return the finding that `to_json` told.

        Raises:
            DataError: It is none.
        """
        try:
            if told["severity"] not in SEVERITIES:
                raise ValueError
            return cls(
                kind=str(told["kind"]),
                severity=told["severity"],
                place=_read_place(told["place"]),
                others=tuple(_read_place(other) for other in told["others"]),
                why=str(told["why"]),
                fix=str(told["fix"]),
                score=float(told["score"]),
            )
        except (TypeError, KeyError, ValueError):
            raise DataError(
                f"expected a finding as `delineate data check --out` writes it, got {told!r:.80}: "
                "run the check anew."
            ) from None


def place_of(
    split: str,
    record: ImageRecord,
    instances: Instances | None = None,
    objects: Sequence[int] = (),
    box: Sequence[float] | None = None,
) -> Place:
    """Return a place in an image.

    Args:
        split: Name of the split.
        record: The image.
        instances: The objects of the image.
        objects: Positions among these, of those it is about.
        box: (x1, y1, x2, y2) to look at.
    """
    ids = None if instances is None else instances.ids
    return Place(
        split=split,
        image_id=record.image_id,
        name=record.name,
        objects=tuple(int(i) for i in objects),
        ids=() if ids is None else tuple(int(ids[i]) for i in objects),
        box=None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
    )


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by severity, then by kind, then the surest first."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.kind, -f.score))


def _place(place: Place) -> dict[str, Any]:
    return {
        "split": place.split,
        "image_id": place.image_id,
        "name": place.name,
        "objects": list(place.objects),
        "ids": list(place.ids),
        "box": None if place.box is None else [round(v, 2) for v in place.box],
    }


def _read_place(told: Mapping[str, Any]) -> Place:
    image_id, box = told["image_id"], told["box"]
    if box is not None:
        x1, y1, x2, y2 = map(float, box)
    return Place(
        split=str(told["split"]),
        image_id=None if image_id is None else int(image_id),
        name=str(told["name"]),
        objects=tuple(map(int, told["objects"])),
        ids=tuple(map(int, told["ids"])),
        box=None if box is None else (x1, y1, x2, y2),
    )


def _listed(numbers: Sequence[int], most: int = 5) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"
