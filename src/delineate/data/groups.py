"""Which images belong together and must not be parted: by their names, by folder, by any key."""

import re
from collections.abc import Hashable, Sequence
from pathlib import PurePosixPath

from delineate.errors import ConfigError


def keys_by_pattern(names: Sequence[str], pattern: str) -> list[str]:
    r"""Return what the first group of a regular expression finds in each name.

    Args:
        names: The images' names.
        pattern: For example ``^(patient\d+)_``; it is looked for anywhere in a name.

    Raises:
        ConfigError: It is no regular expression with a group, or a name has no match.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"expected a regular expression to group by, got {pattern!r} ({error}): write for "
            r"example '^(patient\d+)_'."
        ) from error
    if not compiled.groups:
        raise ConfigError(
            f"expected a regular expression whose first group is the key, got {pattern!r} without "
            r"parentheses: write for example '^(patient\d+)_'."
        )
    found = [compiled.search(name) for name in names]
    missing = [n for n, match in zip(names, found, strict=True) if match is None or not match[1]]
    if missing:
        raise ConfigError(
            f"expected {pattern!r} to find a key in every name, but it finds none in "
            f"{len(missing)} of {len(names)}, such as {missing[0]!r}: widen the expression."
        )
    return [match[1] for match in found if match is not None]


def keys_by_folder(names: Sequence[str]) -> list[str]:
    """Return the folder that each name begins with, ``.`` where it has none."""
    return [str(PurePosixPath(name).parent) for name in names]


def joined(keys: Sequence[Sequence[Hashable]]) -> list[int]:
    """Return one group number an image: images that share any of their keys are together.

    Args:
        keys: Lists of one key an image, all equally long, such as videos and near-duplicates.
    """
    parent = list(range(len(keys[0]))) if keys else []

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for column in keys:
        first: dict[Hashable, int] = {}
        for i, key in enumerate(column):
            a, b = sorted((root(first.setdefault(key, i)), root(i)))
            parent[b] = a
    return [root(i) for i in range(len(parent))]
