"""How an image becomes a network's input: a value that travels with the weights."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from delineate.core.boxes import Size
from delineate.core.geometry import Geometry
from delineate.errors import DataError, ModelError, nearest

ResizeRule = Literal["short_side", "square", "factor"]
Rounding = Literal["floor", "nearest", "detr"]
Resample = Literal["bilinear", "pillow"]
Colour = Literal["rgb", "bgr"]
Contrast = Literal["as_is", "stretch"]
Floats = npt.NDArray[np.float32]

_CHOICES = {
    "resize": ResizeRule,
    "rounding": Rounding,
    "resample": Resample,
    "contrast": Contrast,
    "colour": Colour,
}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_DARK, _BRIGHT = 0.0005, 0.9995  # shares of the values beyond which stretching cuts off
_SINCE_FORMAT_1 = {  # fields that older files lack, and what they meant
    "contrast": "as_is",
    "rounding": "floor",
    "resample": "bilinear",
}
_COUNTED = 1 << 22  # values counted at a time: numpy widens each to 8 bytes
_FLATTEST = 24  # a smaller range is not stretched further: it is noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocess:
    """Set contrast, normalise, resize and pad as the weights of a network were trained.

    A pixel value v becomes ``(v * scale - mean) / std``; the image is resized bilinearly; a batch
    is padded with zeros at the right and at the bottom. The defaults are torchvision's
    ``GeneralizedRCNNTransform``, whose numbers they give to 1e-6 (`_bilinear` says when).

    Attributes:
        resize: ``"short_side"``: the short side becomes `min_size`, or less where the long side
            would exceed `max_size`. ``"square"``: both sides become `min_size`, whatever the shape
            (YOLACT). ``"factor"``: both sides are multiplied by `factor`; with 1 images stay as
            they are, which suits small images of one magnification.
        min_size: Of the rules ``"short_side"`` and ``"square"``, in pixels.
        max_size: Of the rule ``"short_side"``, in pixels.
        factor: Of the rule ``"factor"``.
        rounding: Of the rules ``"short_side"`` and ``"factor"``. ``"floor"``: scaled sides are cut
            to whole pixels (torchvision). ``"nearest"``: they are rounded, halves up (detectron2).
            ``"detr"``: the short side is rounded, and the long one is cut that follows from it.
        resample: ``"bilinear"``: the normalised image is resized between pixel centres, without
            antialiasing (torchvision, YOLACT). ``"pillow"``: the picture is resized by Pillow as 8
            bit, before normalising, and averaged where it shrinks (detectron2, DETR).
        contrast: ``"as_is"``, or ``"stretch"``: each picture's values are spread over 0..255, all
            channels alike; one in 2000 at either end is cut off. Exposures differ by an order of
            magnitude in microscopy, and mean nothing (Weigert et al., Star-convex Polyhedra, 2020,
            normalise by percentiles for the same reason). Pictures are 8 bit when they come here:
            of 12 bits in a 16-bit file `read_image` leaves too few, so scale such data first.
        colour: Order of the channels that the network sees.
        scale: Factor that brings 0..255 to the range of `mean` and `std`.
        mean: Of each channel, in the order of `colour`.
        std: Of each channel, in the order of `colour`.
        divisor: A batch's height and width are padded to multiples of it.

    Raises:
        ModelError: A value is of the wrong kind or out of its range.
    """

    resize: ResizeRule = "short_side"
    min_size: int = 800
    max_size: int = 1333
    factor: float = 1.0
    rounding: Rounding = "floor"
    resample: Resample = "bilinear"
    contrast: Contrast = "as_is"
    colour: Colour = "rgb"
    scale: float = 1 / 255
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    divisor: int = 32

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                raise _wrong(name, getattr(self, name), f"one of {', '.join(get_args(kind))}")
        for name in ("min_size", "max_size", "divisor"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "a whole number from 1 on")
        for name in ("factor", "scale"):
            object.__setattr__(self, name, _positive(name, getattr(self, name)))
        object.__setattr__(self, "mean", _three("mean", self.mean))
        object.__setattr__(self, "std", _three("std", self.std))
        for value in self.std:
            _positive("std", value)

    def __call__(self, image: npt.NDArray[np.uint8]) -> tuple[Floats, Geometry]:
        """Prepare one image for the network.

        Args:
            image: ``(h, w, 3)`` uint8 RGB.

        Returns:
            ``(3, h', w')`` float32, and the geometry that leads from the image to it.
        """
        geometry = self.geometry(_size(image))
        image = self.expose(image)
        if geometry.target == geometry.source:
            return self.normalise(image), geometry
        if self.resample == "bilinear":
            return _bilinear(self.normalise(image), geometry.target), geometry
        height, width = geometry.target
        picture = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        return self.normalise(np.asarray(picture)), geometry

    def geometry(self, size: Size) -> Geometry:
        """Return the map from an image of `size` to the network's pixels."""
        return Geometry.resize(size, self._target(size))

    def _target(self, size: Size) -> Size:
        if self.resize == "square":
            return self.min_size, self.min_size
        if self.resize == "factor":
            factor = self.factor
        elif self.rounding == "detr":
            return _detr_sides(size, self.min_size, self.max_size)
        else:
            factor = min(self.min_size / min(size), self.max_size / max(size))
        half = 0.5 if self.rounding == "nearest" else 0.0
        height, width = (max(int(side * factor + half), 1) for side in size)
        return height, width

    def expose(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return a whole ``(h, w, 3)`` uint8 picture with the contrast that the network wants."""
        _size(image)
        if self.contrast == "as_is":
            return image
        rows = max(1, _COUNTED // image[0].size)
        blocks = (image[y : y + rows] for y in range(0, len(image), rows))
        counts = sum(np.bincount(block.ravel(), minlength=256) for block in blocks)
        shares = np.cumsum(counts) / image.size
        dark, bright = (int(np.searchsorted(shares, share)) for share in (_DARK, _BRIGHT))
        gain = 255 / max(bright - dark, _FLATTEST)
        table = ((np.arange(256) - dark) * gain).round().clip(0, 255).astype(np.uint8)
        return np.asarray(cv2.LUT(image, table), np.uint8)

    def normalise(self, image: npt.NDArray[np.uint8]) -> Floats:
        """Return a ``(h, w, 3)`` uint8 RGB image as ``(3, h, w)`` float32, its size unchanged."""
        size = _size(image)
        # 256 possible values: each is computed once, exactly as torchvision computes it.
        values = (np.arange(256) * self.scale).astype(np.float32)
        planes = np.empty((3, *size), dtype=np.float32)
        for channel, out in enumerate(planes):
            mean, std = np.float32(self.mean[channel]), np.float32(self.std[channel])
            source = channel if self.colour == "rgb" else 2 - channel
            cv2.LUT(cv2.extractChannel(image, source), (values - mean) / std, dst=out)
        return planes

    def batch(self, images: Sequence[Floats]) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Join prepared images, padded with zeros to one size.

        Args:
            images: b arrays ``(3, h_i, w_i)``.

        Returns:
            ``(b, 3, h, w)`` float32 with h and w multiples of `divisor`, and the ``(b, 2)`` heights
            and widths that are not padding.

        Raises:
            DataError: There is no image.
        """
        if not images:
            raise DataError("a batch needs at least one image, and none came: check the source.")
        sizes = np.array([image.shape[1:] for image in images], dtype=np.int64)
        height, width = -(-sizes.max(axis=0) // self.divisor) * self.divisor
        joined = np.zeros((len(images), 3, height, width), dtype=np.float32)
        for image, (h, w), out in zip(images, sizes, joined, strict=True):
            out[:, :h, :w] = image
        return joined, sizes

    def to_json(self) -> dict[str, Any]:
        """Return every field as a JSON value."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ModelError: A field is unknown or missing, or its value is wrong.
        """
        names = [field.name for field in fields(cls)]
        for name in record:
            if name not in names:
                raise ModelError(f"preprocessing has no field {name!r}: {nearest(name, names)}")
        record = {**_SINCE_FORMAT_1, **record}
        if missing := [name for name in names if name not in record]:
            raise ModelError(
                f"preprocessing must have every field, and {', '.join(missing)} came not: the "
                "weights were saved by another version of Delineate; convert them again."
            )
        return cls(**record)


def _detr_sides(size: Size, min_size: int, max_size: int) -> Size:
    """Return the sides that DETR's ``get_size_with_aspect_ratio`` gives."""
    short, long = min(size), max(size)
    if long / short * min_size > max_size:
        min_size = max(round(max_size * short / long), 1)
    sides = min_size, int(min_size * long / short)
    return sides if size[0] <= size[1] else (sides[1], sides[0])


def _bilinear(planes: Floats, target: Size) -> Floats:
    """Resize ``(c, h, w)`` as torch does: half-pixel centres, no antialiasing.

    torch rounds the places between pixels to float32, in its kernel for one thread as below, in
    that for several once more in between. At sharp edges of a large image that rounding shows (up
    to 3e-4 after normalising) and networks amplify it, so `cv2.resize`, which is exact, won't do.
    """
    left, right, across = _places(planes.shape[2], target[1])
    above, below, down = _places(planes.shape[1], target[0])
    resized = np.empty((len(planes), *target), dtype=np.float32)
    for plane, out in zip(planes, resized, strict=True):
        wide = plane.take(left, axis=1)
        wide += across * (plane.take(right, axis=1) - wide)
        wide.take(above, axis=0, out=out, mode="clip")
        step = wide.take(below, axis=0)
        step -= out
        step *= down[:, None]
        out += step
    return resized


def _places(side: int, target: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Return, for each pixel of a resized side, the two pixels it lies between, and how far on."""
    scale = float(np.float32(side) / np.float32(target))
    places = np.maximum((np.arange(target) + 0.5) * scale - 0.5, 0).astype(np.float32)
    first = np.minimum(places.astype(np.intp), side - 1)
    return first, np.minimum(first + 1, side - 1), places - first.astype(np.float32)


def _size(image: npt.NDArray[np.uint8]) -> Size:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise DataError(
            f"an image must be (h, w, 3) uint8, and {image.shape} {image.dtype} came: "
            "read it with delineate.core.image.read_image."
        )
    return image.shape[0], image.shape[1]


def _three(name: str, values: Any) -> tuple[float, float, float]:  # noqa: ANN401 - JSON
    if not isinstance(values, (tuple, list)) or len(values) != 3:
        raise _wrong(name, values, "three numbers")
    for value in values:
        if type(value) not in (int, float) or not np.isfinite(value):
            raise _wrong(name, value, "three finite numbers")
    return float(values[0]), float(values[1]), float(values[2])


def _positive(name: str, value: Any) -> float:  # noqa: ANN401 - JSON
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise _wrong(name, value, "a finite number above 0")
    return float(value)


def _wrong(name: str, value: object, expected: str) -> ModelError:
    return ModelError(f"preprocessing's {name} must be {expected}, and {value!r} came: correct it.")
