"""Look at every category of a COCO file: a broken one takes its annotations with it.

Of two categories of one name the first stays. Two of one id and different names both go: nobody
knows which of them an annotation means.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from delineate.core.classes import ClassMap
from delineate.data.annotated import none_usable
from delineate.data.coco_checks import JsonObject, check_object
from delineate.data.pictures import Broken
from delineate.data.sample import Problem
from delineate.errors import DataError

_KIND = "broken_category"


def check_categories(path: Path, listed: Sequence[JsonObject]) -> tuple[ClassMap, list[Problem]]:
    """Return the sound categories, and what is wrong with the others.

    Args:
        path: The file, for messages.
        listed: Its `categories`.

    Raises:
        DataError: None of them is sound.
    """
    try:
        return ClassMap.from_coco(listed), []
    except DataError:
        judged = list(_judged(listed))
    problems = [
        _problem(record, position, broken)
        for position, (record, broken) in enumerate(zip(listed, judged, strict=True))
        if broken is not None
    ]
    sound = [record for record, broken in zip(listed, judged, strict=True) if broken is None]
    if not sound:
        raise none_usable(path, "categories", len(listed), problems[0])
    return ClassMap.from_coco(sound), problems


def _judged(listed: Sequence[JsonObject]) -> Iterator[Broken | None]:
    """Yield of each category what is wrong with it; None: nothing."""
    read = [_read(record) for record in listed]
    names_of = Counter(own for own, _ in {one for one in read if not isinstance(one, Broken)})
    ids: dict[str, int] = {}
    for one in read:
        if isinstance(one, Broken):
            yield one
            continue
        own, name = one
        if names_of[own] > 1:
            yield Broken(
                "another category has the same id, so that nobody knows which an annotation means",
                "give each its own id, and correct the annotations",
                _KIND,
            )
        elif name in ids:
            why = "it is listed twice" if ids[name] == own else f"category {ids[name]} is called so"
            fix = "rename one of them, or join the two, as --fix does where nothing else differs"
            yield Broken(why, fix, _KIND)
        else:
            ids[name] = own
            yield None


def _read(record: JsonObject) -> tuple[int, str] | Broken:
    """Return a category's id and name."""
    try:
        check_object(record)
        table = ClassMap.from_coco([record])
    except Broken as broken:
        return Broken(broken.why, broken.fix, _KIND)
    except DataError as error:
        return Broken.by(error, _KIND)
    return table.source_ids[0], table.names[0]


def _problem(record: JsonObject, position: int, broken: Broken) -> Problem:
    own, name = record.get("id"), record.get("name")
    place = (
        f"category {own}" if isinstance(own, int) else f"category number {position + 1} of the list"
    )
    return Problem(
        where=place + (f" {name!r:.60}" if name and isinstance(name, str) else ""),
        why=broken.why,
        fix=broken.fix,
        action="the category and its annotations left out",
        kind=broken.kind,
    )
