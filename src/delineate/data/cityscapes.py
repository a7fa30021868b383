"""Read and write Cityscapes: ``gtFine/SPLIT/CITY/NAME_gtFine_instanceIds.png``.

The format: https://github.com/mcordts/cityscapesScripts. A value from 1000 on is class x 1000 +
object; a smaller one is a class alone: of classes whose objects are told apart it is a group of
them, a crowd. Pictures lie in ``leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png``. Classes are those of
Cityscapes unless `label_colors.txt` names others (``red green blue name``, as Datumaro writes it).
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from delineate._files import write_whole
from delineate.core.classes import colour
from delineate.core.foreign import short
from delineate.core.text_file import read_lines
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coco_write import put_picture
from delineate.data.coded_maps import add_coded, painted
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, add_split, in_order, split_named
from delineate.data.naming import flat
from delineate.data.pictures import of_any_suffix
from delineate.data.sample import Dataset
from delineate.data.unannotated import unannotated
from delineate.data.writing import masks_of, put_png
from delineate.errors import DataError

BASE = 1000
"""Most objects of a class in a picture, and what the class is multiplied with."""
LABELS = "label_colors.txt"
_MAP, _PICTURE = "_gtFine_instanceIds.png", "_leftImg8bit"

NAMES = (
    *("unlabeled", "ego vehicle", "rectification border", "out of roi", "static", "dynamic"),
    *("ground", "road", "sidewalk", "parking", "rail track", "building", "wall", "fence"),
    *("guard rail", "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign"),
    *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "caravan"),
    *("trailer", "train", "motorcycle", "bicycle"),
)
"""Cityscapes' classes by their id."""
_FIRST_THING = NAMES.index("person")


def find_cityscapes(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    truth = path / "gtFine"
    if not truth.is_dir():
        return None
    found: dict[str, Source] = {}
    for folder in sorted(truth.iterdir()):
        split = split_named(folder.name)
        if split and next(folder.glob(f"*/*{_MAP}"), None) is not None:
            add_split(found, path, Source(folder, split))
    return in_order(found) or None


def read_cityscapes(
    source: Source, *, images: Path | str | None, on_error: OnError
) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`."""
    root = source.path.parent.parent
    below = Path("leftImg8bit", source.path.name)
    pictures = next((p for p in (root / below, *root.glob(f"*/{below}")) if p.is_dir()), root)
    folder = Path(images) if images is not None else pictures
    names = _names(root)
    collector = Collector(source.path, classes=[names[i] for i in sorted(names)])
    maps: dict[str, Path] = {}
    listed: list[Listed] = []
    for path in sorted(source.path.glob(f"*/*{_MAP}")):
        stem = f"{path.parent.name}/{path.name.removesuffix(_MAP)}"
        found = of_any_suffix(f"{stem}{_PICTURE}", [folder])
        name = f"{stem}{_PICTURE}{found.suffix if found else '.png'}"
        maps[name] = path
        listed.append(Listed(name, (folder / name,)))
    for name in () if images is not None else _without_map(pictures, maps):
        collector.unannotated(name)
    for name, record in collector.pictures(listed).items():
        add_coded(collector, record, maps[name], base=BASE, names=names, crowds=True)
    return collector.dataset(f"{root.resolve().name}/{source.split}", on_error)


def _without_map(pictures: Path, maps: Mapping[str, Path]) -> Iterator[str]:
    """Yield the names of the pictures of which there is no map."""
    told = {os.path.abspath(pictures / name) for name in maps}
    for folder in sorted({(pictures / name).parent for name in maps}):
        for picture in unannotated(folder, told):
            yield picture.relative_to(pictures).as_posix()


def write_cityscapes(folder: Path, splits: Mapping[str, Dataset]) -> dict[str, list[str]]:
    """Write all splits; see `delineate.data.formats.Writer`.

    Where objects overlap, the smaller one is seen.

    Raises:
        DataError: There are more than 64 classes, or 1000 objects of one in an image.
    """
    names = list(dict.fromkeys(n for dataset in splits.values() for n in dataset.classes.names))
    known = set(names) <= set(NAMES[_FIRST_THING:])
    if len(names) > 64:
        raise DataError(
            f"Cityscapes can number 64 classes, and {len(names)} came: choose another format."
        )
    if known:
        ids = {name: NAMES.index(name) for name in names}
    else:
        ids = {name: i for i, name in enumerate(names, start=1)}
        lines = [f"{' '.join(map(str, colour(i)))} {name}\n" for name, i in ids.items()]
        write_whole(folder / LABELS, "".join(["0 0 0 unlabeled\n", *lines]).encode())
    written: dict[str, list[str]] = {}
    for split, dataset in splits.items():
        truth = folder / "gtFine" / split / "all"
        pictures = folder / "leftImg8bit" / split / "all"
        for place in (truth, pictures):
            place.mkdir(parents=True)
        written[split] = []
        for i, record in enumerate(dataset.records):
            stem = flat(record.name)
            picture = f"{stem}{_PICTURE}{Path(record.name).suffix}"
            put_picture(dataset, i, pictures / picture)
            put_png(truth / f"{stem}{_MAP}", _coded(dataset, i, ids))
            written[split].append(f"all/{picture}")
    return written


def _names(root: Path) -> dict[int, str]:
    """Return the classes whose objects are told apart, by their id."""
    if not (root / LABELS).is_file():
        return {i: name for i, name in enumerate(NAMES) if i >= _FIRST_THING}
    lines = [line.split(maxsplit=3) for line in read_lines(root / LABELS)]
    if wrong := next((line for line in lines if len(line) < 4), None):
        raise DataError(
            f"{root / LABELS}: expected lines such as '128 64 128 road', got "
            f"{short(' '.join(wrong))}: correct it."
        )
    return {i: line[3] for i, line in enumerate(lines) if i}


def _coded(dataset: Dataset, index: int, ids: Mapping[str, int]) -> np.ndarray:
    instances, masks, crowd = masks_of(dataset, index)
    count: dict[int, int] = {}
    values = [0]
    for label, region in zip(instances.labels.tolist(), crowd.tolist(), strict=True):
        kind = ids[dataset.classes.names[label]]
        number = count.setdefault(kind, 0)
        if number >= BASE:
            raise DataError(
                f"Cityscapes can number {BASE} objects of a class in an image, and "
                f"{dataset.records[index].name!r} has more: choose another format."
            )
        count[kind] += not region
        values.append(kind if region else kind * BASE + number)
    return np.array(values, np.uint16)[painted(masks)]
