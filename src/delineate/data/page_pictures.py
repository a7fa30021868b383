"""Pictures of pages of print and handwriting: found by what their files (ALTO, PAGE) say of them.

Libraries name the master there, often with a path or another suffix; what lies beside the file is
a copy of the same stem.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from delineate.core.boxes import Size
from delineate.core.foreign import short
from delineate.data.collect import Listed
from delineate.data.pictures import Broken, of_any_suffix

DUMMY = "eSc_dummyblock"
"""How the id of a block begins that eScriptorium writes around lines outside all zones."""

_FOLDERS = ("page", "alto")  # of Transkribus; the pictures are in the folder above


def picture_of(
    file: Path, stated: str, size: Size | None, *, top: Path, folders: Sequence[Path]
) -> Listed:
    """Return the picture of a page.

    Args:
        file: Describes the page.
        stated: The name, path or address that it gives.
        size: (height, width) that it states.
        top: The folder at which the names of pictures start.
        folders: Where pictures are looked for instead of beside their files.
    """
    name = re.split(r"[/\\]", stated.strip())[-1] or f"{file.stem}.jpg"
    inside = PurePosixPath(file.parent.relative_to(top).as_posix())
    around = [place for folder in folders for place in (folder / inside, folder)]
    if not folders:
        around = [file.parent]
        if file.parent.resolve().name.lower() in _FOLDERS:
            around.append(file.parent / "..")
    places = [folder / name for folder in around]
    stated_at = next((place for place in places if os.path.lexists(place)), None)
    found = stated_at or of_any_suffix(file.stem, around)
    if found is None:
        return Listed((inside / name).as_posix(), places, size)
    return Listed((inside / found.name).as_posix(), [found], size)


def outline(points: str) -> list[float]:
    """Return the coordinates of ``x,y x,y x,y``, also written ``x y x y x y``.

    Raises:
        Broken: There is something else than numbers.
    """
    try:
        return [float(value) for value in re.split(r"[\s,]+", points.strip()) if value]
    except ValueError:
        raise Broken(
            f"its points should be x,y x,y ..., and are {short(points)}", "correct them"
        ) from None
