"""The table of data formats, and the one way to open data in any of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from delineate.core.image import IMAGE_SUFFIXES
from delineate.data.coco import OnError, read_coco
from delineate.data.coco_panoptic import is_coco_panoptic, read_coco_panoptic
from delineate.data.sample import Dataset
from delineate.errors import ConfigError, DataError, nearest

SPLITS = ("train", "val", "test")
"""The splits of a data folder: `train.json`, `val.json`, `test.json`."""

_LAYOUT = (
    "a data folder holds train.json, val.json and perhaps test.json in COCO's format, "
    "with the pictures in images/ beside them"
)


class Reader(Protocol):
    """Opens a file of annotations."""

    def __call__(self, path: Path, *, images: Path | str | None, on_error: OnError) -> Dataset:
        """Open `path`; see `open_dataset`."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write annotations.

    Attributes:
        name: What the user calls it.
        sniff: Tells from a file's name and content whether it may be of this format.
        read: Opens it.
    """

    name: str
    sniff: Callable[[Path], bool]
    read: Reader


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "coco_panoptic": Format(
            name="coco_panoptic", sniff=is_coco_panoptic, read=read_coco_panoptic
        ),
        "coco": Format(name="coco", sniff=_is_json, read=read_coco),
    }
)
"""Every format that can be read, tried in this order."""


def open_dataset(
    path: Path | str,
    *,
    images: Path | str | None = None,
    format: str | None = None,
    on_error: OnError = "stop",
) -> Dataset:
    """Open one data set.

    Args:
        path: A file of annotations, or a data folder with a single split.
        images: Folder of the pictures; None: where the format expects it.
        format: A name in `FORMATS`; None: found out from the file.
        on_error: What broken records do: "stop" raises, "skip" leaves exactly them out and lists
            them as `problems`.

    Raises:
        DataError: There is no such file, it is of no known format, or its content is broken.
        ConfigError: `format` or `on_error` is unknown.
    """
    files = _split_files(Path(path))
    if len(files) > 1:
        raise DataError(
            f"{path}: expected one data set, found the splits {', '.join(files)}: name one of "
            f"them, for example {next(reversed(files.values()))}."
        )
    (file,) = files.values()
    return _reader(file, format)(file, images=images, on_error=on_error)


def open_splits(
    path: Path | str,
    *,
    images: Path | str | None = None,
    format: str | None = None,
    on_error: OnError = "stop",
    only: Sequence[str] | None = None,
) -> dict[str, Dataset]:
    """Open the splits of a data folder.

    Args:
        path: A folder with `train.json`, `val.json` or `test.json`, or with one other JSON file,
            which then is "train"; or a file, which is "train" too.
        images: As for `open_dataset`.
        format: As for `open_dataset`.
        on_error: As for `open_dataset`.
        only: Names in `SPLITS`; the others are left alone, unopened and unchecked. None: open all.

    Returns:
        Split name -> data set, in the order of `SPLITS`; what the folder lacks is not in it.

    Raises:
        DataError: As `open_dataset`; or the folder holds no annotations.
        ConfigError: As `open_dataset`; or `only` names no split.
    """
    for name in only or ():
        if name not in SPLITS:
            raise ConfigError(f"no split is called {name!r}: {nearest(name, SPLITS)}")
    return {
        split: _reader(file, format)(file, images=images, on_error=on_error)
        for split, file in _split_files(Path(path)).items()
        if only is None or split in only
    }


def _reader(path: Path, format: str | None) -> Reader:
    if format is not None and format not in FORMATS:
        raise ConfigError(f"no data format is called {format!r}: {nearest(format, FORMATS)}")
    for candidate in FORMATS.values():
        if format == candidate.name or (format is None and candidate.sniff(path)):
            return candidate.read
    raise DataError(
        f"{path}: expected annotations in one of the formats {', '.join(FORMATS)}, got a "
        f"{path.suffix or 'nameless'} file: {_LAYOUT}."
    )


def _split_files(path: Path) -> dict[str, Path]:
    """Return the annotation file of each split that `path` holds."""
    try:
        if not path.exists():
            raise DataError(f"{path}: expected a data set, found nothing there: check the path.")
        if not path.is_dir():
            return {"train": path}
        files = {split: path / f"{split}.json" for split in SPLITS}
        found = {split: file for split, file in files.items() if file.is_file()}
        if found:
            return found
        inside = sorted(file for file in path.iterdir() if file.is_file())
    except OSError as error:
        raise DataError(
            f"{path}: expected a data set, but it cannot be read ({error.strerror or error}): "
            "check the path and its permissions."
        ) from error
    others = [file for file in inside if _is_json(file)]
    if len(others) == 1:
        return {"train": others[0]}
    pictures = sum(file.suffix.lower() in IMAGE_SUFFIXES for file in inside)
    got = (
        f"{len(others)} JSON files of other names"
        if others
        else f"{pictures} pictures without annotations"
        if pictures
        else "neither annotations nor pictures"
    )
    remedy = "name one of the files" if others else "name such a folder, or an annotation file"
    raise DataError(f"{path}: {_LAYOUT}, and this one holds {got}: {remedy}.")
