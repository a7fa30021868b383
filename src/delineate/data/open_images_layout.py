"""Where Open Images and those who imitate it put pictures, masks and the names of classes.

annotations/train-annotations-object-segmentation.csv   (of Open Images itself, anywhere)
annotations/class-descriptions.csv      images/train/a.jpg      masks/train/a_m01g317_b2.png
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from delineate.core.csv_file import read_rows
from delineate.data.layouts import split_named
from delineate.data.pictures import of_any_suffix
from delineate.errors import DataError

MASKS_FILE = "-annotations-object-segmentation.csv"
"""How the name of a file of masks ends; its split stands in front."""

BOXES_FILE = "-annotations-bbox.csv"
LABELS_FILE = "-annotations-human-imagelabels.csv"


@dataclass(frozen=True, slots=True)
class Places:
    """What belongs to a file of masks.

    Attributes:
        pictures: Folders of pictures, in order.
        masks: Folders of masks, in order.
    """

    pictures: Sequence[Path]
    masks: Sequence[Path]

    def picture(self, image: str) -> tuple[str, list[Path]]:
        """Return the name of a picture, and where it is or else may be."""
        if (found := of_any_suffix(image, self.pictures)) is not None:
            return f"{image}{found.suffix}", [found]
        return f"{image}.jpg", [folder / f"{image}.jpg" for folder in self.pictures]

    def mask(self, name: str) -> list[Path]:
        """Return where a mask may be: Open Images divides them by their first character."""
        return [folder / inner for folder in self.masks for inner in (name, f"{name[:1]}/{name}")]


def places(file: Path, split: str, images: Path | None) -> Places:
    """Find the folders of a file of masks.

    Args:
        file: The file.
        split: What its pictures are.
        images: The folder of the pictures instead.
    """
    roots = list(dict.fromkeys([file.parent, file.parent.parent]))
    pictures = [images] if images is not None else []
    masks: list[Path] = []
    for root in roots:
        inner = [root / "images", root]
        if images is None:
            pictures += [*_of_split(inner, split), root / "images", root / "data", root]
        masks += [*_of_split([root / "masks"], split), root / "masks"]
        masks += [f for f in _of_split([root], split) if "mask" in f.name.lower()]
    return Places(_there(pictures), _there(masks))


def _there(folders: Sequence[Path]) -> list[Path]:
    """Return the folders that are there, each once; if none is, the first."""
    return [f for f in dict.fromkeys(folders) if f.is_dir()] or [folders[0]]


def _of_split(folders: Sequence[Path], split: str) -> Iterator[Path]:
    """Yield the folders that bear the name of a split."""
    for folder in folders:
        for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
            if split_named(name) == split and (folder / name).is_dir():
                yield folder / name


def beside(file: Path, ending: str) -> Path | None:
    """Return the file of the same split whose name ends in another way, such as `BOXES_FILE`."""
    split = split_named(file.stem)
    found = [
        other
        for other in sorted(file.parent.iterdir())
        if other.name.endswith(ending) and split_named(other.stem) == split
    ]
    return found[0] if found else None


def class_names(file: Path) -> dict[str, str] | None:
    """Return the name of each machine id (``/m/01g317``), in their order.

    They stand in ``class-descriptions.csv``, with or without a first row of columns. Where
    ``classes-segmentation.txt`` is beside it, it tells which of them have masks.

    Args:
        file: The file of masks.

    Returns:
        None where no file names the classes.

    Raises:
        DataError: A file of names cannot be read.
    """
    folders = [file.parent, file.parent.parent / "metadata"]
    inside = [f for folder in folders if folder.is_dir() for f in sorted(folder.iterdir())]
    described = [f for f in inside if "class-descriptions" in f.name and f.suffix == ".csv"]
    if not described:
        return None
    table = next((f for f in described if "boxable" in f.name), described[0])
    names: dict[str, str] = {}
    for line, values in read_rows(table):
        if len(values) < 2:
            raise DataError(
                f"{table}: expected the id and the name of a class in line {line}, got "
                f"{values[0][:40]!r}: complete it."
            )
        if names or values[0].strip() != "LabelName":
            names.setdefault(values[0].strip(), values[1].strip())
    masked = next((f for f in inside if f.name == "classes-segmentation.txt"), None)
    if masked is not None:
        kept = [values[0].strip() for _, values in read_rows(masked)]
        names = {mid: names.get(mid, mid) for mid in kept}
    times = Counter(names.values())
    return {m: name if times[name] == 1 else f"{name} ({m})" for m, name in names.items()}
