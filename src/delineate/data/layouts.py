"""Where annotations lie: the splits of a data set, told by the names of files and folders."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.errors import DataError

SPLITS = ("train", "val", "test")
"""The splits of a data set, by the names that they have inside Delineate."""

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
"""What splits are called -> their names."""

_MOST_FILES = 100  # of a folder, that are data sets; where there are more, each tells of a picture
_WORD = re.compile(rf"(?<![a-z])({'|'.join(SPLIT_WORDS)})(?![a-z])")


@dataclass(frozen=True, slots=True)
class Source:
    """Where one split of a data set is.

    Attributes:
        path: The file or folder that says what is in it.
        split: Its name, which is part of the place where one file or folder holds all splits.
    """

    path: Path
    split: str = "train"


Sources = Mapping[str, Source]
"""Split name -> its place, in the order of `SPLITS`."""


def split_named(name: str) -> str | None:
    """Return the split that a file's or folder's name tells: ``instances_val2017`` is "val"."""
    found = {SPLIT_WORDS[word] for word in _WORD.findall(name.lower())}
    return found.pop() if len(found) == 1 else None


def split_for(path: Path, subset: str) -> str:
    """Return the split that the name of a subset tells.

    Args:
        path: Where it was found, for messages.
        subset: Its name.

    Raises:
        DataError: It tells none.
    """
    split = split_named(subset)
    if split is None:
        raise DataError(
            f"{path}: expected subsets that are named after splits, such as train, val and test, "
            f"got one called {subset!r}: rename it, or name a single file with a single subset."
        )
    return split


def in_order(sources: Mapping[str, Source]) -> dict[str, Source]:
    """Return splits in the order of `SPLITS`; others follow."""
    known = [split for split in SPLITS if split in sources]
    return {split: sources[split] for split in [*known, *(s for s in sources if s not in SPLITS)]}


def folders(path: Path, is_one: Callable[[Path], bool]) -> Sources | None:
    """Find a format in which a folder is a data set, or holds one folder for each split.

    Args:
        path: What the user named.
        is_one: Whether a folder is a data set of the format.

    Raises:
        DataError: Two folders are of the format, and their names tell the same split.
    """
    if not path.is_dir():
        return None
    if is_one(path):
        return {"train": Source(path)}
    found: dict[str, Source] = {}
    for folder in sorted(path.iterdir()):
        split = split_named(folder.name) if folder.is_dir() else None
        if split is not None and is_one(folder):
            add_split(found, path, Source(folder, split))
    return in_order(found) or None


def add_split(found: dict[str, Source], path: Path, source: Source) -> None:
    """Add a split to those found so far.

    Args:
        found: Those of the data set; it is changed.
        path: What the user named.
        source: A file or folder in it, and the split that its name tells.

    Raises:
        DataError: Another place is this split already.
    """
    rival = found.setdefault(source.split, source)
    if rival.path != source.path:
        one, other = (place.path.relative_to(path).as_posix() for place in (rival, source))
        raise DataError(
            f"{path}: expected one place for each split, got two whose names tell "
            f"{source.split!r}, {one} and {other}: name one of them, or rename the other."
        )


def files(path: Path, suffix: str, is_one: Callable[[Path], bool]) -> Sources | None:
    """Find a format in which a file is a data set.

    In a folder, ``train.json``, ``val.json`` and ``test.json`` are looked for first, and files
    beside them whose names tell a split that is missing, such as ``valid.json``. Where there are
    none, any files in it count, in its ``annotations/``, and in the folders of its splits. A single
    one is "train" unless its name tells another split.

    Other files of a folder with more than a hundred of them tell of one picture each, so that none
    is looked at.

    Args:
        path: What the user named.
        suffix: ``.json``, in lower case.
        is_one: Whether a file is a data set of the format.

    Raises:
        DataError: Files of a folder are of the format, and their names do not tell their splits.
    """
    if path.is_file():
        return {"train": Source(path)} if is_one(path) else None
    if not path.is_dir():
        return None
    plain = {s: path / f"{s}{suffix}" for s in SPLITS}
    named = {s: Source(file, s) for s, file in plain.items() if file.is_file()}
    if any(is_one(source.path) for source in named.values()):
        beside = [] if len(named) == len(SPLITS) else _few(path, suffix)
        for missing in set(SPLITS) - named.keys():
            told = [f for f in beside if split_named(f.stem) == missing and is_one(f)]
            named |= _by_split(path, told) or {}
        return in_order(named)  # who reads one that is broken says so
    below = sorted(p for p in path.iterdir() if split_named(p.name) and p.is_dir())
    places = [path, path / "annotations", *below]
    candidates = [file for place in places for file in _few(place, suffix) if is_one(file)]
    if len(candidates) == 1:
        (file,) = candidates
        split = _split_of(file, path) or "train"
        return {split: Source(file, split)}
    return _by_split(path, candidates)


def _by_split(path: Path, candidates: Sequence[Path]) -> Sources | None:
    instances = [file for file in candidates if file.name.startswith("instances")]
    found: dict[str, Source] = {}
    for file in instances or candidates:
        split = _split_of(file, path)
        if split is None:
            raise DataError(
                f"{path}: expected files that are named after their splits, such as train.json and "
                f"val.json, got several, such as {file.name}: name one of the files."
            )
        add_split(found, path, Source(file, split))
    return in_order(found) or None


def _few(folder: Path, suffix: str) -> list[Path]:
    """Return the files of a folder that may be data sets, by their suffix and number."""
    if not folder.is_dir():
        return []
    names = [name for name in os.listdir(folder) if name.lower().endswith(suffix)]
    if len(names) > _MOST_FILES:
        return []
    return [file for name in sorted(names) if (file := folder / name).is_file()]


def _split_of(file: Path, path: Path) -> str | None:
    """Return the split that a file's own name tells, else the folders between it and `path`."""
    parents = file.relative_to(path).parts[:-1]
    return next(filter(None, map(split_named, (file.stem, *reversed(parents)))), None)
