"""Read and write one PNG for each object: ``NAME/images/NAME.png`` and ``NAME/masks/*.png``.

The layout of the 2018 Data Science Bowl (https://www.kaggle.com/c/data-science-bowl-2018): a folder
for each picture. What is not black in a mask is the object. Masks that lie in ``masks/`` itself are
of one class, "object"; those in ``masks/CLASS/`` are of that class, in whose name ``%2F`` stands
for a slash. A mask's name that ends in ``_crowd`` marks a region to be ignored.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from delineate.core import rle
from delineate.core.image import IMAGE_SUFFIXES
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco_write import put_picture
from delineate.data.coded_maps import sized_map
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, folders
from delineate.data.naming import flat
from delineate.data.sample import Dataset
from delineate.data.unannotated import is_made
from delineate.data.writing import masks_of, put_png

ONE_CLASS = "object"
_CROWD = "_crowd"
_LOOKED_AT = 20  # folders, to tell whether a data set is of this format


def find_png_instances(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    return folders(path, _is_one)


def _is_one(path: Path) -> bool:
    looked_at = 0
    for folder in path.iterdir():
        if folder.is_dir():
            looked_at += 1
            if _is_image(folder):
                return True
            if looked_at == _LOOKED_AT:
                return False
    return False


def _is_image(folder: Path) -> bool:
    """Tell whether a folder is that of an image; a map of all objects has its picture's name."""
    picture, masks = _picture(folder), folder / "masks"
    return picture is not None and masks.is_dir() and not (masks / f"{picture.stem}.png").exists()


def read_png_instances(
    source: Source, *, images: Path | str | None, on_error: OnError
) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`."""
    root = source.path
    collector = Collector(root, otherwise=ONE_CLASS)
    listed: list[Listed] = []
    for folder in sorted(f for f in root.iterdir() if f.is_dir()):
        if not (folder / "masks").is_dir():
            picture = None if images is not None or is_made(folder.name) else _picture(folder)
            if picture is not None:
                collector.unannotated(f"{folder.name}/{picture.name}")
            continue
        place = _picture(folder) or folder / "images" / f"{folder.name}.png"
        places = [place] if images is None else [Path(images) / place.name]
        listed.append(Listed(f"{folder.name}/{place.name}", places))
    for name, record in collector.pictures(listed).items():
        masks = root / name.split("/")[0] / "masks"
        for path in sorted([*masks.glob("*.png"), *masks.glob("*/*.png")]):
            with collector.judging(f"image {name!r}, {path.relative_to(masks).as_posix()}"):
                runs = rle.from_bitmap(sized_map(path, record))
                own = path.parent == masks
                kind = ONE_CLASS if own else unquote(path.parent.name)
                collector.add(record, kind, runs, crowd=path.stem.endswith(_CROWD))
    return collector.dataset(root.resolve().name, on_error)


def write_png_instances(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write a folder for each split; see `delineate.data.formats.Writer`."""
    written: dict[str, list[str]] = {}
    for split, dataset in splits.items():
        named = dataset.classes.names != (ONE_CLASS,)
        written[split] = []
        for i, record in enumerate(dataset.records):
            stem = flat(record.name)
            place, picture = folder / split / stem, stem + Path(record.name).suffix
            (place / "images").mkdir(parents=True)
            (place / "masks").mkdir()
            put_picture(dataset, i, place / "images" / picture)
            written[split].append(f"{stem}/{picture}")
            instances, masks, crowd = masks_of(dataset, i)
            for j, label in enumerate(instances.labels.tolist()):
                below = _quoted(dataset.classes.names[label]) if named else ""
                ending = _CROWD if crowd[j] else ""
                mask = masks.bitmap(j).astype("uint8") * 255
                put_png(place / "masks" / below / f"{j:05d}{ending}.png", mask)
    return written


def _quoted(name: str) -> str:
    """Return a class's name as that of a folder; `urllib.parse.unquote` gives it back."""
    for sign in "%/\\:":
        name = name.replace(sign, f"%{ord(sign):02X}")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _picture(folder: Path) -> Path | None:
    """Return the picture of an image's folder: the one that bears its name, else the first."""
    place = folder / "images"
    if not place.is_dir():
        return None
    files = sorted(f for f in place.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES)
    own = [f for f in files if f.stem == folder.name]
    return next(iter([*own, *files]), None)
