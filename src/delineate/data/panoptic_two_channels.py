"""panopticapi's two-channel PNGs: the category of each pixel in red, its instance in green."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from delineate.core.image import read_image
from delineate.core.panoptic import Panoptic, Segment
from delineate.core.panoptic_classes import PanopticClasses
from delineate.errors import DataError

_VOID, _CROWD = 0, 255


def read_two_channels(path: Path | str, classes: PanopticClasses) -> Panoptic:
    """Return the segments of a two-channel PNG, numbered from 1 by category and instance.

    Args:
        path: Red is the source's id of the class, 0 for void. Green counts the instances of a
            class; 255 is a crowd.
        classes: What the ids mean.

    Raises:
        DataError: The file is no picture, or a category is none of the classes.
    """
    pixels = read_image(Path(path)).astype(np.int32)
    category, instance = pixels[..., 0], pixels[..., 1]
    pairs, owner, areas = np.unique(
        np.where(category == _VOID, 0, category << 8 | instance),
        return_inverse=True,
        return_counts=True,
    )
    labels: Mapping[int, int] = {source: label for label, source in enumerate(classes.source_ids)}
    kinds, numbers = (pairs >> 8).tolist(), (pairs & 255).tolist()
    if unknown := [kind for kind in kinds if kind != _VOID and kind not in labels]:
        raise DataError(
            f"{path}: expected the ids of {len(classes)} classes in the red channel, got "
            f"{unknown[0]}: name a two-channel map, and the class table of its data set."
        )
    first = 0 if kinds[0] == _VOID else 1
    ids = owner.reshape(category.shape).astype(np.int32) + first
    segments = tuple(
        Segment(id=i + first, label=labels[kind], area=area, crowd=number == _CROWD)
        for i, (kind, number, area) in enumerate(zip(kinds, numbers, areas.tolist(), strict=True))
        if kind != _VOID
    )
    return Panoptic(ids=ids, segments=segments, classes=classes)
