"""Read Mapillary Vistas: ``SPLIT/v*/instances/NAME.png`` of 16 bits, class x 256 + object.

The format: https://www.mapillary.com/dataset/vistas. `config_v*.json` lists the classes by their
number and says of which of them the objects are told apart; the others are passed over. Pictures
lie in ``SPLIT/images/``.
"""

import os
from pathlib import Path
from typing import Any

from delineate.core.json_file import kind, read_json
from delineate.data.annotated import AnnotatedDataset, OnError
from delineate.data.coded_maps import add_coded
from delineate.data.collect import Collector, Listed
from delineate.data.layouts import Source, Sources, add_split, in_order, split_named
from delineate.data.pictures import of_any_suffix
from delineate.data.unannotated import unannotated
from delineate.errors import DataError

BASE = 256


def find_mapillary(path: Path) -> Sources | None:
    """Find the splits of a data set in this format; see `delineate.data.formats.Format`."""
    if not path.is_dir() or _config(path) is None:
        return None
    found: dict[str, Source] = {}
    for folder in sorted(path.iterdir()):
        split = split_named(folder.name) if folder.is_dir() else None
        if split and _maps(folder) is not None:
            add_split(found, path, Source(folder, split))
    return in_order(found) or None


def read_mapillary(
    source: Source, *, images: Path | str | None, on_error: OnError
) -> AnnotatedDataset:
    """Open a split; see `delineate.data.formats.open_dataset`."""
    config, maps = _config(source.path.parent), _maps(source.path)
    assert config is not None
    assert maps is not None
    names = _names(config)
    folder = Path(images) if images is not None else source.path / "images"
    collector = Collector(source.path, classes=list(names.values()))
    files: dict[str, Path] = {}
    listed: list[Listed] = []
    for path in sorted(maps.glob("*.png")):
        found = of_any_suffix(path.stem, [folder])
        name = f"{path.stem}{found.suffix if found else '.jpg'}"
        files[name] = path
        listed.append(Listed(name, (folder / name,)))
    if images is None:
        for picture in unannotated(folder, {os.path.abspath(folder / name) for name in files}):
            collector.unannotated(picture.name)
    for name, record in collector.pictures(listed).items():
        add_coded(collector, record, files[name], base=BASE, names=names, zero=True)
    return collector.dataset(f"{source.path.resolve().parent.name}/{source.split}", on_error)


def _config(root: Path) -> Path | None:
    """Return the file of the newest version of the classes."""
    return next(iter(sorted(root.glob("config_v*.json"), reverse=True)), None)


def _maps(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("v*/instances"), reverse=True)), None)


def _names(path: Path) -> dict[int, str]:
    content: Any = read_json(path)
    labels = content.get("labels") if isinstance(content, dict) else None
    if not isinstance(labels, list) or not all(
        isinstance(label, dict) and isinstance(label.get("name"), str) for label in labels
    ):
        raise DataError(
            f"{path}: expected Mapillary's configuration (an object with the list labels, each with"
            f" a name), got {kind(content)}: fetch it again."
        )
    return {i: label["name"] for i, label in enumerate(labels) if label.get("instances")}
