"""Folders that are named after splits, and hold pictures of which no annotations tell.

Whoever loses the one file that tells of a split, or writes half of it, has a folder of pictures
left. The other splits open as ever, so that nothing would say what is missing.
"""

import os
import re
from collections.abc import Container, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from delineate.core.image import IMAGE_SUFFIXES
from delineate.data.layouts import SPLIT_WORDS, split_named
from delineate.data.sample import Dataset
from delineate.data.unannotated import is_made

_MOST = 50  # folders in which a picture is looked for
_NAME = re.compile(  # of a folder that is named after a split and after nothing else
    rf"(?!\.)(stage|images?)?[\W\d_]*({'|'.join(SPLIT_WORDS)})[\W\d_]*(images?|set|data)?[\W\d_]*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BareSplit:
    """A split that has pictures and no annotations.

    Attributes:
        split: Its name.
        folder: The folder that is named after it.
        picture: One of the pictures in it.
    """

    split: str
    folder: Path
    picture: Path

    @property
    def why(self) -> str:
        """What is wrong with it."""
        return f"no annotations tell of the pictures in it, such as {self.picture.name}"

    @property
    def fix(self) -> str:
        """What to do about it."""
        return "put its annotations back or mend them, label the pictures, or move them away"


def bare_splits(path: Path, splits: Mapping[str, Dataset]) -> list[BareSplit]:
    """Find them in a data folder, and beside the pictures of its splits.

    Args:
        path: The data folder; a file has none.
        splits: All splits of the folder that have annotations.
    """
    if not path.is_dir():
        return []
    top = Path(os.path.abspath(path))
    own = {r.path.parent for dataset in splits.values() for r in dataset.records if r.path}
    used = {Path(os.path.abspath(folder)) for folder in own}
    parents = {top, *(folder.parent for folder in used if top in folder.parents)}
    return [bare for parent in sorted(parents) for bare in _bare(parent, used, splits)]


def _bare(parent: Path, used: Set[Path], splits: Container[str]) -> Iterator[BareSplit]:
    try:
        names = sorted(os.listdir(parent))
    except OSError:  # what may not be listed is not told
        return
    for name in names:
        folder, split = parent / name, split_named(name)
        if split is None or split in splits or not _NAME.fullmatch(name.lower()):
            continue
        if not os.path.isdir(folder) or any(place.is_relative_to(folder) for place in used):
            continue
        if (picture := _picture(folder)) is not None:
            yield BareSplit(split=split, folder=folder, picture=picture)


def _picture(folder: Path) -> Path | None:
    """Return a picture that lies in a folder or below it, and is not made from another."""
    for place, folders, names in islice(os.walk(folder), _MOST):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not is_made(f))
        for name in sorted(names):
            if name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith("."):
                return Path(place, name)
    return None
