"""One line of a YOLO label file: the number of a class and the outline of an object."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from delineate.core.boxes import Size
from delineate.data.pictures import Broken
from delineate.data.yolo_layout import read_text

LARGEST = 100_000_000
"""Most bytes of the labels of one picture."""

_MARGIN = 0.5  # how far an outline may reach beyond the picture, as a fraction of it


def outline(line: str, size: Size) -> tuple[int, list[float]]:
    """Read a line: class and corners.

    Args:
        line: ``class x1 y1 x2 y2 x3 y3 ...``, the corners as fractions of width and height.
        size: (height, width) of the picture.

    Returns:
        The number of the class, and ``[x1, y1, ...]`` in pixels.

    Raises:
        Broken: It is no such line.
    """
    try:
        number, *numbers = map(float, line.split())
    except ValueError:
        raise Broken(
            f"expected the number of a class and coordinates, got the text {line.strip()[:40]!r}",
            "correct the line",
        ) from None
    if not number.is_integer() or number < 0:
        raise Broken(
            f"expected the number of a class, 0, 1, 2, ..., got {number:g}", "correct the line"
        )
    if len(numbers) in (4, 5):
        raise Broken("it is a box without a mask", "draw its outline, or remove the line")
    if len(numbers) < 6 or len(numbers) % 2:
        raise Broken(
            f"expected an outline of 3 points or more, x and y each, got {len(numbers)} numbers "
            "after the class",
            "complete the outline; a last number that is a confidence must go",
        )
    corners = np.array(numbers).reshape(-1, 2)
    if not (np.abs(corners - 0.5) <= 0.5 + _MARGIN).all():  # false for NaN
        worst = corners.flat[np.abs(corners - 0.5).argmax()]
        raise Broken(
            f"expected coordinates as fractions from 0 to 1, got {worst:g}",
            "divide what is in pixels by the picture's width and height",
        )
    height, width = size
    return int(number), (corners * (width, height)).ravel().tolist()


def without_name(number: int, names: Mapping[int, str], from_one: bool) -> Broken:
    """Say that a class has no name.

    Args:
        number: The class.
        names: Name of each class that has one.
        from_one: What `counts_from_one` says.
    """
    why = f"its class {number} is none of the {len(names)} classes {min(names)} to {max(names)}"
    if from_one and number > max(names):
        return Broken(
            f"{why}, and no label has class 0",
            "these seem to be the ids of a COCO file, which count from 1 where YOLO counts from 0, "
            "so that every label is wrong; convert the data set anew",
            "ids_off_by_one",
        )
    return Broken(why, "correct the line, or add the class to the names")


def counts_from_one(files: Iterable[Path]) -> bool:
    """Tell whether no line of label files has class 0."""
    zero = re.compile(r"^[^\S\n]*0+(\.0*)?\s", re.MULTILINE)
    return not any(zero.search(read_text(file, LARGEST) or "") for file in files)
