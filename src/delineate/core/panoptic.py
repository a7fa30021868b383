"""Panoptic: every pixel of one image belongs to one segment, a thing or stuff, or to none.

The task and its words are those of Kirillov et al., "Panoptic Segmentation" (2019). The value holds
a map of segment ids, as COCO's files do; masks leave it as run lengths, all in one pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from delineate.core import rle
from delineate.core.boxes import Size
from delineate.core.foreign import check_size
from delineate.core.instances import Instances
from delineate.core.masks import Masks
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import DataError

IdMap = npt.NDArray[np.int32]
"""``(h, w)`` segment ids; 0 is void."""

VOID_LABEL = -1
"""In a map of labels: a pixel that belongs to no class."""

VOID_STUFF = 255
"""In a map of stuff to learn from: a pixel that counts for nothing."""

MOST_STUFF = VOID_STUFF - 1
"""As many classes of stuff can be told apart there."""

ID_LIMIT = 1 << 24
"""Segment ids lie below this: COCO's PNG has three bytes for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment of an image.

    Attributes:
        id: Its number in the map, from 1 to 2^24 - 1.
        label: Joint label of its class (`delineate.core.panoptic_classes`).
        area: Its pixels in the map.
        score: How sure a model is, 0 to 1; None where nobody says.
        crowd: A region of things that nobody told apart.
    """

    id: int
    label: int
    area: int
    score: float | None = None
    crowd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panoptic:
    """The segments of one image.

    Validated when built; the map is a copy, and read-only.

    Attributes:
        ids: ``(h, w)`` int32: the segment of each pixel, 0 where there is none (void).
        segments: One for each id in the map, and no other.
        classes: What the segments' labels mean.

    Raises:
        DataError: The map is none, an id is out of range or comes twice, map and segments do not
            hold the same ids with the same areas, or a label or score is out of range.
    """

    ids: IdMap
    segments: tuple[Segment, ...]
    classes: PanopticClasses
    _index: dict[int, Segment] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ids = _checked_map(self.ids)
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "segments", tuple(self.segments))
        for segment in self.segments:
            _check_segment(segment, len(self.classes))
        index = {segment.id: segment for segment in self.segments}
        object.__setattr__(self, "_index", index)
        if len(index) < len(self.segments):
            raise _wrong("segments", "of different ids", f"{len(self.segments)} with one id twice")
        seen = areas_by_id(ids)
        for segment in self.segments:
            if seen.get(segment.id) != segment.area:
                raise _wrong(
                    f"segments: that of id {segment.id}",
                    f"as large as in the map, {seen.get(segment.id, 0)} pixels and at least one",
                    f"{segment.area}",
                )
        if nameless := seen.keys() - index.keys():
            raise _wrong("ids", "numbers of the segments, or 0", f"{min(nameless)} without one")

    # -- makers ------------------------------------------------------------------------------

    @classmethod
    def empty(cls, size: Size, classes: PanopticClasses) -> Self:
        """Return an image of ``(h, w)`` `size` that is void."""
        return cls(ids=np.zeros(check_size(size), np.int32), segments=(), classes=classes)

    # -- parts -------------------------------------------------------------------------------

    @property
    def image_size(self) -> Size:
        """``(h, w)`` of the image."""
        height, width = self.ids.shape
        return height, width

    @property
    def things(self) -> tuple[Segment, ...]:
        """The segments that are things, crowds included."""
        return tuple(s for s in self.segments if self.classes.is_thing(s.label))

    @property
    def stuff(self) -> tuple[Segment, ...]:
        """The segments that are stuff."""
        return tuple(s for s in self.segments if not self.classes.is_thing(s.label))

    def segment(self, segment_id: int) -> Segment:
        """Return the segment of an id in the map.

        Raises:
            KeyError: There is none; 0 is void.
        """
        return self._index[segment_id]

    def masks(self, segments: Iterable[Segment] | None = None) -> Masks:
        """Return the masks of some of its segments, by default of all, in their order."""
        chosen = self.segments if segments is None else segments
        runs = runs_by_id(self.ids)
        return Masks(self.image_size, tuple(runs[segment.id] for segment in chosen))


def to_instances(panoptic: Panoptic) -> Instances:
    """Return the things of an image, in the order of its segments, with masks and segment ids.

    Scores are known where every thing has one, and crowds are marked where there are any.
    """
    things = panoptic.things
    masks = panoptic.masks(things)
    scores = [thing.score for thing in things if thing.score is not None]
    return Instances(
        image_size=panoptic.image_size,
        boxes=masks.boxes(),
        labels=np.array([thing.label for thing in things], np.int64),
        masks=masks,
        scores=np.array(scores, np.float32) if things and len(scores) == len(things) else None,
        ids=np.array([thing.id for thing in things], np.int64),
        crowd=np.array([thing.crowd for thing in things]) if any(t.crowd for t in things) else None,
    )


def relabelled(panoptic: Panoptic, classes: PanopticClasses) -> Panoptic:
    """Return the segments with the labels of another class table, for example a model's.

    Raises:
        ClassMismatch: A class is none of `classes`, by its name, or is of the other kind there.
    """
    if panoptic.classes == classes:
        return panoptic
    label = classes.match(panoptic.classes).tolist()
    segments = tuple(replace(s, label=label[s.label]) for s in panoptic.segments)
    return Panoptic(ids=panoptic.ids, segments=segments, classes=classes)


def to_semantic(panoptic: Panoptic) -> npt.NDArray[np.int32]:
    """Return the ``(h, w)`` joint label of each pixel, `VOID_LABEL` where there is none."""
    return _painted(panoptic, VOID_LABEL, {s.id: s.label for s in panoptic.segments})


def to_stuff_map(panoptic: Panoptic) -> npt.NDArray[np.int32]:
    """Return what a stuff head learns: 0 for things, 1 + k for stuff k, `VOID_LABEL` for void.

    This is the map that `delineate.core.panoptic_fusion.fuse` takes. ``(h, w)``.
    """
    first = len(panoptic.classes.things)
    values = {s.id: max(0, s.label - first + 1) for s in panoptic.segments}
    return _painted(panoptic, VOID_LABEL, values)


def to_stuff_truth(panoptic: Panoptic) -> npt.NDArray[np.uint8] | None:
    """Return the same in bytes, to be moved with a picture: `VOID_STUFF` for void. ``(h, w)``.

    None where there are more classes of stuff than `MOST_STUFF`.
    """
    if len(panoptic.classes.stuff) > MOST_STUFF:
        return None
    labels = to_stuff_map(panoptic)
    return np.where(labels == VOID_LABEL, VOID_STUFF, labels).astype(np.uint8)


def areas_by_id(ids: IdMap) -> dict[int, int]:
    """Return how many pixels each id of a map has, without 0."""
    starts, lengths = _spans(ids.ravel())
    values, owner = np.unique(ids.ravel()[starts], return_inverse=True)
    areas = np.bincount(owner, weights=lengths).astype(np.int64)  # exact: far below 2^53
    return {i: a for i, a in zip(values.tolist(), areas.tolist(), strict=True) if i}


def runs_by_id(ids: IdMap) -> dict[int, rle.Runs]:
    """Return the mask of each id of a map, without 0; one pass, and nothing dense."""
    flat = ids.ravel(order="F")
    starts, lengths = _spans(flat)
    owner = flat[starts]
    order = np.argsort(owner, kind="stable")
    turns = np.stack([starts, starts + lengths], axis=1)[order]
    values, first = np.unique(owner[order], return_index=True)
    size = ids.shape[0], ids.shape[1]
    parts = zip(values.tolist(), np.split(turns, first[1:]), strict=True)
    return {i: rle.from_turns(part.ravel(), size) for i, part in parts if i}


def _spans(flat: IdMap) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where each span of equal values starts, and how long it is."""
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return starts, np.diff(starts, append=flat.size)


def _painted(panoptic: Panoptic, void: int, values: dict[int, int]) -> npt.NDArray[np.int32]:
    """Return the map with each id replaced by its value."""
    known = np.array([0, *sorted(values)], np.int32)
    table = np.array([void, *(values[i] for i in known[1:].tolist())], np.int32)
    painted: npt.NDArray[np.int32] = table[np.searchsorted(known, panoptic.ids)]
    return painted


def _checked_map(given: npt.ArrayLike) -> IdMap:
    ids = np.asarray(given)
    if ids.ndim != 2 or not ids.size or ids.dtype.kind not in "iu":
        raise _wrong("ids", "whole numbers in an (h, w) array", f"{ids.dtype} of shape {ids.shape}")
    if int(ids.min()) < 0 or int(ids.max()) >= ID_LIMIT:
        raise _wrong("ids", f"from 0 to {ID_LIMIT - 1}", f"{int(ids.min())} to {int(ids.max())}")
    copy = np.array(ids, dtype=np.int32, order="C")
    copy.setflags(write=False)
    return copy


def _check_segment(segment: Segment, classes: int) -> None:
    def whole(value: Any) -> bool:  # noqa: ANN401 - whatever came
        return isinstance(value, int) and not isinstance(value, bool)

    where = f"segments: the id of {segment!r:.80}"
    if not whole(segment.id) or not 0 < segment.id < ID_LIMIT:
        raise _wrong(where, f"a whole number from 1 to {ID_LIMIT - 1}", f"{segment.id}")
    where = f"segments: that of id {segment.id}"
    if not whole(segment.label) or not 0 <= segment.label < classes:
        raise _wrong(where, f"of a label from 0 to {classes - 1}", f"{segment.label}")
    if segment.score is not None and not 0 <= segment.score <= 1:  # false for NaN
        raise _wrong(where, "scored from 0 to 1", f"{segment.score}")


def _wrong(name: str, expected: str, got: str) -> DataError:
    return DataError(
        f"Panoptic.{name} must be {expected}, and {got} came: correct it where the segments are "
        "made."
    )
