"""The table of a panoptic data set or model: things that are counted, and stuff that is not.

Labels are joint. Things keep the labels ``0 .. T-1`` that they have as instances, and stuff follows
with ``T .. T+S-1``, so an `Instances` of the same image needs no translation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from delineate.core.classes import ClassMap
from delineate.errors import DataError


@dataclass(frozen=True, slots=True)
class PanopticClasses:
    """Classes of things (person, car) and of stuff (sky, road).

    Attributes:
        things: What is counted; its labels are the joint ones.
        stuff: What is not; label k of it is the joint label ``len(things) + k``.
        joint: Both, things first, in one table.

    Raises:
        DataError: A name or an id stands for a thing and for stuff.
    """

    things: ClassMap
    stuff: ClassMap
    joint: ClassMap = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        joint = ClassMap(
            (*self.things.names, *self.stuff.names),
            (*self.things.source_ids, *self.stuff.source_ids),
        )
        object.__setattr__(self, "joint", joint)

    def __len__(self) -> int:
        return len(self.joint)

    # -- makers and JSON ---------------------------------------------------------------------

    @classmethod
    def from_coco(cls, categories: Iterable[Mapping[str, Any]]) -> Self:
        """Read COCO's `categories`, each with ``isthing``; both halves in the order of their ids.

        Raises:
            DataError: A category has no `id`, `name` or `isthing`, or see `ClassMap`.
        """
        halves: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
        for category in categories:
            kind = category.get("isthing") if isinstance(category, Mapping) else None
            if kind not in (0, 1):
                raise DataError(
                    "a panoptic category must say whether it is a thing ('isthing': 1) or stuff "
                    f"('isthing': 0), and {str(category)[:80]} came: complete the file's list of "
                    "categories."
                )
            halves[int(kind)].append(category)
        stuff, things = map(ClassMap.from_coco, halves)
        return cls(things, stuff)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            DataError: It lacks `things` or `stuff`, or see `ClassMap`.
        """
        if not all(isinstance(value.get(key), Mapping) for key in ("things", "stuff")):
            raise DataError(
                "a panoptic class table must have the tables 'things' and 'stuff', and "
                f"{str(dict(value))[:80]} came: write it with `PanopticClasses.to_json`."
            )
        return cls(ClassMap.from_json(value["things"]), ClassMap.from_json(value["stuff"]))

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return {"things": self.things.to_json(), "stuff": self.stuff.to_json()}

    def to_coco(self) -> list[dict[str, Any]]:
        """Return COCO's `categories` in the order of the joint labels."""
        return [
            {"id": source_id, "name": name, "isthing": int(self.is_thing(label))}
            for label, (source_id, name) in enumerate(zip(self.source_ids, self.names, strict=True))
        ]

    # -- looking up by joint label -----------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Names by joint label."""
        return self.joint.names

    @property
    def source_ids(self) -> tuple[int, ...]:
        """The source's ids by joint label."""
        return self.joint.source_ids

    def is_thing(self, label: int) -> bool:
        """Tell whether a joint label is that of a thing."""
        return label < len(self.things)

    def name(self, label: int) -> str:
        """Return the name of a joint label."""
        return self.joint.name(label)

    def source_id(self, label: int) -> int:
        """Return the source's id of a joint label."""
        return self.joint.source_id(label)

    def label_of(self, source_id: int) -> int:
        """Return the joint label of the source's id.

        Raises:
            DataError: No class has this id.
        """
        return self.joint.label_of(source_id)

    def match(self, other: "PanopticClasses") -> npt.NDArray[np.int64]:
        """Return our joint label for each joint label of `other`, found by name.

        Raises:
            ClassMismatch: A class of `other` is none of ours, or is stuff there and a thing here.
        """
        things = self.things.match(other.things)
        return np.concatenate([things, len(self.things) + self.stuff.match(other.stuff)])
