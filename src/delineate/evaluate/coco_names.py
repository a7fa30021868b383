"""Which image of the truth a result is about, by the name of its file.

Who predicts on a folder knows its pictures by name only: the numbers in such results are those of
their order, and a data set's ids are others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from delineate.core.foreign import short
from delineate.errors import DataError

JsonObject = Mapping[str, Any]


def joined_by_name(
    path: Path, results: Sequence[JsonObject], images: Mapping[int, JsonObject]
) -> dict[int, JsonObject]:
    """Give results with a ``file_name`` the id that the truth has for their picture.

    The names are equal, or else equal without their folders and unique so. Results of pictures
    that the truth lacks are left out. Where results or images have no names nothing is changed.

    Args:
        path: The file of results, for messages.
        results: Its content.
        images: The truth's images by id.

    Returns:
        The results by their number in the file, from 1 on.

    Raises:
        DataError: No result is of a picture of the truth, some have a name and others none, or a
            name stands for more than one picture.
    """
    stated = ((image.get("file_name"), image_id) for image_id, image in images.items())
    ids = {name: image_id for name, image_id in stated if isinstance(name, str)}
    numbered = dict(enumerate(results, start=1))
    if not ids or not any("file_name" in result for result in results):
        return numbered
    names = dict.fromkeys(_name(path, number, result) for number, result in numbered.items())
    found = _matches(path, list(names), ids)
    if not found:
        raise DataError(
            f"{path}: expected predictions of the truth's {len(ids)} pictures, such as "
            f"{next(iter(ids))!r}, got those of {len(names)} others, such as {next(iter(names))!r}:"
            " evaluate against the data set that the predictions were made for."
        )
    return {
        number: {**result, "image_id": found[result["file_name"]]}
        for number, result in numbered.items()
        if result["file_name"] in found
    }


def _name(path: Path, number: int, result: JsonObject) -> str:
    name = result.get("file_name")
    if not isinstance(name, str):
        raise DataError(
            f"{path}, result {number}: expected a picture's name as 'file_name' in every result as "
            f"in others of this file, got {short(name)}: export all predictions alike."
        )
    return name


def _matches(path: Path, names: Sequence[str], ids: Mapping[str, int]) -> dict[str, int]:
    """Return the image id of each name that the truth knows."""
    alike: dict[str, list[str]] = {}
    for known in ids:
        alike.setdefault(PurePath(known).name, []).append(known)
    found: dict[str, int] = {}
    taken: dict[str, str] = {}
    for name in names:
        candidates = [name] if name in ids else alike.get(PurePath(name).name, [])
        if len(candidates) > 1:
            raise DataError(
                f"{path}: {name!r} may be {candidates[0]!r} or {candidates[1]!r} of the truth: "
                "give the pictures names of their own, or the results the truth's names."
            )
        for known in candidates:
            if known in taken:
                raise DataError(
                    f"{path}: {taken[known]!r} and {name!r} both may be {known!r} of the truth: "
                    "evaluate the predictions of one folder at a time."
                )
            taken[known], found[name] = name, ids[known]
    return found
