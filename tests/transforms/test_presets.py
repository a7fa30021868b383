"""Named strengths: the right values for every family, and what they leave alone."""

from dataclasses import replace
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.models.zoo import FAMILIES
from delineate.transforms.augment import AugmentConfig, training
from delineate.transforms.presets import PRESETS, Preset, with_preset

SCENES = SyntheticScenes(6, size=(96, 128), seed=1)
SCENE = SCENES[0]
NAMES = get_args(Preset)
STRENGTHS = ("rotate", "shear", "perspective", "brightness", "contrast", "saturation", "hue")
HOW_OFTEN = (
    *("flip", "gamma", "mosaic", "copy_paste", "mix_up"),
    *("blur", "motion_blur", "downscale", "noise", "jpeg", "weather"),
)


def test_every_family_has_every_preset():
    assert set(PRESETS) == set(FAMILIES)
    assert all(tuple(presets) == NAMES for presets in PRESETS.values())


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        PRESETS["detr"]["none"] = AugmentConfig()


@pytest.mark.parametrize("family", sorted(PRESETS))
def test_each_is_stronger_than_the_one_before(family):
    chosen = [PRESETS[family][name] for name in NAMES]
    for weaker, stronger in pairwise(chosen):
        for strength in (*STRENGTHS, *HOW_OFTEN):
            assert getattr(weaker, strength) <= getattr(stronger, strength)
        assert stronger.scale[0] <= weaker.scale[0]
        assert stronger.scale[1] >= weaker.scale[1]


@pytest.mark.parametrize("family", sorted(PRESETS))
def test_none_changes_nothing(family):
    options = with_preset(AugmentConfig(crop=None), "none", family=family)
    assert training(options, others=SCENES)(SCENE, np.random.default_rng(0)) is SCENE


@pytest.mark.parametrize("family", sorted(PRESETS))
@pytest.mark.parametrize("name", NAMES)
def test_no_sample_becomes_larger_than_without(family, name):
    for crop, shape in ((None, (96, 128, 3)), (64, (64, 64, 3))):
        options = with_preset(AugmentConfig(crop=crop), name, family=family)
        transform = training(options, others=SCENES)
        for seed in range(12):
            after = transform(SCENE, np.random.default_rng(seed))
            assert after.image.shape == shape


def test_strong_is_the_jitter_of_ghiasi_but_for_one_stage():
    assert {family: p["strong"].scale for family, p in PRESETS.items()} == {
        "mask_rcnn": (0.1, 2.0),
        "yolact": (0.25, 2.0),
        "detr": (0.1, 2.0),
        "mask_query": (0.1, 2.0),
    }


def test_what_a_sample_is_stays_as_the_recipe_has_it():
    recipe = AugmentConfig(
        crop=48, crops_by_area=True, vertical_flip=0.5, quarter_turns=True, zoom=0.5, rotate=90
    )
    for name in NAMES:
        found = with_preset(recipe, name, family="detr")
        assert (found.crop, found.crops_by_area) == (48, True)
        turns = (0.0, False) if name == "none" else (0.5, True)
        assert (found.vertical_flip, found.quarter_turns) == turns
        own = {"crop": "auto", "crops_by_area": False, "vertical_flip": 0.0, "quarter_turns": False}
        assert replace(found, **own) == PRESETS["detr"][name]


def test_the_default_is_as_it_was():
    default = AugmentConfig()
    assert (default.scale, default.flip, default.large_scale) == ((0.7, 1.4), 0.5, False)
    colours = (default.brightness, default.contrast, default.saturation, default.hue)
    assert colours == (0.2, 0.2, 0.2, 0.02)
    assert {default.rotate, default.shear, default.perspective, default.translate} == {0}


def test_an_unknown_name_is_said():
    with pytest.raises(ConfigError, match="unknown augmentation 'lihgt': did you mean 'light'"):
        with_preset(AugmentConfig(), "lihgt", family="yolact")
    with pytest.raises(ConfigError, match="unknown family 'yolo': did you mean 'yolact'"):
        with_preset(AugmentConfig(), "light", family="yolo")
