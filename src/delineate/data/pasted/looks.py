"""What images and their objects look like, so that what is pasted suits the place.

Colours are CIE L*a*b*, in which equal distances look about equally large (10 is a clear one).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from delineate.core.image import ImageArray
from delineate.core.masks import Masks
from delineate.core.rle import Bitmap
from delineate.data.layers import Field, overlap
from delineate.data.pasted.learnt import Learnt, surroundings
from delineate.data.sample import Dataset

_ALIKE = 12.0  # distance up to which two grounds are of one kind
_NEXT = 1.5  # of the distance to the nearest ground, where none is so near
_FEW = 6  # images from which nothing can be told
_LEAST_SHADE = 0.03  # share of the light; less is chance
_TELLS = 0.5  # share of the objects' differences that remains between images of like ground


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """The colours of the images and objects of a `Learnt`.

    Attributes:
        ground: (m, 3) mean colour around the objects of each image.
        chroma: (m, 2) mean a* and b* of its objects, of the ground where there are none.
        mean: (n, 3) mean colour of each object.
        contrast: (n,) standard deviation of its lightness.
        shade: Share of the light that is missing close around objects, as under things that lie on
            something; 0 where they do not darken it.
        coupled: Whether like objects lie on like grounds, as under different stains and
            microscopes: then objects are only pasted where the ground looks like their own.
    """

    ground: Field
    chroma: Field
    mean: Field
    contrast: Field
    shade: float
    coupled: bool


def look_at(dataset: Dataset, learnt: Learnt) -> Looks:
    """Read the images of a data set and measure their colours."""
    grounds, rims = [], []
    mean, contrast = np.zeros((len(learnt.row), 3)), np.zeros(len(learnt.row))
    for image in learnt.images.tolist():
        sample = dataset[image]
        masks = sample.instances.masks
        lab = to_lab(sample.image)
        grounds.append(_ground(lab, masks))
        for object_ in learnt.within(image).tolist():
            assert masks is not None
            crop, (x, y) = masks.crop(int(learnt.row[object_]))
            pixels = lab[y : y + crop.shape[0], x : x + crop.shape[1]][crop]
            mean[object_], contrast[object_] = pixels.mean(axis=0), pixels[:, 0].std()
            if learnt.alone[object_]:
                dark = _rim(lab[..., 0], crop, (x, y), surroundings(float(learnt.side[object_])))
                rims.append(dark / max(grounds[-1][0], 1.0))
    ground = np.array(grounds)
    rows = [learnt.within(image) for image in learnt.images.tolist()]
    chroma = [mean[r, 1:].mean(axis=0) if len(r) else ground[i, 1:] for i, r in enumerate(rows)]
    shade = 1 - float(np.median(rims)) if rims else 0.0
    return Looks(
        ground=ground,
        chroma=np.array(chroma),
        mean=mean,
        contrast=contrast,
        shade=shade if shade >= _LEAST_SHADE else 0.0,
        coupled=_coupled(ground, mean, learnt),
    )


def suitable(
    looks: Looks, ground: npt.NDArray[np.float64], image: int | None
) -> npt.NDArray[np.bool_]:
    """Return (m,) from which images objects may be pasted on a ground.

    Args:
        looks: Of all images.
        ground: (3,) its mean colour.
        image: The image it was made of, 0 .. m-1, whose objects tell of what colours they are on
            such a ground; None: it was made of none.
    """
    apart = np.linalg.norm(looks.ground - ground, axis=1)
    if not looks.coupled:
        return np.ones(len(apart), bool)
    near: npt.NDArray[np.bool_] = apart <= max(_ALIKE, _NEXT * float(apart.min()))
    if image is not None:
        near &= np.linalg.norm(looks.chroma - looks.chroma[image], axis=1) <= _ALIKE
    return near


def to_lab(image: ImageArray) -> Field:
    """Return (h, w, 3) float32 L*a*b*."""
    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab))


def to_rgb(lab: Field) -> Field:
    """Return (h, w, 3) float32 RGB tones from 0 to 255."""
    return np.asarray(255 * cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))


def _rim(lightness: Field, crop: Bitmap, origin: tuple[int, int], reach: int) -> float:
    """Return the mean lightness within `reach` of an object."""
    wide = np.pad(crop, reach).astype(np.uint8)
    rim = cv2.dilate(wide, np.ones((2 * reach + 1,) * 2, np.uint8)) > wide
    in_picture, in_rim = overlap(
        (origin[0] - reach, origin[1] - reach), wide.shape, lightness.shape
    )
    around = lightness[in_picture][rim[in_rim]]
    return float(around.mean()) if around.size else float(lightness.mean())


def _ground(lab: Field, masks: Masks | None) -> npt.NDArray[np.float64]:
    """Return the mean colour of what no object covers, or of all where they cover everything."""
    free = np.ones(lab.shape[:2], bool) if masks is None else masks.label_map() == 0
    pixels = lab[free] if free.any() else lab.reshape(-1, 3)
    return np.asarray(pixels.mean(axis=0), np.float64)


def _coupled(ground: Field, mean: Field, learnt: Learnt) -> bool:
    """Ask whether images of like ground have objects of like colour, more than any two have."""
    own = np.array([np.bincount(learnt.label, m) for m in mean.T]).T
    own = mean - (own / np.maximum(np.bincount(learnt.label), 1)[:, None])[learnt.label]
    places = [np.flatnonzero(learnt.image == image) for image in learnt.images]
    full = [i for i, rows in enumerate(places) if len(rows)]
    if len(full) < _FEW:
        return True
    objects = np.array([own[places[i]].mean(axis=0) for i in full])
    apart = np.linalg.norm(ground[full][:, None] - ground[full][None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = objects[apart.argmin(axis=1)]
    between = np.square(objects - nearest).sum()
    return bool(between < _TELLS * 2 * np.square(objects - objects.mean(axis=0)).sum())
