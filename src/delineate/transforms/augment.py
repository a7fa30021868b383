"""What training samples go through: the options, and the chain of transforms that they mean.

The options are part of `delineate.train.config.TrainConfig`, which checks them when they come as
text; named sets of them are in `delineate.transforms.presets`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from delineate.core.boxes import Size
from delineate.core.preprocess import Preprocess
from delineate.data.sample import Dataset
from delineate.errors import ConfigError
from delineate.transforms.base import Compose, Transform
from delineate.transforms.degradations import Blur, Downscale, Jpeg, MotionBlur, Noise
from delineate.transforms.framing import (
    LargeScaleJitter,
    RandomCrop,
    Resize,
    ScaleJitter,
    ZoomToObject,
)
from delineate.transforms.geometric import (
    Flip,
    Perspective,
    QuarterTurn,
    Rotate,
    Shear,
    Step,
    Translate,
    Warp,
)
from delineate.transforms.photometric import Colour, Expose, Gamma
from delineate.transforms.scenes import scenes
from delineate.transforms.weather import Weather

Auto = Literal["auto"]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

_MOST_CROPS = 64  # samples of an epoch that come from one image


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentConfig:
    """How training samples are changed; sizes are pixels after the model's own resize."""

    crop: Count | Auto | None = "auto"
    """Side of the square training crops; null trains on whole images."""
    crops_by_area: bool = False
    """An epoch holds crops of each image in proportion to its area, up to 64, instead of one."""
    scale: tuple[Positive, Positive] = (0.7, 1.4)
    """Smallest and largest random zoom around the size the model sees when it predicts."""
    large_scale: bool = False
    """Draw the zoom evenly (else 0.5 is as likely as 2), and let whole images keep their size."""
    zoom: Share = 0.0
    """Probability of a window that shows one object large."""
    flip: Share = 0.5
    """Probability of a left-right flip."""
    vertical_flip: Share = 0.0
    """Probability of an upside-down flip; for pictures without an up."""
    quarter_turns: bool = False
    """Turn by a random multiple of 90 degrees; for pictures without an up."""
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest rotation in degrees, either way."""
    shear: Annotated[float, Field(ge=0, le=45)] = 0.0
    """Largest slant in degrees, along each axis and either way."""
    perspective: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Largest shift of each corner, as a share of the sides; tilts the picture."""
    translate: Share = 0.0
    """Largest shift, as a share of the sides; crops shift the picture anyway."""
    min_visible: Share = 0.25
    """An object of which a smaller share of its moved area is left in the picture is dropped. At
    each step (geometry, windows of a mosaic, what is pasted over it) the share is of what the step
    before has left."""
    brightness: Share = 0.2
    """Largest relative change of brightness."""
    contrast: Share = 0.2
    """Largest relative change of contrast."""
    saturation: Share = 0.2
    """Largest relative change of saturation."""
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.02
    """Largest shift of the hue, in turns of the colour circle."""
    gamma: Share = 0.0
    """Probability of another curve of brightness, lighter or darker between black and white."""
    mosaic: Share = 0.0
    """Probability of a picture made of windows of four samples."""
    copy_paste: Share = 0.0
    """Probability that objects of another sample are pasted, hiding what is below them."""
    mix_up: Share = 0.0
    """Probability that another sample is blended in, with its objects."""
    blur: Share = 0.0
    """Probability of a picture out of focus."""
    motion_blur: Share = 0.0
    """Probability of a picture blurred along a line."""
    downscale: Share = 0.0
    """Probability of a picture of fewer pixels, shown as large as before."""
    noise: Share = 0.0
    """Probability of a sensor's noise."""
    jpeg: Share = 0.0
    """Probability of JPEG's blocks."""
    weather: Share = 0.0
    """Probability of fog, rain, snow, shadow or glare; for pictures taken outdoors."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if low > high:
            raise ConfigError(
                f"augment.scale should be (smallest, largest), not {self.scale}: swap the two."
            )
        if self.crops_by_area and self.crop is None:
            raise ConfigError(
                "augment.crops_by_area needs crops, but augment.crop is null: set a side or auto, "
                "or augment.crops_by_area=false."
            )


def training(
    options: AugmentConfig, *, preprocess: Preprocess | None = None, others: Dataset | None = None
) -> Transform:
    """Return the chain of all that is asked for; what an option leaves out costs nothing.

    The model's own contrast comes first, then geometry, as one warp, then what makes one picture of
    several, all of which have gone through the former; so colours are changed, and a camera's
    faults added, for the pixels of the crop alone.

    Args:
        options: What to do; "auto" must have been resolved.
        preprocess: The model's own contrast and resize; None keeps the source's.
        others: Where further samples of a picture made of several come from: the training set.

    Raises:
        ConfigError: A number is out of its range, or `options.crop` is still "auto".
    """
    transforms: list[Transform] = [] if preprocess is None else [Expose(preprocess)]
    if steps := _steps(options, preprocess):
        transforms.append(Warp(steps, options.min_visible))
    joined: tuple[Transform, ...] = ()
    if others is not None and len(others):
        jitter = Compose(tuple(transforms))
        joined = scenes(
            others,
            jitter=jitter,
            mosaic=options.mosaic,
            copy_paste=options.copy_paste,
            mix_up=options.mix_up,
            min_visible=options.min_visible,
        ).transforms
    return Compose((*transforms, *joined, *_photometric(options)))


def samples_per_image(
    options: AugmentConfig, sizes: Sequence[Size], *, preprocess: Preprocess | None = None
) -> npt.NDArray[np.int64]:
    """Return ``(n,)`` how many samples of an epoch come from each image.

    One, or with `AugmentConfig.crops_by_area` the number of crops that have its area at the size
    the model sees it, within bounds: a picture of many megapixels shall not be the whole epoch.

    Args:
        options: Its crop must have been resolved.
        sizes: (height, width) of each image.
        preprocess: The model's own resize; None keeps the source's size.
    """
    if not options.crops_by_area or not len(sizes):
        return np.ones(len(sizes), dtype=np.int64)
    assert isinstance(options.crop, int)
    shown = [size if preprocess is None else preprocess.geometry(size).target for size in sizes]
    crops = np.rint(np.prod(shown, axis=1, dtype=np.float64) / options.crop**2)
    return crops.clip(1, _MOST_CROPS).astype(np.int64)


def _steps(options: AugmentConfig, preprocess: Preprocess | None) -> tuple[Step, ...]:
    """Return the geometry, from the model's own size to the crop."""
    o, crop = options, _crop(options)
    steps: list[Step] = []
    if preprocess is not None:
        steps.append(Resize(preprocess))
    if o.large_scale:
        steps.append(LargeScaleJitter(*o.scale, size=crop))
    elif o.scale != (1.0, 1.0):
        steps.append(ScaleJitter(*o.scale))
    if o.rotate:
        steps.append(Rotate(o.rotate))
    if o.shear:
        steps.append(Shear(o.shear))
    if o.perspective:
        steps.append(Perspective(o.perspective))
    if o.translate:
        steps.append(Translate(o.translate))
    if o.quarter_turns:
        steps.append(QuarterTurn())
    if o.flip:
        steps.append(Flip(o.flip))
    if o.vertical_flip:
        steps.append(Flip(o.vertical_flip, vertical=True))
    if o.zoom:
        steps.append(ZoomToObject(o.zoom, size=crop))
    if crop is not None and not o.large_scale:
        steps.append(RandomCrop(crop))
    return tuple(steps)


def _photometric(options: AugmentConfig) -> tuple[Transform, ...]:
    """Return what changes pixels where they are."""
    o = options
    transforms: list[Transform] = []
    if o.brightness or o.contrast or o.saturation or o.hue:
        transforms.append(
            Colour(brightness=o.brightness, contrast=o.contrast, saturation=o.saturation, hue=o.hue)
        )
    if o.gamma:
        transforms.append(Gamma(o.gamma))
    if o.weather:
        transforms.append(Weather(o.weather))
    if o.blur:
        transforms.append(Blur(o.blur))
    if o.motion_blur:
        transforms.append(MotionBlur(o.motion_blur))
    if o.downscale:
        transforms.append(Downscale(o.downscale))
    if o.noise:
        transforms.append(Noise(o.noise))
    if o.jpeg:
        transforms.append(Jpeg(o.jpeg))
    return tuple(transforms)


def _crop(options: AugmentConfig) -> Size | None:
    if options.crop == "auto":
        raise ConfigError(
            "augment.crop should be a side or null where samples are made, but is auto: set it, or "
            "resolve the config with `delineate.train.resolve`."
        )
    return None if options.crop is None else (options.crop, options.crop)
