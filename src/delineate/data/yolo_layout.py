"""What a YOLO data set says of itself: its classes, and where its splits are.

Either a YAML file (``data.yaml``) names the classes and, for each split, folders, text files that
list pictures, or pictures; or a folder has ``classes.txt`` and no more.

After https://docs.ultralytics.com/datasets/segment/ and ultralytics/data/utils.py, but that
relative paths start at the YAML file, not at the working directory or at a folder of settings.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from delineate.core.classes import ClassMap
from delineate.core.json_file import kind
from delineate.data.layouts import split_named
from delineate.errors import DataError

CLASSES_FILE = "classes.txt"
"""Has one name a line: what labelImg, Label Studio and X-AnyLabeling write."""

_LARGEST = 1_000_000  # bytes of a YAML file, which is read slowly
_NOTHING = (None, "", "~", "null", "Null", "NULL")
_KEYS = {"train": ("train",), "val": ("val", "validation", "valid"), "test": ("test",)}
_NAMES_CLASSES = re.compile(r"^(names|nc)\s*:", re.MULTILINE)
_NAMES_SPLIT = re.compile(rf"^({'|'.join(sum(_KEYS.values(), ()))})\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class YoloSet:
    """What a YAML file says, or a folder with `CLASSES_FILE`.

    Attributes:
        path: The file or folder.
        roots: Folders at which relative names may start, in order.
        classes: Their ids are the numbers in the labels.
        places: Folders, lists and pictures of each split.
        keypoints: Whether the labels hold key points.
    """

    path: Path
    roots: Sequence[Path]
    classes: ClassMap
    places: Mapping[str, Sequence[Path]]
    keypoints: bool = False


# -- what there is -----------------------------------------------------------------------------


def is_yaml(path: Path) -> bool:
    """Tell by its keys whether a text file describes a YOLO data set."""
    text = read_text(path)
    return bool(text and _NAMES_CLASSES.search(text) and _NAMES_SPLIT.search(text))


def open_yaml(path: Path) -> YoloSet:
    """Read ``data.yaml``.

    Raises:
        DataError: It is no YAML, names no classes or no split, or contradicts itself.
    """
    content = _read_yaml(path)
    above = content.get("path")
    roots = [path.parent]
    if isinstance(above, str) and above not in _NOTHING:
        roots.insert(0, path.parent / above)
    found: dict[str, Sequence[Path]] = {}
    for split, keys in _KEYS.items():
        value = next((content[key] for key in keys if key in content), None)
        if value in _NOTHING:
            continue
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(v, str) and v for v in values):
            raise DataError(
                f"{path}: expected a folder, a list of pictures, or several of them as {split!r}, "
                f"got {kind(value)}: correct the file."
            )
        found[split] = [_resolved(v, roots) for v in values]
    if not found:
        raise DataError(
            f"{path}: expected the folders of 'train', 'val' or 'test', got none: name them."
        )
    return YoloSet(path, roots, _classes(path, content), found, "kpt_shape" in content)


def open_folder(folder: Path, split: str = "train") -> YoloSet:
    """Read a folder with `CLASSES_FILE` and pictures: in ``images/``, or beside it.

    Args:
        folder: The folder.
        split: What its pictures are, where the folders in it do not tell.

    Raises:
        DataError: The file of classes cannot be read.
    """
    file = folder / CLASSES_FILE
    text = read_text(file)
    if text is None:
        raise DataError(
            f"{file}: expected the names of classes, one a line, in UTF-8: save it like that."
        )
    top = folder / "images" if (folder / "images").is_dir() else folder
    places: dict[str, list[Path]] = {}
    for place in sorted(top.iterdir()):
        told = split_named(place.name)
        if told is not None and place.is_dir():
            places.setdefault(told, []).append(place)
    names = text.rstrip().splitlines()
    classes = _table(file, {i: name.strip() for i, name in enumerate(names)})
    return YoloSet(folder, [folder], classes, places or {split: [top]})


# -- text --------------------------------------------------------------------------------------


def read_text(path: Path, largest: int = _LARGEST) -> str | None:
    """Return the text of a file; None where it is no UTF-8, too long or not there.

    Args:
        path: The file.
        largest: How many bytes it may have.
    """
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
        return content.decode("utf-8-sig") if len(content) <= largest else None
    except (OSError, ValueError):
        return None


def _read_yaml(path: Path) -> dict[str, Any]:
    text = read_text(path)
    if text is None:
        raise DataError(
            f"{path}: expected YAML in UTF-8 of at most {_LARGEST} bytes, and it is none that can "
            "be read: check the path and its permissions, or export it again."
        )
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)  # a class may be called yes, 12 or null
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: expected YAML, but {why}: correct it.") from None
    except RecursionError:
        raise DataError(f"{path}: expected YAML, got it nested beyond any use: mend it.") from None
    if not isinstance(content, dict):
        raise DataError(
            f"{path}: expected a YOLO data set (the keys names, train and val), got "
            f"{kind(content)}: name such a file."
        )
    return content


def _classes(path: Path, content: Mapping[str, Any]) -> ClassMap:
    """Read ``names``, a list or a dictionary, or ``nc`` alone, as ultralytics does."""
    names, count = content.get("names"), content.get("nc")
    if count is not None and not (isinstance(count, str) and re.fullmatch(r"\d{1,5}", count)):
        raise DataError(
            f"{path}: expected a number of classes as 'nc', got {kind(count)}: mend it."
        )
    if isinstance(names, list):
        names = dict(enumerate(names))
    elif isinstance(names, dict):
        if not all(isinstance(key, str) and re.fullmatch(r"\d{1,9}", key) for key in names):
            raise DataError(
                f"{path}: expected the numbers of classes as keys of 'names', got "
                f"{kind(names)}: number the classes from 0."
            )
        names = {int(key): name for key, name in sorted(names.items(), key=lambda n: int(n[0]))}
    elif names is None and count:
        names = {i: f"class_{i}" for i in range(int(count))}
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise DataError(
            f"{path}: expected a list of the names of classes as 'names', got {kind(names)}: name "
            "every class."
        )
    if count is not None and int(count) != len(names):
        raise DataError(
            f"{path}: expected as many names as 'nc' says, {int(count)}, got {len(names)}: correct "
            "one of them."
        )
    return _table(path, names)


def _table(path: Path, names: Mapping[int, str]) -> ClassMap:
    try:
        return ClassMap(tuple(names.values()), tuple(names))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _resolved(name: str, roots: Sequence[Path]) -> Path:
    """Return the place that a name stands for; Roboflow writes "../" too many."""
    names = [name, name[3:]] if name.startswith("../") else [name]
    places = [plain(root / n) for root in roots for n in names]
    return next(filter(os.path.exists, places), places[0])


def plain(path: Path) -> Path:
    """Return a path without ``.`` and ``..``."""
    return Path(os.path.normpath(path))
