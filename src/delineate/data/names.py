"""Names of images where several sources are put together."""

from collections.abc import Sequence
from itertools import count
from pathlib import PurePosixPath


def own_names(parts: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Return one name for each image, all different.

    An image keeps its name unless one before it has it; then the name of its source comes in front,
    as a folder: ``a.png`` of ``streets/val`` becomes ``val/a.png``.

    Args:
        parts: The name of each source, and those of its images, unique within it.
    """
    taken: set[str] = set()
    names: list[str] = []
    for source, inside in parts:
        folder = PurePosixPath(source).name or "more"
        for name in inside:
            tries = (f"{folder}{'' if k == 1 else f'-{k}'}/{name}" for k in count(1))
            own = name if name not in taken else next(n for n in tries if n not in taken)
            taken.add(own)
            names.append(own)
    return names
