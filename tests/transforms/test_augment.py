"""The chain that options mean."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from delineate.core.preprocess import Preprocess
from delineate.data.synthetic import SyntheticScenes
from delineate.errors import ConfigError
from delineate.transforms.augment import AugmentConfig, training
from delineate.transforms.base import Among, AnyOf, Compose
from delineate.transforms.framing import LargeScaleJitter, RandomCrop, Resize, ZoomToObject
from delineate.transforms.geometric import Flip, Perspective, QuarterTurn, Rotate, Shear, Warp
from delineate.transforms.scenes import MixUp, Mosaic
from transform_samples import box, sample_of

SCENES = SyntheticScenes(3, size=(96, 128), seed=1)
SCENE = SCENES[0]
NOTHING = AugmentConfig(
    crop=None, scale=(1.0, 1.0), flip=0.0, brightness=0.0, contrast=0.0, saturation=0.0, hue=0.0
)
VARIED = training(replace(NOTHING, crop=64, scale=(0.7, 1.4), flip=0.5, brightness=0.2))


def rng(seed=0):
    return np.random.default_rng(seed)


def steps_of(options, **more):
    [warp] = [t for t in training(options, **more).transforms if isinstance(t, Warp)]
    return warp.steps


def test_nothing_asked_for_is_nothing_done():
    assert training(NOTHING)(SCENE, rng()) is SCENE


def test_crops_have_one_size_and_differ():
    samples = [VARIED(SCENE, rng(seed)) for seed in range(8)]
    assert {s.image.shape for s in samples} == {(64, 64, 3)}
    assert len({s.image.tobytes() for s in samples}) == 8
    assert all(s.instances.image_size == (64, 64) for s in samples)


def test_whole_images_stay_whole():
    transform = training(replace(NOTHING, scale=(0.9, 1.1), flip=0.5))
    kept = [transform(SCENE, rng(seed)) for seed in range(8)]
    assert all(len(s.instances) == len(SCENE.instances) for s in kept)
    assert len({s.image.shape for s in kept}) > 1


def test_whole_images_keep_their_size_under_large_scale_jitter():
    transform = training(replace(NOTHING, scale=(0.2, 2.0), large_scale=True))
    kept = [transform(SCENE, rng(seed)) for seed in range(20)]
    assert {s.image.shape for s in kept} == {SCENE.image.shape}
    assert len({s.image.tobytes() for s in kept}) == 20


def test_the_same_generator_state_gives_the_same_sample():
    first, again = (VARIED(SCENE, rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.instances.boxes, again.instances.boxes)


def test_the_models_resize_comes_first():
    rule = Preprocess(min_size=48, max_size=1000)
    after = training(replace(NOTHING, flip=1.0), preprocess=rule)(SCENE, rng())
    assert after.image.shape == (48, 64, 3)
    flipped = SCENE.image[:, ::-1].mean(axis=(0, 1))
    np.testing.assert_allclose(after.image.mean(axis=(0, 1)), flipped, atol=1)


def test_the_models_contrast_is_that_of_the_whole_picture():
    rule = Preprocess(resize="factor", contrast="stretch")
    crop = training(replace(NOTHING, crop=32), preprocess=rule)(SCENE, rng()).image
    whole = training(NOTHING, preprocess=rule)(SCENE, rng()).image
    np.testing.assert_array_equal(whole, rule.expose(SCENE.image))
    windows = np.lib.stride_tricks.sliding_window_view(whole, (32, 32, 3))
    assert (windows == crop).all(axis=(-1, -2, -3)).any()


def test_the_order_of_all_steps():
    everything = AugmentConfig(
        crop=80,
        zoom=0.5,
        vertical_flip=0.5,
        quarter_turns=True,
        rotate=45,
        shear=10,
        perspective=0.1,
        translate=0.1,
    )
    rule = Preprocess()
    kinds = [type(step).__name__ for step in steps_of(everything, preprocess=rule)]
    order = ["Resize", "ScaleJitter", "Rotate", "Shear", "Perspective", "Translate"]
    assert kinds == [*order, "QuarterTurn", "Flip", "Flip", "ZoomToObject", "RandomCrop"]
    whole = steps_of(replace(everything, crop=None, large_scale=True), preprocess=rule)
    order[1] = "LargeScaleJitter"
    assert [type(step).__name__ for step in whole] == [*order, *kinds[6:10]]
    names = [type(t).__name__ for t in training(everything, preprocess=rule).transforms]
    assert names == ["Expose", "Warp", "Colour"]


def test_options_reach_their_steps():
    options = AugmentConfig(
        crop=80,
        scale=(0.2, 3.0),
        large_scale=True,
        zoom=0.3,
        flip=0.4,
        vertical_flip=0.6,
        quarter_turns=True,
        rotate=45.0,
        shear=10.0,
        perspective=0.1,
        min_visible=0.5,
    )
    assert steps_of(options, preprocess=Preprocess(min_size=7)) == (
        Resize(Preprocess(min_size=7)),
        LargeScaleJitter(0.2, 3.0, size=(80, 80)),
        Rotate(45.0),
        Shear(10.0),
        Perspective(0.1),
        QuarterTurn(),
        Flip(0.4),
        Flip(0.6, vertical=True),
        ZoomToObject(0.3, size=(80, 80)),
    )
    assert training(options).transforms[0].min_visible == 0.5
    assert steps_of(replace(NOTHING, crop=9)) == (RandomCrop((9, 9)),)


def test_every_option_changes_the_chain():
    changed = {
        **{"crop": 48, "scale": (0.5, 2.0), "large_scale": True, "zoom": 0.5, "flip": 0.7},
        **{"vertical_flip": 0.5, "quarter_turns": True, "rotate": 9.0, "shear": 9.0},
        **{"perspective": 0.1, "translate": 0.2, "min_visible": 0.7, "brightness": 0.4},
        **{"contrast": 0.4, "saturation": 0.4, "hue": 0.1, "mosaic": 0.1, "copy_paste": 0.1},
        **{"mix_up": 0.1, "blur": 0.1, "motion_blur": 0.1, "noise": 0.1, "jpeg": 0.1},
        **{"weather": 0.1, "gamma": 0.1, "downscale": 0.1},
    }
    assert set(changed) == {f.name for f in fields(AugmentConfig)} - {"crops_by_area"}
    plain = AugmentConfig(crop=64)
    whole = training(plain, others=SCENES)
    for name, value in changed.items():
        assert training(replace(plain, **{name: value}), others=SCENES) != whole, name


def test_everything_at_once():
    options = AugmentConfig(
        crop=80,
        scale=(0.5, 2.0),
        large_scale=True,
        zoom=0.3,
        vertical_flip=0.5,
        quarter_turns=True,
        rotate=45,
        shear=10,
        perspective=0.1,
        translate=0.1,
        brightness=0.3,
        contrast=0.3,
        saturation=0.3,
        hue=0.1,
    )
    transform = training(options, preprocess=Preprocess(min_size=150))
    for seed in range(20):
        after = transform(SCENE, rng(seed))
        assert after.image.shape == (80, 80, 3)
        assert np.all(after.instances.masks.areas > 0)
        np.testing.assert_array_equal(after.instances.boxes, after.instances.masks.boxes())


def test_a_crop_shows_white_objects_where_their_masks_are():
    size = (120, 160)
    before = sample_of([box(size, 20, 70, 25, 80), box(size, 75, 110, 60, 150)], size)
    geometry = replace(NOTHING, crop=96, scale=(0.5, 2.0), large_scale=True, flip=0.5)
    transform = training(replace(geometry, rotate=30, shear=10, perspective=0.1, min_visible=0))
    for seed in range(20):
        after = transform(before, rng(seed))
        inside = after.instances.masks.label_map() > 0
        white = (after.image[..., 0] >= 128) & ~np.all(after.image == 114, axis=2)
        assert (white != inside).mean() < 0.01


def test_transforms_can_be_sent_to_workers():
    transform = pickle.loads(pickle.dumps(VARIED))
    np.testing.assert_array_equal(transform(SCENE, rng(3)).image, VARIED(SCENE, rng(3)).image)


def test_a_number_out_of_range_is_said():
    with pytest.raises(ConfigError, match="hue should be"):
        training(replace(NOTHING, hue=2))


def test_auto_must_have_been_resolved():
    with pytest.raises(ConfigError, match=r"augment\.crop should be a side or null .* is auto"):
        training(AugmentConfig())


# -- scenes ----------------------------------------------------------------------------------


class Beside:
    """A scene: the sample's name, and those of two others."""

    def __call__(self, sample, rng, others):
        names = [sample.name, others(rng).name, others(rng).name]
        return replace(sample, name=" ".join(names))


def test_a_scene_draws_others_from_the_data_set_each_equally_likely():
    seen = [Among(Beside(), AnyOf(SCENES))(SCENE, rng(seed)).name for seed in range(200)]
    names = {record.name for record in SCENES.records}
    for place in (1, 2):
        drawn = [name.split()[place] for name in seen]
        assert set(drawn) == names
        assert min(drawn.count(name) for name in names) > 40
    assert {name.split()[0] for name in seen} == {SCENE.name}


def test_others_are_prepared_and_come_from_the_generator():
    renamed = AnyOf(SCENES, lambda sample, rng: replace(sample, name=f"{rng.integers(99)}"))
    first, again = renamed(rng(4)), renamed(rng(4))
    assert first.name == again.name
    assert first.name.isdigit()


def test_scenes_come_after_the_geometry_and_before_the_colours():
    rule = Preprocess(resize="factor", contrast="stretch")
    options = AugmentConfig(crop=32, mosaic=0.2, mix_up=0.1, noise=0.1, min_visible=0.4)
    chain = training(options, preprocess=rule, others=SCENES).transforms
    names = ["Expose", "Warp", "Among", "Among", "Colour", "Noise"]
    assert [type(t).__name__ for t in chain] == names
    assert [t.scene for t in chain[2:4]] == [
        Mosaic(0.2, min_visible=0.4),
        MixUp(0.1, min_visible=0.4),
    ]
    assert chain[2].others == AnyOf(SCENES, Compose(chain[:2]))
    without = training(options, preprocess=rule).transforms
    assert [type(t).__name__ for t in without] == ["Expose", "Warp", "Colour", "Noise"]
