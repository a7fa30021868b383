"""COCO results that name their pictures, joined to the truth by these names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from delineate.core.foreign import short
from delineate.core.picture_names import matches
from delineate.errors import DataError

JsonObject = Mapping[str, Any]


def joined_by_name(
    path: Path, results: Sequence[JsonObject], images: Mapping[int, JsonObject]
) -> dict[int, JsonObject]:
    """Give results with a ``file_name`` the id that the truth has for their picture.

    See `delineate.core.picture_names`. Results of pictures that the truth lacks are left out. Where
    results or images have no names nothing is changed.

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
    found = matches(path, list(names), ids)
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
