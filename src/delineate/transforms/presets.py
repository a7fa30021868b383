"""The chain of transforms that training samples go through, put together from plain numbers."""

from delineate.core.boxes import Size
from delineate.core.preprocess import Preprocess
from delineate.transforms.base import Compose, Transform
from delineate.transforms.framing import RandomCrop, Resize, ScaleJitter
from delineate.transforms.geometric import (
    Flip,
    QuarterTurn,
    Rotate,
    Step,
    Warp,
)
from delineate.transforms.photometric import Colour, Expose


def training(
    *,
    preprocess: Preprocess | None = None,
    crop: Size | None = None,
    scale: tuple[float, float] = (1.0, 1.0),
    flip: float = 0.0,
    vertical_flip: float = 0.0,
    quarter_turns: bool = False,
    rotate: float = 0.0,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
    min_visible: float = 0.25,
) -> Transform:
    """Return the chain of all that is asked for; what keeps its default costs nothing.

    The model's own contrast comes first, then geometry, as one warp, so that colours are changed
    for the pixels of the crop alone.

    Args:
        preprocess: The model's own contrast and resize come before everything else; None keeps the
            source's.
        crop: (height, width) of every sample; None keeps whole images.
        scale: Smallest and largest zoom.
        flip: Probability of a left-right flip.
        vertical_flip: Probability of an upside-down flip.
        quarter_turns: Turn by a random multiple of 90 degrees.
        rotate: Largest rotation in degrees, either way.
        brightness: See `Colour`, as for the next three.
        contrast: Relative.
        saturation: Relative.
        hue: In turns.
        min_visible: Share of an object that must stay in the picture.

    Raises:
        ConfigError: A number is out of its range.
    """
    steps: list[Step] = []
    if preprocess is not None:
        steps.append(Resize(preprocess))
    if scale != (1.0, 1.0):
        steps.append(ScaleJitter(*scale))
    if rotate:
        steps.append(Rotate(rotate))
    if quarter_turns:
        steps.append(QuarterTurn())
    if flip:
        steps.append(Flip(flip))
    if vertical_flip:
        steps.append(Flip(vertical_flip, vertical=True))
    if crop is not None:
        steps.append(RandomCrop(crop))
    transforms: list[Transform] = [] if preprocess is None else [Expose(preprocess)]
    if steps:
        transforms.append(Warp(tuple(steps), min_visible))
    if brightness or contrast or saturation or hue:
        transforms.append(
            Colour(brightness=brightness, contrast=contrast, saturation=saturation, hue=hue)
        )
    return Compose(tuple(transforms))
