"""Where annotations lie: the splits of a data set, told by the names of files and folders."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from delineate.errors import DataError

SPLITS = ("train", "val", "test")
"""The splits of a data set, by the names that they have inside Delineate."""

_WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_WORD = re.compile(rf"(?<![a-z])({'|'.join(_WORDS)})(?![a-z])")


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
    found = {_WORDS[word] for word in _WORD.findall(name.lower())}
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
    """
    if not path.is_dir():
        return None
    if is_one(path):
        return {"train": Source(path)}
    found: dict[str, Source] = {}
    for folder in sorted(path.iterdir()):
        split = split_named(folder.name) if folder.is_dir() else None
        if split is not None and split not in found and is_one(folder):
            found[split] = Source(folder, split)
    return in_order(found) or None


def files(path: Path, suffix: str, is_one: Callable[[Path], bool]) -> Sources | None:
    """Find a format in which a file is a data set.

    In a folder, ``train.json``, ``val.json`` and ``test.json`` are looked for first; then any files
    in it, in its ``annotations/``, and in the folders of its splits. A single one is "train" unless
    its name tells another split.

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
        return named  # who reads one that is broken says so
    inside = sorted(path.iterdir())
    places = [
        path,
        path / "annotations",
        *(p for p in inside if p.is_dir() and split_named(p.name)),
    ]
    candidates = [
        file
        for place in places
        if place.is_dir()
        for file in sorted(place.iterdir())
        if file.suffix.lower() == suffix and file.is_file() and is_one(file)
    ]
    if len(candidates) == 1:
        (file,) = candidates
        split = _split_of(file, path) or "train"
        return {split: Source(file, split)}
    instances = [file for file in candidates if file.name.startswith("instances")]
    return _by_split(path, instances or candidates)


def _by_split(path: Path, candidates: Iterable[Path]) -> Sources | None:
    found: dict[str, Source] = {}
    for file in candidates:
        split = _split_of(file, path)
        if split is None or split in found:
            rival = found[split].path if split in found else file
            raise DataError(
                f"{path}: expected one file for each split, such as train.json and val.json, got "
                f"several whose names do not tell, such as {rival.name} and {file.name}: name one "
                "of the files."
                if split is not None
                else f"{path}: expected files that are named after their splits, such as "
                f"train.json and val.json, got several, such as {file.name}: name one of the files."
            )
        found[split] = Source(file, split)
    return in_order(found) or None


def _split_of(file: Path, path: Path) -> str | None:
    """Return the split that a file's own name tells, else the folders between it and `path`."""
    parents = file.relative_to(path).parts[:-1]
    return next(filter(None, map(split_named, (file.stem, *reversed(parents)))), None)
