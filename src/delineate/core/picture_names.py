"""Which image of a data set a result is about, by the name of its file.

Who predicts on a folder knows its pictures by name only: the numbers in such results are those of
their order, and a data set's ids are others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from delineate.errors import DataError


def matches(path: Path, names: Sequence[str], ids: Mapping[str, int]) -> dict[str, int]:
    """Return the image id of each name that the truth knows.

    The names are equal, or else equal without their folders and unique so.

    Args:
        path: The file of results, for messages.
        names: What the results call their pictures, each once.
        ids: The truth's names and image ids.

    Raises:
        DataError: No result is of a picture of the truth, or a name stands for more than one.
    """
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
    if not found:
        raise DataError(
            f"{path}: expected predictions of the truth's {len(ids)} pictures, such as "
            f"{next(iter(ids))!r}, got those of {len(names)} others, such as {next(iter(names))!r}:"
            " evaluate against the data set that the predictions were made for."
        )
    return found
