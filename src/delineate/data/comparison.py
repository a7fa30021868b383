"""What two readings of the same pictures disagree about, object by object."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from delineate.core.instances import Instances
from delineate.core.panoptic import Panoptic
from delineate.data.federated import Federated, federated_of
from delineate.data.sample import Dataset, PanopticDataset

Kind = Literal["image", "missing", "mask", "class", "crowd", "extra", "stuff", "federated"]

_SAME_CLASS = 1e-3  # what equal classes are worth beside an IoU, where masks are equal
_OVERLAPS = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One object, or one image, that is not as it was.

    Attributes:
        kind: "image": the picture is not there; "missing": the object is not; "mask": its outline
            is another; "class" or "crowd": this is another, its outline the same; "extra": an
            object that was not there; "stuff": a region of stuff is lost or another; "federated":
            it is no longer known which classes were looked for.
        image: Name of the picture.
        number: Its place among the objects of the picture, from 1; 0 for what is none.
        class_name: Its class; for an extra object the class it has now.
        area: Its pixels; for an extra object those it has now.
        iou: Intersection over union of its mask before and after.
    """

    kind: Kind
    image: str
    number: int
    class_name: str
    area: int
    iou: float

    def __str__(self) -> str:
        if self.kind == "image":
            return f"{self.image}: the image is lost"
        if self.kind == "federated":
            return f"{self.image}: which classes were looked for is not known as before"
        if self.kind == "stuff":
            fate = f"IoU {self.iou:.4f} with what it was" if self.iou else "lost"
            return f"{self.image}, stuff ({self.class_name}, {self.area} px): {fate}"
        what = f"{self.image}, object {self.number} ({self.class_name}, {self.area} px)"
        match self.kind:
            case "missing":
                return f"{what}: lost"
            case "extra":
                return f"{what}: was not there before"
            case "mask":
                return f"{what}: IoU {self.iou:.4f} with what it was"
            case _:
                return f"{what}: another {self.kind}"

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        return {
            "kind": self.kind,
            "image": self.image,
            "object": self.number,
            "class": self.class_name,
            "area": self.area,
            "iou": round(self.iou, 6),
        }


def differences(before: Dataset, after: Dataset, names: Sequence[str]) -> Iterator[Difference]:
    """Compare the objects of two data sets; their order does not matter.

    Of a panoptic data set the stuff is compared, too, and of a federated one what is known of its
    classes.

    Args:
        before: What it was.
        after: What it is now.
        names: What each image of `before` is called in `after`.
    """
    place = {record.name: i for i, record in enumerate(after.records)}
    known, known_now = federated_of(before), federated_of(after)
    for index, name in enumerate(names):
        was, old = before.instances(index), before.records[index].name
        if name not in place:
            yield _of_whole("image", old)
            yield from (_difference("missing", old, before, was, i, 0.0) for i in range(len(was)))
            continue
        now = after.instances(place[name])
        labels = [after.classes.names[label] for label in now.labels]
        yield from _of_image(old, before, was, after, now, labels)
        if isinstance(before, PanopticDataset):
            there = after.panoptic(place[name]) if isinstance(after, PanopticDataset) else None
            yield from _of_stuff(old, before.panoptic(index), there)
        if known is not None and (
            known_now is None
            or _looked_for(known, before, index) != _looked_for(known_now, after, place[name])
        ):
            yield _of_whole("federated", old)


def _of_image(
    image: str,
    before: Dataset,
    was: Instances,
    after: Dataset,
    now: Instances,
    now_names: list[str],
) -> Iterator[Difference]:
    if was.image_size != now.image_size:
        yield _of_whole("image", image)
        return
    names = [before.classes.names[label] for label in was.labels]
    overlap = _overlap(was, now)
    same = np.array(names)[:, None] == np.array(now_names)[None, :] if overlap.size else overlap
    pairs = zip(*linear_sum_assignment(-(overlap + _SAME_CLASS * same)), strict=True)
    match = {i: j for i, j in pairs if overlap[i, j] > _OVERLAPS}
    for i in range(len(was)):
        j = match.get(i)
        if j is None:
            yield _difference("missing", image, before, was, i, 0.0)
        elif overlap[i, j] < 1:
            yield _difference("mask", image, before, was, i, float(overlap[i, j]))
        elif names[i] != now_names[j]:
            yield _difference("class", image, before, was, i, 1.0)
        elif _crowd(was)[i] != _crowd(now)[j]:
            yield _difference("crowd", image, before, was, i, 1.0)
    for j in sorted(set(range(len(now))) - set(match.values())):
        yield _difference("extra", image, after, now, j, 0.0)


def _of_stuff(image: str, was: Panoptic, now: Panoptic | None) -> Iterator[Difference]:
    names = _stuff_names(was)
    if now is None or was.image_size != now.image_size:
        ious = np.zeros(len(names))
    else:
        overlap = was.masks(was.stuff).iou(now.masks(now.stuff))
        same = np.array(names, str)[:, None] == np.array(_stuff_names(now), str)[None, :]
        ious = (overlap * same).max(axis=1, initial=0.0)
    for segment, name, iou in zip(was.stuff, names, ious.tolist(), strict=True):
        if iou < 1:
            yield Difference(
                kind="stuff", image=image, number=0, class_name=name, area=segment.area, iou=iou
            )


def _stuff_names(panoptic: Panoptic) -> list[str]:
    return [panoptic.classes.joint.names[segment.label] for segment in panoptic.stuff]


def _looked_for(known: Federated, dataset: Dataset, index: int) -> tuple[set[str], set[str]]:
    names = dataset.classes.names
    negative, unexhausted = known.negative[index], known.unexhausted[index]
    return {names[label] for label in negative}, {names[label] for label in unexhausted}


def _overlap(was: Instances, now: Instances) -> npt.NDArray[np.float64]:
    """(n, m) IoU; exactly 1 for equal masks, empty ones included."""
    assert was.masks is not None
    assert now.masks is not None
    overlap = was.masks.iou(now.masks)
    equal: dict[bytes, list[int]] = {}
    for j, runs in enumerate(now.masks.runs):
        equal.setdefault(runs.tobytes(), []).append(j)
    for i, runs in enumerate(was.masks.runs):
        overlap[i, equal.get(runs.tobytes(), [])] = 1.0
    return overlap


def _crowd(instances: Instances) -> npt.NDArray[np.bool_]:
    return np.zeros(len(instances), bool) if instances.crowd is None else instances.crowd


def _of_whole(kind: Kind, image: str) -> Difference:
    return Difference(kind=kind, image=image, number=0, class_name="", area=0, iou=0.0)


def _difference(
    kind: Kind, image: str, dataset: Dataset, instances: Instances, i: int, iou: float
) -> Difference:
    assert instances.masks is not None
    return Difference(
        kind=kind,
        image=image,
        number=i + 1,
        class_name=dataset.classes.names[int(instances.labels[i])],
        area=int(instances.masks[i : i + 1].areas[0]),
        iou=iou,
    )
