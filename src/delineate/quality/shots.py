"""Small pictures of places in a data set: the objects concerned close up, and where that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from delineate.core.boxes import Size
from delineate.core.classes import ClassMap
from delineate.core.image import ImageArray
from delineate.core.instances import Instances
from delineate.core.outlines import Outline, Window, into_picture, jpeg, outlines, window_around
from delineate.core.page import data_uri, picture
from delineate.data.sample import Dataset
from delineate.errors import ImageError
from delineate.quality.findings import Place

_SIDE, _SMALL = 340, 96  # pixels of the longer side of a picture, and of the whole beside it
_WHOLE = 0.6  # share of the image from which a part needs no whole beside it
_SURE = 0.5  # score from which a prediction is drawn
_MOST = 150  # objects outlined that a finding is not about

Predicted = Mapping[tuple[str, int], Instances]
"""What a model found, by the names of splits and the ids of images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A place as a picture.

    Attributes:
        jpeg: The part of the image to look at, as a JPEG file.
        size: (height, width) of that picture.
        concerned: Outlines of the objects that it is about.
        others: Outlines of other objects.
        predicted: Outlines of what a model sees.
        box: (x1, y1, x2, y2) to look at, in pixels of the picture.
        whole: The whole image, small, as a JPEG file; empty where it is shown already.
        frame: Which part of the whole the picture shows, in shares of it: (x1, y1, x2, y2).
        split: In which split it is.
        name: Which image it is.
    """

    jpeg: bytes
    size: Size
    concerned: tuple[Outline, ...]
    others: tuple[Outline, ...]
    predicted: tuple[Outline, ...]
    box: tuple[float, float, float, float] | None
    whole: bytes
    frame: tuple[float, float, float, float]
    split: str
    name: str


class Photographer:
    """Takes pictures of places, and keeps the image that it saw last.

    Args:
        splits: Split name -> data set.
        predicted: What a model found, to be drawn, too.
    """

    def __init__(self, splits: Mapping[str, Dataset], predicted: Predicted | None = None) -> None:
        self._splits, self._predicted = splits, predicted or {}
        self._position = {
            split: {record.image_id: i for i, record in enumerate(dataset.records)}
            for split, dataset in splits.items()
        }
        self._last: tuple[tuple[str, int], ImageArray] | None = None

    def shot(self, place: Place) -> Shot | None:
        """Return the picture of a place; None where there is no image, or it cannot be read."""
        if place.image_id is None or place.split not in self._splits:
            return None
        index = self._position[place.split].get(place.image_id)
        if index is None:
            return None
        dataset = self._splits[place.split]
        try:
            image = self._image(place.split, index)
        except ImageError:
            return None
        instances = dataset.instances(index)
        known = [i for i in place.objects if i < len(instances)]
        chosen = np.zeros(len(instances), dtype=bool)
        chosen[known] = True
        window = _window(place, instances[chosen], image.shape[:2])
        found = self._predicted.get((place.split, place.image_id))
        if found is not None and found.scores is not None:
            found = found[found.scores >= _SURE]
        return _taken(image, instances, chosen, found, window, place, dataset.classes)

    def _image(self, split: str, index: int) -> ImageArray:
        if self._last is None or self._last[0] != (split, index):
            self._last = (split, index), self._splits[split][index].image
        return self._last[1]


def _window(place: Place, concerned: Instances, size: Size) -> Window | None:
    """Return the part of an image to show; None: all of it."""
    corners = concerned.boxes[concerned.boxes[:, 2] > concerned.boxes[:, 0]]
    if place.box is not None:
        corners = np.array([place.box], dtype=np.float32)
    if not len(corners):
        return None
    around = np.concatenate([corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)])
    x0, y0, x1, y1 = window_around(around, size)
    return None if (x1 - x0) * (y1 - y0) >= _WHOLE * size[0] * size[1] else (x0, y0, x1, y1)


def _taken(
    image: ImageArray,
    instances: Instances,
    chosen: npt.NDArray[np.bool_],
    found: Instances | None,
    window: Window | None,
    place: Place,
    classes: ClassMap,
) -> Shot:
    height, width = image.shape[:2]
    geometry = into_picture((height, width), _SIDE, window)
    small = into_picture((height, width), _SMALL)
    x0, y0, x1, y1 = window or (0, 0, width, height)
    box = None if place.box is None else geometry.boxes([place.box])[0].tolist()
    return Shot(
        jpeg=jpeg(geometry.image(image)),
        size=geometry.target,
        concerned=outlines(instances[chosen], geometry, classes),
        others=outlines(instances[~chosen], geometry, classes)[:_MOST],
        predicted=() if found is None else outlines(found, geometry, classes)[:_MOST],
        box=None if box is None else (box[0], box[1], box[2], box[3]),
        whole=b"" if window is None else jpeg(small.image(image)),
        frame=(x0 / width, y0 / height, x1 / width, y1 / height),
        split=place.split,
        name=place.name,
    )


def shot_html(shot: Shot, *, tagged: bool = False) -> str:
    """Return a picture as HTML; `tagged`: with the name of its split on it."""
    layers = {"others": shot.others, "predicted": shot.predicted, "about": shot.concerned}
    layers = {kind: rings for kind, rings in layers.items() if rings}
    drawn = ""
    if shot.box is not None:
        x1, y1, x2, y2 = shot.box
        drawn = (
            f'<g class="outline box"><rect x="{x1:.1f}" y="{y1:.1f}" width="{x2 - x1:.1f}" '
            f'height="{y2 - y1:.1f}"/></g>'
        )
    title = f"{shot.split}: {shot.name}"
    tag = f'<span class="tag">{escape(shot.split)}</span>' if tagged else ""
    shown = picture(shot.jpeg, shot.size, layers, label=title, above=drawn)
    return f'<div class="shot" title="{escape(title)}">{shown}{tag}{_whole(shot)}</div>'


def _whole(shot: Shot) -> str:
    if not shot.whole:
        return ""
    x1, y1, x2, y2 = shot.frame
    frame = f"left:{x1:.1%};top:{y1:.1%};width:{x2 - x1:.1%};height:{y2 - y1:.1%}"
    return (
        f'<span class="whole"><img alt="" src="{data_uri(shot.whole, "image/jpeg")}">'
        f'<i style="{frame}"></i></span>'
    )
