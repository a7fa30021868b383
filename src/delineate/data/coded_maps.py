"""Maps whose values hold class and object in one number: class x base + object."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from delineate.core.maps import IdMap, read_map
from delineate.core.masks import Masks
from delineate.core.panoptic import runs_by_id
from delineate.data.collect import Collector
from delineate.data.pictures import Broken
from delineate.data.sample import ImageRecord


def add_coded(
    collector: Collector,
    record: ImageRecord,
    path: Path,
    *,
    base: int,
    names: Mapping[int, str],
    crowds: bool = False,
    zero: bool = False,
) -> None:
    """Give all objects of a map to a collector; a picture without a readable map is left out.

    Args:
        collector: Where they go.
        record: Their picture.
        path: The map.
        base: What the class is multiplied with; where `crowds` is True, values below it are
            regions of the class of that number.
        names: Class number -> name, of the classes whose objects are told apart; values of others
            are passed over.
        crowds: Whether there are such regions.
        zero: Whether 0 is the number of an object, too, and not of the background.
    """
    with collector.judging_picture(record):
        ids = sized_map(path, record)
        for number, runs in sorted(runs_by_id(ids + zero).items()):
            value = number - zero
            region = crowds and value < base
            kind = value if region else value // base
            if kind in names:
                with collector.judging(f"image {record.name!r}, object {value}"):
                    collector.add(record, names[kind], runs, crowd=region)


def painted(masks: Masks) -> IdMap:
    """Return a map of objects, from 1 on; where they overlap, the smaller one is seen."""
    return masks.label_map(np.argsort(-masks.areas, kind="stable").tolist())


def sized_map(path: Path, record: ImageRecord) -> IdMap:
    """Return a map that must have its picture's size.

    Raises:
        Broken: It is missing, or has another.
        ImageError: It cannot be read.
    """
    if not path.exists():
        raise Broken(f"it has no map {path.name} in {path.parent}", "add it")
    ids = read_map(path)
    if ids.shape != record.size:
        raise Broken(
            f"its map {path.name} has {ids.shape[1]} x {ids.shape[0]} pixels, the picture "
            f"{record.size[1]} x {record.size[0]}",
            "put back the picture that the map was drawn for",
        )
    return ids
