"""Named strengths of augmentation, for each family of models: values, and nothing else.

``none`` shows every picture, or crop, as it is. ``light`` changes what no object depends on: side,
size and light, a little. ``standard`` is for the usual few hundred to few thousand pictures.
``strong`` is for long trainings and few pictures: the large-scale jitter of Ghiasi et al. (2021),
whose gain grows with the length of the schedule, with tilt and slant on top. Both paste objects of
other pictures, as Ghiasi et al. do, and have a camera's faults; `strong` makes mosaics, too.
Weather and mix-up are in none: the former suits streets, and not microscopes.

A preset says how strongly samples are changed. What a sample is, it leaves as the recipe has it:
the crops, and whether the pictures have an up (`with_preset`). Every zoom of a preset ends at a
fixed size, so that no sample becomes larger, and no batch needs more memory, than without.

The families differ where their networks do:

- ``yolact`` learns small objects on one grid with anchors from 24 pixels on; what shrinks below
  that is only ever background. Its zoom does not go below a quarter.
- ``detr`` has no anchors and one map at a stride of 16 or 32: sizes and places are learnt from
  samples alone. Its standard zoom is wider, and in whole images (as its recipes for photographs
  have them) the scene that a query attends to stays together.
- ``mask_query`` learns as Mask2Former did (Cheng et al., 2022), whose published recipe is the
  large-scale jitter from 0.1 to 2; that is its standard.
"""

from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from delineate.errors import ConfigError, nearest
from delineate.transforms.augment import AugmentConfig

Preset = Literal["none", "light", "standard", "strong"]

_NONE = AugmentConfig(
    scale=(1.0, 1.0), flip=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0
)
_LIGHT = AugmentConfig(
    scale=(0.8, 1.25),
    large_scale=True,
    brightness=0.1,
    contrast=0.1,
    saturation=0.1,
    hue=0.01,
)
_STANDARD = AugmentConfig(
    scale=(0.5, 1.5),
    large_scale=True,
    rotate=5.0,
    brightness=0.2,
    contrast=0.2,
    saturation=0.2,
    hue=0.02,
    copy_paste=0.2,
    blur=0.05,
    noise=0.1,
    jpeg=0.1,
)
_STRONG = AugmentConfig(
    scale=(0.1, 2.0),
    large_scale=True,
    rotate=15.0,
    shear=5.0,
    perspective=0.05,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.04,
    gamma=0.1,
    mosaic=0.2,
    copy_paste=0.4,
    blur=0.1,
    motion_blur=0.05,
    downscale=0.05,
    noise=0.2,
    jpeg=0.2,
)
_MASK_RCNN = {"none": _NONE, "light": _LIGHT, "standard": _STANDARD, "strong": _STRONG}

PRESETS: MappingProxyType[str, MappingProxyType[str, AugmentConfig]] = MappingProxyType(
    {
        family: MappingProxyType(_MASK_RCNN | own)
        for family, own in {
            "mask_rcnn": {},
            "yolact": {"strong": replace(_STRONG, scale=(0.25, 2.0))},
            "detr": {"standard": replace(_STANDARD, scale=(0.3, 1.7))},
            "mask_query": {"standard": replace(_STANDARD, scale=(0.1, 2.0))},
        }.items()
    }
)
"""Family -> name -> options."""


def with_preset(options: AugmentConfig, name: str, *, family: str) -> AugmentConfig:
    """Return a preset's options, for samples and pictures as `options` describe them.

    `options` keep the crops and, unless nothing is to be changed, flips upside down and quarter
    turns: those are facts about the pictures, not strengths.

    Args:
        options: Those of a recipe.
        name: "none", "light", "standard" or "strong".
        family: Key of `delineate.models.zoo.FAMILIES`.

    Raises:
        ConfigError: There is no such preset, or family.
    """
    if family not in PRESETS:
        raise ConfigError(f"unknown family {family!r}: {nearest(family, PRESETS)}")
    if name not in PRESETS[family]:
        raise ConfigError(f"unknown augmentation {name!r}: {nearest(name, PRESETS[family])}")
    chosen = replace(PRESETS[family][name], crop=options.crop, crops_by_area=options.crops_by_area)
    if name == "none":
        return chosen
    return replace(chosen, vertical_flip=options.vertical_flip, quarter_turns=options.quarter_turns)
