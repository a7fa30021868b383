"""Read MOTS: ``instances/SEQUENCE/FRAME.png`` of 16 bits, class x 1000 + object.

The format: https://www.vision.rwth-aachen.de/page/mots. 10000 marks what is to be ignored, of no
class, and is passed over. Class 1 is a car and class 2 a pedestrian unless `instances/labels.txt`
names the classes, one a line, from 1 on, as Datumaro writes it. Pictures lie in ``images/`` under
the same names.
"""

from pathlib import Path

from delineate.core.text_file import read_lines
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coded_maps import add_coded
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, folders
from delineate.data.pictures import of_any_suffix

BASE = 1000
_KITTI = {1: "car", 2: "pedestrian"}
_TRUTH, _PICTURES = "instances", "images"


def find_mots(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    return folders(path, _is_mots)


def _is_mots(path: Path) -> bool:
    truth = path / _TRUTH
    if not (truth.is_dir() and (path / _PICTURES).is_dir()):
        return False
    return any(next(truth.glob(pattern), None) for pattern in ("*.png", "*/*.png"))


def read_mots(source: Source, *, images: Path | str | None, on_error: OnError) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`."""
    truth = source.path / _TRUTH
    folder = Path(images) if images is not None else source.path / _PICTURES
    labels = truth / "labels.txt"
    names = dict(enumerate(read_lines(labels), start=1)) if labels.is_file() else _KITTI
    collector = Collector(source.path, classes=list(names.values()))
    maps: dict[str, Path] = {}
    listed: list[Listed] = []
    for path in sorted([*truth.glob("*.png"), *truth.glob("*/*.png")]):
        stem = path.relative_to(truth).with_suffix("").as_posix()
        found = of_any_suffix(stem, [folder])
        name = f"{stem}{found.suffix if found else '.png'}"
        maps[name] = path
        listed.append(Listed(name, (folder / name,)))
    for name, record in collector.pictures(listed).items():
        add_coded(collector, record, maps[name], base=BASE, names=names, crowds=True)
    return collector.dataset(f"{source.path.resolve().name}", on_error)
