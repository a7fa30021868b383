"""Work: one split under repair, as the records of a COCO file, and what was done to it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from delineate.core.classes import ID_LIMIT, ClassMap
from delineate.data.annotated import AnnotatedDataset
from delineate.data.coco import dataset_of
from delineate.data.coco_checks import check_images
from delineate.data.sample import ImageRecord, Problem
from delineate.quality.changes import Change

Record = dict[str, Any]


@dataclass(slots=True)
class Work:
    """One split under repair.

    Attributes:
        split: Its name.
        path: Its file, for messages.
        content: What `delineate.data.coco.read_content` returned; it is changed in place.
        folders: Where its pictures lie.
        changes: What was done so far.
    """

    split: str
    path: Path
    content: dict[str, Any]
    folders: Sequence[Path]
    changes: list[Change] = field(default_factory=list)

    def dataset(self, *, any_class: bool = False) -> AnnotatedDataset:
        """Read what it is now, as far as it is sound; no picture is looked for.

        Args:
            any_class: Take annotations of categories that are not listed, too.
        """
        content = self.content
        if any_class:
            classes = self.all_classes()
            ids = zip(classes.source_ids, classes.names, strict=True)
            content = {**content, "categories": [{"id": i, "name": name} for i, name in ids]}
        return dataset_of(self.path, content, None, "skip")

    def category_ids(self) -> set[int]:
        """Return the ids of the categories that are listed, with or without a sound name."""
        return {c["id"] for c in self.content["categories"] if _is_id(c.get("id"))}

    def has_every_id(self) -> bool:
        """Tell whether every category states an id; else an id that is not listed may be its."""
        return all(_is_id(category.get("id")) for category in self.content["categories"])

    def all_classes(self) -> ClassMap:
        """Return the categories that are listed or used, called by their ids."""
        stated = (a.get("category_id") for a in self.content["annotations"])
        return called_by_id(self.category_ids() | {i for i in stated if _is_id(i)})

    def by_image(self) -> dict[int, list[Record]]:
        """Return the annotations by the id of their image."""
        listed: dict[int, list[Record]] = defaultdict(list)
        for annotation in self.content["annotations"]:
            if (owner := owner_of(annotation)) is not None:
                listed[owner].append(annotation)
        return listed

    def looked_at(self) -> list[ImageRecord | Problem]:
        """Look at every image of the list, and at its file."""
        return check_images(self.content["images"], self.folders)

    def done(self, kind: str, what: str, **told: Any) -> None:  # noqa: ANN401 - fields of Change
        """List a change."""
        self.changes.append(Change(kind=kind, split=self.split, what=what, **told))


def owner_of(annotation: Mapping[str, Any]) -> int | None:
    """Return the id of an annotation's image; None: it states none."""
    owner = annotation.get("image_id")
    return owner if is_whole(owner) else None


def told_of(annotation: Mapping[str, Any]) -> Record:
    """Return an annotation for the list of changes: with how long its mask's text is, not that."""
    told = {key: value for key, value in annotation.items() if key != "segmentation"}
    if annotation.get("segmentation"):
        told["segmentation"] = f"{len(str(annotation['segmentation'])):,} characters"
    return told


def is_whole(value: Any) -> TypeGuard[int]:  # noqa: ANN401 - a stranger's JSON
    """Tell whether it is a whole number; True is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def called_by_id(ids: Set[int]) -> ClassMap:
    """Return classes of these ids, whatever their names are."""
    listed = sorted(ids)
    return ClassMap(tuple(map(str, listed)), tuple(listed))


def _is_id(value: Any) -> TypeGuard[int]:  # noqa: ANN401 - a stranger's JSON
    return is_whole(value) and 0 <= value < ID_LIMIT
